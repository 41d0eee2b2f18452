"""What is asked of a whole recording again and again, found in one pass and remembered.

A pass goes block by block: what is computed on the way stays in the processor's cache, and a day needs no second array
of its size.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from app.har.signals.pages import let_go
from app.har.signals.remembered import remembered
from app.har.types import FloatArray, IntArray, TimeArray

BLOCK, LET_GO = 2**16, 64  # samples, and after how many blocks their pages are let go


def _steps(time_s: TimeArray) -> Iterator[tuple[int, TimeArray]]:
    """Yield the steps between successive times, a block at a time, with the position of the first of them."""
    for number, first in enumerate(range(0, len(time_s) - 1, BLOCK)):
        yield first, np.diff(time_s[first : first + BLOCK + 1])
        if number % LET_GO == LET_GO - 1:
            let_go(time_s)


@remembered
def step_range(time_s: TimeArray) -> tuple[float, float]:
    """Return the shortest and the longest step between successive times, (inf, -inf) where there is none."""
    ranges = [(float(steps.min()), float(steps.max())) for _, steps in _steps(time_s)]
    return min((low for low, _ in ranges), default=np.inf), max((high for _, high in ranges), default=-np.inf)


def increases(time_s: TimeArray) -> bool:
    """Tell whether each time is later than the one before."""
    return step_range(time_s)[0] > 0


@remembered
def holes(time_s: TimeArray, longer_than_s: float) -> IntArray:
    """Return the positions of the samples after which nothing comes for longer than so many seconds."""
    if step_range(time_s)[1] <= longer_than_s:
        return np.empty(0, np.int64)
    return np.concatenate([np.flatnonzero(steps > longer_than_s) + first for first, steps in _steps(time_s)])


@remembered
def extremes(values: NDArray[np.floating]) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Return the least and the greatest value of each axis, (n_axes,), of some samples or times; NaN where one is."""
    found = []
    for axis in np.atleast_2d(values.T):
        found.append((axis.min(), axis.max()))
        let_go(values)
    least, most = np.array(found).T
    return least, most


def constant_axes(values: FloatArray) -> NDArray[np.bool_]:
    """Tell of each axis of some samples whether it never changes, (n_axes,)."""
    least, greatest = extremes(values)
    return np.asarray(least == greatest)


@remembered
def first_axis_repeats(values: FloatArray) -> int:
    """Count the samples whose first axis is that of the sample before: all three are hardly equal more often."""
    first, found = values[:, 0], 0
    for start in range(0, len(first) - 1, LET_GO * BLOCK):
        part = first[start : start + LET_GO * BLOCK + 1]
        found += int(np.count_nonzero(part[1:] == part[:-1]))
        let_go(values)
    return found


def median(values: NDArray[np.floating]) -> float:
    """Return the median of some finite numbers, as `np.median` does; of a few, in a fifth of the time."""
    middle = len(values) // 2
    if len(values) % 2:
        return float(np.partition(values, middle)[middle])
    low, high = np.partition(values, (middle - 1, middle))[middle - 1 : middle + 1]
    return float((low + high) / 2)


def percentile(values: NDArray[np.floating], percent: float) -> float:
    """Return what a share of some finite numbers do not exceed, as `np.percentile` does; of a few, much sooner."""
    place = (len(values) - 1) * (percent / 100)
    below = min(int(place), len(values) - 1)
    above, part = min(below + 1, len(values) - 1), place - below
    ordered = np.partition(values, (below, above))
    low, high = ordered[below], ordered[above]
    return float(high - (high - low) * (1 - part) if part >= 0.5 else low + (high - low) * part)


def rounded(values: NDArray[np.float64], digits: int = 3) -> list[float]:
    """Round numbers as Python's `round` does, to the last bit, in a fiftieth of the time.

    Only what lies near the middle between two results needs exact arithmetic, and what is so large that its last
    digits are beyond a float.
    """
    scaled = values * 10.0**digits
    whole = np.rint(scaled)
    result: list[float] = (whole / 10.0**digits).tolist()
    doubtful = ~(np.abs(np.abs(scaled - whole) - 0.5) > 1e-3) | ~(np.abs(scaled) < 1e12)
    for place in np.flatnonzero(doubtful).tolist():
        result[place] = round(float(values[place]), digits)
    return result
