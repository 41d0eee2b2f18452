"""Recordings: upload, list, answers as windows and as bouts, corrections, the file itself."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import closing
from datetime import tzinfo
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode
from uuid import uuid4

from flask import Response, request, send_file, url_for

from app.har.errors import HarError
from app.har.progress import Stage
from app.services import sealing
from app.services.api.tokens import Scope
from app.services.audit import Action, record
from app.services.errors import Invalid, NotFound, ServiceError
from app.services.formatting import capitalise
from app.services.interchange import everything, exported, fhir, omh
from app.services.interchange.answers import Answers
from app.services.personal import corrections, in_lists, view
from app.services.personal.effect import doubts_of
from app.services.personal.view import View
from app.services.recordings import (
    attempts,
    listing,
    recordings,
    result_tables,
    steps,
    table_texts,
    upload_progress,
    uploads,
)
from app.services.recordings.listing import Wanted
from app.services.recordings.pending import PendingUpload
from app.services.recordings.verdict import decide
from app.services.recordings.wall_clock import time_zone
from app.web.api.v1 import asked, shapes
from app.web.api.v1.operations import cursor_of, number_of, operation
from app.web.bearer import bearer
from app.web.downloads import named
from app.web.problems import NotAsDescribed

if TYPE_CHECKING:
    from app.tables import Correction, StoredRecording

READ, WRITE = Scope.RECORDINGS_READ, Scope.RECORDINGS_WRITE
Made = tuple[Any, int, dict[str, str]]


@operation("GET", "/recordings", READ, shapes.Recordings)
def list_recordings(query: asked.RecordingsQuery) -> shapes.Recordings:
    """List recordings.

    Those uploaded last come first. ``first`` and ``last`` are days (2026-11-29), ``activity`` a name of the shared
    vocabulary.
    """
    asked = {name: getattr(query, name) for name in ("search", "first", "last", "model", "activity")}
    wanted = Wanted.from_parameters(asked, _zone(query.tz))
    found = listing.newest(bearer().id, wanted, number_of(query.cursor), query.limit)
    return shapes.Recordings(_shown(found.items), cursor_of(found.before))


@operation("POST", "/recordings", WRITE, shapes.Recording, 201, also={202: shapes.Waiting})
def upload_recording(form: asked.Upload) -> Made:
    """Upload a recording.

    It is read and recognised before the answer comes; meanwhile, GET /uploads says how far it is. ``follow`` is a name
    of your own for it: up to 32 small letters and digits. ``tz`` is the time zone to whose time a device was set, where
    the file does not say it. 202: its layout is not known, and it waits for a day for its owner to name the columns on
    a page.
    """
    file = request.files.get("file")
    if file is None:
        raise NotAsDescribed([{"field": "file", "message": "Field required"}])
    if form.follow and not re.fullmatch(r"[0-9a-z]+", form.follow):
        raise NotAsDescribed([{"field": "follow", "message": "Small letters and digits"}])
    user_id, token = bearer().id, form.follow or uuid4().hex
    try:
        with closing(file), upload_progress.followed(user_id, token) as on_event:
            outcome = uploads.receive(
                user_id,
                file.filename or "",
                file.stream,
                form.model,
                on_event,
                form.place,
                form.use_walking,
                token=token,
                only_new=form.only_new,
                zone=str(_zone(form.tz)),
            )
    except (ServiceError, HarError) as error:
        record(Action.UPLOAD, outcome="refused", reason=type(error).__name__)
        raise
    if isinstance(outcome, PendingUpload):
        page = url_for("mappings.show", token=outcome.token)
        return shapes.Waiting(True, outcome.note, page), 202, {}
    return _made(outcome.recording_id)


@operation("GET", "/uploads", READ, shapes.Readings)
def list_uploads() -> shapes.Readings:
    """List uploads that are being read or could not be.

    One that is read has gone from here: it is among the recordings.
    """
    user_id = bearer().id
    return shapes.Readings([_reading(user_id, attempt) for attempt in attempts.list_attempts(user_id)])


@operation("DELETE", "/uploads/<int:upload_id>", WRITE, status=204)
def dismiss_upload(upload_id: int) -> tuple[str, int]:
    """Dismiss an upload that could not be read, with its file."""
    attempts.dismiss(bearer().id, upload_id)
    return "", 204


def _reading(user_id: int, attempt: attempts.Attempt) -> shapes.Reading:
    event = upload_progress.latest(user_id, attempt.token) or {}
    return shapes.Reading(
        attempt.id,
        attempt.filename,
        attempt.token,
        attempt.created,
        "reading" if attempt.reason is None else "failed",
        capitalise(Stage(event["stage"]).label) if event else None,
        event.get("fraction"),
        attempt.reason,
    )


@operation("GET", "/recordings/<int:recording_id>", READ, shapes.Recording)
def get_recording(recording_id: int) -> shapes.Recording:
    """Get a recording."""
    return _shown([recordings.get(bearer().id, recording_id)])[0]


@operation("PATCH", "/recordings/<int:recording_id>", WRITE, shapes.Recording)
def describe_recording(recording_id: int, json: asked.Description) -> shapes.Recording:
    """Name a recording, take notes."""
    user_id = bearer().id
    before = recordings.get(user_id, recording_id)
    title = before.title if json.title is None else json.title.strip()
    notes = before.notes if json.notes is None else json.notes.strip()
    return _shown([recordings.describe(user_id, recording_id, title, notes)])[0]


@operation("DELETE", "/recordings/<int:recording_id>", WRITE, status=204)
def delete_recording(recording_id: int) -> tuple[str, int]:
    """Delete a recording with everything made from it."""
    recordings.delete(bearer().id, recording_id)
    return "", 204


@operation("POST", "/recordings/<int:recording_id>/predictions", WRITE, shapes.Recording, 201)
def recognise_again(recording_id: int, json: asked.Again) -> Made:
    """Recognise a recording again.

    With another model, or as worn in another place.
    """
    recordings.repredict(bearer().id, recording_id, json.model, json.place, json.use_walking)
    return _made(recording_id)


@operation("GET", "/recordings/<int:recording_id>/file", READ, media="application/octet-stream")
def get_file(recording_id: int) -> Response:
    """Get the file as it was uploaded."""
    recording = recordings.get(bearer().id, recording_id)
    path = recordings.uploaded_file(recording)
    response = send_file(sealing.opened(path), "application/octet-stream", download_name=recording.filename)
    response.content_length = sealing.size(path)
    return named(response, recording.filename)


@operation("GET", "/recordings/<int:recording_id>/quality", READ, shapes.Quality)
def get_quality(recording_id: int) -> shapes.Quality:
    """Get the quality cards of a recording."""
    recording = recordings.get(bearer().id, recording_id)
    if (quality := recordings.quality_of(recording)) is None:
        raise NotFound("This recording was uploaded before quality cards existed.")
    return shapes.Quality(recording.filename, quality["cards"])


@operation("GET", "/recordings/<int:recording_id>/answers", READ, shapes.Answers)
def get_answers(recording_id: int, query: asked.AnswersQuery) -> shapes.Answers:
    """Get what was recognised, as a whole."""
    recording = recordings.get(bearer().id, recording_id)
    prediction = recordings.get_prediction(recording, query.prediction)
    seen = view.view_of(prediction, query.smooth, query.personal)
    result = seen.result
    verdict = decide(result, recordings.quality_of(recording), doubts_of(seen, None))
    return shapes.Answers(
        prediction.id,
        result.model_label,
        list(result.recording_ids),
        result.layout,
        verdict.as_dict(),
        result.summary(),
    )


@operation("GET", "/recordings/<int:recording_id>/answers/fhir", READ, shapes.Bundle, media=fhir.MEDIA_TYPE)
def get_fhir(recording_id: int, query: asked.ExportQuery) -> shapes.Bundle:
    """Get the activities as a FHIR R4 bundle.

    422: the recording does not tell the time of day.
    """
    return shapes.Bundle(**fhir.bundle(_exported(recording_id, query)))


@operation("GET", "/recordings/<int:recording_id>/answers/omh", READ, shapes.DataPoints)
def get_omh(recording_id: int, query: asked.ExportQuery) -> shapes.DataPoints:
    """Get the activities as Open mHealth data points.

    422: the recording does not tell the time of day.
    """
    return shapes.DataPoints([shapes.DataPoint(**each) for each in omh.data_points(_exported(recording_id, query))])


@operation("GET", "/fhir/everything", READ, shapes.Everything, media=fhir.MEDIA_TYPE)
def get_everything(query: asked.EverythingQuery) -> shapes.Everything:
    """Get the activities of all recordings as FHIR R4, a part of them at a time.

    As ``$everything`` of the person gives them: those uploaded last come first, and the link ``next`` leads to the part
    that follows. ``date`` is a day (2026-11-29) of the time zone: what is partly in it is in it. Recordings that do not
    tell the time of day are named in an OperationOutcome.
    """
    zone = _zone(query.tz)
    try:
        day = everything.day_of(query.date) if query.date else None
    except Invalid as error:
        raise NotAsDescribed([{"field": "date", "message": str(error)}]) from error
    found = everything.part(bearer().id, day, zone, number_of(query.cursor), query.limit)

    def link(cursor: str | None) -> str:
        wanted = {"cursor": cursor, "date": query.date, "tz": query.tz, "limit": str(query.limit)}
        return url_for(".get_everything", _external=True) + "?" + urlencode({k: v for k, v in wanted.items() if v})

    links = {"self": link(query.cursor)} | ({"next": link(cursor_of(found.before))} if found.before else {})
    return shapes.Everything(**fhir.search_set(found.person, found.found, found.left_out, links))


@operation("GET", "/recordings/<int:recording_id>/windows", READ, shapes.Windows)
def list_windows(recording_id: int, query: asked.RowsQuery) -> shapes.Windows:
    """List the answers window by window."""
    result = _seen(recording_id, query).result
    rows, start = result_tables.window_rows(result), number_of(query.cursor) or 0
    table = result_tables.windows(result, rows=rows.take(slice(start, start + query.limit)))
    items = [
        shapes.Window(
            part=row["recording"],
            probabilities={activity: row[f"p_{activity}"] for activity in result.activities},
            **_some(
                row,
                "start_s start_utc end_s activity confidence deepest_activity deepest_confidence unfamiliar corrected",
            ),
        )
        for row in table_texts.records(table)
    ]
    return shapes.Windows(result.model_label, items, _after(start, query.limit, len(rows)))


@operation("GET", "/recordings/<int:recording_id>/bouts", READ, shapes.Bouts)
def list_bouts(recording_id: int, query: asked.RowsQuery) -> shapes.Bouts:
    """List the answers bout by bout."""
    result = _seen(recording_id, query).result
    counted = steps.of(recordings.get(bearer().id, recording_id), result)
    found, rows = result_tables.bout_rows(result)
    start = number_of(query.cursor) or 0
    part = found, rows.take(slice(start, start + query.limit))
    table = result_tables.bouts(result, found=part, steps=counted)
    wanted = "start_s end_s start_utc end_utc activity windows confidence deepest_activity deepest_confidence steps"
    items = [shapes.Bout(part=row["recording"], **_some(row, wanted)) for row in table_texts.records(table)]
    return shapes.Bouts(result.model_label, items, _after(start, query.limit, len(rows)))


@operation("GET", "/recordings/<int:recording_id>/corrections", READ, shapes.Corrections)
def list_corrections(recording_id: int) -> shapes.Corrections:
    """List the corrections of a recording."""
    recording = recordings.get(bearer().id, recording_id)
    return shapes.Corrections([_correction(row) for row in corrections.of_recording(recording)])


@operation("POST", "/recordings/<int:recording_id>/corrections", WRITE, shapes.Corrections, 201)
def correct_recording(recording_id: int, json: asked.NewCorrections) -> Made:
    """Say what it was in some stretches.

    By the recording's own clock, as windows and bouts have it; ``part`` is a position in the ``parts`` of its answers.
    """
    user_id = bearer().id
    recording = recordings.get(user_id, recording_id)
    result = recordings.result_of(recordings.get_prediction(recording))
    said = [(one.part, one.start_s, one.end_s, one.activity) for one in json.stretches]
    rows = corrections.add(user_id, recording, result, said, seen=json.seen)
    address = url_for(".list_corrections", recording_id=recording_id)
    return shapes.Corrections([_correction(row) for row in rows]), 201, {"Location": address}


@operation("DELETE", "/recordings/<int:recording_id>/corrections/<batch>", WRITE, status=204)
def undo_corrections(recording_id: int, batch: str) -> tuple[str, int]:
    """Undo what was said at once."""
    corrections.undo(bearer().id, recording_id, batch)
    return "", 204


def _exported(recording_id: int, query: asked.ExportQuery) -> Answers:
    recording = recordings.get(bearer().id, recording_id)
    prediction = recordings.get_prediction(recording, query.prediction)
    seen = view.view_of(prediction, query.smooth, query.personal)
    return exported.answers(prediction, seen, query.personal, _zone(query.tz))


def _zone(name: str) -> tzinfo:
    try:
        return time_zone(name)
    except ServiceError as error:
        raise NotAsDescribed([{"field": "tz", "message": str(error)}]) from error


def _seen(recording_id: int, query: asked.RowsQuery) -> View:
    recording = recordings.get(bearer().id, recording_id)
    return view.view_of(recordings.get_prediction(recording, query.prediction), query.smooth, query.personal)


def _some(row: dict[str, Any], names: str) -> dict[str, Any]:
    return {name: row[name] for name in names.split()}


def _after(start: int, limit: int, total: int) -> str | None:
    return cursor_of(start + limit) if start + limit < total else None


def _made(recording_id: int) -> Made:
    shown = _shown([recordings.get(bearer().id, recording_id)])[0]
    return shown, 201, {"Location": url_for(".get_recording", recording_id=recording_id)}


def _shown(found: Sequence[StoredRecording]) -> list[shapes.Recording]:
    newest = [recording.predictions[0] for recording in found if recording.predictions]
    minutes = in_lists.minutes_of(bearer().id, newest)
    return [
        shapes.Recording(
            id=one.id,
            filename=one.filename,
            title=one.title,
            notes=one.notes,
            place=one.place,
            created=one.created,
            recorded=one.recorded,
            bytes=one.facts.get("bytes"),
            minutes=one.facts.get("minutes"),
            minutes_per_activity=dict(minutes[one.predictions[0].id]) if one.predictions else {},
            predictions=[
                shapes.Prediction(each.id, each.model_label, each.created, each.summary["windows"])
                for each in one.predictions
            ],
        )
        for one in found
    ]


def _correction(row: Correction) -> shapes.Correction:
    return shapes.Correction(row.id, row.part, row.start_s, row.end_s, row.activity, row.source, row.batch, row.created)
