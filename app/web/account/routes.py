"""One's own account: its details, its second factor, where it is logged in, and its end."""

from __future__ import annotations

from flask import (
    Blueprint,
    Response,
    abort,
    flash,
    redirect,
    render_template,
    request,
    session,
    stream_with_context,
    url_for,
)
from flask.typing import ResponseReturnValue
from flask_login import current_user, logout_user

from app.services import accounts, audit_reading
from app.services import consents as agreed
from app.services.api import tokens
from app.services.audit import Action
from app.services.care import consents as care
from app.services.errors import Conflict, Forbidden, Invalid, ServiceError
from app.services.identity import deletion, sessions
from app.services.identity import second_factor as factor
from app.services.interchange import everything as all_activities
from app.services.interchange import fhir
from app.services.personal import consents, taken_back
from app.services.privacy import belongings, exporting, retention, withdrawing
from app.services.purposes import Purpose
from app.services.subscriptions import subscriptions
from app.web.access import access
from app.web.account.forms import SecondFactorForm, SubscriptionForm, TokenForm
from app.web.auth.forms import DetailsForm, OwnPasswordForm
from app.web.auth.owner import check_owner
from app.web.downloads import named, one_of_few, reader_zone
from app.web.errors import flashed, show_in_form

bp = Blueprint("account", __name__)
SALT = "second_factor_salt"  # in the session of who is about to switch a second factor on


@bp.route("/", methods=["GET", "POST"])
@access("account")
def details() -> ResponseReturnValue:
    """Show what the account says of its owner, and let them correct it."""
    form = DetailsForm(obj=current_user)
    status = 422 if form.is_submitted() else 200
    if form.validate_on_submit():
        try:
            accounts.change_details(current_user.id, **form.details())
        except ServiceError as error:
            status = show_in_form(error, form)
        else:
            flash("Your details are saved.", "success")
            return redirect(url_for(".details"))
    return render_template("account/details.html", form=form), status


@bp.route("/delete", methods=["GET", "POST"])
@access("account")
def delete() -> ResponseReturnValue:
    """Delete the account with everything that is its owner's."""
    form = OwnPasswordForm()
    status = 422 if form.is_submitted() else 200
    if form.validate_on_submit():
        try:
            check_owner(form.password.data, Action.ACCOUNT_DELETED)
            deletion.delete_own(current_user.id)
        except ServiceError as error:
            status = show_in_form(error, form)
        else:
            logout_user()
            session.clear()
            flash("Your account and everything in it have been deleted.", "info")
            return redirect(url_for("home.index"))
    learnt = [one for consent in consents.history(current_user.id) for one in taken_back.learnt_from(consent)]
    goes = deletion.belongings(current_user.id)
    return render_template("account/delete.html", form=form, goes=goes, learnt=learnt), status


@bp.route("/second-factor", methods=["GET", "POST"])
@access("account")
def second_factor() -> ResponseReturnValue:
    """Show whether a code is asked for beside the password, and let it be switched on."""
    if current_user.second_factor:
        return render_template("account/second_factor.html", left=factor.codes_left(current_user.id))
    salt = session.setdefault(SALT, factor.new_salt())
    form = SecondFactorForm()
    status = 422 if form.is_submitted() else 200
    if form.validate_on_submit():
        try:
            check_owner(form.password.data, Action.SECOND_FACTOR)
            codes = factor.switch_on(current_user.id, salt, form.code.data, current_user.session_token)
        except ServiceError as error:
            status = show_in_form(error, form)
        else:
            del session[SALT]
            return render_template("account/recovery_codes.html", codes=codes)
    user = accounts.get(current_user.id)
    qr_code, secret = factor.qr_code(user, salt), factor.secret_of(user, salt)
    return render_template("account/second_factor_on.html", form=form, qr_code=qr_code, secret=secret), status


@bp.post("/second-factor/<any(codes, off):action>")
@access("account")
def change_second_factor(action: str) -> ResponseReturnValue:
    """Make new recovery codes, or switch the second factor off."""
    form = OwnPasswordForm()
    if not form.validate():
        abort(422, "Enter your password.")
    try:
        check_owner(form.password.data, Action.SECOND_FACTOR)
        if action == "codes":
            return render_template("account/recovery_codes.html", codes=factor.renew_codes(current_user.id))
        factor.switch_off(current_user.id)
    except ServiceError as error:
        flash(str(error), "danger")
        return render_template("account/second_factor.html", left=factor.codes_left(current_user.id)), error.status
    flash("The second factor is off.", "success")
    return redirect(url_for(".second_factor"))


