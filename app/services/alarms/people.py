"""Who may see a person's alarms: the person, and the caregivers to whom the person agreed. Nobody else."""

from __future__ import annotations

from app.services.alarms.life import Party
from app.services.care import consents


def caregivers_of(user_id: int) -> list[int]:
    """Return the accounts of those to whom a person agreed, while that holds."""
    return [user.id for user in consents.caregivers_of(user_id)]


def people_of(caregiver_id: int) -> list[int]:
    """Return the accounts of those who agreed that a caregiver sees their alarms, while that holds."""
    return [user.id for user in consents.people_of(caregiver_id)]


def party_of(viewer_id: int, user_id: int) -> Party | None:
    """Return as what somebody sees a person's alarms, None where they see none."""
    if viewer_id == user_id:
        return Party.PERSON
    return Party.CAREGIVER if consents.holds(user_id, viewer_id) else None
