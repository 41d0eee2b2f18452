"""Training: one child process at a time, followed by whoever started it, readable by everyone.

``train`` is synchronous. A page calls its two halves itself, ``start`` and then ``follow`` in a thread, and reads
``progress``; so leaving and re-opening the page loses nothing.
"""

from __future__ import annotations

import contextlib
import json
import logging
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from flask import current_app
from sqlalchemy import select, update
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from app.extensions import db
from app.har.classifiers.catalogue import CATALOGUE, DEPLOYABLE_MODEL, EVERYDAY_MODEL, KEPT
from app.har.errors import HarError, InvalidSetting
from app.har.progress import OnEvent, ignore_event
from app.har.recordings.files import is_there
from app.har.recordings.reach import Reach
from app.har.training.config import TrainConfig, validated
from app.services import audit, leftovers, room
from app.services.audit import Action
from app.services.datasets import library
from app.services.errors import Busy, Conflict, Invalid, NoRoom, NotFound, ServiceError
from app.services.models import model_versions, training_data
from app.services.models.run_events import read_events, record_events
from app.services.models.training_child import OUTPUT, STOP_FILE, STOPPED, UNFINISHED
from app.services.names import MAX_NAME
from app.services.transaction import rows_changed, transaction
from app.tables import ModelVersion, TrainingRun
from app.tables._columns import now
from app.tables.training_run import RunStatus

log = logging.getLogger(__name__)

EVENTS = "events.jsonl"  # in a run's folder
STOPPED_REASON = "Stopped by a person."
PAUSE_S = 5.0  # while the database is locked, or the disk full
PAUSES_S = (0.0, 5.0, 30.0)  # before each attempt to write that a run could not be followed


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


def start(names: str, config: TrainConfig, *, started_by_id: int | None = None) -> TrainingProcess:
    """Record a run and launch its child process.

    Parameters
    ----------
    names : of a data set, or of several with commas between them, which are trained on as one; after a colon, the one
        device that is wanted of a data set.

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
    choices = [training_data.chosen(name) for name in training_data.names_in(names)]
    datasets = [choice.dataset for choice in choices]
    training_data.check_usable(datasets, config)
    if lacking := what_is_lacking(config.models):
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
                config={**asdict(config), **training_data.provenance(choices)},
                result={},
            )
            session.add(run)
        run_id = run.id
        folder = run_folder(run_id)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        process = _launch(choices, config, folder)
        audit.record(Action.TRAINING_STARTED, f"training {run_id}", data=names, protocol=config.protocol)
        return TrainingProcess(run_id, process, lock, folder)
    except BaseException as error:
        if run_id is not None:
            _give_up(run_id, error)
        lock.release()
        raise


def what_is_lacking(models: Iterable[str]) -> str:
    """Say why some of these models can't be trained here; "" if all can."""
    titles = [CATALOGUE[name].title for name in models if CATALOGUE[name].needs_tensorflow]
    if not titles or find_spec("tensorflow"):
        return ""
    return (
        f"TensorFlow is not installed here, and without it these can't be trained: {', '.join(titles)}. Install it "
        "(pip install tensorflow) and start Kinelab again. Everything else works, and so do the models that you have."
    )


def _launch(choices: Sequence[training_data.Choice], config: TrainConfig, folder: Path) -> subprocess.Popen[str]:
    job = {
        "folder": str(folder),
        "stores": [str(library.store_folder(one.dataset)) for one in choices],
        "config": asdict(config),
        "data": training_data.provenance(choices),
        "plots": current_app.config.get("TRAINING_PLOTS", True),  # tests that look at none do without
    }
    with (folder / "trainer.log").open("w", encoding="utf-8") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "app.services.models.training_child"],
            cwd=Path(current_app.root_path).parent,
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
        models = get(trainer.run_id).config["models"]
        for event in record_events(lines, trainer.folder / EVENTS, models):
            reason = event.get("reason", reason)
            on_event(event)
        _patiently(partial(_conclude, trainer, trainer.process.wait(), reason))
    except BaseException as error:
        trainer.process.kill()
        _give_up(trainer.run_id, error)
        if not isinstance(error, Exception):
            raise
    finally:
        _release(trainer)
    run = get(trainer.run_id)
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


