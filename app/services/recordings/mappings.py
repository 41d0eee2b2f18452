"""Uploads in no known layout: kept until their owner has said what the columns are, and what was said, for next time.

``uploads/pending-<token>/`` holds one of them: ``source``, the file as uploaded, and ``pending.json``. It goes when its
owner confirms or cancels, and after a day.
"""

from __future__ import annotations

import json
import re
import shutil
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO
from uuid import uuid4

from flask import current_app
from sqlalchemy import select

from app.extensions import db
from app.har.documents import Section
from app.har.errors import HarError, UnknownTable
from app.har.progress import OnEvent, ignore_event
from app.services.errors import Conflict, Invalid, NotFound
from app.services.models import model_versions
from app.services.recordings import predictions
from app.services.recordings.table_preview import TablePreview, preview_tables
from app.services.transaction import transaction
from app.tables import Prediction, SavedMapping
from app.tables._columns import now

if TYPE_CHECKING:
    from app.har.recordings.mappings.dry_run import RecordingSummary
    from app.har.recordings.mappings.mapping import ColumnMapping

PREFIX = "pending-"
KEPT_S = 24 * 3600.0
KEPT_FILES = 5  # of one user; a further one takes the place of the oldest
MAX_NAME = 80


@dataclass(frozen=True)
class Pending:
    """An upload that waits for its owner to say what its columns are."""

    token: str
    user_id: int
    filename: str
    version: int | None  # of the model that shall recognise it
    created: float  # Unix time
    document: dict[str, Any] | None = None  # a mapping to start from instead of a guess
    note: str = ""  # what came of it so far
    replaces: int | None = None  # the recording that was read from this file before

    @property
    def folder(self) -> Path:
        return _uploads() / f"{PREFIX}{self.token}"

    @property
    def source(self) -> Path:
        return self.folder / "source"


def receive_upload(
    user_id: int, filename: str, file: BinaryIO, version: int | None = None, on_event: OnEvent = ignore_event
) -> Prediction | Pending:
    """Recognise an upload; one in no known layout is read by the user's saved mapping for it, or else kept.

    A table without header is never read by a saved mapping unasked: its columns have no names to know it by.
    """
    try:
        return predictions.store_and_recognise(user_id, filename, file, version, on_event)
    except UnknownTable:
        file.seek(0)
        pending = _keep(user_id, filename, file, version)
    try:
        seen = look(pending)
        saved = _saved_for(user_id, seen.fingerprint)
        if saved is None:
            return pending
        pending = _write(replace(pending, document=saved.document))
        if not seen.headed:
            return pending
        return confirm(pending, mapping_of(saved), saved.name)
    except HarError as error:
        return _write(replace(pending, note=str(error)))


def _keep(user_id: int, filename: str, file: BinaryIO | Path, version: int | None, **more: Any) -> Pending:
    sweep()
    for old in list_pending(user_id)[KEPT_FILES - 1 :]:
        cancel(old)
    pending = Pending(uuid4().hex, user_id, predictions.shown_name(filename), version, time.time(), **more)
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


def _write(pending: Pending) -> Pending:
    (pending.folder / "pending.json").write_text(json.dumps(asdict(pending)), encoding="utf-8")
    return pending


