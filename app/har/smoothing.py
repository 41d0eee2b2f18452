"""Smoothing: bouts too short to be believed take the answer of what surrounds them.

A hidden Markov model: its states are the branches of the tree of activities, one chain at each node from the root
down, and what it sees of a window is its vote, the likeliest branch. `smoothed` finds the likeliest states (Viterbi
1967). Every vote is wrong as often, and states change as often at any moment, so that both come down to one number: how
long a bout between two others alike must be to be believed. `shortest_bout` takes it from training recordings.

Votes, not probabilities, are what a window says: a model that is unsure of a whole recording is so in the same
direction in each window, and products of its probabilities would make it sure (`smoothing` in docs/BENCHMARKS.md).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from app.har.signals.types import UNLABELLED, SignalSet
from app.har.types import FloatArray, IntArray, TimeArray
from app.har.vocabulary import NOT_WORN, AnswerTree, node_of
from app.har.windows import label_segments

# A flight of stairs takes about as long. Of walking in daily life, two bouts of five are shorter still, of at most 12
# steps (Orendurff et al. 2008, J Rehabil Res Dev 45): smoothing is not for counting those
LONGEST_S = 9.0
SHARE = 0.95  # of the labelled time is in bouts that are believed
WINDOWS_UNKNOWN = 2  # where training recordings are not known, a single window is all that is not believed
FEWEST_WINDOWS = 1.5  # that a bout must last for there to be a shorter one
TIMES = 5  # a stretch as long as fewer of the shortest bouts was recorded to show shorter ones
SAME_MOMENT_S = 1e-3

Bools = NDArray[np.bool_]
Seconds = NDArray[np.float64]


def bout_lengths(signals: SignalSet, recordings: Collection[str] | None = None) -> Seconds:
    """Return how long each stretch of one label lasts (s), (n_bouts,).

    Parameters
    ----------
    signals : of a data set, with its labels, or of several as one.
    recordings : those that a model learns from; default all.
    """
    segments = label_segments(signals)
    kept = segments.label != UNLABELLED
    if recordings is not None:
        learnt = np.isin(np.array(signals.recording_ids, np.str_), list(recordings))
        kept &= learnt[signals.recording[segments.stretch]]
    return np.asarray(segments.length[kept] / signals.sampling_rate_hz, np.float64)


def shortest_bout(lengths_s: Seconds) -> float:
    """Return how long a bout must be to be believed (s): as long as those that fill 95 % of the labelled time.

    At most LONGEST_S: a data set that was recorded one activity at a time does not show how short bouts are.
    """
    if not len(lengths_s):
        return LONGEST_S
    ordered = np.sort(lengths_s)
    shorter = np.cumsum(ordered) / ordered.sum()
    return min(float(ordered[np.searchsorted(shorter, 1 - SHARE)]), LONGEST_S)


def smoothed(
    proba: FloatArray,
    unfamiliar: Bools,
    activities: tuple[str, ...],
    recording: IntArray,
    start_s: TimeArray,
    end_s: TimeArray,
    begins: Bools,
    unworn: Bools,
    shortest_s: float,
) -> tuple[FloatArray, Bools]:
    """Return probabilities of windows, and which are unfamiliar, without bouts too short to be believed.

    All windows of a bout get one answer: the mean of what they say, those included that were overruled. This is as sure
    as they are on average, and never surer. Whether the movement is unfamiliar is decided first, in the same way;
    unfamiliar windows have no vote.

    Nothing is smoothed across a gap, another wearing, windows in which the device is not worn or windows of which
    nothing is known; nor in stretches shorter than five of the shortest bouts, where these are taken to be as much
    shorter. A window counts for the time until the next one begins, so that windows that overlap do not count twice.

    Parameters
    ----------
    proba : (n, n_activities).
    unfamiliar : (n,) windows unlike anything that the model knows.
    recording, start_s, end_s : (n,) of the windows, in the order of time within each recording.
    begins : (n,) windows in which another wearing begins.
    unworn : (n,) windows in which nobody wears the device, whatever the model says; those it says so of itself are too.
    shortest_s : how long a bout between two others alike must be; half of it at the ends of a stretch, or between two
        that differ.
    """
    if not len(proba):
        return proba, unfamiliar
    idle = [i for i, name in enumerate(activities) if node_of(name) == NOT_WORN]
    apart = unworn | np.isin(proba.argmax(axis=1), idle) | (np.ptp(proba, axis=1) < SAME_MOMENT_S)
    stretch = _stretches(recording, start_s, end_s, begins, apart)
    seconds = _seconds(stretch, start_s, end_s)
    believed_s = np.minimum(shortest_s, np.bincount(stretch, seconds)[stretch] / TIMES)
    step = float(np.median(seconds))
    change_s = (believed_s - step / 2) / 2  # midway between bouts of so many windows and of one less
    rows = np.flatnonzero(~apart & (believed_s > FEWEST_WINDOWS * step))  # all others are believed as they are
    strange = unfamiliar.copy()
    strange[rows] = _decoded(unfamiliar[rows].astype(np.int64), 2, stretch[rows], seconds[rows], change_s[rows])
    known = rows[~strange[rows]]
    sequence = _numbered(stretch, strange)[known]
    heard = ~unfamiliar[known]
    bout, followed = _bouts(proba[known], _tree(activities), sequence, seconds[known] * heard, change_s[known])
    result = proba.copy()
    result[known] = _means(proba[known], bout, followed & heard, heard)
    return result, strange


@lru_cache(maxsize=16)
def _tree(activities: tuple[str, ...]) -> AnswerTree:
    return AnswerTree(activities)


def _stretches(recording: IntArray, start_s: TimeArray, end_s: TimeArray, begins: Bools, apart: Bools) -> IntArray:
    """Number the stretches of windows that follow each other."""
    new = begins.copy()
    new[0] = True
    new[1:] |= (recording[1:] != recording[:-1]) | (apart[1:] != apart[:-1])
    new[1:] |= (start_s[1:] > end_s[:-1] + SAME_MOMENT_S) | (start_s[1:] <= start_s[:-1])
    return np.cumsum(new) - 1


def _seconds(stretch: IntArray, start_s: TimeArray, end_s: TimeArray) -> Seconds:
    """Return how long each window counts: until the next one of its stretch begins, the last one to its end."""
    until = end_s.copy()
    follows = stretch[1:] == stretch[:-1]
    until[:-1][follows] = start_s[1:][follows]
    return np.asarray(until - start_s)


def _bouts(
    proba: FloatArray, tree: AnswerTree, stretch: IntArray, seconds: Seconds, change_s: Seconds
) -> tuple[IntArray, Bools]:
    """Number the bouts of windows, and say which windows they follow."""
    bout, followed = stretch.copy(), np.ones(len(proba), bool)
    state = np.zeros(len(proba), np.int64)
    inside = {tuple(range(len(tree.activities))): np.arange(len(proba))}
    number = 0
    for members, children in tree.branches:
        rows = inside.pop(members, np.empty(0, np.int64))
        if not len(rows):
            continue
        votes = np.stack([proba[np.ix_(rows, np.array(child))].sum(axis=1) for child in children], axis=1).argmax(
            axis=1
        )
        chosen = _decoded(votes, len(children), bout[rows], seconds[rows], change_s[rows])
        followed[rows] &= chosen == votes
        for position, child in enumerate(children):
            inside[child] = rows[chosen == position]
            state[inside[child]] = number = number + 1
        bout = _numbered(bout, state)
    return bout, followed


def _numbered(*columns: NDArray[np.generic]) -> IntArray:
    """Number the runs in which none of the columns changes."""
    new = np.zeros(max(len(columns[0]) - 1, 0), bool)
    for column in columns:
        new |= column[1:] != column[:-1]
    return np.append(0, np.cumsum(new))[: len(columns[0])]


def _decoded(votes: IntArray, n_states: int, bout: IntArray, seconds: Seconds, change_s: Seconds) -> IntArray:
    """Return the likeliest state of each window, where a bout is one sequence."""
    new = np.diff(bout, prepend=-1).astype(bool)
    first = np.flatnonzero(new | np.diff(votes, prepend=-1).astype(bool))  # states never change among equal votes
    counts = np.diff(np.append(first, len(votes)))
    of_runs = [array.tolist() for array in (votes[first], np.add.reduceat(seconds, first))]
    states: list[int] = []
    for begin, end in pairwise([*np.flatnonzero(new[first]).tolist(), len(first)]):
        states += _viterbi(of_runs[0][begin:end], of_runs[1][begin:end], n_states, float(change_s[first[begin]]))
    return np.repeat(np.array(states, np.int64), counts)


def _viterbi(votes: Sequence[int], seconds: Sequence[float], n_states: int, change_s: float) -> list[int]:
    """Return the states with the fewest seconds of other votes, where each change costs some seconds."""
    cost = [0.0] * n_states
    came_from: list[list[int]] = []
    for vote, length_s in zip(votes, seconds, strict=True):
        least = min(cost)
        best, changed = cost.index(least), least + change_s
        came_from.append([best if own > changed else state for state, own in enumerate(cost)])
        cost = [changed if own > changed else own for own in cost]
        agreeing = cost[vote]
        cost = [own + length_s for own in cost]
        cost[vote] = agreeing
    states = [cost.index(min(cost))]
    for before in reversed(came_from[1:]):
        states.append(before[states[-1]])
    return states[::-1]


def _means(proba: FloatArray, bout: IntArray, followed: Bools, heard: Bools) -> FloatArray:
    """Return the mean of each bout's windows from the first that it follows to the last; of all where it follows none.

    Those inside that were overruled count: they may be right. Those at the ends are partly in the bout beside it.
    """
    place, n = np.arange(len(bout)), int(bout.max(initial=-1)) + 1
    first, last = np.full(n, len(bout)), np.full(n, -1)
    np.minimum.at(first, bout[followed], place[followed])
    np.maximum.at(last, bout[followed], place[followed])
    inside = heard & (place >= first[bout]) & (place <= last[bout])
    weight = np.where(np.bincount(bout, inside, n)[bout] > 0, inside, True).astype(np.float64)
    total = np.stack([np.bincount(bout, column * weight, n) for column in proba.T], axis=1)
    return np.asarray((total / np.bincount(bout, weight, n)[:, None])[bout], np.float32)