def _conclude(trainer: TrainingProcess, exit_status: int, reason: str) -> None:
    if exit_status == STOPPED:
        _end(trainer.run_id, RunStatus.STOPPED, STOPPED_REASON)
    elif exit_status != 0:
        _end(trainer.run_id, RunStatus.FAILED, reason or _exit_reason(exit_status))
    else:
        _finish(trainer.run_id, reason)


def _finish(run_id: int, reason: str = "") -> None:
    """Take over what a child has made."""
    output = run_folder(run_id) / OUTPUT
    result = json.loads((output / "metrics.json").read_text(encoding="utf-8"))
    kept = _kept(run_id)
    if not kept:
        _end(run_id, RunStatus.FINISHED, reason, result)
        return
    with contextlib.ExitStack() as registering:  # transactions within transactions: all of it is written, or nothing
        labels = {}
        for model, folder in kept.items():
            name, metrics = _model_name(get(run_id), model), result["models"][model]
            version = registering.enter_context(model_versions.registered(name, folder, metrics, run_id))
            labels[model] = version.label
        result |= {"model_version": next(iter(labels.values())), "model_versions": labels}
        _update_running(run_id, RunStatus.FINISHED, reason, result)


def _kept(run_id: int) -> dict[str, Path]:
    """Return the models of a run that become versions, and their folders."""
    folders = {name: run_folder(run_id) / OUTPUT / folder for name, folder in KEPT.items()}
    return {name: folder for name, folder in folders.items() if folder.is_dir()}


def _patiently(write: Callable[[], None]) -> None:
    """Write an outcome, for however long the database is locked or the disk full.

    Where this process ends meanwhile, the next start does it.
    """
    while True:
        try:
            return write()
        except (Busy, NoRoom) as error:
            log.warning("the outcome of a training waits to be written: %s", error)
            time.sleep(PAUSE_S)


def _model_name(run: TrainingRun, model: str) -> str:
    """Return how a run's model is called: as its data set, or after all of several; an everyday model says so."""
    names = [each["dataset"] for each in run.config.get("datasets", [])]
    name = "-".join(["pool", *names]) if names else run.dataset_name.replace(":", "-")
    ending = f"-{model}" if model == EVERYDAY_MODEL else ""
    return name[: MAX_NAME - len(ending)].rstrip("-") + ending


def _end(run_id: int, status: RunStatus, reason: str, result: Mapping[str, Any] | None = None) -> None:
    if status is not RunStatus.FINISHED:  # before anything is written, which needs room on the disk
        shutil.rmtree(run_folder(run_id) / UNFINISHED, ignore_errors=True)
    with transaction():
        _update_running(run_id, status, reason, result or {})
    if status is not RunStatus.FINISHED:
        shutil.rmtree(run_folder(run_id) / OUTPUT, ignore_errors=True)


def _update_running(run_id: int, status: RunStatus, reason: str, result: Mapping[str, Any]) -> None:
    """Write the outcome of a run that is still running: of two that end it, one does.

    Raises
    ------
    Conflict
        It has ended already.
    """
    running = (TrainingRun.id == run_id, TrainingRun.status == RunStatus.RUNNING)
    outcome = {"status": status, "reason": reason, "result": dict(result), "finished": now()}
    if rows_changed(update(TrainingRun).where(*running).values(outcome)) == 0:
        raise Conflict(f"Training run {run_id} has ended already.")


def _give_up(run_id: int, error: BaseException) -> None:
    """End a run as failed; a database that cannot be written for a while is tried again."""
    db.session.rollback()
    if isinstance(error, KeyboardInterrupt):
        status, reason = RunStatus.STOPPED, STOPPED_REASON
    else:
        log.error("training run %d could not be followed to its end", run_id, exc_info=error)
        status = RunStatus.FAILED
        reason = f"The training could not be followed to its end: {_in_words(error)}. The server's log says more."
    for pause_s in PAUSES_S:
        time.sleep(pause_s)
        try:
            _patiently(partial(_end, run_id, status, reason))
        except SQLAlchemyError:
            log.exception("cannot mark training run %d as %s", run_id, status.value)
        except Conflict as ended:
            log.warning("%s", ended)
            return
        else:
            return


