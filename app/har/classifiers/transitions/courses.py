"""Which activity may follow which, by what transitions are called, and the likeliest course of a recording.

Nothing is counted in training recordings: there, activities come in the order of a protocol.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.har.types import FloatArray, IntArray
from app.har.vocabulary import (
    LYING,
    NOT_WORN,
    SITTING,
    SITTING_OR_LYING,
    STANDING,
    STILL,
    node_of,
    transition_ends,
)

# In natural logarithms of odds; chosen on the people that HAPT's own split trains on, see ADR 31
WEIGHT = 0.25  # of a moment: it shares half of its samples with the next one, and most of what surrounds it
CHANGE = 1.0  # what a change costs,
LONG = 2.0  # one between two long activities besides,
AGAINST_NAME = 20.0  # and one that a transition's name forbids
AT_A_CHANGE = 2.0  # how much less a transition costs to begin or end where the signal looks like that
USUAL = 0.3  # how probable a change is taken to be where it costs neither more nor less
LEAST, LEAST_CHANGE = 1e-3, 0.02  # that probabilities are taken to be

Costs = NDArray[np.float64]


@dataclass(frozen=True)
class Rules:
    """What may follow what, and for how long it lasts, of the activities of a data set in their order."""

    cost: Costs  # (n_activities, n_activities) that the one of a column follows that of a row
    short: NDArray[np.bool_]  # (n_activities,) whether it is a transition

    @classmethod
    def of(cls, activities: Sequence[str]) -> Rules:
        """Return what the names of activities say."""
        ends = [transition_ends(name) for name in activities]
        cost = np.full((len(ends), len(ends)), CHANGE)
        for i, before in enumerate(ends):
            for j, after in enumerate(ends):
                if before or after:
                    begins, is_left = after[0] if after else activities[j], before[1] if before else activities[i]
                    cost[i, j] += 0 if _same(is_left, begins) else AGAINST_NAME
                else:
                    cost[i, j] += LONG
        np.fill_diagonal(cost, 0)
        return cls(cost, np.array([each is not None for each in ends]))


def likeliest(
    proba: FloatArray, rules: Rules, lasts: IntArray | None = None, change: FloatArray | None = None
) -> IntArray:
    """Return the likeliest activity of each moment of a stretch, (n_moments,) (Viterbi 1967).

    Parameters
    ----------
    proba : (n_moments, n_activities)
    lasts : (n_activities,) moments for which each lasts at least, or one posture that is taken for another makes
        somebody stand up and sit down within a second; None: one.
    change : (n_moments,) how probable it is that a transition begins or ends about there; None: not known.
    """
    lasts = np.ones(len(rules.short), np.int64) if lasts is None else lasts
    activity = np.repeat(np.arange(len(lasts)), lasts)  # a transition is as many states as moments that it takes
    last = np.cumsum(lasts) - 1
    first, inner = last - lasts + 1, np.setdiff1d(np.arange(len(activity)), last)
    cost = np.full((len(activity), len(activity)), np.inf)
    cost[inner + 1, inner] = 0  # [to, from]
    cost[np.ix_(first, last)] = rules.cost.T
    cost[first, last] = np.inf
    cost[last, last] = 0
    either = (rules.short[:, None] | rules.short) & ~np.eye(len(lasts), dtype=bool)
    of_transition = np.zeros_like(cost)
    of_transition[np.ix_(first, last)] = either
    seen = -WEIGHT * np.log(proba.astype(np.float64) + LEAST)[:, activity]
    n_moments = len(seen)
    dearer = np.zeros(n_moments)
    if change is not None:
        between = (change[1:].astype(np.float64) + change[:-1]) / 2
        dearer[1:] = -AT_A_CHANGE * np.log((between + LEAST_CHANGE) / USUAL)
    came_from = np.empty(seen.shape, np.int16)
    total, rows = seen[0].copy(), np.arange(len(activity))
    for i in range(1, n_moments):
        ways = cost + dearer[i] * of_transition + total
        came_from[i] = ways.argmin(axis=1)
        total = ways[rows, came_from[i]] + seen[i]
    course = np.empty(n_moments, np.int64)
    course[-1] = total.argmin()
    for i in range(n_moments - 1, 0, -1):
        course[i - 1] = came_from[i, course[i]]
    return np.asarray(activity[course], np.int64)


def _same(first: str, second: str) -> bool:
    """Tell whether two activities, or ends of a transition, may be one posture: whoever walks is upright."""
    return bool(_postures(first) & _postures(second))


def _postures(name: str) -> set[str]:
    node = node_of(name)
    if node == STILL:
        return {SITTING, LYING, STANDING}
    if node == SITTING_OR_LYING:
        return {SITTING, LYING}
    return {node} if node in (SITTING, LYING, NOT_WORN) else {STANDING}
