"""Calibrate: do one activity after the other while the page counts, then give the recording that was made meanwhile."""

from __future__ import annotations

import json
from contextlib import closing
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from werkzeug.datastructures import FileStorage

from app.har.colours import activity_colours
from app.har.errors import HarError
from app.services.errors import AlreadyThere, Invalid, ServiceError
from app.services.formatting import counted
from app.services.personal import calibration
from app.services.recordings import recordings, uploads
from app.services.recordings.activity_times import clock_of
from app.services.recordings.pending import PendingUpload
from app.services.recordings.places import PLACES
from app.web.access import access
from app.web.calibration.forms import ApplyForm, RecordingForm, StepsForm
from app.web.downloads import reader_zone
from app.web.errors import status_of

bp = Blueprint("calibration", __name__)
NO_STEPS = "The page sent something else than steps. Load it again, and start again."
LISTED = 10  # recordings that are there already


@bp.get("/")
@access("user")
def index() -> ResponseReturnValue:
    """Let a person choose place and steps, which the script then goes through."""
    return _index_page(StepsForm())


@bp.post("/")
@access("user")
def keep() -> ResponseReturnValue:
    """Keep when each step began and ended."""
    form = StepsForm()
    try:
        if not form.validate_on_submit():
            raise Invalid(NO_STEPS)
        kept = calibration.keep(current_user.id, form.place.data or "", _steps(form.steps.data or ""))
    except ServiceError as error:
        flash(str(error), "danger")
        return _index_page(form), error.status
    return redirect(url_for(".show", calibration_id=kept.id))


def _index_page(form: StepsForm) -> str:
    return render_template(
        "calibration/index.html",
        form=form,
        steps=calibration.STEPS,
        usual=calibration.USUAL,
        ready_s=calibration.READY_S,
        shortest_s=calibration.SHORTEST_S,
        longest_s=calibration.LONGEST_S,
        places=PLACES,
        earlier=calibration.list_calibrations(current_user.id),
    )


def _steps(text: str) -> list[Any]:
    """Read what the script sent."""
    try:
        steps = json.loads(text)
    except (ValueError, RecursionError):
        steps = None
    if not isinstance(steps, list):
        raise Invalid(NO_STEPS)
    return steps


@bp.get("/<int:calibration_id>")
@access("user")
def show(calibration_id: int) -> ResponseReturnValue:
    """Ask for the recording; once it is there, show the steps on its signal, where they can be moved."""
    kept = calibration.get(current_user.id, calibration_id)
    steps = calibration.steps_of(kept)
    about: dict[str, Any] = {"calibration": kept, "place": PLACES[kept.place], "steps": steps}
    if kept.recording is None:
        own = recordings.list_recordings(current_user.id)[:LISTED]
        return render_template("calibration/recording.html", form=RecordingForm(), recordings=own, **about)
    result = recordings.result_of(recordings.get_prediction(kept.recording))
    where, later = calibration.placed(kept, result), calibration.later_of(kept)
    return render_template(
        "calibration/place.html",
        form=ApplyForm(later=later),
        where=where,
        moved=[step.moved(later) for step in where.steps],
        clock=clock_of(result, where.part, reader_zone()),
        colours=activity_colours(list(dict.fromkeys(step.activity for step in steps))),
        drawn=[[step.activity, round(step.start, 3), round(step.end, 3)] for step in where.steps],
        trim_s=calibration.TRIM_S,
        **about,
    )


@bp.post("/<int:calibration_id>/file")
@access("user", files=True)
def upload(calibration_id: int) -> ResponseReturnValue:
    """Take the file of the recording."""
    kept, form = calibration.get(current_user.id, calibration_id), RecordingForm()
    if not form.validate_on_submit():
        return _again(kept.id, str(next(iter(form.errors.values()), ["Choose a file."])[0]))
    try:
        with closing(form.file.data) as file:
            number = _received(file, kept.place)
        if isinstance(number, PendingUpload):
            flash("Say first what the columns of this file are. Then choose it on the page Calibrate.", "info")
            return redirect(url_for("mappings.show", token=number.token))
        calibration.give_recording(current_user.id, kept, number)
    except (ServiceError, HarError) as error:
        return _again(kept.id, str(error))
    return redirect(url_for(".show", calibration_id=kept.id))


def _received(file: FileStorage, place: str) -> int | PendingUpload:
    """Return the number of the recording of a file; one that the person has already is not stored twice."""
    try:
        read = uploads.receive(
            current_user.id, file.filename or "", file.stream, place=place, only_new=True, zone=str(reader_zone())
        )
    except AlreadyThere as known:
        flash(f"{known} That recording is used here.", "info")
        return known.recording_id
    return read if isinstance(read, PendingUpload) else read.recording_id


@bp.post("/<int:calibration_id>/recording")
@access("user")
def choose(calibration_id: int) -> ResponseReturnValue:
    """Take a recording that is there already."""
    kept = calibration.get(current_user.id, calibration_id)
    number = request.form.get("recording", type=_number)
    if number is None:
        return _again(kept.id, "Choose a recording from the list.")
    try:
        calibration.give_recording(current_user.id, kept, number)
    except (ServiceError, HarError) as error:
        if status_of(error) == 404:
            raise
        return _again(kept.id, str(error))
    return redirect(url_for(".show", calibration_id=kept.id))


def _number(text: str) -> int:
    """Read the number of a recording; others than a database can hold are none."""
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise ValueError(text)
    return int(text)


@bp.post("/<int:calibration_id>/apply")
@access("user")
def apply(calibration_id: int) -> ResponseReturnValue:
    """Let the steps be corrections of the recording."""
    kept, form = calibration.get(current_user.id, calibration_id), ApplyForm()
    if not form.validate_on_submit():
        return _again(kept.id, str(next(iter(form.errors.values()), ["Write a number of seconds."])[0]))
    try:
        number = calibration.apply(current_user.id, kept, float(form.later.data or 0))
    except ServiceError as error:
        return _again(kept.id, str(error))
    flash(f"{counted(number, 'step is', 'steps are')} in your personal model now. You can undo it below.", "success")
    return redirect(url_for("predictions.show", recording_id=kept.recording_id, _anchor="corrections-title"))


def _again(calibration_id: int, message: str) -> ResponseReturnValue:
    flash(message, "danger")
    return redirect(url_for(".show", calibration_id=calibration_id))
