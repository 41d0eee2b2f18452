"""Upload a recording, see what was recognised in it, download the results or delete it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import tzinfo
from typing import TYPE_CHECKING, Any, Literal

from flask import flash, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from app.har.colours import HATCHES, MISSING
from app.har.errors import HarError
from app.har.texts import to_csv
from app.services.errors import Invalid, NotFound
from app.services.formatting import percent
from app.services.interchange import exported, fhir, omh
from app.services.models import model_titles, model_versions
from app.services.paging import Page, page_of
from app.services.personal import by_height, in_lists, view
from app.services.personal.effect import doubts_of
from app.services.personal.view import View
from app.services.recordings import (
    beside,
    explained_bouts,
    figures,
    fitting,
    known_walking,
    recordings,
    result_tables,
    smoothing,
    steps,
    table_texts,
    transitions,
)
from app.services.recordings.activity_times import clock_of
from app.services.recordings.answers_in_words import left_open, may_be_a_walk, wearings_in_words
from app.services.recordings.held import Held
from app.services.recordings.one_recording import verdict_of
from app.services.recordings.places import PLACES
from app.services.recordings.prediction_result import PredictionResult
from app.services.recordings.verdict import decide
from app.web.access import access
from app.web.downloads import attachment, download_name, named, reader_zone
from app.web.errors import flashed
from app.web.predictions import correcting
from app.web.predictions.address import moment, personal, recording_index_of, smooth
from app.web.predictions.blueprint import bp
from app.web.predictions.forms import RerunForm, known_places, model_choice
from app.web.predictions.quality_strips import shown_quality

if TYPE_CHECKING:
    import pandas as pd

    from app.tables import StoredRecording

ROWS_A_PAGE = 15
BOUTS_A_PAGE = 20
SECONDS_AROUND = 10.0  # of a transition, which says nothing without what is before and after it
LONGEST_WALK_MIN = 30  # of a recording that a person is asked about: nobody walks all through a day


@bp.get("/")
@access("user")
def index() -> ResponseReturnValue:
    """Go to the list of recordings, on the home page."""
    return redirect(url_for("home.index"))


@bp.get("/<int:recording_id>")
@access("user")
def show(recording_id: int) -> ResponseReturnValue:
    """Show a recording: the activities over time, its quality, every window."""
    recording = recordings.get(current_user.id, recording_id)
    prediction = recordings.get_prediction(recording, request.args.get("prediction", type=int))
    seen = view.view_of(prediction, smooth(), personal())
    result = seen.result
    recording_index = recording_index_of(result)
    quality = recordings.quality_of(recording)
    summary = result.summary()
    return render_template(
        "predictions/show.html",
        recording=recording,
        prediction=prediction,
        summary=summary,
        result=result,
        smooth=smooth(),
        shortest_s=smoothing.shortest_s(result),
        recording_index=recording_index,
        rows=_window_page(result, recording_index, reader_zone()),
        colours=result.colours,
        left_open=left_open(result.tree, result.limit),
        totals=table_texts.records(result_tables.totals(result)),
        steps=steps.of(recording, result).total(),
        steps_measured=steps.MEASURED,
        shown_activities=result.shown_activities(recording_index),
        agreement=result_tables.agreement(result, recording_index),
        missing_colour=MISSING,
        hatches=HATCHES,
        **(in_time := _in_time(result, recording_index)),
        **correcting.shown(prediction, seen, recording_index, in_time["clock"]),
        personal=personal(),
        minutes=in_lists.minutes_of(recording.user_id, [p for p in recording.predictions if p is not prediction]),
        rerun_form=_rerun_form(recording, prediction.model_version_id),
        said_place=PLACES.get(recording.place or ""),
        walking=known_walking.is_walking(recording),
        walking_stretch=known_walking.stretch_of(recording),
        may_be_walk=summary["minutes"] <= LONGEST_WALK_MIN and may_be_a_walk(summary["minutes_per_activity"]),
        beside=beside.by_activity(recording, result, recording_index),
        moves=transitions.kinds(result, recording_index),
        why=explained_bouts.offered(prediction) if in_time["clock"] else None,
        height=by_height.of(prediction, seen, smooth(), personal(), recording_index),
        unmeasured=any(not wearing.reference and wearing.place != "table" for wearing in result.wearings),
        problems=result.problems,
        verdict=verdict_of(result, recording_index, quality, doubts_of(seen, recording_index)),
        verdict_of_all=decide(result, quality, doubts_of(seen, None))
        if recording_index is not None and result.holds_several
        else None,
        quality=shown_quality(quality, result.recording_ids[recording_index or 0]) if quality else None,
        about_model=model_versions.accuracy_in_words(prediction.model_version) if prediction.model_version else None,
    )


def _window_page(result: PredictionResult, recording_index: int | None, zone: tzinfo) -> Page[dict[str, Any]]:
    """Return the windows of a result, a page at a time."""
    rows = result_tables.window_rows(result, recording_index)

    def fetch(start: int, stop: int) -> list[dict[str, Any]]:
        part = rows.take(slice(start, stop))
        records = table_texts.records(result_tables.windows(result, zone, part))
        spans = [result.span_of(i) if i >= 0 else None for i in part.position.tolist()]
        return [row | {"own": span} for row, span in zip(records, spans, strict=True)]

    return page_of(len(rows), request.args.get("page", 1, type=int), ROWS_A_PAGE, fetch)


def bout_page(result: PredictionResult, recording_index: int, zone: tzinfo) -> Page[dict[str, Any]]:
    """Return the bouts of a recording and what is missing between them, a page at a time."""
    by_length = request.args.get("sort") == "length"
    found, rows = result_tables.bout_rows(result, recording_index, by_length=by_length)

    def fetch(start: int, stop: int) -> list[dict[str, Any]]:
        table = result_tables.bouts(result, zone, found=(found, rows.take(slice(start, stop))))
        return [row | {"view": _around(row["start_s"], row["end_s"])} for row in table_texts.records(table)]

    return page_of(len(rows), request.args.get("bouts", 1, type=int), BOUTS_A_PAGE, fetch)


def _move_page(result: PredictionResult, recording_index: int) -> Page[dict[str, Any]]:
    """Return the transitions of a recording, a page at a time."""
    found = transitions.of_recording(result, recording_index)

    def fetch(start: int, stop: int) -> list[dict[str, Any]]:
        return [each | {"view": _around(each["start_s"], each["end_s"], SECONDS_AROUND)} for each in found[start:stop]]

    return page_of(len(found), request.args.get("moves", 1, type=int), BOUTS_A_PAGE, fetch)


def _around(start_s: float, end_s: float, at_least_s: float = 0.0) -> dict[str, str]:
    """Return the range, in an address, that shows a bout with something before and after it."""
    margin = max((end_s - start_s) / 4, at_least_s)
    return {"from": f"{start_s - margin:.3f}", "to": f"{end_s + margin:.3f}"}


def _in_time(result: PredictionResult, recording_index: int | None) -> dict[str, Any]:
    """Return what a page shows of one recording by the clock: bouts, days and hours. Single windows have none."""
    if recording_index is None:
        return {"clock": None}
    clock = clock_of(result, recording_index, reader_zone())
    table = result_tables.days(result, clock.zone, recording_index)
    periods = {
        kind: [
            period | {"title": clock.period_title(period["start_s"], kind)}
            for period in result_tables.by_period(table, kind)
        ]
        for kind in result_tables.PERIODS
    }
    return {
        "clock": clock,
        "bouts": bout_page(result, recording_index, clock.zone),
        "each_move": _move_page(result, recording_index),
        "worn": wearings_in_words(
            result.wearings,
            result.recording_ids[recording_index],
            clock,
            known_walking.name_of(current_user.id, result.walking_recording),
            result.unfamiliar_wearings,
        ),
        "periods": periods if periods["day"] else None,
        "occurring": [name for name in result.answer_names if any(name in day["minutes"] for day in periods["day"])],
        "has_gaps": any(day["missing"] for day in periods["day"]),
    }


def _rerun_form(recording: StoredRecording, version_id: int | None = None) -> RerunForm:
    form = RerunForm(version=version_id, place=recording.place or "")
    models, quality = model_titles.in_words(), recordings.quality_of(recording)
    unfit = fitting.unfit(models, Held.of_quality(quality)) if quality else {}
    form.version.choices = [
        model_choice(
            model,
            unfit.get(model.version.id, ""),
            f", limit {percent(model_versions.limit_of(model.version), 0)}",
        )
        for model in models
    ]
    form.use_walking.description = known_places()
    return form


def _view() -> tuple[tzinfo, float | None, float | None, bool]:
    """Return what of a timeline is asked for: the time zone, the moments, and whether its axes are."""
    return reader_zone(), moment("from"), moment("to"), request.args.get("axes") == "1"


@bp.get("/<int:recording_id>/timeline.json")
@access("user")
def timeline_json(recording_id: int) -> ResponseReturnValue:
    """Return what the timeline draws ``from`` a second ``to`` another, or all of it; with ``axes=1`` each axis."""
    recording, seen = _seen(recording_id)
    result, index = seen.result, recording_index_of(seen.result)
    return jsonify(figures.timeline_data(recording, result, index, *_view(), before=seen.before))


@bp.get("/<int:recording_id>/<any(windows, bouts, daily, metrics):table>.csv")
@access("user")
def table_csv(recording_id: int, table: str) -> ResponseReturnValue:
    """Download every window, bout or label compared, or the minutes per day and hour, of all recordings in the file."""
    recording, result = _requested(recording_id)
    if table == "windows":
        text: str | Iterator[str] = result_tables.windows_csv(result, reader_zone())
    else:
        text = to_csv(_table(table, recording, result))
    return attachment(text, download_name(recording.filename, table, "csv"), "text/csv")


def _table(table: str, recording: StoredRecording, result: PredictionResult) -> pd.DataFrame:
    if table == "metrics":
        return result_tables.metrics(result)
    if table == "daily":
        return result_tables.days(result, reader_zone())
    return (
        result_tables.windows(result, reader_zone())
        if table == "windows"
        else result_tables.bouts(result, reader_zone(), steps=steps.of(recording, result))
    )


@bp.get("/<int:recording_id>/<any(windows, bouts, daily, metrics):table>.json")
@access("user")
def table_json(recording_id: int, table: str) -> ResponseReturnValue:
    """Download the same tables as JSON."""
    recording, result = _requested(recording_id)
    content = (
        result_tables.daily(result, reader_zone())
        if table == "daily"
        else table_texts.records(_table(table, recording, result))
    )
    about = {"file": recording.filename, **result_tables.made_by(result)}
    response = jsonify({**about, table: content})
    return named(response, download_name(recording.filename, table, "json"))


@bp.get("/<int:recording_id>/result.json")
@access("user")
def result_json(recording_id: int) -> ResponseReturnValue:
    """Download the whole result."""
    recording, seen = _seen(recording_id)
    result, quality = seen.result, recordings.quality_of(recording)
    verdict = decide(result, quality, doubts_of(seen, None))
    about: dict[str, Any] = {"file": recording.filename, "verdict": verdict.as_dict()}
    if result.layout == "timeline" and result.holds_several:
        verdicts = (
            verdict_of(result, i, quality, doubts_of(seen, i)).as_dict() for i in range(len(result.recording_ids))
        )
        about["verdicts"] = dict(zip(result.recording_ids, verdicts, strict=True))
    counted = steps.of(recording, result)
    response = jsonify({**about, **result_tables.document(result, reader_zone(), counted)})
    return named(response, download_name(recording.filename, "activities", "json"))


@bp.get("/<int:recording_id>/<any(fhir, omh):standard>.json")
@access("user")
def activities_json(recording_id: int, standard: Literal["fhir", "omh"]) -> ResponseReturnValue:
    """Download the activities for other systems: as a FHIR bundle, or as Open mHealth data points."""
    recording = recordings.get(current_user.id, recording_id)
    prediction = recordings.get_prediction(recording, request.args.get("prediction", type=int))
    seen = view.view_of(prediction, smooth(), personal())
    answers = exported.answers(prediction, seen, personal(), reader_zone())
    response = jsonify(fhir.bundle(answers) if standard == "fhir" else omh.data_points(answers))
    if standard == "fhir":
        response.mimetype = fhir.MEDIA_TYPE
    return named(response, download_name(recording.filename, standard, "json"))


@bp.get("/<int:recording_id>/quality.json")
@access("user")
def quality_json(recording_id: int) -> ResponseReturnValue:
    """Download the quality card."""
    recording = recordings.get(current_user.id, recording_id)
    if (quality := recordings.quality_of(recording)) is None:
        raise NotFound("This recording was uploaded before quality cards existed. Upload it again to get one.")
    response = jsonify({"file": recording.filename, **quality})
    return named(response, download_name(recording.filename, "quality", "json"))


@bp.get("/<int:recording_id>/timeline.<any(png, svg):file_format>")
@access("user")
def timeline_image(recording_id: int, file_format: Literal["png", "svg"]) -> ResponseReturnValue:
    """Download as a picture what the timeline draws, see `timeline_json`."""
    recording, result = _requested(recording_id)
    image = figures.timeline_image(recording, result, recording_index_of(result), file_format, *_view())
    mimetype = {"png": "image/png", "svg": "image/svg+xml"}[file_format]
    return attachment(image, download_name(recording.filename, "activities", file_format), mimetype)


@bp.post("/<int:recording_id>/again")
@access("user")
def rerun(recording_id: int) -> ResponseReturnValue:
    """Recognise a recording again, with another model or as worn in another place."""
    form = _rerun_form(recordings.get(current_user.id, recording_id))
    if not form.validate_on_submit():
        flash("Choose a model and a place from the lists.", "danger")
        return redirect(url_for(".show", recording_id=recording_id))
    try:
        answers = form.version.data, form.place.data, form.use_walking.data
        prediction = recordings.repredict(current_user.id, recording_id, *answers)
    except HarError as error:
        flash(str(error), "danger")
        return redirect(url_for(".show", recording_id=recording_id))
    return redirect(url_for(".show", recording_id=recording_id, prediction=prediction.id))


@bp.post("/<int:recording_id>/walking")
@access("user")
def mark_walking(recording_id: int) -> ResponseReturnValue:
    """Use a recording as the person's own walking, or stop using it."""
    walking = request.form.get("walking") == "1"
    with flashed(Invalid):
        known_walking.mark(recordings.get(current_user.id, recording_id), walking)
        used = "New recordings are measured against it, earlier ones when they are recognised again."
        flash(used if walking else "This recording is no longer used as your walking.", "success")
    return redirect(url_for(".show", recording_id=recording_id))


@bp.post("/<int:recording_id>/delete")
@access("user")
def delete(recording_id: int) -> ResponseReturnValue:
    """Delete a recording and everything made from it."""
    recordings.delete(current_user.id, recording_id)
    flash("The recording and its results were deleted.", "success")
    return redirect(url_for("home.index"))


def _seen(recording_id: int) -> tuple[StoredRecording, View]:
    recording = recordings.get(current_user.id, recording_id)
    prediction = recordings.get_prediction(recording, request.args.get("prediction", type=int))
    return recording, view.view_of(prediction, smooth(), personal())


def _requested(recording_id: int) -> tuple[StoredRecording, PredictionResult]:
    """Return a recording and what was recognised in it, as the address says; by default as its page shows it."""
    recording, seen = _seen(recording_id)
    return recording, seen.result
