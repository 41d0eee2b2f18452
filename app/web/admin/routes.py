"""The accounts and the audit log, for administrators."""

from __future__ import annotations

from datetime import date
from typing import Any

from flask import Blueprint, Response, abort, current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from app.services import accounts, audit_reading
from app.services.audit import Action
from app.services.audit_reading import AuditQuery
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


@bp.get("/audit")
@access("admin")
def audit() -> str:
    """Show the audit log, the newest entries first."""
    query = _audit_query()
    pages, too_long = audit_reading.find(query, _page_number())
    return render_template(
        "admin/audit.html",
        query=query,
        asked=_asked(query),
        pages=pages,
        too_long=too_long,
        actions=[action.value for action in Action],
        days=current_app.config["AUDIT_DAYS"],
    )


@bp.get("/audit.<any(csv, jsonl):file_format>")
@access("admin")
def download_audit(file_format: str) -> Response:
    """Download what the page shows, all pages of it."""
    query = _audit_query()
    if file_format == "csv":
        response = Response(audit_reading.as_csv(query), mimetype="text/csv")
    else:
        response = Response(audit_reading.as_json_lines(query), mimetype="application/jsonl")
    response.headers.set("Content-Disposition", "attachment", filename=f"kinelab-audit.{file_format}")
    return response


def _audit_query() -> AuditQuery:
    """Take what is sound from an address; a day that is none counts as any."""

    def day(name: str) -> date | None:
        return request.args.get(name, type=date.fromisoformat)

    actor = request.args.get("actor", "").strip()[:100]
    actor = actor if actor.startswith("(") else actor.casefold()  # as names of accounts are stored
    return AuditQuery(request.args.get("action", "")[:100], actor, day("first"), day("last"))


def _asked(query: AuditQuery) -> dict[str, Any]:
    return {name: value for name, value in vars(query).items() if value}
