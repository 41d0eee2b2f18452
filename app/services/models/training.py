"""Training: one child process at a time, followed by whoever started it, readable by everyone.

``train`` is synchronous. A page calls ``begin``, which follows in a thread, and reads ``progress``; so leaving and
re-opening the page loses nothing.
"""

from __future__ import annotations

import contextlib
import json
import logging
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from filelock import FileLock, Timeout
from flask import current_app
from sqlalchemy import select

from app.extensions import db
from app.har.classifiers.catalogue import CATALOGUE, DEPLOYABLE_MODEL
from app.har.errors import InvalidSetting
from app.har.progress import OnEvent, ignore_event
from app.har.training.config import TrainConfig, validated
from app.services import audit, leftovers, room
from app.services.audit import Action
from app.services.datasets import library
from app.services.environment import without_secrets
from app.services.errors import Conflict, Invalid
from app.services.models import bases, model_versions, run_outcomes, runs, training_data
from app.services.models.run_events import record_events
from app.services.models.run_times import RemainingTime, earlier_fits
from app.services.models.training_child import OUTPUT, STOP_FILE, UNFINISHED
from app.services.transaction import transaction
from app.tables import TrainingRun
from app.tables.training_run import RunStatus

log = logging.getLogger(__name__)


@dataclass
class TrainingProcess:
    """A running child, and the lock that says that this process follows it."""

    run_id: int
    process: subprocess.Popen[str]
    lock: FileLock
    folder: Path


def train(
    names: str, config: TrainConfig, *, started_by_id: int | None = None, on_event: OnEvent = ignore_event
) -> TrainingRun:
    """Train on a data set, or on several as one, and return the finished (or failed, or stopped) run."""
    return follow(start(names, config, started_by_id=started_by_id), on_event)


def start(names: str, config: TrainConfig, *, started_by_id: int | None = None, name: str = "") -> TrainingProcess:
    """Record a run and launch its child process.

    Parameters
    ----------
    names : of a data set, or of several with commas between them, which are trained on as one; after a colon, the one
        device that is wanted of a data set.
    name : of the run, which may be empty.

    Raises
    ------
    Conflict
        Another training runs, here or from a shell, or TensorFlow is missing.
    NoRoom
        The disk is nearly full.
    Invalid, NotFound
        The configuration or the data set.
    """
    try:
        config = validated(asdict(config))
    except InvalidSetting as error:
        raise Invalid(str(error), error.setting) from error
    name = runs.check_name(name)
    choices = [training_data.chosen(each) for each in training_data.names_in(names)]
    datasets = [choice.dataset for choice in choices]
    config = replace(config, leave_out=training_data.people_left_out(datasets, config))
    base = bases.chosen(config.base) if config.base else None
    if base:
        config = bases.settings_on(base, config, choices)
    training_data.check_usable(datasets, config)
    more = training_data.without_labels(config.unlabelled, choices) if config.unlabelled else None
    if lacking := what_is_lacking(config.models, in_closed_form=base is not None and not config.fine_tune):
        raise Conflict(lacking)
    room.require(Path(current_app.config["INSTANCE"]))
    lock = _lock()
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise Conflict("Another training is running. Wait until it has finished, or stop it on its page.") from None
    run_id = None
    try:
        _mark_interrupted()
        with transaction() as session:
            run = TrainingRun(
                dataset_id=datasets[0].id if len(datasets) == 1 else None,
                started_by_id=started_by_id,
                name=name,
                config={**asdict(config), **training_data.provenance(choices)},
                result={},
            )
            session.add(run)
        run_id = run.id
        folder = runs.folder(run_id)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        process = _launch(choices, config, folder, base, more)
        audit.record(Action.TRAINING_STARTED, f"training {run_id}", data=names, protocol=config.protocol)
        return TrainingProcess(run_id, process, lock, folder)
    except BaseException as error:
        if run_id is not None:
            run_outcomes.give_up(run_id, error)
        lock.release()
        raise


def begin(names: str, config: TrainConfig, *, started_by_id: int | None = None, name: str = "") -> int:
    """Start a training as `start` does, follow it in a thread, and return the number of its run."""
    trainer = start(names, config, started_by_id=started_by_id, name=name)
    app = current_app._get_current_object()  # type: ignore[attr-defined]

    def follow_it() -> None:
        with app.app_context():
            follow(trainer)

    threading.Thread(target=follow_it, name=f"training-{trainer.run_id}", daemon=True).start()
    return trainer.run_id


def what_is_lacking(models: Iterable[str], *, in_closed_form: bool = False) -> str:
    """Say why some of these models can't be trained here; "" if all can.

    ``in_closed_form``: ELM-GRU-AM keeps the network of a stored model as it is.
    """
    trained = [name for name in models if not (in_closed_form and name == DEPLOYABLE_MODEL)]
    titles = [CATALOGUE[name].title for name in trained if CATALOGUE[name].needs_tensorflow]
    if not titles or find_spec("tensorflow"):
        return ""
    return (
        f"TensorFlow is not installed here, and without it these can't be trained: {', '.join(titles)}. Install it "
        "(pip install tensorflow) and start Kinelab again. Everything else works, and so do the models that you have."
    )


