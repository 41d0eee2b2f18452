"""Training runs: their rows and their folders, for whoever shows or reads them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from flask import current_app
from sqlalchemy import select

from app.extensions import db
from app.har.recordings.files import is_there
from app.har.recordings.reach import Reach
from app.services.errors import NotFound
from app.services.models.run_events import read_events
from app.services.models.training_child import OUTPUT
from app.tables import ModelVersion, TrainingRun
from app.tables._columns import now
from app.tables.training_run import RunStatus

EVENTS = "events.jsonl"  # in a run's folder


def list_runs() -> Sequence[TrainingRun]:
    """Return all runs, newest first."""
    return db.session.scalars(select(TrainingRun).order_by(TrainingRun.id.desc())).all()


def get(run_id: int) -> TrainingRun:
    """Return a run, or raise NotFound."""
    run = db.session.get(TrainingRun, run_id)
    if run is None:
        raise NotFound(f"There is no training run {run_id}.")
    return run


def running() -> TrainingRun | None:
    """Return the run that is under way, if any."""
    return db.session.scalar(select(TrainingRun).where(TrainingRun.status == RunStatus.RUNNING))


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


def progress(run_id: int, after: int = 0) -> dict[str, Any]:
    """Return where a run stands, its events from a position on, and as ``next`` the position to ask from next time."""
    run = get(run_id)
    events, latest, position = read_events(folder(run_id) / EVENTS, after)
    elapsed = ((run.finished or now()) - run.created).total_seconds()
    fraction = 1.0 if run.status is RunStatus.FINISHED else latest.get("run_fraction", 0.0)
    known = run.status is RunStatus.RUNNING and latest.get("run_timed", False)
    return {
        "status": run.status.value,
        "reason": run.reason,
        "fraction": fraction,
        "elapsed_s": elapsed,
        "remaining_s": elapsed * (1 - fraction) / fraction if known else None,
        "events": events,
        "next": position,
    }
