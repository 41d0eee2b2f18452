"""From an upload to a stored recording, at once or when its owner has named the columns.

The file lies in ``uploads/recording-<token>/`` from the first byte on; only while it waits for its owner is the folder
called ``pending-<token>``. See `recordings` and `pending` for what is in them.
"""

from __future__ import annotations

import math
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from flask import current_app
from sqlalchemy import select, update

from app.extensions import db
from app.har.errors import HarError, UnreadableDevice
from app.har.progress import OnEvent, ignore_event
from app.services import accounts, audit, keys, leftovers, room, sealing
from app.services.audit import Action
from app.services.errors import Conflict, NotFound
from app.services.files import link_or_copy
from app.services.personal import head_files
from app.services.recordings import attempts, known_walking, mappings, pending, quota, reading, recordings, same_files
from app.services.recordings.pending import PendingUpload
from app.services.recordings.recordings import SOURCE
from app.services.subscriptions import events
from app.services.subscriptions.events import EventType
from app.services.transaction import transaction
from app.tables import Calibration, Correction, Prediction, StoredRecording

if TYPE_CHECKING:
    from app.har.recordings.mappings.dry_run import RecordingSummary
    from app.har.recordings.mappings.mapping import ColumnMapping
    from app.services.recordings.table_preview import TablePreview

COPY_BYTES = 2**20
SAME_LENGTH = 0.02  # of a recording, relative, that is read anew


def receive(
    user_id: int,
    filename: str,
    file: IO[bytes],
    version_id: int | None = None,
    on_event: OnEvent = ignore_event,
    place: str | None = None,
    use_walking: bool = True,
    *,
    token: str = "",
    only_new: bool = False,
    zone: str = "UTC",
) -> Prediction | PendingUpload:
    """Recognise an upload and store it; one in no known layout is read by the user's saved mapping for it, or waits.

    Without ``version_id``, the model that fits the file recognises it. ``place`` is one of `places.PLACES`, where the
    person said where the device was worn. It is measured against their own walking there, where that is known, unless
    ``use_walking`` is False.

    A table without header is never read by a saved mapping unasked: its columns have no names to know it by.

    Parameters
    ----------
    token : of its progress, see `upload_progress`.
    only_new : refuse a file that this user has uploaded before.
    zone : in which a device was set to local time, where the file does not say it: the person's own.

    Raises
    ------
    HarError : it cannot be read or used; the reason remains, see `attempts`, and for a day the file, see `pending`.
    AlreadyThere : it is not new.
    """
    candidates = reading.candidates_for(version_id)
    with (
        attempts.noted(user_id, filename, token) as note,
        reading.turn(user_id, on_event),
        _received(user_id, filename, file, version_id, place, use_walking, zone) as (upload, folder),
    ):
        if only_new and (before := same_files.find(user_id, folder / SOURCE, upload.fingerprint)):
            raise same_files.known(before)
        by_layout = mappings.by_fingerprint(user_id)
        documents = {fingerprint: saved.document for fingerprint, saved in by_layout.items()}
        try:
            read = reading.recognise_unasked(_file(folder / SOURCE, upload), folder, candidates, documents, on_event)
        except HarError as error:
            device = isinstance(error, UnreadableDevice)
            refused = replace(upload, refused=True, note=str(error), device=device)
            note.file_token = pending.keep(refused, folder).token
            raise
        saved = by_layout.get(read.fingerprint)
        if isinstance(read, reading.Waits):
            waiting = replace(upload, document=saved.document if saved else None, note=read.reason)
            waiting = pending.keep(waiting, folder)
            audit.record(Action.UPLOAD, "a waiting upload", bytes=sealing.size(waiting.source))
            return waiting
        mapping = {"name": saved.name, "document": saved.document} if saved else None
        with _stored(folder, upload, read, mapping) as prediction:
            pass
    _record_upload(prediction)
    return prediction


