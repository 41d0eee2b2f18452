"""Opening an account in a browser, whatever showed that it is its owner's: one way for all."""

from __future__ import annotations

import re
from typing import Any

from flask import current_app, flash, make_response, redirect, render_template, request, session, url_for
from flask_login import current_user, login_user
from werkzeug.wrappers import Response

from app.services.audit import Action, record
from app.services.identity import guessing, provider, second_factor, sessions

TICKET = "second_step"  # in the session of whose password was right
BY_PROVIDER = "by_provider"  # and of whom single sign-on let in
LINKS = "links"  # and of who comes from a provider and showed a password: who opens the account from now on


def open_session(user: Any, message: str = "", by_provider: bool = False, goes_to: str | None = None) -> Response:
    """Begin a session of an account and go on; the browser is known to the account from now on.

    ``goes_to`` is the page that was asked for, where the address of this one does not name it.
    """
    sessions.begin(user, request.remote_addr or "", request.user_agent.string)
    session.clear()  # nothing of an earlier person's session may live on in this one
    goes_on = current_user.is_authenticated
    login_user(user)
    if by_provider:
        session[BY_PROVIDER] = True
    if not goes_on:
        record(Action.LOG_IN, "single sign-on" if by_provider else "")
    if message:
        flash(message, "success")
    response = redirect(target(goes_to))
    response.set_cookie(
        name := current_app.config["DEVICE_COOKIE_NAME"],
        guessing.mark(request.cookies.get(name, ""), user.username),
        max_age=guessing.DEVICE_DAYS * 86400,
        secure=current_app.config["SESSION_COOKIE_SECURE"],
        httponly=True,
        samesite="Lax",
    )
    return response


def ask_for_code(user: Any, goes_to: str | None = None, **kept: object) -> Response:
    """Ask for the second factor before a session begins; until then, the browser holds what is to be kept."""
    session.clear()
    session.update(kept)
    session[TICKET] = second_factor.ticket(user)
    return redirect(url_for("auth.second_step", next=goes_to or request.args.get("next")))


def going_on(address: str) -> Response:
    """Send a browser that has posted a form on to another site: a redirect would be refused, by the rule for forms."""
    return make_response(render_template("sign_on/going_on.html", address=address, settings=provider.settings()))


def target(asked: str | None = None) -> str:
    """Return the page that was asked for before logging in, if it is one of ours."""
    asked = request.args.get("next", "") if asked is None else asked
    # Browsers read //host, /\\host and /<tab>/host as another site.
    return asked if re.fullmatch(r"/(?![/\\])[^\\\x00-\x20]*", asked) else url_for("home.index")
