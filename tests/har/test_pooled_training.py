"""One model from several data sets: who is drawn, what is left out, and that every model sees the same windows."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.har.datasets.pool import Member, Pool, pool
from app.har.datasets.store import Store
from app.har.errors import InsufficientData
from app.har.evaluation.types import Split
from app.har.progress import Event
from app.har.signals.types import SignalSet
from app.har.smoothing import bout_lengths, shortest_bout
from app.har.training.config import TrainConfig, validated
from app.har.training.experiment import run_experiment
from app.har.training.pooled import FEWEST, with_complete_sensors, with_even_training, with_flat_labels
from app.har.training.results import METRIC_NAMES, Result, metrics_table, write_result
from app.har.vocabulary import shared_names
from app.har.windows import WindowSet, make_windows
from tests import synthetic

Cells = list[tuple[str, str, int, int]]  # data set, person, activity, windows


def windows_of(cells: Cells, activities: tuple[str, ...] = ("Sitting", "Walking", "Running")) -> WindowSet:
    """Return windows of nothing."""
    rows = [(dataset, f"{dataset}/{person}", y) for dataset, person, y, n in cells for _ in range(n)]
    datasets, subjects, y = (np.array(column) for column in zip(*rows, strict=True))
    return WindowSet(
        np.zeros((len(rows), 4, 6), np.float32), y.astype(np.int64), activities, subjects, subjects,
        np.arange(len(rows), dtype=np.float64), ("acc_x", "acc_y", "acc_z", "gyro_x", "gyro_y", "gyro_z"), 10.0,
        "removed", datasets,
    )  # fmt: skip


def drawn(windows: WindowSet, seed: int = 0) -> tuple[WindowSet, Split]:
    """Return the training windows that are drawn from all."""
    everything = Split(np.arange(len(windows)), np.array([0]), "random", seed)
    (split,) = with_even_training(windows, [everything], seed)
    return windows.take(split.train), split


def test_data_sets_count_evenly_and_the_people_of_each() -> None:
    cells = [
        ("big", "glutton", 0, 4000),
        ("big", "a", 0, 300),
        ("big", "b", 0, 300),
        ("small", "c", 0, 150),
        ("small", "d", 0, 250),
    ]
    train, _ = drawn(windows_of(cells))
    assert train.datasets is not None
    assert Counter(train.datasets.tolist()) == {"big": 400, "small": 400}
    assert Counter(train.subjects.tolist()) == {
        "big/glutton": 134, "big/a": 133, "big/b": 133, "small/c": 150, "small/d": 250,
    } or Counter(Counter(train.subjects[train.datasets == "big"].tolist()).values()) == {133: 2, 134: 1}  # fmt: skip


def test_a_tiny_data_set_does_not_starve_the_others() -> None:
    train, _ = drawn(
        windows_of([("big", "a", 0, 900), ("tiny", "b", 0, 3), ("big", "a", 1, 50), ("tiny", "b", 1, 700)])
    )
    assert train.datasets is not None
    counts = Counter(zip(train.datasets.tolist(), train.y.tolist(), strict=True))
    assert counts == {("big", 0): FEWEST, ("tiny", 0): 3, ("big", 1): 50, ("tiny", 1): FEWEST}


CELLS = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from("123"), st.integers(0, 2), st.integers(1, 150)),
    min_size=1,
    max_size=12,
)


@given(CELLS, st.integers(0, 3))
@settings(max_examples=60, deadline=None)
def test_nobody_gives_more_while_another_of_the_set_has_some_left(cells: Cells, seed: int) -> None:
    windows = windows_of(cells)
    train, split = drawn(windows, seed)
    assert drawn(windows, seed)[1].train.tolist() == split.train.tolist()
    assert set(np.diff(split.train)) <= set(range(1, len(windows)))  # sorted, each once
    had, gave = (
        Counter(zip(w.datasets.tolist(), w.subjects.tolist(), w.y.tolist(), strict=True))
        for w in (windows, train)
        if w.datasets is not None
    )
    for (dataset, person, y), n in had.items():
        rest = [gave[key] for key in had if key[0] == dataset and key[2] == y and key[1] != person]
        if gave[dataset, person, y] < n:
            assert all(other <= gave[dataset, person, y] + 1 for other in rest)


def test_one_set_is_trained_on_as_ever() -> None:
    windows = replace(windows_of([("one", "a", 0, 900), ("one", "b", 1, 20)]), datasets=None)
    assert len(drawn(windows)[0]) == 920


def test_a_label_that_holds_others_is_left_out_and_counted() -> None:
    names = ("Walking", "Stairs", "Stairs up", "Running")
    windows = windows_of([("one", "a", 0, 5), ("one", "a", 1, 7), ("two", "b", 2, 3), ("two", "b", 1, 1)], names)
    flat, left_out = with_flat_labels(windows)
    assert flat.activities == ("Walking", "Stairs up")
    assert [flat.activities[label] for label in flat.y] == ["Walking"] * 5 + ["Stairs up"] * 3
    assert left_out == {"one": {"Stairs": 7}, "two": {"Stairs": 1}}
    alone, none = with_flat_labels(windows.take(windows.y != 2))
    assert (alone.activities, none) == (("Walking", "Stairs"), {})


def test_sensors_that_a_data_set_lacks_are_left_and_so_are_windows_that_lack_another() -> None:
    windows = windows_of([("one", "a", 0, 4), ("one", "a", 1, 4), ("two", "b", 1, 4)])
    assert with_complete_sensors(windows) == (windows, {})
    windows.X[1, :, 3:] = np.nan  # one person's gyroscope failed for a while
    found, left_out = with_complete_sensors(windows)
    assert (found.X.shape, len(found.channels), left_out) == ((11, 4, 6), 6, {"one": {"Sitting": 1}})
    alone, left_out = with_complete_sensors(replace(windows, datasets=None))
    assert (len(alone), left_out) == (11, {"": {"Sitting": 1}})
    windows.X[8:, :, 3:] = np.nan  # and the second set has none
    found, left_out = with_complete_sensors(windows)
    assert (found.X.shape, found.channels, left_out) == ((12, 4, 3), ("acc_x", "acc_y", "acc_z"), {})
    windows.X[:6, :, :3] = np.nan
    with pytest.raises(InsufficientData, match="no sensor in common"):
        with_complete_sensors(windows)


# --- whole trainings


def named(name: str, signals: SignalSet, *activities: str) -> Member:
    signals = replace(signals, activities=activities) if activities else signals
    return Member(name, signals, shared_names(signals.activities, {}))


def three_sets(channels: int = 3) -> Pool:
    """Return three sets as one, the last of them with so many channels, and of half the rate."""
    last = synthetic.signal_set(3, rate_hz=25.0, seed=3)
    return pool(
        [
            named("home", synthetic.signal_set(4, seed=1), "still", "walking", "jogging"),
            named("lab", synthetic.signal_set(4, rate_hz=100.0, seed=2), "SITTING", "WALKING", "Kicking"),
            named(
                "pocket",
                replace(last, signal=last.signal[:, :channels], channels=last.channels[:channels]),
                "sit",
                "wlk",
                "run",
            ),
        ]
    )


def trained(found: Pool, folder: Path, *, models: tuple[str, ...], protocol: str, events: list[Event]) -> Result:
    config = validated({"models": models, "protocol": protocol, "epochs": 2})
    data = {"dataset": "home, lab, pocket", "fingerprint": ""}
    return run_experiment(found.signals, config, folder, data=data, on_event=events.append, plots=False)


def test_data_sets_are_left_out_in_turn_and_each_is_named(tmp_path: Path) -> None:
    events: list[Event] = []
    result = trained(three_sets(), tmp_path, models=("random-forest", "naive-bayes"), protocol="dataset", events=events)
    assert [fold["dataset"] for fold in result["folds"]] == ["home", "lab", "pocket"]
    for metrics in result["models"].values():
        assert [fold["dataset"] for fold in metrics["folds"]] == ["home", "lab", "pocket"]
    assert result["models"]["random-forest"]["folds"][2]["accuracy"] > 0.9
    for fold in result["folds"]:
        assert all(name.startswith(f"{fold['dataset']}/") for name in fold["subjects"]["test"])
        assert not any(name.startswith(f"{fold['dataset']}/") for name in fold["subjects"]["train"])
    assert result["channels"] == ["acc_x", "acc_y", "acc_z"]  # pocket has no gyroscope
    assert result["left_out"] == [
        {"dataset": "home", "activity": "Still", "windows": 16, "reason": "the label holds others that there are"},
        {"dataset": "lab", "activity": "Kicking", "windows": 16, "reason": "the other data sets lack it"},
    ]
    assert (result["split"]["protocol"], result["split"]["folds"]) == ("dataset", 3)  # type: ignore[typeddict-item]
    assert {event["dataset"] for event in events if event["stage"] == "fold scored"} == {"home", "lab", "pocket"}
    assert not (tmp_path / "model").exists()
    written = json.loads((tmp_path / "metrics.json").read_text())
    assert written["models"]["naive-bayes"]["folds"][0]["dataset"] == "home"
    with (tmp_path / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["model"], row["data_set"]) for row in rows[:4]] == [
        ("random-forest", name) for name in ("all", "home", "lab", "pocket")
    ]
    assert float(rows[1]["f1_value"]) == result["models"]["random-forest"]["folds"][0]["f1"]
    assert rows[1]["f1_low"] == ""
    table = metrics_table(result)
    assert list(table.columns) == list(rows[0])
    assert table["fit_seconds"].tolist() == [float(row["fit_seconds"]) for row in rows]


def test_no_name_in_the_table_of_metrics_is_a_formula_to_a_spreadsheet(tmp_path: Path) -> None:
    figures = {metric: {"value": 0.5, "low": 0.4, "high": 0.6} for metric in METRIC_NAMES}
    others = {"fit_seconds": 1.0, "predict_windows_per_second": 2.0, "calibration_error": 0.1}
    fold = {"dataset": "=cmd()", **dict.fromkeys(METRIC_NAMES, 0.5), **others}
    models = {"random-forest": {**figures, **others, "folds": [fold]}}
    write_result({"models": models, "split": {"protocol": "dataset"}}, tmp_path)  # type: ignore[typeddict-item]
    assert "random-forest,'=cmd(),0.5,,," in (tmp_path / "metrics.csv").read_text()
    write_result({"models": models, "split": {"protocol": "subject"}}, tmp_path)  # type: ignore[typeddict-item]
    assert (tmp_path / "metrics.csv").read_text().splitlines()[1:] == [
        "random-forest," + "0.5,0.4,0.6," * 4 + "1.0,2.0,0.1"
    ]


def test_a_model_of_several_sets_is_kept_and_says_which(tmp_path: Path) -> None:
    found = three_sets(channels=6)
    config = TrainConfig(models=("elm-gru-am",), protocol="subject", epochs=2)
    sets = [{"dataset": name, "fingerprint": name * 2} for name in ("home", "lab", "pocket")]
    data = {"dataset": "home, lab, pocket", "fingerprint": "", "datasets": sets, "notes": list(found.notes)}
    result = run_experiment(found.signals, config, tmp_path, data=data, plots=False)
    assert len(result["channels"]) == 6
    card = (tmp_path / "model" / "model_card.md").read_text()
    assert "Data set pocket, fingerprint `pocketpocket`" in card
    assert "home: 50 Hz, resampled to 25 Hz" in card
    manifest = json.loads((tmp_path / "model" / "manifest.json").read_text())
    whose = zip(found.signals.recording_ids, found.signals.subjects, strict=True)
    learnt = [name for name, subject in whose if subject in manifest["split"]["subjects"]["train"]]
    assert manifest["shortest_bout_s"] == shortest_bout(bout_lengths(found.signals, learnt))
    assert manifest["data"]["datasets"] == sets
    assert manifest["activities"] == ["Sitting", "Walking", "Running", "Kicking"]


def test_every_model_is_drawn_the_same_windows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from app.har.classifiers.baselines.on_features import DecisionTree, NaiveBayes

    seen: list[list[str]] = []
    for model in (DecisionTree, NaiveBayes):
        fit = model._fit

        def spy(self, windows, *rest, fit=fit):  # type: ignore[no-untyped-def]
            seen.append([f"{r} {s}" for r, s in zip(windows.recordings, windows.start_s, strict=True)])
            return fit(self, windows, *rest)

        monkeypatch.setattr(model, "_fit", spy)
    trained(three_sets(), tmp_path, models=("decision-tree", "naive-bayes"), protocol="dataset", events=[])
    assert len(seen) == 6
    assert seen[:3] == seen[3:]


@pytest.mark.real_data
def test_two_real_sets_are_left_out_in_turn(real_store: Callable[[str], Store], tmp_path: Path) -> None:
    sets = {"hapt": "hapt/HAPT Data Set.zip", "motion-sense": "motion-sense/motion-sense.zip"}
    found = pool([named(name, real_store(path).signals) for name, path in sets.items()])
    assert (found.signals.sampling_rate_hz, found.signals.gravity, found.notes) == (50.0, "included", ())
    postures, others = ("Standing", "Sitting", "Lying"), ("Walking", "Stairs up", "Stairs down", "Running")
    assert found.signals.activities == (*postures, *others)
    output = tmp_path / "output"
    output.mkdir()
    result = trained(found, output, models=("k-nearest-neighbours",), protocol="dataset", events=[])
    folds = {fold["dataset"]: fold for fold in result["models"]["k-nearest-neighbours"]["folds"]}
    assert {name: fold["accuracy"] > 0.25 for name, fold in folds.items()} == {"hapt": True, "motion-sense": True}
    assert {(one["dataset"], one["activity"]) for one in result["left_out"]} == {
        ("hapt", "Lying"), ("motion-sense", "Running"),
    }  # fmt: skip
    windows = make_windows(found.signals, 3.0)
    assert sum(one["windows"] for one in result["left_out"]) + result["split"]["test_windows"] == len(windows)