@bp.get("/sessions")
@access("account")
def list_sessions() -> str:
    """Show where one is logged in."""
    token = current_user.session_token
    own = [(session, sessions.is_of(session, token)) for session in sessions.list_sessions(current_user.id)]
    return render_template("account/sessions.html", sessions=own)


@bp.post("/sessions/<int:session_id>/end")
@access("account")
def end_session(session_id: int) -> ResponseReturnValue:
    """End one of one's own sessions."""
    with flashed(Invalid, Forbidden):
        _check_owner_ends_sessions()
        sessions.end_one(current_user.id, session_id)
        flash("The session has ended.", "success")
    return redirect(url_for(".list_sessions"))


@bp.post("/sessions/end-others")
@access("account")
def end_other_sessions() -> ResponseReturnValue:
    """End all of one's own sessions but this one."""
    with flashed(Invalid, Forbidden):
        _check_owner_ends_sessions()
        sessions.end_others(current_user.id, current_user.session_token)
        flash("You are logged out everywhere else.", "success")
    return redirect(url_for(".list_sessions"))


def _check_owner_ends_sessions() -> None:
    form = OwnPasswordForm()
    if not form.validate():
        abort(422, "Enter your password.")
    check_owner(form.password.data, Action.SESSION_ENDED)


@bp.get("/data")
@access("account")
def data() -> str:
    """Say what is kept of one, and lead to all that can be done about it."""
    counts = belongings.counts(current_user.id)
    titles = {kept.title: counts[name] for name, kept in belongings.TABLES.items() if name in counts}
    kept_for = [each for each in retention.preview() if each.days is not None]
    return render_template("account/data.html", counts=titles, kept_for=kept_for)


@bp.get("/everything.zip")
@access("account")
def everything() -> Response:
    """Download everything that is kept of one, made while it is sent."""
    content = stream_with_context(exporting.zipped(current_user.id))
    return one_of_few(named(Response(content, mimetype="application/zip"), "everything-about-me.zip"))


@bp.get("/activities.json")
@access("user")
def activities() -> ResponseReturnValue:
    """Download all of one's activities, or those of a day, as a FHIR bundle that is made while it is sent."""
    try:
        day = all_activities.day_of(wanted) if (wanted := request.args.get("date", "").strip()) else None
    except Invalid as error:
        flash(str(error), "danger")
        return redirect(url_for(".data"))
    content = stream_with_context(all_activities.as_json(current_user.id, day, reader_zone()))
    response = Response(content, mimetype=fhir.MEDIA_TYPE)
    return one_of_few(named(response, f"activities{f'-{day}' if day else ''}-fhir.json"))


@bp.get("/looked")
@access("account")
def looked() -> str:
    """Show who else looked at what is one's own, or changed it."""
    return render_template("account/looked.html", looks=audit_reading.looks_at(current_user.id, current_user.username))


@bp.get("/consents")
@access("user")
def list_consents() -> str:
    """Show what one agreed to, by purpose, with the texts."""
    stand = [
        (purpose, agreed.current(purpose, current_user.id), texts, agreed.version_of(purpose))
        for purpose, texts in agreed.TEXTS.items()
    ]
    return render_template(
        "account/consents.html",
        stand=stand,
        history=[(Purpose(each.purpose), each) for each in agreed.history(current_user.id)],
        shares=consents.current(current_user.id),
        caregivers=care.caregivers_of(current_user.id),
    )


@bp.post("/consents/<any(recognition, live, federation):purpose>/<any(give, withdraw):action>")
@access("user")
def change_consent(purpose: str, action: str) -> ResponseReturnValue:
    """Agree to a purpose, or take it back."""
    chosen = Purpose[purpose.upper()]
    try:
        if action == "give":
            agreed.give(chosen, current_user.id, request.form.get("version", 0, type=int))
        else:
            withdrawing.withdraw(chosen, current_user.id)
    except ServiceError as error:
        flash(str(error), "danger")
    else:
        said = "You agree from now on" if action == "give" else "You have taken it back"
        flash(f"{said}: {chosen.in_words.lower()}.", "success")
    return redirect(url_for(".list_consents"))