def receive_again(
    user_id: int, attempt_id: int, version_id: int | None = None, place: str | None = None
) -> Prediction | PendingUpload:
    """Try a file again that could not be read, with another model; see `receive`.

    Raises
    ------
    NotFound : its file was deleted.
    HarError : it cannot be read or used this time either; its file is kept for a day anew.
    """
    before = attempts.kept_file(user_id, attempt_id)
    try:
        with sealing.opened(before.source) as file:
            outcome = receive(
                user_id,
                before.filename,
                file,
                version_id,
                place=place or before.place,
                use_walking=before.use_walking,
                zone=before.zone,
            )
    except HarError:
        _forget(before)
        raise
    _forget(before)
    return outcome


def _forget(file: PendingUpload) -> None:
    """Delete a refused file that was read at last, or is kept anew."""
    with transaction():
        attempts.settle(file)
    pending.cancel(file)


def store_and_recognise(
    user_id: int, filename: str, file: IO[bytes], version_id: int | None = None, on_event: OnEvent = ignore_event
) -> Prediction:
    """Recognise a file in a known layout and store it; when anything fails, nothing of it remains."""
    candidates = reading.candidates_for(version_id)
    with reading.turn(user_id, on_event), _received(user_id, filename, file, version_id) as (upload, folder):
        read = reading.recognise(_file(folder / SOURCE, upload), folder, candidates, on_event=on_event)
        with _stored(folder, upload, read) as prediction:
            pass
    _record_upload(prediction)
    return prediction


def _file(path: Path, waiting: PendingUpload) -> reading.File:
    """Return an upload with what its owner said of it."""
    place = waiting.place or ""
    walking = recordings.walking_of(waiting.user_id, place, _replaced(waiting)) if waiting.use_walking else None
    return reading.File(path, waiting.filename, keys.of(waiting.user_id), place, walking, waiting.zone)


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
    candidates = reading.candidates_for((waiting.version_id if version_id is None else version_id) or None)
    with reading.turn(waiting.user_id), _recording_folder(waiting.token) as folder:
        taken = mappings.named(waiting.user_id, name) if name else None
        read = reading.recognise_mapped(
            _file(waiting.source, waiting),
            folder,
            candidates,
            mapping,
            identify=bool(name),
            layout=taken.fingerprint if taken else None,
        )
        if not isinstance(read, reading.Read):
            raise mappings.name_taken(name)
        old = _replaced(waiting)
        old_folder = recordings.folder_of(old) if old else None
        _take_over(waiting.source, folder / SOURCE)
        with _stored(folder, waiting, read, {"name": name, "document": mapping.as_dict()}) as prediction:
            if name:
                mappings.keep(waiting.user_id, name, read.fingerprint, mapping)
            if old is not None:
                _take_along(old, prediction.recording)
                db.session.delete(old)
                events.put(EventType.RECORDING_ERASED, waiting.user_id, old.id)
                head_files.forget_rows(waiting.user_id)
            attempts.settle(waiting)
    if old_folder is not None:
        leftovers.delete(old_folder)
        head_files.delete_all(waiting.user_id)
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
    version_id, zone = recordings.get_prediction(recording).model_version_id, recordings.zone_of(recording)
    with (
        sealing.opened(recordings.uploaded_file(recording)) as file,
        _received(user_id, recording.filename, file, version_id, recording.place, zone=zone) as (upload, folder),
    ):
        return pending.keep(replace(upload, document=stored["document"], replaces=recording.id), folder)


# --- what the owner of a waiting upload is shown


def preview(waiting: PendingUpload) -> TablePreview:
    """Return the first rows of a waiting upload and a guess at its columns."""
    return reading.preview(waiting.user_id, _to_look_at(waiting))


def dry_run(waiting: PendingUpload, mapping: ColumnMapping) -> list[RecordingSummary]:
    """Return what a mapping would make of the first recordings of a waiting upload."""
    return reading.dry_run(waiting.user_id, _to_look_at(waiting), mapping)


