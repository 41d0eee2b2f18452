"""Who may see a person's alarms: the person, and the caregivers to whom the person agreed. Nobody else."""

from __future__ import annotations

from sqlalchemy import select

from app.extensions import db
from app.services.alarms.life import Party
from app.tables import CareConsent, User
from app.tables.user import Role


def caregivers_of(user_id: int) -> list[int]:
    """Return the accounts of those to whom a person agreed, while that holds."""
    holds = CareConsent.user_id == user_id, CareConsent.withdrawn.is_(None)
    usable = User.disabled.is_(False), User.role == Role.CAREGIVER
    agreed = select(User.id).join(CareConsent, CareConsent.caregiver_id == User.id).where(*holds, *usable)
    return list(db.session.scalars(agreed.order_by(User.id)))


def people_of(caregiver_id: int) -> list[int]:
    """Return the accounts of those who agreed that a caregiver sees their alarms, while that holds."""
    caregiver = select(User.id).where(User.id == caregiver_id, User.disabled.is_(False), User.role == Role.CAREGIVER)
    holds = CareConsent.caregiver_id.in_(caregiver), CareConsent.withdrawn.is_(None)
    return list(db.session.scalars(select(CareConsent.user_id).where(*holds).order_by(CareConsent.user_id)))


def party_of(viewer_id: int, user_id: int) -> Party | None:
    """Return as what somebody sees a person's alarms, None where they see none."""
    if viewer_id == user_id:
        return Party.PERSON
    return Party.CAREGIVER if viewer_id in caregivers_of(user_id) else None
