"""Heart rate in each window of a recording, and what is usual for a person in each activity.

What is usual goes by shares of time, so that one long day counts as its minutes do: a twentieth of the time it was
lower, and a twentieth higher. Bins of 5 beats a minute are kept, which days can be added up from.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.har.types import FloatArray, IntArray, TimeArray
from app.har.vocabulary import NO_ANSWER, NOT_WORN, node_of, path_of

HELD_S = 15.0  # that a value holds: wristbands give one a second, watches one in five
RANGE_BPM = (20.0, 260.0)  # beyond, a sensor is wrong
BIN_BPM = 5
SHARES = (0.05, 0.5, 0.95)  # of the time that it was lower
LEAST_MIN = 30.0  # of an activity, from which something is usual in it

Minutes = Mapping[str, float]  # by the lowest rate of a bin, as JSON has it: {"60": 12.5}


@dataclass(frozen=True)
class Usual:
    """What is usual for a person in an activity, beats a minute."""

    low: float
    median: float
    high: float
    minutes: float  # in which it was measured
    days: int


def of_windows(time_s: TimeArray, bpm: NDArray[np.floating], start_s: TimeArray, end_s: TimeArray) -> FloatArray:
    """Return the heart rate in the middle of each window, NaN where none was measured shortly before; (n_windows,).

    Parameters
    ----------
    time_s : (n,) in order, on the clock of the windows.
    bpm : (n,)
    """
    there = (bpm >= RANGE_BPM[0]) & (bpm <= RANGE_BPM[1])
    time_s, bpm = time_s[there], bpm[there]
    found = np.full(len(start_s), np.nan, np.float32)
    if len(time_s):
        middle = (start_s + end_s) / 2
        last = np.searchsorted(time_s, middle, side="right") - 1
        held = (last >= 0) & (middle - time_s[last] <= HELD_S)
        found[held] = bpm[last[held]]
    return found


def minutes_of(bpm: FloatArray, seconds: NDArray[np.floating]) -> dict[str, float]:
    """Return for how many minutes a heart rate was in each bin; windows without one count for nothing."""
    known = np.isfinite(bpm)
    bins = (bpm[known] // BIN_BPM).astype(np.int64)
    minutes = np.bincount(bins, seconds[known] / 60)
    return {str(i * BIN_BPM): round(float(minutes[i]), 2) for i in np.flatnonzero(minutes).tolist()}


def minutes_of_each(
    bpm: FloatArray, seconds: NDArray[np.floating], answers: IntArray, names: Sequence[str]
) -> dict[str, dict[str, float]]:
    """Return these minutes by answer, of the answers of which a heart rate is known.

    Parameters
    ----------
    answers : (n,) position of each window's answer in ``names``.
    """
    known = np.isfinite(bpm)
    return {
        names[answer]: minutes_of(bpm[answers == answer], seconds[answers == answer])
        for answer in np.unique(answers[known]).tolist()
    }


def usual_by_node(measured: Iterable[tuple[Hashable, Mapping[str, Minutes]]]) -> dict[str, Usual]:
    """Return what is usual in each node of the vocabulary in which enough was measured; in the root, nothing is.

    Parameters
    ----------
    measured : a day, and the minutes in each bin by answer; a day may come several times.
    """
    by_node: dict[str, dict[int, float]] = defaultdict(lambda: defaultdict(float))
    days: dict[str, set[Hashable]] = defaultdict(set)
    for day, by_answer in measured:
        for answer, minutes in by_answer.items():
            for node in nodes_of(answer):
                days[node].add(day)
                for lowest, spent in minutes.items():
                    by_node[node][int(lowest)] += spent
    return {node: _usual(bins, len(days[node])) for node, bins in by_node.items() if sum(bins.values()) >= LEAST_MIN}


def nodes_of(answer: str) -> tuple[str, ...]:
    """Return the nodes that are true of a person, the deepest first, without the root; none where it is no answer."""
    if answer in NO_ANSWER or node_of(answer) == NOT_WORN:
        return ()
    return path_of(node_of(answer))[:-1]


def _usual(bins: Mapping[int, float], days: int) -> Usual:
    """Return the rates below which a person's heart was for these shares of the time; even within a bin."""
    lowest = np.arange(min(bins), max(bins) + 1, BIN_BPM)
    minutes = np.array([bins.get(edge, 0.0) for edge in lowest.tolist()])
    edges = np.append(lowest, lowest[-1] + BIN_BPM)
    below = np.concatenate([[0.0], np.cumsum(minutes)]) / minutes.sum()
    low, median, high = np.interp(SHARES, below, edges).round(1).tolist()
    return Usual(low, median, high, float(minutes.sum()), days)
