"""From an upload to a stored recording, at once or when its owner has named the columns.

The file lies in ``uploads/recording-<token>/`` from the first byte on; only while it waits for its owner is the folder
called ``pending-<token>``. See `recordings` and `pending` for what is in them.
"""

from __future__ import annotations

import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from flask import current_app
from sqlalchemy import select

from app.extensions import db
from app.har.errors import HarError, UnknownTable
from app.har.progress import OnEvent, ignore_event
from app.services import audit, room
from app.services.audit import Action
from app.services.errors import Conflict, NotFound
from app.services.files import link_or_copy
from app.services.models import model_versions
from app.services.recordings import mappings, pending, quota, recordings, stored_signal
from app.services.recordings.model_choice import models_for
from app.services.recordings.pending import PendingUpload
from app.services.recordings.recognise import ModelsFor, Recognised, recognise, recognise_upload
from app.services.recordings.recordings import SOURCE
from app.services.recordings.result_files import save_quality
from app.services.recordings.table_preview import TablePreview, identify_layout, preview_tables
from app.tables import Prediction, SavedMapping, StoredRecording

if TYPE_CHECKING:
    from app.har.recordings.mappings.dry_run import RecordingSummary
    from app.har.recordings.mappings.mapping import ColumnMapping
    from app.har.recordings.upload import Upload

COPY_BYTES = 2**20


@dataclass(frozen=True)
class _Reading:
    """What came of reading an upload unasked."""

    recognised: Recognised | None = None
    saved: SavedMapping | None = None  # by which it was read, or from which its owner may start
    note: str = ""  # why it was not read by that


def receive(
    user_id: int,
    filename: str,
    file: BinaryIO,
    version_id: int | None = None,
    on_event: OnEvent = ignore_event,
    place: str | None = None,
    use_walking: bool = True,
) -> Prediction | PendingUpload:
    """Recognise an upload and store it; one in no known layout is read by the user's saved mapping for it, or waits.

    Without ``version_id``, the model that fits the file recognises it. ``place`` is one of `places.PLACES`, where the
    person said where the device was worn. It is measured against their own walking there, where that is known, unless
    ``use_walking`` is False.

    A table without header is never read by a saved mapping unasked: its columns have no names to know it by.

    Raises
    ------
    HarError : it cannot be read or used; nothing of it remains.
    """
    models = models_for(version_id)
    with _received(user_id, filename, file, version_id, place, use_walking) as (upload, folder):
        reading = _read_unasked(folder / SOURCE, upload, models, on_event)
        saved = reading.saved
        if reading.recognised is None:
            waiting = replace(upload, document=saved.document if saved else None, note=reading.note)
            waiting = pending.keep(waiting, folder)
            audit.record(Action.UPLOAD, "a waiting upload", bytes=waiting.source.stat().st_size)
            return waiting
        mapping = {"name": saved.name, "document": saved.document} if saved else None
        _save_files(folder, reading.recognised)
        with _stored(folder, upload, reading.recognised, mapping) as prediction:
            pass
    _record_upload(prediction)
    return prediction


def store_and_recognise(
    user_id: int, filename: str, file: BinaryIO, version_id: int | None = None, on_event: OnEvent = ignore_event
) -> Prediction:
    """Recognise a file in a known layout and store it; when anything fails, nothing of it remains."""
    models = models_for(version_id)
    with _received(user_id, filename, file, version_id) as (upload, folder):
        recognised = recognise(folder / SOURCE, upload.filename, models, on_event)
        _save_files(folder, recognised)
        with _stored(folder, upload, recognised) as prediction:
            pass
    _record_upload(prediction)
    return prediction


def _read_unasked(path: Path, waiting: PendingUpload, models: ModelsFor, on_event: OnEvent) -> _Reading:
    from app.har.recordings.mappings.mapping import unknown_tables
    from app.har.recordings.upload import open_upload

    recognise, saved = _recogniser(waiting, models, on_event), None
    with open_upload(path, waiting.filename, on_event) as upload:
        with suppress(UnknownTable):
            return _Reading(recognise(upload))
        try:
            layout = identify_layout(unknown_tables(upload.tables))
            saved = mappings.saved_for(waiting.user_id, layout.fingerprint)
            if saved is None or not layout.headed:
                return _Reading(saved=saved)
            return _Reading(recognise(upload, mapping=mappings.mapping_of(saved)), saved)
        except HarError as error:
            return _Reading(None, saved, str(error))


