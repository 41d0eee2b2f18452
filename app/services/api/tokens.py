"""Personal access tokens: what a program may do for the person who made one, and until when.

A token is shown once; the table holds its hash. What it may do is what its scopes and the role of its person both
allow, at the moment of each request: whoever is made a user has no token of an administrator any more.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from hashlib import sha256
from threading import Lock

from flask import current_app
from sqlalchemy import Delete, delete, func, select, update

from app.extensions import db
from app.services import audit
from app.services.audit import Action
from app.services.errors import Conflict, Invalid, NotFound, ServiceError
from app.services.transaction import rows_changed, transaction, write_if_free
from app.tables import ApiToken, Role, User
from app.tables._columns import now

MARK = "kinelab_"  # so that programs that look for secrets in files find one
NAME_LENGTH, EACH = 80, 20
LONGEST_DAYS = 366
REMEMBERED_S = 5.0  # for as long a token is taken without asking the database
USED_EVERY = timedelta(minutes=1)  # how exactly the last use is known: a write a minute, not one a request
MOST_REMEMBERED = 1000
TOKENS = "api_tokens"  # in `app.extensions`


class Scope(str, Enum):
    """What a token may be for."""

    RECORDINGS_READ = "recordings:read"
    RECORDINGS_WRITE = "recordings:write"
    LIVE = "live"
    ALARMS = "alarms"
    SUBSCRIPTIONS = "subscriptions"
    MODELS_READ = "models:read"
    MODELS_ADMIN = "models:admin"
    DATASETS_ADMIN = "datasets:admin"
    TRAINING_ADMIN = "training:admin"

    @property
    def in_words(self) -> str:
        """Return what a person is told that it allows."""
        return _IN_WORDS[self]


_IN_WORDS = {
    Scope.RECORDINGS_READ: "see your recordings, what was recognised in them, and your corrections",
    Scope.RECORDINGS_WRITE: "upload, name, correct and delete recordings",
    Scope.LIVE: "see and end your live sessions, add and revoke devices",
    Scope.ALARMS: "see alarms, cancel, acknowledge and close them",
    Scope.SUBSCRIPTIONS: "say which programs are told when something happens to your recordings",
    Scope.MODELS_READ: "see the models and their cards",
    Scope.MODELS_ADMIN: "choose the default model",
    Scope.DATASETS_ADMIN: "see and remove data sets",
    Scope.TRAINING_ADMIN: "start, follow and stop trainings",
}
_OF_USERS = (
    Scope.RECORDINGS_READ,
    Scope.RECORDINGS_WRITE,
    Scope.LIVE,
    Scope.ALARMS,
    Scope.SUBSCRIPTIONS,
    Scope.MODELS_READ,
)
SCOPES_OF = {Role.ADMIN: tuple(Scope), Role.USER: _OF_USERS, Role.CAREGIVER: (Scope.ALARMS,)}


class WrongToken(ServiceError):
    """There is no such token, or not any more."""

    status = 401
    title = "Not a valid token"

    def __init__(self) -> None:
        super().__init__(
            "Send a token of the API in the header “Authorization: Bearer …”. This one is missing, unknown, revoked or "
            "has expired; one is made on the page Access tokens."
        )


@dataclass(frozen=True)
class Bearer:
    """A token that was shown, with its person as pages know one who is logged in."""

    token_id: int
    token_name: str
    id: int  # of the account
    username: str
    role: Role
    scopes: frozenset[str]
    expires: datetime
    last_used: datetime | None
    is_authenticated: bool = True
    is_active: bool = True
    is_anonymous: bool = False

    @property
    def is_admin(self) -> bool:
        return self.role is Role.ADMIN

    @property
    def is_caregiver(self) -> bool:
        return self.role is Role.CAREGIVER

    def may(self, scope: Scope) -> bool:
        """Tell whether token and role both allow it."""
        return scope.value in self.scopes and scope in SCOPES_OF[self.role]


class _Known:
    """What is known of tokens without the database."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.bearers: dict[str, tuple[Bearer, float]] = {}  # by hash, and when it was looked up
        self.used: dict[int, datetime] = {}  # by token: the last use that was written down


def _known() -> _Known:
    known: _Known = current_app.extensions.setdefault(TOKENS, _Known())
    return known


