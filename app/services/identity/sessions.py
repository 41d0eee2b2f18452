"""Sessions: who is logged in, from which browser, and until when.

A session is a row. Its token is in the browser's cookie, its hash in the row; without the row no copy of the cookie is
worth anything. Whatever changes what an account may do deletes its rows in the same transaction.
"""

from __future__ import annotations

import re
import secrets
from datetime import timedelta
from hashlib import sha256

from flask import current_app
from sqlalchemy import ColumnElement, Delete, delete, or_, select, update

from app.extensions import db
from app.services import audit
from app.services.audit import Action
from app.services.errors import Conflict, NotFound
from app.services.transaction import rows_changed, transaction, write_if_free
from app.tables import LoginSession, User
from app.tables._columns import now

SEEN_EVERY = timedelta(minutes=1)  # how exactly the last sign of life is known: a write a minute, not one a page
# What a browser says of itself: most name others as well, so the first that is found is the one
_BROWSERS = (
    ("Edge", r"Edg(e|A|iOS)?/"),
    ("Opera", r"OPR/"),
    ("Samsung Internet", r"SamsungBrowser/"),
    ("Firefox", r"Firefox/|FxiOS/"),
    ("Chrome", r"Chrom(e|ium)/|CriOS/"),
    ("Safari", r"Safari/"),
)
_SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("macOS", "Mac OS X|Macintosh"),
    ("ChromeOS", "CrOS"),
    ("Linux", "Linux"),
)


def begin(user: User, address: str, agent: str) -> None:
    """Start a session of an account that has shown who it is; ``user.session_token`` is what its cookie holds.

    Raises
    ------
    Conflict
        The account was disabled, or got another password or a second factor, since the password was checked.
    """
    checked = user.password_hash, user.second_factor
    token = secrets.token_urlsafe(32)
    with transaction() as session:
        session.execute(_delete_ended())  # a write, so nothing can change the account from here on
        session.refresh(user)
        if user.disabled or (user.password_hash, user.second_factor) != checked:
            raise Conflict("This account has just been changed. Log in again.")
        user.last_login = now()
        session.add(
            LoginSession(
                user_id=user.id, token_hash=_hash(token), address=address[:64], browser=browser_in_words(agent)
            )
        )
    user.session_token = token


def load_user(token: str) -> User | None:
    """Return the account of a session, None where it has ended."""
    query = select(LoginSession, User).join(User, LoginSession.user_id == User.id).where(_is(token))
    found = db.session.execute(query).one_or_none()
    if found is None:
        return None
    session: LoginSession
    user: User
    session, user = found
    moment = now()
    if user.disabled or moment - session.created > _longest() or moment - session.last_seen > _longest_idle():
        return None
    if moment - session.last_seen > SEEN_EVERY:
        write_if_free(update(LoginSession).where(LoginSession.id == session.id).values(last_seen=moment))
    user.session_token = token
    return user


def list_sessions(user_id: int) -> list[LoginSession]:
    """Return where an account is logged in, the latest sign of life first."""
    alive = LoginSession.created > now() - _longest(), LoginSession.last_seen > now() - _longest_idle()
    own = select(LoginSession).where(LoginSession.user_id == user_id, *alive)
    return list(db.session.scalars(own.order_by(LoginSession.last_seen.desc(), LoginSession.id.desc())))


def is_of(session: LoginSession, token: str) -> bool:
    """Tell whether a session is the one with this token."""
    return session.token_hash == _hash(token)


def end(token: str) -> None:
    """End a session, in every browser that has a copy of its cookie."""
    with transaction() as session:
        session.execute(delete(LoginSession).where(_is(token)))


def end_one(user_id: int, session_id: int) -> None:
    """End one session of an account."""
    with transaction():
        of_account = LoginSession.id == session_id, LoginSession.user_id == user_id
        if not rows_changed(delete(LoginSession).where(*of_account)):
            raise NotFound("This session has ended already.")
    audit.record(Action.SESSION_ENDED, f"session {session_id}")


def end_others(user_id: int, token: str) -> None:
    """End all sessions of an account but the one with this token."""
    with transaction() as session:
        session.execute(delete_others(user_id, token))
    audit.record(Action.SESSION_ENDED, "all others")


def end_all(user_id: int) -> None:
    """End all sessions of an account, for an administrator."""
    with transaction() as session:
        session.execute(delete_of(user_id))
    audit.record(Action.SESSION_ENDED, f"all of user {user_id}")


def delete_of(user_id: int) -> Delete:
    """Return the statement that ends all sessions of an account, for the transaction that is the reason."""
    return delete(LoginSession).where(LoginSession.user_id == user_id)


def delete_others(user_id: int, token: str) -> Delete:
    """Return the statement that ends all sessions of an account but the one with this token."""
    return delete_of(user_id).where(~_is(token))


def browser_in_words(agent: str) -> str:
    """Return what a person would call a browser: Firefox on Windows."""
    browser = next((name for name, pattern in _BROWSERS if re.search(pattern, agent)), None)
    system = next((name for name, pattern in _SYSTEMS if re.search(pattern, agent)), None)
    if browser and system:
        return f"{browser} on {system}"
    return browser or system or "another program"


def _longest() -> timedelta:
    return timedelta(hours=current_app.config["SESSION_HOURS"])


def _longest_idle() -> timedelta:
    return timedelta(minutes=current_app.config["SESSION_IDLE_MINUTES"])


def _delete_ended() -> Delete:
    over = LoginSession.created < now() - _longest(), LoginSession.last_seen < now() - _longest_idle()
    return delete(LoginSession).where(or_(*over))


def _is(token: str) -> ColumnElement[bool]:
    return LoginSession.token_hash == _hash(token)


def _hash(token: str) -> str:
    return sha256(token.encode()).hexdigest()