def _to_look_at(waiting: PendingUpload) -> reading.File:
    return reading.File(waiting.source, waiting.filename, keys.of(waiting.user_id))


def mapping_from(waiting: PendingUpload) -> ColumnMapping | None:
    """Return the mapping that a waiting upload starts from, None where that is a guess."""
    from app.har.recordings.mappings.mapping import ColumnMapping

    return ColumnMapping.from_document(waiting.document, waiting.filename) if waiting.document else None


# --- files and rows


@contextmanager
def _received(
    user_id: int,
    filename: str,
    file: IO[bytes],
    version_id: int | None,
    place: str | None = None,
    use_walking: bool = True,
    zone: str = "UTC",
) -> Iterator[tuple[PendingUpload, Path]]:
    """Save an upload in a recording's folder, which goes when the block fails.

    Raises
    ------
    NoRoom : the user may not store as much, or the disk is nearly full.
    NotFound : there is no such account any more.
    """
    accounts.get(user_id)  # it may have been deleted while its file was on the way
    n_bytes = file.seek(0, os.SEEK_END)
    file.seek(0)
    quota.require(user_id, n_bytes)
    room.require(Path(current_app.config["UPLOADS"]), room.RECORDING_FACTOR * n_bytes)
    name = recordings.shown_name(filename)
    token = uuid.uuid4().hex
    upload = PendingUpload(
        token, user_id, name, version_id, time.time(), place=place, use_walking=use_walking, zone=zone
    )
    with _recording_folder(upload.token) as folder:
        digest = sha256()
        with sealing.created(folder / SOURCE, keys.of(user_id)) as target:
            while piece := file.read(COPY_BYTES):
                digest.update(piece)
                target.write(piece)
        yield replace(upload, fingerprint=digest.hexdigest()), folder


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


@contextmanager
def _stored(
    folder: Path,
    upload: PendingUpload,
    read: reading.Read,
    mapping: dict[str, Any] | None = None,
) -> Iterator[Prediction]:
    """Store an upload and what was recognised in it, in one transaction with what the block writes.

    ``mapping`` is the name and the document of the mapping by which it was read.
    """
    facts = {
        "bytes": sealing.size(folder / SOURCE),
        **read.facts,
        recordings.DATED: True,
        recordings.ZONE: upload.zone,
        recordings.ENDS: ends.timestamp() if (ends := read.result.ends) else None,
        **({"mapping": mapping} if mapping else {}),
    }
    recording = StoredRecording(
        user_id=upload.user_id,
        filename=upload.filename,
        folder=folder.name,
        facts=facts,
        place=upload.place,
        recorded=read.result.begins,
        fingerprint=upload.fingerprint or None,
    )
    with recordings.new_prediction(recording, read.result, read.version, read.path) as prediction:
        yield prediction


def _take_along(old: StoredRecording, new: StoredRecording) -> None:
    """Within a transaction: give a recording that was read anew what its owner said of it before.

    What they said of moments only where it is as long as before: with another unit of time they would be others.
    """
    new.title, new.notes = old.title, old.notes
    if math.isclose(old.facts.get("minutes", math.nan), new.facts["minutes"], rel_tol=SAME_LENGTH):
        for table in (Correction, Calibration):
            db.session.execute(update(table).where(table.recording_id == old.id).values(recording_id=new.id))
        said = (known_walking.WALKING, known_walking.STRETCH)
        new.facts = new.facts | {key: old.facts[key] for key in said if key in old.facts}


def _replaced(waiting: PendingUpload) -> StoredRecording | None:
    """Return the recording whose place a waiting upload takes, None where there is none any more."""
    if waiting.replaces is None:
        return None
    try:
        return recordings.get(waiting.user_id, waiting.replaces)
    except NotFound:
        return None