def make(user_id: int, name: str, scopes: list[str], days: int) -> tuple[ApiToken, str]:
    """Make a token; return it with its text, which is nowhere else.

    Raises
    ------
    Invalid : a name that is empty or too long, no scope or one that the role does not have, or too long a time.
    Conflict : the person has too many.
    """
    name = " ".join("".join(letter if letter.isprintable() else " " for letter in name).split())
    if not 0 < len(name) <= NAME_LENGTH:
        raise Invalid(f"A token needs a name of at most {NAME_LENGTH} letters.", "name")
    allowed = [scope.value for scope in SCOPES_OF[db.session.get_one(User, user_id).role]]
    if not scopes or not set(scopes) <= set(allowed):
        raise Invalid(f"Choose at least one of {', '.join(allowed)}.", "scopes")
    if not 1 <= days <= LONGEST_DAYS:
        raise Invalid(f"A token is valid for 1 to {LONGEST_DAYS} days.", "days")
    text = MARK + secrets.token_urlsafe(32)
    with transaction() as session:
        if (session.scalar(select(func.count()).select_from(ApiToken).filter_by(user_id=user_id)) or 0) >= EACH:
            raise Conflict(f"You have {EACH} tokens already. Revoke one that you no longer use.")
        token = ApiToken(
            user_id=user_id,
            name=name,
            scopes=" ".join(scope for scope in allowed if scope in scopes),
            token_hash=_hash(text),
            expires=now() + timedelta(days=days),
        )
        session.add(token)
    audit.record(Action.TOKEN_MADE, f"token {token.id}", scopes=token.scopes, days=days)
    return token, text


def revoke(user_id: int, token_id: int) -> None:
    """Take a token no more, at once."""
    with transaction():
        if not rows_changed(delete_of(user_id).where(ApiToken.id == token_id)):
            raise NotFound("You have no such token. It may have been revoked already.")
    forget(user_id)
    audit.record(Action.TOKEN_REVOKED, f"token {token_id}")


def delete_of(user_id: int) -> Delete:
    """Return the statement that revokes a person's tokens, for the transaction that is the reason; then `forget`."""
    return delete(ApiToken).where(ApiToken.user_id == user_id)


def list_tokens(user_id: int) -> list[ApiToken]:
    """Return a person's tokens, the newest first, those too that have expired."""
    return list(db.session.scalars(select(ApiToken).filter_by(user_id=user_id).order_by(ApiToken.id.desc())))


def of_token(text: str) -> Bearer:
    """Return whose a token is and what it may do, from memory where it was asked for a moment ago.

    Raises
    ------
    WrongToken : there is none, it was revoked or has expired, or the account is disabled.
    """
    known, hashed, at = _known(), _hash(text), time.monotonic()
    bearer, looked_up = known.bearers.get(hashed, (None, 0.0))
    if bearer is None or at - looked_up > REMEMBERED_S:
        bearer = _look_up(hashed)
        with known.lock:
            if len(known.bearers) >= MOST_REMEMBERED:
                known.bearers.clear()
            known.bearers[hashed] = bearer, at
    if bearer.expires <= (moment := now()):
        raise WrongToken
    before = known.used.get(bearer.token_id) or bearer.last_used
    if before is None or moment - before > USED_EVERY:
        known.used[bearer.token_id] = moment
        write_if_free(update(ApiToken).where(ApiToken.id == bearer.token_id).values(last_used=moment))
    return bearer


def _look_up(hashed: str) -> Bearer:
    query = select(ApiToken, User).join(User, ApiToken.user_id == User.id)
    found = db.session.execute(query.where(ApiToken.token_hash == hashed, User.disabled.is_(False))).one_or_none()
    if found is None:
        raise WrongToken
    token, user = found[0], found[1]
    scopes = frozenset(token.scopes.split())
    return Bearer(token.id, token.name, user.id, user.username, user.role, scopes, token.expires, token.last_used)


def forget(user_id: int) -> None:
    """Ask the database again whose the tokens of a person are, and what these may do."""
    known = _known()
    with known.lock:
        known.bearers = {key: one for key, one in known.bearers.items() if one[0].id != user_id}


def _hash(text: str) -> str:
    return sha256(text.encode(errors="replace")).hexdigest()
