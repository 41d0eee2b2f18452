"""How much of the disk each user may fill with recordings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from flask import current_app
from sqlalchemy import select

from app.extensions import db
from app.services import accounts
from app.services.errors import NoRoom
from app.services.formatting import megabytes
from app.services.recordings import pending
from app.services.room import size_of
from app.tables import LiveSession, StoredRecording


@dataclass(frozen=True)
class Quota:
    """What a user's recordings take, and what they may take, in bytes."""

    used: int
    limit: int

    def __str__(self) -> str:
        return f"Your recordings take {megabytes(self.used)} of the {megabytes(self.limit)} that you may store."


def quota_of(user_id: int) -> Quota:
    """Return how much of the disk a user has filled: with recordings, what they stream, and files not read so far."""
    uploads = Path(current_app.config["UPLOADS"])
    tables: list[type[StoredRecording | LiveSession]] = [StoredRecording, LiveSession]
    names = [name for table in tables for name in db.session.scalars(select(table.folder).filter_by(user_id=user_id))]
    folders = [uploads / name for name in names] + [each.folder for each in pending.list_kept(user_id)]
    return Quota(sum(size_of(folder) for folder in folders if folder.is_dir()), current_app.config["USER_QUOTA"])


def _who_helps(user_id: int) -> str:
    """Return what else to do; only an administrator can do something with the name of a setting."""
    return "raise the setting USER_QUOTA_MB" if accounts.get(user_id).is_admin else "ask an administrator for more room"


def require(user_id: int, n_bytes: int) -> None:
    """Refuse a file that a user has no room for.

    Raises
    ------
    NoRoom : it would go beyond what they may store.
    """
    quota = quota_of(user_id)
    if quota.used + n_bytes > quota.limit:
        raise NoRoom(
            f"This file has {megabytes(n_bytes)}, for which there is no room. {quota} "
            f"Delete recordings that you no longer need, or {_who_helps(user_id)}."
        )
