"""The alarms that somebody may see: their own, or those of the people who agreed to it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from flask import abort, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from app.services.alarms import alarms, life, people
from app.services.alarms.life import Party
from app.services.audit import looked
from app.services.care import consents, messages
from app.services.errors import Conflict
from app.services.live import hub
from app.web.access import access
from app.web.alarms import words
from app.web.alarms.blueprint import bp
from app.web.alarms.forms import CloseForm
from app.web.event_streams import event_stream

SHOWN = 50  # earlier ones on the list


@bp.get("/alarms/")
@access("account")
def index() -> str:
    """List the alarms that are open, and those before them."""
    of = [current_user, *consents.people_of(current_user.id)]
    looked("alarms", [person.id for person in of])
    everybodys = [each for person in of for each in alarms.history(current_user.id, person.id, SHOWN)]
    earlier = sorted((each for each in everybodys if each.state == life.CLOSED), key=lambda each: -each.id)[:SHOWN]
    return render_template(
        "alarms/index.html",
        live=alarms.live_for(current_user.id),
        earlier=earlier,
        caregivers=consents.caregivers_of(current_user.id),
        now=time.time(),
    )


@bp.get("/alarms/<int:alarm_id>")
@access("account")
def show(alarm_id: int) -> str:
    """Show an alarm with its life, and what the reader can do about it."""
    alarm = alarms.get(current_user.id, alarm_id)
    looked("alarm", [alarm.user_id])
    party = people.party_of(current_user.id, alarm.user_id) or Party.KINELAB
    return render_template(
        "alarms/show.html",
        alarm=alarm,
        is_own=party is Party.PERSON,
        may={event.value for event in life.events_of(alarm.kind, alarm.state, party)},
        step_of=words.step_of,
        messages=messages.of_alarm(alarm.id),
        loud_s=alarms.loud_s(alarm),
        form=CloseForm(),
        now=time.time(),
    )


@bp.post("/alarms/<int:alarm_id>/<any(cancel, acknowledge, close):action>")
@access("account")
def change(alarm_id: int, action: str) -> ResponseReturnValue:
    """Say that one is fine, that one looks after it, or what it was."""
    form = CloseForm()
    if not form.validate():
        abort(422, "; ".join(error for errors in form.errors.values() for error in errors))
    verdict, why = form.verdict.data or "", (form.why.data or "").strip()
    try:
        if action == "cancel":
            alarms.cancel(current_user.id, alarm_id, verdict, why)
            said = "Good. The alarm is over, and whoever was told of it is told that, too."
        elif action == "acknowledge":
            alarms.acknowledge(current_user.id, alarm_id)
            said = "Everybody who was told of it is told that you look after it. Close it when you know what it was."
        else:
            alarms.close(current_user.id, alarm_id, verdict, why)
            said = "The alarm is closed."
    except Conflict as error:  # somebody else was faster: the page shows how it stands
        flash(str(error), "warning")
    else:
        flash(said, "success")
    return redirect(url_for(".show", alarm_id=alarm_id))


@bp.get("/alarms/events")
@access("account")
def events() -> ResponseReturnValue:
    """Tell open pages of alarms when one changes; a page that comes back hears how all of them stand."""
    user_id = int(current_user.id)

    def subscribe(on_event: Callable[[hub.Event], None]) -> Callable[[], None]:
        return hub.subscribe(user_id, lambda event: on_event(event) if event.kind == "alarm" else None)

    def since(last_id: int | None) -> Sequence[hub.Event]:
        stand = [[each.id, each.state, each.times] for each in alarms.live_for(user_id)]
        return hub.since(user_id, None, lambda: {"alarms": stand})

    return event_stream(subscribe, since)
