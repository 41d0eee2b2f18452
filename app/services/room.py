"""Room on the server's disk, looked at before anything is taken in, so that a disk is seldom full."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from flask import current_app

from app.services.errors import NoRoom
from app.services.files import written_whole

RECORDING_FACTOR = 3  # of a file's bytes: the file, its signal, what is recognised in it
DATASET_FACTOR = 4  # an archive, and its signals and rows, which are not packed
SPARE_BYTES = 2**20
DISK_FULL = (errno.ENOSPC, errno.EDQUOT)


def require(folder: Path, n_bytes: int = 0) -> None:
    """Refuse what would leave less than the reserve on the disk that a folder is on.

    Raises
    ------
    NoRoom : there is not as much.
    """
    if shutil.disk_usage(folder).free < n_bytes + current_app.config["DISK_RESERVE"]:
        raise NoRoom


def require_upload(folder: Path, n_bytes: int) -> None:
    """Refuse an upload for which there is no room, with the two copies that the server makes of it on the way.

    Raises
    ------
    NoRoom : there is none in the folder, or where temporary files are.
    """
    way = Path(tempfile.gettempdir())
    require(way, 2 * n_bytes)
    on_one_disk = way.stat().st_dev == folder.stat().st_dev
    require(folder, (RECORDING_FACTOR + 2 * on_one_disk) * n_bytes)


def balance_spare(folder: Path) -> None:
    """Give a spare file's place to the database when the disk is full to the last, and take it back when there is room.

    Without it, nobody could log in on a full disk, or delete a recording to make room.
    """
    spare, free = folder / "spare", shutil.disk_usage(folder).free
    if free < SPARE_BYTES:
        spare.unlink(missing_ok=True)
    elif not spare.exists() and free > current_app.config["DISK_RESERVE"] + SPARE_BYTES:
        with suppress(OSError), written_whole(spare) as draft:
            draft.write_bytes(os.urandom(SPARE_BYTES))  # which no file system packs


def is_full(error: BaseException) -> bool:
    """Tell whether an error says that a disk, or somebody's part of it, is full."""
    if not isinstance(error, OSError):
        return False
    return error.errno in DISK_FULL or " requested and " in str(error)  # what NumPy makes of it has no number


def size_of(path: Path) -> int:
    """Return the bytes of a file, or of all files in a folder."""
    if not path.is_dir():
        return path.stat().st_size
    return _size_within(os.fspath(path))


def _size_within(folder: str) -> int:
    total = 0
    with os.scandir(folder) as entries:  # which knows kinds without asking: somebody may have hundreds of folders
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                total += _size_within(entry.path)
            elif entry.is_file(follow_symlinks=False):
                total += entry.stat(follow_symlinks=False).st_size
    return total
