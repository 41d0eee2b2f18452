"""The pipeline learns, says how sure it is, comes back from disk the same, and refuses what it cannot take."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.har.classifiers import model_folder
from app.har.classifiers.elm_gru_am.classifier import ActivityClassifier
from app.har.classifiers.elm_gru_am.combination import combine, fit_combination
from app.har.classifiers.elm_gru_am.config import ModelConfig
from app.har.classifiers.elm_gru_am.persistence import load_model, save_model
from app.har.errors import ModelIntegrityError, UnusableRecording
from app.har.progress import Event
from app.har.windows import WindowSet, make_windows
from tests import synthetic
from tests.trained import Example

SMALL = ModelConfig(n_selected=40, units=16, epochs=8, elm_nodes=150, elm_ridge=1.0)


@pytest.fixture(scope="module")
def windows() -> WindowSet:
    return synthetic.window_set(6)


@pytest.fixture(scope="module")
def reported() -> list[Event]:
    """Return what the fit of ``model`` reports."""
    return []


@pytest.fixture(scope="module")
def model(windows: WindowSet, reported: list[Event]) -> ActivityClassifier:
    return ActivityClassifier(SMALL).fit(windows, seed=1, on_event=reported.append)


def test_it_recognises_people_it_has_not_seen(model: ActivityClassifier) -> None:
    strangers = synthetic.window_set(12, seed=5)
    strangers = strangers.take(np.isin(strangers.subjects.astype(int), range(7, 13)))
    assert (model.predict_proba(strangers).argmax(axis=1) == strangers.y).mean() > 0.9


def test_attention_is_a_share_of_every_frame_and_the_embedding_is_finite(
    model: ActivityClassifier, windows: WindowSet
) -> None:
    recognition = model.recognise(windows)
    assert recognition.time_attention.shape == (len(windows), 5)
    assert recognition.sensor_attention.shape == (len(windows), 2)
    for attention in (recognition.time_attention, recognition.sensor_attention):
        assert (attention >= 0).all()
        np.testing.assert_allclose(attention.sum(axis=1), 1, rtol=1e-4)
    embedding = recognition.embedding
    assert embedding.shape == (len(windows), SMALL.units)
    assert np.isfinite(embedding).all()
    assert embedding.std() > 0
    assert model.prior is not None
    assert recognition.features.shape == (len(windows), model.prior.n_features)
    assert np.isfinite(recognition.features).all()


@pytest.mark.parametrize("sensor", [0, 1])
@pytest.mark.parametrize("harm", ["missing", "constant", "noise", "other unit"])
def test_a_sensor_that_fails_is_not_listened_to_and_the_other_is_enough(
    model: ActivityClassifier, sensor: int, harm: str
) -> None:
    strangers = synthetic.window_set(12, seed=5)
    strangers = strangers.take(np.isin(strangers.subjects.astype(int), range(7, 13)))
    X = strangers.X.copy()
    own = X[:, :, 3 * sensor : 3 * sensor + 3]
    noise = np.random.default_rng(0).normal(0, 20, own.shape)
    own[:] = {"missing": np.nan, "constant": 0.3, "noise": noise, "other unit": 100 * own}[harm]
    recognition = model.recognise(replace(strangers, X=X))
    told = ~recognition.unfamiliar  # now and then the other sensor is strange as well, and both are listened to
    assert told.mean() > 0.97
    assert recognition.sensor_attention[told, sensor].max() < 1e-3
    assert (recognition.novelty[:, sensor] > 1).all()
    assert (recognition.probabilities.argmax(axis=1) == strangers.y).mean() > 0.8


def test_gravity_from_a_side_it_never_came_from_is_told_of_the_accelerometer(example_model: Example) -> None:
    model, windows = load_model(example_model.model), make_windows(example_model.store.signals)
    rotations = windows.take(windows.y == windows.activities.index("Internal rotation"))  # upright from first to last
    assert model.recognise(rotations).unseen_orientation.mean() < 0.02
    over = replace(rotations, X=rotations.X * np.array([1, -1, -1, 1, -1, -1], np.float32))
    accelerometer, gyroscope = model.recognise(over).unseen_orientation.mean(axis=0)
    assert accelerometer > 0.9
    assert gyroscope == 0


def test_a_signal_unlike_all_of_training_is_told(model: ActivityClassifier, windows: WindowSet) -> None:
    assert model.recognise(windows).unfamiliar.mean() < 0.02
    strange = replace(windows, X=np.random.default_rng(0).normal(0, 20, windows.X.shape).astype(np.float32))
    assert model.recognise(strange).unfamiliar.mean() > 0.9


def test_the_ranking_covers_every_frame_feature_and_the_best_go_on(model: ActivityClassifier) -> None:
    importances = [importance for _, importance in model.importances_]
    assert importances == sorted(importances, reverse=True)
    assert np.isclose(sum(importances), 1)
    assert len(importances) > model.n_selected == SMALL.n_selected


def test_a_saved_model_predicts_the_same(model: ActivityClassifier, windows: WindowSet, tmp_path: Path) -> None:
    save_model(model, tmp_path / "v1", extra={"data": {"name": "walkers"}})
    loaded = load_model(tmp_path / "v1")
    np.testing.assert_array_equal(loaded.predict_proba(windows), model.predict_proba(windows))
    same, before = loaded.recognise(windows), model.recognise(windows)
    np.testing.assert_array_equal(same.time_attention, before.time_attention)
    np.testing.assert_array_equal(same.novelty, before.novelty)
    no_gyroscope = replace(windows, X=windows.X.copy())
    no_gyroscope.X[:, :, 3:] = np.nan
    np.testing.assert_array_equal(loaded.predict_proba(no_gyroscope), model.predict_proba(no_gyroscope))
    for name in ("activities", "channels", "sampling_rate_hz", "window_length_s", "gravity", "config", "n_selected"):
        assert getattr(loaded, name) == getattr(model, name)
    assert loaded.importances_ == model.importances_
    manifest = json.loads((tmp_path / "v1" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["data"] == {"name": "walkers"}
    assert set(manifest["files"]) == {p.name for p in (tmp_path / "v1").iterdir()} - {"manifest.json"}
    assert manifest["libraries"]["keras"]
    np.testing.assert_array_equal(loaded.recognise(windows).features, model.recognise(windows).features)


def test_a_model_of_an_earlier_build_has_nothing_for_a_personal_head(
    model: ActivityClassifier, windows: WindowSet, tmp_path: Path
) -> None:
    save_model(model, tmp_path / "v1")
    manifest, arrays = model_folder.read(tmp_path / "v1")
    before = {name: array for name, array in arrays.items() if not name.startswith("space_")}
    model_folder.write(tmp_path / "before", manifest, before, {})
    loaded = load_model(tmp_path / "before")
    assert loaded.prior is None
    assert loaded.recognise(windows).features.shape == (len(windows), 0)


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def rewrite(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | changes), encoding="utf-8")


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda f: flip(f / "arrays.npz"), r"arrays\.npz was changed"),
        (lambda f: (f / "arrays.npz").unlink(), r"arrays\.npz cannot be read"),
        (lambda f: (f / "manifest.json").unlink(), r"manifest\.json cannot be read"),
        (lambda f: (f / "manifest.json").write_text("{"), r"manifest\.json is not the manifest"),
        (lambda f: (f / "manifest.json").write_text("[]"), r"manifest\.json is not the manifest"),
        (lambda f: rewrite(f / "manifest.json", combination=[9, 9]), r"manifest\.json was changed"),
        (lambda f: rewrite(f / "manifest.json", format=99), "format 99"),
    ],
)
def test_a_model_with_a_changed_or_missing_file_is_refused(
    model: ActivityClassifier, tmp_path: Path, harm: Callable[[Path], object], message: str
) -> None:
    save_model(model, tmp_path / "v1")
    harm(tmp_path / "v1")
    with pytest.raises(ModelIntegrityError, match=message):
        load_model(tmp_path / "v1")


def test_a_save_that_fails_leaves_nothing(model: ActivityClassifier, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="JSON"):
        save_model(model, tmp_path / "v1", extra={"what": object()})
    assert list(tmp_path.iterdir()) == []


def test_a_stored_model_is_never_overwritten(model: ActivityClassifier, tmp_path: Path) -> None:
    save_model(model, tmp_path / "v1")
    with pytest.raises(FileExistsError):
        save_model(model, tmp_path / "v1")


def test_of_the_epochs_before_calibration_the_figures_of_people_held_out_are_reported(
    model: ActivityClassifier, reported: list[Event]
) -> None:
    epochs = [event for event in reported if "epoch" in event]
    assert len(epochs) == epochs[0]["epochs"] > SMALL.epochs
    assert [event["epoch"] for event in epochs if "val_loss" in event] == list(range(1, SMALL.epochs + 1))
    for event in epochs[: SMALL.epochs]:
        assert event["val_loss"] > 0
        assert 0 <= event["val_accuracy"] <= 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"channels": ("acc_x", "acc_y", "acc_z", "gyro_z", "gyro_y", "gyro_x")}, "expects the channels"),
        ({"sampling_rate_hz": 100.0}, "at 50 Hz"),
        ({"X": np.zeros((2, 100, 6), np.float32)}, "150 samples"),
        ({"X": np.zeros((2, 150, 3), np.float32)}, "6 channels"),
        ({"X": np.full((2, 150, 6), np.nan, np.float32)}, "missing or infinite"),
        ({"X": np.where(np.arange(6) == 4, np.nan, np.zeros((2, 150, 6), np.float32))}, "missing or infinite"),
        ({"X": np.full((2, 150, 6), np.inf, np.float32)}, "missing or infinite"),
        ({"gravity": "included"}, "gravity removed; here it is included"),
    ],
)
def test_windows_of_another_kind_are_refused(
    model: ActivityClassifier, windows: WindowSet, change: dict[str, object], message: str
) -> None:
    with pytest.raises(UnusableRecording, match=message):
        model.predict_proba(replace(windows, **change))  # type: ignore[arg-type]


def test_short_windows_at_a_low_rate_with_other_sensors_work() -> None:
    windows = synthetic.window_set(3, seconds=10, window_length_s=1.0, rate_hz=20.0)
    ours = replace(windows, X=windows.X[:, :, :4], channels=("watch.acc_x", "watch.acc_y", "watch.acc_z", "heart_rate"))
    model = ActivityClassifier(SMALL).fit(ours, epochs=2, seed=1)
    assert model.recognise(ours).time_attention.shape[1] > 1
    assert model.predict_proba(ours).shape == (len(ours), 3)


def test_the_combination_trusts_the_better_of_the_two_and_tempers_the_overconfident() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 2000)
    noise = rng.normal(size=(2000, 3))
    good = 2 * np.eye(3)[y] + rng.normal(size=(2000, 3))  # the true log odds
    log_p = (10 * good).astype(np.float32)  # right as often, five times too sure
    network, head = fit_combination(log_p, noise.astype(np.float32), y)
    assert 0.15 < network < 0.25
    assert head < 1.0
    probabilities = combine(log_p, noise.astype(np.float32), {(True,): (network, head)}, np.ones((len(y), 1), bool))
    confidence = probabilities.max(axis=1).mean()
    assert confidence == pytest.approx((probabilities.argmax(axis=1) == y).mean(), abs=0.03)


def test_each_row_is_combined_as_its_sensors_were(model: ActivityClassifier) -> None:
    assert set(model.combinations_) == {(True, True), (True, False), (False, True)}
    log_p, scores = np.log([[0.9, 0.1]] * 3).astype(np.float32), np.array([[0.0, 1.0]] * 3, np.float32)
    found = combine(
        log_p,
        scores,
        {(True, True): (1.0, 0.0), (True, False): (0.0, 1.0)},
        np.array([[True, True], [True, False], [False, True]]),
    )
    np.testing.assert_allclose(found[:, 0], [0.9, 1 / (1 + np.e), 0.9], rtol=1e-5)


def test_a_handful_of_held_out_windows_makes_nobody_certain() -> None:
    log_p = np.log(np.full((4, 2), 0.2) + 0.6 * np.eye(2)[[0, 1, 0, 1]]).astype(np.float32)
    network, head = fit_combination(log_p, np.eye(2, dtype=np.float32)[[0, 1, 0, 1]], np.array([0, 1, 0, 1]))
    assert network <= 3
    assert head <= 20
