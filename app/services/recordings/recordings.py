"""Recordings that users uploaded, and what was recognised in them. Each user sees only their own.

``uploads/recording-<token>/`` holds of one recording: ``source`` (the file as uploaded), its quality cards, the signal
as the first model saw it (see `stored_signal`) and ``<prediction id>.npz`` (what a model recognised).
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flask import current_app
from sqlalchemy import select
from sqlalchemy.orm import selectinload

from app.extensions import db
from app.har.progress import OnEvent, ignore_event
from app.services import audit, keys, leftovers
from app.services.audit import Action
from app.services.errors import Invalid, NotFound
from app.services.files import DRAFT
from app.services.models import model_versions
from app.services.personal import head_files
from app.services.recordings import known_walking, reading
from app.services.recordings.prediction_result import PredictionResult
from app.services.recordings.recognise import KnownWalking, Recognised, recognise
from app.services.recordings.result_files import DAMAGED, load_quality, load_result, save_result
from app.services.recordings.smoothing import as_chosen
from app.services.recordings.wall_clock import time_zone
from app.services.sealing import Key
from app.services.subscriptions import events
from app.services.subscriptions.events import EventType
from app.services.transaction import transaction
from app.tables import ModelVersion, Prediction, StoredRecording

if TYPE_CHECKING:
    from app.har.recordings.mappings.mapping import ColumnMapping

log = logging.getLogger(__name__)

PREFIX = "recording-"
SOURCE = "source"  # the file as uploaded
TITLE_LENGTH, NOTES_LENGTH = 120, 4000  # characters
ENDS = "ends"  # in the facts: when it does, in Unix seconds; earlier builds did not say
ZONE = "zone"  # in the facts: in which a local clock without a zone is read
DATED = "dated"  # in the facts: whether it was looked at when the recording begins
AGAIN = ".again.npz"  # ends the name of a result that takes the place of another


def predict_file(
    path: Path,
    name: str,
    model_key: int | str | None = None,
    on_event: OnEvent = ignore_event,
    mapping: ColumnMapping | None = None,
    place: str = "",
    walking: Path | None = None,
    zone: str = "UTC",
) -> Recognised:
    """Recognise the activities in a file and store nothing; by the model that fits it unless one is named.

    ``model_key`` is a version's id, its label or its name; ``mapping`` says what the columns of a file in no known
    layout are, ``place`` where the device was worn, ``walking`` is a recording of the person's walking with it there,
    ``zone`` in which it was set to its time, where the file does not say it.

    Raises
    ------
    Conflict : there is no default model yet.
    NotFound : there is no such model.
    HarError : the file cannot be read or used.
    """
    candidates = reading.candidates_for(model_key)
    known = KnownWalking(None, walking, walking.name, mapping, zone=zone) if walking else None
    others, own_zone = candidates.alternatives, time_zone(zone)
    return recognise(path, name, candidates.models, on_event, mapping, place, known, others, own_zone)


def list_recordings(user_id: int) -> list[StoredRecording]:
    """Return a user's recordings with their predictions, the newest first."""
    query = select(StoredRecording).where(StoredRecording.user_id == user_id).order_by(StoredRecording.id.desc())
    return list(db.session.scalars(query.options(selectinload(StoredRecording.predictions))))


def get(user_id: int, recording_id: int) -> StoredRecording:
    """Return a recording of this user; one of somebody else does not exist for them, whoever they are."""
    recording = db.session.get(StoredRecording, recording_id)
    if recording is None or recording.user_id != user_id:
        if recording is not None:
            audit.record(Action.REFUSAL, f"recording {recording_id}", outcome="refused", reason="somebody else's")
        raise NotFound("You have no such recording.")
    return recording


def get_prediction(recording: StoredRecording, prediction_id: int | None = None) -> Prediction:
    """Return one of a recording's predictions, by default the newest."""
    for prediction in recording.predictions:
        if prediction_id in (None, prediction.id):
            return prediction
    raise NotFound("This recording has no such prediction.")


def result_of(prediction: Prediction) -> PredictionResult:
    """Return what was recognised, window by window, as it is stored: each window alone."""
    return load_result(result_file(prediction))


def quality_of(recording: StoredRecording) -> dict[str, Any] | None:
    """Return the quality cards of a file, as `quality.Quality` has them; None if it was stored without."""
    return load_quality(folder_of(recording))


