"""Send a file, follow how far it has been read, try the example."""

from __future__ import annotations

import re
from contextlib import closing
from typing import TYPE_CHECKING
from uuid import uuid4

from flask import flash, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from werkzeug.datastructures import FileStorage

from app.har.errors import HarError, UnusableRecording
from app.har.progress import Stage
from app.services.audit import Action, record
from app.services.errors import AlreadyThere, Busy, Conflict, Invalid, ServiceError
from app.services.formatting import capitalise
from app.services.known_formats import recording_formats
from app.services.models import model_versions
from app.services.recordings import attempts, example, fitting, upload_progress, uploads
from app.services.recordings.held import Held
from app.services.recordings.pending import PendingUpload
from app.services.recordings.recordings import shown_name
from app.web.access import access
from app.web.downloads import attachment, reader_zone
from app.web.errors import status_of, wants_json
from app.web.predictions.blueprint import bp
from app.web.predictions.forms import AgainForm, UploadForm

if TYPE_CHECKING:
    from app.tables import Prediction

MOST_FILES = 50  # in one request, without the script


@bp.post("/")
@access("user", files=True)
def upload() -> ResponseReturnValue:
    """Take files from the form; the script on the page sends one at a time, and shows how far each is."""
    form = UploadForm()
    if not form.validate_on_submit():
        return _refused(form, str(next(iter(form.errors.values()))[0]), 422)
    files = form.file.data or []
    if len(files) > 1:
        return _several(form, files)
    try:
        url = _received(form, files[0])
    except (ServiceError, HarError) as error:
        return _refused(form, str(error), status_of(error), error)
    return jsonify(url=url) if wants_json() else redirect(url)


def _several(form: UploadForm, files: list[FileStorage]) -> ResponseReturnValue:
    """Read one file after the other; the list on the home page then shows what became of each."""
    if len(files) > MOST_FILES:
        return _refused(form, f"At most {MOST_FILES} files can be sent at once; these are {len(files)}.", 422)
    for file in files:
        try:
            _received(form, file)
        except (AlreadyThere, Conflict, Busy) as error:  # others stay in the list with their reason
            flash(f"“{shown_name(file.filename or '')}” was not read. {error}", "warning")
        except (ServiceError, HarError):
            continue
    url = url_for("home.index", _anchor="recordings")
    return jsonify(url=url) if wants_json() else redirect(url)


def _received(form: UploadForm, file: FileStorage) -> str:
    """Recognise one file; return the address of the recording, or of the page that asks what its columns are."""
    token = request.args.get("follow", "")
    token = token if re.fullmatch(r"[0-9a-z]{1,32}", token) else uuid4().hex
    try:
        with closing(file), upload_progress.followed(current_user.id, token) as on_event:
            outcome = uploads.receive(
                current_user.id,
                file.filename or "",
                file.stream,
                form.version.data or None,
                on_event,
                form.place.data or None,
                form.use_walking.data,
                token=token,
                only_new=form.only_new.data,
                zone=str(reader_zone()),
            )
    except (ServiceError, HarError) as error:
        record(Action.UPLOAD, outcome="refused", reason=type(error).__name__)
        raise
    return _address_of(outcome)


def _address_of(outcome: Prediction | PendingUpload) -> str:
    if isinstance(outcome, PendingUpload):
        return url_for("mappings.show", token=outcome.token)
    return url_for(".show", recording_id=outcome.recording_id)


@bp.get("/progress/<token>")
@access("user")
def progress(token: str) -> ResponseReturnValue:
    """Return the stage of an upload that is being read and, if it is known, the part of the stage that is done."""
    event = upload_progress.latest(current_user.id, token) or {}
    stage = capitalise(Stage(event["stage"]).label) if event else None
    return jsonify(stage=stage, fraction=event.get("fraction"))


@bp.get("/running.json")
@access("user")
def running() -> ResponseReturnValue:
    """Return which uploads of the person are being read, and how far each is."""
    found = []
    for attempt in attempts.running(current_user.id):
        event = upload_progress.latest(current_user.id, attempt.token) or {}
        stage = capitalise(Stage(event["stage"]).label) if event else None
        found.append({"id": attempt.id, "stage": stage, "fraction": event.get("fraction")})
    return jsonify(running=found)


@bp.post("/attempts/<int:attempt_id>/dismiss")
@access("user")
def dismiss(attempt_id: int) -> ResponseReturnValue:
    """Delete the line of an upload that could not be read."""
    attempts.dismiss(current_user.id, attempt_id)
    return redirect(url_for("home.index", _anchor="recordings"))


@bp.post("/attempts/<int:attempt_id>/again")
@access("user")
def again(attempt_id: int) -> ResponseReturnValue:
    """Try a file again that could not be read; what becomes of it, the list says."""
    form = AgainForm()
    if not form.validate_on_submit():
        raise Invalid("Choose one of the models.")
    try:
        outcome = uploads.receive_again(current_user.id, attempt_id, form.version.data or None)
    except HarError as error:
        record(Action.UPLOAD, outcome="refused", reason=type(error).__name__)
        flash(f"The file could not be read this time either. {error}", "warning")
        return redirect(url_for("home.index", _anchor="recordings"))
    return redirect(_address_of(outcome))


@bp.post("/attempts/dismiss")
@access("user")
def dismiss_all() -> ResponseReturnValue:
    """Delete the lines of all uploads that could not be read."""
    attempts.dismiss_all(current_user.id)
    return redirect(url_for("home.index", _anchor="recordings"))


def _refused(form: UploadForm, message: str, status: int, error: Exception | None = None) -> ResponseReturnValue:
    """Say why a file was refused, where its owner has it already, and which models cannot read it."""
    held = error.held if isinstance(error, UnusableRecording) else None
    unfit = fitting.unfit(form.models, Held.from_dict(held)) if held else {}
    known = url_for(".show", recording_id=error.recording_id) if isinstance(error, AlreadyThere) else None
    if wants_json():
        return jsonify(message=message, known=known, unfit=unfit), status
    form.show_unfit(unfit)
    page = render_template(
        "predictions/refused.html",
        upload_form=form,
        message=message,
        known=known,
        promoted=model_versions.promoted(),
        formats=recording_formats(),
    )
    return page, status


@bp.post("/example")
@access("user")
def try_example() -> ResponseReturnValue:
    """Recognise the example recording."""
    prediction = example.upload_example(current_user.id)
    return redirect(url_for(".show", recording_id=prediction.recording_id))


@bp.get("/example.csv")
@access("user")
def example_csv() -> ResponseReturnValue:
    """Download the example recording."""
    name, text = example.example_file()
    return attachment(text, name, "text/csv")
