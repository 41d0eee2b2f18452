"""Files that users upload: recognised and stored, or kept until their owner has said what the columns are.

``uploads/pending-<token>/`` holds one that waits: ``source``, the file as uploaded, and ``pending.json``. It goes when
its owner confirms or cancels, and after a day. For one that was recognised see `recordings`.
"""

from __future__ import annotations

import json
import re
import shutil
import time
import uuid
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from flask import current_app

from app.har.errors import HarError, UnknownTable
from app.har.progress import OnEvent, ignore_event
from app.har.signals.types import SignalSet
from app.services.errors import Conflict, NotFound
from app.services.models import model_versions
from app.services.recordings import mappings, recordings, stored_signal
from app.services.recordings.recognise import recognise
from app.services.recordings.result_files import save_quality
from app.services.recordings.table_preview import TablePreview, preview_tables
from app.services.transaction import transaction
from app.tables import Prediction, StoredRecording

if TYPE_CHECKING:
    from app.har.recordings.mappings.dry_run import RecordingSummary
    from app.har.recordings.mappings.mapping import ColumnMapping

PENDING_PREFIX = "pending-"
KEPT_S = 24 * 3600.0
KEPT_FILES = 5  # of one user; a further one takes the place of the oldest


@dataclass(frozen=True)
class PendingUpload:
    """An upload that waits for its owner to say what its columns are."""

    token: str
    user_id: int
    filename: str
    version_id: int | None  # of the model that shall recognise it
    created: float  # Unix time
    document: dict[str, Any] | None = None  # a mapping to start from instead of a guess
    note: str = ""  # what came of it so far
    replaces: int | None = None  # the recording that was read from this file before

    @property
    def folder(self) -> Path:
        return _uploads() / f"{PENDING_PREFIX}{self.token}"

    @property
    def source(self) -> Path:
        return self.folder / "source"


def receive(
    user_id: int, filename: str, file: BinaryIO, version_id: int | None = None, on_event: OnEvent = ignore_event
) -> Prediction | PendingUpload:
    """Recognise an upload; one in no known layout is read by the user's saved mapping for it, or else kept.

    A table without header is never read by a saved mapping unasked: its columns have no names to know it by.
    """
    try:
        return store_and_recognise(user_id, filename, file, version_id, on_event)
    except UnknownTable:
        file.seek(0)
        pending = _keep(user_id, filename, file, version_id)
    try:
        seen = preview(pending)
        saved = mappings.saved_for(user_id, seen.fingerprint)
        if saved is None:
            return pending
        pending = _write(replace(pending, document=saved.document))
        if not seen.headed:
            return pending
        return confirm(pending, mappings.mapping_of(saved), saved.name)
    except HarError as error:
        return _write(replace(pending, note=str(error)))


def store_and_recognise(
    user_id: int,
    filename: str,
    file: Path | BinaryIO,
    version_id: int | None = None,
    on_event: OnEvent = ignore_event,
    mapping: ColumnMapping | None = None,
    mapping_name: str = "",
) -> Prediction:
    """Store a file of a user and what was recognised in it. When anything fails, nothing of it remains.

    ``mapping`` says what the columns of a file in no known layout are; it is kept with the recording.
    """
    version = model_versions.get_or_default(version_id)
    load = partial(model_versions.load, version)
    name = recordings.shown_name(filename)
    folder = Path(current_app.config["UPLOADS"]) / f"{recordings.PREFIX}{uuid.uuid4().hex}"
    folder.mkdir(mode=0o700)
    try:
        source = folder / "source"
        if isinstance(file, Path):
            shutil.copyfile(file, source)
        else:
            with source.open("wb") as target:
                shutil.copyfileobj(file, target, 1024 * 1024)
        recognised = recognise(source, name, load, version.label, on_event, mapping)
        facts = _facts(source, recognised.signals)
        if mapping is not None:
            facts["mapping"] = {"name": mapping_name, "document": mapping.as_dict()}
        save_quality(folder, recognised.quality)
        if recognised.result.layout == "timeline":
            stored_signal.save(folder, recognised.signals)
        with transaction() as session:
            recording = StoredRecording(user_id=user_id, filename=name, folder=folder.name, facts=facts)
            session.add(recording)
            return recordings.add_prediction(recording, recognised.result, version)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _keep(user_id: int, filename: str, file: BinaryIO | Path, version_id: int | None, **more: Any) -> PendingUpload:
    sweep()
    for old in list_pending(user_id)[KEPT_FILES - 1 :]:
        cancel(old)
    pending = PendingUpload(uuid.uuid4().hex, user_id, recordings.shown_name(filename), version_id, time.time(), **more)
    pending.folder.mkdir(mode=0o700)
    try:
        if isinstance(file, Path):
            shutil.copyfile(file, pending.source)
        else:
            with pending.source.open("xb") as target:
                shutil.copyfileobj(file, target, 1024 * 1024)
        return _write(pending)
    except BaseException:
        shutil.rmtree(pending.folder, ignore_errors=True)
        raise