@bp.get("/tokens")
@access("account")
def list_tokens() -> str:
    """List the tokens that one's programs use the API with."""
    return _tokens_page(TokenForm())


@bp.post("/tokens")
@access("account")
def make_token() -> ResponseReturnValue:
    """Make a token; it is on the page that follows, once."""
    form = TokenForm()
    if not form.validate_on_submit():
        return _tokens_page(form), 422
    try:
        check_owner(form.password.data, Action.TOKEN_MADE)
        token, text = tokens.make(current_user.id, form.name.data or "", form.scopes.data or [], form.days.data)
    except ServiceError as error:
        status = show_in_form(error, form)
        return _tokens_page(form), status
    return render_template("account/token.html", token=token, text=text, address=request.host_url.rstrip("/"))


@bp.post("/tokens/<int:token_id>/revoke")
@access("account")
def revoke_token(token_id: int) -> ResponseReturnValue:
    """Take a token no more."""
    tokens.revoke(current_user.id, token_id)
    flash("The token is revoked: nothing can be done with it any more.", "success")
    return redirect(url_for(".list_tokens"))


def _tokens_page(form: TokenForm) -> str:
    return render_template("account/tokens.html", form=form, tokens=tokens.list_tokens(current_user.id))


@bp.get("/subscriptions")
@access("user")
def list_subscriptions() -> str:
    """List the programs that are told when something happens to one's recordings."""
    return _subscriptions_page(SubscriptionForm())


@bp.post("/subscriptions")
@access("user")
def add_subscription() -> ResponseReturnValue:
    """Add a program; the secret that signs what it is told is on the page that follows, once."""
    form = SubscriptionForm()
    if not form.validate_on_submit():
        return _subscriptions_page(form), 422
    try:
        _, secret = subscriptions.add(current_user.id, form.url.data or "", form.events.data or [])
    except ServiceError as error:
        status = show_in_form(error, form)
        return _subscriptions_page(form), status
    return _subscriptions_page(SubscriptionForm(formdata=None), secret)


@bp.post("/subscriptions/<int:subscription_id>/<any(test, on, off, remove):action>")
@access("user")
def change_subscription(subscription_id: int, action: str) -> ResponseReturnValue:
    """Test a program, switch it on or off, or remove it."""
    user_id = current_user.id
    with flashed(Conflict):
        if action == "test":
            subscriptions.test(user_id, subscription_id)
            flash("A test is on the way. Load this page again in a moment to see whether it was taken.", "success")
        elif action == "remove":
            subscriptions.remove(user_id, subscription_id)
            flash("The program is told nothing any more.", "success")
        else:
            subscriptions.switch(user_id, subscription_id, action == "on")
            flash("Switched on." if action == "on" else "Switched off: the program is told nothing.", "success")
    return redirect(url_for(".list_subscriptions"))


def _subscriptions_page(form: SubscriptionForm, secret: str = "") -> str:
    own = subscriptions.list_of(current_user.id)
    return render_template("account/subscriptions.html", form=form, subscriptions=own, secret=secret)


@bp.get("/sharing")
@access("user")
def sharing() -> ResponseReturnValue:
    """Say what sharing corrections means, and whether one does."""
    consent = consents.current(current_user.id)
    version = consent.version if consent else consents.VERSION
    taken_back.begin()  # what could not be done before
    so_far = consents.history(current_user.id)
    return render_template(
        "account/sharing.html",
        consent=consent,
        text=consents.TEXTS[version],
        version=version,
        history=[(one, taken_back.copies_of(one), taken_back.learnt_from(one)) for one in so_far],
    )


@bp.post("/sharing")
@access("user")
def share() -> ResponseReturnValue:
    """Agree that administrators see one's corrections."""
    shown = next((version for version in consents.TEXTS if str(version) == request.form.get("version")), 0)
    try:
        consents.give(current_user.id, shown)
    except ServiceError as error:
        flash(str(error), "danger")
    else:
        flash("You share your corrections from now on. You can take it back here at any time.", "success")
    return redirect(url_for(".sharing"))


@bp.post("/sharing/stop")
@access("user")
def stop_sharing() -> ResponseReturnValue:
    """Take back that administrators see one's corrections."""
    consents.withdraw(current_user.id)
    taken_back.begin()
    flash("Your corrections are yours alone again. What data sets hold of them is being taken out.", "success")
    return redirect(url_for(".sharing"))
