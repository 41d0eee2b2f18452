"""A data set given away: as a zip that is made while it is sent, or as a folder that is there whole or not at all."""

from __future__ import annotations

import io
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4
from zipfile import ZIP_DEFLATED, ZipFile

from app.har.recordings.files import is_there
from app.services import audit, room
from app.services.audit import Action
from app.services.datasets import library, worn
from app.services.errors import Busy, Conflict, Invalid, NoRoom
from app.services.files import DRAFT
from app.tables import Dataset

if TYPE_CHECKING:
    from app.har.datasets.store import Store

FORMATS: Mapping[str, str] = {
    "kinelab": "Kinelab’s own layout: a CSV file a recording, in a folder a person",
    "bids": "BIDS-Motion, which tools for brain imaging and movement read",
}
MOST_AT_ONCE = 2
_places = threading.BoundedSemaphore(MOST_AT_ONCE)
PACKED = 4  # of 9: half the time of the usual 6, and a twentieth larger


def files(dataset: Dataset, layout: str) -> Iterator[tuple[str, Iterable[bytes]]]:
    """Yield the files of a data set in a layout, by name, a bounded part at a time.

    Raises
    ------
    Invalid : no such layout.
    """
    from app.har.datasets.exports import bids, kinelab

    if layout not in FORMATS:
        raise Invalid(f"A data set can be exported as {' or '.join(FORMATS)}; found {layout[:40]!r}.")
    store: Store = library.open_dataset(dataset)
    audit.record(Action.DATASET_EXPORTED, dataset.name, layout=layout, recordings=len(store.signals.recording_ids))
    if layout == "kinelab":
        return kinelab.files(store.signals)
    places = worn.places(dataset)
    return bids.files(bids.Dataset(dataset.name, store.summary.format_title, store.signals, places))


def begin() -> Callable[[], None]:
    """Take one of the places for downloads; return what gives it back. Each holds a thread of the server until sent.

    Raises
    ------
    Busy : all are taken.
    """
    if not _places.acquire(blocking=False):
        raise Busy(f"{MOST_AT_ONCE} data sets are being downloaded at this moment. Try again when one is done.")
    return _places.release


def zipped(named: Iterable[tuple[str, Iterable[bytes]]], folder: str) -> Iterator[bytes]:
    """Yield a zip archive of files below one folder, as it is made; nothing is stored on the way."""
    out = _Pipe()
    with ZipFile(out, "w", ZIP_DEFLATED, compresslevel=PACKED) as archive:
        for name, content in named:
            with archive.open(f"{folder}/{name}", "w", force_zip64=True) as member:
                for part in content:
                    member.write(part)
                    yield out.taken()
    yield out.taken()


class _Pipe(io.RawIOBase):
    """A file that forgets what is taken out of it."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []

    def write(self, data: Any) -> int:
        """Keep what is written until it is taken."""
        self._parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Do nothing: there is nowhere to flush to."""

    def taken(self) -> bytes:
        """Return what was written since the last time."""
        parts, self._parts = self._parts, []
        return b"".join(parts)


def write_folder(dataset: Dataset, layout: str, folder: Path) -> int:
    """Write a data set as files into a new folder; return how many. Nothing is left where that fails.

    Raises
    ------
    Conflict : there is something of this name.
    Invalid : no such layout, or no folder that can be written in.
    NoRoom : the disk is full.
    """
    if is_there(folder, Path.exists):
        raise Conflict(f"{folder} is there already. Name a folder that is not there yet.")
    if not folder.absolute().parent.is_dir():
        raise Invalid(f"There is no folder {folder.absolute().parent} to write in.")
    named = files(dataset, layout)
    draft = folder.absolute().with_name(f"{DRAFT}{uuid4().hex}")
    try:
        count = 0
        for name, content in named:
            count += 1
            path = draft / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as file:
                file.writelines(content)
        draft.rename(folder)
    except BaseException as error:
        shutil.rmtree(draft, ignore_errors=True)
        if room.is_full(error):
            raise NoRoom from error
        if isinstance(error, OSError):
            raise Invalid(f"{folder} cannot be written: {error.strerror or error}.") from error
        raise
    return count
