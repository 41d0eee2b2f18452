"""A wrong time stamp costs its row and nothing else; a clock that starts again, or was off for days, is no fault."""

from __future__ import annotations

import time as clock
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from app.har.recordings.quality import card
from app.har.signals.clocks import find_timestamp_outliers, gap_problems
from app.har.signals.normalisation import normalise_units
from app.har.signals.types import Recording, Stream
from tests import synthetic

TIME = np.arange(1500) / 50
EPOCH_S, DAY_S = 1_717_156_790.0, 86_400.0


def put(at: int, *stamps: float) -> NDArray[np.float64]:
    return np.insert(TIME, at, stamps)


@pytest.mark.parametrize(
    ("time", "stray"),
    [
        (put(300, 0.0), [300]),
        (put(300, 9.0), [300]),
        (put(300, 1e18), [300]),
        (put(300, -5.0, 100.0, 3.0, 0.0), [300, 301, 302, 303]),
        (put(0, 7.0, 7.02), [0, 1]),
        (put(1500, 3.0), [1500]),
        (np.append(0.0, EPOCH_S + TIME), [0]),
        (np.append(EPOCH_S + TIME, 0.0), [1500]),
        (np.append(np.zeros(40), EPOCH_S + TIME), list(range(40))),
        (np.append(TIME, 4e9 + TIME[:100]), list(range(1500, 1600))),
    ],
    ids=["back", "ahead", "beyond all", "several", "at first", "at last", "first of 1970", "last of 1970", "many 0",
         "a century away"],
)  # fmt: skip
def test_a_stamp_from_which_the_clock_comes_back_is_a_fault(time: NDArray[np.float64], stray: list[int]) -> None:
    assert find_timestamp_outliers(time).tolist() == stray


@pytest.mark.parametrize(
    "time",
    [
        TIME,
        np.append(TIME, TIME),
        np.append(TIME, TIME[:20]),
        np.append(TIME + 40, TIME - 1),
        np.append(TIME, TIME + 3 * DAY_S),
        np.append(TIME, TIME + EPOCH_S),
        np.where(np.arange(1500) % 9 == 0, TIME - 0.2, TIME),
        np.random.default_rng(0).permutation(TIME),
        TIME[::-1],
        np.arange(0.0, 3 * DAY_S, 60.0),
    ],
    ids=["sound", "restart", "brief restart", "restart ahead", "three days off", "set late", "disorder", "shuffled",
         "backwards", "days of a slow sensor"],
)  # fmt: skip
def test_a_clock_that_runs_on_from_where_it_went_is_none(time: NDArray[np.float64]) -> None:
    assert not len(find_timestamp_outliers(time))


@given(st.integers(1, 1499), st.integers(1, 5), st.floats(0.7, 1e15), st.sampled_from([-1, 1]), st.floats(5, 500))
@settings(max_examples=100, deadline=None)
def test_just_the_wrong_stamps_are_found_wherever_they_are(
    at: int, n: int, off_s: float, sign: int, rate_hz: float
) -> None:
    time = np.arange(1500) / rate_hz
    off = max(off_s, 12 / rate_hz)
    wrong = np.insert(time, at, np.full(n, time[at] + sign * off))
    assert find_timestamp_outliers(wrong).tolist() == list(range(at, at + n))


def test_the_card_of_a_watch_that_was_off_for_thirty_years_costs_no_more_than_its_samples() -> None:
    time = np.arange(2 * 36_000) / 10
    rng = np.random.default_rng(0)
    worn = rng.normal((0, 0, 9.8), 1.0, (len(time), 3))
    lying = rng.normal((0, 0, 9.8), 0.01, (len(time), 3))
    years = np.append(time, time + 30 * 365 * DAY_S)
    stream = Stream("accelerometer", years, np.append(worn, lying, axis=0).astype(np.float32))
    start = clock.perf_counter()
    found = card(Recording("r", "s", (stream,), "included"))
    assert clock.perf_counter() - start < 2
    ((begin, end),) = found.streams[0].unworn_spans
    assert begin >= years[len(time)] - 3600
    assert end == pytest.approx(years[-1])


def test_a_gap_is_told_from_the_first_sample_of_any_sensor() -> None:
    late, early = (
        Stream("gyroscope", time, np.zeros((len(time), 3), np.float32)) for time in (TIME + 20, np.append(TIME, 60.0))
    )
    (problem,) = gap_problems([late, early], "f")
    assert problem.detail == "gyroscope: 30.0 s without samples after 30.0 s"


def test_a_few_values_that_no_sensor_gives_are_left_out_and_many_are_another_unit() -> None:
    recording = synthetic.recording("Walk", seconds=20.0)
    values = recording.streams[0].values.copy()
    values[40, 1] = -2e5
    broken = replace(recording, streams=(replace(recording.streams[0], values=values), recording.streams[1]))
    settled = normalise_units(broken)
    assert [(p.kind, "at 0.8 s" in p.detail) for p in settled.problems] == [("impossible values", True)]
    np.testing.assert_array_equal(settled.streams[0].values, np.delete(values, 40, axis=0))
    assert len(settled.streams[0].time_s) == len(values) - 1
    scaled = replace(recording.streams[0], values=recording.streams[0].values * 1e5)
    assert not normalise_units(replace(recording, streams=(scaled,))).problems