def repredict(
    user_id: int,
    recording_id: int,
    model_key: int | str | None = None,
    place: str | None = None,
    use_walking: bool = True,
) -> Prediction:
    """Let a model, the default one unless another is named, recognise a stored recording.

    Once per model is enough, as long as the person does not say another ``place`` at which the device was worn, or
    another walking of theirs: none, where ``use_walking`` is False; and as the model expects activities as often as
    it did, and as the result holds what a personal model learns from, which earlier builds did not store. Where only
    the limit of its answers has changed since, it is the stored probabilities that are answered anew.
    """
    recording, version = get(user_id, recording_id), model_versions.get_or_default(model_key)
    limit = model_versions.limit_of(version)
    place = recording.place or "" if place is None else place
    walking = walking_of(user_id, place, recording) if use_walking else None
    asked = (place, walking.recording_id if walking else None, version.prior)
    done = next((p for p in recording.predictions if p.model_version_id == version.id), None)
    if done is not None and _asked(done) == asked and "features" in done.summary:
        if done.summary.get("limit") != limit:
            _store_again(done, replace(result_of(done), limit=limit))
        return done
    zone = zone_of(recording)
    file = reading.File(uploaded_file(recording), recording.filename, keys.of(user_id), place, walking, zone)
    candidates, mapping = reading.candidates_for(version.id), mapping_of(recording)
    with reading.turn(user_id):
        read = reading.recognise(file, folder_of(recording), candidates, mapping, is_new=False)
    recording.place = place or None
    if done is not None:
        _store_again(done, read.result, read.path)
        return done
    with new_prediction(recording, read.result, version, read.path) as prediction:
        return prediction


def _asked(prediction: Prediction) -> tuple[str, int | None, dict[str, float]]:
    """Return what a stored prediction was asked: the place, the walking that is its measure, and the prior."""
    summary = prediction.summary
    return summary.get("place", ""), summary.get("walking_recording"), summary.get("prior", {})


def walking_of(user_id: int, place: str, of: StoredRecording | None = None) -> KnownWalking | None:
    """Return a person's own walking with the device in a place, to measure another recording against, ``of``."""
    if (own := known_walking.find(user_id, place, of)) is None:
        return None
    stretch = known_walking.stretch_of(own)
    return KnownWalking(own.id, uploaded_file(own), own.filename, mapping_of(own), stretch, zone_of(own))


def zone_of(recording: StoredRecording) -> str:
    """Return in which time zone a local clock of a recording was read; earlier builds took all for UTC."""
    return str(recording.facts.get(ZONE, "UTC"))


def _store_again(prediction: Prediction, result: PredictionResult, saved: Path | None = None) -> None:
    """Put another result in the place of a stored one; see `_finish_again` for a server that dies meanwhile.

    ``saved`` is a file that holds the result already; it is renamed.
    """
    path = result_file(prediction)
    other = path.with_suffix(AGAIN)
    try:
        _place(other, result, saved, keys.of(prediction.recording.user_id))
        with transaction():
            prediction.summary = as_chosen(result).summary()
            events.put(EventType.READY, prediction.recording.user_id, prediction.recording_id)
    except BaseException:
        for file in filter(None, (other, saved)):
            file.unlink(missing_ok=True)
        raise
    other.replace(path)


@contextmanager
def new_prediction(
    recording: StoredRecording,
    result: PredictionResult,
    version: ModelVersion | None = None,
    saved: Path | None = None,
) -> Iterator[Prediction]:
    """Store what a model recognised in a recording, in one transaction with what the block writes.

    ``saved`` is a file that holds the result already; it is renamed. When anything fails, in the block too, neither a
    row nor a file remains.
    """
    path, key = None, keys.of(recording.user_id)
    try:
        with transaction() as session:
            prediction = Prediction(
                recording=recording,
                model_version=version,
                model_label=result.model_label,
                summary=as_chosen(result).summary(),
            )
            session.add(prediction)
            session.flush()  # the id names the file
            path = result_file(prediction)
            _place(path, result, saved, key)
            events.put(EventType.READY, recording.user_id, prediction.recording_id)
            yield prediction
    except BaseException:
        for file in filter(None, (path, saved)):
            file.unlink(missing_ok=True)
        raise


def _place(path: Path, result: PredictionResult, saved: Path | None, key: Key) -> None:
    if saved is None:
        save_result(path, result, key)
    else:
        saved.replace(path)


def describe(user_id: int, recording_id: int, title: str, notes: str) -> StoredRecording:
    """Keep what a user calls a recording, "" for the name of its file, and their notes on it.

    Raises
    ------
    Invalid : one of them is too long.
    """
    recording = get(user_id, recording_id)
    for field, text, longest in (("title", title, TITLE_LENGTH), ("notes", notes, NOTES_LENGTH)):
        if len(text) > longest:
            raise Invalid(f"At most {longest:,} characters; these are {len(text):,}.", field=field)
    with transaction():
        recording.title, recording.notes = title, notes
    audit.record(Action.RECORDING_CHANGED, f"recording {recording_id}", change="name and notes")
    return recording


