"""Register, log in, log out, change the password, and the addresses that work once."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

from flask import Blueprint, current_app, flash, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_user, logout_user
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response

from app.extensions import limiter
from app.services import accounts
from app.services.audit import Action, record
from app.services.errors import Invalid, ServiceError
from app.services.identity import guessing, one_time, second_factor, sessions
from app.web.access import access
from app.web.auth.forms import ChangePasswordForm, CodeForm, LoginForm, NewPasswordForm, RegisterForm
from app.web.errors import show_at_field, show_in_form

bp = Blueprint("auth", __name__)


TICKET = "second_step"  # in the session of whose password was right

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
        return redirect(_target())
    form = LoginForm()
    device = request.cookies.get(current_app.config["DEVICE_COOKIE_NAME"], "")
    return _page(
        "auth/login.html",
        form,
        lambda: accounts.authenticate(form.username.data, form.password.data, request.remote_addr or "", device),
        go_on=lambda user: _ask_for_code(user) if user.second_factor else _open(user),
    )


def _ask_for_code(user: Any) -> Response:
    session.clear()
    session[TICKET] = second_factor.ticket(user)
    return redirect(url_for(".second_step", next=request.args.get("next")))


@bp.route("/login/code", methods=["GET", "POST"])
@access("public")
def second_step() -> ResponseReturnValue:
    """Log in with the second factor, after the password."""
    if (user := second_factor.user_of(session.get(TICKET, ""))) is None:
        flash("Enter your username and password first.", "info")
        return redirect(url_for(".login", next=request.args.get("next")))
    form = CodeForm()
    return _page("auth/second_step.html", form, lambda: second_factor.check(user, form.code.data))


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
    message = "Your password has been changed. You are logged out everywhere else, and your access tokens are revoked."
    return _page(
        "auth/change_password.html",
        form,
        lambda: accounts.change_password(current_user.id, form.current.data, form.password.data),
        message,
    )


@bp.post("/logout")
@access("account")
def logout() -> ResponseReturnValue:
    """End the session, and let the browser forget what it has kept of it."""
    record(Action.LOG_OUT)
    sessions.end(current_user.session_token)
    logout_user()
    session.clear()
    flash("You have logged out.", "info")
    response = redirect(url_for("home.index"))
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
            return go_on(account) if go_on else _open(account, message)
        except ServiceError as error:
            status = show_in_form(error, form)
    return render_template(template, form=form, **shown), status


def _open(user: Any, message: str = "") -> Response:
    """Begin a session of an account and go on; the browser is known to the account from now on."""
    sessions.begin(user, request.remote_addr or "", request.user_agent.string)
    session.clear()  # nothing of an earlier person's session may live on in this one
    goes_on = current_user.is_authenticated
    login_user(user)
    if not goes_on:
        record(Action.LOG_IN)
    if message:
        flash(message, "success")
    response = redirect(_target())
    response.set_cookie(
        name := current_app.config["DEVICE_COOKIE_NAME"],
        guessing.mark(request.cookies.get(name, ""), user.username),
        max_age=guessing.DEVICE_DAYS * 86400,
        secure=current_app.config["SESSION_COOKIE_SECURE"],
        httponly=True,
        samesite="Lax",
    )
    return response


def _target() -> str:
    """Return the page that was asked for before logging in, if it is one of ours."""
    target = request.args.get("next", "")
    # Browsers read //host, /\\host and /<tab>/host as another site.
    return target if re.fullmatch(r"/(?![/\\])[^\\\x00-\x20]*", target) else url_for("home.index")
