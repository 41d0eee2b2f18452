"""Reading a backup: every byte is looked at before any of it is used."""

from __future__ import annotations

import hashlib
import json
import os
import tarfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, cast

from app.services import database as opening
from app.services import keys
from app.services.backups import moment, sealed
from app.services.backups.writing import FORMAT, MANIFEST
from app.services.errors import Invalid
from app.services.installation import refuse_newer
from app.services.keys import NoKey

COPY_BYTES = 2**20
FILES_OF_ROWS = {  # where the files of a table's rows are
    "recording": "SELECT 'uploads/' || folder FROM recording",
    "prediction": "SELECT 'uploads/' || recording.folder || '/' || prediction.id || '.npz' "
    "FROM prediction JOIN recording ON recording.id = recording_id",
    "dataset": "SELECT 'instance/datasets/' || folder FROM dataset",
    "model_version": "SELECT 'model_store/' || name || '/' || version FROM model_version",
}


@dataclass(frozen=True)
class Contents:
    """What is in a backup that was read to its end."""

    made: str  # ISO 8601
    revision: str
    files: int
    n_bytes: int
    missing: list[str]  # what rows say is there, and was not there when the backup was made
    key: str  # the fingerprint of the installation's key without which nobody reads it; empty of a build without one
    has_key: bool  # it is here


def read(
    source: Path, passphrase: str, place: Callable[[str], Path | None], database: Path, has: Callable[[str], bool]
) -> Contents:
    """Read a backup to its end, and compare all of it with its manifest and with its database.

    Parameters
    ----------
    place : tells by its name where a file or folder is written to; None: it is only looked at.
    database : where the database is written to.
    has : tells in the end of a name whether it was in the backup.

    Raises
    ------
    Invalid : it is no whole backup, or the passphrase is another.
    NoKey : its database is encrypted, and the key of the installation that it was made on is not here.
    """
    found: dict[str, tuple[int, str]] = {}
    manifest = None
    try:
        with (
            source.open("rb") as file,
            tarfile.open(fileobj=cast(IO[bytes], sealed.Reader(file, passphrase)), mode="r|") as archive,
        ):
            for info in archive:
                content = archive.extractfile(info) if info.isreg() else None
                if info.name == MANIFEST:
                    manifest = json.loads(content.read()) if content else None
                    continue
                _look_at(info)
                if content is None:
                    if (folder := place(info.name)) is not None:
                        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
                else:
                    found[info.name] = _copied(content, place(info.name), info.mtime)
    except tarfile.TarError as error:
        raise Invalid(f"This backup is damaged: {error}.") from error
    if manifest is None or manifest["format"] != FORMAT:
        raise Invalid("This backup has no manifest that this Kinelab knows: a newer one may have written it.")
    listed = {name: (size, digest) for name, (size, digest) in manifest["files"].items()}
    if wrong := sorted(name for name in listed.keys() | found if listed.get(name) != found.get(name)):
        raise Invalid(f"This backup is not what its manifest says: {', '.join(wrong[:3])}.")
    refuse_newer(manifest["revision"])
    key, has_key = _key_of(database)
    missing = _missing(database, has)
    n_bytes = sum(size for size, _ in found.values())
    return Contents(manifest["made"], manifest["revision"], len(found), n_bytes, missing, key, has_key)


def _key_of(database: Path) -> tuple[str, bool]:
    """Return the fingerprint of the key that a backup needs, and whether it is here."""
    if not opening.is_plain(database):
        wraps = opening.wrapped_by(database)
        here = [name for name, salt in wraps if keys.find(name, salt) is not None]
        if not here:
            raise needs(" or ".join(name for name, _ in wraps))
        return here[0], True
    with closing(opening.connect(database)) as connection:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'installation_key'").fetchone():
            return "", True  # of a build that sealed nothing
        row = connection.execute("SELECT fingerprint, salt FROM installation_key").fetchone()
    return (row[0], keys.find(row[0], row[1]) is not None) if row else ("", True)


def needs(key: str) -> NoKey:
    """Return in words what is missing to read a backup."""
    return NoKey(
        f"Nothing was changed. This backup needs the key {key}, which the installation that it was made on used, and "
        f"it is not in {keys.source()}. In a file of keys its line is marked with # {key}: copy that line, or set "
        "ENCRYPTION_KEY to the copy that was written down there (flask keys export), or ENCRYPTION_PASSPHRASE as it "
        "was there, and try again. Without it, nobody can read what the backup holds about people."
    )


def _look_at(info: tarfile.TarInfo) -> None:
    parts = PurePosixPath(info.name).parts
    if not (info.isreg() or info.isdir()) or not parts or parts[0] not in moment.roots() or ".." in parts:
        raise Invalid(f"This backup has something in it that is not of a home: {info.name}.")


def _copied(content: IO[bytes], target: Path | None, time: float) -> tuple[int, str]:
    """Copy a file; return its size and SHA-256."""
    digest, size = hashlib.sha256(), 0
    if target is not None:
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with Path(os.devnull).open("wb") if target is None else target.open("xb") as file:
        while piece := content.read(COPY_BYTES):
            digest.update(piece)
            size += len(piece)
            file.write(piece)
    if target is not None:
        os.utime(target, (time, time))
    return size, digest.hexdigest()


def _missing(database: Path, has: Callable[[str], bool]) -> list[str]:
    """Refuse a database that is damaged; return what its rows say is there and is not."""
    with closing(opening.connect(database)) as connection:
        problems = [str(row[0]) for row in connection.execute("PRAGMA integrity_check") if row[0] != "ok"]
        problems += [f"{row[0]}, row {row[1]}" for row in connection.execute("PRAGMA foreign_key_check")]
        if problems:
            raise Invalid(f"The database of this backup is damaged: {'; '.join(problems[:3])}.")
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        files = [
            row[0] for table, query in FILES_OF_ROWS.items() if table in tables for row in connection.execute(query)
        ]
    return [name for name in files if not has(name)]
