"""Register, log in, log out, change the password, and the addresses that work once."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from flask import Blueprint, current_app, flash, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user, logout_user
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response

from app.extensions import limiter
from app.services import accounts
from app.services.audit import Action, record
from app.services.errors import Invalid, ServiceError
from app.services.identity import one_time, provider, second_factor, sessions, sign_on
from app.services.live import devices
from app.web.access import access
from app.web.auth import owner
from app.web.auth.forms import ChangePasswordForm, CodeForm, LoginForm, NewPasswordForm, RegisterForm
from app.web.auth.opening import BY_PROVIDER, LINKS, TICKET, ask_for_code, going_on, open_session, target
from app.web.errors import show_at_field, show_in_form

bp = Blueprint("auth", __name__)


# Wrong passwords are counted by services/identity/guessing.py; this is about who makes many accounts or addresses up.
making_accounts = limiter.limit(
    "60 per hour", methods=["POST"], deduct_when=lambda response: response.status_code == 302
)
guessing_addresses = limiter.limit("100 per hour", deduct_when=lambda response: response.status_code == 404)


@bp.route("/login", methods=["GET", "POST"])
@access("public")
def login() -> ResponseReturnValue:
    """Log in and go to the page that was asked for."""
    if current_user.is_authenticated:
        return redirect(target())
    form = LoginForm()
    device = request.cookies.get(current_app.config["DEVICE_COOKIE_NAME"], "")
    return _page(
        "auth/login.html",
        form,
        lambda: accounts.authenticate(form.username.data, form.password.data, request.remote_addr or "", device),
        go_on=lambda user: ask_for_code(user) if user.second_factor else open_session(user),
    )


@bp.route("/login/code", methods=["GET", "POST"])
@access("public")
def second_step() -> ResponseReturnValue:
    """Log in with the second factor, after the password."""
    if (user := second_factor.user_of(session.get(TICKET, ""))) is None:
        flash("Enter your username and password first.", "info")
        return redirect(url_for(".login", next=request.args.get("next")))
    form = CodeForm()
    return _page("auth/second_step.html", form, lambda: second_factor.check(user, form.code.data), go_on=_after_code)


def _after_code(user: Any) -> Response:
    """Open an account whose owner showed both; one that single sign-on is to open from now on is linked first."""
    if (identity := sign_on.identity_of(session.get(LINKS, ""))) is not None:
        user = sign_on.link_and_open(identity, user.id)
    return open_session(user, by_provider=bool(session.get(BY_PROVIDER)))


@bp.route("/register", methods=["GET", "POST"])
@access("public")
@making_accounts
def register() -> ResponseReturnValue:
    """Make a user's account and open it."""
    if current_user.is_authenticated:
        return redirect(url_for("home.index"))
    form = RegisterForm()
    return _page("auth/register.html", form, lambda: accounts.register(**form.answers()), "Your account is ready.")


@bp.route("/setup/<token>", methods=["GET", "POST"])
@access("public")
@guessing_addresses
def setup(token: str) -> ResponseReturnValue:
    """Make the first administrator."""
    accounts.check_setup_token(token)
    form = RegisterForm()
    message = "Kinelab is set up and you are its administrator."
    return _page("auth/setup.html", form, lambda: accounts.set_up(token, **form.answers()), message)


@bp.route("/invitation/<token>", methods=["GET", "POST"])
@access("public")
@guessing_addresses
def invitation(token: str) -> ResponseReturnValue:
    """Make the account that an invitation is for."""
    invited = one_time.get_invitation(token)
    form = RegisterForm()
    accept = partial(one_time.accept, token)
    accepted = "Your account is ready."
    return _page("auth/invitation.html", form, lambda: accept(**form.answers()), accepted, invitation=invited)


@bp.route("/reset/<token>", methods=["GET", "POST"])
@access("public")
@guessing_addresses
def reset(token: str) -> ResponseReturnValue:
    """Set a new password at an address that an administrator made; one logs in with it then."""
    user = one_time.get_reset(token)
    form = NewPasswordForm()
    status = 422 if form.is_submitted() else 200
    if form.validate_on_submit():
        try:
            one_time.reset_password(token, form.password.data)
        except Invalid as error:
            show_at_field(error, form)
        else:
            flash("Your password has been changed. Log in with it.", "success")
            return redirect(url_for(".login"))
    return render_template("auth/reset.html", form=form, username=user.username), status


@bp.route("/password", methods=["GET", "POST"])
@access("account")
def change_password() -> ResponseReturnValue:
    """Change the password; every session ends, and here a new one begins."""
    form = ChangePasswordForm()
    if not devices.in_use(current_user.id):
        del form.devices

    def change() -> Any:
        user_id, stops = current_user.id, form.devices and form.devices.data
        account = owner.set_password(form.current.data or "", form.password.data)
        if stops:
            devices.revoke_all(user_id)
        return account

    message = "Your password has been changed. You are logged out everywhere else, and your access tokens are revoked."
    return _page("auth/change_password.html", form, change, message)


@bp.post("/logout")
@access("account")
def logout() -> ResponseReturnValue:
    """End the session, and let the browser forget what it has kept of it."""
    record(Action.LOG_OUT)
    sessions.end(current_user.session_token)
    logout_user()
    by_provider = session.get(BY_PROVIDER)
    session.clear()
    flash("You have logged out.", "info")
    there = provider.end_address(url_for(".login", _external=True)) if by_provider else None
    response = going_on(there) if there else redirect(url_for("home.index"))
    # Not the cookies: that would take along what was said just now, and the time zone.
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response


def _page(
    template: str,
    form: FlaskForm,
    open_account: Callable[[], Any],
    message: str = "",
    go_on: Callable[[Any], Response] | None = None,
    **shown: object,
) -> ResponseReturnValue:
    """Show a form; once its answers are right, start a session of the account that they open, and go on."""
    status = 422 if form.is_submitted() else 200
    if form.validate_on_submit():
        try:
            account = open_account()
            return go_on(account) if go_on else open_session(account, message)
        except ServiceError as error:
            status = show_in_form(error, form)
    return render_template(template, form=form, **shown), status
