"""Where somebody is told of alarms: e-mail, a webhook, a browser; and the worker with which a browser is told."""

from __future__ import annotations

from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

from flask import Response, current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from app.services.alarms import mail, push, targets
from app.services.errors import Conflict, ServiceError
from app.services.identity.sessions import browser_in_words
from app.web.access import access
from app.web.alarms.blueprint import bp
from app.web.errors import flashed, json_error, wants_json

CHANNELS = {"mail": "E-mail", "webhook": "Webhook", "push": "Browser", "events": "Program"}


@bp.get("/alarms/notices")
@access("account")
def notices() -> str:
    """Show where one is told of alarms."""
    return _page()


def _page(**more: str) -> str:
    own = targets.list_of(current_user.id)
    endpoints = [sha256(str(each.address["endpoint"]).encode()).hexdigest() for each in own if each.channel == "push"]
    return render_template(
        "alarms/notices.html",
        targets=own,
        where={each.id: _where(each) for each in own},
        channels=CHANNELS,
        endpoints=endpoints,  # by their hashes a browser finds its own
        public_key=push.public_key() if push.is_set_up() else "",
        has_mail=mail.is_set_up(),
        **more,
    )


def _where(target: Any) -> str:
    """Return by what the owner knows a target, without its secrets."""
    if target.channel == "push":
        return f"{target.address['browser']}, by way of {urlsplit(target.address['endpoint']).hostname}"
    return str(target.address["to" if target.channel == "mail" else "url"])


@bp.post("/alarms/notices/<any(mail, webhook, push):channel>")
@access("account")
def add_target(channel: str) -> ResponseReturnValue:
    """Add where one wants to be told."""
    answers = {name: value.strip()[:2000] for name, value in request.form.items()}
    try:
        if channel == "webhook":
            _, secret = targets.add_webhook(current_user.id, answers.get("url", ""))
            return _page(secret=secret)
        if channel == "push":
            browser = browser_in_words(request.user_agent.string)
            targets.add_push(current_user.id, answers | {"browser": browser})
        else:
            targets.add_mail(current_user.id, answers.get("to", ""))
    except ServiceError as error:
        if wants_json():
            return json_error(str(error), error.status)
        return _page(error=str(error), wrong=channel), error.status
    flash("Added. Send yourself a test, and see whether it arrives.", "success")
    return redirect(url_for(".notices"))


@bp.post("/alarms/notices/<int:target_id>/<any(test, on, off, remove):action>")
@access("account")
def change_target(target_id: int, action: str) -> ResponseReturnValue:
    """Test a target, switch it on or off, or remove it."""
    with flashed(Conflict):
        if action == "test":
            targets.test(current_user.id, target_id)
            flash("A test is on the way. Load this page again in a moment to see whether it was sent.", "success")
        elif action == "remove":
            targets.remove(current_user.id, target_id)
            flash("You are no longer told there.", "success")
        else:
            targets.switch(current_user.id, target_id, action == "on")
            flash("Switched on." if action == "on" else "Switched off: you are not told there.", "success")
    return redirect(url_for(".notices"))


@bp.get("/service-worker.js")
@access("public")
def service_worker() -> Response:
    """Send the worker that shows messages; from the root, or it would be told of no other pages."""
    response = current_app.send_static_file("js/service_worker.js")
    response.headers["Cache-Control"] = "no-cache"
    return response
