"""Imports of data sets from the page: a thread of the server converts the files while the page shows the progress.

Files that are no known data set, but recordings, wait until the administrator has described them.

What is known of an import is kept in memory: when the server stops during a conversion, nothing of it is kept, and
``library.sweep_leftovers`` clears the disk at the next start.
"""

from __future__ import annotations

import logging
import os
import shutil
import time
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from threading import Event, Lock, Thread
from typing import IO, TYPE_CHECKING, Any
from uuid import uuid4

from flask import Flask, current_app

from app.har.errors import HarError, Unlabelled, UnrecognisedData
from app.har.progress import Event as ProgressEvent
from app.har.progress import Stage
from app.har.recordings.reach import ANYWHERE, Reach
from app.services import audit, room
from app.services.datasets import library, reading_tasks
from app.services.errors import Conflict, Invalid, NotFound, ServiceError
from app.services.readers import pool
from app.services.recordings.table_preview import TablePreview

if TYPE_CHECKING:
    from app.har.datasets.described import FileLabels
    from app.har.datasets.description import Description
    from app.har.datasets.survey import Survey
    from app.har.recordings.mappings.dry_run import RecordingSummary
    from app.har.recordings.mappings.mapping import ColumnMapping

log = logging.getLogger(__name__)

KEPT = 20  # finished or failed imports whose outcome can still be looked up
MEBIBYTE = 1024 * 1024
MAX_WAIT_S = 24 * 3600.0  # for a description; then the files are deleted

_imports: dict[str, DatasetImport] = {}
_lock = Lock()


class ImportStatus(str, Enum):
    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    NEEDS_DESCRIPTION = "needs_description"


Outcome = tuple[ImportStatus, str, "Exception | None"]  # with the message for the person, and the error behind it


@dataclass
class DatasetImport:
    """One data set on its way in, and how far it is."""

    name: str
    source: str  # the path, or what the person's file is called
    is_upload: bool
    token: str = field(default_factory=lambda: uuid4().hex)
    added_by_id: int | None = None
    location: Path = field(default=Path(), repr=False)
    reach: Reach = field(default=ANYWHERE, repr=False)  # of a path that was named
    status: ImportStatus = ImportStatus.RUNNING
    stage: str = Stage.WAITING.label
    fraction: float | None = None
    message: str = ""  # why it failed, or needs a description
    error: Exception | None = None  # that made it fail
    started: float = field(default_factory=time.monotonic)
    ended: float | None = None
    done: Event = field(default_factory=Event, repr=False)
    description: Description | None = None

    @property
    def needs_description(self) -> bool:
        return self.status is ImportStatus.NEEDS_DESCRIPTION

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

    def restart(self, description: Description) -> None:
        """Go back to the state of an import that has just begun."""
        self.status, self.stage, self.message, self.error = ImportStatus.RUNNING, Stage.WAITING.label, "", None
        self.fraction, self.started, self.ended = None, time.monotonic(), None
        self.description = description
        self.done.clear()

    def end(self, status: ImportStatus, message: str = "", error: Exception | None = None) -> None:
        """Note the outcome."""
        self.status, self.message, self.error, self.ended = status, message, error, time.monotonic()
        self.done.set()

    def as_dict(self) -> dict[str, Any]:
        """Return what the progress page polls."""
        return {
            "name": self.name, "status": self.status.value, "stage": self.stage, "fraction": self.fraction,
            "elapsed_s": round(self.elapsed_s, 1), "message": self.message,
        }  # fmt: skip


