"""Training runs: their rows and their folders, for whoever shows or reads them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from flask import current_app
from sqlalchemy import delete as sql_delete
from sqlalchemy import func, select

from app.extensions import db
from app.har.recordings.files import is_there
from app.har.recordings.reach import Reach
from app.services import audit, leftovers, paging
from app.services.audit import Action
from app.services.errors import Conflict, Invalid, NotFound
from app.services.models.training_child import OUTPUT
from app.services.paging import Newest, Page, page_of
from app.services.transaction import LARGEST_ID, rows_changed, transaction
from app.tables import ModelVersion, TrainingRun
from app.tables.training_run import RunStatus

EVENTS = "events.jsonl"  # in a run's folder
PAGE_SIZE = 20
MAX_NAME, MAX_NOTES = 80, 4000  # characters


def list_page(number: int, size: int = PAGE_SIZE) -> Page[TrainingRun]:
    """Return a page of the runs, newest first: the results of many are large."""
    newest = select(TrainingRun).order_by(TrainingRun.id.desc())

    def fetch(start: int, stop: int) -> Sequence[TrainingRun]:
        return db.session.scalars(newest.offset(start).limit(stop - start)).all()

    return page_of(db.session.scalar(select(func.count(TrainingRun.id))) or 0, number, size, fetch)


def newest(before: int | None, limit: int) -> Newest[TrainingRun]:
    """Return the newest runs, or those before the one with a number."""
    return paging.newest(select(TrainingRun), TrainingRun.id, before, limit)


def get(run_id: int) -> TrainingRun:
    """Return a run, or raise NotFound."""
    run = db.session.get(TrainingRun, run_id) if abs(run_id) <= LARGEST_ID else None
    if run is None:
        raise NotFound(f"There is no training run {str(run_id)[:20]}.")
    return run


def running() -> TrainingRun | None:
    """Return the run that is under way, if any."""
    return db.session.scalar(select(TrainingRun).where(TrainingRun.status == RunStatus.RUNNING))


def describe(run_id: int, name: str, notes: str) -> TrainingRun:
    """Give a run a name and notes; both may be empty."""
    name, notes = check_name(name), notes.strip()
    if len(notes) > MAX_NOTES:
        raise Invalid(f"Notes may have at most {MAX_NOTES:,} characters; these have {len(notes):,}.", field="notes")
    run = get(run_id)
    with transaction():
        run.name, run.notes = name, notes
    audit.record(Action.TRAINING_CHANGED, f"training {run_id}")
    return run


def check_name(name: str) -> str:
    """Return a name for a run in one line, without spaces around it, or raise Invalid."""
    if len(name := " ".join(name.split())) > MAX_NAME:
        raise Invalid(f"A name may have at most {MAX_NAME} characters; this has {len(name):,}.", field="name")
    return name


def delete(run_id: int) -> None:
    """Delete a run and its files; the model versions that it made stay, with their figures and cards.

    Raises
    ------
    Conflict : it is still running.
    """
    run = get(run_id)
    with transaction():
        ended = (TrainingRun.id == run.id, TrainingRun.status != RunStatus.RUNNING)
        if rows_changed(sql_delete(TrainingRun).where(*ended)) == 0:
            raise Conflict(f"Training run {run_id} is still running. Stop it first.")
    audit.record(Action.TRAINING_DELETED, f"training {run_id}")
    leftovers.delete(folder(run_id))


def versions_of(run_id: int) -> Sequence[ModelVersion]:
    """Return the model versions that a run made and that still exist."""
    return db.session.scalars(select(ModelVersion).where(ModelVersion.training_run_id == run_id)).all()


def root() -> Path:
    """Return where the folders of all runs are."""
    return Path(current_app.config["INSTANCE"]) / "runs"


def folder(run_id: int) -> Path:
    """Return where a run's events, log and results are."""
    return root() / str(run_id)


def artefact(run_id: int, name: str) -> Path:
    """Return a file of a finished run's results: ``metrics.csv``, ``plots/comparison.png`` …"""
    output = folder(get(run_id).id) / OUTPUT
    if not Reach(within=(output,)).allows(path := output / name) or not is_there(path, Path.is_file):
        raise NotFound(f"Run {run_id} has no file {name[:100]!r}.")
    return path
