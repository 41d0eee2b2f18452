"""Send a file, follow how far it has been read, try the example."""

from __future__ import annotations

from contextlib import closing

from flask import jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from app.har.errors import HarError
from app.har.progress import Stage
from app.services.audit import Action, record
from app.services.errors import ServiceError
from app.services.formatting import capitalise
from app.services.known_formats import recording_formats
from app.services.models import model_versions
from app.services.recordings import example, upload_progress, uploads
from app.services.recordings.pending import PendingUpload
from app.web.access import access
from app.web.downloads import attachment
from app.web.errors import json_error, status_of, wants_json
from app.web.predictions.forms import UploadForm
from app.web.predictions.routes import bp

FOLLOW_LENGTH = 32


@bp.post("/")
@access("user", files=True)
def upload() -> ResponseReturnValue:
    """Take a file from the form; the script on the page asks for JSON, so that it can show the progress."""
    form = UploadForm()
    if not form.validate_on_submit():
        return _refused(form, str(next(iter(form.errors.values()))[0]), 422)
    file, token = form.file.data, request.args.get("follow", "")[:FOLLOW_LENGTH]
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
            )
    except (ServiceError, HarError) as error:
        record(Action.UPLOAD, outcome="refused", reason=type(error).__name__)
        return _refused(form, str(error), status_of(error))
    if isinstance(outcome, PendingUpload):
        url = url_for("mappings.show", token=outcome.token)
    else:
        url = url_for(".show", recording_id=outcome.recording_id)
    return jsonify(url=url) if wants_json() else redirect(url)


@bp.get("/progress/<token>")
@access("user")
def progress(token: str) -> ResponseReturnValue:
    """Return the stage of an upload that is being read and, if it is known, the part of the stage that is done."""
    event = upload_progress.latest(current_user.id, token) or {}
    stage = capitalise(Stage(event["stage"]).label) if event else None
    return jsonify(stage=stage, fraction=event.get("fraction"))


def _refused(form: UploadForm, message: str, status: int) -> ResponseReturnValue:
    if wants_json():
        return json_error(message, status)
    page = render_template(
        "predictions/refused.html",
        upload_form=form,
        message=message,
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
