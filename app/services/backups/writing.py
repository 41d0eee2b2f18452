"""Writing a backup: a tar archive, sealed, with a manifest of sizes and SHA-256 as its last file."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from app.services import audit
from app.services.audit import Action
from app.services.backups import moment, sealed
from app.services.backups.moment import Kept, Moment
from app.services.errors import Invalid, NoRoom
from app.services.files import DRAFT
from app.services.installation import migrate, revision
from app.services.room import is_full
from app.tables._columns import now

FORMAT = 1
MANIFEST = "manifest.json"
SHORTEST = 12  # letters of a passphrase


@dataclass(frozen=True)
class Written:
    """What is in a backup."""

    files: int
    n_bytes: int  # of them


def write(target: Path | IO[bytes], passphrase: str) -> Written:
    """Write a backup of the home to a file, whole or not at all, or to a stream.

    Raises
    ------
    Conflict : another one is being written, or the database is not the home's.
    Invalid : the passphrase is too short, or there is no such folder.
    NoRoom : where it is written to.
    """
    if len(passphrase) < SHORTEST:
        raise Invalid(f"A backup's passphrase must have at least {SHORTEST} letters.")
    try:
        if isinstance(target, Path):
            written = _to_file(target, passphrase)
        else:
            with moment.held(None, migrate) as present:
                written = _sealed(present, target, passphrase)
    except OSError as error:
        if is_full(error):
            raise NoRoom("There is no room for the backup: nothing was kept of it.") from error
        raise
    moment.last_file().touch()
    audit.record(Action.BACKUP_MADE, files=written.files, bytes=written.n_bytes)
    return written


def _to_file(target: Path, passphrase: str) -> Written:
    if not target.parent.is_dir() or target.is_dir():
        raise Invalid(f"A backup is written to a file in a folder that is there; found {target}.")
    draft = target.with_name(f"{DRAFT}{target.name}")
    with moment.held(draft, migrate) as present:  # which deletes the draft in the end, and after a kill
        with os.fdopen(os.open(draft, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "wb") as file:
            written = _sealed(present, file, passphrase)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(target)
    if os.name == "posix":
        folder = os.open(target.parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)
    return written


def _sealed(present: Moment, file: IO[bytes], passphrase: str) -> Written:
    writer = sealed.Writer(file, passphrase)
    listed: dict[str, tuple[int, str]] = {}
    # A stream of tar is written to by one call alone, in pieces
    with tarfile.open(fileobj=cast(IO[bytes], writer), mode="w|", format=tarfile.PAX_FORMAT) as archive:
        for kept in present.files:
            if kept.size < 0:
                folder = tarfile.TarInfo(kept.name)
                folder.type, folder.mode = tarfile.DIRTYPE, 0o700
                archive.addfile(folder)
            else:
                listed[kept.name] = kept.size, _add(archive, kept)
        manifest = {"format": FORMAT, "made": now().isoformat(), "revision": revision(), "files": listed}
        document = json.dumps(manifest).encode()
        info = tarfile.TarInfo(MANIFEST)
        info.size, info.mode = len(document), 0o600
        archive.addfile(info, io.BytesIO(document))
    writer.finish()
    return Written(len(listed), sum(size for size, _ in listed.values()))


def _add(archive: tarfile.TarFile, kept: Kept) -> str:
    """Add a file as far as it went at the moment; return its SHA-256."""
    info = tarfile.TarInfo(kept.name)
    info.size, info.mode, info.mtime = kept.size, 0o600, int(kept.path.stat().st_mtime)
    with kept.path.open("rb") as file:
        hashed = _Hashed(file)
        archive.addfile(info, cast(IO[bytes], hashed))
    return hashed.digest.hexdigest()


class _Hashed:
    """A file whose SHA-256 is taken as it is read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self.digest = file, hashlib.sha256()

    def read(self, n: int = -1) -> bytes:
        """Read some bytes."""
        data = self._file.read(n)
        self.digest.update(data)
        return data
