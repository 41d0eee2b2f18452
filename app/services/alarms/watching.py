"""From what is recognised of a person to what is noticed: falls, steps, stillness, heart rate, devices.

The engine's thread alone calls it. What it remembers is small: stillness is written down each minute, so that a restart
does not begin to count anew; a fall that steps may cancel is found in the database. What cannot be kept at the moment,
because the disk is full or the database busy, waits and is tried again each second.
"""

from __future__ import annotations

import json
import logging
import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from flask import current_app
from sqlalchemy import select

from app.extensions import db
from app.har.vocabulary import ANYTHING, CYCLING, NO_ANSWER, NOT_WORN, ON_FOOT, OTHER, RUNNING, STILL, node_of, path_of
from app.services.alarms import alarms, clock, false_alarms, life, rules, unusual, usual_heart
from app.services.errors import Busy, NoRoom
from app.services.files import written_whole
from app.tables import LiveSession, User

log = logging.getLogger(__name__)

WAIT_S = 1.0  # for the database: the engine goes on, and tries again
TRIES = 5  # of what fails for another reason than that
MOVED_S = 10.0  # of movement end a stillness; a single window may be wrong
STEPS_S = 8.0  # of walking without a break, a dozen steps, end a fall that is not raised
STEPS_FOR_S = 900.0  # after a fall
LEAD_S = 15.0  # of several devices, one counts stillness; another takes over when it has been silent for so long
BACK_S = 900.0  # a device's clock was put back by more; by less, windows are seen again after a restart
HEART_GAP_S = 120.0  # between two heart rates, after which what was before says nothing
HEART_RANGE = (20.0, 260.0)  # beyond, a sensor is wrong
CHARGED = 5  # percent above the limit at which a battery is no longer low
SAVED_S = 60.0
RESTART_S = 900.0  # after a longer break nobody knows whether a person was still
FILE = "watching.json"
MOVING = (ON_FOOT, RUNNING, CYCLING, OTHER)
STEPPING = (ON_FOOT, RUNNING)


@dataclass(frozen=True)
class Seen:
    """What a person did in a window, as the page shows it."""

    start_s: float  # Unix seconds, the device's clock
    end_s: float
    answer: str  # a node of the vocabulary
    activity: str  # the likeliest leaf
    confidence: float
    unworn: bool = False
    unfamiliar: bool = False

    @property
    def path(self) -> tuple[str, ...]:
        """The nodes that are true of it; none where it says nothing of the person."""
        if self.unworn or self.unfamiliar or self.answer in NO_ANSWER or node_of(self.answer) == NOT_WORN:
            return ()
        return path_of(node_of(self.answer))


class Fall(Protocol):
    """What `app.har.falls` finds in a stream."""

    @property
    def time_s(self) -> float: ...
    @property
    def peak_g(self) -> float: ...
    @property
    def score(self) -> float: ...
    @property
    def method(self) -> str: ...


@dataclass
class _Person:
    """What is remembered of one person."""

    still_s: float = 0.0
    still_told: bool = False
    moving_s: float = 0.0
    lead: int | None = None  # the session that counts stillness
    lead_heard: float = 0.0
    seen: dict[int, float] = field(default_factory=dict)  # the end of the last window of each session
    fall_s: float | None = None  # of the impact, as long as steps may cancel it
    fall_noticed: float = 0.0
    steps_s: float = 0.0
    heart_out_since: float | None = None
    heart_heard: float = 0.0
    heart_told: bool = False
    moved_at: float = -math.inf  # when the person was last seen to move for a while
    faults: dict[int, set[str]] = field(default_factory=dict)  # of each device: "silent", "battery"
    known: bool = False  # what was live before a restart


@dataclass
class _State:
    people: dict[int, _Person]
    since: float  # when this server began, or the clock was set: what was silent before says nothing
    saved: float
    waiting: deque[tuple[Callable[[], object], int]] = field(default_factory=deque)
    bases: dict[str, float] = field(default_factory=dict)  # of each method of finding falls: its own limit
    devices: dict[int, int] = field(default_factory=dict)  # of each session
    clock: tuple[float, float] | None = None  # on the wall, and one that nobody sets


def _state(now: float) -> _State:
    state: _State | None = current_app.extensions.get("alarm_watching")
    if state is None:
        state = current_app.extensions["alarm_watching"] = _State(_read(now), since=now, saved=now)
    return state


