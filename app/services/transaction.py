"""The one way to write to the database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from flask_sqlalchemy.session import Session
from sqlalchemy.orm import scoped_session

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
