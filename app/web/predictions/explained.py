"""Why the model answered so: what the page asks for when somebody wants to know."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import jsonify, request
from flask.typing import ResponseReturnValue
from flask_login import current_user

from app.services.errors import NotFound, ServiceError
from app.services.personal import view
from app.services.recordings import explained_bouts, explaining, recordings
from app.services.recordings.activity_times import clock_of
from app.web.access import access
from app.web.downloads import reader_zone
from app.web.predictions.address import moment, personal, recording_index_of, smooth
from app.web.predictions.blueprint import bp
from app.web.predictions.routes import bout_page

if TYPE_CHECKING:
    from app.tables import Prediction


@bp.get("/<int:recording_id>/why.json")
@access("user")
def why_json(recording_id: int) -> ResponseReturnValue:
    """Explain the model's answer ``from`` a second ``to`` another, or say why it is not explained."""
    prediction, seen, index, stretch = _asked(recording_id)
    clock = clock_of(seen.result, index, reader_zone())
    return jsonify(explaining.why(prediction, seen, index, clock, *stretch))


@bp.get("/<int:recording_id>/alike.json")
@access("user")
def alike_json(recording_id: int) -> ResponseReturnValue:
    """Return the windows of other people that the model finds most like those ``from`` a second ``to`` another."""
    prediction, _, index, stretch = _asked(recording_id)
    return jsonify(explaining.alike(prediction, index, *stretch))


@bp.get("/<int:recording_id>/reasons.json")
@access("user")
def reasons_json(recording_id: int) -> ResponseReturnValue:
    """Return a line of words for each bout of a page of the table that is explained, by its ``start,end``."""
    prediction, seen, index = _shown(recording_id)
    bouts = bout_page(seen.result, index, reader_zone()).items
    offered = explained_bouts.offered(prediction)
    stretches = [(bout["start_s"], bout["end_s"]) for bout in bouts if bout["windows"] and offered.of(bout)]
    lines = explained_bouts.in_short(prediction, seen, index, stretches)
    return jsonify({f"{begin},{end}": words for (begin, end), words in zip(stretches, lines, strict=True) if words})


def _asked(recording_id: int) -> tuple[Prediction, view.View, int, tuple[float, float]]:
    shown = _shown(recording_id)
    start_s, end_s = moment("from"), moment("to")
    if start_s is None or end_s is None or not start_s < end_s:
        raise ServiceError("Say which part is to be explained, for example from=12.5 and to=15.5, in seconds.")
    return *shown, (start_s, end_s)


def _shown(recording_id: int) -> tuple[Prediction, view.View, int]:
    recording = recordings.get(current_user.id, recording_id)
    prediction = recordings.get_prediction(recording, request.args.get("prediction", type=int))
    seen = view.view_of(prediction, smooth(), personal())
    if (index := recording_index_of(seen.result)) is None:
        raise NotFound("Single windows of no recording are not explained.")
    return prediction, seen, index