def _person(user_id: int, now: float) -> _Person:
    people = _state(now).people
    if (person := people.get(user_id)) is None or not person.known:
        person = people.setdefault(user_id, _Person())
        person.known = True
        for alarm in alarms.live_of(user_id):  # of before a restart
            if alarm.kind == life.FALL and alarm.state in life.COUNTING:
                facts = alarm.facts.get("latest", alarm.facts)
                person.fall_s, person.fall_noticed = facts.get("time_s"), facts["noticed_s"]
            if alarm.kind == life.SILENT and alarm.session_id is not None:
                person.faults[_device(alarm.session_id, now)] = {str(alarm.facts.get("reason", "silent"))}
            if alarm.kind == life.HEART_RATE:
                person.heart_told = True
    return person


def _do(what: Callable[[], object], now: float) -> None:
    """Do what changes an alarm, now or as soon as it can be done, in order."""
    _state(now).waiting.append((what, 0))
    _catch_up(now)


def _catch_up(now: float) -> None:
    waiting = _state(now).waiting
    while waiting:
        what, tries = waiting[0]
        try:
            what()
        except (Busy, NoRoom) as error:
            log.warning("an alarm waits to be kept: %s", error)
            return
        except Exception:
            log.exception("an alarm could not be kept")
            if tries + 1 < TRIES:
                waiting[0] = what, tries + 1
                return
        waiting.popleft()


def on_fall(
    user_id: int, session_id: int | None, candidate: Fall, now: float | None = None, ago_s: float | None = None
) -> bool:
    """Notice a fall, unless it scores below the person's own threshold; return whether it was noticed.

    Parameters
    ----------
    ago_s : how much the device has sent since the impact (s): its clock may stand otherwise than the server's.
    """
    at = time.time() if now is None else now
    base = _state(at).bases.get(candidate.method)
    if base is not None and candidate.score < false_alarms.of(user_id, candidate.method, base).threshold:
        return False  # something was answered since its session began
    person = _person(user_id, at)
    person.fall_s, person.fall_noticed, person.steps_s = candidate.time_s, at, 0.0
    facts: dict[str, Any] = {
        "time_s": float(candidate.time_s),
        "peak_g": round(float(candidate.peak_g), 2),
        "score": round(float(candidate.score), 4),
        "method": candidate.method,
    }
    if ago_s is not None:
        facts["ago_s"] = round(max(float(ago_s), 0.0), 2)
    _do(lambda: alarms.notice(user_id, life.FALL, facts, session_id, at, WAIT_S), at)
    return True


def fall_threshold(user_id: int, method: str, base: float) -> float:
    """Return the score from which an impact of this person counts as a fall; ``base`` is the method's limit."""
    _state(time.time()).bases[method] = base
    return false_alarms.of(user_id, method, base).threshold


def on_windows(user_id: int, session_id: int, windows: Sequence[Seen], now: float | None = None) -> None:
    """Take in what a person did: steps end a fall that is not raised, movement ends a stillness, stillness adds up."""
    at = time.time() if now is None else now
    person = _person(user_id, at)
    for window in windows:
        passed_s = _passed(person, session_id, window)
        if passed_s <= 0:
            continue
        path = window.path
        _count_steps(user_id, person, window, path, passed_s, at)
        moves = any(node in path for node in MOVING)
        # No more than ends a stillness, or an hour's walk would have to be sat out before one begins
        person.moving_s = min(max(person.moving_s + (passed_s if moves else -passed_s), 0.0), MOVED_S)
        if person.moving_s >= MOVED_S:
            person.moved_at = at
            _moved(user_id, person, at)
        elif STILL in path and _leads(person, session_id, at):
            _count_stillness(user_id, session_id, person, passed_s, at)


def _passed(person: _Person, session_id: int, window: Seen) -> float:
    """Return for how many seconds a window is new; one that is seen again, or revised, for none."""
    last = person.seen.get(session_id)
    if last is None or window.end_s < last - BACK_S:
        last = window.start_s
    person.seen[session_id] = max(last, window.end_s)
    return min(window.end_s - last, window.end_s - window.start_s)


def _leads(person: _Person, session_id: int, at: float) -> bool:
    if person.lead != session_id and at - person.lead_heard < LEAD_S and person.lead is not None:
        return False
    person.lead, person.lead_heard = session_id, at
    return True


def _count_steps(
    user_id: int, person: _Person, window: Seen, path: tuple[str, ...], passed_s: float, at: float
) -> None:
    if person.fall_s is None:
        return
    if at - person.fall_noticed > STEPS_FOR_S:
        person.fall_s = None
        return
    regular = any(node in path for node in STEPPING) and window.start_s > person.fall_s
    person.steps_s = person.steps_s + passed_s if regular else 0.0
    if person.steps_s >= STEPS_S:
        person.fall_s = None
        _do(lambda: alarms.steps(user_id, at, WAIT_S), at)


