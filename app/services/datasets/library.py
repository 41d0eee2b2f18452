"""Data sets: adding them, looking at them, removing them.

A data set is a row in the database and a folder under ``instance/datasets/``. The same data added under two names is
stored twice, so that each can be removed independently; ``same_data`` finds the other.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from filelock import FileLock, Timeout
from flask import current_app
from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError

from app.extensions import db
from app.har.errors import HarError
from app.har.progress import OnEvent, Stage, ignore_event
from app.har.recordings.reach import ANYWHERE, Reach
from app.services import audit, leftovers, room
from app.services.audit import Action
from app.services.datasets import reading_tasks
from app.services.errors import Conflict, Invalid, NoRoom, NotFound
from app.services.names import NAME_RULE, is_name
from app.services.readers import pool
from app.services.transaction import BACKGROUND_WAIT_S, rows_changed, transaction
from app.tables import BoutLabel, Consent, Dataset, TrainingRun
from app.tables.training_run import RunStatus

if TYPE_CHECKING:
    from app.har.datasets.description import Description
    from app.har.datasets.store import Store

log = logging.getLogger(__name__)

RESERVED_NAMES = frozenset({"add", "shared-corrections"})  # pages below /datasets/
EXAMPLE_NAME = "physiotherapy-example"
EXAMPLE_PATH = "embedded-example"  # what one writes instead of a path to add it again
UPLOAD_PREFIX = "dataset-"
PLOT_FORMATS = ("png", "svg")
KEPT_OPEN: list[Callable[[], object]] = []  # what lets go of what other services keep of a store


def check_name(name: str) -> None:
    """Refuse a name that is malformed or taken."""
    if not is_name(name):
        raise Invalid(f"A name must have {NAME_RULE}.", field="name")
    if name in RESERVED_NAMES:
        raise Invalid(f"“{name}” is a reserved word; choose another name.", field="name")
    if db.session.scalar(select(Dataset.id).filter_by(name=name)) is not None:
        raise _name_taken(name)


def _name_taken(name: str) -> Conflict:
    return Conflict(f"There is already a data set called “{name}”. Choose another name, or remove that data set first.")


def add(
    name: str,
    path: Path,
    *,
    source: str | None = None,
    added_by_id: int | None = None,
    on_event: OnEvent = ignore_event,
    description: Description | None = None,
    reach: Reach | None = None,
) -> Dataset:
    """Convert what is at ``path`` into the columnar store and register it under ``name``.

    ``source`` is what the person called it, where the path does not say so (an upload). ``description`` says how
    a data set is made of recordings that are in no known layout of a data set. ``reach`` says what may be
    read, by default any file of the machine that the server does not keep itself. One data set is converted at a time
    on this installation; a second waits, with the stage "waiting". Nothing is left behind when it fails.

    Raises
    ------
    NoRoom : the disk is nearly full, or full.
    """
    check_name(name)
    try:
        with _new_store(path, source, description, reach or machine_reach(), on_event) as (folder, summary):
            dataset = Dataset(
                name=name,
                folder=folder.name,
                source=(source or str(path))[:500],
                fingerprint=summary["fingerprint"],
                summary=summary,
                added_by_id=added_by_id,
            )
            with transaction(BACKGROUND_WAIT_S) as session:
                session.add(dataset)
    except IntegrityError as error:
        raise _name_taken(name) from error
    log.info("added data set %s: %d recordings", name, summary["recordings"])
    audit.record(Action.DATASET_ADDED, name, recordings=summary["recordings"])
    return dataset


def renew(name: str, path: Path) -> None:
    """Let a data set hold what is at ``path``, in a layout that tells all of it, instead of what it holds.

    Raises
    ------
    Conflict : it is being used for training.
    NoRoom : the disk is nearly full, or full.
    """
    with _new_store(path, name, None, ANYWHERE, ignore_event) as (folder, summary), transaction(BACKGROUND_WAIT_S):
        dataset = get(name)
        before = store_folder(dataset)
        running = select(TrainingRun.id).filter_by(dataset_id=dataset.id, status=RunStatus.RUNNING)
        new = {"folder": folder.name, "fingerprint": summary["fingerprint"], "summary": summary}
        held = update(Dataset).where(Dataset.id == dataset.id, ~running.exists())
        if _is_read_besides(dataset) or rows_changed(held.values(new)) == 0:
            raise _in_use(name)
        _forget_labels(dataset, folder)
    audit.record(Action.DATASET_CHANGED, name, recordings=summary["recordings"])
    _close()
    leftovers.delete(before)


@contextmanager
def _new_store(
    path: Path, source: str | None, description: Description | None, reach: Reach, on_event: OnEvent
) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Convert what is at ``path`` into a folder of its own; nothing is left of it where the block fails."""
    folder = root() / uuid4().hex
    n_bytes = 0
    with suppress(OSError, ValueError):  # reading it will say what is wrong with the path
        n_bytes = room.size_of(path)
    room.require(root(), room.DATASET_FACTOR * n_bytes)
    on_event({"stage": Stage.WAITING})
    try:
        with _conversion_lock().acquire():
            yield folder, _convert(path, folder, source, description, reach, on_event)
    except BaseException as error:
        for left in (folder, *root().glob(f".{folder.name}.*")):  # as of a reader that was ended
            shutil.rmtree(left, ignore_errors=True)
        if room.is_full(error):
            raise NoRoom from error
        raise


