"""Accounts: registering, logging in, and what an administrator may do with them.

Usernames and e-mail addresses are stored in lower case, so the database itself keeps two people from having the same
one in different letters.
"""

from __future__ import annotations

import hmac
import os
import secrets
import time
from collections.abc import Collection
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

from flask import current_app
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from werkzeug.security import check_password_hash

from app.extensions import db
from app.services import audit, consents, keys
from app.services.api import tokens as of_programs
from app.services.audit import Action
from app.services.errors import Conflict, Forbidden, Invalid, NotFound
from app.services.identity import guessing, sessions
from app.services.identity.rules import (
    canonical_password,
    canonical_username,
    check_new_password,
    clean_address,
    clean_contact_number,
    clean_email,
    clean_username,
)
from app.services.paging import Page, page_of
from app.services.purposes import Purpose
from app.services.transaction import rows_changed, transaction
from app.tables import Role, User
from app.tables.user import NO_PASSWORD, hash_of

SETUP_HOURS = 24  # that a set-up address works
ROLES = {role.value: role.label for role in (Role.USER, Role.CAREGIVER, Role.ADMIN)}  # the least power first


def register(username: str, password: str, contact_number: str, email: str, address: str, role: str = "user") -> User:
    """Make an account.

    Raises
    ------
    Invalid
        One of the answers breaks its rule; ``field`` names it.
    Conflict
        The username or e-mail address is taken.
    """
    with transaction():
        user = add_user(username, password, contact_number, email, address, Role(role))
    audit.record(Action.ACCOUNT_MADE, user.username, role=user.role.value)
    return user


def add_user(username: str, password: str | None, contact_number: str, email: str, address: str, role: Role) -> User:
    """Add a row for an account, within a transaction; without a password, single sign-on alone opens it."""
    user = User(
        username=clean_username(username),
        email=clean_email(email),
        role=role,
        contact_number=clean_contact_number(contact_number),
        address=clean_address(address),
    )
    if password is not None:
        check_new_password(password, user.username, user.email)
    if _find(User.username == user.username):
        raise Invalid("This username is taken.", "username")
    if _find(User.email == user.email):
        raise Invalid("There is already an account with this e-mail address.", "email")
    if password is None:
        user.password_hash = NO_PASSWORD
    else:
        user.set_password(canonical_password(password))
    db.session.add(user)
    try:
        db.session.flush()
        keys.give(user.id)
    except IntegrityError as error:  # somebody took it between the look and the write
        raise Conflict("This username or e-mail address has just been taken.") from error
    if role is not Role.CAREGIVER:  # the page on which an account is made shows the text
        consents.add(Purpose.RECOGNITION, user.id)
    return user


def authenticate(username: str, password: str, address: str = "", device: str = "") -> User:
    """Return the account that this name and password open.

    An unknown name, a wrong password and a disabled account give the same answer after the same work, so that nobody
    learns which accounts exist; ``address`` and ``device`` are where the attempt comes from (`guessing.attempt`).
    """
    name = canonical_username(username)
    with guessing.attempt(name, address, device):
        user = _find(User.username == name)
        known_hash = user.password_hash if user and user.has_password else _nobodys_hash()
        right = check_password_hash(known_hash, canonical_password(password))
        if user is None or not right or user.disabled:
            # A name without an account may be a password in the wrong field
            known = user.username if user else "a name without an account"
            reason = "wrong password" if not right else "disabled account"
            audit.record(Action.LOG_IN, known, outcome="refused", reason=reason)
            raise Invalid("The username or password is wrong, or the account is disabled.")
    if user.has_old_hash:
        with transaction():
            user.set_password(canonical_password(password))
    return user


def change_password(user_id: int, current: str, new: str) -> User:
    """Set a new password; every session of the account ends, and its programs' tokens are revoked."""
    user = check_own_password(user_id, current, Action.PASSWORD_CHANGED, "current")
    if user.check_password(canonical_password(new)):
        raise Invalid("The new password is the same as the current one.", "password")
    return _set_password(user, new)


def set_first_password(user_id: int, new: str) -> User:
    """Give an account that single sign-on opens a password, too; its sessions end."""
    if (user := get(user_id)).has_password:
        raise Conflict("This account has a password already.")
    return _set_password(user, new)


def _set_password(user: User, new: str) -> User:
    check_new_password(new, user.username, user.email)
    user.set_password(canonical_password(new))  # it takes a while, for which nobody else need wait
    with transaction() as session:
        session.execute(sessions.delete_of(user.id))
        revoked = rows_changed(of_programs.delete_of(user.id))
    of_programs.forget(user.id)
    audit.record(Action.PASSWORD_CHANGED, user.username, tokens_revoked=revoked)
    return user


def change_details(user_id: int, contact_number: str, email: str, address: str) -> User:
    """Correct what an account says of its owner.

    Raises
    ------
    Invalid
        One of the answers breaks its rule, or the e-mail address is another account's.
    """
    user = get(user_id)
    new = {
        "contact_number": clean_contact_number(contact_number),
        "email": clean_email(email),
        "address": clean_address(address),
    }
    try:
        with transaction():
            changed = [name for name, value in new.items() if getattr(user, name) != value]
            for name in changed:
                setattr(user, name, new[name])
            db.session.flush()
    except IntegrityError as error:
        raise Invalid("There is already an account with this e-mail address.", "email") from error
    if changed:
        audit.record(Action.ACCOUNT_CHANGED, user.username, changed=", ".join(changed))
    return user