def _moved(user_id: int, person: _Person, at: float) -> None:
    person.still_s = 0.0
    if person.still_told:
        person.still_told = False
        _do(lambda: alarms.gone(user_id, life.INACTIVITY, "the person moves", at, WAIT_S), at)


def _count_stillness(user_id: int, session_id: int, person: _Person, passed_s: float, at: float) -> None:
    limit_s = rules.still_limit_s(rules.of(user_id, life.INACTIVITY), rules.local(user_id, at))
    if limit_s is None:
        return  # asleep, as usual at this time
    person.still_s += passed_s
    if person.still_s >= limit_s and not person.still_told:
        person.still_told = True
        facts = {"time_s": at, "still_s": round(person.still_s), "limit_s": limit_s}
        _do(lambda: alarms.notice(user_id, life.INACTIVITY, facts, session_id, at, WAIT_S), at)


def on_heart_rate(
    user_id: int, session_id: int, bpm: float, activity: str, now: float | None = None, answer: str = ANYTHING
) -> None:
    """Take in a heart rate with what the person does; out of its bounds for long enough, it is noticed.

    The bounds are the rule's, and the person's own where their recordings tell what is usual for them in it.

    Parameters
    ----------
    activity : the likeliest one, which the rule's bounds go by.
    answer : what is sure, which the person's own go by.
    """
    at = time.time() if now is None else now
    if not HEART_RANGE[0] <= bpm <= HEART_RANGE[1]:
        return
    person, rule = _person(user_id, at), rules.of(user_id, life.HEART_RATE)
    path = () if activity in NO_ANSWER else path_of(node_of(activity))
    part = "sport" if RUNNING in path or CYCLING in path else "rest" if STILL in path else "foot"
    low, high = rule.number(f"{part}_low"), rule.number(f"{part}_high")
    own = usual_heart.bounds_of(user_id, answer, rule, at - person.moved_at, at)
    if abs(at - person.heart_heard) > HEART_GAP_S:
        person.heart_out_since = None
    person.heart_heard = at
    by_rule = low <= bpm <= high
    if by_rule and (own is None or own.low <= bpm <= own.high):
        person.heart_out_since = None
        if person.heart_told:
            person.heart_told = False
            _do(lambda: alarms.gone(user_id, life.HEART_RATE, "back within its bounds", at, WAIT_S), at)
        return
    person.heart_out_since = at if person.heart_out_since is None else min(person.heart_out_since, at)
    if at - person.heart_out_since >= rule.number("held_s") and not person.heart_told:
        person.heart_told = True
        facts: dict[str, Any] = {"time_s": at, "bpm": round(bpm), "low": low, "high": high, "activity": activity}
        if by_rule and own is not None:
            facts |= {"activity": own.node, "usual": [own.usual.low, own.usual.high], "days": own.usual.days}
        _do(lambda: alarms.notice(user_id, life.HEART_RATE, facts, session_id, at, WAIT_S), at)


def on_device(
    user_id: int, session_id: int, last_heard: float, battery: float | None, now: float | None = None
) -> None:
    """Take in how a device of a session that is open is: silent for long, or its battery low, is a fault.

    Parameters
    ----------
    last_heard : when its last batch came, by the server's clock.
    battery : 0 to 1, None where it does not say.
    """
    at = time.time() if now is None else now
    person, rule = _person(user_id, at), rules.of(user_id, life.SILENT)
    device = _device(session_id, at)
    before = person.faults.get(device, set())
    silent_s = at - max(last_heard, _state(at).since)
    found = {"silent"} if silent_s >= 60 * rule.number("minutes") else set()
    limit = rule.number("battery") + (CHARGED if "battery" in before else 0)
    if battery is not None and 100 * battery < limit:
        found.add("battery")
    if not found and "silent" in before and at - last_heard >= 60 * rule.number("minutes"):
        return  # before a restart it was silent, and has not been heard since
    person.faults[device] = found
    for reason in sorted(found - before):
        facts: dict[str, Any] = {"time_s": at, "reason": reason, "last_heard_s": last_heard}
        if battery is not None:
            facts["battery"] = round(battery, 2)
        _do(lambda facts=facts: alarms.notice(user_id, life.SILENT, facts, session_id, at, WAIT_S), at)  # type: ignore[misc]
    if before and not found:
        _end_fault(user_id, person, "the device is heard again", at)


