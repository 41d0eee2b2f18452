"""People with alarms, for several tests."""

from __future__ import annotations

from sqlalchemy import select

from app.extensions import db
from app.services.alarms import alarms
from app.services.transaction import transaction
from app.tables import Alarm, CareConsent, Notice, NoticeTarget, Role, User

T0 = 1_800_000_000.0  # 15 January 2027, 08:00 UTC


def add_person(name: str, role: Role = Role.USER) -> int:
    """Make an account without the work of a password."""
    with transaction() as session:
        user = User(
            username=name, email=f"{name}@example.org", contact_number="1", address="1", password_hash="-", role=role
        )
        session.add(user)
        session.flush()
        return user.id


def agree(user_id: int, caregiver_id: int) -> None:
    with transaction() as session:
        session.add(CareConsent(user_id=user_id, caregiver_id=caregiver_id, version=1))


def add_target(user_id: int, channel: str = "mail", **address: str) -> int:
    with transaction() as session:
        target = NoticeTarget(user_id=user_id, channel=channel, address=address or {"to": "care@example.org"})
        session.add(target)
        session.flush()
        return target.id


def fall(user_id: int, now: float = T0, score: float = 0.7) -> Alarm:
    """Notice a fall whose impact was four seconds ago."""
    facts = {"time_s": now - 4, "score": score, "peak_g": 3.1, "method": "threshold"}
    alarm = alarms.notice(user_id, "fall", facts, now=now)
    assert alarm is not None
    return alarm


def raised(user_id: int, now: float = T0) -> Alarm:
    """Notice a fall that nobody cancelled; it was raised at ``now``."""
    alarm = fall(user_id, now - 90)
    alarms.tick(now)
    return fresh(alarm.id)


def fresh(alarm_id: int) -> Alarm:
    db.session.expire_all()
    return db.session.get_one(Alarm, alarm_id)


def notices(state: str | None = None) -> list[Notice]:
    db.session.expire_all()
    query = select(Notice).order_by(Notice.id)
    return list(db.session.scalars(query if state is None else query.filter_by(state=state)))
