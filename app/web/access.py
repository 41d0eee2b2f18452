"""Who may open a route. A route without a mark is refused, and a test walks the URL map."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeVar

from flask import abort, current_app, request
from flask_login import current_user

from app.extensions import login_manager
from app.web import bearer

Access = Literal["public", "token", "api", "account", "user", "caregiver", "admin"]
View = TypeVar("View", bound=Callable[..., Any])
PUBLIC_ENDPOINTS = {"static", "bootstrap.static"}  # Flask's and the packages' own assets


def access(level: Access, files: bool = False) -> Callable[[View], View]:
    """Mark a view with who may open it, and whether it takes files.

    ``public``: anyone. ``token``: devices, whose token the view itself looks at. ``api``: programs with a token of its
    ``scope``. ``account``: whoever is logged in.
    ``user``: who has recordings of their own, as users and administrators may. ``caregiver``: caregivers alone, who
    see of others what these agreed to. ``admin``: administrators.
    """

    def mark(view: View) -> View:
        view.access = level  # type: ignore[attr-defined]
        view.takes_files = files  # type: ignore[attr-defined]
        return view

    return mark


def access_of(endpoint: str | None) -> Access | None:
    """Return the mark of an endpoint's view, None when it has none or there is no such page."""
    if endpoint in PUBLIC_ENDPOINTS:
        return "public"
    return getattr(current_app.view_functions.get(endpoint or ""), "access", None)


def takes_files(endpoint: str | None) -> bool:
    """Tell whether an endpoint's view takes files; others get nothing but forms."""
    return getattr(current_app.view_functions.get(endpoint or ""), "takes_files", False)


def scope_of(endpoint: str) -> Any:
    """Return the scope that an endpoint of the API asks for; None: whatever a token is for."""
    view: Any = current_app.view_functions[endpoint]
    return view.scope


def enforce_access() -> Any:
    """Let a request through only when its view's mark allows it."""
    if request.endpoint is None:
        return None  # no such page: 404 follows
    level = access_of(request.endpoint)
    if level in ("public", "token"):
        return None
    if level is None:
        abort(403)
    if level == "api":
        return bearer.require(scope_of(request.endpoint))
    if not current_user.is_authenticated:
        return login_manager.unauthorized()
    if level == "admin" and not current_user.is_admin:
        abort(403, "This page is for administrators.")
    if level == "caregiver" and not current_user.is_caregiver:
        abort(403, "This page is for caregivers.")
    if level == "user" and current_user.is_caregiver:
        abort(403, "Caregivers see the people who agreed to it, and nothing else.")
    return None
