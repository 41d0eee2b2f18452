"""A sensor that stops for a while does not cut the others, where a model can do without it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.har.errors import UnusableRecording
from app.har.signals.filters import Preparation, prepare
from app.har.signals.intervals import Interval, gap_free, segments_by_presence
from app.har.signals.resampling import to_signal_set
from app.har.signals.types import UNLABELLED, Recording, SignalSet, Stream
from app.har.types import IntArray, TimeArray
from app.har.windows import make_windows

SENSORS = ("watch.accelerometer", "watch.gyroscope", "phone.accelerometer")


def seconds(least: float, most: float) -> st.SearchStrategy[float]:
    """Draw 64ths of a second, of which any sum is exact."""
    return st.integers(round(64 * least), round(64 * most)).map(lambda n: n / 64)


STEPS = st.lists(st.tuples(seconds(1 / 64, 9.0), seconds(0.75, 9.0)), min_size=1, max_size=5)


def stream(modality: str, time: TimeArray, labels: IntArray | None = None) -> Stream:
    wave = np.stack([np.sin(7 * time), np.cos(9 * time), 0.1 * time], axis=1)
    return Stream(modality, time, wave.astype(np.float32), labels)


def running(spans: Sequence[Interval], rate: float = 50.0) -> TimeArray:
    """Return the times of a sensor that runs from and to these moments."""
    return np.concatenate([start + np.arange(max(round((end - start) * rate), 1)) / rate for start, end in spans])


def intervals(steps: list[tuple[float, float]], start: float) -> list[Interval]:
    """Return intervals from the length of each and the gap after it."""
    found = []
    for length, gap in steps:
        found.append((start, start + length))
        start += length + gap
    return found


def inside(each: list[Interval], moment: float) -> bool:
    return any(start < moment < end for start, end in each)


@given(st.lists(st.tuples(STEPS, seconds(0.0, 5.0)), min_size=1, max_size=4))
@settings(max_examples=100, deadline=None)
def test_pieces_are_all_the_time_that_any_sensor_runs_once(drawn: list[tuple[list[Interval], float]]) -> None:
    each = [intervals(steps, start) for steps, start in drawn]
    found = segments_by_presence(each)
    for (_, end, _), (start, _, _) in pairwise(found):
        assert end <= start
    for start, end, present in found:
        middle = (start + end) / 2
        assert present == tuple(inside(own, middle) for own in each)
    moments = np.unique([moment for own in each for interval in own for moment in interval])
    for a, b in pairwise(moments):
        middle = (a + b) / 2
        assert inside([(start, end) for start, end, _ in found], middle) == any(inside(own, middle) for own in each)


def test_a_single_sample_is_no_interval() -> None:
    assert segments_by_presence([[(0.0, 10.0)], [(5.0, 5.0)]]) == [(0.0, 10.0, (True, False))]
    assert segments_by_presence([]) == segments_by_presence([[]]) == []


def ends_s(signals: SignalSet) -> TimeArray:
    return signals.start_s + (signals.length - 1) / signals.sampling_rate_hz


@given(
    st.lists(st.tuples(STEPS, seconds(0.0, 3.0)), min_size=3, max_size=3),
    st.sampled_from([50.0, 64.0, 25.0]),
    st.sampled_from([0.0, 3.0]),
)
@settings(max_examples=40, deadline=None)
def test_what_all_sensors_share_is_as_without_the_rest_and_the_rest_lies_between(
    drawn: list[tuple[list[Interval], float]], rate: float, window_length_s: float
) -> None:
    times = [running(intervals(steps, start)) for steps, start in drawn]
    if min(map(len, times)) < 50:
        return
    recording = Recording("r", "s", tuple(map(stream, SENSORS, times)), "removed")
    try:
        shared = to_signal_set([recording], rate, SENSORS)
    except UnusableRecording:
        shared = None
    try:
        found = to_signal_set([recording], rate, SENSORS, allow_missing=True, window_length_s=window_length_s)
    except UnusableRecording:
        assert shared is None
        return
    assert (found.start_s[1:] > ends_s(found)[:-1]).all()
    each = [[(a, b) for a, b in gap_free(own, 50.0) if b > a] for own in recording.streams]
    of_all = set()
    for start, first, length in zip(found.start_s, found.first, found.length, strict=True):
        gone = np.isnan(found.signal[first : first + length]).reshape(length, 3, 3)
        assert (gone == gone[0, :, :1]).all()  # each sensor is there throughout or not at all
        assert not gone[0, :, 0].all()
        moments = start + np.arange(length) / rate
        for own, missing in zip(each, gone[0, :, 0], strict=True):
            covered = np.any([(moments >= a - 1e-6) & (moments <= b + 1e-6) for a, b in own], axis=0)
            assert covered.all() or missing
            assert not (covered.any() and missing) or window_length_s  # a short interval may be left out
        if not gone.any():
            of_all.add((start, found.signal[first : first + length].tobytes()))
    if shared is not None:
        for start, first, length in zip(shared.start_s, shared.first, shared.length, strict=True):
            if length >= round(window_length_s * rate):
                assert (start, shared.signal[first : first + length].tobytes()) in of_all
        if window_length_s == 0:
            assert len(of_all) == len(shared.first)
    if window_length_s == 0:
        whole = [(start, end) for start, end, _ in segments_by_presence(each) if end - start > 0.5 + 3 / rate]
        for start, end in whole:  # nothing that lasts is lost
            overlap = np.minimum(ends_s(found), end) - np.maximum(found.start_s, start)
            assert overlap.max() > end - start - 2.5 / rate


def holed(*gyroscope: Interval, seconds: float = 40.0) -> Recording:
    """Return an accelerometer that runs all through and a gyroscope that runs at times, on one clock."""
    streams = stream("accelerometer", running([(0.0, seconds)])), stream("gyroscope", running(gyroscope))
    return Recording("r", "s", streams, "removed")


def test_a_hole_in_the_gyroscope_leaves_the_accelerometer() -> None:
    recording = holed((0.0, 10.0), (22.0, 40.0))
    with_all = make_windows(to_signal_set([recording]), by_label=False)
    signals = to_signal_set([recording], allow_missing=True, window_length_s=3.0)
    windows = make_windows(signals, by_label=False)
    assert signals.start_s.tolist() == pytest.approx([0.0, 10.0, 22.0])
    assert signals.length.tolist() == [500, 600, 900]
    np.testing.assert_array_equal(np.delete(windows.X, range(3, 7), axis=0), with_all.X)
    assert np.isnan(windows.X[3:7, :, 3:]).all()
    time = windows.start_s[3:7, None] + np.arange(150) / 50
    np.testing.assert_allclose(windows.X[3:7, :, 0], np.sin(7 * time), atol=1e-3)


@pytest.mark.parametrize("first", ["accelerometer", "gyroscope"])
def test_a_sensor_that_starts_later_and_ends_earlier_leaves_the_other_on_either_side(first: str) -> None:
    early, late = running([(0.0, 30.0)]), running([(7.0, 20.0)])
    times = {"accelerometer": early, "gyroscope": late} if first == "accelerometer" else {}
    times = times or {"accelerometer": late, "gyroscope": early}
    recording = Recording("r", "s", tuple(stream(name, time) for name, time in times.items()), "removed")
    signals = to_signal_set([recording], allow_missing=True, window_length_s=3.0)
    windows = make_windows(signals, by_label=False)
    later = slice(3, 6) if first == "accelerometer" else slice(0, 3)
    assert np.isnan(windows.X[:, 0, later]).all(axis=1).tolist() == [True] * 2 + [False] * 4 + [True] * 3


def test_a_sensor_that_comes_and_goes_faster_than_a_window_does_not_cut_the_other() -> None:
    recording = holed((0.0, 10.0), *((start, start + 2.0) for start in np.arange(11.0, 38.0, 3.0)))
    signals = to_signal_set([recording], allow_missing=True, window_length_s=3.0)
    assert signals.length.tolist() == [500, 1499]
    assert len(make_windows(signals, by_label=False)) == 3 + 9
    # where nothing runs for longer, it is kept
    both = replace(recording, streams=tuple(replace(recording.streams[1], modality=m) for m in SENSORS[:2]))
    assert len(to_signal_set([both], 50.0, SENSORS[:2], allow_missing=True, window_length_s=3.0).first) == 10


def test_a_piece_of_less_than_half_a_second_is_left_out() -> None:
    signals = to_signal_set([holed((0.0, 20.0), (20.52, 39.6))], allow_missing=True)
    assert signals.start_s.tolist() == pytest.approx([0.0, 20.0, 20.52])
    signals = to_signal_set([holed((0.3, 20.0), (21.0, 39.7))], allow_missing=True)
    assert len(signals.first) == 3


def test_labels_are_those_of_a_sensor_that_is_there() -> None:
    time, late = running([(0.0, 10.0), (20.0, 30.0)]), running([(0.0, 30.0)])
    activities = np.where(late < 15, 0, 1)
    with_labels = stream("accelerometer", time, np.zeros(len(time), np.int64)), stream("gyroscope", late, activities)
    recording = Recording("r", "s", with_labels, "removed", activities=("Walk", "Run"))
    windows = make_windows(to_signal_set([recording], allow_missing=True), by_label=False)
    assert windows.y.tolist() == [0, 0, 0, 0, 0, 1, 0, 0, 0]
    bare = replace(recording, streams=(with_labels[0], replace(with_labels[1], labels=None)))
    windows = make_windows(to_signal_set([bare], allow_missing=True), by_label=False)
    assert windows.y.tolist() == [0] * 3 + [UNLABELLED] * 3 + [0] * 3


def test_where_no_sensor_runs_for_half_a_second_it_is_said() -> None:
    recording = holed((0.0, 0.3), seconds=0.4)
    with pytest.raises(UnusableRecording, match=r"0\.38 s long and without a stretch of 0\.5 s in which a sensor ran"):
        to_signal_set([recording], 50.0, allow_missing=True)


def test_data_sets_need_all_sensors_as_ever() -> None:
    signals = to_signal_set([holed((0.0, 10.0), (22.0, 40.0))])
    assert signals.length.tolist() == [500, 900]
    assert not np.isnan(signals.signal).any()


def test_filters_leave_what_is_missing_missing_and_the_rest_as_it_is_without() -> None:
    recording = replace(holed((0.0, 10.0), (22.0, 40.0)), gravity="included")
    preparation = Preparation(low_pass_hz=10.0, separate_gravity=True)
    found = prepare(to_signal_set([recording], allow_missing=True), preparation)
    shared = prepare(to_signal_set([recording]), preparation)
    assert found.gravity == "removed"
    np.testing.assert_array_equal(np.delete(found.signal, slice(500, 1100), axis=0), shared.signal)
    assert np.isnan(found.signal[500:1100, 3:]).all()
    assert np.isfinite(found.signal[:, :3]).all()
    alone = to_signal_set([replace(recording, streams=recording.streams[:1])])
    alone = prepare(alone, preparation)  # but for its ends, a stretch is filtered as the whole
    np.testing.assert_allclose(found.signal[700:900, :3], alone.signal[700:900], atol=0.05)
