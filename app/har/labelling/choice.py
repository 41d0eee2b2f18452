"""Which bout to label next: one that stands for many that nobody labelled, and that the guess is unsure of.

A bout that is labelled stands for those around it. The next is that which, together with those labelled already,
stands for most of what is still unsure: facility location (Wei, Iyer, Bilmes 2015, ICML) weighted by the margin of the
guess. Without any label, or where only one activity was named, all weigh alike, so that variety alone decides. The
guess is an extreme learning machine on the bouts' coordinates, fitted anew with each label in milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from app.har.labelling.map import LabellingMap
from app.har.types import FloatArray, IntArray

CANDIDATES, STOOD_FOR = 6000, 1500  # bouts at most that are chosen among, and that chosen ones stand for
REACH = 0.02  # share of all pairs of bouts that are nearer than how far a label reaches
LEAST_REACH = 0.1  # of the mean squared distance
NODES, BIAS = 800, 0.5
RIDGE = 0.1  # of the mean of a row's squared length
SHARPNESS = 0.15  # score by which an activity becomes e times as probable
SURE = 0.02  # what a bout counts whose guess has no doubt at all
TRUSTED = 60  # named bouts from which on the guess counts in full
MOST_LEARNT = 500  # bouts of an activity, evenly over those that have it: files may label a hundred thousand
AT_ONCE = 2048  # bouts whose distances are held at once


@dataclass(frozen=True)
class Guess:
    """What a bout probably is."""

    activity: str
    probability: float


@dataclass(frozen=True)
class Choice:
    """The map of a data set, ready to be chosen from; the same draw for everybody and after every start."""

    map: LabellingMap

    def _at(self, bouts: IntArray) -> FloatArray:
        """Return the coordinates of some bouts, (n, d)."""
        return self.map.means[bouts].astype(np.float32)

    @cached_property
    def _candidates(self) -> IntArray:
        n = len(self.map.bouts)
        drawn = np.random.RandomState(0).permutation(n)[:CANDIDATES]
        return np.sort(drawn).astype(np.int64)

    @cached_property
    def _stands_for(self) -> tuple[FloatArray, IntArray, float]:
        """How far each candidate stands for each of some bouts, (candidates, some), which these are, and how far."""
        some = np.random.RandomState(1).permutation(self._candidates)[:STOOD_FOR]
        between = _squared(self._at(self._candidates), self._at(some))
        # Where most of the signal is one activity, most pairs are near: a label reaches some way all the same
        reach = float(max(np.quantile(between[:: -(-len(between) // 400)], REACH), LEAST_REACH * between.mean())) + 1e-6
        return np.exp(-between / reach), some.astype(np.int64), reach

    @cached_property
    def _layer(self) -> tuple[FloatArray, FloatArray]:
        """The weights and biases of the hidden layer, which is random and never trained."""
        random = np.random.RandomState(2)
        weights = random.standard_normal((self.map.means.shape[1], NODES)).astype(np.float32)
        return weights, (BIAS * random.standard_normal(NODES)).astype(np.float32)

    def _hidden(self, bouts: IntArray) -> FloatArray:
        """Return the hidden layer's outputs for some bouts, (n, nodes)."""
        weights, bias = self._layer
        return np.asarray(np.maximum(self._at(bouts) @ weights + bias, 0), np.float32)

    def next(self, labels: Mapping[int, str], shown: frozenset[int] = frozenset()) -> int | None:
        """Return the bout most worth a label; None where all have one.

        Parameters
        ----------
        labels : the activity of each bout that has one, "" of those that were looked at without one.
        shown : that others look at now.
        """
        stands_for, some, reach = self._stands_for
        taken = np.array([*labels, *shown], np.int64)
        left = np.flatnonzero(~np.isin(self._candidates, taken))
        if not len(left):  # of a large set, what was not drawn
            rest = np.setdiff1d(np.arange(len(self.map.bouts)), taken)
            return int(rest[0]) if len(rest) else None
        covered = np.zeros(len(some), np.float32)
        for first in range(0, len(taken), AT_ONCE):
            nearest = _squared(self._at(taken[first : first + AT_ONCE]), self._at(some)).min(axis=0)
            covered = np.maximum(covered, np.exp(-nearest / reach))
        gain = np.maximum(stands_for[left] - covered, 0) @ self.doubt(labels, some)
        return int(self._candidates[left[gain.argmax()]])

    def doubt(self, labels: Mapping[int, str], bouts: IntArray) -> FloatArray:
        """Return how much a label of each of some bouts would tell, (n,).

        That is 1 less the margin between the two likeliest activities, by how probable it is that a person has a name
        for the bout at all: what is like those that were looked at in vain is not shown again and again. A guess from
        few labels counts little.
        """
        activities = sorted({*labels.values()} - {""})
        if len(activities) < 2:
            return np.ones(len(bouts), np.float32)
        nameless = [""] if "" in labels.values() else []
        probabilities = self._probabilities(labels, [*activities, *nameless], bouts)
        two = np.sort(probabilities[:, : len(activities)], axis=1)[:, -2:]
        named = probabilities[:, : len(activities)].sum(axis=1)
        doubt = (1 - (two[:, 1] - two[:, 0]) / named + SURE) * named
        counts = min(1.0, sum(map(bool, labels.values())) / TRUSTED)
        return np.asarray(doubt**counts, np.float32)

    def guess(self, labels: Mapping[int, str], bout: int) -> Guess | None:
        """Return what a bout probably is; None before two activities were named."""
        activities = sorted({*labels.values()} - {""})
        if len(activities) < 2:
            return None
        found = self._probabilities(labels, activities, np.array([bout]))[0]
        return Guess(activities[int(found.argmax())], float(found.max()))

    def _probabilities(self, labels: Mapping[int, str], activities: list[str], bouts: IntArray) -> FloatArray:
        """Return the probability of each activity for some bouts, (n, activities), learnt from those that have one."""
        named = [(bout, activities.index(activity)) for bout, activity in labels.items() if activity in activities]
        learnt, y = np.array(named, np.int64).T
        of_each = (np.flatnonzero(y == i) for i in range(len(activities)))
        some = np.sort(np.concatenate([_evenly(own, MOST_LEARNT) for own in of_each]))
        beta, centre, base = _solved(self._hidden(learnt[some]), y[some], len(activities))
        scores = ((self._hidden(bouts) - centre) @ beta + base) / SHARPNESS
        raised = np.exp(scores - scores.max(axis=1, keepdims=True))
        return np.asarray(raised / raised.sum(axis=1, keepdims=True), np.float32)


