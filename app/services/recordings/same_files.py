"""Whether a person has uploaded a file before, by its content."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import select

from app.extensions import db
from app.services import sealing
from app.services.errors import AlreadyThere
from app.services.recordings import recordings
from app.services.transaction import transaction
from app.tables import StoredRecording


def find(user_id: int, path: Path, content: str) -> StoredRecording | None:
    """Return the newest recording of a user that was made from the same bytes.

    Recordings of earlier builds have no fingerprint: those of the same size get theirs now.
    """
    own = select(StoredRecording).filter_by(user_id=user_id).order_by(StoredRecording.id.desc())
    size = StoredRecording.facts["bytes"].as_integer() == sealing.size(path)
    for old in db.session.scalars(own.where(StoredRecording.fingerprint.is_(None), size)).all():
        source = recordings.uploaded_file(old)
        if source.is_file():
            of_old = sealing.fingerprint(source)
            with transaction():
                old.fingerprint = of_old
    return db.session.scalars(own.filter_by(fingerprint=content)).first()


def known(recording: StoredRecording) -> AlreadyThere:
    """Return the error that leads a person to what they have."""
    name = f", as “{recording.shown_title}”" if recording.shown_title else ""
    return AlreadyThere(f"You uploaded this file on {recording.created:%d %B %Y}{name}.", recording.id)
