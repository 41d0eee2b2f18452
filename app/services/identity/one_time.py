"""Addresses that work once: who opens an invitation makes an account, who opens a reset sets a new password.

Whoever makes one is shown it once and passes it on; the database holds the hash of its token.
"""

from __future__ import annotations

import secrets
from datetime import timedelta
from hashlib import sha256

from sqlalchemy import delete, select

from app.extensions import db
from app.services import accounts, audit
from app.services.api import tokens as of_programs
from app.services.audit import Action
from app.services.errors import NotFound
from app.services.identity import sessions
from app.services.identity.rules import canonical_password, check_new_password
from app.services.transaction import rows_changed, transaction
from app.tables import OneTimeAddress, Role, User
from app.tables._columns import now

INVITATION_DAYS = 7
RESET_HOURS = 24


def invite(actor_id: int, role: str) -> str:
    """Return the token of an invitation to make an account with a role."""
    token = _make(timedelta(days=INVITATION_DAYS), role=Role(role).value, made_by_id=actor_id)
    audit.record(Action.INVITATION_MADE, role=role)
    return token


def open_reset(user_id: int, actor_id: int | None = None) -> str:
    """Return the token with which an account gets a new password; until then the old one stays. An earlier one ends."""
    user = accounts.get(user_id)
    token = _make(timedelta(hours=RESET_HOURS), user_id=user_id, made_by_id=actor_id)
    audit.record(Action.RESET_MADE, user.username)
    return token


def _make(kept: timedelta, **values: object) -> str:
    token = secrets.token_urlsafe(32)
    with transaction() as session:
        session.execute(delete(OneTimeAddress).where(OneTimeAddress.until < now()))
        if (user_id := values.get("user_id")) is not None:
            session.execute(delete(OneTimeAddress).where(OneTimeAddress.user_id == user_id))
        session.add(OneTimeAddress(token_hash=_hash(token), until=now() + kept, **values))
    return token


def get_invitation(token: str) -> OneTimeAddress:
    """Return an open invitation."""
    found = _find(token)
    if found is None or found.user_id is not None:
        raise NotFound(
            f"This invitation is not valid. It works once, within {INVITATION_DAYS} days; ask for a new one."
        )
    return found


def get_reset(token: str) -> User:
    """Return the account whose password a token resets."""
    found = _find(token)
    if found is None or found.user_id is None:
        raise NotFound(
            f"This address is not valid. It works once, within {RESET_HOURS} hours; ask an administrator for a new one."
        )
    return accounts.get(found.user_id)


def accept(token: str, username: str, password: str, contact_number: str, email: str, address: str) -> User:
    """Make the account that an invitation is for, and end the invitation."""
    role = Role(get_invitation(token).role)
    with transaction():
        user = accounts.add_user(username, password, contact_number, email, address, role)
        _use(token)
    audit.record(Action.ACCOUNT_MADE, user.username, role=role.value, invited=True)
    return user


def reset_password(token: str, password: str) -> User:
    """Set an account's password, and end the address, the account's sessions and its programs' tokens."""
    user = get_reset(token)
    check_new_password(password, user.username, user.email)
    with transaction() as session:
        _use(token)
        user.set_password(canonical_password(password))
        session.execute(sessions.delete_of(user.id))
        revoked = rows_changed(of_programs.delete_of(user.id))
    of_programs.forget(user.id)
    audit.record(Action.PASSWORD_CHANGED, user.username, reset=True, tokens_revoked=revoked)
    return user


def open_invitations() -> list[OneTimeAddress]:
    """Return the invitations that nobody has opened yet, the newest first."""
    still_open = OneTimeAddress.user_id.is_(None), OneTimeAddress.until > now()
    return list(db.session.scalars(select(OneTimeAddress).where(*still_open).order_by(OneTimeAddress.id.desc())))


def withdraw(invitation_id: int) -> None:
    """End an invitation."""
    with transaction():
        is_it = OneTimeAddress.id == invitation_id, OneTimeAddress.user_id.is_(None)
        if not rows_changed(delete(OneTimeAddress).where(*is_it)):
            raise NotFound("This invitation has been used or withdrawn already.")
    audit.record(Action.INVITATION_WITHDRAWN)


def _find(token: str) -> OneTimeAddress | None:
    is_it = OneTimeAddress.token_hash == _hash(token), OneTimeAddress.until > now()
    return db.session.scalar(select(OneTimeAddress).where(*is_it))


def _use(token: str) -> None:
    """End an address; of two who use it at once, one gets through."""
    if not rows_changed(delete(OneTimeAddress).where(OneTimeAddress.token_hash == _hash(token))):
        raise NotFound("This address has just been used.")


def _hash(token: str) -> str:
    return sha256(token.encode()).hexdigest()
