"""Features mean what their names say, whatever the sensors and the rate."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from app.har.classifiers.elm_gru_am.features import (
    CHUNK,
    band_edges,
    channels_by_sensor,
    describe,
    frame_features,
    window_features,
)
from tests import synthetic

SIX = ("acc_x", "acc_y", "acc_z", "gyro_x", "gyro_y", "gyro_z")


def sine(hz: float, amplitude: float = 1.0, rate_hz: float = 100.0, seconds: float = 3.0) -> np.ndarray:  # type: ignore[type-arg]
    time = np.arange(round(seconds * rate_hz)) / rate_hz
    slices = np.zeros((1, len(time), 6), np.float32)
    slices[0, :, 0] = amplitude * np.sin(2 * np.pi * hz * time)
    return slices


def value(slices: np.ndarray, name: str) -> float:  # type: ignore[type-arg]
    values, names = describe(slices, SIX, 100.0, 10)
    return float(values[0, names.index(name)])


@pytest.mark.parametrize("hz", [1.0, 2.0, 5.0, 12.0, 30.0])
def test_a_tone_is_strongest_in_the_band_that_holds_its_frequency(hz: float) -> None:
    values, names = describe(sine(hz), SIX, 100.0, 10)
    powers = {n: v for n, v in zip(names, values[0], strict=True) if n.startswith("acc_x log power")}
    low, high = max(powers, key=lambda n: powers[n]).split()[-2].split("–")
    assert float(low) <= hz <= float(high)


def test_twice_the_movement_is_one_logarithm_of_two_more() -> None:
    for name in ("acc_x log spread", "acc_x log jerk", "acc_x log peak"):
        assert value(sine(2, 2.0), name) - value(sine(2, 1.0), name) == pytest.approx(np.log(2), abs=1e-3)


def test_correlation_and_trend_have_their_signs() -> None:
    slices = sine(1)
    slices[:, :, 1] = -2 * slices[:, :, 0]
    slices[:, :, 4] = np.linspace(0, 1, slices.shape[1])
    slices[:, :, 5] = -slices[:, :, 4]
    assert value(slices, "acc_x × acc_y correlation") == pytest.approx(-1, abs=1e-3)
    assert value(slices, "gyro_y trend") > 0.5
    assert value(slices, "gyro_z trend") < -0.5


def test_a_period_is_seen_in_the_autocorrelation() -> None:
    assert value(sine(2.5), "acc_x autocorrelation 0.40 s") > 0.8  # one period
    assert value(sine(2.5), "acc_x autocorrelation 0.20 s") < -0.8  # half a period


def test_magnitudes_do_not_change_when_the_sensor_is_turned() -> None:
    slices = np.random.default_rng(0).normal(size=(3, 100, 6)).astype(np.float32)
    turned = slices[:, :, [1, 2, 0, 5, 3, 4]]
    values, names = describe(slices, SIX, 100.0, 10)
    other, _ = describe(turned, SIX, 100.0, 10)
    magnitude = [i for i, n in enumerate(names) if n.split()[0] in {"acc", "gyro"}]
    assert len(magnitude) > 20
    np.testing.assert_allclose(values[:, magnitude], other[:, magnitude], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("channels", "rate_hz", "n_timesteps"),
    [
        (SIX, 100.0, 300),
        (SIX, 20.0, 60),
        (("acc_x", "acc_y", "acc_z"), 32.0, 64),
        (tuple(f"{device}.{c}" for device in ("phone", "watch") for c in SIX), 50.0, 100),
        (("acc_x", "acc_y", "acc_z", "heart_rate"), 50.0, 128),
        (("acc_x", "acc_y", "acc_z"), 200.0, 400),
        (("acc_x",), 10.0, 8),
    ],
)
def test_any_sensors_and_rate_give_finite_features_with_unique_names(
    channels: tuple[str, ...], rate_hz: float, n_timesteps: int
) -> None:
    X = np.random.default_rng(1).normal(size=(5, n_timesteps, len(channels))).astype(np.float32)
    X[1] = 0  # a dead sensor
    X[2] *= 1e4
    X[3] = 9.81  # constant
    values, names = describe(X, channels, rate_hz, 10)
    assert values.shape == (5, len(names))
    assert values.dtype == np.float32
    assert np.isfinite(values).all()
    assert len(set(names)) == len(names)


def test_channels_are_grouped_by_sensor() -> None:
    assert channels_by_sensor(("watch.acc_x", "watch.acc_y", "heart_rate")) == {"watch.acc": [0, 1], "heart_rate": [2]}


def test_bands_rise_and_end_at_fifty_hertz_or_half_the_rate() -> None:
    for n, rate in ((300, 100.0), (128, 50.0), (400, 200.0), (8, 10.0)):
        edges = band_edges(n, rate, 10)
        assert list(edges) == sorted(set(edges))
        assert edges[0] == 1
        assert edges[-1] - 1 <= min(n // 2, 50.0 * n / rate)


def test_a_frame_is_described_as_the_same_stretch_alone() -> None:
    windows = synthetic.window_set(2)
    frames, names = frame_features(windows, 1.0, 0.25)
    assert frames.shape == (len(windows), 9, len(names))
    step = round(0.25 * windows.sampling_rate_hz)
    alone, _ = describe(windows.X[:, 3 * step : 3 * step + 50], windows.channels, windows.sampling_rate_hz, 10)
    np.testing.assert_allclose(frames[:, 3], alone, rtol=1e-4, atol=1e-4)


def test_windows_do_not_influence_each_other() -> None:
    windows = synthetic.window_set(2)
    many = windows.take(np.resize(np.arange(len(windows)), CHUNK + 7))
    together, _ = window_features(many)
    alone, _ = window_features(many.take(np.array([CHUNK + 3])))
    np.testing.assert_allclose(together[CHUNK + 3], alone[0], rtol=1e-4, atol=1e-4)


def test_relative_powers_can_be_left_out() -> None:
    windows = synthetic.window_set(1)
    _, names = window_features(windows, relative=False)
    assert any("log power" in name for name in names)
    assert not any("relative" in name for name in names)


def test_a_window_shorter_than_a_frame_is_one_frame() -> None:
    windows = synthetic.window_set(1)
    short = replace(windows, X=windows.X[:, :20])
    assert frame_features(short, 1.0, 0.25)[0].shape[1] == 1
