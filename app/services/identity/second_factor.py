"""A second factor, for who wants one: the six digits of an authenticator app (TOTP, RFC 6238), or a recovery code.

The secret that the app holds is stored nowhere. It is derived from the site's signing key and a random value in the
account's row, so a copy of the database alone yields no code. Whoever replaces the signing key ends all second factors.
"""

from __future__ import annotations

import base64
import hmac
import re
import secrets
from datetime import datetime
from hashlib import sha256

from flask import current_app
from itsdangerous import BadData, URLSafeTimedSerializer
from sqlalchemy import delete, func, or_, select, update

from app.extensions import db
from app.services import accounts, audit, qr
from app.services.audit import Action
from app.services.errors import Conflict, Invalid
from app.services.identity import guessing, sessions
from app.services.transaction import rows_changed, transaction
from app.tables import RecoveryCode, User
from app.tables._columns import now

CODES = 10  # recovery codes
CODE_LENGTH = 24  # of a recovery code: 120 bits, so that a plain hash of it yields nothing
TICKET_S = 300  # between the password and the code
WRONG_CODES = 10  # in an hour; then only recovery codes are looked at
_STEP_S = 30
_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"


def new_salt() -> str:
    """Return what a new secret is derived from; by itself it is worth nothing."""
    return secrets.token_hex(16)


def secret_of(user: User, salt: str) -> str:
    """Return the secret for an authenticator app, in Base32."""
    key = current_app.config["SECRET_KEY"].encode()
    digest = hmac.new(key, f"second factor\0{user.id}\0{salt}".encode(), sha256).digest()
    return base64.b32encode(digest[:20]).decode()  # 160 bits, as RFC 4226 recommends


def qr_code(user: User, salt: str) -> str:
    """Return the picture that an authenticator app reads, as a data address of an SVG."""
    from pyotp import TOTP  # only these pages need it

    return qr.picture(TOTP(secret_of(user, salt)).provisioning_uri(name=user.username, issuer_name="Kinelab"))


def switch_on(user_id: int, salt: str, code: str, token: str) -> list[str]:
    """Ask for a second factor from now on; end all sessions but the one with this token; return recovery codes."""
    user = accounts.get(user_id)
    if user.second_factor:
        raise Conflict("The second factor is on already.")
    if (step := _step_of(user, salt, code, now())) is None:
        raise Invalid(
            "This is not the code of this moment. Look at the clock of your telephone, and try again.", "code"
        )
    with transaction() as session:
        user.second_factor, user.second_factor_step = salt, step
        session.execute(sessions.delete_others(user_id, token))
        codes = _new_codes(user_id)
    audit.record(Action.SECOND_FACTOR, user.username, on=True)
    return codes


def switch_off(user_id: int) -> User:
    """Ask for the password alone from now on."""
    user = accounts.get(user_id)
    with transaction() as session:
        user.second_factor = user.second_factor_step = None
        session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))
    audit.record(Action.SECOND_FACTOR, user.username, on=False)
    return user


def renew_codes(user_id: int) -> list[str]:
    """Return new recovery codes; the earlier ones end."""
    user = accounts.get(user_id)
    if not user.second_factor:
        raise Conflict("The second factor is off.")
    with transaction():
        codes = _new_codes(user_id)
    audit.record(Action.SECOND_FACTOR, user.username, new_codes=True)
    return codes


def codes_left(user_id: int) -> int:
    """Return how many recovery codes an account has left."""
    own = select(func.count()).select_from(RecoveryCode).where(RecoveryCode.user_id == user_id)
    return db.session.scalar(own) or 0


def ticket(user: User) -> str:
    """Return what a browser shows with the code, after the password was right."""
    return str(_serializer().dumps([user.id, _mark(user)]))


def user_of(a_ticket: str) -> User | None:
    """Return whose password was right; None where that was too long ago, or the account has been changed since."""
    try:
        user_id, mark = _serializer().loads(a_ticket, max_age=TICKET_S)
    except BadData:
        return None
    user = db.session.get(User, user_id)
    return user if user is not None and not user.disabled and hmac.compare_digest(mark, _mark(user)) else None


def check(user: User, code: str) -> User:
    """Return the account if a code is right: the digits of this moment, or a recovery code; each works once.

    Raises
    ------
    Invalid
        It is wrong, was used before, or too many were wrong lately.
    """
    attempts = f"{user.username} second factor"
    code = re.sub(r"[\s-]", "", code).lower()
    if len(code) == CODE_LENGTH:
        right = _use_recovery_code(user, code)
    elif guessing.failures_of(attempts) >= WRONG_CODES:
        audit.record(Action.LOG_IN, user.username, outcome="refused", reason="too many wrong codes")
        raise Invalid("There have been too many wrong codes. Wait an hour, or enter a recovery code.", "code")
    else:
        right = _use_digits(user, code)
    if not right:
        guessing.count_failure(attempts)
        audit.record(Action.LOG_IN, user.username, outcome="refused", reason="wrong code")
        raise Invalid("This code is wrong or has been used. Wait for the next one.", "code")
    return user


def _use_digits(user: User, code: str) -> bool:
    step = _step_of(user, user.second_factor or "", code, now())
    if step is None:
        return False
    # Condition and change are one statement: of two who show the same code, one gets in
    later = or_(User.second_factor_step.is_(None), User.second_factor_step < step)
    with transaction():
        return rows_changed(update(User).where(User.id == user.id, later).values(second_factor_step=step)) == 1


def _use_recovery_code(user: User, code: str) -> bool:
    is_it = RecoveryCode.user_id == user.id, RecoveryCode.code_hash == _hash(code)
    with transaction():
        used = rows_changed(delete(RecoveryCode).where(*is_it)) == 1
    if used:
        audit.record(Action.SECOND_FACTOR, user.username, recovery_code_used=True)
    return used


def _step_of(user: User, salt: str, code: str, moment: datetime) -> int | None:
    """Return the half-minute that a code is of; a clock may be one of them slow or fast."""
    from pyotp import TOTP

    totp, present = TOTP(secret_of(user, salt)), int(moment.timestamp()) // _STEP_S
    digits = re.sub(r"\s", "", code).encode(errors="replace")
    near = (present - 1, present, present + 1)
    return max((s for s in near if hmac.compare_digest(totp.generate_otp(s).encode(), digits)), default=None)


def _new_codes(user_id: int) -> list[str]:
    codes = ["".join(secrets.choice(_ALPHABET) for _ in range(CODE_LENGTH)) for _ in range(CODES)]
    db.session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))
    db.session.add_all(RecoveryCode(user_id=user_id, code_hash=_hash(code)) for code in codes)
    return ["-".join(re.findall("....", code)) for code in codes]


def _mark(user: User) -> str:
    return _hash(f"{user.password_hash}\0{user.second_factor}")


def _hash(text: str) -> str:
    return sha256(text.encode(errors="replace")).hexdigest()


def _serializer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(current_app.config["SECRET_KEY"], salt="second step of logging in")
