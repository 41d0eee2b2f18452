"""The blueprint of the pages of alarms, and what templates may ask of an alarm."""

from __future__ import annotations

from flask import Blueprint
from flask_login import current_user

from app.services import falls
from app.services.alarms import alarms
from app.services.alarms.words import HONESTY
from app.web.alarms import words

bp = Blueprint("alarms", __name__)
for _name, _filter in {
    "alarm_kind": words.kind_of,
    "alarm_state": words.state_of,
    "alarm_tone": words.tone_of,
    "alarm_noticed": words.noticed_of,
    "alarm_why": words.why_of,
}.items():
    bp.add_app_template_filter(_filter, _name)


@bp.app_template_global("alarm_honesty")
def honesty() -> str:
    """Return what must stand below whatever could be taken for a promise."""
    return HONESTY


bp.add_app_template_global(falls.measured, "falls_measured")
bp.add_app_template_global(falls.method_in_words, "falls_method")


@bp.app_template_global("open_alarms")
def open_alarms() -> int:
    """Return how many alarms that the reader may see are not closed, for the bar on top."""
    return len(alarms.live_for(current_user.id)) if current_user.is_authenticated else 0
