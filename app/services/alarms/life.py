"""The life of an alarm, as a table of transitions. It knows neither a database nor a clock.

observed → pre-alarm (a countdown that the person can stop) → raised → notified → acknowledged → closed. What has been
raised is closed by a person alone. If something is noticed anew while an earlier alarm is acknowledged and not closed,
a countdown begins again, or a second fall would be lost in the first one's alarm. A fault (`SILENT`) is no alarm: it is
raised at once, and ends by itself when the device is heard again. Each kind lives by itself and mutes no other.

Sources: oksigenia-sos (observation, countdown), OpenSeizureDetector (falls latch, faults apart), ThingsBoard (one that
is noticed again is updated).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

FALL, INACTIVITY, UNUSUAL, HEART_RATE = "fall", "inactivity", "unusual", "heart_rate"
SILENT = "silent"  # the fault: a device that is silent, or whose battery is low
HEALTH = (FALL, INACTIVITY, UNUSUAL, HEART_RATE)
KINDS = (*HEALTH, SILENT)

NOTHING = ""  # before the first step
OBSERVED, PRE_ALARM, RAISED, NOTIFIED = "observed", "pre-alarm", "raised", "notified"
ACKNOWLEDGED, AGAIN, CLOSED = "acknowledged", "noticed again", "closed"
STATES = (OBSERVED, PRE_ALARM, RAISED, NOTIFIED, ACKNOWLEDGED, AGAIN, CLOSED)
COUNTING = (OBSERVED, PRE_ALARM, AGAIN)  # nobody else has been told of this notice yet
OPEN = (RAISED, NOTIFIED, ACKNOWLEDGED, AGAIN)  # raised, and not closed

TRUE, FALSE, UNSAID = "true", "false", ""  # verdicts


class Event(str, Enum):
    NOTICED = "noticed"
    DUE = "due"  # the wait of its state is over
    STEPS = "steps"  # the person walks regularly
    GONE = "gone"  # what was noticed has passed
    CANCELLED = "cancelled"
    TOLD = "told"  # the first message has reached a mail server or the like
    ACKNOWLEDGED = "acknowledged"
    CLOSED = "closed"


class Party(str, Enum):
    KINELAB = "kinelab"
    PERSON = "person"  # whose alarm it is
    CAREGIVER = "caregiver"  # to whom the person agreed


class Wait(str, Enum):
    """After what an alarm moves on by itself; the person's rule says how long that is."""

    NONE = ""
    SETTLE = "settle"
    COUNTDOWN = "countdown"
    REMIND = "remind"


class Told(str, Enum):
    """Who gets a message of a step."""

    NOBODY = ""
    PERSON = "person"  # in their browser alone
    ALL = "all"
    BEFORE = "before"  # whoever got one of this alarm before


@dataclass(frozen=True)
class Transition:
    before: str
    event: Event
    after: str
    by: frozenset[Party]
    wait: Wait
    told: Told
    kinds: frozenset[str]


def _row(
    before: str,
    event: Event,
    after: str,
    by: Iterable[Party] = (Party.KINELAB,),
    wait: Wait = Wait.NONE,
    told: Told = Told.NOBODY,
    kinds: Iterable[str] = HEALTH,
) -> Transition:
    return Transition(before, event, after, frozenset(by), wait, told, frozenset(kinds))


_PERSON = (Party.PERSON,)
_EITHER = (Party.PERSON, Party.CAREGIVER)
_PASSING = (INACTIVITY, HEART_RATE)  # what can be seen to pass; a fall has happened, and a day was as it was

TABLE: tuple[Transition, ...] = (
    _row(NOTHING, Event.NOTICED, OBSERVED, wait=Wait.SETTLE, kinds=(FALL,)),
    _row(OBSERVED, Event.DUE, PRE_ALARM, wait=Wait.COUNTDOWN, told=Told.PERSON, kinds=(FALL,)),
    _row(OBSERVED, Event.STEPS, CLOSED, kinds=(FALL,)),
    _row(OBSERVED, Event.CANCELLED, CLOSED, _PERSON, kinds=(FALL,)),
    _row(NOTHING, Event.NOTICED, PRE_ALARM, wait=Wait.COUNTDOWN, told=Told.PERSON, kinds=(*_PASSING, UNUSUAL)),
    _row(PRE_ALARM, Event.STEPS, CLOSED, told=Told.BEFORE, kinds=(FALL,)),
    _row(PRE_ALARM, Event.GONE, CLOSED, told=Told.BEFORE, kinds=_PASSING),
    _row(PRE_ALARM, Event.CANCELLED, CLOSED, _PERSON, told=Told.BEFORE),
    _row(PRE_ALARM, Event.DUE, RAISED, wait=Wait.REMIND, told=Told.ALL),
    _row(RAISED, Event.TOLD, NOTIFIED, wait=Wait.REMIND),
    _row(RAISED, Event.DUE, RAISED, wait=Wait.REMIND, told=Told.ALL),  # nobody has acknowledged it: once more
    _row(NOTIFIED, Event.DUE, NOTIFIED, wait=Wait.REMIND, told=Told.ALL),
    _row(ACKNOWLEDGED, Event.NOTICED, AGAIN, wait=Wait.COUNTDOWN, told=Told.PERSON),
    _row(AGAIN, Event.STEPS, ACKNOWLEDGED, kinds=(FALL,)),
    _row(AGAIN, Event.GONE, ACKNOWLEDGED, kinds=_PASSING),
    _row(AGAIN, Event.CANCELLED, ACKNOWLEDGED, _PERSON),
    _row(AGAIN, Event.DUE, RAISED, wait=Wait.REMIND, told=Told.ALL),
    *(
        _row(before, Event.ACKNOWLEDGED, ACKNOWLEDGED, _EITHER, told=Told.BEFORE, kinds=KINDS)
        for before in (RAISED, NOTIFIED)
    ),
    *(
        _row(before, Event.CANCELLED, CLOSED, _PERSON, told=Told.BEFORE, kinds=KINDS)
        for before in (RAISED, NOTIFIED, ACKNOWLEDGED)
    ),
    *(
        _row(before, Event.CLOSED, CLOSED, _EITHER, told=Told.BEFORE, kinds=KINDS)
        for before in (RAISED, NOTIFIED, ACKNOWLEDGED)
    ),
    _row(AGAIN, Event.CLOSED, CLOSED, _EITHER, told=Told.BEFORE),
    # The fault's own, shorter life
    _row(NOTHING, Event.NOTICED, RAISED, told=Told.ALL, kinds=(SILENT,)),
    _row(RAISED, Event.TOLD, NOTIFIED, kinds=(SILENT,)),
    *(
        _row(before, Event.GONE, CLOSED, told=Told.BEFORE, kinds=(SILENT,))
        for before in (RAISED, NOTIFIED, ACKNOWLEDGED)
    ),
)
_BY_PLACE = {(kind, row.before, row.event): row for row in TABLE for kind in row.kinds}


def transition(kind: str, state: str, event: Event, by: Party) -> Transition | None:
    """Return what an event does to an alarm of a kind in a state, None where it does nothing or is not theirs to do."""
    row = _BY_PLACE.get((kind, state, event))
    return row if row is not None and by in row.by else None


def events_of(kind: str, state: str, by: Party) -> set[Event]:
    """Return what somebody may do to an alarm in a state."""
    return {row.event for row in TABLE if kind in row.kinds and row.before == state and by in row.by}
