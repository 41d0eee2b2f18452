"""The everyday model as a whole: what it answers, of any device, and what it is measured against."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.har.classifiers import model_folder, stored_models
from app.har.classifiers.everyday.answer import ACTIVITIES
from app.har.classifiers.everyday.classifier import EverydayClassifier
from app.har.classifiers.everyday.novelty import fit_novelty
from app.har.classifiers.everyday.persistence import save_model
from app.har.classifiers.types import Recognition
from app.har.errors import InsufficientData, ModelIntegrityError, UnusableRecording
from app.har.vocabulary import AnswerTree
from app.har.windows import WindowSet
from tests import everyday
from tests.conftest import ROOT

TREE = AnswerTree(ACTIVITIES)


@pytest.fixture(scope="module")
def model() -> EverydayClassifier:
    return everyday.model()


@pytest.fixture(scope="module")
def day() -> WindowSet:
    """Return a day of somebody whom the model does not know."""
    return everyday.windows_of(everyday.DAY, 7)


@pytest.fixture(scope="module")
def answer(model: EverydayClassifier, day: WindowSet) -> Recognition:
    return model.recognise_all([day])


def truth(proba: np.ndarray, windows: WindowSet) -> float:
    """Return the share of answers, as deep as they are sure, that are true."""
    nodes = [TREE.nodes[i] for i in TREE.answers(proba, 0.8)]
    labels = [windows.activities[i] for i in windows.y]
    return float(np.mean([TREE.agrees(node, label) for node, label in zip(nodes, labels, strict=True)]))


def level(proba: np.ndarray) -> np.ndarray:
    """Return still, on foot or running."""
    return np.stack([proba[:, :3].sum(axis=1), proba[:, 3:6].sum(axis=1), proba[:, 6]], axis=1).argmax(axis=1)


def true_level(windows: WindowSet) -> np.ndarray:
    return np.array([0, 0, 1, 1, 1, 2])[windows.y]


@pytest.mark.parametrize("lacking", [(), ("gyro",), ("gravity",), ("gyro", "gravity")])
def test_any_device_with_an_accelerometer_is_understood(
    lacking: tuple[str, ...], model: EverydayClassifier, day: WindowSet
) -> None:
    windows = everyday.without(day, *lacking)
    found = model.recognise_all([windows])
    proba = found.probabilities
    assert proba.shape == (len(day), len(ACTIVITIES))
    np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-5)
    assert (level(proba) == true_level(day)).mean() >= 0.95
    assert truth(proba, day) >= 0.9
    if "gravity" in lacking:
        assert np.ptp(proba[:, :3], axis=1).max() < 1e-6  # postures stay open
    assert model.prior is not None
    assert found.features.shape == (len(day), model.prior.n_features)
    assert np.isfinite(found.features).all()
    sensors = np.array([name not in lacking for name in ("acc", "gyro", "gravity")])
    np.testing.assert_allclose(found.sensor_attention, np.tile(sensors / sensors.sum(), (len(day), 1)))
    np.testing.assert_array_equal(np.isinf(found.novelty), np.tile(~sensors, (len(day), 1)))


def test_the_answer_is_the_same_however_the_device_is_turned(
    model: EverydayClassifier, day: WindowSet, answer: Recognition
) -> None:
    turned = WindowSet.joined([day])
    turned.X[:] = everyday.turned(day, everyday.rotation(99))
    np.testing.assert_allclose(model.recognise_all([turned]).probabilities, answer.probabilities, atol=0.05)


def test_without_an_accelerometer_nothing_is_answered(model: EverydayClassifier, day: WindowSet) -> None:
    with pytest.raises(UnusableRecording, match="needs an accelerometer"):
        model.recognise_all([everyday.without(day, "acc")])


def test_a_window_without_acceleration_has_no_answer(model: EverydayClassifier, day: WindowSet) -> None:
    part = day.take(np.arange(20))
    part.X[5:8, :, :3] = np.nan
    proba = model.recognise_all([part]).probabilities
    np.testing.assert_allclose(proba[5:8], 1 / len(ACTIVITIES))
    assert (level(np.delete(proba, [5, 6, 7], axis=0)) == 1).all()


def test_a_window_without_acceleration_is_not_called_unlike_all_activities(model: EverydayClassifier) -> None:
    shaken = everyday.windows_of([("Walking", 6)])
    shaken.X[:, :, :6] *= 40
    shaken.X[3, :, :3] = np.nan
    assert model.recognise_all([shaken]).unfamiliar.tolist() == [True] * 3 + [False] + [True] * 2


def test_the_answer_does_not_depend_on_how_batches_are_cut(
    model: EverydayClassifier, day: WindowSet, answer: Recognition
) -> None:
    batches = [day.take(slice(i, i + 7)) for i in range(0, len(day), 7)]
    many = model.recognise_all(iter(batches))
    np.testing.assert_allclose(many.probabilities, answer.probabilities, atol=1e-5)
    assert many.wearings == answer.wearings
    np.testing.assert_array_equal(model.predict_proba(day), answer.probabilities)


def test_the_same_seed_gives_the_same_model(model: EverydayClassifier, day: WindowSet, answer: Recognition) -> None:
    again = EverydayClassifier(everyday.PLACE_OF).fit(everyday.training(), seed=1)
    np.testing.assert_allclose(again.recognise_all([day]).probabilities, answer.probabilities, atol=1e-6)


def test_a_wearing_says_where_and_against_what(model: EverydayClassifier, day: WindowSet, answer: Recognition) -> None:
    (one,) = answer.wearings
    assert (one.recording, one.start_s, one.end_s) == ("r", 0.0, 3.0 * len(day))
    assert (one.place, one.place_known) == ("leg", False)
    assert one.reference == "this recording"
    assert one.reference_start_s == pytest.approx(0.0, abs=30)
    assert one.reference_windows >= 30
    (said,) = model.recognise_all([day], "trunk").wearings
    assert (said.place, said.place_known) == ("trunk", True)
    still = everyday.windows_of([("Standing", 8)])
    (nothing,) = model.recognise_all([still]).wearings
    assert (nothing.place, nothing.reference, nothing.reference_start_s) == ("", "", None)


def test_a_device_on_a_table_is_not_worn(model: EverydayClassifier) -> None:
    table = everyday.windows_of([("Standing", 10)])
    table.X[:, :, :6] /= 20  # 4 mm/s²
    found = model.recognise_all([table])
    assert (found.probabilities.argmax(axis=1) == ACTIVITIES.index("Not worn")).all()
    assert found.wearings[0].place == "table"


def test_known_walking_is_what_windows_are_measured_against(model: EverydayClassifier, day: WindowSet) -> None:
    walking = everyday.windows_of([("Walking", 10)], 7, recording="walk")
    known = model.walking_reference([walking.take(slice(0, 4)), walking.take(slice(4, 10))])
    assert (known.n_windows, known.recording, known.start_s) == (10, "walk", 0.0)
    only_up = everyday.windows_of([("Stairs up", 10)], 7, recording="up")
    found = model.recognise_all([only_up], walking=known)
    assert found.wearings[0].reference == "known walking"
    assert found.wearings[0].reference_windows == 10
    stairs = found.probabilities[:, 4:6].sum(axis=1)
    assert stairs.mean() > model.recognise_all([only_up]).probabilities[:, 4:6].sum(axis=1).mean()
    assert stairs.mean() > 0.8


def test_a_reference_needs_walking(model: EverydayClassifier) -> None:
    standing = everyday.windows_of([("Standing", 10), ("Walking", 3)])
    with pytest.raises(UnusableRecording, match=r"Only \d+ s .* on foot; expected at least 15 s"):
        model.walking_reference([standing])


def test_rest_is_known_however_quiet_it_is_and_a_dead_sensor_does_not_rest(model: EverydayClassifier) -> None:
    windows = everyday.training()
    still = windows.take(np.flatnonzero(np.isin(windows.y, [windows.activities.index("Standing")]))[:8])
    noise = np.random.default_rng(0).normal(size=still.X.shape).astype(np.float32)
    quiet = replace(still, X=np.where(np.arange(9) < 6, 0.005 * noise, still.X).astype(np.float32))
    dead = replace(still, X=np.where(np.arange(9) < 6, 0, still.X).astype(np.float32))
    assert (model.recognise_all([quiet]).novelty[:, 0] <= 1).all()
    track = model.track(dead)
    assert (model.novelty_(track, model.columns) > 1).all()
    assert (model.recognise_all([dead]).novelty[:, 0] > 1).all()


def test_what_is_unlike_all_that_was_learnt_is_novel(model: EverydayClassifier, day: WindowSet) -> None:
    assert (model.recognise_all([everyday.training()]).novelty[:, 0] <= 1).mean() > 0.85
    shaken = day.take(np.arange(20))
    shaken.X[:, :, :3] = 60 * np.sign(np.sin(2 * np.pi * 7 * np.arange(150) / 50))[:, None]
    assert (model.recognise_all([shaken]).novelty[:, 0] > 1).all()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_no_numbers_are_refused(value: float, model: EverydayClassifier, day: WindowSet) -> None:
    spoilt = day.take(np.arange(5))
    spoilt.X[1, 3, 1] = value
    with pytest.raises(UnusableRecording, match="missing or infinite"):
        model.recognise_all([spoilt])


def test_it_learns_from_its_own_channels_and_two_levels_at_least() -> None:
    windows = everyday.data_set("pockets", 1)
    renamed = WindowSet(**{**vars(windows), "channels": windows.channels[::-1]})
    with pytest.raises(InsufficientData, match="learns from acc_x"):
        EverydayClassifier().fit(renamed)
    with pytest.raises(InsufficientData, match="two at least of still, on foot and running"):
        EverydayClassifier().fit(windows.take(windows.y < 2))


def test_people_who_are_left_out_must_leave_two_levels_to_learn_from() -> None:
    with pytest.raises(InsufficientData, match="calibrated on people who were left out"):
        EverydayClassifier().fit(everyday.data_set("pockets", 1))


def test_so_few_windows_that_nothing_can_be_called_unlike_them_are_refused(
    model: EverydayClassifier, day: WindowSet
) -> None:
    training, _ = model._training(day.take(np.flatnonzero(day.y == 2)[:5]))
    with pytest.raises(InsufficientData, match="more than 5 windows of an activity"):
        fit_novelty(training, model.columns, seed=0)


def test_a_data_set_of_walking_alone_may_be_among_others() -> None:
    walks = everyday.data_set("waists", 6)
    only_walks = walks.take(walks.y == everyday.ACTIVITIES.index("Walking"))
    windows = WindowSet.joined([everyday.data_set("pockets"), only_walks])
    model = EverydayClassifier(everyday.PLACE_OF).fit(windows)
    proba = model.recognise_all([everyday.windows_of(everyday.DAY, 7)]).probabilities
    assert np.isfinite(proba).all()


@pytest.fixture(scope="module")
def folder(model: EverydayClassifier, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("everyday") / "stored"
    save_model(model, folder, texts={"card.md": "A card"})
    return folder


def test_a_stored_model_answers_the_same(folder: Path, day: WindowSet, answer: Recognition) -> None:
    stored = stored_models.load_model(folder)
    assert (stored.activities, stored.channels) == (ACTIVITIES, day.channels)
    found = stored.recognise_all([day])
    np.testing.assert_allclose(found.probabilities, answer.probabilities, atol=1e-6)
    np.testing.assert_allclose(found.novelty, answer.novelty, rtol=1e-5)
    assert found.wearings == answer.wearings
    np.testing.assert_allclose(found.features, answer.features, atol=0.02)


def test_a_model_from_before_there_were_personal_heads_answers_the_same_and_has_no_features(
    folder: Path, tmp_path: Path, day: WindowSet, answer: Recognition
) -> None:
    manifest, arrays = model_folder.read(folder)
    before = {name: array for name, array in arrays.items() if not name.startswith("space_")}
    model_folder.write(tmp_path / "before", manifest, before, {})
    model = stored_models.load_model(tmp_path / "before")
    found = model.recognise_all([day])
    np.testing.assert_allclose(found.probabilities, answer.probabilities, atol=1e-6)
    assert found.features.shape == (len(day), 0)
    assert model.prior is None


def test_a_model_from_before_stairs_of_one_direction_were_looked_for_opens(
    folder: Path, tmp_path: Path, day: WindowSet, answer: Recognition
) -> None:
    manifest, arrays = model_folder.read(folder)
    for name in ("down", "down_without_gravity"):
        lines = manifest["calibration"][name]
        before = {"known": lines["by_walking"], "mixed": lines["by_stairs"], "clip": {"slope": 0.3, "intercept": 0.1}}
        manifest["calibration"][name] = before
    model_folder.write(tmp_path / "before", manifest, arrays, {})
    found = stored_models.load_model(tmp_path / "before").recognise_all([day])
    stairs = [ACTIVITIES.index(name) for name in ("Stairs up", "Stairs down")]
    others = np.delete(np.arange(len(ACTIVITIES)), stairs)
    np.testing.assert_allclose(found.probabilities[:, others], answer.probabilities[:, others], atol=1e-6)
    of_stairs = [part.probabilities[:, stairs].sum(axis=1) for part in (found, answer)]
    np.testing.assert_allclose(*of_stairs, atol=1e-6)


def test_a_stored_model_that_was_changed_is_refused(folder: Path, tmp_path: Path) -> None:
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    manifest = (copy / "manifest.json").read_text(encoding="utf-8")
    (copy / "manifest.json").write_text(manifest.replace('"slope": ', '"slope": 1'), encoding="utf-8")
    with pytest.raises(ModelIntegrityError, match="was changed"):
        stored_models.load_model(copy)


WITHOUT_LIBRARIES = """
import sys
sys.modules.update(dict.fromkeys(["sklearn", "scipy", "tensorflow", "keras", "pandas"]))
from pathlib import Path
import numpy as np
from app.har.classifiers.stored_models import load_model
from tests import everyday
windows = everyday.windows_of([("Walking", 12), ("Standing", 4)])
np.save(sys.argv[2], load_model(Path(sys.argv[1])).recognise_all([windows]).probabilities)
"""


def test_numpy_is_enough_to_answer(folder: Path, tmp_path: Path, model: EverydayClassifier) -> None:
    out = tmp_path / "answer.npy"
    command = [sys.executable, "-c", WITHOUT_LIBRARIES, str(folder), str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    windows = everyday.windows_of([("Walking", 12), ("Standing", 4)])
    np.testing.assert_allclose(np.load(out), model.recognise_all([windows]).probabilities, atol=1e-5)
