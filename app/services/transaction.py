"""The one way to write to the database, and the one place that decides how long to wait for it.

There is one writer at a time: SQLite has no more, and on PostgreSQL a lock sees to it (`postgresql`). Another
program, a backup tool for example, may hold that place for a while: a page waits for it up to a minute and is then
refused, work in the background waits longer. The place is taken before anything is done, so that what a block does
beside the database (a folder that is moved) is never done in vain.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from flask import current_app
from flask_sqlalchemy.session import Session
from sqlalchemy import Connection, CursorResult, Delete, Update
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import scoped_session

from app.extensions import db
from app.services import database, postgresql, room
from app.services.errors import Busy, NoRoom
from app.services.postgresql import Unreachable

LARGEST_ID = 2**31 - 1  # that every database can look for
PAGE_WAIT_S = 60.0
BACKGROUND_WAIT_S = 600.0  # of work that took long and that nobody watches
USUAL_WAIT_S = 1.0  # for other pages that write

_line_lock = threading.Lock()
_in_line = 0


@contextmanager
def transaction(wait_s: float = PAGE_WAIT_S) -> Iterator[scoped_session[Session]]:
    """Commit at the end of the block; roll back if it raises.

    Parameters
    ----------
    wait_s : how long to wait while another program writes.

    Raises
    ------
    Busy : another program has not finished meanwhile, or too many pages wait already; the block was not begun.
    NoRoom : the disk is full.
    """
    try:
        _begin(wait_s)
        yield db.session
        db.session.commit()
    except BaseException as error:
        db.session.rollback()
        if (reason := passing_reason(error)) is not None and reason is not error:
            raise reason from error
        raise


def passing_reason(error: BaseException | None) -> Busy | NoRoom | None:
    """Return in words for people what will pass by itself or when room is made; None for any other error."""
    if isinstance(error, (Busy, NoRoom)):
        return error
    if error is not None and room.is_full(error):
        return NoRoom()
    if isinstance(error, DBAPIError) and database.is_error(error.orig):
        message = str(error.orig)  # Python 3.10 tells no error code
        if "is full" in message:
            return NoRoom()
        if "is locked" in message:
            return Busy()
    elif isinstance(error, DBAPIError):
        if postgresql.code_of(error.orig) == postgresql.DISK_FULL:
            return NoRoom("The disk of the database's server is full. Nothing was stored.")
        if postgresql.is_gone(error):
            return Unreachable("The database's server does not answer. Nothing was changed. Try again in a minute.")
        if postgresql.is_passing(error):
            return Busy()
    return None


def _begin(wait_s: float) -> None:
    """Take the place of the writer. A transaction within another goes on in it."""
    connection = db.session.connection()
    if connection.dialect.name == "sqlite":
        if _raw(connection).in_transaction:
            return
        room.balance_spare(Path(current_app.config["INSTANCE"]))
    usual_s = min(wait_s, USUAL_WAIT_S)
    if _taken(connection, usual_s):
        return
    with _line(forced=wait_s > PAGE_WAIT_S):
        if not _taken(connection, wait_s - usual_s):
            raise Busy


@contextmanager
def _line(forced: bool) -> Iterator[None]:
    """Stand in line with other pages; each takes a thread of the server, and half of them are left to read with."""
    global _in_line
    with _line_lock:
        if not forced and _in_line >= current_app.config["THREADS"] // 2:
            raise Busy
        _in_line += 1
    try:
        yield
    finally:
        with _line_lock:
            _in_line -= 1


def _raw(connection: Connection) -> sqlite3.Connection:
    return cast(sqlite3.Connection, connection.connection.driver_connection)  # or SQLCipher's like it


def _taken(connection: Connection, wait_s: float) -> bool:
    if connection.dialect.name != "sqlite":
        return postgresql.take_writer(connection, wait_s)
    raw = _raw(connection)
    raw.execute(f"PRAGMA busy_timeout={round(1000 * wait_s)}")
    try:
        raw.execute("BEGIN IMMEDIATE")
    except raw.OperationalError as error:
        if "is locked" not in str(error):
            raise
        return False
    return True


def rows_changed(statement: Update | Delete) -> int:
    """Run a conditional UPDATE or DELETE within a transaction; return in how many rows its condition held.

    Condition and change are one statement, so that of two requests at the same moment only one finds the condition met.
    """
    return cast(CursorResult[Any], db.session.execute(statement)).rowcount


def write_if_free(statement: Update) -> None:
    """Run an UPDATE by itself, unless another program holds the database: nobody waits or fails for it."""
    with db.engine.connect() as connection:
        if connection.dialect.name != "sqlite":
            if _taken(connection, 0):
                connection.execute(statement)
                connection.commit()
            return
        patience = connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one()
        try:
            connection.exec_driver_sql("PRAGMA busy_timeout=0")
            connection.execute(statement)
            connection.commit()
        except OperationalError:
            connection.rollback()
        finally:
            connection.exec_driver_sql(f"PRAGMA busy_timeout={patience:d}")