def _read(folder: Path) -> Pending | None:
    try:
        return Pending(**json.loads((folder / "pending.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None  # half-written


def get_pending(user_id: int, token: str) -> Pending:
    """Return a waiting upload of this user; one of somebody else does not exist for them."""
    found = _read(_uploads() / f"{PREFIX}{token}") if re.fullmatch(r"[0-9a-f]{32}", token) else None
    if found is None or found.user_id != user_id:
        raise NotFound(
            "This file is no longer waiting: it was read, cancelled, or deleted after a day. Upload it again."
        )
    return found


def list_pending(user_id: int) -> list[Pending]:
    """Return a user's waiting uploads, the newest first."""
    found = filter(None, map(_read, _uploads().glob(f"{PREFIX}*")))
    return sorted((p for p in found if p.user_id == user_id), key=lambda p: p.created, reverse=True)


def sweep() -> None:
    """Delete what waited for more than a day, and what an upload that died has left."""
    for folder in _uploads().glob(f"{PREFIX}*"):
        pending = _read(folder)
        # A folder without its note is another request's that is still receiving, unless it is old
        since = pending.created if pending else folder.stat().st_mtime
        if time.time() - since > KEPT_S:
            shutil.rmtree(folder, ignore_errors=True)


def cancel(pending: Pending) -> None:
    """Delete a waiting upload."""
    shutil.rmtree(pending.folder, ignore_errors=True)


def look(pending: Pending) -> TablePreview:
    """Return the first rows of a waiting upload and a guess at its columns."""
    from app.har.recordings.files import open_files
    from app.har.recordings.mappings.mapping import unknown_tables

    with open_files(pending.source, pending.filename) as members:
        return preview_tables(unknown_tables(members))


def try_out(pending: Pending, mapping: ColumnMapping) -> list[RecordingSummary]:
    """Return what a mapping would make of the first recordings of a waiting upload."""
    from app.har.recordings.files import open_files
    from app.har.recordings.mappings.dry_run import dry_run as try_files
    from app.har.recordings.mappings.mapping import fitting

    with open_files(pending.source, pending.filename) as members:
        return try_files(fitting(members, mapping, pending.filename)[0], mapping)


def model_of(pending: Pending) -> int | None:
    """Return the model that a waiting upload is to be recognised with: the one chosen for it, or the promoted one."""
    promoted = model_versions.promoted()
    return pending.version or (promoted.id if promoted else None)


def confirm(pending: Pending, mapping: ColumnMapping, name: str = "", version: int | None = None) -> Prediction:
    """Recognise a waiting upload by a mapping, and keep the mapping where it has a name.

    ``version`` is another model than was chosen with the upload.

    Raises
    ------
    HarError : it cannot be read so; the upload goes on waiting.
    Invalid : the name is another mapping's.
    """
    name = _checked_name(name) if name else ""
    fingerprint = look(pending).fingerprint if name else ""
    if name:
        _check_free(pending.user_id, name, fingerprint)
    prediction = predictions.store_and_recognise(
        pending.user_id,
        pending.filename,
        pending.source,
        version or pending.version,
        columns=mapping,
        mapping_name=name,
    )
    if name:
        _save(pending.user_id, name, fingerprint, mapping)
    if pending.replaces is not None:
        predictions.delete(pending.user_id, pending.replaces)
    cancel(pending)
    return prediction


def reopen(user_id: int, recording_id: int) -> Pending:
    """Let a user say again what the columns of a recording are that was read by a mapping."""
    recording = predictions.get(user_id, recording_id)
    stored = recording.facts.get("mapping")
    if not stored:
        raise Conflict("This recording is in a known layout: its columns need no mapping.")
    newest = predictions.get_prediction(recording)
    return _keep(
        user_id,
        recording.filename,
        predictions.source_of(recording),
        newest.model_version_id,
        document=stored["document"],
        replaces=recording.id,
    )


# --- saved mappings


def mapping_from(pending: Pending) -> ColumnMapping | None:
    """Return the mapping that a waiting upload starts from, None where that is a guess."""
    from app.har.recordings.mappings.mapping import from_section

    return from_section(Section(pending.filename, pending.document)) if pending.document else None


def mapping_of(saved: SavedMapping) -> ColumnMapping:
    """Return a saved mapping as the core takes it."""
    from app.har.recordings.mappings.mapping import from_section

    return from_section(Section(saved.name, saved.document))


def list_saved(user_id: int) -> list[SavedMapping]:
    """Return a user's saved mappings by name."""
    query = select(SavedMapping).filter_by(user_id=user_id).order_by(SavedMapping.name)
    return list(db.session.scalars(query))


def get_saved(user_id: int, mapping_id: int) -> SavedMapping:
    """Return a saved mapping of this user."""
    saved = db.session.get(SavedMapping, mapping_id)
    if saved is None or saved.user_id != user_id:
        raise NotFound("You have no such mapping.")
    return saved


def rename(user_id: int, mapping_id: int, name: str) -> SavedMapping:
    """Give a saved mapping another name."""
    saved, name = get_saved(user_id, mapping_id), _checked_name(name)
    other = _named(user_id, name)
    if other is not None and other.id != saved.id:
        raise Invalid(f"You already have a mapping called “{name}”.", field="name")
    with transaction():
        saved.name = name
    return saved


def delete(user_id: int, mapping_id: int) -> None:
    """Forget a saved mapping; recordings that were read by it stay as they are."""
    saved = get_saved(user_id, mapping_id)
    with transaction() as session:
        session.delete(saved)


def _saved_for(user_id: int, fingerprint: str) -> SavedMapping | None:
    query = (
        select(SavedMapping).filter_by(user_id=user_id, fingerprint=fingerprint).order_by(SavedMapping.created.desc())
    )
    return db.session.scalars(query).first()


def _named(user_id: int, name: str) -> SavedMapping | None:
    return db.session.scalar(select(SavedMapping).filter_by(user_id=user_id, name=name))


def _checked_name(name: str) -> str:
    name = "".join(c for c in name if c.isprintable()).strip()
    if not 1 <= len(name) <= MAX_NAME:
        raise Invalid(f"A mapping's name must have 1 to {MAX_NAME} characters.", field="name")
    return name


def _check_free(user_id: int, name: str, fingerprint: str) -> None:
    other = _named(user_id, name)
    if other is not None and other.fingerprint != fingerprint:
        raise Invalid(f"You already have a mapping called “{name}”, for files with other columns.", field="name")


def _save(user_id: int, name: str, fingerprint: str, mapping: ColumnMapping) -> None:
    """Keep a mapping; of one layout the latest is used."""
    with transaction() as session:
        saved = _named(user_id, name)
        if saved is None:
            saved = SavedMapping(user_id=user_id, name=name, fingerprint=fingerprint)
            session.add(saved)
        saved.document, saved.created = mapping.as_dict(), now()


def _uploads() -> Path:
    return Path(current_app.config["UPLOADS"])
