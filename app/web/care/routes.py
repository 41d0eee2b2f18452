"""Whom a caregiver may see, and what a person lets whom see."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from app.extensions import limiter
from app.services.alarms import alarms
from app.services.audit import looked
from app.services.care import codes, consents
from app.services.care import people as seen
from app.services.errors import ServiceError
from app.services.live import hub
from app.web.access import access
from app.web.care.forms import ChangeForm, ConsentForm
from app.web.event_streams import event_stream

bp = Blueprint("care", __name__)
guessing_codes = limiter.limit("100 per hour", deduct_when=lambda response: response.status_code == 404)


@bp.get("/people")
@access("caregiver")
def people() -> str:
    """Show a caregiver the people who agreed to it: what each is doing now, and their open alarms."""
    live = alarms.live_for(current_user.id)
    agreed = consents.people_of(current_user.id)
    looked("state now", [person.id for person in agreed])
    return render_template(
        "care/people.html",
        people=agreed,
        alarms={person: [each for each in live if each.user_id == person] for person in {a.user_id for a in live}},
        code=codes.code_of(current_user),
        days=codes.DAYS,
    )


@bp.get("/people/events")
@access("caregiver")
def events() -> ResponseReturnValue:
    """Send what changes of the people whom a caregiver may see, as it happens."""
    caregiver_id = int(current_user.id)
    looked("state now", [person.id for person in consents.people_of(caregiver_id)])

    def since(last_id: int | None) -> Sequence[hub.Event]:
        stand = [[each.id, each.state, each.times] for each in alarms.live_for(caregiver_id)]
        return hub.since(caregiver_id, None, lambda: {"people": seen.states(caregiver_id), "alarms": stand})

    return event_stream(partial(seen.subscribe, caregiver_id), since)


@bp.get("/caregivers")
@access("user")
@guessing_codes
def caregivers() -> ResponseReturnValue:
    """Show who sees one's state and alarms, ask for a caregiver's code, and say what one would agree to."""
    caregiver, wrong = None, ""
    if entered := request.args.get("code", "").strip()[:40]:
        try:
            caregiver = codes.caregiver_of(entered)
        except ServiceError as error:
            wrong = str(error)
    return render_template(
        "care/caregivers.html",
        history=consents.history(current_user.id),
        texts=consents.TEXTS,
        version=consents.VERSION,
        with_days=consents.WITH_DAYS,
        changing=request.args.get("days", type=int),
        caregiver=caregiver,
        entered=entered,
        wrong=wrong,
    ), (404 if wrong else 200)


@bp.post("/caregivers")
@access("user")
@guessing_codes
def agree() -> ResponseReturnValue:
    """Agree that a caregiver sees one's state and alarms."""
    form = ConsentForm()
    if not form.validate():
        abort(422, "Enter your caregiver’s code, and agree on the page that follows.")
    try:
        version = form.days.data or form.version.data
        caregiver = consents.give(current_user.id, form.code.data, version)
    except ServiceError as error:
        flash(str(error), "danger")
    else:
        what = (
            "your state, your alarms and your days" if version == consents.WITH_DAYS else "your state and your alarms"
        )
        flash(f"{caregiver.username} sees {what} from now on.", "success")
    return redirect(url_for(".caregivers"))


@bp.post("/caregivers/<int:consent_id>/change")
@access("user")
def change(consent_id: int) -> ResponseReturnValue:
    """Let a caregiver see one's days, too, or no longer."""
    form = ChangeForm()
    if not form.validate():
        abort(422, "Read what they would see, and agree on that page.")
    consent = consents.change(current_user.id, consent_id, form.version.data)
    what = "your days, too" if consent.version == consents.WITH_DAYS else "your days no longer"
    flash(f"{consent.caregiver.username} sees {what}.", "success")
    return redirect(url_for(".caregivers"))


@bp.post("/caregivers/<int:consent_id>/withdraw")
@access("user")
def withdraw(consent_id: int) -> ResponseReturnValue:
    """Take back what a caregiver was allowed to see."""
    ended = consents.withdraw(current_user.id, consent_id)
    flash(f"{ended.caregiver} sees nothing of you any more.", "success")
    return redirect(url_for(".caregivers"))
