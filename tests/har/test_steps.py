"""Steps are counted as often as they are made, however the device is turned and often it looks, and not made up."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from app.har.signals import steps


def walk(cadence_hz: float, seconds: float, rate_hz: float, stride: float = 0.0, seed: int = 0) -> NDArray[np.float64]:
    """Return acceleration of a device turned anyhow: a swing a step, another each second step, and noise."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(0, seconds, 1 / rate_hz)
    phase = 2 * np.pi * cadence_hz * time_s
    up = 9.81 + 2.0 * np.sin(phase) + 0.6 * np.sin(2 * phase + 1) + stride * np.sin(phase / 2)
    turned, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    upright = np.stack([0.4 * rng.normal(size=len(up)), 0.4 * rng.normal(size=len(up)), up], axis=1)
    return np.asarray(upright @ turned)


@pytest.mark.parametrize("rate_hz", [20.0, 50.0, 100.0])
@pytest.mark.parametrize("cadence_hz", [1.2, 1.8, 2.4])
def test_every_step_is_counted_once(cadence_hz: float, rate_hz: float) -> None:
    signal = walk(cadence_hz, 60, rate_hz, stride=0.8)
    assert steps.can_count(signal, rate_hz)
    times = steps.step_times(signal, rate_hz)
    assert len(times) == pytest.approx(60 * cadence_hz, abs=1)
    assert np.diff(times).min() > steps.APART_S


def test_who_stands_makes_none() -> None:
    still = np.array([0.0, 0.0, 9.81]) + np.random.default_rng(0).normal(0, 0.1, (6000, 3))
    assert len(steps.step_times(still, 100.0)) == 0


def test_nothing_is_counted_without_gravity_nor_too_rarely() -> None:
    signal = walk(1.8, 30, 50.0)
    assert not steps.can_count(signal - signal.mean(axis=0), 50.0)
    assert not steps.can_count(walk(1.8, 30, 10.0), 10.0)
    assert not steps.can_count(np.zeros((0, 3)), 50.0)
    assert len(steps.step_times(signal[:20], 50.0)) == 0
