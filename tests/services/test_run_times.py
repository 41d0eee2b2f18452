"""The remaining time of a training is said where all of it was measured, and the steps to come are always."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from app.services.models import run_progress, runs
from app.services.models.run_times import Fit, RemainingTime, earlier_fits
from app.services.transaction import transaction
from app.tables import TrainingRun
from app.tables._columns import now
from app.tables.training_run import RunStatus

SPLIT = {"stage": "split", "train_windows": 100}
SVM, CNN = {"model": "svm", "model_index": 0}, {"model": "cnn", "model_index": 1}


def left(earlier: dict[str, list[Fit]], *events: tuple[float, dict[str, Any]]) -> list[float | None]:
    """Return the remaining time after each event, of a training of SVM and CNN on windows of 3 s."""
    time, found = RemainingTime(["svm", "cnn"], earlier, 3.0), []
    for at_s, event in events:
        time.take(event, at_s)
        found.append(time.seconds())
    return found


def test_what_was_never_measured_here_is_unknown_until_nothing_of_it_is_to_come() -> None:
    epochs = [{"stage": "network", **CNN, "epoch": n, "epochs": 5} for n in (1, 2, 5)]
    known = left(
        {"svm": [Fit(300, 10)]},
        (0, {"stage": "starting"}), (1, SPLIT), (1, {"stage": "fit", **SVM}), (11, {"stage": "scored", **SVM}),
        (11, {"stage": "fit", **CNN}), (15, epochs[0]), (17, epochs[1]), (23, epochs[2]),
        (24, {"stage": "scored", **CNN}),
    )  # fmt: skip
    assert known == [None, None, None, None, None, None, 6.0, 0.0, 0.0]  # three epochs of 2 s are left


def test_earlier_trainings_on_about_as_much_data_say_how_long_the_parts_take() -> None:
    earlier = {"svm": [Fit(3000, 500), Fit(150, 5)], "cnn": [Fit(300, 40)]}
    events = [
        (0.0, {"stage": "windows"}), (2.0, SPLIT), (3.0, {"stage": "fit", **SVM}),
        (9.0, {"stage": "evaluation", **SVM}),
        (20.0, {"stage": "evaluation", **SVM}), (20.0, {"stage": "scored", **SVM}),
    ]  # fmt: skip
    assert left(earlier, *events) == [None, 50.0, 50.0, 44.0, 40.0, 40.0]  # of twice the data, SVM takes 10 s
    time = RemainingTime(["svm", "cnn"], {"svm": [Fit(90, 5)], "cnn": [Fit(300, 40)]}, 3.0)
    time.take(SPLIT, 0.0)
    assert (time.seconds(), time.unknown()) == (None, ["svm"])  # too little data to say anything


def test_folds_that_are_done_say_how_long_the_others_take() -> None:
    def of_fold(stage: str, fold: int, model: dict[str, Any] = SVM) -> dict[str, Any]:
        return {"stage": stage, **model, "fold": fold, "folds": 4}

    found = left(
        {"cnn": [Fit(300, 1)]},
        (0, {**SPLIT, "folds": 4}), (1, of_fold("fit", 1)), (11, of_fold("fold scored", 1)), (11, of_fold("fit", 2)),
        (16, of_fold("learning", 2)), (25, of_fold("fold scored", 2)), (25, of_fold("scored", 4)),
    )  # fmt: skip
    assert found[0] is found[1] is None
    assert found[2:] == [34.0, 34.0, 29.0, 28.0, 4.0]  # 3 folds of 10 s, then 2 of 12 s, and 4 of CNN


def test_earlier_fits_are_those_of_finished_runs_and_of_networks_with_as_many_epochs(finished_run: int) -> None:
    run = runs.get(finished_run)
    metrics, split = run.result["models"]["random-forest"], run.result["split"]
    with transaction() as session:
        result = run.result | {"models": {"cnn": metrics, "svm": {}}}
        for epochs in (None, 5):
            config = run.config | {"epochs": epochs}
            session.add(TrainingRun(status=RunStatus.FINISHED, config=config, result=result))
        session.add(TrainingRun(status=RunStatus.FAILED, config=run.config, result={}))
    fits = earlier_fits({"models": ["random-forest", "cnn", "svm"], "epochs": 5})
    assert {name: len(of_model) for name, of_model in fits.items()} == {"random-forest": 1, "cnn": 1, "svm": 0}
    (fit,) = fits["random-forest"]
    assert fit.size_s == 3.0 * split["train_windows"]
    assert fit.seconds > metrics["fit_seconds"]


@pytest.fixture
def running(app: object) -> TrainingRun:
    """Return a run of SVM and CNN that goes on since 100 s."""
    with transaction() as session:
        config = {"dataset": "lab", "models": ["svm", "cnn"]}
        session.add(run := TrainingRun(config=config, result={}, created=now() - timedelta(seconds=100)))
    runs.folder(run.id).mkdir(parents=True)
    return run


def report(run: TrainingRun, **event: object) -> dict[str, Any]:
    path = runs.folder(run.id) / runs.EVENTS
    path.write_text(json.dumps({"at_s": 90.0, "run_fraction": 0.5, **event}) + "\n")
    return run_progress.progress(run.id)


def states(state: dict[str, Any]) -> list[str]:
    return [step["state"] for step in state["steps"]]


def test_the_steps_of_a_run_have_the_models_to_come_and_its_remaining_time_is_honest(running: TrainingRun) -> None:
    state = run_progress.progress(running.id)
    titles = ["Read the data and cut windows", "SVM", "CNN", "Draw the plots and write the results"]
    assert [step["title"] for step in state["steps"]] == titles
    assert states(state) == ["now", "to come", "to come", "to come"]
    assert state["remaining"] == "Remaining time unknown yet"
    state = report(running, stage="learning", **SVM, fold=2, folds=5, run_remaining_s=None, run_unknown=["cnn"])
    assert states(state) == ["done", "now", "to come", "to come"]
    assert state["steps"][1]["detail"] == "fold 2 of 5, learning from the features"
    assert state["remaining"].endswith(": CNN was not trained here before on about as much data")
    state = report(running, stage="network", **CNN, epoch=3, epochs=9, run_remaining_s=70.0)
    assert states(state) == ["done", "done", "now", "to come"]
    assert state["steps"][2]["detail"] == "training the network, epoch 3 of 9"
    assert state["remaining"] == "About 1 min 00 s remaining"
    assert report(running, stage="network", **CNN, run_remaining_s=5.0)["remaining"] == (
        "It takes longer than earlier trainings did"
    )
    state = report(running, stage="writing", run_remaining_s=0.0)
    assert states(state) == ["done", "done", "done", "now"]
    assert state["remaining"] == "Nearly done"
