"""Files with sums of other sites that were uploaded here, until they are merged or deleted."""

from __future__ import annotations

import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from uuid import uuid4

from app.har.errors import UnreadableData
from app.services import audit, room
from app.services.audit import Action
from app.services.errors import Conflict, Invalid, NotFound
from app.services.federation import exchange, sites
from app.services.files import DRAFT

ENDING = ".sums"
LARGEST = 512 * 2**20  # bytes; a file of 8,000 nodes. It is read into memory
MOST_FILES = 200


@dataclass(frozen=True)
class ReceivedFile:
    """What a received file says."""

    token: str
    site: str  # "" where its key is no longer known
    model: str  # as the site calls it
    map: str
    made: str
    activities: tuple[tuple[str, int, int], ...]  # name, windows, people
    n_windows: int
    n_people: int
    epsilon: float | None  # of the noise, where there is some


def list_files() -> list[ReceivedFile]:
    """Return the files that are here, by site."""
    found = []
    for path in _folder().glob(f"*{ENDING}"):
        with suppress(UnreadableData, FileNotFoundError):  # somebody deletes it at this moment
            found.append(_described(path))
    return sorted(found, key=lambda one: (one.site, one.made, one.token))


def receive(stream: IO[bytes], name: str) -> ReceivedFile:
    """Keep an uploaded file, if its signature holds and its site is known.

    Parameters
    ----------
    name : what the person calls it, for messages.

    Raises
    ------
    UnreadableData, Invalid : it is no file with sums, was changed, or nobody here knows who signed it.
    Conflict : it is here already, or there are too many.
    """
    from app.har.federation.documents import SumsDocument, parsed

    folder = _folder()
    draft = folder / f"{DRAFT}{uuid4().hex}"
    try:
        with draft.open("wb") as file:
            shutil.copyfileobj(stream, file)
        if draft.stat().st_size > LARGEST:
            raise Invalid(f"A file with sums has at most {LARGEST // 2**20} MB.", field="files")
        room.require(folder)
        sealed = exchange.opened(draft, name)
        parsed(SumsDocument, sealed.document, name)
        path = folder / f"{sealed.digest[:32]}{ENDING}"
        if path.exists():
            raise Conflict(f"{name} is here already.")
        if len(list(folder.glob(f"*{ENDING}"))) >= MOST_FILES:
            raise Conflict(f"At most {MOST_FILES} files are kept here. Delete some first.")
        draft.rename(path)
    finally:
        draft.unlink(missing_ok=True)
    found = _described(path)
    audit.record(Action.SUMS_RECEIVED, found.site, windows=found.n_windows)
    return found


def delete(token: str) -> str:
    """Delete a file; return whose it was."""
    path = path_of(token)
    site = _described(path).site
    path.unlink(missing_ok=True)
    audit.record(Action.SUMS_DELETED, site)
    return site


def path_of(token: str) -> Path:
    """Return where a file is.

    Raises
    ------
    NotFound : there is none.
    """
    path = _folder() / f"{token}{ENDING}"
    if len(token) != 32 or set(token) - set("0123456789abcdef") or not path.is_file():
        raise NotFound("There is no such file; it may have been deleted meanwhile.")
    return path


def _described(path: Path) -> ReceivedFile:
    from app.har.federation.documents import SumsDocument, parsed
    from app.har.federation.envelope import document_of

    document = parsed(SumsDocument, document_of(path), path.name)
    try:
        site = sites.name_of(document.signer)
    except Invalid:
        site = ""
    return ReceivedFile(
        path.stem,
        site,
        document.model,
        document.map,
        document.made,
        tuple(zip(document.activities, document.windows, document.people, strict=True)),
        document.counts.n_windows,
        document.n_people,
        document.noise.epsilon if document.noise else None,
    )


def _folder() -> Path:
    folder = sites.folder() / "received"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder
