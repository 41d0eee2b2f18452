"""Whose token it is, and what it is for."""

from __future__ import annotations

from app.web.api.v1 import shapes
from app.web.api.v1.operations import operation
from app.web.bearer import bearer


@operation("GET", "/me", None, shapes.Me)
def get_me() -> shapes.Me:
    """Say whose token this is, and what it is for."""
    own = bearer()
    token = shapes.Token(own.token_name, sorted(own.scopes), own.expires)
    return shapes.Me(own.id, own.username, own.role.value, token)
