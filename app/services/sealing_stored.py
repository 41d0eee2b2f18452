"""What is stored about people, file by file: how much of it is sealed, and sealing what an earlier build left plain."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout
from flask import current_app
from sqlalchemy import select

from app.extensions import db
from app.har.live import journal
from app.services import audit, keys, sealing
from app.services.audit import Action
from app.services.errors import Conflict
from app.services.files import DRAFT, written_whole
from app.services.live.streams import ENDING
from app.services.personal import head_files
from app.services.recordings import pending
from app.tables import LiveSession, StoredRecording, User


@dataclass(frozen=True)
class Stock:
    """How many files about people there are."""

    sealed: int = 0
    plain: int = 0
    unreadable: int = 0  # sealed under a key that is gone, or damaged


def stock() -> Stock:
    """Count them, and look whether each of them can be opened; what is in them is not read."""
    counts = {"sealed": 0, "plain": 0, "unreadable": 0}
    for path, _ in _files():
        counts[_state(path)] += 1
    return Stock(**counts)


def has_plain() -> bool:
    """Tell whether an earlier build left anything plain: by the first file that is."""
    return any(_begins_plain(path) for path, _ in _files())


def seal_all(on_file: Callable[[Path], None] = lambda _: None) -> int:
    """Seal every plain file under the key of its person; return how many. What was ended goes on where it was.

    Raises
    ------
    Conflict : a server runs in this home.
    """
    lock = FileLock(Path(current_app.config["INSTANCE"]) / "server.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise Conflict("A server runs here. Stop it first: files must not change while they are sealed.") from None
    with lock:
        n = 0
        for path, user_id in list(_files()):
            if _is_plain(path):
                on_file(path)
                _seal(path, keys.of(user_id))
                n += 1
        if n:
            audit.record(Action.FILES_SEALED, f"{n} files")
        return n


def _seal(path: Path, key: sealing.Key) -> None:
    """Put a sealed copy in a file's place, of the same time: what was learnt from it is not learnt anew."""
    before = path.stat()
    with written_whole(path) as draft:
        if path.suffix == ENDING:
            for batch in journal.read(path, sealing.opened_bytes):
                journal.append(draft, batch, lambda data: sealing.sealed_bytes(data, key))
        else:
            with sealing.opened(path) as plain, sealing.created(draft, key) as file:
                shutil.copyfileobj(plain, file, sealing.COPY_BYTES)
        os.utime(draft, ns=(before.st_atime_ns, before.st_mtime_ns))


def _state(path: Path) -> str:
    """Tell whether a file is "sealed", "plain" or "unreadable"."""
    try:
        if _is_plain(path):
            return "plain"
        if path.suffix != ENDING:
            with sealing.opened(path):
                pass
    except OSError:
        return "unreadable"
    return "sealed"


def _is_plain(path: Path) -> bool:
    return journal.is_plain(path) if path.suffix == ENDING else not sealing.is_sealed(path)


def _begins_plain(path: Path) -> bool:
    """Tell by its first bytes whether a file is plain: what seals, seals all that it adds to a journal."""
    with path.open("rb", buffering=0) as file:
        mark = file.read(len(sealing.MARK))
    if path.suffix != ENDING:
        return mark != sealing.MARK
    return not mark.startswith(journal.SEALED) and journal.is_plain(path)


def _files() -> Iterator[tuple[Path, int]]:
    """Yield the files about people, and whose they are."""
    owners = {str(number): number for number in db.session.scalars(select(User.id))}
    folders = {f"{head_files.PREFIX}{text}": number for text, number in owners.items()}
    for table in (StoredRecording, LiveSession):
        folders |= {row.folder: row.user_id for row in db.session.execute(select(table.folder, table.user_id))}
    folders |= {name: number for name, number in pending.owners().items() if str(number) in owners}
    uploads = Path(current_app.config["UPLOADS"])
    for name in sorted(folders.keys() & {folder.name for folder in uploads.iterdir()}):
        if (uploads / name).is_dir():
            yield from ((Path(path), folders[name]) for path in _below(uploads / name))


def _below(folder: str | Path) -> Iterator[str]:
    """Yield the paths of files in a folder, at any depth, without asking the disk for each; at a start, all are."""
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.is_dir(follow_symlinks=False):
                yield from _below(entry.path)
            elif entry.is_file() and not entry.name.startswith(DRAFT):
                yield entry.path
