"""When a person did what: bands over a signal, and minutes per hour and day."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import tzinfo

import numpy as np
from numpy.typing import NDArray

from app.har.signals.types import UNLABELLED
from app.har.types import IntArray, TimeArray
from app.har.vocabulary import MISSING
from app.services.recordings.bouts import Bouts
from app.services.recordings.prediction_result import Opinion, PredictionResult
from app.services.recordings.wall_clock import Period, WallClock

SHORTEST_PAUSE_S = 0.1  # less is the step from one sample to the next, not a stretch that is missing
COLUMNS = 600  # of a plot; narrower bands could not be distinguished


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
    """Return the clock of one recording, from its first window to the end of its last, or what was too little."""
    selected = result.positions(recording_index)
    origin = float(result.origins[selected[0]])
    short = [stretch[1:] for stretch in result.too_little if stretch[0] == recording_index]
    start_s = min(float(result.start_s[selected].min()), *(start for start, _ in short), math.inf)
    end_s = max(float(result.end_s[selected].max()), *(end for _, end in short), -math.inf)
    return WallClock(start_s, end_s, None if np.isnan(origin) else origin, zone)


def with_gaps(bouts: Bouts, start_s: float, end_s: float) -> Bands:
    """Return bouts and what lies between them."""
    ends = np.maximum.accumulate(np.append(start_s, bouts.end_s))
    starts = np.append(bouts.start_s, end_s)
    gap = starts - ends > SHORTEST_PAUSE_S
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


def per_period(
    result: PredictionResult, recording_index: int, clock: WallClock, kind: Period
) -> Iterator[tuple[float, float, str, float, float]]:
    """Yield, for each hour or day of a recording, its start and end, and the minutes of each answer and deepest guess.

    Last come the minutes of it that are missing.
    """
    periods = clock.periods(kind)
    edges = np.array([start for start, _ in periods] + [clock.end_s])

    def minutes(opinion: Opinion) -> NDArray[np.float64]:
        names = result.names(opinion)
        return (seconds_between(result.bout_columns(recording_index, opinion), len(names), edges) / 60).round(3)

    for (start, end), answered, guessed in zip(periods, minutes("answer"), minutes("deepest"), strict=True):
        spent, likely = _of_names(result.answer_names, answered), _of_names(result.activities, guessed)
        for name in dict.fromkeys((*spent, *likely)):
            yield start, end, name, spent.get(name, 0.0), likely.get(name, 0.0)
        yield start, end, MISSING, float(answered[-1]), float(answered[-1])


def _of_names(names: Sequence[str], minutes: NDArray[np.float64]) -> dict[str, float]:
    """Return the minutes of each name that occurs; the last of the minutes are missing."""
    return {names[i]: float(minutes[i]) for i in np.flatnonzero(minutes[:-1]).tolist()}