def _recogniser(
    waiting: PendingUpload, models: ModelsFor, on_event: OnEvent = ignore_event
) -> Callable[..., Recognised]:
    """Return `recognise_upload` with models and with what the owner of an upload said of it."""
    place = waiting.place or ""
    return partial(
        recognise_upload,
        models=models,
        on_event=on_event,
        place=place,
        walking=recordings.walking_of(waiting.user_id, place, _replaced(waiting)) if waiting.use_walking else None,
    )


def confirm(
    waiting: PendingUpload, mapping: ColumnMapping, name: str = "", version_id: int | None = None
) -> Prediction:
    """Recognise a waiting upload by a mapping, and save the mapping where it has a name.

    Until the recording, the mapping and all else are in the database, the upload goes on waiting.

    Parameters
    ----------
    version_id : of another model than was chosen with the upload; 0 leaves it to the file.

    Raises
    ------
    HarError : it cannot be read so.
    Invalid : the name is another mapping's.
    Conflict : it was confirmed before.
    """
    name = mappings.checked_name(name) if name else ""
    models = models_for((waiting.version_id if version_id is None else version_id) or None)
    with _recording_folder(waiting.token) as folder:
        with opened(waiting) as upload:
            fingerprint = _fingerprint(upload) if name else ""
            if name:
                mappings.check_free(waiting.user_id, name, fingerprint)
            recognised = _recogniser(waiting, models)(upload, mapping=mapping)
        _save_files(folder, recognised)
        old = _replaced(waiting)
        old_folder = recordings.folder_of(old) if old else None
        storing = _stored(folder, waiting, recognised, {"name": name, "document": mapping.as_dict()})
        _take_over(waiting.source, folder / SOURCE)
        with storing as prediction:
            if name:
                mappings.keep(waiting.user_id, name, fingerprint, mapping)
            if old is not None:
                db.session.delete(old)
    if old_folder is not None:
        shutil.rmtree(old_folder, ignore_errors=True)
    pending.cancel(waiting)
    _record_upload(prediction, replaces=waiting.replaces)
    if name:
        audit.record(Action.MAPPING_SAVED, f"mapping of recording {prediction.recording_id}")
    return prediction


def _record_upload(prediction: Prediction, replaces: int | None = None) -> None:
    size = prediction.recording.facts["bytes"]
    audit.record(Action.UPLOAD, f"recording {prediction.recording_id}", bytes=size, replaces=replaces)


def confirmed(user_id: int, token: str) -> StoredRecording | None:
    """Return the recording of this user that an upload has become; None where there is none (any more)."""
    query = select(StoredRecording).filter_by(user_id=user_id, folder=f"{recordings.PREFIX}{token}")
    return db.session.scalar(query)


def reopen(user_id: int, recording_id: int) -> PendingUpload:
    """Let a user say again what the columns of a recording are that was read by a mapping."""
    recording = recordings.get(user_id, recording_id)
    stored = recording.facts.get("mapping")
    if not stored:
        raise Conflict("This recording is in a known layout: its columns need no mapping.")
    version_id = recordings.get_prediction(recording).model_version_id
    with (
        recordings.uploaded_file(recording).open("rb") as file,
        _received(user_id, recording.filename, file, version_id, recording.place) as (upload, folder),
    ):
        return pending.keep(replace(upload, document=stored["document"], replaces=recording.id), folder)


# --- what the owner of a waiting upload is shown


def opened(waiting: PendingUpload) -> AbstractContextManager[Upload]:
    """Open a waiting upload, for `preview` and `dry_run`."""
    from app.har.recordings.upload import open_upload

    return open_upload(waiting.source, waiting.filename)


def preview(upload: Upload) -> TablePreview:
    """Return the first rows of an upload in no known layout and a guess at its columns."""
    from app.har.recordings.mappings.mapping import unknown_tables

    return preview_tables(unknown_tables(upload.tables))