def _evenly(rows: IntArray, most: int) -> IntArray:
    """Return so many rows at most, evenly over them, the last one among them."""
    return rows if len(rows) <= most else rows[np.linspace(0, len(rows) - 1, most).astype(np.int64)]


def _solved(H: FloatArray, y: IntArray, n_outputs: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Solve for output weights (nodes, n_outputs) around the means of rows and targets; every activity counts alike."""
    weights = 1 / np.bincount(y, minlength=n_outputs)[y] / n_outputs
    targets = np.eye(n_outputs)[y]
    centre, base = weights @ H.astype(np.float64), weights @ targets
    root = np.sqrt(weights * len(y))[:, None]
    A, T = (H - centre) * root, (targets - base) * root
    if len(A) <= A.shape[1]:
        beta = A.T @ np.linalg.solve(_ridged(A @ A.T, len(A)), T)
    else:
        beta = np.linalg.solve(_ridged(A.T @ A, len(A)), A.T @ T)
    return beta.astype(np.float32), centre.astype(np.float32), base.astype(np.float32)


def _ridged(gram: NDArray[np.float64], n_rows: int) -> NDArray[np.float64]:
    gram[np.diag_indices(len(gram))] += RIDGE * np.trace(gram) / n_rows + 1e-9
    return gram


def _squared(one: FloatArray, other: FloatArray) -> FloatArray:
    """Return squared distances, (n, m)."""
    both = np.square(one).sum(axis=1)[:, None] + np.square(other).sum(axis=1) - 2 * one @ other.T
    return np.asarray(np.maximum(both, 0), np.float32)
