"""Samples that are no measurement: a run of exact zeros, or of one value over and over.

Idle sleep of an activity monitor writes zeros or repeats the last sample, and a driver that hangs repeats one for ever.
A sensor of three axes that measures gives the same triple again by chance only, and rarely where its steps are fine.
Measured over the shared recordings, no run lasts half a second in HAPT, SP-SW-HAR, KU-HAR, MotionSense, Oxford and
HHAR, and the longest of STM's, at 26 Hz, takes 0.5 s. The Empatica E4, whose steps are 1/64 g, repeats a
triple for up to 3.5 s while it is worn.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from app.har.signals.clocks import GAP_S, sampling_rate
from app.har.signals.pages import let_go
from app.har.signals.remembered import remembered
from app.har.signals.resampling import block_magnitudes, lengths
from app.har.signals.summaries import BLOCK, LET_GO, first_axis_repeats
from app.har.signals.types import Stream
from app.har.types import IntArray, TimeArray

FEWEST = 10  # samples of a run
SHORTEST_S = 1.0  # of a run, where the steps are fine
FINE = 0.002  # steps, as a share of the vectors' usual length, that noise crosses all the time: 2 mg
SMALL = 0.3  # of the usual length: a gyroscope at rest may give one small value for long
MEAN_OVER_S, GRAVITY = 4.0, 0.5  # of the usual length, which the mean over some seconds keeps where it is gravity
ASLEEP = 0.1  # of the samples that an accelerometer gives in a time; with fewer it measured nothing
MOVING = 0.05  # of the usual length, by which that varies where a body moves
BLOCKS = 64  # of a long recording, that show what is usual
LOOKED_AT = 50_000  # samples that show the steps


def frozen_samples(time_s: TimeArray, values: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Tell which samples of any sensor of three axes are none.

    Of a run of one value the first sample may be measured, and is kept; of zeros all are left out, where the rest holds
    gravity: see `zeros_in_motion` for other sensors. One that never gives anything else is left as it is.
    """
    runs = _runs(values, time_s)
    rest, shortest = _rest(values, runs)
    none = np.zeros(len(values), bool)
    if not len(rest):
        return none
    usual = float(np.median(lengths(rest)))
    means = block_magnitudes(rest, round(MEAN_OVER_S * sampling_rate(time_s)))
    gravity = bool(np.median(means) > GRAVITY * usual)
    for first, end in runs:
        if not values[first].any():
            none[first:end] = gravity
        elif time_s[end - 1] - time_s[first] >= shortest and np.linalg.norm(values[first]) > SMALL * usual:
            none[first + 1 : end] = True
    return none


def zeros_in_motion(stream: Stream, accelerometer: Stream | None) -> NDArray[np.bool_]:
    """Tell which samples of a sensor without gravity are zeros that cannot be measured.

    A gyroscope at rest may give zeros for long; not one that moves, nor one whose device measures nothing else then.
    Acceleration is never zero for long, unless its steps are coarse.

    Parameters
    ----------
    accelerometer : that of the same device, without what is no measurement; None where there is none.
    """
    none = np.zeros(len(stream.values), bool)
    if stream.kind not in ("accelerometer", "linear_accelerometer", "gyroscope"):
        return none
    runs = [run for run in _runs(stream.values, stream.time_s) if not stream.values[run[0]].any()]
    rest, shortest = _rest(stream.values, runs)
    if not len(rest):
        return none
    if stream.kind != "gyroscope":
        for first, end in runs:
            none[first:end] = stream.time_s[end - 1] - stream.time_s[first] >= shortest
    elif accelerometer is not None:
        order = np.argsort(accelerometer.time_s, kind="stable")
        time, length = accelerometer.time_s[order], lengths(accelerometer.values)[order]
        usual, rate = float(np.median(length)), sampling_rate(time)
        for first, end in runs:
            start, stop = stream.time_s[first], stream.time_s[end - 1]
            beside = length[slice(*np.searchsorted(time, (start, stop)))]
            asleep = len(beside) < ASLEEP * rate * (stop - start)
            none[first:end] = asleep or beside.std() > MOVING * usual
    return none


def _rest(values: NDArray[np.floating], runs: Sequence[tuple[int, int]]) -> tuple[NDArray[np.floating], float]:
    """Return the samples outside some runs, none where they are too few, and how long a run of one value may last."""
    if not runs:
        return values[:0], np.inf
    held = np.zeros(len(values), bool)
    for first, end in runs:
        held[first:end] = True
    rest = _among(values, ~held)
    usual = float(np.median(lengths(rest))) if len(rest) >= FEWEST else 0.0
    if not usual:
        return values[:0], np.inf
    steps = np.abs(np.diff(rest[:LOOKED_AT].astype(np.float64), axis=0))
    finest = float(steps[steps > 0].min(initial=np.inf))
    return rest, max(SHORTEST_S, (finest / (FINE * usual)) ** 2)  # noise crosses coarser steps more rarely


def _among(values: NDArray[np.floating], chosen: NDArray[np.bool_]) -> NDArray[np.floating]:
    """Return the chosen samples; of a long recording those of some blocks, evenly spread, which show as much."""
    if len(values) <= BLOCKS * BLOCK:
        return values[chosen]
    starts = np.linspace(0, len(values) - BLOCK, BLOCKS).astype(np.int64).tolist()
    return np.concatenate([values[start : start + BLOCK][chosen[start : start + BLOCK]] for start in starts])


@remembered
def _runs(values: NDArray[np.floating], time_s: TimeArray) -> list[tuple[int, int]]:
    """Return first and end of each run of one value that lasts longer than a hole that is bridged."""
    if len(values) < FEWEST or values.shape[1] != 3:
        return []
    if first_axis_repeats(values) < FEWEST - 1:
        return []  # the one axis alone hardly repeats a value
    found: list[IntArray] = []
    start = 0  # of the run that is not over
    for first in range(1, len(values), BLOCK):  # a week has too many edges to hold all of them
        end = min(first + BLOCK, len(values))
        changes = values[first:end, 0] != values[first - 1 : end - 1, 0]
        for axis in (1, 2):
            changes |= values[first:end, axis] != values[first - 1 : end - 1, axis]
        edges = np.concatenate([[start], np.flatnonzero(changes) + first])
        long = np.flatnonzero(np.diff(edges) >= FEWEST)
        found.append(np.column_stack([edges[long], edges[long + 1]]))
        start = int(edges[-1])
        if first // BLOCK % LET_GO == LET_GO - 1:
            let_go(values)
    if len(values) - start >= FEWEST:
        found.append(np.array([[start, len(values)]]))
    runs = np.concatenate(found)
    runs = runs[time_s[runs[:, 1] - 1] - time_s[runs[:, 0]] > GAP_S]
    return [(first, end) for first, end in runs.tolist()]
