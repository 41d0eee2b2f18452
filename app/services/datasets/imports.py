"""Adding a data set from the page: a thread of the server converts it while the page shows how far it is.

Files that are no known data set, but recordings, wait until the administrator has described them.

What is known of an adding lives in memory: when the server goes away in mid-conversion, nothing of it is kept, and
``datasets.sweep_leftovers`` clears the disk at the next start.
"""

from __future__ import annotations

import logging
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Lock, Thread
from typing import IO, TYPE_CHECKING, Any
from uuid import uuid4

from flask import Flask, current_app

from app.har.errors import HarError, UnrecognisedData
from app.har.progress import Event as ProgressEvent
from app.har.progress import Stage
from app.har.recordings.files import open_files
from app.services.datasets import library
from app.services.errors import Conflict, Invalid, NotFound, ServiceError
from app.services.recordings.table_preview import TablePreview, preview_tables

if TYPE_CHECKING:
    from app.har.datasets.described import FileLabels
    from app.har.datasets.description import Description
    from app.har.datasets.survey import Survey
    from app.har.recordings.mappings.dry_run import RecordingSummary
    from app.har.recordings.mappings.mapping import ColumnMapping

log = logging.getLogger(__name__)

KEPT = 20  # finished or failed addings whose outcome can still be looked up
MEBIBYTE = 1024 * 1024

WAITS_S = 24 * 3600.0
LOOKED_AT = 40  # files among which one is looked for that a mapping is tried on

_addings: dict[str, DatasetImport] = {}
_lock = Lock()


@dataclass
class DatasetImport:
    """One data set on its way in, and how far it is."""

    name: str
    source: str  # the path, or what the person's file is called
    is_upload: bool
    token: str = field(default_factory=lambda: uuid4().hex)
    added_by_id: int | None = None
    location: Path = field(default=Path(), repr=False)
    status: str = "running"  # then "finished", "failed", or "asks": to be described first
    stage: str = Stage.WAITING.label
    fraction: float | None = None
    message: str = ""  # why it failed, or asks
    http_status: int = 200  # what a page that shows it answers with
    started: float = field(default_factory=time.monotonic)
    ended: float | None = None
    done: Event = field(default_factory=Event, repr=False)
    description: Description | None = None

    @property
    def waits_s(self) -> float:
        """For how long it has been waiting for a description."""
        return time.monotonic() - (self.ended or time.monotonic())

    @property
    def elapsed_s(self) -> float:
        return (self.ended or time.monotonic()) - self.started

    def on_event(self, event: ProgressEvent) -> None:
        """Take a progress report of the conversion."""
        self.stage = Stage(event["stage"]).label
        self.fraction = event.get("fraction")

    def end(self, status: str, http_status: int, message: str = "") -> None:
        """Note the outcome."""
        self.status, self.http_status, self.message, self.ended = status, http_status, message, time.monotonic()
        self.done.set()

    def as_dict(self) -> dict[str, Any]:
        """Return what the progress page polls."""
        return {
            "name": self.name, "status": self.status, "stage": self.stage, "fraction": self.fraction,
            "elapsed_s": round(self.elapsed_s, 1), "message": self.message, "http": self.http_status,
        }  # fmt: skip


@dataclass(frozen=True)
class Preview:
    """What a description makes of the files."""

    told: tuple[tuple[str, FileLabels], ...]  # by file
    left_out: tuple[tuple[str, str], ...]  # files that match nothing, and why
    facts: RecordingSummary | None  # of the first file that is read by a mapping of columns


def start_import(
    name: str,
    *,
    path: str = "",
    upload: IO[bytes] | None = None,
    filename: str = "",
    added_by_id: int | None = None,
    describe: bool = False,
) -> DatasetImport:
    """Begin to add what is at ``path`` on this machine, or the file that is uploaded, and return at once.

    ``describe`` asks how the data set is to be read, even where its layout is known.
    """
    if (upload is None) == (not path):
        raise Invalid("Choose a file to upload or give a path on the server: one of the two.", field="path")
    library.check_name(name)
    if any(adding.name == name for adding in running()):
        raise Conflict(f"“{name}” is already being added.")
    adding = DatasetImport(name, filename if upload else path, is_upload=upload is not None, added_by_id=added_by_id)
    adding.location = _receive(upload, adding.token) if upload else library.path_from_text(path)
    with _lock:
        _addings[adding.token] = adding
        _forget_old()
    _begin(adding, describe=describe)
    return adding


def _begin(adding: DatasetImport, **options: Any) -> None:
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    Thread(target=_work, args=(app, adding), kwargs=options, daemon=True).start()


def _forget_old() -> None:
    """Forget what ended long ago, and what has been waiting for a description for a day."""
    ended = [adding for adding in _addings.values() if adding.done.is_set() and adding.status != "asks"][:-KEPT]
    for old in [*ended, *(each for each in _addings.values() if each.status == "asks" and each.waits_s > WAITS_S)]:
        del _addings[old.token]
        _delete_upload(old)


