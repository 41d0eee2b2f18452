"""Uploads in no known layout that wait until their owner names the columns, and those that could not be read.

``uploads/pending-<token>/`` holds one of them: ``source``, the file as uploaded, and ``pending.json``. It goes when its
owner confirms or cancels, or when it was read by another model, and after a day.
"""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from flask import current_app
from sqlalchemy import select

from app.extensions import db
from app.har.texts import loads
from app.services import audit, keys, sealing
from app.services.audit import Action
from app.services.errors import NotFound
from app.services.recordings.recordings import PREFIX as RECORDING_PREFIX
from app.services.recordings.recordings import SOURCE
from app.tables import StoredRecording

PREFIX = "pending-"
NOTE = "pending.json"
KEPT_S = 24 * 3600.0
KEPT_FILES = 5  # of one user, of those that wait and of those refused; a further one takes the place of the oldest


@dataclass(frozen=True)
class PendingUpload:
    """An upload whose columns are not known yet."""

    token: str
    user_id: int
    filename: str
    version_id: int | None  # of the model that shall recognise it
    created: float  # Unix time
    document: dict[str, Any] | None = None  # a mapping to start from instead of a guess
    note: str = ""  # why it could not be read so far
    replaces: int | None = None  # the recording that was read from this file before
    place: str | None = None  # where the device was worn, if the person said so
    zone: str = "UTC"  # in which it was set to local time, where the file does not say it
    use_walking: bool = True  # measure against the person's own walking there, where it is known
    fingerprint: str = ""  # SHA-256 of the file; "" of an earlier build
    refused: bool = False  # it could not be read: it is kept so that another model, or a mapping, can be tried
    device: bool = False  # refused as a device's file: it has no columns that a person could name

    @property
    def until(self) -> datetime:
        """When it is deleted."""
        return datetime.fromtimestamp(self.created + KEPT_S, timezone.utc)

    @property
    def folder(self) -> Path:
        return _uploads() / f"{PREFIX}{self.token}"

    @property
    def source(self) -> Path:
        return self.folder / SOURCE


def keep(pending: PendingUpload, folder: Path) -> PendingUpload:
    """Let an upload wait that lies in a folder; the folder is renamed."""
    sweep()
    for other in folder.iterdir():  # what a reading that failed has written
        if other.name != SOURCE:
            other.unlink()
    with sealing.created(folder / NOTE, keys.of(pending.user_id)) as file:
        file.write(json.dumps(asdict(pending)).encode())
    folder.rename(pending.folder)
    alike = [own for own in list_kept(pending.user_id) if own.refused == pending.refused]
    for old in alike[KEPT_FILES:]:
        cancel(old)
    return pending


def _read(folder: Path) -> PendingUpload | None:
    try:
        with sealing.opened(folder / NOTE) as file:
            document = loads(file.read())
        if "version" in document:  # as written by version 0.1
            document["version_id"] = document.pop("version")
        return PendingUpload(**document)
    except (OSError, ValueError, TypeError):
        return None  # of an upload that died


def get_pending(user_id: int, token: str) -> PendingUpload:
    """Return a waiting upload of this user; one of somebody else does not exist for them."""
    pending = _read(_uploads() / f"{PREFIX}{token}") if re.fullmatch(r"[0-9a-f]{32}", token) else None
    if pending is None or pending.user_id != user_id:
        if pending is not None:
            audit.record(Action.REFUSAL, "a waiting upload", outcome="refused", reason="somebody else's")
        raise NotFound(
            "This file is no longer waiting: it was read, cancelled, or deleted after a day. Upload it again."
        )
    return pending


def list_pending(user_id: int) -> list[PendingUpload]:
    """Return a user's uploads that wait for their columns, the newest first."""
    return [own for own in list_kept(user_id) if not own.refused]


def list_kept(user_id: int) -> list[PendingUpload]:
    """Return these and those that could not be read, the newest first."""
    return sorted((p for p in _everybodys() if p.user_id == user_id), key=lambda p: p.created, reverse=True)


def owners() -> dict[str, int]:
    """Return whose each of them is, by the name of its folder."""
    return {pending.folder.name: pending.user_id for pending in _everybodys()}


def _everybodys() -> Iterator[PendingUpload]:
    return filter(None, map(_read, _uploads().glob(f"{PREFIX}*")))


def sweep() -> None:
    """Delete what waited for more than a day, and what an upload that died has left."""
    for folder in _uploads().glob(f"{PREFIX}*"):
        pending = _read(folder)
        since = pending.created if pending else folder.stat().st_mtime
        if time.time() - since > KEPT_S:
            shutil.rmtree(folder, ignore_errors=True)


def remove_confirmed() -> None:
    """At start: delete what still waits though a recording was made of it, of a server that died in between."""
    known = set(db.session.scalars(select(StoredRecording.folder)))
    for folder in _uploads().glob(f"{PREFIX}*"):
        if folder.name.replace(PREFIX, RECORDING_PREFIX, 1) in known:
            shutil.rmtree(folder, ignore_errors=True)


def cancel(pending: PendingUpload) -> None:
    """Delete a waiting upload."""
    shutil.rmtree(pending.folder, ignore_errors=True)


def _uploads() -> Path:
    return Path(current_app.config["UPLOADS"])
