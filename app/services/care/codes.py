"""Codes with which a person finds a caregiver: nobody can look for accounts, nor learn which there are.

A caregiver reads the code of the day to the people whom they care for. It opens nothing: who enters it is shown whose
it is, and may agree. So it need not be stored, and it is computed from the account, the day and the site's key.
"""

from __future__ import annotations

import hmac
from datetime import date, timedelta
from hashlib import sha256

from flask import current_app
from sqlalchemy import select

from app.extensions import db
from app.services.errors import NotFound
from app.tables import Role, User
from app.tables._columns import now

DAYS = 7  # that a code works
_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # without those that are read as others
_LIKE_OTHERS = str.maketrans("ILO", "110", " -")
_LENGTH = 10  # of 5 bits each


def code_of(caregiver: User) -> str:
    """Return today's code of a caregiver, in two parts: ``7KQ2M-XW4HD``."""
    code = _code(caregiver.id, now().date())
    return f"{code[: _LENGTH // 2]}-{code[_LENGTH // 2 :]}"


def caregiver_of(code: str) -> User:
    """Return whose code it is, however it is written.

    Raises
    ------
    NotFound : nobody's, or of more than `DAYS` days ago.
    """
    entered = code.upper().translate(_LIKE_OTHERS)
    found = None
    for caregiver in db.session.scalars(select(User).where(User.role == Role.CAREGIVER, User.disabled.is_(False))):
        for days in range(DAYS):
            right = _code(caregiver.id, now().date() - timedelta(days=days))
            if hmac.compare_digest(right.encode(), entered.encode()):
                found = caregiver
    if found is None:
        raise NotFound(f"This is no caregiver’s code. A code works for {DAYS} days: ask your caregiver for a new one.")
    return found


def _code(caregiver_id: int, day: date) -> str:
    text = f"caregiver's code\0{caregiver_id}\0{day}"
    number = int.from_bytes(hmac.digest(current_app.config["SECRET_KEY"].encode(), text.encode(), sha256), "big")
    return "".join(_LETTERS[number >> 5 * place & 31] for place in range(_LENGTH))