def get_asking(token: str, user_id: int) -> DatasetImport:
    """Return an adding that waits for this person to describe it."""
    adding = get(token)
    if adding.added_by_id != user_id or adding.status != "asks":
        raise NotFound(
            "These files no longer need a description: they were added, or the import was cancelled. Start again."
        )
    return adding


def asking(user_id: int) -> list[DatasetImport]:
    """Return what waits for this person to describe it."""
    return [each for each in list(_addings.values()) if each.status == "asks" and each.added_by_id == user_id]


def survey(adding: DatasetImport) -> Survey:
    """Look at the files of an adding."""
    from app.har.datasets.survey import survey as look

    with open_files(adding.location, adding.source) as members:
        return look(members)


def unknown_tables(found: Survey) -> TablePreview | None:
    """Return what the files in no known layout look like, None where there are none."""
    return preview_tables(found.unknown) if found.unknown else None


def suggest(found: Survey, columns: ColumnMapping | None) -> Description:
    """Return a description to start from."""
    from app.har.datasets import survey

    return survey.suggest(found, columns)


def preview(adding: DatasetImport, description: Description) -> Preview:
    """Return which label and subject each file would get; tables are read and checked, recordings are not.

    Raises
    ------
    HarError : the description does not fit the files.
    """
    from app.har.datasets.described import LabelAssignment
    from app.har.recordings.mappings import mapping
    from app.har.recordings.mappings.dry_run import dry_run

    facts = None
    with open_files(adding.location, adding.source) as members:
        assignment = LabelAssignment(description, members)
        told = [(member.name, assignment.for_file(member.name)) for member in assignment.candidates]
        if description.columns is not None:
            some = assignment.candidates[:LOOKED_AT]
            unknown = mapping.unknown_tables(some)[0][:1]
            if description.columns.files:
                unknown, _ = mapping.fitting(some, description.columns, adding.source)
            facts = next(iter(dry_run(unknown, description.columns)), None)
    return Preview(
        tuple((name, each) for name, each in told if not each.missing),
        tuple((name, each.missing) for name, each in told if each.missing),
        facts,
    )


def start_described(adding: DatasetImport, description: Description) -> None:
    """Begin to add files as they were described; when that fails, they wait for a better description."""
    library.check_name(adding.name)
    adding.status, adding.stage, adding.message, adding.http_status = "running", Stage.WAITING.label, "", 200
    adding.fraction, adding.started, adding.ended = None, time.monotonic(), None
    adding.description = description
    adding.done.clear()
    _begin(adding)


def cancel(adding: DatasetImport) -> None:
    """Forget files that wait to be described, and delete them if they were uploaded."""
    with _lock:
        _addings.pop(adding.token, None)
    _delete_upload(adding)


def get(token: str) -> DatasetImport:
    """Return the adding behind a progress page's address."""
    try:
        return _addings[token]
    except KeyError:
        raise NotFound(
            "This import no longer exists: it finished long ago, or the server was restarted. "
            "Nothing incomplete was kept. If the data set is not in the list, add it again."
        ) from None


def running() -> list[DatasetImport]:
    """Return what is being added at this moment."""
    return [adding for adding in list(_addings.values()) if not adding.done.is_set()]


def _receive(upload: IO[bytes], token: str) -> Path:
    path = Path(current_app.config["UPLOADS"]) / f"{library.UPLOAD_PREFIX}{token}"
    try:
        with path.open("xb") as file:
            shutil.copyfileobj(upload, file, MEBIBYTE)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path


def _delete_upload(adding: DatasetImport) -> None:
    if adding.is_upload:
        adding.location.unlink(missing_ok=True)


def _work(app: Flask, adding: DatasetImport, describe: bool = False) -> None:
    outcome: tuple[str, int, str]
    with app.app_context():
        try:
            if describe:
                outcome = _asks(adding, "")
            else:
                source = adding.source if adding.is_upload else None
                library.add(
                    adding.name,
                    adding.location,
                    source=source,
                    added_by_id=adding.added_by_id,
                    on_event=adding.on_event,
                    description=adding.description,
                )
                outcome = "finished", 200, ""
        except UnrecognisedData as error:
            outcome = _asks(adding, str(error)) if adding.description is None else ("asks", 422, str(error))
        except HarError as error:
            outcome = "asks" if adding.description else "failed", 422, str(error)
        except ServiceError as error:
            outcome = "failed", error.status, str(error)
        except Exception as error:  # the person must hear of it, whatever it was
            log.exception("adding data set %s failed", adding.name)
            what = error.strerror if isinstance(error, OSError) and error.strerror else "an unexpected error"
            outcome = "failed", 500, f"The data set was not added: {what}. See the server's log for details."
        if outcome[0] != "asks":
            _delete_upload(adding)
    adding.end(*outcome)


def _asks(adding: DatasetImport, message: str) -> tuple[str, int, str]:
    """Ask for a description if the files are recordings at all."""
    try:
        found = survey(adding)
    except HarError as error:
        return "failed", 422, str(error)
    if found.known or found.unknown:
        return "asks", 200, message
    return (
        "failed",
        422,
        message or f"{adding.source}: contains no recording in a known layout and no table of numbers.",
    )