def delete(user_id: int, recording_id: int) -> None:
    """Delete a recording of this user, its predictions and every file of it."""
    recording = get(user_id, recording_id)
    folder = folder_of(recording)
    with transaction() as session:
        session.delete(recording)
        events.put(EventType.RECORDING_ERASED, user_id, recording_id)
    audit.record(Action.RECORDING_DELETED, f"recording {recording_id}")
    leftovers.delete(folder)
    head_files.forget(user_id)


def remove_orphans() -> int:
    """At start: delete what an upload or a recognition left that died midway; return how many folders.

    A folder with a result was a recording once: it is set aside.
    """
    rows = db.session.execute(select(StoredRecording.folder, Prediction.id).outerjoin(Prediction)).all()
    known, results = {folder for folder, _ in rows}, {(folder, f"{number}.npz") for folder, number in rows}
    uploads = Path(current_app.config["UPLOADS"])
    for path in uploads.glob(f"{PREFIX}*/*{AGAIN}"):
        _finish_again(path)
    orphans = [folder for folder in uploads.glob(f"{PREFIX}*") if folder.name not in known]
    for folder in orphans:
        if any(path.stem.isdecimal() for path in folder.glob("*.npz")):
            leftovers.set_aside(folder, uploads)
        else:
            log.info("deleting %s: an upload that died midway", folder.name)
            shutil.rmtree(folder, ignore_errors=True)
    for path in uploads.glob(f"{PREFIX}*/*.npz"):
        is_result = path.stem.isdecimal() or path.name.startswith(DRAFT)
        if is_result and (path.parent.name, path.name) not in results:
            path.unlink(missing_ok=True)
    return len(orphans)


def _finish_again(path: Path) -> None:
    """Put a result in its place that was whole when the server died; what its row says is of one of the two."""
    number = path.name.removesuffix(AGAIN)
    prediction = db.session.get(Prediction, int(number)) if number.isdecimal() else None
    if prediction is None or folder_of(prediction.recording) != path.parent:
        path.unlink(missing_ok=True)
        return
    summary = as_chosen(load_result(path)).summary()
    with transaction():
        prediction.summary = summary
    path.replace(result_file(prediction))


def renew_summaries() -> None:
    """At start: summarise what an earlier build recognised as answers, so that lists say no more than is sure."""
    earlier = select(Prediction).where(Prediction.summary["limit"].as_string().is_(None))
    for prediction in db.session.scalars(earlier).all():
        try:
            summary = as_chosen(result_of(prediction)).summary()
        except DAMAGED as error:  # a damaged file is no reason not to start
            current_app.logger.warning("The result of prediction %s cannot be read: %s", prediction.id, error)
            continue
        with transaction():
            prediction.summary = summary


def date_earlier() -> None:
    """At start: find out when the recordings begin that an earlier build stored."""
    undated = select(StoredRecording).where(StoredRecording.facts[DATED].as_boolean().is_(None))
    for recording in db.session.scalars(undated.options(selectinload(StoredRecording.predictions))).all():
        try:
            begins = result_of(get_prediction(recording)).begins
        except (NotFound, *DAMAGED):  # a damaged file is no reason not to start
            begins = None
        with transaction():
            recording.recorded, recording.facts = begins, recording.facts | {DATED: True}


def uploaded_file(recording: StoredRecording) -> Path:
    """Return where the file lies that the user uploaded."""
    return folder_of(recording) / SOURCE


def mapping_of(recording: StoredRecording) -> ColumnMapping | None:
    """Return the mapping that a recording was read with, None for one in a known layout."""
    from app.har.recordings.mappings.mapping import ColumnMapping

    stored = recording.facts.get("mapping")
    return ColumnMapping.from_document(stored["document"], recording.filename) if stored else None


def folder_of(recording: StoredRecording) -> Path:
    """Return where the files of a recording lie."""
    return Path(current_app.config["UPLOADS"]) / recording.folder


def result_file(prediction: Prediction) -> Path:
    """Return where the file lies that holds what was recognised."""
    return folder_of(prediction.recording) / f"{prediction.id}.npz"


def shown_name(filename: str) -> str:
    """Return what to call a file: as the person named it, but printable and of a length that fits."""
    return "".join(c for c in filename if c.isprintable()).strip()[-255:] or "recording"
