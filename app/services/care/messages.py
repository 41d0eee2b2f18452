"""What became of the messages of an alarm, and how many people answered of their alarms."""

from __future__ import annotations

from collections import Counter

from sqlalchemy import func, select

from app.extensions import db
from app.har.falls.watch import FallWatch
from app.services import falls
from app.services.alarms import false_alarms
from app.services.alarms.false_alarms import Answers
from app.tables import Alarm, AlarmStep, Notice


def of_alarm(alarm_id: int) -> dict[int, Counter[str]]:
    """Return how many messages of each step of an alarm are in which state."""
    query = select(AlarmStep.id, Notice.state, func.count()).join(AlarmStep, Notice.step_id == AlarmStep.id)
    counted = db.session.execute(query.where(AlarmStep.alarm_id == alarm_id).group_by(AlarmStep.id, Notice.state))
    found: dict[int, Counter[str]] = {}
    for step_id, state, number in counted:
        found.setdefault(step_id, Counter())[state] = number
    return found


def verdicts_of(user_id: int) -> dict[str, Counter[str]]:
    """Return how many alarms of each kind a person's alarms were closed as ``true``, ``false`` or neither."""
    counted = select(Alarm.kind, Alarm.verdict, func.count()).where(Alarm.user_id == user_id, Alarm.state == "closed")
    found: dict[str, Counter[str]] = {}
    for kind, verdict, number in db.session.execute(counted.group_by(Alarm.kind, Alarm.verdict)):
        found.setdefault(kind, Counter())[verdict] = number
    return found


def fall_limit_of(user_id: int) -> Answers:
    """Return what a person's answers made of the limit of what watches for falls."""
    watch = FallWatch(falls.current())
    return false_alarms.of(user_id, watch.method, watch.threshold)


def outbox_counts() -> Counter[str]:
    """Return how many messages are in which state."""
    counted = db.session.execute(select(Notice.state, func.count()).group_by(Notice.state))
    return Counter({row[0]: row[1] for row in counted})
