"""Deleting an account with everything that is its owner's."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select

from app.extensions import db
from app.services import accounts, audit, leftovers
from app.services.audit import Action
from app.services.care import consents as care
from app.services.errors import Forbidden
from app.services.live import sessions, tokens
from app.services.personal import consents, head_files, taken_back
from app.services.recordings import pending, reading, recordings
from app.services.transaction import transaction
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
    _delete(user_id)


def delete_other(actor_id: int, user_id: int) -> str:
    """Delete somebody else's account; return what it was called."""
    if actor_id == user_id:
        raise Forbidden("Delete your own account on its own page.")
    return _delete(user_id)


def _delete(user_id: int) -> str:
    user = accounts.get(user_id)
    name, was_admin = user.username, user.is_admin
    # What is read meanwhile would outlive the account, and the next one may get its number
    with reading.nothing_read(user_id), audit.acting(audit.origin()):  # who may be gone when it is recorded
        tokens.forget(user_id)
        live = sessions.drop(user_id)
        with transaction() as session:
            consents.end(user_id)  # what data sets hold of theirs is taken out below
            ended = care.end_all(user_id)
            folders = [recordings.folder_of(recording) for recording in recordings.list_recordings(user_id)]
            session.delete(user)
            session.flush()
            if was_admin:
                accounts.require_administrator()
        care.record_end(ended)
        for folder in folders:
            leftovers.delete(folder)
        tokens.forget(user_id)  # of which a batch may have come meanwhile
        sessions.delete_folders([*live, *sessions.drop(user_id)])
        head_files.delete_all(user_id)
        for upload in pending.list_kept(user_id):
            pending.cancel(upload)
        audit.record(Action.ACCOUNT_DELETED, name, recordings=len(folders))
    taken_back.begin()
    return name