def dry_run(upload: Upload, mapping: ColumnMapping) -> list[RecordingSummary]:
    """Return what a mapping would make of the first recordings of an upload."""
    from app.har.recordings.mappings import dry_run
    from app.har.recordings.mappings.mapping import fitting

    return dry_run.dry_run(fitting(upload.tables, mapping, upload.name)[0], mapping)


def mapping_from(waiting: PendingUpload) -> ColumnMapping | None:
    """Return the mapping that a waiting upload starts from, None where that is a guess."""
    from app.har.recordings.mappings.mapping import ColumnMapping

    return ColumnMapping.from_document(waiting.document, waiting.filename) if waiting.document else None


def _fingerprint(upload: Upload) -> str:
    from app.har.recordings.mappings.mapping import unknown_tables

    return identify_layout(unknown_tables(upload.tables)).fingerprint


# --- files and rows


@contextmanager
def _received(
    user_id: int,
    filename: str,
    file: BinaryIO,
    version_id: int | None,
    place: str | None = None,
    use_walking: bool = True,
) -> Iterator[tuple[PendingUpload, Path]]:
    """Save an upload in a recording's folder, which goes when the block fails.

    Raises
    ------
    NoRoom : the user may not store as much, or the disk is nearly full.
    """
    n_bytes = file.seek(0, os.SEEK_END)
    file.seek(0)
    quota.require(user_id, n_bytes)
    room.require(Path(current_app.config["UPLOADS"]), room.RECORDING_FACTOR * n_bytes)
    name = recordings.shown_name(filename)
    token = uuid.uuid4().hex
    upload = PendingUpload(token, user_id, name, version_id, time.time(), place=place, use_walking=use_walking)
    with _recording_folder(upload.token) as folder:
        with (folder / SOURCE).open("xb") as target:
            shutil.copyfileobj(file, target, COPY_BYTES)
        yield upload, folder


@contextmanager
def _recording_folder(token: str) -> Iterator[Path]:
    """Make the folder of a recording, which goes when the block fails; of two presses on a button one makes it.

    Raises
    ------
    Conflict : the other has made it.
    """
    folder = Path(current_app.config["UPLOADS"]) / f"{recordings.PREFIX}{token}"
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        raise Conflict("This file is being read already. You will find the recording in your list.") from None
    try:
        yield folder
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _take_over(source: Path, target: Path) -> None:
    """Give a waiting file a second place, so that it is never in none, even when the server dies meanwhile."""
    try:
        link_or_copy(source, target)
    except FileNotFoundError:
        raise NotFound("This file is no longer waiting: it was cancelled. Upload it again.") from None


def _save_files(folder: Path, recognised: Recognised) -> None:
    save_quality(folder, recognised.quality)
    if recognised.result.layout == "timeline":
        stored_signal.save(folder, recognised.signals)


@contextmanager
def _stored(
    folder: Path,
    upload: PendingUpload,
    recognised: Recognised,
    mapping: dict[str, Any] | None = None,
) -> Iterator[Prediction]:
    """Store an upload and what was recognised in it, in one transaction with what the block writes.

    ``mapping`` is the name and the document of the mapping by which it was read.
    """
    signals = recognised.signals
    facts = {
        "bytes": (folder / SOURCE).stat().st_size,
        "minutes": round(float(signals.length.sum()) / signals.sampling_rate_hz / 60, 3),
        "recordings": len(signals.recording_ids),
        "channels": list(signals.channels),
        **({"mapping": mapping} if mapping else {}),
    }
    version = model_versions.get(recognised.model.version_id or recognised.model.label)
    recording = StoredRecording(
        user_id=upload.user_id, filename=upload.filename, folder=folder.name, facts=facts, place=upload.place
    )
    with recordings.new_prediction(recording, recognised.result, version) as prediction:
        yield prediction


def _replaced(waiting: PendingUpload) -> StoredRecording | None:
    """Return the recording whose place a waiting upload takes, None where there is none any more."""
    if waiting.replaces is None:
        return None
    try:
        return recordings.get(waiting.user_id, waiting.replaces)
    except NotFound:
        return None
