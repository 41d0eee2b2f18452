"""Encrypting the database, and making it plain again: finished or untouched, whenever the process is killed."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from flask import current_app

from app.extensions import db
from app.services import audit, database, installation, keys, postgresql, room
from app.services.audit import Action
from app.services.backups import moment, restoring
from app.services.errors import Conflict

SOME = 20 * 2**20  # bytes, for what a file gains


def change(encrypted: bool) -> int:
    """Write the database anew beside itself, encrypted or plain, and let it take its place; return its bytes.

    Nobody else opens it meanwhile. What decides is one renaming; what a kill leaves before is a draft, which the next
    start and the next command delete, and after it, a file of a key that opens nothing any more.

    Raises
    ------
    Conflict : it is so already, a server runs, or another program has it open; nothing was changed.
    NoRoom : nor was it then.
    """
    if postgresql.is_used():
        raise Conflict("DATABASE_URL names a server's database, whose disk is encrypted by whoever runs the server.")
    path = moment.database()
    library = database.cipher()
    # Whoever starts meanwhile waits: opened now, the file before would get its own log beside the one after
    with restoring.without_server(Path(current_app.config["HAR_HOME"])), installation.preparing():
        before = database.key_of(path)
        if (before is not None) == encrypted:
            raise Conflict(f"The database is {'encrypted' if encrypted else 'plain'} already. Nothing was changed.")
        room.require(path.parent, path.stat().st_size + SOME)
        wrapping = keys.for_database()
        db.session.remove()
        db.engine.dispose()
        with closing(library.connect(os.fspath(path), isolation_level=None)) as connection:
            if before is not None:
                connection.execute(f'PRAGMA key = "{database.as_raw(before)}"')
            database.take_alone(connection)
            database.sweep()
            after = database.new_key(path, *wrapping) if encrypted else None
            draft = database.draft()
            try:
                _export(connection, draft, after)
                _compare(connection, draft, after)
                _sync(draft)
                if not encrypted:
                    audit.open_all()  # a kill before the next line leaves lines that the next start seals again
                draft.replace(path)
            except BaseException:
                database.sweep()
                raise
        database.forget(path)
        database.sync_folder(path.parent)
        if encrypted:
            audit.seal_all()
        else:
            path.with_name(database.KEY_FILE).unlink(missing_ok=True)
    audit.record(Action.DATABASE_ENCRYPTED if encrypted else Action.DATABASE_DECRYPTED)
    return path.stat().st_size


def _export(connection: sqlite3.Connection, draft: Path, key: bytes | None) -> None:
    raw = "" if key is None else database.as_raw(key)
    connection.execute("ATTACH DATABASE ? AS draft KEY ?", (os.fspath(draft), raw))
    connection.execute("SELECT sqlcipher_export('draft')")
    connection.execute("DETACH DATABASE draft")


def _compare(connection: sqlite3.Connection, draft: Path, key: bytes | None) -> None:
    """Refuse a copy that is damaged or lacks something."""
    with closing(database.connect(draft, key)) as copy:
        problems = [row[0] for row in copy.execute("PRAGMA integrity_check") if row[0] != "ok"]
        if problems or _contents(copy) != _contents(connection):
            raise RuntimeError("the copy is not what the database is; nothing was changed")  # of a damaged database


def _contents(connection: sqlite3.Connection) -> list[tuple[object, ...]]:
    """Return what a database has been made by, and how many rows are in each table."""
    made = connection.execute("SELECT type, name, sql FROM sqlite_master ORDER BY type, name").fetchall()
    tables = [name for kind, name, _ in made if kind == "table"]
    quoted = [name.replace('"', '""') for name in tables]
    return [*made, *(connection.execute(f'SELECT count(*) FROM "{name}"').fetchone() for name in quoted)]  # noqa: S608


def _sync(draft: Path) -> None:
    with draft.open("rb+") as file:
        os.fsync(file.fileno())
