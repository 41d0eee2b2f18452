"""When sensors run: each without a gap, and which of them together."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

import numpy as np

from app.har.signals.clocks import GAP_S, gap_threshold
from app.har.signals.types import Stream

Interval = tuple[float, float]
Piece = tuple[float, float, tuple[bool, ...]]  # an interval, and of each sensor whether it runs there


def gap_free(stream: Stream, own_rate: float, gap_s: float = GAP_S) -> list[Interval]:
    """Return (first, last) time in seconds of each piece without a gap."""
    time = stream.time_s
    cuts = np.flatnonzero(np.diff(time) > gap_threshold(own_rate, gap_s))
    return list(zip(time[np.append(0, cuts + 1)].tolist(), time[np.append(cuts, len(time) - 1)].tolist(), strict=True))


def segments_by_presence(each: Sequence[list[Interval]]) -> list[Piece]:
    """Cut the time in which any sensor runs where one begins or ends; say of each piece which of them run.

    Parameters
    ----------
    each : of every sensor, its gap-free intervals in order; one of a single sample is none.
    """
    each = [[(start, end) for start, end in own if end > start] for own in each]
    edges = np.unique([moment for own in each for interval in own for moment in interval])
    runs = np.zeros((max(len(edges) - 1, 0), len(each)), bool)
    for number, own in enumerate(each):
        for a, b in np.searchsorted(edges, own).reshape(-1, 2):
            runs[a:b, number] = True
    spans = zip(edges[:-1].tolist(), edges[1:].tolist(), runs.tolist(), strict=True)
    return [(start, end, tuple(present)) for start, end, present in spans if any(present)]


def drop_short_intervals(each: Sequence[list[Interval]], least_s: float) -> list[list[Interval]]:
    """Leave out what is shorter than a window of a sensor, where it would cut an interval of another that is not."""
    long = sorted((start, end) for own in each for start, end in own if end - start >= least_s)
    starts = [start for start, _ in long]
    reach = np.maximum.accumulate([end for _, end in long]) if long else np.empty(0)

    def cuts(start: float, end: float) -> bool:
        before = bisect_left(starts, end)
        return before > 0 and bool(reach[before - 1] > start)

    return [[(start, end) for start, end in own if end - start >= least_s or not cuts(start, end)] for own in each]
