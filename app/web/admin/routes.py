"""The accounts, for administrators."""

from __future__ import annotations

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from app.services import accounts
from app.services.errors import ServiceError
from app.web.access import access
from app.web.admin.forms import RoleForm, StateForm

bp = Blueprint("admin", __name__)


@bp.get("/users")
@access("admin")
def users() -> str:
    """List the accounts."""
    return _users()


@bp.post("/users/<int:user_id>/role")
@access("admin")
def set_role(user_id: int) -> ResponseReturnValue:
    """Make somebody an administrator, or a user."""
    form = RoleForm()
    if not form.validate():
        abort(422, "The role must be admin or user.")
    try:
        user = accounts.set_role(current_user.id, user_id, form.role.data)
    except ServiceError as error:
        flash(str(error), "danger")
        return _users(), error.status
    flash(f"{user.username} is now {'an administrator' if user.is_admin else 'a user'}.", "success")
    return redirect(_back())


@bp.post("/users/<int:user_id>/state")
@access("admin")
def set_state(user_id: int) -> ResponseReturnValue:
    """Disable an account, or enable it again."""
    form = StateForm()
    if not form.validate():
        abort(422, "The state must be enabled or disabled.")
    try:
        user = accounts.set_disabled(current_user.id, user_id, form.state.data == "disabled")
    except ServiceError as error:
        flash(str(error), "danger")
        return _users(), error.status
    flash(f"The account of {user.username} is now {form.state.data}.", "success")
    return redirect(_back())


def _users() -> str:
    return render_template("admin/users.html", pages=accounts.list_users(_page_number()))


def _back() -> str:
    return url_for(".users", page=_page_number())


def _page_number() -> int:
    return request.args.get("page", 1, type=int)
