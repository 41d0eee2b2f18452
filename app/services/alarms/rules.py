"""How each kind of alarm behaves for a person: sane defaults with their reason, bounds, quiet hours, the time zone.

Rules are read each second for each device and changed rarely: what was read is kept for half a minute, and forgotten
when this process changes it.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone, tzinfo
from typing import Any

from flask import current_app
from sqlalchemy import select

from app.extensions import db
from app.services import audit
from app.services.alarms.life import FALL, HEART_RATE, INACTIVITY, SILENT, UNUSUAL, Wait
from app.services.audit import Action
from app.services.errors import Invalid, ServiceError
from app.services.recordings.wall_clock import time_zone
from app.services.transaction import transaction
from app.tables import AlarmRule

QUIET = "quiet"  # no kind of alarm: when whoever is told does not want to hear of what can wait
CAN_WAIT = (UNUSUAL, SILENT)  # held back in quiet hours; a fall, a long stillness and a heart rate never are
KEPT_S = 30.0
REMINDERS_GROW_TO_S = 6 * 3600.0
CLOCK = re.compile(r"([01]\d|2[0-3]):[0-5]\d", re.ASCII)
OUR_CHOICE = "Kinelab's choice; no study that we know of gives a figure."
WATCHES = "Smartwatches warn of 120 and of 40 beats a minute at rest, unless the wearer chooses otherwise."


@dataclass(frozen=True)
class Field:
    """One setting of a rule: a number between bounds, a time of day, or the name of a time zone."""

    name: str
    label: str
    unit: str  # "" of a time of day and of a time zone
    default: float | str
    low: float = 0.0
    high: float = 0.0
    source: str = OUR_CHOICE

    @property
    def is_number(self) -> bool:
        return not isinstance(self.default, str)


_REMIND = Field("remind_min", "Remind after", "min", 15, 1, 240)
_SOS = "As oksigenia-sos, an app that calls for help after a fall."
FIELDS: Mapping[str, tuple[Field, ...]] = {
    FALL: (
        Field("settle_s", "Settle after the impact", "s", 3, 0, 4, "The question must be there 5 s after the impact."),
        Field("observation_s", "Watch for regular steps, which cancel it", "s", 60, 0, 300, _SOS),
        Field("countdown_s", "Then count down", "s", 30, 5, 300, _SOS),
        _REMIND,
    ),
    INACTIVITY: (
        Field("morning_min", "Still in the morning, until 12:00, for", "min", 120, 1, 720),
        Field("afternoon_min", "Still in the afternoon, until 18:00, for", "min", 120, 1, 720),
        Field("evening_min", "Still in the evening for", "min", 180, 1, 720),
        Field("sleep_from", "Usually asleep from", "", "22:00"),
        Field("sleep_to", "Usually asleep until", "", "08:00"),
        Field("countdown_s", "Count down", "s", 120, 5, 1800),
        _REMIND,
    ),
    UNUSUAL: (
        Field("z", "Distance from the person's usual days", "robust deviations", 3.5, 2, 20,
              "Iglewicz and Hoaglin (1993) call 3.5 an outlier."),
        Field("days", "Days of history that it needs", "days", 7, 7, 60),
        Field("at", "Compare the day at", "", "20:00"),
        Field("countdown_s", "Count down", "s", 600, 5, 7200),
        Field("remind_min", "Remind after", "min", 240, 1, 1440),
    ),
    HEART_RATE: (
        Field("rest_low", "At rest, lowest", "beats/min", 40, 25, 120, WATCHES),
        Field("rest_high", "At rest, highest", "beats/min", 120, 60, 220, WATCHES),
        Field("foot_low", "On foot, lowest", "beats/min", 40, 25, 150),
        Field("foot_high", "On foot, highest", "beats/min", 160, 80, 240),
        Field("sport_low", "Running or cycling, lowest", "beats/min", 50, 25, 180),
        Field("sport_high", "Running or cycling, highest", "beats/min", 190, 80, 250),
        Field("beyond", "Or beyond what is usual for you in the activity, by", "beats/min", 20, 5, 200),
        Field("own_days", "Days with the activity that this needs", "days", 3, 2, 60),
        Field("held_s", "For at least", "s", 120, 5, 3600),
        Field("countdown_s", "Count down", "s", 60, 5, 1800),
        _REMIND,
    ),
    SILENT: (
        Field("minutes", "Silent for", "min", 5, 1, 1440),
        Field("battery", "Battery below", "%", 10, 1, 50),
    ),
    QUIET: (
        Field("from", "Quiet from", "", "22:00"),
        Field("to", "Quiet until", "", "07:00"),
        Field("zone", "Time zone", "", ""),
    ),
}  # fmt: skip
_PAIRS = (("rest_low", "rest_high"), ("foot_low", "foot_high"), ("sport_low", "sport_high"))


@dataclass(frozen=True)
class Rule:
    """How one kind behaves for one person."""

    kind: str
    switched_on: bool
    values: Mapping[str, float | str] = field(default_factory=dict)  # every field of the kind

    def number(self, name: str) -> float:
        return float(self.values[name])

    def text(self, name: str) -> str:
        return str(self.values[name])

    def wait_s(self, wait: Wait, reminders: int = 0) -> float:
        """Return how long an alarm waits in a state; each reminder waits twice as long as the one before it."""
        if wait is Wait.SETTLE:
            return self.number("settle_s")
        if wait is Wait.COUNTDOWN:
            observed = self.number("observation_s") if self.kind == FALL else 0.0
            return observed + self.number("countdown_s")
        doubled = self.number("remind_min") * 60 * 2.0 ** min(reminders, 20)
        return max(self.number("remind_min") * 60, min(doubled, REMINDERS_GROW_TO_S))


def _kept() -> dict[tuple[int, str], tuple[float, Rule]]:
    kept: dict[tuple[int, str], tuple[float, Rule]] = current_app.extensions.setdefault("alarm_rules", {})
    return kept


def default(kind: str) -> Rule:
    """Return a rule as it is without anybody's word; there are no quiet hours."""
    return Rule(kind, kind != QUIET, {each.name: each.default for each in FIELDS[kind]})


