"""Single sign-on: whose account somebody of the provider opens.

Somebody is known by issuer and subject alone. An account that is there is linked by its owner, with its password; an
e-mail address opens nothing. Where roles follow the provider's word, they do so at each log-in.
"""

from __future__ import annotations

import logging
from dataclasses import asdict

from flask import current_app
from itsdangerous import BadData, URLSafeTimedSerializer
from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError

from app.extensions import db
from app.services import accounts, audit
from app.services.audit import Action
from app.services.errors import Conflict, Forbidden, Invalid
from app.services.identity import provider, roles, rules
from app.services.identity.provider import Identity, refused
from app.services.identity.provider_settings import OTHERS, ROLES
from app.services.transaction import rows_changed, transaction
from app.tables import IdentityLink, Role, User
from app.tables._columns import now

log = logging.getLogger(__name__)

TICKET_S = 1200  # between coming back from the provider and having an account here


def opened_by(identity: Identity) -> User | None:
    """Return the account that somebody of the provider opens, in the role that it is to have now; None without one.

    Raises
    ------
    Refused : the account is disabled, or the provider says that they have no role here.
    """
    role = role_of(identity)
    if (link := _find(identity)) is None:
        return None
    user = accounts.get(link.user_id)
    if user.disabled:
        raise refused("Your account here is disabled. Ask an administrator.", "disabled account", user.username)
    with transaction():
        link.last_used = now()
    if role is not None and role is not user.role:
        _follow(user, role)
    return user


def role_of(identity: Identity) -> Role | None:
    """Return the role that the provider's word gives, None where roles are given here alone.

    Raises
    ------
    Refused : whoever is nothing there is nobody here.
    """
    mine = provider.settings()
    if not mine.role_claim:
        return None
    counts = identity.claimed or ((OTHERS,) if OTHERS in mine.roles else ())
    if not counts:
        raise refused(f"{mine.name} gives you no role here. Ask an administrator.", "no role")
    return Role(max((mine.roles[value] for value in counts), key=ROLES.index))


def _follow(user: User, role: Role) -> None:
    """Give an account the role that the provider says, or as little power as can be; the last administrator stays."""
    for each in dict.fromkeys((role, Role.USER)):
        try:
            roles.set_role(None, user.id, each.value)
        except Conflict as error:
            audit.record(
                Action.ROLE_CHANGED, user.username, outcome="refused", role=each.value, reason="single sign-on"
            )
            log.warning("%s does not become %s by single sign-on: %s", user.username, each.in_words, error)
        else:
            return
        if not user.is_admin:
            return


def asked_of(identity: Identity) -> dict[str, str]:
    """Return what the form of a new account begins with; a username that cannot be had is left out."""
    wanted = identity.username.partition("@")[0] or identity.email.partition("@")[0]
    try:
        name = rules.clean_username(wanted)
    except Invalid:
        name = ""
    if db.session.scalar(select(User.id).where(User.username == name)):
        name = ""
    return {"username": name, "email": identity.email, "contact_number": identity.contact_number}


def has_account(identity: Identity) -> bool:
    """Tell whether an account here has somebody's e-mail address, which the provider has verified."""
    if not identity.email:
        return False
    try:
        email = rules.clean_email(identity.email)
    except Invalid:
        return False
    return db.session.scalar(select(User.id).where(User.email == email)) is not None


def make_account(identity: Identity, username: str, contact_number: str, email: str, address: str) -> User:
    """Make an account without a password, which somebody of the provider opens.

    Raises
    ------
    Forbidden : no new accounts are made in this way.
    Invalid, Conflict : as with `accounts.register`; or they have an account meanwhile.
    """
    if not provider.settings().new_accounts:
        raise Forbidden("Accounts are made by an administrator here. Ask for an invitation, and link it afterwards.")
    role = role_of(identity) or Role.USER
    with transaction():
        user = accounts.add_user(username, None, contact_number, identity.email or email, address, role)
        _add(identity, user.id)
    audit.record(Action.ACCOUNT_MADE, user.username, role=user.role.value, single_sign_on=True)
    return user


def link(identity: Identity, user_id: int) -> None:
    """Let somebody of the provider open an account, whose owner has just shown that they are.

    Raises
    ------
    Conflict : they open another, or the account is opened by somebody else.
    """
    user = accounts.get(user_id)
    with transaction():
        _add(identity, user_id)
    audit.record(Action.IDENTITY_LINKED, user.username)


def link_and_open(identity: Identity, user_id: int) -> User:
    """Link an account whose owner has just shown that they are, and return it as `opened_by` does."""
    link(identity, user_id)
    return opened_by(identity) or accounts.get(user_id)


def _add(identity: Identity, user_id: int) -> None:
    if (found := _find(identity)) is not None:
        raise Conflict(
            "It is linked with this account already."
            if found.user_id == user_id
            else "It is linked with another account here. Log in with that one, and unlink it first."
        )
    if link_of(user_id) is not None:
        raise Conflict("This account is linked with another person of the provider. Unlink that one first.")
    db.session.add(IdentityLink(user_id=user_id, issuer=identity.issuer, subject=identity.subject, last_used=now()))
    try:
        db.session.flush()
    except IntegrityError as error:  # somebody did it between the look and the write
        raise Conflict("It has just been linked.") from error


def unlink(user_id: int) -> None:
    """Let only the password open an account.

    Raises
    ------
    Conflict : it has none, or is not linked.
    """
    user = accounts.get(user_id)
    if not user.has_password:
        raise Conflict("Set a password first: without it nothing would open this account.")
    with transaction():
        mine = IdentityLink.user_id == user_id, IdentityLink.issuer == provider.settings().issuer
        if not rows_changed(delete(IdentityLink).where(*mine)):
            raise Conflict("This account is not linked.")
    audit.record(Action.IDENTITY_UNLINKED, user.username)


def link_of(user_id: int) -> IdentityLink | None:
    """Return by whom of the provider an account is opened, None if by nobody."""
    mine = IdentityLink.user_id == user_id, IdentityLink.issuer == provider.settings().issuer
    return db.session.scalar(select(IdentityLink).where(*mine))


def is_of(identity: Identity, user_id: int) -> bool:
    """Tell whether somebody of the provider opens an account."""
    found = _find(identity)
    return found is not None and found.user_id == user_id


def ticket(identity: Identity) -> str:
    """Return what a browser shows of who came back from the provider, until there is an account."""
    return str(_serializer().dumps(asdict(identity)))


def identity_of(a_ticket: str) -> Identity | None:
    """Return who came back from the provider; None where that was too long ago, or at another provider."""
    try:
        known = _serializer().loads(a_ticket, max_age=TICKET_S)
    except BadData:
        return None
    identity = Identity(**{**known, "claimed": tuple(known["claimed"])})
    return identity if identity.issuer == provider.settings().issuer else None


def _find(identity: Identity) -> IdentityLink | None:
    is_it = IdentityLink.issuer == identity.issuer, IdentityLink.subject == identity.subject
    return db.session.scalar(select(IdentityLink).where(*is_it))


def _serializer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(current_app.config["SECRET_KEY"], salt="single sign-on")
