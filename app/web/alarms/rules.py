"""By which rules a person's alarms are raised, and a test of who is told."""

from __future__ import annotations

import time
from zoneinfo import available_timezones

from flask import abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from app.services import falls
from app.services.alarms import rules as alarm_rules
from app.services.alarms import targets, usual_heart
from app.services.alarms.words import KINDS
from app.services.care import consents, messages
from app.services.errors import Invalid
from app.services.formatting import capitalise
from app.web.access import access
from app.web.alarms import words
from app.web.alarms.blueprint import bp
from app.web.downloads import reader_zone


@bp.get("/alarms/rules")
@access("user")
def rules() -> str:
    """Show a person's rules."""
    return _page()


def _page(kind: str = "", error: Invalid | None = None) -> str:
    return render_template(
        "alarms/rules.html",
        rules=alarm_rules.all_of(current_user.id),
        fields=alarm_rules.FIELDS,
        kinds={kind: capitalise(name) for kind, name in KINDS.items()},
        about=words.ABOUT,
        quiet=alarm_rules.QUIET,
        can_wait=[KINDS[each] for each in alarm_rules.CAN_WAIT],
        method=falls.method_in_words(),
        fall=messages.fall_limit_of(current_user.id),
        usual_hearts=usual_heart.of(current_user.id, time.time()),
        verdicts=messages.verdicts_of(current_user.id),
        caregivers=consents.caregivers_of(current_user.id),
        targets=targets.list_of(current_user.id),
        zones=sorted(available_timezones()),
        reader_zone=reader_zone(),
        wrong=kind,
        error=error,
    )


@bp.post("/alarms/rules/<kind>")
@access("user")
def change_rule(kind: str) -> ResponseReturnValue:
    """Change one rule."""
    if kind not in alarm_rules.FIELDS:
        abort(404)
    names = [each.name for each in alarm_rules.FIELDS[kind] if each.name in request.form]
    settings = {name: request.form[name][:60] for name in names}
    try:
        alarm_rules.change(current_user.id, kind, "switched_on" in request.form, settings)
    except Invalid as error:
        return _page(kind, error), error.status
    flash("The rule is saved. It holds from now on.", "success")
    return redirect(url_for(".rules", _anchor=kind))


@bp.post("/alarms/rules/test")
@access("user")
def test_everybody() -> ResponseReturnValue:
    """Send a test to everybody who would be told of an alarm."""
    if number := targets.test_all(current_user.id):
        they_are = "A test message is" if number == 1 else f"{number} test messages are"
        flash(f"{they_are} on the way. Ask whether they arrive.", "success")
    else:
        flash("Nobody would be told: neither you nor a caregiver of yours has said where.", "warning")
    return redirect(url_for(".rules"))
