"""Alarms as they are kept: each step is one conditional UPDATE, with who, when and why, and the messages it causes.

State and due time are in the database, so a server that is killed goes on where it was: at its start it moves on what
is due. Two clicks or two processes change an alarm once. Moments are Unix seconds of the server's clock.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import InstrumentedAttribute

from app.extensions import db
from app.services import audit, paging
from app.services.alarms import clock, life, outbox, people, rules
from app.services.alarms.changes import Change, listen, publish
from app.services.alarms.life import Event, Party, Wait
from app.services.alarms.outbox import moment
from app.services.audit import Action
from app.services.errors import Conflict, Invalid, NotFound
from app.services.paging import Newest
from app.services.transaction import PAGE_WAIT_S, rows_changed, transaction
from app.tables import Alarm, AlarmStep, User

WHY_LENGTH = 200

__all__ = [
    "Change", "acknowledge", "as_change", "cancel", "close", "get", "gone", "history", "listen", "live_for", "live_of",
    "loud_s", "newest_for", "notice", "steps", "tick", "told",
]  # fmt: skip


@contextmanager
def _told(wait_s: float = PAGE_WAIT_S) -> Iterator[list[Change]]:
    """Make steps in a transaction; who listens is told when they are kept."""
    changes: list[Change] = []
    with transaction(wait_s):
        yield changes
    for change in changes:
        publish(change)


def notice(
    user_id: int,
    kind: str,
    facts: Mapping[str, Any],
    session_id: int | None = None,
    now: float | None = None,
    wait_s: float = PAGE_WAIT_S,
) -> Alarm | None:
    """Keep that something was noticed; return its alarm, None where the person has switched this kind off.

    If there is one of the kind that is not closed, that is updated: there are never two.

    Parameters
    ----------
    facts : when, how strong, by which method; never a signal. ``time_s`` is when it happened (Unix seconds of the
        device's clock), ``ago_s`` how long ago that is by the same clock, ``score`` how strong it was.
    """
    at = time.time() if now is None else now
    if not rules.of(user_id, kind).switched_on:
        return None
    for last in (False, True):
        try:
            with _told(wait_s) as changes:
                alarm = _live(user_id, kind)
                changes.append(
                    _begin(user_id, kind, facts, session_id, at) if alarm is None else _renew(alarm, facts, at)
                )
                number = changes[-1].alarm_id
        except IntegrityError:  # another process noticed it at the same moment
            if last:
                raise
        else:
            break
    _pass_time(number, at, wait_s)  # one that need not settle moves on at once
    return db.session.get(Alarm, number)


def _begin(user_id: int, kind: str, facts: Mapping[str, Any], session_id: int | None, at: float) -> Change:
    row = life.transition(kind, life.NOTHING, Event.NOTICED, Party.KINELAB)
    if row is None:
        raise Invalid(f"kind must be one of {', '.join(life.KINDS)}; found {kind[:40]!r}.", "kind")
    alarm = Alarm(
        user_id=user_id,
        kind=kind,
        state=row.after,
        session_id=session_id,
        created=moment(at),
        due=_due(user_id, kind, row.wait, at, facts),
        facts={**facts, "noticed_s": at},
    )
    db.session.add(alarm)
    db.session.flush()
    return _keep(alarm, life.NOTHING, row.told, at, None, "noticed")


def _renew(alarm: Alarm, facts: Mapping[str, Any], at: float) -> Change:
    """Update an alarm that is noticed once more; one that was acknowledged begins to count down again."""
    merged = {**alarm.facts, "latest": {**facts, "noticed_s": at}, "reminders": 0}
    scores = [float(each["score"]) for each in (alarm.facts, facts) if "score" in each]
    if scores:
        merged["score"] = max(scores)
    alarm.times += 1
    alarm.facts = merged
    db.session.flush()
    change = _move(alarm, Event.NOTICED, Party.KINELAB, at, why="noticed again")
    if change is None and alarm.state in (life.RAISED, life.NOTIFIED) and alarm.due is not None:
        alarm.due = min(alarm.due, moment(at + rules.of(alarm.user_id, alarm.kind).wait_s(Wait.REMIND)))
        db.session.flush()
    return change or _change(alarm, alarm.state, "noticed again", at)


def _due(
    user_id: int, kind: str, wait: Wait, at: float, facts: Mapping[str, Any], reminders: int = 0
) -> datetime | None:
    if wait is Wait.NONE:
        return None
    wait_s = rules.of(user_id, kind).wait_s(wait, reminders)
    if wait is Wait.SETTLE and "time_s" in facts:  # from the impact on; the device's clock may be wrong
        ago_s = float(facts.get("ago_s", at - float(facts["time_s"])))
        wait_s = min(max(wait_s - ago_s, 0.0), wait_s)
    return moment(at + wait_s)


def _move(
    alarm: Alarm,
    event: Event,
    by: Party,
    at: float,
    who_id: int | None = None,
    why: str = "",
    verdict: str = "",
) -> Change | None:
    """Within a transaction: make the step that the table has for an event; None where there is none, or it is made."""
    row = life.transition(alarm.kind, alarm.state, event, by)
    if row is None:
        return None
    reminded = event is Event.DUE and row.before in (life.RAISED, life.NOTIFIED)
    reminders = int(alarm.facts.get("reminders", 0)) + 1 if reminded else 0
    held = [Alarm.id == alarm.id, Alarm.state == row.before]
    if event is Event.DUE:
        held.append(Alarm.due <= moment(at))
    change = update(Alarm).where(*held).execution_options(synchronize_session=False)
    values = {
        "state": row.after,
        "due": _due(alarm.user_id, alarm.kind, row.wait, at, alarm.facts, reminders),
        "facts": {**alarm.facts, "reminders": reminders},
        "verdict": verdict if row.after == life.CLOSED else "",
    }
    if not rows_changed(change.values(**values)):
        return None
    db.session.refresh(alarm)
    return _keep(alarm, row.before, row.told, at, who_id, why or ("not acknowledged" if reminded else event.value))


def _keep(alarm: Alarm, before: str, told: life.Told, at: float, who_id: int | None, why: str) -> Change:
    step = AlarmStep(
        alarm_id=alarm.id, before=before, after=alarm.state, who_id=who_id, why=why[:WHY_LENGTH], at=moment(at)
    )
    db.session.add(step)
    db.session.flush()
    outbox.put(alarm, step, told, at)
    who = db.session.get(User, who_id) if who_id is not None else None
    return _change(alarm, before, why, at, who.username if who else "")


def _change(alarm: Alarm, before: str, why: str, at: float, who: str = "") -> Change:
    return Change(
        alarm.id, alarm.user_id, alarm.kind, before, alarm.state,
        None if alarm.due is None else alarm.due.timestamp(), loud_s(alarm), alarm.times, alarm.session_id,
        dict(alarm.facts), alarm.verdict, why, who, at, _audience(alarm),
    )  # fmt: skip


def _audience(alarm: Alarm) -> tuple[int, ...]:
    seen = db.session.scalar(select(_was_raised(alarm.id)))
    return (alarm.user_id, *(people.caregivers_of(alarm.user_id) if seen else ()))


def _was_raised(alarm_id: int | InstrumentedAttribute[int]) -> ColumnElement[bool]:
    """Tell of an alarm whether it was raised: what the person cancels before is nobody else's business."""
    return select(AlarmStep.id).where(AlarmStep.alarm_id == alarm_id, AlarmStep.after == life.RAISED).exists()


def loud_s(alarm: Alarm) -> float | None:
    """Return when the countdown that is to be heard begins, None where nothing counts down."""
    if alarm.due is None or alarm.state not in (life.PRE_ALARM, life.AGAIN):
        return None
    return alarm.due.timestamp() - rules.of(alarm.user_id, alarm.kind).number("countdown_s")


def as_change(alarm: Alarm) -> Change:
    """Return how an alarm stands, in the form of its latest step."""
    step = alarm.steps[-1]
    return _change(alarm, step.before, step.why, step.at.timestamp(), step.who.username if step.who else "")


def _locked(alarm_id: int) -> Alarm | None:
    """Within a transaction: return an alarm as it is now, whatever this session has read of it before."""
    query = select(Alarm).where(Alarm.id == alarm_id).with_for_update(of=Alarm)
    return db.session.scalar(query.execution_options(populate_existing=True))


def _live(user_id: int, kind: str) -> Alarm | None:
    query = select(Alarm).where(Alarm.user_id == user_id, Alarm.kind == kind, Alarm.state != life.CLOSED)
    return db.session.scalar(query.with_for_update(of=Alarm).execution_options(populate_existing=True))


def cancel(user_id: int, alarm_id: int, verdict: str = "", why: str = "", now: float | None = None) -> Alarm:
    """Let the person say that they are well. A verdict says besides whether it had happened.

    Raises
    ------
    NotFound : it is not their alarm.
    Conflict : it is closed already.
    """
    _check(verdict, (life.TRUE, life.FALSE, life.UNSAID))
    return _by_person(user_id, alarm_id, Event.CANCELLED, Action.ALARM_CANCELLED, why or "I am fine", now, verdict)


def acknowledge(who_id: int, alarm_id: int, now: float | None = None) -> Alarm:
    """Let somebody say that they see to it.

    Raises
    ------
    NotFound : they may not see it.
    Conflict : it is not raised, or somebody did so already.
    """
    return _by_person(who_id, alarm_id, Event.ACKNOWLEDGED, Action.ALARM_ACKNOWLEDGED, "acknowledged", now)


def close(who_id: int, alarm_id: int, verdict: str, why: str = "", now: float | None = None) -> Alarm:
    """Close an alarm that was raised, as true or as false."""
    _check(verdict, (life.TRUE, life.FALSE))
    meaning = "it was true" if verdict == life.TRUE else "a false alarm"
    return _by_person(who_id, alarm_id, Event.CLOSED, Action.ALARM_CLOSED, why or meaning, now, verdict)


def _check(verdict: str, known: tuple[str, ...]) -> None:
    if verdict not in known:
        expected = ", ".join(map(repr, known))
        raise Invalid(f"verdict must be one of {expected}; found {verdict[:20]!r}.", "verdict")


def _by_person(
    who_id: int, alarm_id: int, event: Event, action: Action, why: str, now: float | None, verdict: str = ""
) -> Alarm:
    at = time.time() if now is None else now
    with _told() as changes:
        alarm = _locked(alarm_id)
        party = people.party_of(who_id, alarm.user_id) if alarm is not None else None
        if alarm is None or party is None or who_id not in _audience(alarm):
            raise NotFound("There is no such alarm.")
        change = _move(alarm, event, party, at, who_id, why, verdict)
        if change is None:
            raise Conflict(f"This alarm is {alarm.state}: it cannot be {event.value} now.")
        changes.append(change)
    audit.record(action, f"alarm {alarm_id}", kind=alarm.kind, verdict=verdict)
    return alarm


def steps(user_id: int, now: float | None = None, wait_s: float = PAGE_WAIT_S) -> bool:
    """Keep that a person walks regularly, which ends a fall that is not raised yet; return whether it did."""
    return _by_kinelab(user_id, life.FALL, Event.STEPS, "regular steps", now, wait_s)


def gone(user_id: int, kind: str, why: str, now: float | None = None, wait_s: float = PAGE_WAIT_S) -> bool:
    """Keep that what was noticed has passed; return whether that moved an alarm."""
    return _by_kinelab(user_id, kind, Event.GONE, why, now, wait_s)


def _by_kinelab(user_id: int, kind: str, event: Event, why: str, now: float | None, wait_s: float) -> bool:
    at = time.time() if now is None else now
    with _told(wait_s) as changes:
        alarm = _live(user_id, kind)
        change = _move(alarm, event, Party.KINELAB, at, why=why) if alarm is not None else None
        if change is not None:
            changes.append(change)
    return bool(changes)


def told(step_id: int, now: float) -> None:
    """Keep that a message of a step has been sent: its alarm is notified."""
    with _told() as changes:
        step = db.session.get(AlarmStep, step_id)
        if step is None or step.after not in (life.RAISED, life.NOTIFIED):
            return
        alarm = _locked(step.alarm_id)
        change = _move(alarm, Event.TOLD, Party.KINELAB, now, why="a message was sent") if alarm is not None else None
        if change is not None:
            changes.append(change)


def tick(now: float | None = None, steady: float | None = None, wait_s: float = PAGE_WAIT_S) -> int:
    """Move on every alarm that is due; return how many. At a server's start it goes on with what one before it left.

    Parameters
    ----------
    steady : seconds of a clock that nobody sets (`time.monotonic`). With it, a countdown takes as long as it says when
        the clock on the wall is set; without it, only one that was put back is noticed.
    """
    at = time.time() if now is None else now
    if steady is not None:
        clock.follow(at, steady, wait_s)
    clock.shorten(at, wait_s)
    due = select(Alarm.id).where(Alarm.state != life.CLOSED, Alarm.due <= moment(at)).order_by(Alarm.due)
    return sum(_pass_time(number, at, wait_s) for number in db.session.scalars(due).all())


def _pass_time(alarm_id: int, at: float, wait_s: float) -> bool:
    with _told(wait_s) as changes:
        alarm = _locked(alarm_id)
        if alarm is not None and alarm.due is not None and alarm.due <= moment(at):
            change = _move(alarm, Event.DUE, Party.KINELAB, at)
            if change is not None:
                changes.append(change)
    return bool(changes)


def get(viewer_id: int, alarm_id: int) -> Alarm:
    """Return an alarm that somebody may see; caregivers see it once it was raised.

    Raises
    ------
    NotFound : there is none, or it is not theirs to see.
    """
    alarm = db.session.get(Alarm, alarm_id)
    if alarm is None or viewer_id not in _audience(alarm):
        raise NotFound("There is no such alarm.")
    return alarm


def live_of(user_id: int) -> list[Alarm]:
    """Return the alarms of a person that are not closed, the newest first."""
    return _list(Alarm.user_id == user_id, Alarm.state != life.CLOSED)


def live_for(viewer_id: int) -> list[Alarm]:
    """Return the alarms that somebody may see and that are not closed: their own, and of people who agreed."""
    return _list(_seen_by(viewer_id), Alarm.state != life.CLOSED)


def newest_for(viewer_id: int, before: int | None, limit: int) -> Newest[Alarm]:
    """Return the alarms that somebody may see, closed ones too, the newest first, or those before one."""
    return paging.newest(select(Alarm).where(_seen_by(viewer_id)), Alarm.id, before, limit)


def _seen_by(viewer_id: int) -> ColumnElement[bool]:
    theirs = and_(Alarm.user_id.in_(people.people_of(viewer_id)), _was_raised(Alarm.id))
    return or_(Alarm.user_id == viewer_id, theirs)


def history(viewer_id: int, user_id: int, limit: int = 100) -> list[Alarm]:
    """Return the alarms of a person for somebody who may see them, the newest first."""
    party = people.party_of(viewer_id, user_id)
    if party is None:
        raise NotFound("There is no such person.")
    seen = () if party is Party.PERSON else (_was_raised(Alarm.id),)
    return _list(Alarm.user_id == user_id, *seen, limit=limit)


def _list(*conditions: ColumnElement[bool], limit: int | None = None) -> list[Alarm]:
    return list(db.session.scalars(select(Alarm).where(*conditions).order_by(Alarm.id.desc()).limit(limit)))
