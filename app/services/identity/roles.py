"""What becomes of an account whose role changes.

A caregiver sees others and has nothing of their own that could be seen: an account with recordings or devices never
becomes one, or its recordings would be kept where their owner cannot reach them. What people agreed to let a caregiver
see ends with the role.
"""

from __future__ import annotations

from sqlalchemy import exists, select

from app.extensions import db
from app.services import accounts, audit
from app.services.api import tokens
from app.services.audit import Action
from app.services.care import consents as care
from app.services.errors import Conflict
from app.services.personal import consents as sharing
from app.services.personal import taken_back
from app.services.recordings import pending, reading
from app.services.transaction import transaction
from app.tables import Device, Role, StoredRecording, User


def set_role(actor_id: int | None, user_id: int, role: str) -> User:
    """Give an account another role, by an administrator or (None) by the provider's word; its owner logs in again.

    Raises
    ------
    Conflict : a caregiver is to be made of somebody with recordings or devices, or the last administrator goes.
    """
    new = Role(role)
    with reading.nothing_read(user_id), transaction():
        was = accounts.get(user_id).role
        if new is Role.CAREGIVER:
            _require_nothing_of_their_own(user_id)
            sharing.end(user_id)  # they could no longer open the page on which it is taken back
        user = accounts.administer(actor_id, user_id, role=new)
        ended = care.end_all(user_id) if new is not was and Role.CAREGIVER in (new, was) else []
    tokens.forget(user_id)
    care.record_end(ended)
    audit.record(Action.ROLE_CHANGED, user.username, role=user.role.value)
    if new is Role.CAREGIVER:
        taken_back.begin()
    return user


def _require_nothing_of_their_own(user_id: int) -> None:
    recordings = exists().where(StoredRecording.user_id == user_id)
    devices = exists().where(Device.user_id == user_id, Device.revoked.is_(None))
    if pending.list_kept(user_id) or db.session.scalar(select(recordings | devices)):
        raise Conflict(
            "A caregiver has no recordings and no devices of their own, and this account has some. Invite the "
            "caregiver with another account, or let the owner delete the recordings and take back the devices first."
        )
