"""The one way to write to the database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from flask_sqlalchemy.session import Session
from sqlalchemy import CursorResult, Delete, Update
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


def rows_changed(statement: Update | Delete) -> int:
    """Run a conditional UPDATE or DELETE within a transaction; return in how many rows its condition held.

    Condition and change are one statement, so that of two requests at the same moment only one finds the condition met.
    """
    return cast(CursorResult[Any], db.session.execute(statement)).rowcount
