"""Whatever fails while a training is followed, its run ends with a reason and the next one can start."""

from __future__ import annotations

import json
import logging
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from flask import Flask
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from app.extensions import db
from app.har.progress import Event
from app.services import transaction as transaction_module
from app.services.errors import Conflict, NoRoom
from app.services.models import model_versions, run_outcomes, run_progress, runs, training
from app.services.models.run_events import ProgressEstimate, read_events, record_events
from app.services.models.run_times import RemainingTime
from app.services.transaction import transaction
from app.tables import Dataset, TrainingRun
from app.tables.training_run import RunStatus
from tests import homes, trained
from tests.trained import Example

Begin: TypeAlias = Callable[..., training.TrainingProcess]
CHILD = "import sys, time; print(sys.argv[1], flush=True); time.sleep(float(sys.argv[2])); sys.exit(int(sys.argv[3]))"
METRICS = {"models": {"elm-gru-am": {"accuracy": {"value": 0.9, "low": 0.8, "high": 1.0}}}}


@pytest.fixture
def begin(app: Flask) -> Iterator[Begin]:
    """Return a maker of a run whose child prints a line, lives for some seconds and ends with a status."""
    children = []

    def make(line: str = '{"stage": "starting"}', seconds: float = 0, status: int = 0) -> training.TrainingProcess:
        with transaction() as session:
            session.add(run := TrainingRun(config={"dataset": "lab", "models": ["elm-gru-am"]}, result={}))
        folder = runs.folder(run.id)
        (folder / "output" / "model").mkdir(parents=True)
        (folder / "output" / "metrics.json").write_text(json.dumps(METRICS))
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, line, str(seconds), str(status)], stdout=subprocess.PIPE, text=True
        )
        children.append(child)
        lock = training._lock()
        lock.acquire(timeout=0)
        return training.TrainingProcess(run.id, child, lock, folder)

    yield make
    assert all(child.poll() is not None for child in children)


def assert_failed(
    trainer: training.TrainingProcess, run: TrainingRun, reason: str, log: pytest.LogCaptureFixture
) -> None:
    assert run.status is RunStatus.FAILED
    assert reason in run.reason
    assert run.finished is not None
    assert run_progress.progress(run.id)["status"] == "failed"
    assert model_versions.list_versions() == []
    assert not (trainer.folder / "output").exists()
    assert not trainer.lock.is_locked
    assert [r.levelname for r in log.records if f"run {run.id} could not be followed" in r.message] == ["ERROR"]


def disk_full(event: Event) -> None:
    raise OSError(28, "No space left on device")


def replaced_by_folder(trainer: training.TrainingProcess) -> None:
    (trainer.folder / "events.jsonl").mkdir()


def cut_off(trainer: training.TrainingProcess) -> None:
    (trainer.folder / "output" / "metrics.json").write_text('{"models"')


def gone(trainer: training.TrainingProcess) -> None:
    (trainer.folder / "output" / "metrics.json").unlink()


def other_metrics(trainer: training.TrainingProcess) -> None:
    (trainer.folder / "output" / "metrics.json").write_text('{"models": {}}')


def no_place(trainer: training.TrainingProcess) -> None:
    (trainer.folder.parents[2] / "model_store" / "lab").write_text("")


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (replaced_by_folder, "Is a directory"),
        (cut_off, "JSONDecodeError"),
        (gone, "No such file"),
        (other_metrics, "KeyError: 'elm-gru-am'"),
        (no_place, "File exists"),
    ],
)
def test_files_that_cannot_be_read_or_written_fail_the_run(
    begin: Begin,
    caplog: pytest.LogCaptureFixture,
    damage: Callable[[training.TrainingProcess], None],
    reason: str,
) -> None:
    trainer = begin()
    damage(trainer)
    assert_failed(trainer, training.follow(trainer), reason, caplog)


def test_a_full_disk_while_events_are_read_fails_the_run_and_ends_its_child(
    begin: Begin, caplog: pytest.LogCaptureFixture
) -> None:
    trainer = begin(seconds=60)
    assert_failed(trainer, training.follow(trainer, disk_full), "No space left on device", caplog)


def test_an_event_that_is_no_json_fails_the_run(begin: Begin, caplog: pytest.LogCaptureFixture) -> None:
    trainer = begin("Segmentation fault", seconds=60)
    assert_failed(trainer, training.follow(trainer), "JSONDecodeError", caplog)


