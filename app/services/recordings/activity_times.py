"""When a person did what: bands over a signal, minutes per hour and day, and how far a file's own labels agree."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import tzinfo
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.har.signals.types import UNLABELLED
from app.har.types import IntArray, TimeArray
from app.services.recordings.prediction_result import SAME_MOMENT_S, Bouts, PredictionResult
from app.services.recordings.wall_clock import Period, WallClock

MISSING = "missing"
COLUMNS = 600  # of a plot; narrower bands could not be distinguished
DAILY_COLUMNS = ("recording", "period", "start", "end", "activity", "minutes")
Columns = tuple[TimeArray, TimeArray, IntArray, TimeArray]  # start_s, end_s, activity, confidence


def clock_of(result: PredictionResult, recording_index: int, zone: tzinfo) -> WallClock:
    """Return the clock of one recording, from its first window to the end of its last."""
    selected = result.positions(recording_index)
    origin = float(result.origins[selected[0]])
    start_s, end_s = float(result.start_s[selected].min()), float(result.end_s[selected].max())
    return WallClock(start_s, end_s, None if np.isnan(origin) else origin, zone)


def with_gaps(bouts: Bouts, start_s: float, end_s: float) -> Columns:
    """Return start, end, activity (UNLABELLED: missing) and confidence of bouts and of what lies between, in order."""
    ends = np.maximum.accumulate(np.append(start_s, bouts.end_s))
    starts = np.append(bouts.start_s, end_s)
    gap = starts - ends > 2 * SAME_MOMENT_S
    n = np.count_nonzero(gap)
    start = np.concatenate((bouts.start_s, ends[gap]))
    end = np.concatenate((bouts.end_s, starts[gap]))
    activity = np.concatenate((bouts.activity, np.full(n, UNLABELLED)))
    confidence = np.concatenate((bouts.confidence, np.full(n, np.nan)))
    order = np.argsort(start, kind="stable")
    return start[order], end[order], activity[order], confidence[order]


def seconds_between(bouts: Bouts, n_activities: int, edges: TimeArray) -> NDArray[np.float64]:
    """Return the seconds of each activity from one edge to the next, and last those without any.

    Returns
    -------
    (n_edges - 1, n_activities + 1); each row adds up to the time between its edges.
    """
    seconds = np.zeros((len(edges) - 1, n_activities + 1))
    for activity in np.flatnonzero(np.bincount(bouts.activity, minlength=1)).tolist():
        selected = bouts.activity == activity
        start, end = bouts.start_s[selected], bouts.end_s[selected]
        moments = np.stack((start, end), axis=1).ravel()
        done = np.concatenate(([0.0], np.cumsum(np.diff(moments) * (np.arange(len(moments) - 1) % 2 == 0))))
        seconds[:, activity] = np.diff(np.interp(edges, moments, done))
    seconds[:, -1] = np.maximum(np.diff(edges) - seconds.sum(axis=1), 0.0)
    return seconds


def bands(bouts: Bouts, n_activities: int, start_s: float, end_s: float) -> tuple[Columns, bool]:
    """Return what to draw between two moments, as `with_gaps` does, and whether it was thinned.

    More bouts than a plot has columns are thinned: each column gets the activity (or none) that fills most of its time,
    and equal neighbours are joined, without a confidence.
    """
    seen = (bouts.end_s > start_s) & (bouts.start_s < end_s)
    columns = with_gaps(Bouts(*(column[seen] for column in vars(bouts).values())), start_s, end_s)
    if len(columns[0]) <= COLUMNS:
        return columns, False
    edges = np.linspace(start_s, end_s, COLUMNS + 1, dtype=np.float64)
    most = seconds_between(bouts, n_activities, edges).argmax(axis=1)
    most[most == n_activities] = UNLABELLED
    first = np.flatnonzero(np.diff(most, prepend=-2))
    last = np.append(first[1:], COLUMNS)
    return (edges[first], edges[last], most[first], np.full(len(first), np.nan)), True


def per_period(result: PredictionResult, recording_index: int, clock: WallClock, kind: Period) -> list[dict[str, Any]]:
    """Return, for each hour or day of a recording, the minutes of each activity that occurs, and those missing."""
    periods = clock.periods(kind)
    edges = np.array([start for start, _ in periods] + [clock.end_s])
    minutes = seconds_between(result.bout_columns(recording_index), len(result.activities), edges) / 60
    return [
        {
            "start": clock.iso(start),
            "end": clock.iso(end),
            "title": clock.period_title(start, kind),
            "minutes": {result.activities[i]: round(float(row[i]), 3) for i in np.flatnonzero(row[:-1] > 1e-9)},
            "missing": round(float(row[-1]), 3),
        }
        for (start, end), row in zip(periods, minutes, strict=True)
    ]


def daily(result: PredictionResult, zone: tzinfo) -> list[dict[str, Any]]:
    """Return the hours and days of every recording; single windows have no clock and so none of either."""
    indices = range(len(result.recording_ids)) if result.layout == "timeline" else range(0)
    clocks = [(i, clock_of(result, i, zone)) for i in indices]
    return [
        {
            "recording": result.recording_ids[i],
            "time": f"time of day, {zone}" if clock.known else "since the start",
            "hours": per_period(result, i, clock, "hour"),
            "days": per_period(result, i, clock, "day"),
        }
        for i, clock in clocks
    ]


def daily_rows(result: PredictionResult, zone: tzinfo) -> Iterator[dict[str, Any]]:
    """Yield the same as a table of one activity a row, the longest form but the one every program reads."""
    for recording in daily(result, zone):
        for period, entries in (("day", recording["days"]), ("hour", recording["hours"])):
            for entry in entries:
                for activity, minutes in [*entry["minutes"].items(), (MISSING, entry["missing"])]:
                    row = (recording["recording"], period, entry["start"], entry["end"], activity, minutes)
                    yield dict(zip(DAILY_COLUMNS, row, strict=True))


def agreement(result: PredictionResult, recording_index: int | None) -> dict[str, Any] | None:
    """Compare what was recognised with what the file says, window by window; None where it says nothing.

    ``rows`` has an entry for each activity that the file names: whether the model ``knows`` it, its ``windows``, and
    ``recognised``, how many of them as each of ``columns``; ``right``, how many as that very activity.
    """
    selected = result.positions(recording_index)
    selected = selected[result.labels[selected] != UNLABELLED]
    if not len(selected):
        return None
    labels, chosen = result.labels[selected], result.ranked[selected, 0]
    counts = np.zeros((len(result.label_activities), len(result.activities)), np.int64)
    np.add.at(counts, (labels, chosen), 1)
    columns = _in_order(result.activities, np.flatnonzero(counts.sum(axis=0)), result)
    rows = _in_order(result.label_activities, np.flatnonzero(counts.sum(axis=1)), result)
    right = result.right[selected]
    return {
        "compared": int((right != UNLABELLED).sum()),
        "right": int((right == 1).sum()),
        "columns": [name for name, _ in columns],
        "rows": [
            {
                "activity": name,
                "known": name in result.activities,
                "windows": int(counts[i].sum()),
                "recognised": [int(counts[i, j]) for _, j in columns],
                "right": sum(int(counts[i, j]) for column, j in columns if column == name),
            }
            for name, i in rows
        ],
    }


def _in_order(names: Sequence[str], index: IntArray, result: PredictionResult) -> list[tuple[str, int]]:
    """Return names and their positions, in the order of the model's activities, so that the diagonal is seen."""
    position = {name: i for i, name in enumerate(result.all_activities)}
    return sorted(((names[i], i) for i in index.tolist()), key=lambda pair: position[pair[0]])
