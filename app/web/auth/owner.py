"""Who is logged in shows once more that they are the account's owner: by its password, or at the provider."""

from __future__ import annotations

import time
from typing import Any

from flask import session
from flask_login import current_user

from app.services import accounts
from app.services.audit import Action, record
from app.services.errors import Forbidden

CONFIRMED = "confirmed"  # in the session: when the provider said anew who this is
CONFIRMED_S = 300


def check_owner(password: str | None, action: Action, field: str = "password") -> None:
    """Refuse an action to whoever finds an open page.

    Raises
    ------
    Invalid : the password is wrong; ``field`` is where it was entered.
    Forbidden : the account has none, and the provider has not said lately that this is its owner.
    """
    if current_user.has_password:
        accounts.check_own_password(current_user.id, password or "", action, field)
    elif not 0 <= time.time() - session.get(CONFIRMED, 0.0) < CONFIRMED_S:
        session.pop(CONFIRMED, None)
        record(action, current_user.username, outcome="refused", reason="not confirmed by the provider")
        raise Forbidden("Confirm first that it is you: under Your account, Single sign-on. It counts for five minutes.")


def set_password(current: str, new: str) -> Any:
    """Change the password of who is logged in, or set the first one."""
    if current_user.has_password:
        return accounts.change_password(current_user.id, current, new)
    check_owner(None, Action.PASSWORD_CHANGED)
    return accounts.set_first_password(current_user.id, new)
