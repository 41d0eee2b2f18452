"""The operations of the API, as their decorators have named them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask import Blueprint

from app.services.api.tokens import Scope

View = Callable[..., Any]

bp = Blueprint("api_v1", __name__)


@dataclass(frozen=True)
class Operation:
    """What is said of a view."""

    view: View
    scope: Scope | None
    gives: type | None
    status: int
    media: str  # of what is given where that is no plain JSON; "" otherwise
    also: dict[int, type]  # what is given with another status

    @property
    def takes(self) -> str:
        """Where what it takes comes from: "json", "form" or nothing."""
        return next((part for part in ("json", "form") if part in self.view.__annotations__), "")


operations: dict[str, Operation] = {}  # by endpoint
