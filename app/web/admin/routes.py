"""The accounts and the audit log, for administrators."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from flask import Blueprint, Response, abort, current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from flask_wtf import FlaskForm

from app.services import accounts, audit_reading
from app.services.audit import Action, looked
from app.services.audit_reading import AuditQuery
from app.services.errors import NotFound, ServiceError
from app.services.identity import deletion, one_time, roles, second_factor, sessions
from app.services.privacy import erasing
from app.services.privacy import retention as kept_for
from app.web.access import access
from app.web.admin.forms import InvitationForm, RoleForm, StateForm
from app.web.auth.forms import OwnPasswordForm
from app.web.auth.owner import check_owner
from app.web.errors import show_in_form

bp = Blueprint("admin", __name__)


@bp.get("/users")
@access("admin")
def users() -> str:
    """List the accounts."""
    pages = accounts.list_users(request.args.get("page", 1, type=int))
    looked("list of accounts", [each.id for each in pages.items])
    return render_template("admin/users.html", pages=pages)


@bp.get("/users/<int:user_id>")
@access("admin")
def user(user_id: int) -> str:
    """Show an account, and what can be done with it."""
    looked("account", [user_id])
    return render_template(
        "admin/user.html", user=accounts.get(user_id), goes=deletion.belongings(user_id), roles=accounts.ROLES
    )


def _change(user_id: int, form: FlaskForm, change: Callable[[], ResponseReturnValue]) -> ResponseReturnValue:
    """Make a change of an account that asks for the administrator's own password, or say why not on its page."""
    if not form.validate():
        abort(422, "; ".join(error for errors in form.errors.values() for error in errors))
    try:
        if isinstance(form, OwnPasswordForm):
            check_owner(form.password.data, Action.ACCOUNT_CHANGED)
        return change()
    except NotFound:
        raise
    except ServiceError as error:
        flash(str(error), "danger")
        return user(user_id), error.status


@bp.post("/users/<int:user_id>/role")
@access("admin")
def set_role(user_id: int) -> ResponseReturnValue:
    """Make somebody an administrator, a user, or a caregiver."""
    form = RoleForm()

    def change() -> ResponseReturnValue:
        changed = roles.set_role(current_user.id, user_id, form.role.data)
        flash(f"{changed.username} is now {changed.role.in_words}.", "success")
        return redirect(url_for(".user", user_id=user_id))

    return _change(user_id, form, change)


@bp.post("/users/<int:user_id>/state")
@access("admin")
def set_state(user_id: int) -> ResponseReturnValue:
    """Disable an account, or enable it again."""
    form = StateForm()

    def change() -> ResponseReturnValue:
        changed = accounts.set_disabled(current_user.id, user_id, form.state.data == "disabled")
        flash(f"The account of {changed.username} is now {form.state.data}.", "success")
        return redirect(url_for(".user", user_id=user_id))

    return _change(user_id, form, change)


@bp.post("/users/<int:user_id>/log-out")
@access("admin")
def log_out_everywhere(user_id: int) -> ResponseReturnValue:
    """End all sessions of an account."""
    name = accounts.get(user_id).username
    sessions.end_all(user_id)
    flash(f"{name} is logged out everywhere.", "success")
    return redirect(url_for(".user", user_id=user_id))


@bp.post("/users/<int:user_id>/reset")
@access("admin")
def reset_password(user_id: int) -> ResponseReturnValue:
    """Make a one-time address at which somebody sets a new password, and show it."""

    def change() -> ResponseReturnValue:
        token = one_time.open_reset(user_id, current_user.id)
        name = accounts.get(user_id).username
        return _show_address("auth.reset", token, f"New password for {name}", f"{one_time.RESET_HOURS} hours", user_id)

    return _change(user_id, OwnPasswordForm(), change)


@bp.post("/users/<int:user_id>/second-factor")
@access("admin")
def switch_second_factor_off(user_id: int) -> ResponseReturnValue:
    """Switch the second factor of somebody off who has lost it."""

    def change() -> ResponseReturnValue:
        changed = second_factor.switch_off(user_id)
        flash(f"The second factor of {changed.username} is off.", "success")
        return redirect(url_for(".user", user_id=user_id))

    return _change(user_id, OwnPasswordForm(), change)


@bp.post("/users/<int:user_id>/delete")
@access("admin")
def delete_user(user_id: int) -> ResponseReturnValue:
    """Delete an account with everything that is its owner's."""

    def change() -> ResponseReturnValue:
        name = deletion.delete_other(current_user.id, user_id)
        flash(f"The account of {name} and everything in it have been deleted.", "success")
        return redirect(url_for(".users"))

    return _change(user_id, OwnPasswordForm(), change)


@bp.route("/invitations", methods=["GET", "POST"])
@access("admin")
def invitations() -> ResponseReturnValue:
    """Invite somebody with a role, and list the invitations that nobody has opened yet."""
    form = InvitationForm()
    status = 422 if form.is_submitted() else 200
    if form.validate_on_submit():
        try:
            check_owner(form.password.data, Action.INVITATION_MADE)
            token = one_time.invite(current_user.id, form.role.data)
            return _show_address("auth.invitation", token, "Invitation", f"{one_time.INVITATION_DAYS} days")
        except ServiceError as error:
            status = show_in_form(error, form)
    return render_template(
        "admin/invitations.html", form=form, invitations=one_time.open_invitations(), roles=accounts.ROLES
    ), status


@bp.post("/invitations/<int:invitation_id>/withdraw")
@access("admin")
def withdraw_invitation(invitation_id: int) -> ResponseReturnValue:
    """End an invitation before anybody has opened it."""
    one_time.withdraw(invitation_id)
    flash("The invitation is withdrawn.", "success")
    return redirect(url_for(".invitations"))


def _show_address(endpoint: str, token: str, title: str, kept: str, user_id: int | None = None) -> str:
    scheme = "https" if current_app.config["SESSION_COOKIE_SECURE"] else None
    address = url_for(endpoint, token=token, _external=True, _scheme=scheme)
    return render_template("admin/address.html", title=title, address=address, kept=kept, user_id=user_id)


@bp.route("/retention", methods=["GET", "POST"])
@access("admin")
def retention() -> ResponseReturnValue:
    """Show for how long what is kept, what other days would delete, and change it."""
    asked = {name: request.values.get(name, "") for name in kept_for.KINDS if name in request.values}
    changed: dict[str, int | None] = {}
    wrong, status = "", 200
    try:
        changed = kept_for.checked(asked)
        if request.method == "POST":
            kept_for.change(changed)
            flash("For how long what is kept is saved. What is too old is deleted within the hour.", "success")
            return redirect(url_for(".retention"))
    except ServiceError as error:
        wrong, status = str(error), error.status
    stand = kept_for.rules()
    return render_template(
        "admin/retention.html",
        previews=kept_for.preview(changed),
        is_preview=bool(changed) and any(stand.get(name) != days for name, days in changed.items()),
        wrong=wrong,
        erasures=erasing.erasures(),
    ), status


@bp.get("/audit")
@access("admin")
def audit() -> str:
    """Show the audit log, the newest entries first."""
    query = _audit_query()
    pages, too_long = audit_reading.find(query, request.args.get("page", 1, type=int))
    looked("audit log of one account", accounts.ids_of([query.actor]))
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
