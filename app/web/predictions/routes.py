"""Upload a recording, see what was recognised in it, take it away or delete it."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator
from contextlib import closing
from pathlib import PurePath
from typing import Any, Literal

from flask import Blueprint, Response, flash, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from flask_sqlalchemy.pagination import Pagination

from app.har.errors import HarError
from app.har.types import UNLABELLED
from app.services import mappings, model_versions, predictions
from app.services.errors import NotFound, ServiceError
from app.services.recognition import PredictionResult
from app.web.access import access
from app.web.predictions.forms import AgainForm, UploadForm

bp = Blueprint("predictions", __name__)
ROWS_A_PAGE = 100
ROWS_A_CHUNK = 2000


@bp.app_template_filter("clock")
def clock(seconds: float) -> str:
    """Write a moment of a recording: 0:01:03, with tenths only where they are not zero."""
    whole, tenth = divmod(max(0, round(seconds * 10)), 10)
    text = f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"
    return f"{text}.{tenth}" if tenth else text


@bp.get("/")
@access("user")
def index() -> ResponseReturnValue:
    return redirect(url_for("home.index"))


@bp.post("/")
@access("user")
def upload() -> ResponseReturnValue:
    """Take a file from the form; the script on the page asks for JSON, so that it can show the progress."""
    form = UploadForm()
    if not form.validate_on_submit():
        return _refused(form, str(next(iter(form.errors.values()))[0]), 422)
    file = form.file.data
    try:
        with closing(file):
            outcome = mappings.upload(current_user.id, file.filename or "", file.stream, form.version.data)
    except (ServiceError, HarError) as error:
        return _refused(form, str(error), getattr(error, "status", 422))
    if isinstance(outcome, mappings.Pending):
        url = url_for("mappings.show", token=outcome.token)
    else:
        url = url_for(".show", recording_id=outcome.recording_id)
    return jsonify(url=url) if _wants_json() else redirect(url)


def _wants_json() -> bool:
    return request.accept_mimetypes.best == "application/json"


def _refused(form: UploadForm, message: str, status: int) -> ResponseReturnValue:
    if _wants_json():
        return jsonify(message=message), status
    page = render_template(
        "predictions/refused.html", upload_form=form, message=message, promoted=model_versions.promoted()
    )
    return page, status


@bp.post("/example")
@access("user")
def try_example() -> ResponseReturnValue:
    prediction = predictions.upload_example(current_user.id)
    return redirect(url_for(".show", recording_id=prediction.recording_id))


@bp.get("/example.csv")
@access("user")
def example_csv() -> ResponseReturnValue:
    name, text = predictions.example()
    return _attachment(text, name, "text/csv")


@bp.get("/<int:recording_id>")
@access("user")
def show(recording_id: int) -> ResponseReturnValue:
    recording = predictions.get(current_user.id, recording_id)
    prediction = predictions.get_prediction(recording, request.args.get("prediction", type=int))
    result = predictions.result(prediction)
    part = _part(result)
    used = {p.model_version_id for p in recording.predictions}
    others = [v for v in model_versions.list_versions() if v.id not in used]
    return render_template(
        "predictions/show.html",
        recording=recording,
        prediction=prediction,
        summary=prediction.summary,
        result=result,
        part=part,
        rows=WindowPages(per_page=ROWS_A_PAGE, result=result, index=result.positions(part)),
        colours=_colours(result),
        shown_activities=result.shown_activities(part),
        labelled=bool((result.truth[result.positions(part)] != UNLABELLED).any()),
        again_form=_again_form(others) if others else None,
        quality=predictions.quality(recording),
        about_model=model_versions.accuracy_in_words(prediction.model_version) if prediction.model_version else None,
    )


class WindowPages(Pagination):
    """The windows of a result, a page at a time."""

    def _query_items(self) -> list[dict[str, Any]]:
        index = self._query_args["index"][self._query_offset : self._query_offset + self.per_page]
        rows: list[dict[str, Any]] = self._query_args["result"].windows(index)
        return rows

    def _query_count(self) -> int:
        return len(self._query_args["index"])


def _part(result: PredictionResult) -> int | None:
    """Return which recording of the file to show; None for a file of single windows, which are shown together."""
    if result.layout == "windows":
        return None
    return min(max(request.args.get("part", 0, type=int), 0), len(result.recording_ids) - 1)


def _again_form(versions: list[Any]) -> AgainForm:
    form = AgainForm()
    form.version.choices = [(version.id, version.label) for version in versions]
    return form


def _colours(result: PredictionResult) -> dict[str, str]:
    from app.har.colours import activity_colour

    return {name: activity_colour(name, result.all_activities) for name in result.all_activities}


def _finite(text: str) -> float:
    """Read a moment in seconds; "nan" and "inf" are numbers to Python, and no moments."""
    if not math.isfinite(seconds := float(text)):
        raise ValueError(text)
    return seconds


@bp.get("/<int:recording_id>/timeline.json")
@access("user")
def timeline_json(recording_id: int) -> ResponseReturnValue:
    """Return what the timeline draws; ``from`` and ``to`` (seconds) thin the signal anew for a closer look."""
    _, prediction, result = _requested(recording_id)
    part = _part(result)
    start_s, end_s = (request.args.get(key, type=_finite) for key in ("from", "to"))
    signal = [] if part is None else predictions.signal_view(prediction, part, start_s, end_s)
    if start_s is not None or end_s is not None:
        return jsonify(signal=signal)
    return jsonify(
        layout=result.layout,
        signal=signal,
        recognised=result.windows() if part is None else result.bouts(part),
        labelled=[] if part is None else result.bouts(part, truth=True),
        colours=_colours(result),
    )


@bp.get("/<int:recording_id>/windows.csv")
@access("user")
def windows_csv(recording_id: int) -> ResponseReturnValue:
    recording, _, result = _requested(recording_id)
    return _attachment(_csv_chunks(result), _download_name(recording.filename, "csv"), "text/csv")


def _csv_chunks(result: PredictionResult) -> Iterator[str]:
    for start in range(0, len(result), ROWS_A_CHUNK):
        rows = result.windows(slice(start, start + ROWS_A_CHUNK))
        text = io.StringIO()
        table = csv.DictWriter(text, list(rows[0]))
        if start == 0:
            table.writeheader()
        table.writerows(rows)
        yield text.getvalue()


@bp.get("/<int:recording_id>/result.json")
@access("user")
def result_json(recording_id: int) -> ResponseReturnValue:
    recording, _, result = _requested(recording_id)
    response = jsonify({"file": recording.filename, **result.as_dict()})
    response.headers.set("Content-Disposition", "attachment", filename=_download_name(recording.filename, "json"))
    return response


@bp.get("/<int:recording_id>/quality.json")
@access("user")
def quality_json(recording_id: int) -> ResponseReturnValue:
    recording = predictions.get(current_user.id, recording_id)
    if (quality := predictions.quality(recording)) is None:
        raise NotFound("This recording was uploaded before there were quality cards. Upload it again to get one.")
    response = jsonify({"file": recording.filename, **quality})
    name = f"{PurePath(recording.filename).stem}-quality.json"
    response.headers.set("Content-Disposition", "attachment", filename=name)
    return response


@bp.get("/<int:recording_id>/timeline.<any(png, svg):file_format>")
@access("user")
def timeline_image(recording_id: int, file_format: Literal["png", "svg"]) -> ResponseReturnValue:
    recording, prediction, result = _requested(recording_id)
    image = predictions.timeline_image(prediction, _part(result), file_format)
    mimetype = {"png": "image/png", "svg": "image/svg+xml"}[file_format]
    return _attachment(image, _download_name(recording.filename, file_format), mimetype)


@bp.post("/<int:recording_id>/again")
@access("user")
def again(recording_id: int) -> ResponseReturnValue:
    form = _again_form(model_versions.list_versions())
    if not form.validate_on_submit():
        flash("Choose one of the models in the list.", "danger")
        return redirect(url_for(".show", recording_id=recording_id))
    try:
        prediction = predictions.repredict(current_user.id, recording_id, form.version.data)
    except HarError as error:
        flash(str(error), "danger")
        return redirect(url_for(".show", recording_id=recording_id))
    return redirect(url_for(".show", recording_id=recording_id, prediction=prediction.id))


@bp.post("/<int:recording_id>/delete")
@access("user")
def delete(recording_id: int) -> ResponseReturnValue:
    predictions.delete(current_user.id, recording_id)
    flash("The recording and everything recognised in it were deleted.", "success")
    return redirect(url_for("home.index"))


def _requested(recording_id: int) -> tuple[Any, Any, PredictionResult]:
    recording = predictions.get(current_user.id, recording_id)
    prediction = predictions.get_prediction(recording, request.args.get("prediction", type=int))
    return recording, prediction, predictions.result(prediction)


def _download_name(filename: str, extension: str) -> str:
    return f"{PurePath(filename).stem}-activities.{extension}"


def _attachment(body: str | bytes | Iterator[str], name: str, mimetype: str) -> Response:
    response = Response(body, mimetype=mimetype)
    response.headers.set("Content-Disposition", "attachment", filename=name)
    return response
