"""The everyday model among others: the same windows, its own rows to learn from, a card, and a model that is kept."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from app.har.classifiers.everyday.inputs import movement_and_gravity
from app.har.classifiers.stored_models import load_model
from app.har.datasets.pool import Member, pool, together
from app.har.signals.one_rate import at_rate
from app.har.signals.types import SignalSet
from app.har.smoothing import bout_lengths, shortest_bout
from app.har.training.config import TrainConfig
from app.har.training.everyday import EverydayRows, beside, in_activities, with_everyday_labels
from app.har.training.experiment import run_experiment
from app.har.training.results import Result
from app.har.vocabulary import shared_names
from app.har.windows import make_windows
from tests import everyday

OWN = {"Walking": "wlk", "Stairs up": "ups", "Stairs down": "dws", "Standing": "std", "Sitting": "sit"}
PUSH_UPS = "Push-up"  # that the everyday model does not know


@cache
def signals(place: str, people: tuple[int, ...], rate_hz: float = 50.0) -> SignalSet:
    """Return a data set of some people: a day each, with gravity in the acceleration, and some push-ups."""
    names = (*(OWN.get(name, name) for name in everyday.ACTIVITIES), PUSH_UPS)
    parts, labels = [], []
    for person in people:
        for number, (activity, n) in enumerate((*everyday.DAY, ("Running", 4))):
            values = everyday.signal(activity, person, n, place=place, seed=number).reshape(-1, 9)
            parts.append(np.column_stack([values[:, :3] + values[:, 6:], values[:, 3:6]]))
            is_push_up = number == len(everyday.DAY)
            labels.append(np.full(len(values), len(names) - 1 if is_push_up else everyday.ACTIVITIES.index(activity)))
    length = sum(len(part) for part in parts) // len(people)
    n = len(people)
    found = SignalSet(
        np.concatenate(parts).astype(np.float32),
        np.concatenate(labels).astype(np.int16),
        ("acc_x", "acc_y", "acc_z", "gyro_x", "gyro_y", "gyro_z"),
        50.0,
        "included",
        names,
        tuple(f"day {person}" for person in people),
        tuple(f"{person}" for person in people),
        np.arange(n) * length,
        np.full(n, length),
        np.arange(n),
        np.zeros(n),
    )
    return at_rate(found, rate_hz)


def members() -> list[Member]:
    sets = {"pockets": signals("leg", (10, 11, 12)), "waists": signals("trunk", (20, 21, 22), 40.0)}
    return [Member(name, one, shared_names(one.activities, {})) for name, one in sets.items()]


def for_everyday(of: list[Member]) -> SignalSet:
    return together([Member(one.name, movement_and_gravity(one.signals), one.names) for one in of])


def run(folder: Path, config: TrainConfig) -> Result:
    folder.mkdir()
    data = {
        "dataset": "pockets, waists",
        "datasets": [{"dataset": "pockets", "place": "leg"}, {"dataset": "waists", "place": "trunk"}],
    }
    whole = pool(members()).signals
    return run_experiment(whole, config, folder, data=data, plots=False, everyday=for_everyday(members()))


def test_windows_of_both_are_of_the_same_moments() -> None:
    whole, own = pool(members()).signals, for_everyday(members())
    windows = make_windows(whole)
    seen = beside(own, windows)
    assert seen.sampling_rate_hz == 50.0
    assert seen.X.shape == (len(windows), 150, 9)
    total = seen.X[:, ::5, :3] + seen.X[:, ::5, 6:]  # 40 Hz and 50 Hz meet every tenth of a second
    apart = np.abs(total - windows.X[:, ::4, :3]).mean(axis=(1, 2))
    assert np.median(apart) < 0.1
    assert np.abs(total - np.roll(windows.X[:, ::4, :3], 1, axis=0)).mean() > 1


def test_activities_that_are_none_of_the_everyday_ones_are_left_out_and_counted() -> None:
    windows, left_out = with_everyday_labels(make_windows(pool(members()).signals))
    assert PUSH_UPS not in windows.activities
    assert {name: list(of) for name, of in left_out.items()} == {"pockets": [PUSH_UPS], "waists": [PUSH_UPS]}


@pytest.mark.parametrize("protocol", ["dataset", "subject", "random"])
def test_nothing_of_the_tested_people_is_learnt(protocol: str) -> None:
    from app.har.evaluation.splits import leave_datasets_out, split_windows

    windows, _ = with_everyday_labels(make_windows(pool(members()).signals))
    rows = EverydayRows.of(for_everyday(members()), windows, 0.0)
    split = leave_datasets_out(windows)[0] if protocol == "dataset" else split_windows(windows, protocol, 1)  # type: ignore[arg-type]
    learnt, tested = rows.to_learn(split, windows), rows.tested.take(split.test)
    key = {"dataset": "datasets", "subject": "subjects"}.get(protocol)
    if key:
        assert not set(getattr(learnt, key)) & set(getattr(tested, key))
        assert len(set(rows.learnt.subjects)) > len(set(learnt.subjects)) > 0
    moments = [set(zip(part.recordings, part.start_s, strict=True)) for part in (learnt, tested)]
    assert not moments[0] & moments[1]


def test_answers_are_scored_in_the_activities_of_the_others() -> None:
    proba = np.array([[0.1, 0.2, 0.0, 0.3, 0.1, 0.1, 0.0, 0.2]], np.float32)  # the last: not worn
    found = in_activities(proba, ("Still", "Walking", "Stairs", "Running"))
    np.testing.assert_allclose(found, [[0.375, 0.375, 0.25, 0.0]], atol=1e-6)


def test_by_data_set_a_model_of_all_is_kept_with_the_figures_of_those_left_out(tmp_path: Path) -> None:
    result = run(tmp_path / "run", TrainConfig(models=("everyday", "naive-bayes"), protocol="dataset"))
    of_everyday, of_bayes = (result["models"][name] for name in ("everyday", "naive-bayes"))
    assert [fold["dataset"] for fold in of_everyday["folds"]] == ["pockets", "waists"]
    assert sum(row["support"] for row in of_everyday["per_activity"]) == sum(
        row["support"] for row in of_bayes["per_activity"]
    )
    assert of_everyday["f1"]["value"] > of_bayes["f1"]["value"]
    assert [one["dataset"] for one in of_everyday["answers"]] == ["pockets", "waists"]
    assert min(one["true"] for one in of_everyday["answers"]) > 0.9
    assert not (tmp_path / "run" / "model").exists()
    kept = tmp_path / "run" / "model-everyday"
    model = load_model(kept)
    assert (model.name, model.place_of) == ("everyday", {"pockets": "leg", "waists": "trunk"})  # type: ignore[attr-defined]
    assert model.questions_.place is not None  # type: ignore[attr-defined]
    assert model.shortest_bout_s == shortest_bout(bout_lengths(for_everyday(members())))
    card = (kept / "model_card.md").read_text(encoding="utf-8")
    assert "Each data set was left out of training and of calibration" in card
    assert f"| pockets | {of_everyday['answers'][0]['windows']:,} | {of_everyday['answers'][0]['true']:.3f} |" in card
    assert "pockets: worn leg" in card


def test_by_subject_the_tested_model_is_kept_and_without_keeping_none(tmp_path: Path) -> None:
    result = run(tmp_path / "kept", TrainConfig(models=("everyday",), protocol="subject"))
    assert result["split"]["test_subjects"] >= 1
    assert not set(result["split"]["subjects"]["train"]) & set(result["split"]["subjects"]["test"])
    assert (tmp_path / "kept" / "model-everyday" / "manifest.json").is_file()
    run(tmp_path / "not", TrainConfig(models=("everyday",), protocol="dataset", keep=False))
    assert not (tmp_path / "not" / "model-everyday").exists()


def test_it_needs_its_own_signals(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="as it reads them"):
        run_experiment(pool(members()).signals, TrainConfig(models=("everyday",)), tmp_path, data={})
