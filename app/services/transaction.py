"""The one way to write to the database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.orm import Session, scoped_session

from app.extensions import db


@contextmanager
def transaction() -> Iterator[scoped_session[Session]]:
    """Commit at the end of the block; roll back if it raises."""
    try:
        yield db.session
        db.session.commit()
    except BaseException:
        db.session.rollback()
        raise