def _in_words(error: BaseException) -> str:
    if isinstance(error, DBAPIError):  # without the statement and its values
        return f"the database says “{error.orig}”"
    if isinstance(error, OSError) and error.strerror:
        return f"“{error.strerror}”"
    text = f"{error}" if isinstance(error, (HarError, ServiceError)) else f"{type(error).__name__}: {error}"
    return text[:300].rstrip(".")


def _exit_reason(exit_status: int) -> str:
    if exit_status < 0:
        name = signal.Signals(-exit_status).name
        hint = " The operating system does this when memory runs out." if name == "SIGKILL" else ""
        return f"The training process was killed ({name}).{hint}"
    return (
        f"The training process ended with status {exit_status} and gave no reason; see trainer.log in the run's folder."
    )


def stop(run_id: int) -> None:
    """Ask a running training to end; its child sees the file within a fraction of a second."""
    if get(run_id).status is RunStatus.RUNNING:
        (run_folder(run_id) / STOP_FILE).touch()
        audit.record(Action.TRAINING_STOPPED, f"training {run_id}")


def progress(run_id: int, after: int = 0) -> dict[str, Any]:
    """Return where a run stands, its events from a position on, and as ``next`` the position to ask from next time."""
    run = get(run_id)
    events, latest, position = read_events(run_folder(run_id) / EVENTS, after)
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


def run_folder(run_id: int) -> Path:
    """Return where a run's events, log and results are."""
    return Path(current_app.config["INSTANCE"]) / "runs" / str(run_id)


def artefact(run_id: int, name: str) -> Path:
    """Return a file of a finished run's results: ``metrics.csv``, ``plots/comparison.png`` …"""
    output = run_folder(get(run_id).id) / OUTPUT
    if not Reach(within=(output,)).allows(path := output / name) or not is_there(path, Path.is_file):
        raise NotFound(f"Run {run_id} has no file {name[:100]!r}.")
    return path


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
            runs = run_folder(0).parent
            for leftover in (*runs.glob(f"*/{UNFINISHED}"), *runs.glob(f"*/{OUTPUT}/model")):
                shutil.rmtree(leftover, ignore_errors=True)
            _set_aside_unknown()
            return ended
    except Timeout:
        return 0


def _set_aside_unknown() -> None:
    """Set aside what runs and models have left of which the database knows nothing."""
    runs = run_folder(0).parent
    if not runs.exists():
        runs.mkdir()  # a backup names it
    known = {str(run_id) for run_id in db.session.scalars(select(TrainingRun.id))}
    for folder in [path for path in runs.glob("*") if path.name.isdecimal() and path.name not in known]:
        leftovers.set_aside(folder, runs)
    model_versions.set_aside_unknown()


def _mark_interrupted() -> int:
    orphans = db.session.scalars(select(TrainingRun.id).where(TrainingRun.status == RunStatus.RUNNING)).all()
    for run_id in orphans:
        if _taken_over(run_id):
            status = RunStatus.FINISHED
        else:
            status = RunStatus.INTERRUPTED
            _end(run_id, status, "The server was stopped or restarted while this training ran.")
        audit.record(Action.TRAINING_ENDED, f"training {run_id}", status=status.value)
    return len(orphans)


def _taken_over(run_id: int) -> bool:
    """Finish a run whose child had finished when its server went away; tell whether there was one."""
    from app.har.classifiers import model_folder

    output = run_folder(run_id) / OUTPUT
    if not output.is_dir():
        return False
    try:
        result = json.loads((output / "metrics.json").read_text(encoding="utf-8"))
        folders = set(_kept(run_id).values())
        if DEPLOYABLE_MODEL in result["models"] and not result["folds"]:
            folders.add(output / KEPT[DEPLOYABLE_MODEL])
        for folder in folders:
            model_folder.verify(folder)
        _finish(run_id)
    except (HarError, OSError, ValueError, KeyError) as error:
        log.warning("the result of training run %d cannot be taken over: %s", run_id, error)
        return False
    log.info("took over the result of training run %d", run_id)
    return True
