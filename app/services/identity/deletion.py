"""Deleting an account with everything that is its owner's: who is deleted is erased."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select

from app.extensions import db
from app.services.errors import Forbidden
from app.services.privacy import erasing
from app.services.recordings import pending
from app.tables import Correction, SavedMapping, StoredRecording


@dataclass(frozen=True)
class Belongings:
    """What is deleted with an account."""

    recordings: int
    waiting: int  # uploads whose columns are not known yet, or that could not be read
    mappings: int
    corrections: int  # stretches


def belongings(user_id: int) -> Belongings:
    """Count what would be deleted with an account."""

    def count(table: type[StoredRecording | SavedMapping | Correction]) -> int:
        return db.session.scalar(select(func.count()).select_from(table).where(table.user_id == user_id)) or 0

    waiting = len(pending.list_kept(user_id))
    return Belongings(count(StoredRecording), waiting, count(SavedMapping), count(Correction))


def delete_own(user_id: int) -> None:
    """Delete one's own account; the last active administrator's stays, and one of which a file is being read."""
    erasing.erase(user_id)


def delete_other(actor_id: int, user_id: int) -> str:
    """Delete somebody else's account; return what it was called."""
    if actor_id == user_id:
        raise Forbidden("Delete your own account on its own page.")
    return erasing.erase(user_id)
