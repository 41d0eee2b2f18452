"""Resampling at any rate, from any clock: what was a sine stays that sine, and windows are where they should be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from app.har.signals.clocks import repair
from app.har.signals.evidence import gravity_evidence
from app.har.signals.normalisation import normalise_units
from app.har.signals.resampling import to_signal_set
from app.har.signals.types import Recording, Stream
from app.har.signals.units import ACCELERATION
from app.har.windows import make_windows
from tests import synthetic

RATES = st.floats(20.0, 400.0)
TARGETS = st.sampled_from((20.0, 25.0, 50.0, 64.0, 100.0))
WELL_INSIDE = 0.1  # of the lower rate; the pass-band ends at 0.5


def fitted_amplitude(time: NDArray[np.float64], values: NDArray[np.float32], hz: float) -> float:
    basis = np.stack([np.sin(2 * np.pi * hz * time), np.cos(2 * np.pi * hz * time), np.ones_like(time)], axis=1)
    return float(np.hypot(*np.linalg.lstsq(basis, values.astype(np.float64), rcond=None)[0][:2]))


def fitted_frequency(time: NDArray[np.float64], values: NDArray[np.float32], near_hz: float) -> float:
    """Return the frequency at which a sine fits best, by a search around one."""
    candidates = near_hz * np.linspace(0.97, 1.03, 121)
    return float(candidates[int(np.argmax([fitted_amplitude(time, values, hz) for hz in candidates]))])


@given(RATES, TARGETS, st.floats(0.25, 1.0), st.floats(0.0, 0.3), st.floats(0.0, 0.05), st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_a_sine_keeps_frequency_and_amplitude_within_a_hundredth_at_any_rate(
    rate: float, target: float, part: float, jitter: float, lost: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    hz = part * WELL_INSIDE * min(rate, target)
    n = round(16 * rate)
    time = 100.0 + (np.arange(n) + rng.uniform(-jitter, jitter, n)) / rate
    time = time[rng.random(n) >= lost]
    time = np.delete(time, slice(n // 3, n // 3 + round(1.5 * rate)))  # a hole that is cut
    phase = 2 * np.pi * hz * time + rng.uniform(0, 2 * np.pi)
    values = np.stack([3 * np.sin(phase), 2 * np.cos(phase), np.sin(phase + 1)], axis=1).astype(np.float32)
    streams, _ = repair([Stream("accelerometer", time, values)], "sine")
    signals = to_signal_set([Recording("sine", "s", streams, "removed")], target)
    assert len(signals.first) == 2
    inner = [  # a second from each end, where a filter has nothing to look at
        np.arange(first + round(target), first + length - round(target))
        for first, length in zip(signals.first, signals.length, strict=True)
    ]
    grid = np.concatenate([
        start + (own - first) / target for start, own, first in zip(signals.start_s, inner, signals.first, strict=True)
    ])  # fmt: skip
    kept = signals.signal[np.concatenate(inner)]
    for axis, amplitude in enumerate((3.0, 2.0, 1.0)):
        assert fitted_amplitude(grid, kept[:, axis], hz) == pytest.approx(amplitude, rel=0.01)
    assert fitted_frequency(grid, kept[:, 0], hz) == pytest.approx(hz, rel=0.01)


@given(
    st.lists(st.floats(0.6, 40.0), min_size=1, max_size=5),
    RATES,
    TARGETS,
    st.sampled_from((1.0, 2.0, 3.0)),
    st.sampled_from((0.0, 0.5)),
)
@settings(max_examples=60, deadline=None)
def test_windows_are_as_many_as_fit_and_start_when_they_should(
    lengths_s: list[float], rate: float, target: float, window_s: float, overlap: float
) -> None:
    pieces, starts = [], []
    start = 7.25
    for length in lengths_s:
        pieces.append(start + np.arange(int(length * rate) + 2) / rate)
        starts.append(start)
        start = pieces[-1][-1] + 5.0
    time = np.concatenate(pieces)
    values = np.random.default_rng(0).normal(size=(len(time), 3)).astype(np.float32)
    signals = to_signal_set(
        [Recording("r", "s", (Stream("accelerometer", time, values),), "removed")], target, gap_s=0.5
    )
    windows = make_windows(signals, window_s, overlap, by_label=False)
    n, step = round(window_s * target), round(window_s * target * (1 - overlap))
    expected = [
        own[0] + k * step / target
        for own in pieces
        if (samples := int((own[-1] - own[0]) * target + 1e-6) + 1) >= target / 2
        for k in range((samples - n) // step + 1)
    ]
    np.testing.assert_allclose(windows.start_s, expected, atol=1e-9)


def test_blocks_meet_without_a_seam() -> None:
    rate, n = 97.0, 150_000  # more than two blocks
    time = np.arange(n) / rate
    values = np.sin(2 * np.pi * 1.3 * time)[:, None].repeat(3, axis=1).astype(np.float32)
    for target in (50.0, 100.0):
        signals = to_signal_set([Recording("r", "s", (Stream("accelerometer", time, values),), "removed")], target)
        grid = np.arange(len(signals.signal)) / target
        assert np.abs(signals.signal[50:-50, 0] - np.sin(2 * np.pi * 1.3 * grid[50:-50])).max() < 1e-3


def test_a_hole_that_is_tolerated_is_bridged_and_a_restarted_clock_never_is() -> None:
    time = np.arange(2000) / 100
    holed = np.delete(time, slice(700, 780))
    recording = Recording("r", "s", (Stream("accelerometer", holed, np.ones((1920, 3), np.float32)),), "removed")
    assert to_signal_set([recording]).length.tolist() == [700, 1220]
    assert to_signal_set([recording], gap_s=0.9).length.tolist() == [2000]
    again = np.append(time[:1000] + 20, time[:1000])
    streams, _ = repair([Stream("accelerometer", again, np.zeros((2000, 3), np.float32))], "r")
    assert to_signal_set([Recording("r", "s", streams, "removed")], gap_s=1.0).length.tolist() == [1000, 1000]


@given(st.sampled_from(sorted(ACCELERATION)), st.sampled_from(("Rest", "Walk")), st.integers(1, 200), RATES)
@settings(max_examples=40, deadline=None)
def test_units_of_acceleration_come_back_whatever_they_were(
    unit: str, activity: str, subject: int, rate: float
) -> None:
    true = synthetic.recording(activity, subject, 12.0, rate, gravity="included")
    accelerometer, gyroscope = true.streams
    other = Stream("accelerometer", accelerometer.time_s, accelerometer.values / np.float32(ACCELERATION[unit]))
    certain = gravity_evidence(other).certain_unit()
    assert certain
    assert certain.name == unit
    back = normalise_units(Recording("r", "s", (other, gyroscope), "removed"))
    np.testing.assert_allclose(back.streams[0].values, accelerometer.values, rtol=1e-5, atol=1e-5)
    assert back.gravity == "included"
    assert [p.kind for p in back.problems] == (
        ["gravity found"] if unit == "m/s²" else ["unit converted", "gravity found"]
    )
    assert back.streams[0].unit_found == f"{unit}, by the length of gravity"
