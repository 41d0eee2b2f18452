"""The rows of a server's database in a file of SQLite, as backups hold them, and back.

So a backup is the same whatever database it was made of, and whoever restores it chooses one by DATABASE_URL. What is
to become a server's rows lies in `instance/incoming/` until it is: a start that finds it there begins again.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from flask import Flask, current_app
from sqlalchemy import Connection, func, insert, select, text

from app.extensions import db
from app.services import database, postgresql

INCOMING = "incoming"  # in `instance/`
AT_ONCE = 500  # rows


def prepare(folder: Path, migrate: Callable[[], None]) -> None:
    """Make a database without rows in a folder that is there; encrypted, by the key that the home's audit log has."""
    key = database.home_file().with_name(database.KEY_FILE)
    if key.exists():
        shutil.copy(key, folder)
    with _in_file(folder), closing(database.connect(database.home_file())) as begun:
        begun.execute("VACUUM")  # from here on it is there, and stays what it is
        migrate()


def write(folder: Path) -> None:
    """Within a transaction: copy the rows of the current database into a folder's."""
    source = db.session.connection()
    with _in_file(folder), db.engine.begin() as target:
        _copy(source, target)


def number() -> int:
    """Return how many rows the current database has."""
    return sum(db.session.scalar(select(func.count()).select_from(table)) or 0 for table in db.metadata.sorted_tables)


def incoming() -> Path:
    """Return the folder of what is to become the rows of the server's database."""
    return database.home_file().with_name(INCOMING)


def load(migrate: Callable[[], None]) -> None:
    """Put what has come in, if there is something, in the place of all of the server's database.

    Parameters
    ----------
    migrate : brings the database of the current application up to date.
    """
    folder = incoming()
    if not (folder / database.NAME).exists():
        return
    with db.engine.begin() as connection:
        db.metadata.drop_all(connection)
        connection.execute(text("DROP TABLE IF EXISTS alembic_version"))
    migrate()
    with db.engine.begin() as target:
        with _in_file(folder):
            migrate()
            with db.engine.connect() as source:
                _copy(source, target)
        for table in db.metadata.sorted_tables:
            postgresql.renumber(target, table)
    if (key := folder / database.KEY_FILE).exists():  # by which the lines of its audit log are sealed
        shutil.copy(key, database.home_file().parent)
    database.forget(database.home_file())
    shutil.rmtree(folder)


@contextmanager
def _in_file(folder: Path) -> Iterator[None]:
    """Let the current application's database be the file in a folder."""
    app = Flask("file")
    app.config.update(current_app.config)
    app.config.update(
        INSTANCE=folder,
        DATABASE_SERVER=None,
        SQLALCHEMY_DATABASE_URI=f"sqlite:///{(folder / database.NAME).as_posix()}",
    )
    db.init_app(app)
    with app.app_context():
        database.listen(db.engine)
        try:
            yield
        finally:
            db.session.remove()
            db.engine.dispose()


def _copy(source: Connection, target: Connection) -> None:
    for table in db.metadata.sorted_tables:
        rows = source.execution_options(yield_per=AT_ONCE).execute(select(table))
        for some in rows.mappings().partitions():
            target.execute(insert(table), [dict(row) for row in some])
        counted = select(func.count()).select_from(table)
        if (found := target.scalar(counted)) != (wanted := source.scalar(counted)):
            raise RuntimeError(f"{found} rows of {wanted} were copied to {table.name}")
