"""Correct what was recognised: say what it was in one stretch or several, undo it, use what was learnt or not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import flash, jsonify, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from app.har.vocabulary import PARENT, in_order, normalised, shared_node
from app.services.errors import Invalid, NotFound, ServiceError
from app.services.formatting import counted
from app.services.personal import consents, corrections, effect, heads
from app.services.personal.view import View
from app.services.recordings import recordings
from app.services.recordings.activity_times import clock_of
from app.services.recordings.wall_clock import WallClock
from app.web.access import access
from app.web.downloads import reader_zone
from app.web.errors import wants_json
from app.web.predictions.blueprint import bp
from app.web.predictions.forms import CorrectForm

if TYPE_CHECKING:
    from app.services.recordings.prediction_result import PredictionResult
    from app.tables import Correction, Prediction

KEPT_IN_ADDRESS = ("prediction", "part", "tz", "smooth", "from", "to", "axes")  # of the page that is corrected


def shown(prediction: Prediction, view: View, recording_index: int | None, clock: WallClock | None) -> dict[str, Any]:
    """Return what the page of a recording says of corrections; single windows have no time in which to be any."""
    if clock is None or recording_index is None:
        return {"effect": None}
    if prediction.model_version is not None:
        heads.prepare(prediction.model_version)
    part = view.result.recording_ids[recording_index]
    of_part = [correction for correction in view.said if correction.part == part]
    return {
        "effect": effect.effect_of(prediction, view, recording_index),
        "correct_form": CorrectForm(),
        "last_said": corrections.last_said(prediction.recording),
        "shares": consents.current(prediction.recording.user_id) is not None,
        "choices": activities_of(view),
        "vocabulary": [name for name in in_order(PARENT) if name not in view.result.activities],
        "batches": _by_batch(of_part),
        "unusable": _unusable(of_part, view.result, recording_index),
        "undone": [c for c in corrections.undone_of(prediction.recording) if c.part == part],
        "other_parts": len(view.said) - len(of_part),
        "first_stretch": _first_stretch(clock),
    }


def activities_of(view: View) -> list[str]:
    """Return the activities that a person may say with one press: those of the model, then those of their own."""
    names = [*view.result.activities, *(correction.activity for correction in view.said)]
    first: dict[str, str] = {}
    for name in names:
        first.setdefault(shared_node(name) or normalised(name), name)
    return list(first.values())


def _by_batch(said: list[Correction]) -> list[list[Correction]]:
    """Return corrections by what was said at once, the last first."""
    batches: dict[str, list[Correction]] = {}
    for correction in said:
        batches.setdefault(correction.batch, []).append(correction)
    return list(batches.values())[::-1]


def _unusable(said: list[Correction], result: PredictionResult, recording_index: int) -> set[int]:
    """Return the numbers of corrections without a window: earlier builds kept what lies beyond the recording."""
    stretches = ((one, (recording_index, one.start_s, one.end_s, one.activity)) for one in said)
    return {one.id for one, stretch in stretches if not len(result.windows_of(stretch))}


def _first_stretch(clock: WallClock) -> tuple[str, str]:
    """Return the moments that the fields begin with: those of a bout that was chosen without a script."""
    moments = []
    for key in ("correct_from", "correct_to"):
        try:
            moments.append(clock.write_exactly(float(request.args[key])))
        except (KeyError, ValueError, OverflowError):
            return "", ""
    return moments[0], moments[1]


@bp.post("/<int:recording_id>/corrections")
@access("user")
def correct(recording_id: int) -> ResponseReturnValue:
    """Keep what a person says of stretches of a recording: ``from`` and ``to`` by the page's clock, one each."""
    recording = recordings.get(current_user.id, recording_id)
    prediction = recordings.get_prediction(recording, request.args.get("prediction", type=int))
    result = recordings.result_of(prediction)
    form = CorrectForm()
    try:
        if not form.validate_on_submit():
            raise Invalid("Say what it was in fewer words.", field="activity")
        part = min(max(request.args.get("part", 0, type=int), 0), len(result.recording_ids) - 1)
        clock = clock_of(result, part, reader_zone())
        activity = _activity(form)
        said = [(part, start, end, activity) for start, end in _stretches(clock)]
        seen = request.form.get("seen", type=int)
        rows = corrections.add(current_user.id, recording, result, said, seen=seen)
    except ServiceError as error:
        return _answer(recording_id, str(error), error.status)
    what = "instant" if all(row.start_s == row.end_s for row in rows) else "stretch"
    number = counted(len(rows), what, "instants" if what == "instant" else "stretches")
    return _answer(recording_id, f"Saved: {number} of {rows[0].activity}.")


def _activity(form: CorrectForm) -> str:
    """Return what it was: chosen or written; where both are given and differ, the person must say which."""
    chosen, written = (form.activity.data or "").strip(), (form.other.data or "").strip()
    if chosen and written and normalised(chosen) != normalised(written):
        raise Invalid(
            f"You chose {chosen} and wrote {written}: which was it? Nothing was saved. Say it once more, with one of "
            "the two.",
            field="activity",
        )
    return written or chosen


def _stretches(clock: WallClock) -> list[tuple[float, float]]:
    """Read the fields; one that is left empty ends where it begins, and a row without either is none."""
    starts, ends = request.form.getlist("from"), request.form.getlist("to")
    if len(starts) != len(ends):
        raise Invalid("Each stretch has a beginning and an end.", field="from")
    rows = [(start.strip(), end.strip()) for start, end in zip(starts, ends, strict=True)]
    return [(clock.read(start or end), clock.read(end or start)) for start, end in rows if start or end]


@bp.post("/<int:recording_id>/corrections/<batch>/undo")
@access("user")
def undo(recording_id: int, batch: str) -> ResponseReturnValue:
    """Undo what was said at once."""
    try:
        undone = corrections.undo(current_user.id, recording_id, batch)
    except NotFound as error:
        return _answer(recording_id, str(error), error.status)
    return _answer(recording_id, f"Undone: {counted(undone, 'stretch', 'stretches')}.")


@bp.post("/<int:recording_id>/personal")
@access("user")
def switch(recording_id: int) -> ResponseReturnValue:
    """Use what this model learnt from the person, in all of their recordings, or stop using it."""
    recording = recordings.get(current_user.id, recording_id)
    prediction = recordings.get_prediction(recording, request.args.get("prediction", type=int))
    if prediction.model_version is None:
        raise NotFound("This model was deleted.")
    on = request.form.get("on") == "1"
    heads.switch(current_user.id, prediction.model_version, on)
    return _answer(recording_id, "Your personal model is on." if on else "Your personal model is off.")


def _answer(recording_id: int, message: str, status: int = 200) -> ResponseReturnValue:
    """Answer a script in plain values; a person sees the page again, with the message on top."""
    if wants_json():
        return jsonify(message=message), status
    flash(message, "success" if status < 400 else "danger")
    same = {key: request.args[key] for key in KEPT_IN_ADDRESS if key in request.args}
    url = url_for("predictions.show", recording_id=recording_id, _anchor="corrections-title", **dict[str, Any](same))
    return redirect(url)