def _launch(
    choices: Sequence[training_data.Choice],
    config: TrainConfig,
    folder: Path,
    base: bases.ChosenBase | None,
    more: training_data.WithoutLabels | None,
) -> subprocess.Popen[str]:
    job = {
        "folder": str(folder),
        "stores": [str(library.store_folder(one.dataset)) for one in choices],
        "config": asdict(config),
        "data": training_data.provenance(choices) | ({"without_labels": more.facts} if more else {}),
        "unlabelled": str(library.store_folder(more.dataset)) if more and not more.own else None,
        "base": base.as_job() if base else None,
        "plots": current_app.config.get("TRAINING_PLOTS", True),  # tests that look at none do without
    }
    with (folder / "trainer.log").open("w", encoding="utf-8") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "app.services.models.training_child"],
            cwd=Path(current_app.root_path).parent,
            env=without_secrets(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            encoding="utf-8",
        )
    assert process.stdin is not None  # noqa: S101  a pipe was asked for
    process.stdin.write(json.dumps(job) + "\n")
    process.stdin.flush()  # and stays open: its end tells the child that we are gone
    return process


def follow(trainer: TrainingProcess, on_event: OnEvent = ignore_event) -> TrainingRun:
    """Record a child's events until it ends, then its outcome; whatever fails meanwhile is the run's reason."""
    try:
        reason, lines = "", trainer.process.stdout
        assert lines is not None  # noqa: S101  a pipe was asked for
        config = runs.get(trainer.run_id).config
        remaining = RemainingTime(config["models"], earlier_fits(config), config.get("window_length_s", 0.0))
        for event in record_events(lines, trainer.folder / runs.EVENTS, config["models"], remaining):
            reason = event.get("reason", reason)
            on_event(event)
        run_outcomes.patiently(partial(run_outcomes.conclude, trainer.run_id, trainer.process.wait(), reason))
    except BaseException as error:
        trainer.process.kill()
        run_outcomes.give_up(trainer.run_id, error)
        if not isinstance(error, Exception):
            raise
    finally:
        _release(trainer)
    run = runs.get(trainer.run_id)
    audit.record(Action.TRAINING_ENDED, f"training {run.id}", status=run.status.value)
    return run


def _release(trainer: TrainingProcess) -> None:
    if trainer.process.poll() is None:
        trainer.process.kill()
        trainer.process.wait()
    for pipe in (trainer.process.stdin, trainer.process.stdout):
        if pipe is not None:
            with contextlib.suppress(BrokenPipeError):
                pipe.close()
    trainer.lock.release()


def stop(run_id: int) -> None:
    """Ask a running training to end; its child sees the file within a fraction of a second."""
    if runs.get(run_id).status is RunStatus.RUNNING:
        (runs.folder(run_id) / STOP_FILE).touch()
        audit.record(Action.TRAINING_STOPPED, f"training {run_id}")


def _lock() -> FileLock:
    # Held by the process that follows a training; the system lets go of it when that process dies.
    return FileLock(Path(current_app.config["INSTANCE"]) / "training.lock", thread_local=False)


def mark_interrupted() -> int:
    """End, at the start, the runs whose server went away; return how many. A training elsewhere is left alone.

    One whose child had finished is taken over; the others are marked as interrupted.
    """
    try:
        with _lock().acquire(timeout=0):
            ended = _mark_interrupted()
            root = runs.root()
            for leftover in (*root.glob(f"*/{UNFINISHED}"), *root.glob(f"*/{OUTPUT}/model")):
                shutil.rmtree(leftover, ignore_errors=True)
            _set_aside_unknown()
            return ended
    except Timeout:
        return 0


def _set_aside_unknown() -> None:
    """Set aside what runs and models have left of which the database knows nothing."""
    root = runs.root()
    if not root.exists():
        root.mkdir()  # a backup names it
    known = {str(run_id) for run_id in db.session.scalars(select(TrainingRun.id))}
    for folder in [path for path in root.glob("*") if path.name.isdecimal() and path.name not in known]:
        leftovers.set_aside(folder, root)
    model_versions.set_aside_unknown()


def _mark_interrupted() -> int:
    orphans = db.session.scalars(select(TrainingRun.id).where(TrainingRun.status == RunStatus.RUNNING)).all()
    for run_id in orphans:
        if run_outcomes.taken_over(run_id):
            status = RunStatus.FINISHED
        else:
            status = RunStatus.INTERRUPTED
            run_outcomes.end(run_id, status, "The server was stopped or restarted while this training ran.")
        audit.record(Action.TRAINING_ENDED, f"training {run_id}", status=status.value)
    return len(orphans)
