"""Uploads that are being read, and those that could not be: kept with the reason until their owner dismisses them.

A row is written before a file is read and goes when the recording is there, or waits for its owner. So an upload whose
reading ended with the server is not lost without a word. Which are read now is known to `upload_progress`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, delete, select

from app.extensions import db
from app.har.errors import HarError
from app.services import accounts, audit
from app.services.audit import Action
from app.services.errors import Busy, Conflict, NotFound, ServiceError
from app.services.recordings import pending, upload_progress
from app.services.recordings.pending import PendingUpload
from app.services.recordings.recordings import shown_name
from app.services.transaction import USUAL_WAIT_S, rows_changed, transaction
from app.tables import UploadAttempt

log = logging.getLogger(__name__)

KEPT_FAILURES = 100  # of one person, the latest
INTERRUPTED = (
    "Reading this file was cut off: the server was stopped or too busy. If you do not find the recording in this list, "
    "upload the file again."
)
FAULT = "The server could not process this file. An administrator finds the reason in the server's log."


@dataclass(frozen=True)
class Attempt:
    """What a list shows of an upload that is no recording."""

    id: int
    filename: str
    token: str
    created: datetime
    reason: str | None  # why it could not be read; None while it is read
    file: PendingUpload | None = None  # while it is kept, so that it can be tried again


@dataclass
class Noted:
    """The row of an upload that is being read."""

    id: int
    file_token: str = ""  # set where the file is kept though it could not be read


@contextmanager
def noted(user_id: int, filename: str, token: str) -> Iterator[Noted]:
    """Keep a row while the block reads an upload, and why it failed where it does, with the file that the block keeps.

    Nothing is kept of one that is not read now (`Busy`, `Conflict`): its owner is asked to send it again.

    Raises
    ------
    NotFound : there is no such account any more.
    """
    accounts.get(user_id)
    with transaction() as session:
        attempt = UploadAttempt(user_id=user_id, filename=shown_name(filename), token=token)
        session.add(attempt)
        session.flush()
        note = Noted(attempt.id)
    try:
        yield note
    except (Busy, Conflict):
        _remove(note.id)
        raise
    except (HarError, ServiceError) as error:
        _keep(note, user_id, str(error))
        raise
    except BaseException:
        _keep(note, user_id, FAULT)
        raise
    _remove(note.id)


def _remove(number: int) -> None:
    try:
        with transaction(USUAL_WAIT_S):
            db.session.execute(delete(UploadAttempt).where(UploadAttempt.id == number))
    except ServiceError as error:  # the recording is there: a row that stays is no reason to refuse it
        log.warning("the row of an upload cannot be deleted: %s", error)


def _keep(note: Noted, user_id: int, reason: str) -> None:
    try:
        with transaction(USUAL_WAIT_S):
            if attempt := db.session.get(UploadAttempt, note.id):
                attempt.reason, attempt.file_token = reason, note.file_token or None
            failed = select(UploadAttempt.id).filter_by(user_id=user_id).order_by(UploadAttempt.id.desc())
            old = db.session.scalars(failed.offset(KEPT_FAILURES)).all()
            db.session.execute(delete(UploadAttempt).where(UploadAttempt.id.in_(old)))
    except ServiceError as error:  # whoever uploaded it hears of the first error, not of this one
        log.warning("why an upload failed cannot be kept: %s", error)


def list_attempts(user_id: int) -> list[Attempt]:
    """Return a user's uploads that are being read or could not be, the newest first."""
    rows = list(db.session.scalars(select(UploadAttempt).filter_by(user_id=user_id).order_by(UploadAttempt.id.desc())))
    files = {own.token: own for own in pending.list_kept(user_id)} if any(row.file_token for row in rows) else {}
    return [_shown(row, files.get(row.file_token or "")) for row in rows]


def _shown(row: UploadAttempt, file: PendingUpload | None) -> Attempt:
    reason = None if _is_read(row) else row.reason or INTERRUPTED
    return Attempt(row.id, row.filename, row.token, row.created, reason, file)


def kept_file(user_id: int, attempt_id: int) -> PendingUpload:
    """Return the file of an upload that could not be read.

    Raises
    ------
    NotFound : this user has no such upload, or its file was deleted.
    """
    row = db.session.get(UploadAttempt, attempt_id)
    if row is None or row.user_id != user_id or not row.file_token:
        raise NotFound("There is no file of this upload any more. Upload it again.")
    return pending.get_pending(user_id, row.file_token)


def settle(file: PendingUpload) -> None:
    """Delete the row of an upload that failed whose file was read at last; within a transaction."""
    db.session.execute(delete(UploadAttempt).where(UploadAttempt.file_token == file.token))


def running(user_id: int) -> list[Attempt]:
    """Return those of them that are being read."""
    return [attempt for attempt in list_attempts(user_id) if attempt.reason is None]


def _is_read(row: UploadAttempt) -> bool:
    return row.reason is None and upload_progress.is_running(row.user_id, row.token)


def dismiss(user_id: int, attempt_id: int) -> None:
    """Delete the row of an upload that could not be read, and its file.

    Raises
    ------
    NotFound : this user has none.
    Conflict : it is being read.
    """
    row = db.session.get(UploadAttempt, attempt_id)
    if row is None or row.user_id != user_id:
        raise NotFound("You have no such upload. It may have been dismissed already.")
    if _is_read(row):
        raise Conflict("This file is being read at this moment.")
    _dismiss(UploadAttempt.id == attempt_id)


def dismiss_all(user_id: int) -> int:
    """Delete the rows and files of all uploads of a user that could not be read; return how many."""
    failed = [attempt.id for attempt in list_attempts(user_id) if attempt.reason is not None]
    return _dismiss(UploadAttempt.id.in_(failed)) if failed else 0


def _dismiss(which: ColumnElement[bool]) -> int:
    rows = list(db.session.scalars(select(UploadAttempt).where(which)))
    files = {row.file_token: row.user_id for row in rows if row.file_token}
    with transaction():
        n = rows_changed(delete(UploadAttempt).where(which))
    for user_id in set(files.values()):
        for file in pending.list_kept(user_id):
            if file.token in files:
                pending.cancel(file)
    audit.record(Action.UPLOAD_DELETED, "uploads that could not be read", number=n)
    return n
