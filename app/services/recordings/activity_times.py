"""When a person did what: bands over a signal, minutes per hour and day, and how far a file's own labels agree."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.har.signals.types import UNLABELLED
from app.har.types import IntArray, TimeArray
from app.har.vocabulary import NO_ANSWER
from app.services.recordings.prediction_result import SAME_MOMENT_S, Bouts, Opinion, PredictionResult
from app.services.recordings.wall_clock import Period, WallClock

MISSING = "missing"
MAX_ROWS = 200  # of a table of labels
COLUMNS = 600  # of a plot; narrower bands could not be distinguished
DAILY_COLUMNS = ("recording", "period", "start", "end", "activity", "minutes", "deepest_minutes")


@dataclass(frozen=True)
class Bands:
    """Bouts and what lies between them, as columns in the order of time; UNLABELLED and NaN where something is missing.

    See `Bouts` for what the columns are.
    """

    start_s: TimeArray
    end_s: TimeArray
    activity: IntArray
    confidence: TimeArray
    deepest: IntArray
    deepest_confidence: TimeArray


def clock_of(result: PredictionResult, recording_index: int, zone: tzinfo) -> WallClock:
    """Return the clock of one recording, from its first window to the end of its last."""
    selected = result.positions(recording_index)
    origin = float(result.origins[selected[0]])
    start_s, end_s = float(result.start_s[selected].min()), float(result.end_s[selected].max())
    return WallClock(start_s, end_s, None if np.isnan(origin) else origin, zone)


def with_gaps(bouts: Bouts, start_s: float, end_s: float) -> Bands:
    """Return bouts and what lies between them."""
    ends = np.maximum.accumulate(np.append(start_s, bouts.end_s))
    starts = np.append(bouts.start_s, end_s)
    gap = starts - ends > 2 * SAME_MOMENT_S
    missing, unknown = np.full(np.count_nonzero(gap), UNLABELLED), np.full(np.count_nonzero(gap), np.nan)
    start = np.concatenate((bouts.start_s, ends[gap]))
    order = np.argsort(start, kind="stable")
    return Bands(
        start_s=start[order],
        end_s=np.concatenate((bouts.end_s, starts[gap]))[order],
        activity=np.concatenate((bouts.activity, missing))[order],
        confidence=np.concatenate((bouts.confidence, unknown))[order],
        deepest=np.concatenate((bouts.deepest, missing))[order],
        deepest_confidence=np.concatenate((bouts.deepest_confidence, unknown))[order],
    )


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


def bands(bouts: Bouts, n_activities: int, start_s: float, end_s: float) -> tuple[Bands, bool]:
    """Return what to draw between two moments, as `with_gaps` does, and whether it was thinned.

    More bouts than a plot has columns are thinned: each column gets the activity (or none) that fills most of its time,
    and equal neighbours are joined, without a confidence.
    """
    seen = (bouts.end_s > start_s) & (bouts.start_s < end_s)
    exact = with_gaps(Bouts(*(column[seen] for column in vars(bouts).values())), start_s, end_s)
    if len(exact.start_s) <= COLUMNS:
        return exact, False
    edges = np.linspace(start_s, end_s, COLUMNS + 1, dtype=np.float64)
    most = seconds_between(bouts, n_activities, edges).argmax(axis=1)
    most[most == n_activities] = UNLABELLED
    first = np.flatnonzero(np.diff(most, prepend=-2))
    last = np.append(first[1:], COLUMNS)
    unknown = np.full(len(first), np.nan)
    return Bands(edges[first], edges[last], most[first], unknown, np.full(len(first), UNLABELLED), unknown), True


def per_period(result: PredictionResult, recording_index: int, clock: WallClock, kind: Period) -> list[dict[str, Any]]:
    """Return, for each hour or day of a recording, the minutes of each answer and deepest guess, and those missing."""
    periods = clock.periods(kind)
    edges = np.array([start for start, _ in periods] + [clock.end_s])

    def minutes(opinion: Opinion) -> NDArray[np.float64]:
        return seconds_between(result.bout_columns(recording_index, opinion), len(result.names(opinion)), edges) / 60

    return [
        {
            "start": clock.iso(start),
            "end": clock.iso(end),
            "title": clock.period_title(start, kind),
            "minutes": _named(result.answer_names, answered),
            "deepest_minutes": _named(result.activities, guessed),
            "missing": round(float(answered[-1]), 3),
        }
        for (start, end), answered, guessed in zip(periods, minutes("answer"), minutes("deepest"), strict=True)
    ]


def _named(names: Sequence[str], minutes: NDArray[np.float64]) -> dict[str, float]:
    """Return the minutes of each name that occurs; the last of the minutes are missing."""
    return {names[i]: round(float(minutes[i]), 3) for i in np.flatnonzero(minutes[:-1] > 1e-9).tolist()}


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
                minutes, deepest = entry["minutes"], entry["deepest_minutes"]
                for activity in dict.fromkeys((*minutes, *deepest)):
                    each = (activity, minutes.get(activity, 0.0), deepest.get(activity, 0.0))
                    yield _daily_row(recording["recording"], period, entry, *each)
                yield _daily_row(recording["recording"], period, entry, MISSING, entry["missing"], entry["missing"])


def _daily_row(recording: str, period: str, entry: dict[str, Any], *values: Any) -> dict[str, Any]:
    return dict(zip(DAILY_COLUMNS, (recording, period, entry["start"], entry["end"], *values), strict=True))


def agreement(result: PredictionResult, recording_index: int | None) -> dict[str, Any] | None:
    """Compare what was recognised with what the file says, window by window; None where it says nothing.

    ``rows`` has an entry for each activity that the file names: whether the model ``knows`` it, its ``windows``, how
    many of them have an answer, ``recognised``, how many as each of ``columns``, and of which columns it is ``true``;
    ``right``, how many answers are true. Of more than MAX_ROWS activities, those with most windows have one; ``more``
    says how many are left out.
    """
    selected = result.positions(recording_index)
    selected = selected[result.labels[selected] != UNLABELLED]
    if not len(selected):
        return None
    counts = np.zeros((len(result.label_activities), len(result.answer_names)), np.int64)
    np.add.at(counts, (result.labels[selected], result.answers[selected]), 1)
    columns = _in_order(result.answer_names, np.flatnonzero(counts.sum(axis=0)), result)
    rows = _in_order(result.label_activities, np.flatnonzero(counts.sum(axis=1)), result)
    right = result.right[selected]
    known = result.known_activities
    most = sorted((counts[i].sum() for _, i in rows), reverse=True)[:MAX_ROWS]
    often = [(name, i) for name, i in rows if counts[i].sum() >= most[-1]][:MAX_ROWS]
    return {
        "compared": int((right != UNLABELLED).sum()),
        "right": int((right == 1).sum()),
        "columns": [name for name, _ in columns],
        "rows": [
            {
                "activity": name,
                "known": bool(known[i]),
                "windows": int(counts[i].sum()),
                "answered": int(counts[i, : -len(NO_ANSWER)].sum()),
                "recognised": [int(counts[i, j]) for _, j in columns],
                "true": [bool(result.agreeing[j, i]) for _, j in columns],
                "right": int(counts[i] @ result.agreeing[:, i]),
            }
            for name, i in often
        ],
        "more": len(rows) - len(often),
    }


def _in_order(names: Sequence[str], index: IntArray, result: PredictionResult) -> list[tuple[str, int]]:
    """Return names and their positions, in the order of the model's activities."""
    position = {name: i for i, name in enumerate(result.all_names)}
    return sorted(((names[i], i) for i in index.tolist()), key=lambda pair: position[pair[0]])
