"""Who calls the API: by a token alone. A cookie opens nothing there, so no other site's page can use one."""

from __future__ import annotations

from typing import cast

from flask import g, request
from flask_login import AnonymousUserMixin

from app.services.api import tokens
from app.services.api.tokens import Bearer, Scope
from app.services.errors import Forbidden

PATH = "/api/v1"


class NotForThis(Forbidden):
    """The token, or the role of its person, does not allow it."""

    def __init__(self, scope: Scope, has_role: bool) -> None:
        self.scope = scope
        why = "This token was not made for it" if has_role else "The role of your account does not allow it"
        super().__init__(f"{why}: it needs the scope {scope.value} ({scope.in_words}).")


def is_asked() -> bool:
    """Tell whether the request is one to the API."""
    return request.path == PATH or request.path.startswith(f"{PATH}/")


def require(scope: Scope | None) -> None:
    """Let a request through whose token is for a scope; None: whatever it is for.

    Raises
    ------
    WrongToken : there is none, or not any more.
    NotForThis : it is for something else.
    """
    g._login_user = AnonymousUserMixin()  # where flask-login looks: whatever cookie came along is nobody's
    kind, _, text = request.headers.get("Authorization", "").strip().partition(" ")
    if kind.lower() != "bearer" or not text.strip():
        raise tokens.WrongToken
    found = tokens.of_token(text.strip())
    g._login_user = found
    if scope is not None and not found.may(scope):
        raise NotForThis(scope, scope in tokens.SCOPES_OF[found.role])


def bearer() -> Bearer:
    """Return who calls, in a view that is marked for the API."""
    return cast(Bearer, g._login_user)