def find(username: str) -> User:
    """Return an account by its name, in any letters."""
    if (user := _find(User.username == canonical_username(username))) is None:
        raise NotFound("There is no such account.")
    return user


def check_own_password(user_id: int, password: str, action: Action, field: str = "password") -> User:
    """Return an account whose owner, who is logged in, shows once more that they are its owner, for an action."""
    user = get(user_id)
    # Counted apart from log-ins: no stranger makes the owner wait
    with guessing.attempt(f"{user.username} logged in"):
        if not user.check_password(canonical_password(password)):
            audit.record(action, user.username, outcome="refused", reason="wrong current password")
            raise Invalid("This is not your current password.", field)
    return user


def get(user_id: int) -> User:
    """Return an account by its number."""
    if (user := db.session.get(User, user_id)) is None:
        raise NotFound("There is no such account.")
    return user


def ids_of(usernames: Collection[str]) -> list[int]:
    """Return the numbers of the accounts with these names; of a name without an account none."""
    return list(db.session.scalars(select(User.id).where(User.username.in_(usernames))))


def all_users() -> list[User]:
    """Return every account, by name."""
    return list(db.session.scalars(select(User).order_by(User.username)))


def list_users(page: int = 1, per_page: int = 25) -> Page[User]:
    """Return one page of the accounts, by name."""
    by_name = select(User).order_by(User.username)
    return page_of(_count(), page, per_page, lambda start, stop: db.session.scalars(by_name.slice(start, stop)).all())


def set_disabled(actor_id: int, user_id: int, disabled: bool) -> User:
    """Disable an account, which ends its sessions at once, or enable it again, which brings none of them back."""
    with transaction():
        user = administer(actor_id, user_id, disabled=disabled)
    _close_devices(user_id)
    audit.record(Action.ACCOUNT_CHANGED, user.username, disabled=disabled)
    return user


def _close_devices(user_id: int) -> None:
    """Ask anew whose their devices' tokens are, and those of their programs."""
    from app.services.live import tokens

    tokens.forget(user_id)
    of_programs.forget(user_id)


def administer(actor_id: int | None, user_id: int, **changes: Role | bool) -> User:
    """Within a transaction: change what somebody else's account may do, and end its sessions."""
    if actor_id == user_id:
        raise Forbidden("You cannot change your own role or disable your own account. Ask another administrator.")
    user = get(user_id)
    for name, value in changes.items():
        setattr(user, name, value)
    db.session.flush()
    db.session.execute(sessions.delete_of(user_id))
    require_administrator()
    return user


def require_administrator() -> None:
    """Refuse a change, after its write and before its commit, that leaves no active administrator.

    The write locks the database: two administrators cannot demote each other at once.
    """
    if not _count(User.role == Role.ADMIN, User.disabled.is_(False)):
        raise Conflict("This is the last active administrator. Make someone else an administrator first.")


def require_another_administrator(user_id: int) -> None:
    """Refuse, within a transaction that has written, that the last active administrator goes."""
    if not _count(User.role == Role.ADMIN, User.disabled.is_(False), User.id != user_id):
        raise Conflict("This is the last active administrator. Make someone else an administrator first.")


def setup_needed() -> bool:
    """Tell whether the site still waits for its first administrator."""
    return not _count(User.role == Role.ADMIN)


def setup_token() -> str:
    """Make the one-time token of the set-up address; an earlier one ends. Only its hash is stored."""
    token = secrets.token_urlsafe(32)
    path = _setup_path()
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="ascii") as file:
        file.write(f"{_hash_token(token)} {time.time() + SETUP_HOURS * 3600:.0f}")
    return token


def check_setup_token(token: str) -> None:
    """Refuse a set-up address that was used, replaced, never printed, or printed too long ago."""
    path = _setup_path()
    stored, _, until = (path.read_text(encoding="ascii") if path.exists() else "").partition(" ")
    if not setup_needed() or not hmac.compare_digest(stored, _hash_token(token)) or time.time() > float(until or 0):
        raise NotFound(
            f"This set-up address is not valid. It works once, within {SETUP_HOURS} hours, and as long as there is no "
            "administrator. Start Kinelab again or run flask users setup-address for a new one."
        )


def set_up(token: str, username: str, password: str, contact_number: str, email: str, address: str) -> User:
    """Make the first administrator, and end the set-up address."""
    check_setup_token(token)
    with transaction():
        user = add_user(username, password, contact_number, email, address, Role.ADMIN)
        try:
            _setup_path().unlink()  # who removes the file has the right: of two at once, one gets it
        except FileNotFoundError as error:
            raise NotFound("This set-up address has just been used.") from error
    audit.record(Action.SET_UP, user.username)
    return user


def _setup_path() -> Path:
    return Path(current_app.instance_path) / "setup_token"


def _hash_token(token: str) -> str:
    return sha256(token.encode()).hexdigest()


@lru_cache(maxsize=1)
def _nobodys_hash() -> str:
    return hash_of(secrets.token_hex())


def _find(condition: object) -> User | None:
    return db.session.scalar(select(User).where(condition))  # type: ignore[arg-type]


def _count(*conditions: object) -> int:
    return db.session.scalar(select(func.count()).select_from(User).where(*conditions)) or 0  # type: ignore[arg-type]
