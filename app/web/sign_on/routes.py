"""Single sign-on: to the provider and back, the first time, and what an account says of it."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, abort, current_app, flash, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from werkzeug.wrappers import Response

from app.extensions import limiter
from app.services import accounts
from app.services.audit import Action
from app.services.errors import ServiceError
from app.services.identity import provider, sign_on
from app.services.identity.provider import Identity
from app.web.access import access
from app.web.auth.forms import OwnPasswordForm
from app.web.auth.opening import BY_PROVIDER, LINKS, ask_for_code, going_on, open_session, target
from app.web.auth.owner import CONFIRMED, check_owner
from app.web.auth.routes import making_accounts
from app.web.errors import flashed, show_in_form
from app.web.sign_on.forms import LinkForm, NewAccountForm

bp = Blueprint("sign_on", __name__)

FLOWS = "sign_on"  # in the session: by state, what was sent to the provider and not come back yet
NEWCOMER = "newcomer"  # and who came back and has no account here
OPEN_FLOWS = 3  # of one browser, in several windows
LONGEST_TARGET = 500  # a browser drops a cookie of more than 4 kB
LOG_IN, LINK, CONFIRM = "log in", "link", "confirm"  # what somebody is sent to the provider for


def _to_log_in(response: Response) -> bool:
    return urlsplit(response.location or "").path == "/login"


# A right answer of the provider costs it and this server some work; so does a wrong one
guessing_answers = limiter.limit("100 per hour", deduct_when=_to_log_in)


@bp.before_request
def only_with_a_provider() -> None:
    """Without a provider there is no such page."""
    if current_app.config["OIDC"] is None:
        abort(404)


@bp.post("/login/provider")
@access("public")
def begin() -> ResponseReturnValue:
    """Send a browser to the provider to log in."""
    if current_user.is_authenticated:
        return redirect(target())
    with flashed(ServiceError):
        return going_on(_send(LOG_IN, target()))
    return redirect(url_for("auth.login", next=request.args.get("next")))


def _send(what_for: str, goes_to: str) -> str:
    """Return the address at the provider, and let the browser keep what it needs when it comes back."""
    fresh = what_for == CONFIRM
    goes_to = goes_to if len(goes_to) <= LONGEST_TARGET else url_for("home.index")
    address, state, kept = provider.begin(_back(), fresh)
    flow = {**kept, "what_for": what_for, "goes_to": goes_to, "user_id": current_user.get_id() and current_user.id}
    earlier = list(session.get(FLOWS, {}).items())[-OPEN_FLOWS + 1 :]
    session[FLOWS] = dict([*earlier, (state, flow)])
    return address


def _back() -> str:
    scheme = "https" if current_app.config["SESSION_COOKIE_SECURE"] else None
    return url_for("sign_on.come_back", _external=True, _scheme=scheme)


@bp.get("/login/provider/back")
@access("public")
@guessing_answers
def come_back() -> ResponseReturnValue:
    """Take whoever comes back from the provider."""
    flows = session.get(FLOWS, {})
    flow = flows.get(state := request.args.get("state", ""))
    session[FLOWS] = {name: kept for name, kept in flows.items() if name != state}  # each works once
    if flow is not None and flow["what_for"] != LOG_IN:
        return _come_back_inside(flow)
    if current_user.is_authenticated:
        return redirect(url_for("home.index"))
    with flashed(ServiceError):
        if flow is None:
            raise provider.refused("This was not begun in this browser, or it was used before. Begin again.", "state")
        identity = provider.finish(request.args, flow, _back())
        return _let_in(identity, flow["goes_to"])
    return redirect(url_for("auth.login", next=flow["goes_to"] if flow else None))


def _let_in(identity: Identity, goes_to: str) -> Response:
    user: Any = sign_on.opened_by(identity)
    if user is None:
        session[NEWCOMER] = sign_on.ticket(identity)
        return redirect(url_for(".first_time", next=goes_to))
    if user.second_factor and not identity.second_factor:
        return ask_for_code(user, goes_to, **{BY_PROVIDER: True})
    return open_session(user, by_provider=True, goes_to=goes_to)


def _come_back_inside(flow: dict[str, Any]) -> ResponseReturnValue:
    """Take somebody who was logged in when they left, and still is."""
    if not current_user.is_authenticated or current_user.id != flow["user_id"]:
        flash("You have been logged out meanwhile. Nothing was changed.", "danger")
        return redirect(url_for("auth.login"))
    fresh = flow["what_for"] == CONFIRM
    with flashed(ServiceError):
        identity = provider.finish(request.args, flow, _back(), fresh)
        if fresh:
            if not sign_on.is_of(identity, current_user.id):
                raise provider.refused("You logged in there as somebody else.", "somebody else", current_user.username)
            session[CONFIRMED] = time.time()
            flash("It is you. For five minutes you are not asked again.", "success")
        else:
            sign_on.link(identity, current_user.id)
            flash("From now on you can log in in both ways.", "success")
    return redirect(target(flow["goes_to"]))


@bp.route("/login/provider/first-time", methods=["GET", "POST"])
@access("public")
@making_accounts
def first_time() -> ResponseReturnValue:
    """Make an account for somebody whom the provider knows, or link the one that they have."""
    if current_user.is_authenticated:
        return redirect(target())
    if (identity := sign_on.identity_of(session.get(NEWCOMER, ""))) is None:
        flash("That took too long. Log in again.", "info")
        return redirect(url_for("auth.login", next=request.args.get("next")))
    role, settings = sign_on.role_of(identity), provider.settings()
    new = NewAccountForm(identity.email, **_begun(identity))
    own = LinkForm()
    may_be_new = settings.new_accounts and not sign_on.has_account(identity)
    status = 422 if request.method == "POST" else 200
    if may_be_new and new.submit.data and new.validate():
        try:
            user = sign_on.make_account(identity, **new.answers())
            return open_session(user, "Your account is ready.", by_provider=True)
        except ServiceError as error:
            status = show_in_form(error, new)
    elif own.submit.data and own.validate():
        try:
            return _link(identity, own)
        except ServiceError as error:
            status = show_in_form(error, own)
    return render_template(
        "sign_on/first_time.html", new=new if may_be_new else None, own=own, identity=identity, role=role
    ), status


def _begun(identity: Identity) -> dict[str, str]:
    return {name: text for name, text in sign_on.asked_of(identity).items() if text}


def _link(identity: Identity, form: LinkForm) -> Response:
    device = request.cookies.get(current_app.config["DEVICE_COOKIE_NAME"], "")
    user = accounts.authenticate(form.username.data or "", form.password.data or "", request.remote_addr or "", device)
    if user.second_factor:
        return ask_for_code(user, target(), **{BY_PROVIDER: True, LINKS: sign_on.ticket(identity)})
    return open_session(sign_on.link_and_open(identity, user.id), by_provider=True)


@bp.get("/account/single-sign-on")
@access("account")
def show() -> str:
    """Say whether somebody of the provider opens one's account."""
    link = sign_on.link_of(current_user.id)
    return render_template("sign_on/account.html", link=link, goes_to=request.args.get("next"))


@bp.post("/account/single-sign-on/<any(link, unlink, confirm):action>")
@access("account")
def change(action: str) -> ResponseReturnValue:
    """Go to the provider to link the account or to confirm that it is one's own, or unlink it."""
    form = OwnPasswordForm()
    here = url_for(".show")
    if not (action == "confirm" or form.validate()):
        abort(422, "Enter your password.")
    with flashed(ServiceError):
        if action == "confirm":
            return going_on(_send(CONFIRM, target() if "next" in request.args else here))
        check_owner(form.password.data, Action.IDENTITY_LINKED if action == "link" else Action.IDENTITY_UNLINKED)
        if action == "link":
            return going_on(_send(LINK, here))
        sign_on.unlink(current_user.id)
        flash("Only your password opens this account from now on.", "success")
    return redirect(here)