@dataclass(frozen=True)
class Preview:
    """What a description makes of the files."""

    labels: tuple[tuple[str, FileLabels], ...]  # by file
    left_out: tuple[tuple[str, str], ...]  # files that match nothing, and why
    facts: RecordingSummary | None  # of the first file that is read by a mapping of columns

    @property
    def names_activities(self) -> bool:
        """Whether something outside the files gives one of them an activity."""
        return any(found.label or found.rows for _, found in self.labels)


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
    job = DatasetImport(name, filename if upload else path, is_upload=upload is not None, added_by_id=added_by_id)
    if upload:
        job.location = Path(current_app.config["UPLOADS"]) / f"{library.UPLOAD_PREFIX}{job.token}"
    else:
        job.location = library.path_from_text(path)
        job.reach = library.page_reach()
        if path != library.EXAMPLE_PATH and not job.reach.allows(job.location):
            raise Invalid(f"This path is not in {folders_in_words()}.", field="path")
    with _lock:  # of two presses on the button, one begins
        if any(other.name == name for other in running()):
            raise Conflict(f"“{name}” is already being added.")
        _imports[job.token] = job
        _forget_old()
    try:
        if upload:
            _receive(upload, job.location)
        _begin(job, describe=describe)
    except BaseException:
        _forget(job)
        raise
    return job


def folders_in_words() -> str:
    """Return from where administrators may add data sets by their path."""
    folders = current_app.config["DATA_FOLDERS"]
    if not folders:
        return "a folder that DATA_FOLDERS names: this setting of the server is empty"
    return f"the folder{'s' if len(folders) > 1 else ''} that DATA_FOLDERS names: {', '.join(map(str, folders))}"


def _begin(job: DatasetImport, **options: Any) -> None:
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    Thread(target=_work, args=(app, job, audit.origin()), kwargs=options, daemon=True).start()


def _forget_old() -> None:
    """Forget what ended long ago, and what has been waiting for a description for a day."""
    ended = [job for job in _imports.values() if job.done.is_set() and not job.needs_description][:-KEPT]
    for old in [*ended, *(job for job in _imports.values() if job.needs_description and job.waits_s > MAX_WAIT_S)]:
        _forget(old)


def _forget(job: DatasetImport) -> None:
    _imports.pop(job.token, None)
    _delete_upload(job)


def get_undescribed(token: str, user_id: int) -> DatasetImport:
    """Return an import that waits for this person to describe its files."""
    job = get(token)
    _check_undescribed(job, job.added_by_id == user_id)
    return job


def _check_undescribed(job: DatasetImport, is_theirs: bool = True) -> None:
    if not job.needs_description or not is_theirs:
        raise NotFound(
            "These files no longer need a description: they were added, or the import was cancelled. Start again."
        )


def list_undescribed(user_id: int) -> list[DatasetImport]:
    """Return the imports that wait for this person to describe their files."""
    return [job for job in list(_imports.values()) if job.needs_description and job.added_by_id == user_id]


def survey(job: DatasetImport) -> tuple[Survey, TablePreview | None]:
    """Let a reader look at the files of an import; return what they seem to be, and those in no known layout.

    Raises
    ------
    HarError : they cannot be opened.
    """
    from pydantic import TypeAdapter

    from app.har.datasets.survey import Survey

    answer = _ask(job, "survey")
    table = TablePreview.from_dict(answer["table"]) if answer["table"] else None
    return TypeAdapter(Survey).validate_python(answer["survey"]), table


def suggest(found: Survey, columns: ColumnMapping | None) -> Description:
    """Return a description to start from."""
    from app.har.datasets import survey

    return survey.suggest(found, columns)


def preview(job: DatasetImport, description: Description) -> Preview:
    """Return which label and subject each file would get; tables are read and checked, recordings are not.

    Raises
    ------
    HarError : the description does not fit the files.
    """
    from pydantic import TypeAdapter

    from app.har.datasets.described import FileLabels
    from app.har.recordings.mappings.dry_run import RecordingSummary

    answer = _ask(job, "preview", description=description.as_dict())
    labels = TypeAdapter(list[tuple[str, FileLabels]]).validate_python(answer["labels"])
    facts = TypeAdapter(RecordingSummary | None).validate_python(answer["facts"])
    return Preview(
        tuple((name, found) for name, found in labels if not found.missing),
        tuple((name, found.missing) for name, found in labels if found.missing),
        facts,
    )


