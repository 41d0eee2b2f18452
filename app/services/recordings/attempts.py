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
from app.services.recordings import upload_progress
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


@contextmanager
def noted(user_id: int, filename: str, token: str) -> Iterator[None]:
    """Keep a row while the block reads an upload, and why it failed where it does.

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
        number = attempt.id
    try:
        yield
    except (Busy, Conflict):
        _remove(number)
        raise
    except (HarError, ServiceError) as error:
        _keep(number, user_id, str(error))
        raise
    except BaseException:
        _keep(number, user_id, FAULT)
        raise
    _remove(number)


def _remove(number: int) -> None:
    try:
        with transaction(USUAL_WAIT_S):
            db.session.execute(delete(UploadAttempt).where(UploadAttempt.id == number))
    except ServiceError as error:  # the recording is there: a row that stays is no reason to refuse it
        log.warning("the row of an upload cannot be deleted: %s", error)


def _keep(number: int, user_id: int, reason: str) -> None:
    try:
        with transaction(USUAL_WAIT_S):
            if attempt := db.session.get(UploadAttempt, number):
                attempt.reason = reason
            failed = select(UploadAttempt.id).filter_by(user_id=user_id).order_by(UploadAttempt.id.desc())
            old = db.session.scalars(failed.offset(KEPT_FAILURES)).all()
            db.session.execute(delete(UploadAttempt).where(UploadAttempt.id.in_(old)))
    except ServiceError as error:  # whoever uploaded it hears of the first error, not of this one
        log.warning("why an upload failed cannot be kept: %s", error)


def list_attempts(user_id: int) -> list[Attempt]:
    """Return a user's uploads that are being read or could not be, the newest first."""
    rows = db.session.scalars(select(UploadAttempt).filter_by(user_id=user_id).order_by(UploadAttempt.id.desc()))
    return [
        Attempt(row.id, row.filename, row.token, row.created, None if _is_read(row) else row.reason or INTERRUPTED)
        for row in rows
    ]


def running(user_id: int) -> list[Attempt]:
    """Return those of them that are being read."""
    return [attempt for attempt in list_attempts(user_id) if attempt.reason is None]


def _is_read(row: UploadAttempt) -> bool:
    return row.reason is None and upload_progress.is_running(row.user_id, row.token)


def dismiss(user_id: int, attempt_id: int) -> None:
    """Delete the row of an upload that could not be read.

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
    """Delete the rows of all uploads of a user that could not be read; return how many."""
    failed = [attempt.id for attempt in list_attempts(user_id) if attempt.reason is not None]
    return _dismiss(UploadAttempt.id.in_(failed)) if failed else 0


def _dismiss(which: ColumnElement[bool]) -> int:
    with transaction():
        n = rows_changed(delete(UploadAttempt).where(which))
    audit.record(Action.UPLOAD_DELETED, "uploads that could not be read", number=n)
    return n