def test_the_result_of_a_training_waits_until_the_database_is_free(
    app: Flask,
    begin: Begin,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trainer = begin()
    monkeypatch.setattr(run_outcomes, "PAUSE_S", 0.1)
    monkeypatch.setattr(transaction_module, "USUAL_WAIT_S", 0.05)
    app.config["THREADS"] = 0  # as many pages wait as may
    with homes.writing_elsewhere() as other:
        timer = threading.Timer(1.0, other.rollback)

        def start_timer(event: Event) -> None:
            timer.start()

        run = training.follow(trainer, start_timer)
        timer.join()
    assert (run.status, run.result["model_version"]) == (RunStatus.FINISHED, "lab/1")
    assert sum("waits to be written" in record.message for record in caplog.records) >= 1


def test_a_result_for_which_there_is_no_room_is_written_when_there_is(
    begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = begin()
    monkeypatch.setattr(run_outcomes, "PAUSE_S", 0.1)

    def fail(session: Any) -> None:
        event.remove(db.session, "before_commit", fail)
        raise OperationalError("COMMIT", {}, sqlite3.OperationalError("database or disk is full"))

    event.listen(db.session, "before_commit", fail)
    run = training.follow(trainer)
    assert run.status is RunStatus.FINISHED
    assert [version.label for version in runs.versions_of(run.id)] == [run.result["model_version"]]


def finished_by_a_child(output: Path, models: tuple[str, ...] = ("naive-bayes",), folds: tuple[str, ...] = ()) -> None:
    """Write what a child leaves that ended well, apart from a model."""
    output.mkdir(parents=True)
    (output / "metrics.json").write_text(json.dumps({"models": {name: {} for name in models}, "folds": folds}))


@pytest.fixture
def orphan(app: Flask) -> TrainingRun:
    """Return a run whose server was killed."""
    with transaction() as session:
        session.add(run := TrainingRun(config={"dataset": "lab", "models": ["elm-gru-am"]}, result={}))
    return run


def test_what_a_child_had_finished_is_taken_over_by_the_next_start(orphan: TrainingRun, example_model: Example) -> None:
    folder = runs.folder(orphan.id)
    finished_by_a_child(folder / "output", ("elm-gru-am",))
    shutil.copytree(example_model.model, folder / "output" / "model")
    assert training.mark_interrupted() == 1
    run = runs.get(orphan.id)
    assert (run.status, run.result["model_version"]) == (RunStatus.FINISHED, "lab/1")
    (version,) = runs.versions_of(run.id)
    assert trained.load(version).name == "elm-gru-am"
    assert not (folder / "output" / "model").exists()
    assert training.mark_interrupted() == 0


@pytest.mark.parametrize("models", [("naive-bayes",), ("elm-gru-am", "naive-bayes")])
def test_only_a_whole_result_is_taken_over(orphan: TrainingRun, models: tuple[str, ...]) -> None:
    folder = runs.folder(orphan.id)
    finished_by_a_child(folder / "output", models)
    assert training.mark_interrupted() == 1
    whole = "elm-gru-am" not in models
    assert runs.get(orphan.id).status is (RunStatus.FINISHED if whole else RunStatus.INTERRUPTED)
    assert (folder / "output").exists() is whole


def test_folds_make_no_model_and_are_taken_over(orphan: TrainingRun) -> None:
    finished_by_a_child(runs.folder(orphan.id) / "output", ("elm-gru-am",), ("a fold",))
    assert training.mark_interrupted() == 1
    assert runs.get(orphan.id).status is RunStatus.FINISHED


def test_what_a_child_had_not_finished_goes(orphan: TrainingRun) -> None:
    folder = runs.folder(orphan.id)
    finished_by_a_child(folder / "unfinished")
    assert training.mark_interrupted() == 1
    assert runs.get(orphan.id).status is RunStatus.INTERRUPTED
    assert list(folder.iterdir()) == []


def test_no_training_starts_on_a_disk_that_is_nearly_full(small: Dataset, app: Flask) -> None:
    app.config["DISK_RESERVE"] = 2**60
    with pytest.raises(NoRoom, match="disk is full"):
        training.start(small.name, training.TrainConfig(models=("random-forest",)))
    assert runs.list_page(1).items == []


def test_a_commit_that_fails_keeps_neither_version_nor_status(begin: Begin, caplog: pytest.LogCaptureFixture) -> None:
    trainer = begin()

    def fail(session: Any) -> None:
        event.remove(db.session, "before_commit", fail)
        raise OperationalError("COMMIT", {}, Exception("disk I/O error"))

    event.listen(db.session, "before_commit", fail)
    run = training.follow(trainer)
    assert_failed(trainer, run, "the database says “disk I/O error”", caplog)
    store = trainer.folder.parents[2] / "model_store" / "lab"
    assert [path.name for path in store.iterdir()] == [".last"]


def test_a_finished_run_and_its_version_are_written_together(begin: Begin) -> None:
    trainer = begin()
    run = training.follow(trainer)
    assert (run.status, run.result["model_version"]) == (RunStatus.FINISHED, "lab/1")
    assert [version.label for version in runs.versions_of(run.id)] == ["lab/1"]


def test_a_run_that_was_ended_elsewhere_stays_as_it_is_and_makes_no_version(
    begin: Begin,
) -> None:
    trainer = begin()

    def interrupt(event: Event) -> None:
        assert training._mark_interrupted() == 1

    run = training.follow(trainer, interrupt)
    assert run.status is RunStatus.INTERRUPTED
    assert run.result == {}
    assert model_versions.list_versions() == []


def test_control_c_stops_the_run(begin: Begin, caplog: pytest.LogCaptureFixture) -> None:
    trainer = begin(seconds=60)

    def press(event: Event) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        training.follow(trainer, press)
    run = runs.get(trainer.run_id)
    assert (run.status, run.reason) == (RunStatus.STOPPED, "Stopped by a person.")
    assert not trainer.lock.is_locked
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


def test_a_training_that_cannot_be_launched_is_a_failed_run(small: Dataset, app: Flask) -> None:
    (Path(app.config["INSTANCE"]) / "runs").write_text("a file where a folder should be")
    with pytest.raises(OSError, match="Not a directory"):
        training.start(small.name, training.TrainConfig(models=("random-forest",)))
    (run,) = runs.list_page(1).items
    assert run.status is RunStatus.FAILED
    assert "Not a directory" in run.reason
    assert training.mark_interrupted() == 0  # nothing runs, and the lock is free


def test_a_run_ends_once(begin: Begin) -> None:
    trainer = begin()
    run = training.follow(trainer)
    with pytest.raises(Conflict, match="ended already"):
        run_outcomes.end(run.id, RunStatus.FAILED, "later")
    assert runs.get(run.id).status is RunStatus.FINISHED
    assert (trainer.folder / "output" / "metrics.json").exists()


LINES = [
    {"stage": "starting"},
    {"stage": "features", "model_index": 0, "fraction": 0.5},
    {"stage": "network", "model_index": 0, "epoch": 1, "epochs": 2},
    {"stage": "head", "model_index": 0},
    {"stage": "scored", "model_index": 0},
    {"stage": "fit", "model_index": 1},
    {"stage": "scored", "model_index": 1},
]


def test_the_share_that_is_done_grows_with_the_events() -> None:
    estimate = ProgressEstimate(["svm", "svm"])
    shares = []
    for line in LINES:
        estimate.take(line)
        shares.append(round(estimate.fraction, 4))
    assert shares == [0.0, 0.075, 0.3125, 0.3125, 0.5, 0.5, 1.0]


def test_events_are_read_from_where_the_last_reading_ended(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    assert read_events(path) == ([], {}, 0)
    position = 0
    for written in record_events(map(json.dumps, LINES), path, ["svm", "svm"], RemainingTime(["svm", "svm"], {}, 3.0)):
        events, latest, position = read_events(path, position)
        assert events == [written]
        assert latest == written
        assert position == path.stat().st_size
        assert read_events(path, position) == ([], written, position)
    with path.open("a") as file:
        file.write('{"stage": "writ')
    assert read_events(path, position) == ([], written, position)  # a line that is being written
    assert len(read_events(path, -1)[0]) == len(LINES)
    assert len(read_events(path, 3)[0]) == len(LINES) - 1  # a position that nobody was given
    assert read_events(path, 2**70)[0] == []
