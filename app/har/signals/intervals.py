"""When sensors run: one without a gap, and which of them together."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

import numpy as np

from app.har.signals.clocks import GAP_S, gap_threshold
from app.har.signals.summaries import holes
from app.har.signals.types import Stream

Interval = tuple[float, float]
Piece = tuple[float, float, tuple[bool, ...]]  # an interval, and for each sensor whether it runs then


def gap_free(stream: Stream, rate_hz: float, gap_s: float = GAP_S) -> list[Interval]:
    """Return (first, last) time in seconds of each piece without a gap."""
    time = stream.time_s
    cuts = holes(time, gap_threshold(rate_hz, gap_s))
    return list(zip(time[np.append(0, cuts + 1)].tolist(), time[np.append(cuts, len(time) - 1)].tolist(), strict=True))


def segments_by_presence(sensors: Sequence[list[Interval]]) -> list[Piece]:
    """Cut the time in which any sensor runs where one begins or ends, and mark which of them run in each piece.

    Parameters
    ----------
    sensors : the gap-free intervals of each sensor, in order; an interval of a single sample does not count.
    """
    sensors = [[(start, end) for start, end in intervals if end > start] for intervals in sensors]
    edges = np.unique([moment for intervals in sensors for interval in intervals for moment in interval])
    runs = np.zeros((max(len(edges) - 1, 0), len(sensors)), bool)
    for number, intervals in enumerate(sensors):
        for a, b in np.searchsorted(edges, intervals).reshape(-1, 2):
            runs[a:b, number] = True
    spans = zip(edges[:-1].tolist(), edges[1:].tolist(), runs.tolist(), strict=True)
    return [(start, end, tuple(present)) for start, end, present in spans if any(present)]


def drop_short_intervals(sensors: Sequence[list[Interval]], least_s: float) -> list[list[Interval]]:
    """Leave out intervals shorter than a window that would cut a longer interval of another sensor."""
    long = sorted((start, end) for intervals in sensors for start, end in intervals if end - start >= least_s)
    starts = [start for start, _ in long]
    reach = np.maximum.accumulate([end for _, end in long]) if long else np.empty(0)

    def cuts(start: float, end: float) -> bool:
        before = bisect_left(starts, end)
        return before > 0 and bool(reach[before - 1] > start)

    return [
        [(start, end) for start, end in intervals if end - start >= least_s or not cuts(start, end)]
        for intervals in sensors
    ]
