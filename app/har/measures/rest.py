"""The rest window of a night: the longest stretch of lying quite still, which is not the same as sleep.

On the wrist it is found by HDCZA (heuristic algorithm looking at the distribution of change in z-angle): van Hees et
al., Estimating sleep parameters using an accelerometer without sleep diary, Sci Rep 8: 12975, 2018, with the steps and
constants of GGIR's HASPT.R. Elsewhere on the body it is the longest stretch that was answered *lying*, put together by
the same rules for blocks and gaps. A night is from noon to noon and belongs to the day on which it ends.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from app.har.measures.slots import SLOT_S, Slots
from app.har.types import FloatArray, IntArray, TimeArray

MEDIAN_OVER_S = 300.0
PERCENTILE, TIMES = 10.0, 15.0
THRESHOLD_DEG = (0.13, 0.50)  # within which it is kept
BLOCK_S, GAP_S = 1800.0, 3600.0  # a block is longer than the one; shorter gaps between blocks are bridged
ENOUGH_S = 16 * 3600.0  # worn of a night from noon to noon: GGIR's includenightcrit
Window = tuple[float, float]


def by_angle(slots: Slots, start_s: float, end_s: float) -> Window | None:
    """Return the rest window of a night by the angle of a wrist's z axis; times are those of the slots.

    Parameters
    ----------
    slots : those worn; where there is none, nobody rests.
    """
    first, n = round(start_s / SLOT_S), round((end_s - start_s) / SLOT_S)
    inside = slice(*np.searchsorted(slots.number, (first, first + n)).tolist())
    at = slots.number[inside] - first
    if not len(at):
        return None
    change = _change(at, slots.angle_deg[inside], n)
    limit = float(np.clip(TIMES * np.nanpercentile(change, PERCENTILE), *THRESHOLD_DEG))
    still: NDArray[np.bool_] = np.append(False, np.nan_to_num(change, nan=np.inf) < limit)
    edges = np.flatnonzero(np.diff(np.append(still, False)))
    blocks = start_s + SLOT_S * edges.reshape(-1, 2).astype(np.float64)
    return longest(blocks[:, 0], blocks[:, 1])


def _change(at: IntArray, angle: FloatArray, n: int) -> FloatArray:
    """Return the median over five minutes around each slot of how much the angle changes from one to the next; (n,).

    NaN where a slot is missing.
    """
    from scipy.ndimage import median_filter

    turned = np.full(n, np.nan)
    turned[at] = angle
    step = np.abs(np.diff(turned, prepend=np.nan))
    known = ~np.isnan(step)
    width = round(MEDIAN_OVER_S / SLOT_S) - 1  # 60 angles have 59 changes
    # What is missing counts as movement, and the ends go on as they are
    smooth = median_filter(np.where(known, step, 180.0).astype(np.float32), width, mode="nearest")
    return np.where(np.isnan(turned), np.nan, smooth)


def longest(start_s: TimeArray, end_s: TimeArray) -> Window | None:
    """Return the longest stretch that blocks make, put together over short gaps; None without a block."""
    long = end_s - start_s > BLOCK_S
    start, end = start_s[long], end_s[long]
    if not len(start):
        return None
    apart = np.flatnonzero(start[1:] - end[:-1] >= GAP_S)
    first, last = start[np.append(0, apart + 1)], end[np.append(apart, len(end) - 1)]
    best = int((last - first).argmax())
    return float(first[best]), float(last[best])
