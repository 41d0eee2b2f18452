"""A person's live sessions as a list."""

from __future__ import annotations

from sqlalchemy import select

from app.services import paging
from app.services.paging import Newest
from app.tables import LiveSession


def newest(user_id: int, before: int | None, limit: int) -> Newest[LiveSession]:
    """Return a person's sessions, running or ended, the newest first, or those before the one with a number."""
    return paging.newest(select(LiveSession).where(LiveSession.user_id == user_id), LiveSession.id, before, limit)
