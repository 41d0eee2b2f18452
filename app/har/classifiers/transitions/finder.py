"""Finds transitions, and when exactly activities change: a forest looks at each quarter of a second."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.har.classifiers.everyday.forest import Forest, fit_forest
from app.har.classifiers.transitions.courses import Rules, likeliest
from app.har.classifiers.transitions.moments import describe, hop, with_surroundings
from app.har.signals.types import UNLABELLED, SignalSet
from app.har.types import FloatArray, IntArray, TimeArray
from app.har.vocabulary import transition_ends
from app.har.windows import label_segments

TREES, LEAF, LEAF_OF_CHANGES = 60, 8, 3
OF_USUAL = 0.5  # a transition lasts for at least half as long as the median of its kind,
SURELY = 20  # moments at most: each is a state, and what is called so may be an exercise of minutes
ABOUT_S = 0.3  # a moment is at a change that is so near to its middle
EVERY = 2  # of the labelled moments to learn from: those beside each other are nearly alike
FEWEST = 10  # labelled transitions, or there is nothing to learn
MOST = 150_000  # moments to learn from, each with what is around it: of more, fewer are taken from each stretch


@dataclass(frozen=True)
class Course:
    """Stretches of one activity each, in the order of recordings and time, as columns."""

    recording: IntArray  # (n,) position in the recordings of the signals
    start_s: TimeArray  # on that recording's clock
    end_s: TimeArray
    activity: IntArray  # (n,) position in `TransitionFinder.activities`

    def take(self, rows: NDArray[np.bool_]) -> Course:
        """Return some of the stretches."""
        return Course(self.recording[rows], self.start_s[rows], self.end_s[rows], self.activity[rows])


@dataclass(frozen=True)
class TransitionFinder:
    """What was learnt from labelled signals; it reads all their channels, at their rate."""

    activities: tuple[str, ...]
    forest: Forest
    lasts: IntArray | None = None  # (n_activities,) moments for which each lasts at least
    changes: Forest | None = None  # tells moments at which a transition begins or ends, 1, from others, 0

    def course(self, signals: SignalSet) -> Course:
        """Return what is likeliest at each moment; stretches in which a sensor is missing have none."""
        rules = Rules.of(self.activities)
        columns: list[tuple[IntArray, TimeArray, TimeArray, IntArray]] = []
        for stretch, (first, length) in enumerate(zip(signals.first.tolist(), signals.length.tolist(), strict=True)):
            signal = signals.signal[first : first + length]
            described = describe(signal, signals.channels, signals.sampling_rate_hz)
            if not len(described) or not np.isfinite(described).all():
                continue
            proba, changing = [], []
            for rows in with_surroundings(described):
                proba.append(self.forest.predict_proba(rows))
                if self.changes:
                    changing.append(self.changes.predict_proba(rows)[:, 1])
            states = likeliest(np.concatenate(proba), rules, self.lasts, np.concatenate(changing) if changing else None)
            change = np.flatnonzero(np.diff(states)) + 1
            inner_s = (change + 0.5) * hop(signals.sampling_rate_hz) / signals.sampling_rate_hz
            edges_s = signals.start_s[stretch] + np.array([0.0, *inner_s, length / signals.sampling_rate_hz])
            owner = np.full(len(change) + 1, signals.recording[stretch], np.int64)
            columns.append((owner, edges_s[:-1], edges_s[1:], states[np.append(0, change)]))
        if not columns:
            nothing, never = np.zeros(0, np.int64), np.zeros(0)
            return Course(nothing, never, never, nothing)
        recording, start_s, end_s, activity = (np.concatenate(column) for column in zip(*columns, strict=True))
        return Course(recording, start_s, end_s, activity)

    def transitions(self, signals: SignalSet) -> Course:
        """Return the transitions alone."""
        course = self.course(signals)
        short = np.array([transition_ends(name) is not None for name in self.activities])
        return course.take(short[course.activity])


def fit_finder(
    signals: SignalSet, recordings: Collection[str] | None = None, *, seed: int = 0, trees: int = TREES
) -> TransitionFinder | None:
    """Learn from labelled signals; None where too few transitions are labelled.

    Parameters
    ----------
    signals : of a data set, at its uniform rate, prepared as those that are to be recognised.
    recordings : those that are learnt from; default all.
    """
    learnt = np.isin(np.array(signals.recording_ids, np.str_), list(recordings or signals.recording_ids))
    segments = label_segments(signals)
    short = [i for i, name in enumerate(signals.activities) if transition_ends(name) is not None]
    if (np.isin(segments.label, short) & learnt[signals.recording[segments.stretch]]).sum() < FEWEST:
        return None
    finder = learn(signals, learnt, seed=seed, trees=trees)
    return finder if finder and finder.forest.share[:, short].any() else None  # or a sensor is missing where they are


def learn(
    signals: SignalSet, learnt: NDArray[np.bool_], *, seed: int = 0, trees: int = TREES
) -> TransitionFinder | None:
    """Learn from labelled signals, whether transitions are among them or not; None where there is nothing.

    Parameters
    ----------
    learnt : (n_recordings,) those that are learnt from.
    """
    segments = label_segments(signals)
    edges = np.append(_changes(signals), np.iinfo(np.int64).max // 2)
    rows: list[FloatArray] = []
    labels: list[IntArray] = []
    at_change: list[NDArray[np.bool_]] = []
    step = hop(signals.sampling_rate_hz)
    lasts = np.where(segments.label != UNLABELLED, segments.length, 0)[learnt[signals.recording[segments.stretch]]]
    every = max(EVERY, -(-int(lasts.sum()) // (step * MOST)))
    for stretch in np.flatnonzero(learnt[signals.recording]).tolist():
        first, length = int(signals.first[stretch]), int(signals.length[stretch])
        described = describe(signals.signal[first : first + length], signals.channels, signals.sampling_rate_hz)
        middles = first + step * (1 + np.arange(len(described)))
        middle = signals.labels[middles].astype(np.int64)
        wanted = np.flatnonzero((middle != UNLABELLED) & np.isfinite(described).all(axis=1))[::every]
        rows += with_surroundings(described, wanted.tolist()) if len(wanted) else []
        labels.append(middle[wanted])
        after = np.searchsorted(edges, middles[wanted])
        apart = np.abs(edges[[np.maximum(after - 1, 0), after]] - middles[wanted]).min(axis=0)
        at_change.append(apart <= ABOUT_S * signals.sampling_rate_hz)
    if not rows:
        return None
    X = np.nan_to_num(np.concatenate(rows), copy=False)
    y, is_change = np.concatenate(labels), np.concatenate(at_change).astype(np.int64)
    grown = [
        fit_forest(X, of, _weights(of), n_classes, n_trees=trees, leaf=leaf, seed=seed)
        for of, n_classes, leaf in ((y, len(signals.activities), LEAF), (is_change, 2, LEAF_OF_CHANGES))
    ]
    known = learnt[signals.recording[segments.stretch]]
    shortest = [
        int(np.median(segments.length[known & (segments.label == i)]) * OF_USUAL) // step if i in y and short else 1
        for i, short in enumerate(transition_ends(name) is not None for name in signals.activities)
    ]
    changes = grown[1] if is_change.any() else None
    return TransitionFinder(signals.activities, grown[0], np.clip(shortest, 1, SURELY), changes)


def _changes(signals: SignalSet) -> IntArray:
    """Return the positions of samples at which a transition begins or ends beside another label."""
    segments = label_segments(signals)
    short = np.flatnonzero([transition_ends(name) is not None for name in signals.activities])
    before, after = segments.label[:-1], segments.label[1:]
    beside = (segments.stretch[1:] == segments.stretch[:-1]) & (np.minimum(before, after) != UNLABELLED)
    return np.asarray(segments.first[1:][beside & (np.isin(before, short) | np.isin(after, short))], np.int64)


def _weights(y: IntArray) -> FloatArray:
    """Return what each row counts for: of what is rare, more."""
    return np.asarray((1 / np.sqrt(np.maximum(np.bincount(y), 1)))[y], np.float32)
