"""Register, log in, log out, change the password, and the set-up address of the first administrator."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_limiter.util import get_remote_address
from flask_login import current_user, login_user, logout_user
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response

from app.extensions import limiter
from app.services import accounts
from app.services.audit import Action, record
from app.services.errors import ServiceError
from app.services.identity import sessions
from app.web.access import access
from app.web.auth.forms import ChangePasswordForm, LoginForm, RegisterForm
from app.web.errors import show_at_field

bp = Blueprint("auth", __name__)


def _failed(response: Response) -> bool:
    """Tell the limiter what to count: every success is a redirect."""
    return response.status_code != 302


def _visitor_and_username() -> str:
    return f"{get_remote_address()} {request.form.get('username', '')[:254].strip().casefold()}"


def _visitor_and_account() -> str:
    return f"{get_remote_address()} {current_user.get_id()}"


# Who mistypes a few times is not stopped; who guesses is: at one account, or at many from one machine.
guessing_one_account = limiter.limit(
    "10 per 5 minutes", key_func=_visitor_and_username, methods=["POST"], deduct_when=_failed
)
guessing_many_accounts = limiter.limit("100 per hour", methods=["POST"], deduct_when=_failed)
guessing_own_password = limiter.limit(
    "10 per 5 minutes", key_func=_visitor_and_account, methods=["POST"], deduct_when=_failed
)
making_accounts = limiter.limit("60 per hour", methods=["POST"], deduct_when=lambda response: not _failed(response))


@bp.route("/login", methods=["GET", "POST"])
@access("public")
@guessing_one_account
@guessing_many_accounts
def login() -> ResponseReturnValue:
    """Log in and go to the page that was asked for."""
    if current_user.is_authenticated:
        return redirect(_target())
    form = LoginForm()
    return _page("auth/login.html", form, lambda: accounts.authenticate(form.username.data, form.password.data))


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
@guessing_many_accounts
def setup(token: str) -> ResponseReturnValue:
    """Make the first administrator."""
    accounts.check_setup_token(token)
    form = RegisterForm()
    message = "Kinelab is set up and you are its administrator."
    return _page("auth/setup.html", form, lambda: accounts.set_up(token, **form.answers()), message)


@bp.route("/password", methods=["GET", "POST"])
@access("user")
@guessing_own_password
def change_password() -> ResponseReturnValue:
    """Change the password; every session ends, and here a new one begins."""
    form = ChangePasswordForm()
    message = "Your password has been changed. You have been logged out everywhere else."
    return _page(
        "auth/change_password.html",
        form,
        lambda: accounts.change_password(current_user.id, form.current.data, form.password.data),
        message,
    )


@bp.post("/logout")
@access("user")
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


def _page(template: str, form: FlaskForm, open_account: Callable[[], Any], message: str = "") -> ResponseReturnValue:
    """Show a form; once its answers are right, start a session of the account that they open, and go on."""
    status = 422 if form.is_submitted() else 200
    if form.validate_on_submit():
        try:
            user = open_account()
        except ServiceError as error:
            status = error.status
            if not show_at_field(error, form):
                form.form_errors.append(str(error))
        else:
            goes_on = current_user.is_authenticated
            _begin_session(user)
            if not goes_on:
                record(Action.LOG_IN)
            if message:
                flash(message, "success")
            return redirect(_target())
    return render_template(template, form=form), status


def _begin_session(user: Any) -> None:
    session.clear()  # nothing of an earlier person's session may live on in this one
    sessions.begin(user, request.remote_addr or "", request.user_agent.string)
    login_user(user)


def _target() -> str:
    """Return the page that was asked for before logging in, if it is one of ours."""
    target = request.args.get("next", "")
    # Browsers read //host, /\\host and /<tab>/host as another site.
    return target if re.fullmatch(r"/(?![/\\])[^\\\x00-\x20]*", target) else url_for("home.index")
