"""One moment of a home, held while the site goes on: its database as a copy, its files by second names.

Files are whole before their row is written, and deleted after it is gone; so while nobody writes to the database, the
files of every row are there. A second name (a hard link) keeps a file that is replaced or deleted afterwards as it was;
one that is appended to is read as far as it went.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from filelock import FileLock, Timeout
from flask import current_app

from app.services import audit, postgresql
from app.services import database as opening
from app.services.backups import rows
from app.services.errors import Conflict
from app.services.files import DRAFT, link_or_copy
from app.services.leftovers import DELETED
from app.services.transaction import BACKGROUND_WAIT_S, transaction

log = logging.getLogger(__name__)

FOLDER = ".backup"  # in `instance/`: the moment that is being written
DATABASE = "instance/kinelab.sqlite"
TARGET = "target.txt"  # the file that is being written, outside of the home perhaps
LAST = "last_backup"  # an empty file, as old as the newest backup
AUDIT = "audit"  # in `instance/`
PASSING = ("server.txt", "spare", FOLDER, LAST, AUDIT, "kinelab.sqlite", "kinelab.sqlite-wal", "kinelab.sqlite-shm")


class Kept(NamedTuple):
    """A file of the moment, or a folder (then `size` is -1)."""

    name: str  # from the home, with slashes
    path: Path
    size: int  # bytes, at the moment


@dataclass(frozen=True)
class Moment:
    """What a backup is written from."""

    folder: Path
    files: list[Kept]


def roots() -> dict[str, Path]:
    """Return the folders of a home, by the names that they have in a backup."""
    config = current_app.config
    return {"instance": config["INSTANCE"], "uploads": config["UPLOADS"], "model_store": config["MODEL_STORE"]}


def database() -> Path:
    """Return the file of the database, or where it would be if it was not a server's.

    Raises
    ------
    Conflict : it is a file that is another program's to back up.
    """
    if not opening.is_homes() and not postgresql.is_used():
        raise Conflict(
            "DATABASE_URL names a file outside of HAR_HOME: copy it, together with the folders of HAR_HOME, while the "
            "site is stopped."
        )
    return opening.home_file()


@contextmanager
def held(target: Path | None, migrate: Callable[[], None]) -> Iterator[Moment]:
    """Hold the present moment of the home until the end of the block.

    Parameters
    ----------
    migrate : makes the tables of a file for the rows of a server's database.
    target : the file that is written meanwhile, deleted by the next `sweep` if this process is killed.
    """
    source = database()
    with _alone():
        _remove()
        folder = Path(current_app.config["INSTANCE"]) / FOLDER
        folder.mkdir(mode=0o700)
        try:
            if target is not None:
                (folder / TARGET).write_text(str(target.absolute()), encoding="utf-8")
            copied = folder / "database"
            copied.mkdir(mode=0o700)
            if postgresql.is_used():
                rows.prepare(copied, migrate)
            with transaction(BACKGROUND_WAIT_S):  # nobody else writes
                if postgresql.is_used():
                    rows.write(copied)
                else:
                    _copy_database(source, copied / opening.NAME)
                with audit.locked():  # its lines and what it knows of the last one belong together
                    files = list(_linked(audit.folder(), f"instance/{AUDIT}", folder / AUDIT))
                files += [kept for name, root in roots().items() for kept in _linked(root, name, folder / name)]
            file = copied / opening.NAME
            yield Moment(folder, [Kept(DATABASE, file, file.stat().st_size), *files])
        finally:
            _remove()


def last_file() -> Path:
    """Return the file that is touched when a backup was written."""
    return Path(current_app.config["INSTANCE"]) / LAST


def sweep() -> None:
    """Delete what a backup has left that was killed; one that is being written stays."""
    with suppress(Conflict), _alone():
        _remove()


@contextmanager
def _alone() -> Iterator[None]:
    lock = FileLock(Path(current_app.config["INSTANCE"]) / "backup.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise Conflict("Another backup is being written. Wait for its end.") from None
    try:
        yield
    finally:
        lock.release()


def _remove() -> None:
    folder = Path(current_app.config["INSTANCE"]) / FOLDER
    if not folder.exists():
        return
    with suppress(OSError):
        Path((folder / TARGET).read_text(encoding="utf-8")).unlink()
    shutil.rmtree(folder)


def _copy_database(source: Path, target: Path) -> None:
    """Copy a database in one step, with what is in the file beside it; encrypted, if it is."""
    with closing(opening.connect(source)) as reader, closing(opening.connect(target, opening.key_of(source))) as writer:
        reader.backup(writer)
        writer.execute("PRAGMA journal_mode=DELETE")  # one file


def _linked(root: Path, name: str, staged: Path) -> Iterator[Kept]:
    """Give every file below a folder a second name."""
    staged.mkdir(mode=0o700)
    yield Kept(name, staged, -1)
    with os.scandir(root) as entries:
        for entry in entries:
            if _passes(entry, name):
                continue
            inner, path = f"{name}/{entry.name}", staged / entry.name
            with suppress(FileNotFoundError):  # gone: a draft, or what a deletion has left
                if entry.is_dir(follow_symlinks=False):
                    yield from _linked(Path(entry.path), inner, path)
                elif entry.is_file(follow_symlinks=False):
                    link_or_copy(entry.path, path)
                    yield Kept(inner, path, path.stat().st_size)
                else:
                    log.warning("%s is a link, or no file: it is not in the backup", entry.path)


def _passes(entry: os.DirEntry[str], parent: str) -> bool:
    """Tell whether something is of this moment's processes alone."""
    return (
        entry.name.startswith((DRAFT, DELETED))
        or entry.name.endswith(".lock")
        or (parent == "instance" and entry.name in PASSING)
        or entry.name == ".restore"
    )
