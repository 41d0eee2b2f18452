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
from app.services.backups import moment, sealed
from app.services.backups.writing import FORMAT, MANIFEST
from app.services.errors import Invalid
from app.services.installation import refuse_newer

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
    missing = _missing(database, has)
    n_bytes = sum(size for size, _ in found.values())
    return Contents(manifest["made"], manifest["revision"], len(found), n_bytes, missing)


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
