from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest

from app.har.datasets.store import build_store, open_store
from app.har.errors import InsufficientData, ModelIntegrityError
from app.har.falls.features import NAMES, features
from app.har.falls.impacts import Impacts
from app.har.falls.trained import TrainedFalls, goes_on, load
from app.har.falls.training import FALLEN, Examples, best_limit, examples, is_fall, joined, train
from app.har.falls.watch import FallWatch
from app.har.recordings.formats.sisfall import ACCELERATION_PER_BIT, ACTIVITIES
from app.har.signals.units import STANDARD_GRAVITY
from benchmarks.data import DATA
from config import ROOT
from tests.falls import FALL_S, START_S, Sensor, batches, fall, running, sisfall_zip, sitting_down_after_walking

REFERENCE = load(ROOT / "reference_models" / "falls" / "reference-falls")


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Examples:
    folder = tmp_path_factory.mktemp("falls")
    build_store(sisfall_zip(folder / "falls.zip"), folder / "store")
    return examples(open_store(folder / "store").signals)


@pytest.fixture(scope="module")
def detector(found: Examples) -> TrainedFalls:
    return train(found, {"trained_on": "made falls"})


def test_each_fall_of_a_data_set_gives_one_impact_to_learn_from(found: Examples) -> None:
    assert found.rows.shape[1] == len(NAMES)
    assert np.isfinite(found.rows).all()
    assert (found.kind == FALLEN).sum() == found.bout_fall.sum() == 24


def test_a_trained_detector_tells_falls_of_a_person_it_has_not_seen(detector: TrainedFalls) -> None:
    watch = FallWatch(detector)
    (candidate,) = [c for part in batches(fall(50.0, seed=99)) for c in watch.step({"acceleration": part})]
    assert candidate.method == "trained"
    assert abs(candidate.time_s - START_S - FALL_S) < 0.05
    assert FallWatch(detector).step({"acceleration": running()}) == []
    assert FallWatch(detector).step({"acceleration": fall(turned_deg=6, seed=98)}) == []


def test_a_second_opinion_counts_a_quarter(found: Examples, detector: TrainedFalls) -> None:
    both = train(found, {}, second=REFERENCE)
    one, other = detector.scores(found.rows), REFERENCE.scores(found.rows)
    np.testing.assert_allclose(both.scores(found.rows), 0.75 * one + 0.25 * other, atol=1e-6)


@pytest.mark.parametrize("rate_hz", [20.0, 50.0, 100.0])
@pytest.mark.parametrize("range_g", [2.0, 4.0, 16.0])
def test_the_detector_that_comes_along_tells_falls_of_slow_and_clipped_sensors(rate_hz: float, range_g: float) -> None:
    sensor = fall(rate_hz)
    clipped = np.clip(sensor.values, -range_g * STANDARD_GRAVITY, range_g * STANDARD_GRAVITY)
    watch = FallWatch(REFERENCE)
    told = [c for part in batches(Sensor(sensor.time_s, clipped)) for c in watch.step({"acceleration": part})]
    assert [abs(c.time_s - START_S - FALL_S) < 0.1 for c in told] == [True]


@pytest.mark.parametrize(
    "sensor",
    [
        pytest.param(running(), id="running"),
        pytest.param(sitting_down_after_walking(), id="sitting down after walking, in a pocket"),
        pytest.param(fall(peak_g=1.5), id="lying down"),
    ],
)
def test_the_detector_that_comes_along_tells_of_nothing_else(sensor: Sensor) -> None:
    watch = FallWatch(REFERENCE)
    assert [c for part in batches(sensor) for c in watch.step({"acceleration": part})] + watch.end() == []


def test_movement_that_goes_on_is_no_fall_at_little_cost() -> None:
    assert all(goes_on(impact) for impact in Impacts().step(running()))
    assert not any(goes_on(impact) for impact in Impacts().step(fall()) if impact.time_s > START_S + FALL_S - 0.1)


def test_features_do_not_depend_on_how_a_device_lies() -> None:
    turn, _ = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))
    sensor = fall()
    turned = Sensor(sensor.time_s, (sensor.values @ turn).astype(np.float32))
    one, other = (features(Impacts().step(each)) for each in (sensor, turned))
    np.testing.assert_allclose(one, other, atol=2e-3)


def test_a_stored_detector_scores_as_before_and_is_refused_when_changed(detector: TrainedFalls, tmp_path: Path) -> None:
    detector.save(tmp_path / "one")
    again = load(tmp_path / "one")
    impacts = Impacts().step(fall())
    assert again.score(impacts) == detector.score(impacts)
    assert (again.limit, again.facts) == (detector.limit, detector.facts)
    arrays = tmp_path / "one" / "arrays.npz"
    arrays.write_bytes(arrays.read_bytes()[:-1] + b"x")
    with pytest.raises(ModelIntegrityError, match=r"arrays\.npz was changed"):
        load(tmp_path / "one")


def test_the_limit_lies_between_falls_and_others_where_nothing_lies_between(found: Examples) -> None:
    scores = np.where(found.kind == FALLEN, 0.8, 0.1)
    assert 0.1 < best_limit(found, scores) < 0.8


def test_too_few_people_or_data_without_gravity_are_refused(found: Examples, tmp_path: Path) -> None:
    alone = replace(found, bout_person=np.full(len(found.bout_person), "one"))
    with pytest.raises(InsufficientData, match="1 people and 24 falls"):
        train(alone, {})
    build_store(sisfall_zip(tmp_path / "falls.zip", people=1), tmp_path / "store")
    signals = open_store(tmp_path / "store").signals
    with pytest.raises(InsufficientData, match="gravity"):
        examples(replace(signals, gravity="removed"))


def test_data_sets_are_put_together_as_of_different_people(found: Examples) -> None:
    both = joined([found, found])
    assert len(np.unique(both.bout_person)) == 2 * len(np.unique(found.bout_person))
    np.testing.assert_array_equal(both.bout_activity[both.bout], np.tile(found.bout_activity[found.bout], 2))


def test_falls_are_known_by_name() -> None:
    assert all(is_fall(name) == (code[0] == "F") for code, name in ACTIVITIES.items())


@pytest.mark.real_data
def test_the_threshold_method_tells_real_falls_from_real_activities() -> None:
    told = {"F": [], "D": []}
    with ZipFile(DATA / "sisfall" / "SisFall_dataset_R01.zip") as archive:
        for name in archive.namelist():
            code = name.rpartition("/")[2][:3]
            if "/SA01/" not in name or code in ("D01", "D02", "D03", "D04"):
                continue
            text = archive.read(name).decode().replace(";", "")
            counts = np.array([row.split(",")[:3] for row in text.split("\n") if row.count(",") == 8], np.float32)
            sensor = Sensor(START_S + np.arange(len(counts)) / 200, counts * np.float32(ACCELERATION_PER_BIT))
            told[code[0]].append(len(FallWatch().step({"acceleration": sensor})))
    assert (len(told["F"]), len(told["D"])) == (15, 15)
    assert np.mean(np.minimum(told["F"], 1)) >= 0.9
    assert np.mean(told["D"]) <= 0.1
