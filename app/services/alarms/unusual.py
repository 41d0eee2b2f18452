"""Days that are far from a person's own: how much of the time that was observed they were on foot, or moved at all.

A day counts by shares of its observed time, since nobody wears a device for as long each day, and only when a few hours
of it were observed. How far it is from the person's own days is a robust z: its distance from their median over their
median deviation (Iglewicz and Hoaglin, 1993), with a floor, or a person of very regular days would have one each week.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from statistics import median
from typing import Any

from flask import current_app
from sqlalchemy import select

from app.extensions import db
from app.har.vocabulary import CYCLING, NO_ANSWER, NOT_WORN, ON_FOOT, OTHER, RUNNING, STILL, node_of, path_of
from app.services.alarms import rules
from app.services.alarms.life import UNUSUAL
from app.services.alarms.outbox import moment
from app.tables import Alarm, LiveSession, Prediction, StoredRecording

HISTORY_DAYS = 60
LEAST_HOURS = 4.0  # of a day that counts
SCALE = 0.6745  # of the median deviation to the standard deviation, of a normal distribution
FLOOR = 0.03  # of the median deviation, as a share of the day
MEASURES: Mapping[str, tuple[str, ...]] = {"on foot": (ON_FOOT,), "moving": (ON_FOOT, RUNNING, CYCLING, OTHER)}

Seconds = dict[str, float]  # of each answer


def robust_z(value: float, usual: Sequence[float]) -> float:
    """Return how far a value is from usual ones, in deviations; the sign says on which side."""
    middle = median(usual)
    return SCALE * (value - middle) / max(median(abs(each - middle) for each in usual), FLOOR)


def shares(seconds: Mapping[str, float]) -> dict[str, float] | None:
    """Return each measure of a day as a share of its observed time; None where too little was observed."""
    paths = {name: path_of(node_of(name)) for name in seconds if name not in NO_ANSWER and node_of(name) != NOT_WORN}
    known = {name: path for name, path in paths.items() if any(n in path for n in (STILL, *MEASURES["moving"]))}
    total = sum(seconds[name] for name in known)
    if total < 3600 * LEAST_HOURS:
        return None
    return {
        measure: sum(seconds[name] for name, path in known.items() if any(node in path for node in nodes)) / total
        for measure, nodes in MEASURES.items()
    }


def days_of(user_id: int, now: float) -> dict[date, Seconds]:
    """Return the seconds of each answer on a person's last days, by their clock.

    They come from live sessions, and from recordings whose clock is known and that no live session became. A session
    belongs to the day on which it began.
    """
    since = moment(now) - timedelta(days=HISTORY_DAYS)
    days: dict[date, Seconds] = defaultdict(lambda: defaultdict(float))
    live = select(LiveSession.started, LiveSession.facts).where(
        LiveSession.user_id == user_id, LiveSession.started >= since
    )
    for started, facts in db.session.execute(live):
        _add(days[_day(user_id, started)], facts.get("seconds", {}), 1.0)
    became = select(LiveSession.recording_id).where(
        LiveSession.user_id == user_id, LiveSession.recording_id.is_not(None)
    )
    stored = (
        select(StoredRecording.id, StoredRecording.recorded, Prediction.summary)
        .join(Prediction, Prediction.recording_id == StoredRecording.id)
        .where(StoredRecording.user_id == user_id, StoredRecording.recorded >= since, StoredRecording.id.not_in(became))
        .order_by(Prediction.id)
    )
    latest = {row.id: row for row in db.session.execute(stored)}  # of several predictions the last
    for row in latest.values():
        _add(days[_day(user_id, row.recorded)], row.summary.get("minutes_per_activity", {}), 60.0)
    return dict(days)


def _add(day: Seconds, more: Mapping[str, Any], unit_s: float) -> None:
    for name, value in more.items():
        day[name] = day.get(name, 0.0) + unit_s * float(value)


def _day(user_id: int, at: datetime) -> date:
    return rules.local(user_id, at.timestamp()).date()


def judge(today: Mapping[str, float], before: Sequence[Mapping[str, float]], limit: float) -> dict[str, Any] | None:
    """Return by which measure a day is farthest from the days before it, None where none is beyond the limit."""
    scored = {measure: robust_z(today[measure], [day[measure] for day in before]) for measure in today}
    farthest = max(scored, key=lambda measure: abs(scored[measure]))
    if abs(scored[farthest]) < limit:
        return None
    return {
        "measure": farthest,
        "share": round(today[farthest], 3),
        "usual": round(median(day[farthest] for day in before), 3),
        "z": round(scored[farthest], 1),
        "days": len(before),
    }


def found(now: float) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield who had an unusual day, and what was unusual; each person is looked at once a day, at the rule's time."""
    looked: dict[int, date] = current_app.extensions.setdefault("alarm_days", {})
    recent = select(LiveSession.user_id).where(LiveSession.last_heard >= moment(now - 86_400)).distinct()
    for user_id in db.session.scalars(recent).all():
        rule, local = rules.of(user_id, UNUSUAL), rules.local(user_id, now)
        if not rule.switched_on or f"{local:%H:%M}" < rule.text("at") or looked.get(user_id) == local.date():
            continue
        looked[user_id] = local.date()
        if (facts := _look(user_id, local.date(), rule, now)) is not None:
            yield user_id, facts


def _look(user_id: int, today: date, rule: rules.Rule, now: float) -> dict[str, Any] | None:
    told = select(Alarm.facts).where(Alarm.user_id == user_id, Alarm.kind == UNUSUAL).order_by(Alarm.id.desc()).limit(1)
    last = db.session.scalar(told)
    if last is not None and today.isoformat() in (last.get("day"), last.get("latest", {}).get("day")):
        return None  # before a restart
    measured = {day: shares(seconds) for day, seconds in days_of(user_id, now).items()}
    now_shares = measured.pop(today, None)
    before = [each for each in measured.values() if each is not None]
    if now_shares is None or len(before) < rule.number("days"):
        return None
    facts = judge(now_shares, before, rule.number("z"))
    return None if facts is None else {**facts, "day": today.isoformat(), "time_s": now}