def of(user_id: int, kind: str) -> Rule:
    """Return a person's rule for a kind."""
    key, moment = (user_id, kind), time.monotonic()
    if (kept := _kept().get(key)) is not None and moment - kept[0] < KEPT_S:
        return kept[1]
    rule = _read(user_id, kind)
    _kept()[key] = moment, rule
    return rule


def all_of(user_id: int) -> dict[str, Rule]:
    """Return all rules of a person, quiet hours last."""
    return {kind: of(user_id, kind) for kind in FIELDS}


def forget() -> None:
    """Read the rules anew from now on."""
    _kept().clear()


def _read(user_id: int, kind: str) -> Rule:
    usual = default(kind)
    row = db.session.execute(
        select(AlarmRule.switched_on, AlarmRule.settings).filter_by(user_id=user_id, kind=kind)
    ).first()
    if row is None:
        return usual
    values = {name: row.settings.get(name, value) for name, value in usual.values.items()}
    return Rule(kind, row.switched_on, values)


def change(user_id: int, kind: str, switched_on: bool, settings: Mapping[str, Any]) -> Rule:
    """Change a person's rule for a kind; what is not given stays.

    Raises
    ------
    Invalid : a value is none; it names the field, what was expected and what was found.
    """
    if kind not in FIELDS:
        raise Invalid(f"kind must be one of {', '.join(FIELDS)}; found {str(kind)[:40]!r}.", "kind")
    known = {each.name: each for each in FIELDS[kind]}
    if unknown := [name for name in settings if name not in known]:
        raise Invalid(f"{kind} has no setting {str(unknown[0])[:40]!r}; expected {', '.join(known)}.", str(unknown[0]))
    values = {**of(user_id, kind).values, **{name: _checked(known[name], value) for name, value in settings.items()}}
    for low, high in _PAIRS:
        if low in values and float(values[low]) >= float(values[high]):
            raise Invalid(f"{low} must be below {high} ({values[high]}); found {values[low]}.", low)
    if values.get("sleep_from", "-") == values.get("sleep_to", ""):
        raise Invalid(f"sleep_to must be another time than sleep_from; found {values['sleep_to']!r} twice.", "sleep_to")
    with transaction() as session:
        row = session.scalar(select(AlarmRule).filter_by(user_id=user_id, kind=kind))
        if row is None:
            session.add(row := AlarmRule(user_id=user_id, kind=kind))
        row.switched_on, row.settings = switched_on, values
    forget()
    audit.record(Action.ALARM_RULE_CHANGED, f"rule {kind}", switched_on=switched_on)
    return of(user_id, kind)


def _checked(known: Field, value: object) -> float | str:
    found = f"found {str(value)[:40]!r}."
    if known.is_number:
        try:
            number = float(str(value))
        except ValueError:
            number = math.nan
        if not known.low <= number <= known.high:
            raise Invalid(
                f"{known.name} must be a number from {known.low:g} to {known.high:g} {known.unit}; {found}", known.name
            )
        return number
    text = str(value).strip()
    if known.name != "zone":
        if not CLOCK.fullmatch(text):
            raise Invalid(f"{known.name} must be a time of day such as {known.default}; {found}", known.name)
    elif text:
        try:
            time_zone(text)
        except ServiceError as error:
            raise Invalid(f"zone must be a time zone such as Europe/Berlin; {found}", "zone") from error
    return text


def zone_of(user_id: int) -> tzinfo | None:
    """Return the time zone of a person: as they chose, else None, which is that of the installation."""
    name = of(user_id, QUIET).text("zone")
    return time_zone(name) if name else None


def local(user_id: int, at_s: float) -> datetime:
    """Return a moment by the person's clock on the wall."""
    return datetime.fromtimestamp(at_s, timezone.utc).astimezone(zone_of(user_id))


def between(moment: datetime, start: str, end: str) -> bool:
    """Tell whether a moment's time of day is within a span, which may go over midnight."""
    clock = f"{moment:%H:%M}"
    return start <= clock < end if start <= end else clock >= start or clock < end


def held_until(user_id: int, kind: str, at_s: float) -> float | None:
    """Return until when a message of a kind is held back from somebody, None where it is not."""
    quiet = of(user_id, QUIET)
    if kind not in CAN_WAIT or not quiet.switched_on:
        return None
    moment = local(user_id, at_s)
    if not between(moment, quiet.text("from"), quiet.text("to")):
        return None
    hour, minute = map(int, quiet.text("to").split(":"))
    end = moment.replace(hour=hour, minute=minute, second=0, microsecond=0, tzinfo=None)
    end += timedelta(days=1) if end <= moment.replace(tzinfo=None) else timedelta()
    zone = zone_of(user_id)
    return end.replace(tzinfo=zone).timestamp()  # a naive one is the installation's


def still_limit_s(rule: Rule, moment: datetime) -> float | None:
    """Return for how long a person may be still at a time of day, None in their sleeping hours."""
    if between(moment, rule.text("sleep_from"), rule.text("sleep_to")):
        return None
    part = "morning_min" if moment.hour < 12 else "afternoon_min" if moment.hour < 18 else "evening_min"
    return 60 * rule.number(part)