def _write(pending: PendingUpload) -> PendingUpload:
    (pending.folder / "pending.json").write_text(json.dumps(asdict(pending)), encoding="utf-8")
    return pending


def _read(folder: Path) -> PendingUpload | None:
    try:
        return PendingUpload(**json.loads((folder / "pending.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None  # half-written


def get_pending(user_id: int, token: str) -> PendingUpload:
    """Return a waiting upload of this user; one of somebody else does not exist for them."""
    found = _read(_uploads() / f"{PENDING_PREFIX}{token}") if re.fullmatch(r"[0-9a-f]{32}", token) else None
    if found is None or found.user_id != user_id:
        raise NotFound(
            "This file is no longer waiting: it was read, cancelled, or deleted after a day. Upload it again."
        )
    return found


def list_pending(user_id: int) -> list[PendingUpload]:
    """Return a user's waiting uploads, the newest first."""
    found = filter(None, map(_read, _uploads().glob(f"{PENDING_PREFIX}*")))
    return sorted((p for p in found if p.user_id == user_id), key=lambda p: p.created, reverse=True)


def sweep() -> None:
    """Delete what waited for more than a day, and what an upload that died has left."""
    for folder in _uploads().glob(f"{PENDING_PREFIX}*"):
        pending = _read(folder)
        # A folder without its note is another request's that is still receiving, unless it is old
        since = pending.created if pending else folder.stat().st_mtime
        if time.time() - since > KEPT_S:
            shutil.rmtree(folder, ignore_errors=True)


def cancel(pending: PendingUpload) -> None:
    """Delete a waiting upload."""
    shutil.rmtree(pending.folder, ignore_errors=True)


def preview(pending: PendingUpload) -> TablePreview:
    """Return the first rows of a waiting upload and a guess at its columns."""
    from app.har.recordings.files import open_files
    from app.har.recordings.mappings.mapping import unknown_tables

    with open_files(pending.source, pending.filename) as members:
        return preview_tables(unknown_tables(members))


def dry_run(pending: PendingUpload, mapping: ColumnMapping) -> list[RecordingSummary]:
    """Return what a mapping would make of the first recordings of a waiting upload."""
    from app.har.recordings.files import open_files
    from app.har.recordings.mappings.dry_run import dry_run as try_files
    from app.har.recordings.mappings.mapping import fitting

    with open_files(pending.source, pending.filename) as members:
        return try_files(fitting(members, mapping, pending.filename)[0], mapping)


def model_of(pending: PendingUpload) -> int | None:
    """Return the model that a waiting upload is to be recognised with: the one chosen for it, or the promoted one."""
    promoted = model_versions.promoted()
    return pending.version_id or (promoted.id if promoted else None)


def confirm(
    pending: PendingUpload, mapping: ColumnMapping, name: str = "", version_id: int | None = None
) -> Prediction:
    """Recognise a waiting upload by a mapping, and keep the mapping where it has a name.

    ``version_id`` is another model than was chosen with the upload.

    Raises
    ------
    HarError : it cannot be read so; the upload goes on waiting.
    Invalid : the name is another mapping's.
    """
    name = mappings.checked_name(name) if name else ""
    fingerprint = preview(pending).fingerprint if name else ""
    if name:
        mappings.check_free(pending.user_id, name, fingerprint)
    prediction = store_and_recognise(
        pending.user_id,
        pending.filename,
        pending.source,
        version_id or pending.version_id,
        mapping=mapping,
        mapping_name=name,
    )
    if name:
        with transaction():
            mappings.keep(pending.user_id, name, fingerprint, mapping)
    if pending.replaces is not None:
        recordings.delete(pending.user_id, pending.replaces)
    cancel(pending)
    return prediction


def reopen(user_id: int, recording_id: int) -> PendingUpload:
    """Let a user say again what the columns of a recording are that was read by a mapping."""
    recording = recordings.get(user_id, recording_id)
    stored = recording.facts.get("mapping")
    if not stored:
        raise Conflict("This recording is in a known layout: its columns need no mapping.")
    newest = recordings.get_prediction(recording)
    return _keep(
        user_id,
        recording.filename,
        recordings.uploaded_file(recording),
        newest.model_version_id,
        document=stored["document"],
        replaces=recording.id,
    )


def mapping_from(pending: PendingUpload) -> ColumnMapping | None:
    """Return the mapping that a waiting upload starts from, None where that is a guess."""
    from app.har.recordings.mappings.mapping import ColumnMapping

    return ColumnMapping.from_document(pending.document, pending.filename) if pending.document else None


def _uploads() -> Path:
    return Path(current_app.config["UPLOADS"])


def _facts(source: Path, signals: SignalSet) -> dict[str, Any]:
    return {
        "bytes": source.stat().st_size,
        "minutes": round(float(signals.length.sum()) / signals.sampling_rate_hz / 60, 3),
        "recordings": len(signals.recording_ids),
        "channels": list(signals.channels),
    }
