"""Messages that could not be sent, for administrators."""

from __future__ import annotations

import time

from flask import flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from app.services.alarms import outbox as letters
from app.services.care import messages
from app.web.access import access
from app.web.alarms.blueprint import bp
from app.web.alarms.notices import CHANNELS


@bp.get("/alarms/outbox")
@access("admin")
def outbox() -> str:
    """Show what waits and what could not be sent: to whom and why, not of whom or what it tells."""
    return render_template(
        "alarms/outbox.html", dead=letters.dead(), counts=messages.outbox_counts(), channels=CHANNELS
    )


@bp.post("/alarms/outbox/<int:notice_id>/<any(again, forget):action>")
@access("admin")
def change_letter(notice_id: int, action: str) -> ResponseReturnValue:
    """Send a message once more, or give it up."""
    if action == "again":
        letters.again(notice_id, time.time())
        flash("It is tried again now.", "success")
    else:
        letters.forget(notice_id)
        flash("The message is given up.", "success")
    return redirect(url_for(".outbox"))
