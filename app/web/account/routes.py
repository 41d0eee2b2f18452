"""One's own account: where it is logged in."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from app.services.identity import sessions
from app.web.access import access

bp = Blueprint("account", __name__)


@bp.get("/sessions")
@access("user")
def list_sessions() -> str:
    """Show where one is logged in."""
    token = current_user.session_token
    own = [(session, sessions.is_of(session, token)) for session in sessions.list_sessions(current_user.id)]
    return render_template("account/sessions.html", sessions=own)


@bp.post("/sessions/<int:session_id>/end")
@access("user")
def end_session(session_id: int) -> ResponseReturnValue:
    """End one of one's own sessions."""
    sessions.end_one(current_user.id, session_id)
    flash("The session has ended.", "success")
    return redirect(url_for(".list_sessions"))


@bp.post("/sessions/end-others")
@access("user")
def end_other_sessions() -> ResponseReturnValue:
    """End all of one's own sessions but this one."""
    sessions.end_others(current_user.id, current_user.session_token)
    flash("You are logged out everywhere else.", "success")
    return redirect(url_for(".list_sessions"))
