"""Training windows as they might have come from another device."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from app.har.classifiers.elm_gru_am.augmentation import SLOW_RATES_HZ, device_copies
from app.har.classifiers.elm_gru_am.classifier import ActivityClassifier
from app.har.classifiers.elm_gru_am.config import ModelConfig
from app.har.windows import WindowSet
from tests import synthetic

SMALL = ModelConfig(n_selected=40, units=16, elm_nodes=150, elm_ridge=1.0, elm_convolutions=50)


def resampled_from(windows: WindowSet, rate_hz: float) -> WindowSet:
    """Return what is left of windows that a sensor of this rate recorded, by plain decimation and interpolation."""
    from scipy.signal import resample

    n = windows.X.shape[1]
    fewer = round(n * rate_hz / windows.sampling_rate_hz)
    return replace(windows, X=resample(resample(windows.X, fewer, axis=1), n, axis=1).astype(np.float32))


def test_a_slow_copy_keeps_what_a_slow_sensor_sees_and_nothing_else() -> None:
    windows = synthetic.window_set(4)
    time = np.arange(windows.X.shape[1]) / windows.sampling_rate_hz
    slow, fast = np.sin(2 * np.pi * 3 * time), np.sin(2 * np.pi * 22 * time)
    X = np.tile((slow + fast)[None, :, None], (len(windows), 1, windows.X.shape[2])).astype(np.float32)
    chosen, copies = device_copies(replace(windows, X=X), 1.0, 0)
    assert chosen.tolist() == list(range(len(windows)))
    inner = slice(30, -30)
    np.testing.assert_allclose(
        copies.X[:, inner], np.broadcast_to(slow[None, inner, None], X[:, inner].shape), atol=0.05
    )
    assert copies.y.tolist() == windows.y.tolist()


def test_slow_copies_are_a_share_of_the_windows_and_leave_the_windows_alone() -> None:
    windows = synthetic.window_set(6)
    before = windows.X.copy()
    chosen, copies = device_copies(windows, 0.5, 1)
    assert 0.2 * len(windows) < len(chosen) < 0.8 * len(windows)
    assert len(copies) == len(chosen)
    np.testing.assert_array_equal(windows.X, before)


def test_there_are_no_slow_copies_of_what_is_slow() -> None:
    windows = replace(synthetic.window_set(4), sampling_rate_hz=min(SLOW_RATES_HZ))
    chosen, copies = device_copies(windows, 1.0, 0)
    assert (len(chosen), len(copies)) == (0, 0)


def test_a_missing_sensor_stays_missing_in_a_slow_copy() -> None:
    windows = synthetic.window_set(4)
    windows.X[0, :, 3:] = np.nan
    _, copies = device_copies(windows, 1.0, 0)
    assert np.isnan(copies.X[0, :, 3:]).all()
    assert np.isfinite(copies.X[0, :, :3]).all()
    assert np.isfinite(copies.X[1:]).all()


def test_a_turned_copy_is_its_window_by_one_rotation_for_all_sensors_of_a_device() -> None:
    windows = replace(synthetic.window_set(4), sampling_rate_hz=min(SLOW_RATES_HZ), gravity="removed")
    _, copies = device_copies(windows, 1.0, 0, rotation_augmentation=True)
    assert len(copies) == len(windows)
    for before, after in zip(windows.X, copies.X, strict=True):
        rotation, *_ = np.linalg.lstsq(before[:, :3], after[:, :3], rcond=None)
        np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-3)
        assert np.linalg.det(rotation) > 0
        np.testing.assert_allclose(before[:, 3:] @ rotation, after[:, 3:], atol=1e-3)
    assert np.abs(windows.X - copies.X).max() > 1.0


def test_gravity_stays_where_it_is_in_a_turned_copy() -> None:
    windows = synthetic.window_set(4, gravity="included")
    windows.X[0, :, :3] = np.nan  # a sensor that is missing: nobody knows where down is
    _, copies = device_copies(replace(windows, sampling_rate_hz=20.0), 1.0, 0, rotation_augmentation=True)
    down, still = windows.X[1:, :, :3].mean(axis=1), copies.X[1:, :, :3].mean(axis=1)
    np.testing.assert_allclose(down, still, atol=1e-3)
    assert (np.abs(windows.X[1:] - copies.X[1:]).max(axis=(1, 2)) > 0.01).mean() > 0.9
    np.testing.assert_allclose(copies.X[0, :, 3:], windows.X[0, :, 3:], atol=1e-6)


def test_a_model_recognises_what_a_slower_sensor_recorded_and_finds_it_familiar() -> None:
    windows = synthetic.window_set(8, seconds=6, window_length_s=1.0, rate_hz=100.0)
    tested = np.isin(windows.subjects, np.unique(windows.subjects)[-2:])
    model = ActivityClassifier(SMALL).fit(windows.take(~tested), epochs=3)
    slow = resampled_from(windows.take(tested), 50.0)
    recognition = model.recognise(slow)
    assert (recognition.probabilities.argmax(axis=1) == slow.y).mean() > 0.9
    assert recognition.unfamiliar.mean() < 0.1  # without slow copies all are


def test_a_model_that_learns_from_turned_copies_recognises_a_turned_device() -> None:
    base = synthetic.window_set(8, window_length_s=2.0)
    time = np.arange(base.X.shape[1]) / base.sampling_rate_hz
    noise = np.random.default_rng(0).normal(0, 0.1, base.X.shape)
    y = np.arange(len(base)) % 2  # a slow movement along x, or a fast one along y
    signal = np.sin(2 * np.pi * np.array([[1.5], [3.0]]) * time)[y]
    noise[np.arange(len(y)), :, y] += signal
    windows = replace(base, X=noise.astype(np.float32), y=y, activities=("Slow", "Fast"), gravity="removed")
    tested = np.isin(windows.subjects, np.unique(windows.subjects)[-2:])
    turned = windows.take(tested)
    turned.X[:] = turned.X[:, :, [1, 0, 2, 4, 3, 5]] * np.array([1, 1, -1, 1, 1, -1], np.float32)  # x is y
    model = ActivityClassifier(replace(SMALL, rotation_augmentation=True)).fit(windows.take(~tested), epochs=1)
    assert (model.predict_proba(turned).argmax(axis=1) == turned.y).mean() > 0.9  # without turned copies 0.4
