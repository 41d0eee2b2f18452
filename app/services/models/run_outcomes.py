"""How a training ended: what its child made is taken over, or the reason is written; all of it or nothing."""

from __future__ import annotations

import contextlib
import json
import logging
import shutil
import signal
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import update
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from app.extensions import db
from app.har.classifiers.catalogue import DEPLOYABLE_MODEL, EVERYDAY_MODEL, KEPT
from app.har.errors import HarError
from app.services.errors import Busy, Conflict, NoRoom, ServiceError
from app.services.models import model_versions, runs
from app.services.models.training_child import OUTPUT, STOPPED, UNFINISHED
from app.services.names import MAX_NAME
from app.services.transaction import rows_changed, transaction
from app.tables import TrainingRun
from app.tables._columns import now
from app.tables.training_run import RunStatus

log = logging.getLogger(__name__)

STOPPED_REASON = "Stopped by a person."
PAUSE_S = 5.0  # while the database is locked, or the disk full
PAUSES_S = (0.0, 5.0, 30.0)  # before each attempt to write that a run could not be followed


def conclude(run_id: int, exit_status: int, reason: str) -> None:
    """Write how a child ended; ``reason`` is what it gave itself, "" where it gave none."""
    if exit_status == STOPPED:
        end(run_id, RunStatus.STOPPED, STOPPED_REASON)
    elif exit_status != 0:
        end(run_id, RunStatus.FAILED, reason or _exit_reason(exit_status))
    else:
        _finish(run_id, reason)


def _finish(run_id: int, reason: str = "") -> None:
    """Take over what a child has made."""
    output = runs.folder(run_id) / OUTPUT
    result = json.loads((output / "metrics.json").read_text(encoding="utf-8"))
    kept = _kept(run_id)
    if not kept:
        end(run_id, RunStatus.FINISHED, reason, result)
        return
    with contextlib.ExitStack() as registering:  # transactions within transactions: all of it is written, or nothing
        labels = {}
        for model, folder in kept.items():
            name, metrics = _model_name(runs.get(run_id), model), result["models"][model]
            version = registering.enter_context(model_versions.registered(name, folder, metrics, run_id))
            labels[model] = version.label
        result |= {"model_version": next(iter(labels.values())), "model_versions": labels}
        _update_running(run_id, RunStatus.FINISHED, reason, result)


def _kept(run_id: int) -> dict[str, Path]:
    """Return the models of a run that become versions, and their folders."""
    folders = {name: runs.folder(run_id) / OUTPUT / folder for name, folder in KEPT.items()}
    return {name: folder for name, folder in folders.items() if folder.is_dir()}


def _model_name(run: TrainingRun, model: str) -> str:
    """Return how a run's model is called: as its data set, or after all of several; an everyday model says so."""
    names = [each["dataset"] for each in run.config.get("datasets", [])]
    name = "-".join(["pool", *names]) if names else run.dataset_name.replace(":", "-")
    ending = f"-{model}" if model == EVERYDAY_MODEL else ""
    return name[: MAX_NAME - len(ending)].rstrip("-") + ending


def taken_over(run_id: int) -> bool:
    """Finish a run whose child had finished when its server went away; tell whether there was one."""
    from app.har.classifiers import model_folder

    output = runs.folder(run_id) / OUTPUT
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


def end(run_id: int, status: RunStatus, reason: str, result: Mapping[str, Any] | None = None) -> None:
    """End a run, and delete what its child has left unless it finished.

    Raises
    ------
    Conflict
        It has ended already.
    """
    if status is not RunStatus.FINISHED:  # before anything is written, which needs room on the disk
        shutil.rmtree(runs.folder(run_id) / UNFINISHED, ignore_errors=True)
    with transaction():
        _update_running(run_id, status, reason, result or {})
    if status is not RunStatus.FINISHED:
        shutil.rmtree(runs.folder(run_id) / OUTPUT, ignore_errors=True)


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


def give_up(run_id: int, error: BaseException) -> None:
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
            patiently(partial(end, run_id, status, reason))
        except SQLAlchemyError:
            log.exception("cannot mark training run %d as %s", run_id, status.value)
        except Conflict as ended:
            log.warning("%s", ended)
            return
        else:
            return


def patiently(write: Callable[[], None]) -> None:
    """Write an outcome, for however long the database is locked or the disk full.

    Where this process ends meanwhile, the next start does it.
    """
    while True:
        try:
            return write()
        except (Busy, NoRoom) as error:
            log.warning("the outcome of a training waits to be written: %s", error)
            time.sleep(PAUSE_S)


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