def on_ended(user_id: int, session_id: int, now: float | None = None) -> None:
    """Forget a session that has ended: its device need not be heard any more, unless it ended because it was silent."""
    at = time.time() if now is None else now
    person, device = _person(user_id, at), _device(session_id, at)
    person.seen.pop(session_id, None)
    _state(at).devices.pop(session_id, None)
    faults = person.faults.get(device, set())
    if "silent" not in faults:
        person.faults.pop(device, None)
        if faults:
            _end_fault(user_id, person, "the session has ended", at)


def _end_fault(user_id: int, person: _Person, why: str, at: float) -> None:
    if not any(person.faults.values()):
        _do(lambda: alarms.gone(user_id, life.SILENT, why, at, WAIT_S), at)


def _device(session_id: int, now: float) -> int:
    """Return the device of a session; a fault is its device's, which may go on in another session."""
    devices = _state(now).devices
    if session_id not in devices:
        found = db.session.scalar(select(LiveSession.device_id).where(LiveSession.id == session_id))
        devices[session_id] = -session_id if found is None else found
    return devices[session_id]


def tick(now: float | None = None, steady: float | None = None) -> None:
    """Move alarms on that are due; the engine calls it each second, the server once at its start.

    Parameters
    ----------
    steady : see `alarms.tick`.
    """
    at = time.time() if now is None else now
    _catch_up(at)
    state = _state(at)
    if steady is not None:
        if state.clock is not None and abs((at - state.clock[0]) - (steady - state.clock[1])) > clock.JUMP_S:
            state.since = at
        state.clock = at, steady
    try:
        alarms.tick(at, steady, WAIT_S)
        if abs(at - state.saved) >= SAVED_S:
            state.saved = at
            _save(state, at)
            for user_id, facts in unusual.found(at):
                _do(lambda u=user_id, f=facts: alarms.notice(u, life.UNUSUAL, f, None, at, WAIT_S), at)  # type: ignore[misc]
    except (Busy, NoRoom, OSError) as error:
        log.warning("alarms wait to be moved on: %s", error)


def forget(user_id: int) -> None:
    """Forget what is remembered of a person who is erased, in memory and in the file."""
    usual_heart.forget(user_id)
    state: _State | None = current_app.extensions.get("alarm_watching")
    if state is not None:
        state.people.pop(user_id, None)
        state.saved = 0.0  # who writes the file at this moment writes it once more
    kept = _kept()
    if kept.get("people", {}).pop(str(user_id), None) is not None:
        with written_whole(_file()) as draft:
            draft.write_text(json.dumps(kept), encoding="utf-8")


def knows(user_id: int) -> bool:
    """Tell whether the file has something of a person."""
    return str(user_id) in _kept().get("people", {})


def _kept() -> dict[str, Any]:
    with suppress(OSError, ValueError):
        kept = json.loads(_file().read_text(encoding="utf-8"))
        if isinstance(kept, dict) and isinstance(kept.get("people", {}), dict):
            return kept
    return {}


def _file() -> Path:
    return Path(current_app.config["INSTANCE"]) / FILE


def _save(state: _State, now: float) -> None:
    there = set(db.session.scalars(select(User.id).where(User.id.in_(state.people))))
    for deleted in state.people.keys() - there:
        del state.people[deleted]
    people = {
        str(number): {
            "still_s": person.still_s,
            "told": person.still_told,
            "seen": person.seen,
            "moved_at": person.moved_at if math.isfinite(person.moved_at) else None,
        }
        for number, person in state.people.items()
        if person.still_s or person.still_told or now - person.moved_at < usual_heart.RECOVERY_S
    }
    if people or _file().exists():
        with written_whole(_file()) as draft:
            draft.write_text(json.dumps({"saved_s": now, "people": people}), encoding="utf-8")


def _read(now: float) -> dict[int, _Person]:
    """Return what a server before this one remembered, if it ended a short while ago."""
    with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        kept = json.loads(_file().read_text(encoding="utf-8"))
        if abs(now - kept["saved_s"]) <= RESTART_S:
            return {
                int(number): _Person(
                    still_s=float(each["still_s"]),
                    still_told=bool(each["told"]),
                    seen={int(session): float(end) for session, end in each["seen"].items()},
                    moved_at=-math.inf if each.get("moved_at") is None else float(each["moved_at"]),
                )
                for number, each in kept["people"].items()
            }
    return {}