def _ask(job: DatasetImport, task: str, **extra: Any) -> Any:
    arguments = reading_tasks.arguments(job.location, job.source, job.reach, **extra)
    limits = pool.Limits(current_app.config["READ_TIMEOUT_S"], current_app.config["READ_MEMORY_MB"])
    return pool.ask(f"{reading_tasks.__name__}:{task}", arguments, limits)


def start_described(job: DatasetImport, description: Description) -> None:
    """Begin to add files as they were described; when that fails, they wait for a better description."""
    library.check_name(job.name)
    with _lock:
        _check_undescribed(job)
        job.restart(description)
    _begin(job)


def cancel(job: DatasetImport) -> None:
    """Forget files that wait to be described, and delete them if they were uploaded."""
    with _lock:
        _check_undescribed(job)
        _forget(job)


def get(token: str) -> DatasetImport:
    """Return the import behind a progress page's address."""
    try:
        return _imports[token]
    except KeyError:
        raise NotFound(
            "This import no longer exists: it finished long ago, or the server was restarted. "
            "Nothing incomplete was kept. If the data set is not in the list, add it again."
        ) from None


def running() -> list[DatasetImport]:
    """Return what is being added at this moment."""
    return [job for job in list(_imports.values()) if not job.done.is_set()]


def _receive(upload: IO[bytes], path: Path) -> None:
    n_bytes = upload.seek(0, os.SEEK_END)
    upload.seek(0)
    room.require(path.parent, (1 + room.DATASET_FACTOR) * n_bytes)
    with path.open("xb") as file:
        shutil.copyfileobj(upload, file, MEBIBYTE)


def _delete_upload(job: DatasetImport) -> None:
    if job.is_upload:
        job.location.unlink(missing_ok=True)


def _work(app: Flask, job: DatasetImport, begun_by: audit.Origin, describe: bool = False) -> None:
    with app.app_context(), audit.acting(begun_by):
        try:
            outcome = _convert(job, describe)
        except Exception as error:  # the person must hear of it, whatever it was
            log.exception("adding data set %s failed", job.name)
            what = error.strerror if isinstance(error, OSError) and error.strerror else "an unexpected error"
            outcome = (
                ImportStatus.FAILED,
                f"The data set was not added: {what}. See the server's log for details.",
                error,
            )
        if outcome[0] is not ImportStatus.NEEDS_DESCRIPTION:
            _delete_upload(job)
    job.end(*outcome)


def _convert(job: DatasetImport, describe: bool) -> Outcome:
    try:
        if describe:
            return _ask_for_description(job)
        source = job.source if job.is_upload else None
        library.add(
            job.name, job.location, source=source, added_by_id=job.added_by_id, on_event=job.on_event,
            description=job.description, reach=job.reach,
        )  # fmt: skip
    except (UnrecognisedData, Unlabelled) as error:
        if job.description is None:
            return _ask_for_description(job, error)
        return ImportStatus.NEEDS_DESCRIPTION, str(error), error
    except HarError as error:
        status = ImportStatus.FAILED if job.description is None else ImportStatus.NEEDS_DESCRIPTION
        return status, str(error), error
    except ServiceError as error:
        return ImportStatus.FAILED, str(error), error
    return ImportStatus.FINISHED, "", None


def _ask_for_description(job: DatasetImport, reason: HarError | None = None) -> Outcome:
    """Ask for a description if the files are recordings at all."""
    try:
        found, table = survey(job)
    except HarError as error:
        return ImportStatus.FAILED, str(error), error
    if found.known or table:
        return ImportStatus.NEEDS_DESCRIPTION, str(reason or ""), reason
    nothing = f"{job.source}: contains no recording in a known layout and no table of numbers."
    reason = reason or UnrecognisedData(nothing)
    return ImportStatus.FAILED, str(reason), reason