def _convert(
    path: Path, folder: Path, source: str | None, description: Description | None, reach: Reach, on_event: OnEvent
) -> dict[str, Any]:
    """Let a reader convert files into a store; return its summary."""
    limits = pool.Limits(current_app.config["ADD_TIMEOUT_S"], current_app.config["READ_MEMORY_MB"], "ADD_TIMEOUT_S")
    document = description and description.as_dict()
    arguments = reading_tasks.arguments(path, source, reach, folder=str(folder), description=document)
    summary: dict[str, Any] = pool.ask(f"{reading_tasks.__name__}:add", arguments, limits, on_event)
    return summary


def path_from_text(text: str) -> Path:
    """Return the place on this machine that a person typed; a word stands for the embedded example."""
    from app.har.datasets.loaders import EMBEDDED_EXAMPLE

    path = Path(text.strip())
    if text.strip() == EXAMPLE_PATH:
        return EMBEDDED_EXAMPLE
    with suppress(RuntimeError):  # "~someone" without an account: there is no such file, as reading it will say
        path = path.expanduser()
    return path


def machine_reach() -> Reach:
    """Return what the machine's owner may read by path: all but what the server keeps."""
    return Reach(outside=current_app.config["KEPT_FOLDERS"])


def page_reach() -> Reach:
    """Return what administrators may read by path: the folders that DATA_FOLDERS names, quoting nothing."""
    return replace(machine_reach(), within=current_app.config["DATA_FOLDERS"], quotes=False)


def list_datasets() -> list[Dataset]:
    """Return all data sets by name."""
    return list(db.session.scalars(select(Dataset).order_by(Dataset.name)))


def of_fingerprint(mark: str | None, name: str = "") -> Dataset | None:
    """Return a data set by the fingerprint of its files, None where it is not here.

    The same files may be here twice, read in two ways: that of the ``name`` first, which may end in ``:device``.
    """
    found = [one for one in list_datasets() if mark and one.fingerprint == mark]
    return min(found, key=lambda one: one.name != name.partition(":")[0], default=None)


def get(name: str) -> Dataset:
    """Return the data set of this name."""
    dataset = db.session.scalar(select(Dataset).filter_by(name=name))
    if dataset is None:
        raise NotFound(f"There is no data set called “{name[:64]}”.")
    return dataset


def same_data(dataset: Dataset) -> list[Dataset]:
    """Return the other data sets that were made from the very same bytes."""
    query = select(Dataset).where(Dataset.fingerprint == dataset.fingerprint, Dataset.id != dataset.id)
    return list(db.session.scalars(query.order_by(Dataset.name)))


def store_folder(dataset: Dataset) -> Path:
    """Return where the data set's columnar store lies."""
    return root() / dataset.folder


def open_dataset(dataset: Dataset) -> Store:
    """Return the data set's columnar store, kept open for the next page."""
    return _open(store_folder(dataset))


@lru_cache(maxsize=8)
def _open(folder: Path) -> Store:
    from app.har.datasets.store import open_store

    return open_store(folder)


def rename(name: str, new_name: str) -> Dataset:
    """Give a data set another name; models and results that were made from it keep the name that it had.

    Raises
    ------
    Conflict : the name is taken, or a training reads it besides another, by its name.
    """
    dataset = get(name)
    check_name(new_name)
    try:
        with transaction() as session:
            if _is_read_besides(dataset):
                raise _in_use(name)
            dataset.name = new_name
            for consent in session.scalars(select(Consent)):  # who shared what is in it is still found
                if name in (names := consent.copies.get("datasets", [])):
                    consent.copies = {"datasets": sorted({*names, new_name} - {name})}
    except IntegrityError as error:
        raise _name_taken(new_name) from error
    audit.record(Action.DATASET_CHANGED, name, new_name=new_name)
    return dataset


