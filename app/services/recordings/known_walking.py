"""A person's own walking, as a measure for what they record with the device in the same place.

Whoever walks all through a recording can say so of it; nothing else is stored, and it goes with the recording.
"""

from __future__ import annotations

from sqlalchemy import select

from app.extensions import db
from app.services.errors import Invalid
from app.services.transaction import transaction
from app.tables import StoredRecording

WALKING = "walking"  # in the facts of a recording
STRETCH = "walking_stretch"  # likewise: part, from, to; nothing where they walk all through it


def is_walking(recording: StoredRecording) -> bool:
    """Say whether the person walks all through a recording, as they said."""
    return bool(recording.facts.get(WALKING))


def stretch_of(recording: StoredRecording) -> tuple[str, float, float] | None:
    """Return in which part of a recording, from when to when, the person walks; None where they do all through it."""
    if (stretch := recording.facts.get(STRETCH)) is None:
        return None
    part, start_s, end_s = stretch
    return str(part), float(start_s), float(end_s)


def mark(recording: StoredRecording, walking: bool, stretch: tuple[str, float, float] | None = None) -> None:
    """Keep that a person walks all through a recording, or in a stretch of it, or no longer.

    Raises
    ------
    Invalid : the person has not said where the device was worn.
    """
    if walking and not recording.place:
        raise Invalid("Say first where the device was worn: your walking is a measure for this place only.")
    with transaction():
        recording.facts = recording.facts | {WALKING: walking, STRETCH: stretch and list(stretch)}


def list_known(user_id: int) -> list[StoredRecording]:
    """Return a user's recordings of their own walking, the newest first; of one place the first is the measure."""
    own = select(StoredRecording).filter_by(user_id=user_id).order_by(StoredRecording.id.desc())
    query = own.where(StoredRecording.facts[WALKING].as_boolean(), StoredRecording.place.is_not(None))
    return list(db.session.scalars(query))


def find(user_id: int, place: str, of: StoredRecording | None = None) -> StoredRecording | None:
    """Return the newest recording of a person's walking with the device in a place; never ``of``, which is measured."""
    if not place:
        return None
    return next((own for own in list_known(user_id) if own.place == place and own is not of), None)


def name_of(user_id: int, recording_id: int | None) -> str | None:
    """Return what a recording of a user is called; None where there is none any more."""
    return db.session.scalar(select(StoredRecording.filename).filter_by(user_id=user_id, id=recording_id))
