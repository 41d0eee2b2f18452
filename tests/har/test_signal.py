"""Clocks are respected: what comes out is where it was, at the rate asked for, and never across a gap."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.har.errors import InsufficientData, UnreadableData, UnusableRecording
from app.har.signals.clocks import repair, sampling_rate, to_seconds
from app.har.signals.resampling import common_rate, to_signal_set
from app.har.signals.types import UNLABELLED, Recording, Stream
from tests import synthetic


def wave(time: np.ndarray, hz: float = 2.0) -> np.ndarray:  # type: ignore[type-arg]
    return np.stack([np.sin(2 * np.pi * hz * time), np.cos(2 * np.pi * hz * time), 0.1 * time], axis=1).astype(
        np.float32
    )


def recorded(*clocks: np.ndarray, hz: float = 2.0, **options: object) -> Recording:  # type: ignore[type-arg]
    """Return a recording of one movement by sensors on these clocks."""
    streams = tuple(Stream(m, t, wave(t, hz)) for m, t in zip(("accelerometer", "gyroscope"), clocks, strict=False))
    return Recording("r", "s", streams, "removed", **options)  # type: ignore[arg-type]


def jittered(rate: float, seconds: float = 20.0, seed: int = 0) -> np.ndarray:  # type: ignore[type-arg]
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * rate)) / rate
    return time + rng.uniform(-0.3, 0.3, len(time)) / rate + 5.0


@pytest.mark.parametrize("rate", [48.0, 98.9, 101.3, 126.0, 200.0])
def test_both_sensors_are_placed_by_their_own_time_stamps(rate: float) -> None:
    signals = to_signal_set([recorded(jittered(rate), jittered(rate * 0.97, seed=1))], 100.0)
    time = signals.start_s[0] + np.arange(len(signals.signal)) / 100
    error = np.abs(signals.signal - np.tile(wave(time), 2))[20:-20]
    assert error.max() < 0.03
    assert signals.channels == ("acc_x", "acc_y", "acc_z", "gyro_x", "gyro_y", "gyro_z")


def test_what_the_target_rate_cannot_hold_is_filtered_out_and_not_folded_back() -> None:
    time = np.arange(4000) / 200
    fast = to_signal_set([recorded(time, time, hz=70.0)], 50.0)  # would fold back to 20 Hz
    slow = to_signal_set([recorded(time, time, hz=5.0)], 50.0)
    assert fast.signal[25:-25, 0].std() < 0.01
    assert slow.signal[25:-25, 0].std() == pytest.approx(np.sqrt(0.5), rel=0.02)


def test_a_gap_in_either_sensor_cuts_both() -> None:
    time = np.arange(2000) / 100
    holed = np.delete(time, slice(700, 900))
    signals = to_signal_set([recorded(time, holed)])
    assert signals.start_s.tolist() == pytest.approx([0.0, 9.0])
    assert signals.length.tolist() == [700, 1100]


def test_a_hole_of_a_few_samples_is_bridged() -> None:
    time = np.delete(np.arange(2000) / 100, slice(700, 715))
    assert to_signal_set([recorded(time, time)]).length.tolist() == [2000]


@given(st.lists(st.floats(0.6, 30.0), min_size=0, max_size=4), st.floats(20.0, 200.0), st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_every_gap_cuts_and_no_sample_is_invented_in_it(gaps: list[float], rate: float, seed: int) -> None:
    pieces, start = [], 0.0
    for gap in [*gaps, 0.0]:
        pieces.append(start + np.arange(int(3 * rate)) / rate)
        start = pieces[-1][-1] + gap
    time = np.concatenate(pieces)
    signals = to_signal_set([recorded(time, time)], 50.0)
    assert len(signals.first) == len(gaps) + 1
    grid = np.concatenate([s + np.arange(n) / 50 for s, n in zip(signals.start_s, signals.length, strict=True)])
    distance = np.abs(time[np.clip(np.searchsorted(time, grid), 1, len(time) - 1)] - grid)
    assert distance.max() <= 1 / rate + 1e-9
    assert signals.length.sum() == len(signals.signal) == len(signals.labels)


@pytest.mark.parametrize(
    ("rates", "expected"), [((98.9, 101.3, 100.0), 100.0), ((51.0,), 50.0), ((33.4,), 32.0), ((71.0,), 71.0)]
)
def test_the_rate_of_a_set_is_a_usual_one_near_the_median(rates: tuple[float, ...], expected: float) -> None:
    assert common_rate([recorded(np.arange(2000) / rate) for rate in rates]) == expected


def test_the_rate_is_not_moved_by_holes_and_bursts() -> None:
    time = np.arange(3000) / 100
    time[1500:] += 80
    time[1500:2000] = time[1500] + np.arange(500) * 1e-4
    assert sampling_rate(np.sort(time)) == pytest.approx(100, rel=0.02)


def test_a_hole_in_a_recording_of_seconds_does_not_move_the_rate() -> None:
    piece = np.arange(20) / 20
    assert sampling_rate(np.concatenate([piece, piece[:15] + 6])) == pytest.approx(20)
    assert sampling_rate(np.arange(3) * 2.0) == pytest.approx(0.5)
    assert sampling_rate(np.array([0.0, 0.0, 0.0, 5.0])) == pytest.approx(0.6)


def test_batches_that_share_a_time_stamp_are_spread_at_the_sensors_own_rate() -> None:
    true = np.arange(3780) / 126
    delivered = true[2::3].repeat(3)
    rng = np.random.default_rng(0)
    (stream,), problems = repair(
        [Stream("accelerometer", delivered, rng.normal(size=(3780, 3)).astype(np.float32))], "f"
    )
    assert [p.kind for p in problems] == ["batched timestamps"]
    assert np.abs(stream.time_s - true).max() < 0.1 / 126


def test_a_burst_after_a_pause_is_placed_before_its_delivery_and_the_pause_is_a_gap() -> None:
    live = (np.arange(1260) / 126)[2::3].repeat(3)
    burst = np.full(1260, 60.0)
    values = np.random.default_rng(0).normal(size=(2520, 3)).astype(np.float32)
    (stream,), problems = repair([Stream("accelerometer", np.append(live, burst), values)], "f")
    assert {"clock gap", "batched timestamps"} <= {p.kind for p in problems}
    assert stream.time_s[-1] == 60.0
    assert stream.time_s[1260] == pytest.approx(50.0, abs=0.2)


def test_values_repeated_at_a_faster_sensors_rate_are_not_taken_for_samples() -> None:
    time = np.arange(1260) / 126
    slow = wave(time[::3]).repeat(3, axis=0)
    (stream,), problems = repair([Stream("gyroscope", time, slow)], "f")
    assert [p.kind for p in problems] == ["repeated values"]
    assert len(stream.time_s) == 420


@pytest.mark.parametrize(("n", "told"), [(1, "1 row repeats the row"), (3, "3 rows repeat the row")])
def test_repeated_rows_are_counted_in_words_that_fit(n: int, told: str) -> None:
    twice = np.sort(np.append(np.arange(500), np.arange(n)))
    _, problems = repair([Stream("gyroscope", twice / 100, wave(twice / 100))], "f")
    assert [p.detail for p in problems] == [f"gyroscope: {told} before"]


def test_a_sensor_whose_clock_restarts_takes_the_clock_of_the_other() -> None:
    time = np.arange(1000) / 100
    broken = np.append(time[:100] + 40, time[100:] - 1.0)
    streams = [Stream("accelerometer", time, wave(time)), Stream("gyroscope", broken, wave(time))]
    repaired, problems = repair(streams, "f")
    assert [p.kind for p in problems] == ["clock restart"]
    np.testing.assert_array_equal(repaired[1].time_s, time)


def test_a_clock_that_restarts_in_all_sensors_is_cut_there() -> None:
    time = np.append(np.arange(500) / 100 + 20, np.arange(500) / 100)
    streams, problems = repair([Stream(m, time, wave(time)) for m in ("accelerometer", "gyroscope")], "f")
    assert [p.kind for p in problems] == ["clock restart"]
    signals = to_signal_set([Recording("r", "s", streams, "removed")], 100.0)
    assert signals.length.tolist() == [500, 500]


@given(st.integers(0, 10_000), st.integers(5, 400))
@settings(max_examples=60, deadline=None)
def test_repaired_clocks_always_increase(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    time = np.cumsum(rng.choice([0.0, 0.001, 0.01, 0.02, 0.7, -0.02, -2.0], n, p=[0.2, 0.1, 0.3, 0.2, 0.1, 0.08, 0.02]))
    (stream,), _ = repair([Stream("accelerometer", time, rng.integers(0, 3, (n, 3)).astype(np.float32))], "f")
    assert (np.diff(stream.time_s) > 0).all()
    assert len(stream.time_s) == len(stream.values)


@pytest.mark.parametrize(("scale", "unit"), [(1e3, "milliseconds"), (1e6, "microseconds"), (1e9, "nanoseconds")])
def test_time_in_another_unit_is_told_by_the_step(scale: float, unit: str) -> None:
    time, problems = to_seconds(np.arange(100) / 50 * scale, "f")
    assert unit in problems[0].detail
    np.testing.assert_allclose(time, np.arange(100) / 50)


def test_time_that_never_advances_is_refused() -> None:
    with pytest.raises(UnreadableData, match="never advances"):
        to_seconds(np.zeros(50), "f")


def test_labels_follow_the_samples() -> None:
    time = np.arange(1000) / 100
    labels = np.repeat([0, 1, UNLABELLED, 0], 250)
    recording = Recording("r", "s", (Stream("accelerometer", time, wave(time), labels),), "removed", ("a", "b"))
    signals = to_signal_set([recording], 50.0)
    np.testing.assert_array_equal(signals.labels, labels[::2])


def test_activities_of_several_recordings_get_one_numbering() -> None:
    signals = to_signal_set([synthetic.recording("Walk"), synthetic.recording("Rest"), synthetic.recording("Walk", 2)])
    assert signals.activities == ("Walk", "Rest")
    assert [int(signals.labels[f]) for f in signals.first] == [0, 1, 0]


def test_a_missing_sensor_is_named() -> None:
    both, one = synthetic.recording("Walk"), synthetic.recording("Walk", 2)
    with pytest.raises(UnusableRecording, match="no gyroscope"):
        to_signal_set([both, both, replace(one, streams=one.streams[:1])])


def test_a_sensor_far_too_slow_is_refused() -> None:
    with pytest.raises(UnusableRecording, match="samples per second"):
        to_signal_set([recorded(np.arange(3000) / 100, np.arange(150) / 5)], 100.0)


def test_nothing_is_not_a_signal_set() -> None:
    with pytest.raises(InsufficientData):
        to_signal_set([])
