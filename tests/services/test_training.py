"""Training as a service: a real child process on the embedded example."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from flask import Flask

from app.har.training.config import TrainConfig
from app.services.errors import Conflict, Invalid, NotFound
from app.services.models import model_versions, run_progress, runs, training
from app.services.recordings.recognise import Model, always, recognise
from app.services.transaction import transaction
from app.tables import TrainingRun
from app.tables.training_run import RunStatus
from tests import trained
from tests.trained import recording_csv

EXAMPLE = "physiotherapy-example"
BAYES = TrainConfig(models=("naive-bayes",))
ENDLESS = TrainConfig(models=("lstm",), epochs=1000)


@pytest.fixture
def quick(example: Flask) -> Flask:
    """Return the application with the embedded example; its trainers draw no plots."""
    example.config["TRAINING_PLOTS"] = False
    return example


def test_a_training_returns_the_finished_run_with_metrics_files_and_events(
    finished_run: int, finished_home: Path
) -> None:
    events = json.loads((finished_home / "events.json").read_text())
    run = runs.get(finished_run)
    assert run.status is RunStatus.FINISHED, run.reason
    metrics = run.result["models"]["random-forest"]
    assert metrics["accuracy"]["low"] <= metrics["accuracy"]["value"] <= metrics["accuracy"]["high"]
    matrix = metrics["confusion"]
    assert sum(map(sum, matrix)) == run.result["split"]["test_windows"]
    correct = sum(row[i] for i, row in enumerate(matrix))
    assert metrics["accuracy"]["value"] == pytest.approx(correct / sum(map(sum, matrix)))
    assert not set(run.result["split"]["subjects"]["train"]) & set(run.result["split"]["subjects"]["test"])
    assert json.loads(runs.artefact(run.id, "metrics.json").read_text())["models"] == run.result["models"]
    for name in ("metrics.csv", "plots/confusion-random-forest-counts.svg", "plots/comparison.png"):
        assert runs.artefact(run.id, name).stat().st_size > 100
    progress = run_progress.progress(run.id)
    assert progress["fraction"] == 1.0
    assert [e["stage"] for e in progress["events"]] == [e["stage"] for e in events]
    assert run_progress.progress(run.id, after=progress["next"])["events"] == []
    assert "model_version" not in run.result  # only ELM-GRU-AM becomes a version


def test_a_run_without_plots_has_its_figures_all_the_same(quick: Flask) -> None:
    run = training.train(EXAMPLE, BAYES)
    assert run.status is RunStatus.FINISHED, run.reason
    assert runs.artefact(run.id, "metrics.csv").stat().st_size > 100
    assert not (runs.folder(run.id) / "output" / "plots").exists()


def test_elm_gru_am_becomes_a_version_with_its_metrics_and_filters(deployed: Flask, tmp_path: Path) -> None:
    run = runs.get(1)
    assert run.status is RunStatus.FINISHED, run.reason
    version = model_versions.get(run.result["model_version"])
    assert version.label == f"{EXAMPLE}/1"
    assert version.metrics == run.result["models"]["elm-gru-am"]
    assert list(runs.versions_of(run.id)) == [version]
    manifest = model_versions.info(version)["manifest"]
    assert manifest["data"]["dataset"] == EXAMPLE
    assert manifest["preparation"] == {"low_pass_hz": 8.0, "separate_gravity": True, "gap_s": 0.9}
    assert manifest["gravity"] == "removed"
    assert manifest["model_config"]["rotation_augmentation"] is True
    card = model_versions.card(version)
    assert card
    assert "Low-pass filter at 8.0 Hz" in card.read_text(encoding="utf-8")
    assert "a device that is turned" in card.read_text(encoding="utf-8")

    path = tmp_path / "walk.csv"  # what is recognised is treated as what was learnt from
    path.write_bytes(recording_csv(20.0))
    recognised = recognise(path, "walk.csv", always(Model(version.label, lambda: trained.load(version))))
    result, signals = recognised.result, recognised.signals
    assert "gravity removed" in {problem.kind for problem in result.problems}
    assert np.abs(signals.signal[:, :3].mean(axis=0)).max() < 0.1
    power = np.abs(np.fft.rfft(signals.signal[:, 0])) ** 2
    fast = np.fft.rfftfreq(len(signals.signal), 1 / signals.sampling_rate_hz) > 12
    assert power[fast].mean() < 1e-3 * power[~fast].mean()


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX")
def test_a_killed_trainer_is_a_failed_run_that_names_the_signal_and_frees_the_way(quick: Flask) -> None:
    trainer = training.start(EXAMPLE, ENDLESS)
    trainer.process.send_signal(signal.SIGKILL)
    run = training.follow(trainer)
    assert run.status is RunStatus.FAILED
    assert "SIGKILL" in run.reason
    assert not (runs.folder(run.id) / "output").exists()
    assert training.train(EXAMPLE, BAYES).status is RunStatus.FINISHED


def test_a_second_training_is_told_that_one_runs_and_a_stop_ends_the_first(example: Flask) -> None:
    trainer = training.start(EXAMPLE, ENDLESS)
    assert training.mark_interrupted() == 0, "a training that is followed is no orphan"
    with pytest.raises(Conflict, match="Another training is running"):
        training.start(EXAMPLE, BAYES)
    timer = threading.Timer(2.0, (runs.folder(trainer.run_id) / "stop").touch)
    timer.start()
    run = training.follow(trainer)
    timer.join()
    assert run.status is RunStatus.STOPPED
    assert runs.running() is None
    assert not list(Path(example.config["MODEL_STORE"]).iterdir())


def test_stop_touches_only_a_running_training(finished_run: int) -> None:
    training.stop(finished_run)
    assert not (runs.folder(finished_run) / "stop").exists()


def test_runs_without_a_trainer_are_marked_interrupted_at_start(example: Flask) -> None:
    with transaction() as session:
        session.add(run := TrainingRun(config={"dataset": EXAMPLE, "models": ["cnn"]}, result={}))
    assert training.mark_interrupted() == 1
    assert runs.get(run.id).status is RunStatus.INTERRUPTED
    assert run_progress.progress(run.id)["reason"]


def test_an_error_of_the_core_reaches_the_run_in_its_own_words(example: Flask) -> None:
    run = training.train(EXAMPLE, TrainConfig(models=("naive-bayes",), window_length_s=50.0))
    assert run.status is RunStatus.FAILED
    assert "Traceback" not in run.reason
    assert "at least 2 windows" in run.reason


@pytest.mark.parametrize(
    ("config", "field"),
    [
        (TrainConfig(models=()), "models"),
        (TrainConfig(models=("svm2000",)), "models"),
        (TrainConfig(epochs=0), "epochs"),
        (TrainConfig(window_length_s=0.01), "window_length_s"),
        (TrainConfig(overlap=0.95), "overlap"),
        (TrainConfig(seed=-1), "seed"),
        (TrainConfig(low_pass_hz=0.0), "low_pass_hz"),
        (TrainConfig(low_pass_hz=25.0), "low_pass_hz"),
        (TrainConfig(gap_s=1.5), "gap_s"),
        (TrainConfig(protocol="random", overlap=0.5), "overlap"),
    ],
)
def test_a_configuration_that_cannot_be_is_refused_by_field(example: Flask, config: TrainConfig, field: str) -> None:
    with pytest.raises(Invalid) as refusal:
        training.start(EXAMPLE, config)
    assert refusal.value.field == field
    assert not runs.list_page(1).items


def test_unknown_data_sets_runs_and_files_are_not_found(finished_run: int) -> None:
    with pytest.raises(NotFound):
        training.start("no-such-data", BAYES)
    with pytest.raises(NotFound):
        runs.get(99)
    for name in ("../events.jsonl", "../../../kinelab.sqlite", "plots", "nothing.png"):
        with pytest.raises(NotFound):
            runs.artefact(finished_run, name)


def test_the_trainer_ends_when_its_parent_goes_away(example: Flask) -> None:
    trainer = training.start(EXAMPLE, ENDLESS)
    assert trainer.process.stdin is not None
    trainer.process.stdin.close()  # what the system does to the pipe of a process that died
    deadline = time.monotonic() + 20
    while trainer.process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.1)
    assert trainer.process.poll() is not None
    assert training.follow(trainer).status is RunStatus.FAILED
