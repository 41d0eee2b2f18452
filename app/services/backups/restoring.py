"""Restoring a backup into a home, whole or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout
from flask import current_app

from app.extensions import db
from app.services import audit, audit_chain, installation, postgresql, room
from app.services import database as opening
from app.services.audit import Action
from app.services.backups import moment, reading, rows, swapping
from app.services.backups.reading import Contents
from app.services.errors import Conflict, NoRoom
from app.services.privacy import erasing

ERASURES = "erasures"  # in `instance/`: a file for each person who was erased


@dataclass(frozen=True)
class Restored:
    """What a restore has done."""

    contents: Contents
    erased: int  # people who were erased after the backup, and now once more


def verify(source: Path, passphrase: str) -> Contents:
    """Read a backup to its end, and look at its database; change nothing.

    Raises
    ------
    Invalid : it is no whole backup, or the passphrase is another.
    NoKey : its database is encrypted, and the key of the installation that it was made on is not here.
    """
    names: set[str] = set()
    with _staged() as stages:
        database = stages["instance"] / "database"
        database.parent.mkdir(mode=0o700)

        def place(name: str) -> Path | None:
            names.add(name)
            return {
                moment.DATABASE: database,
                f"instance/{opening.KEY_FILE}": database.with_name(opening.KEY_FILE),
            }.get(name)

        return reading.read(source, passphrase, place, database, names.__contains__)


def restore(source: Path, passphrase: str, *, replace: bool, erased: Path | None = None) -> Restored:
    """Put a backup in the place of what the home holds, and bring it up to date.

    Who was erased stays erased: what says so is taken from the home, from the backup and from ``erased`` together, and
    done before this returns; by the next start where this is killed.
    The audit log of the home goes on, where it is the one that the backup holds the beginning of.

    Parameters
    ----------
    replace : what is there may go.
    erased : a copy of another home's folder of erasures (`ERASURES`), newer than the backup.

    Raises
    ------
    Invalid : it is no whole backup, or the passphrase is another; nothing was changed.
    Conflict : a server runs in this home, or it holds something; nothing was changed.
    NoKey : the key of the installation that the backup was made on is not here; nothing was changed.
    NoRoom : nothing was changed.
    """
    database = moment.database()
    home = Path(current_app.config["HAR_HOME"])
    with without_server(home), _staged() as stages:
        there = installation.revision() is not None if postgresql.is_used() else database.exists()
        if not replace and there:
            raise Conflict(
                f"{home} is not empty. Restore into an empty HAR_HOME, or put the backup in the place of everything "
                "that is there with --replace."
            )

        def place(name: str) -> Path:
            root, _, inner = name.partition("/")
            return stages[root] / "new" / inner

        try:
            room.require(home, source.stat().st_size)
            contents = reading.read(
                source, passphrase, place, place(moment.DATABASE), lambda name: place(name).exists()
            )
            if not contents.has_key:
                raise reading.needs(contents.key)  # no site could start with it
            for newer in (erased, database.parent / ERASURES):
                if newer is not None and newer.is_dir():
                    shutil.copytree(newer, place(f"instance/{ERASURES}"), dirs_exist_ok=True)
            _go_on_with_log(database.parent, place("instance"))
            if postgresql.is_used():
                _hand_over(place("instance"))
        except OSError as error:
            if room.is_full(error):
                raise NoRoom("There is no room for what is in the backup. Nothing was changed.") from error
            raise
        db.session.remove()
        db.engine.dispose()
        swapping.commit(home)
        opening.forget(database)
        installation.migrate()
        audit.record(Action.BACKUP_RESTORED, made=contents.made, files=contents.files)
        return Restored(contents, erasing.resume())


def _go_on_with_log(present: Path, staged: Path) -> None:
    """Let the present audit log take the place of an earlier state of itself: the same key chains both."""
    keys = [folder / moment.AUDIT / audit_chain.KEY for folder in (present, staged)]
    if all(key.exists() for key in keys) and keys[0].read_bytes() == keys[1].read_bytes():
        with audit.locked():
            shutil.rmtree(staged / moment.AUDIT, ignore_errors=True)
            audit.copy_to(staged / moment.AUDIT, opening.key_of(staged / opening.NAME))


def _hand_over(staged: Path) -> None:
    """Let the database that is staged become a server's, when what is staged has taken its place."""
    folder = staged / rows.INCOMING
    folder.mkdir(mode=0o700)
    for name in (opening.NAME, opening.KEY_FILE):
        if (path := staged / name).exists():
            path.rename(folder / name)


def move_to_server() -> int:
    """Take the home's database along to a server's, while no site runs in it; return its rows.

    Raises
    ------
    Conflict : one runs, there is nothing to take along, or the server's is not empty; nothing was changed.
    """
    with without_server(Path(current_app.config["HAR_HOME"])):
        return installation.move_to_server()


@contextmanager
def without_server(home: Path) -> Iterator[None]:
    """Keep servers from starting in a home; refuse where one runs."""
    lock = FileLock(home / "instance" / "server.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise Conflict(f"A server runs in {home}. Stop it first; nothing was changed.") from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _staged() -> Iterator[dict[str, Path]]:
    """Give the folders in which is unpacked; whatever is not decided is deleted in the end."""
    home = Path(current_app.config["HAR_HOME"])
    lock = swapping.lock(home)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise Conflict("Another backup is being read in this home. Wait for its end.") from None
    stages = {name: root / swapping.STAGED for name, root in moment.roots().items()}
    try:
        yield stages
    finally:
        if not swapping.is_decided(home):  # where a step failed, the next start goes on
            for stage in stages.values():
                shutil.rmtree(stage, ignore_errors=True)
        lock.release()