def remove(name: str) -> None:
    """Remove a data set and its store; results of trainings on it stay."""
    dataset = get(name)
    folder = store_folder(dataset)
    running = select(TrainingRun.id).filter_by(dataset_id=dataset.id, status=RunStatus.RUNNING)
    with transaction():
        if (
            _is_read_besides(dataset)
            or rows_changed(delete(Dataset).where(Dataset.id == dataset.id, ~running.exists())) == 0
        ):
            raise _in_use(name)
    audit.record(Action.DATASET_DELETED, name)
    _close()
    leftovers.delete(folder)


def _in_use(name: str) -> Conflict:
    return Conflict(f"“{name}” is being used for training. Stop the training, or wait until it has finished.")


def _is_read_besides(dataset: Dataset) -> bool:
    """Tell whether a training reads this one as one of several, or learns from it without its labels."""
    return any(
        dataset.name in (config.get("unlabelled"), *(each["dataset"] for each in config.get("datasets", [])))
        for config in db.session.scalars(select(TrainingRun.config).filter_by(status=RunStatus.RUNNING))
    )


def _forget_labels(dataset: Dataset, folder: Path) -> None:
    """Within a transaction: delete what was said of recordings that a data set no longer holds."""
    from app.har.datasets.store import open_store

    there = set(open_store(folder).signals.recording_ids)
    for label in db.session.scalars(select(BoutLabel).filter_by(dataset_id=dataset.id)):
        if label.recording not in there:
            db.session.delete(label)


def _close() -> None:
    """Let go of the stores that are open, and of what others keep of them: one of them is deleted."""
    _open.cache_clear()
    for let_go in KEPT_OPEN:
        let_go()


def distribution_plot(dataset: Dataset, file_format: str) -> Path:
    """Return the file of the class distribution plot, drawn when the data set was added."""
    if file_format not in PLOT_FORMATS:
        raise NotFound(f"The plot is available as {' and '.join(PLOT_FORMATS)}, not as {file_format[:10]}.")
    path = store_folder(dataset) / f"distribution.{file_format}"
    if not path.exists():
        reading_tasks.draw_distribution(store_folder(dataset), open_dataset(dataset).summary.activities)
    return path


def ensure_embedded_example() -> None:
    """Register the embedded example once in an installation's life, so that a removed one stays removed."""
    from app.har.datasets.loaders import EMBEDDED_EXAMPLE

    marker = Path(current_app.config["INSTANCE"]) / "embedded_example_registered"
    if marker.exists():
        return
    try:
        add(EXAMPLE_NAME, EMBEDDED_EXAMPLE)
    except Conflict:
        pass  # someone has used the name already
    except HarError as error:
        log.warning("the embedded example cannot be registered: %s", error)
        return
    marker.touch()


def sweep_leftovers() -> None:
    """Delete what conversions that died have left, drafts and uploads, and set aside stores without a row.

    A conversion holds the lock while it works and the system frees the lock of a process that dies, so whatever has
    no row while the lock is ours belongs to no one.
    """
    try:
        with _conversion_lock().acquire(timeout=0):
            known = set(db.session.scalars(select(Dataset.folder)))
            for store in [entry for entry in root().iterdir() if entry.is_dir() and entry.name not in known]:
                if not store.name.startswith("."):  # whole: it was renamed
                    leftovers.set_aside(store, root())
            drafts = (entry for entry in root().glob(".*") if entry.is_dir() and entry.name != leftovers.ASIDE)
            uploads = Path(current_app.config["UPLOADS"]).glob(f"{UPLOAD_PREFIX}*")
            for leftover in [*drafts, *uploads, *root().glob("*/*.partial.npy")]:
                log.info("deleting the leftover %s", leftover.name)
                if leftover.is_dir():
                    shutil.rmtree(leftover, ignore_errors=True)
                else:
                    leftover.unlink(missing_ok=True)
    except Timeout:
        log.info("a data set is being added by another process: leftovers are kept until the next start")


def root() -> Path:
    """Return where the stores of all data sets lie."""
    folder = Path(current_app.config["INSTANCE"]) / "datasets"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def _conversion_lock() -> FileLock:
    return FileLock(root() / "conversion.lock")
