"""Which activity may follow which, by what transitions are called, and the likeliest course of a recording.

Nothing is counted in training recordings: there, activities come in the order of a protocol.
"""

from __future__ import annotations

from collections.abc import Sequence

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

# In natural logarithms of odds; chosen on the people that HAPT's own split trains on
WEIGHT = 0.5  # of a moment: it shares half of its samples with the next one
CHANGE, AGAINST_NAME = 2.0, 20.0  # a change costs so much; one that a transition's name forbids costs more
LEAST = 1e-3  # that a probability is taken to be

Costs = NDArray[np.float64]


def costs(activities: Sequence[str]) -> Costs:
    """Return what it costs that one activity follows another, (n_activities, n_activities)."""
    ends = [transition_ends(name) for name in activities]
    result = np.full((len(ends), len(ends)), CHANGE)
    for i, before in enumerate(ends):
        for j, after in enumerate(ends):
            if before is None and after is None:
                continue
            begins = after[0] if after else activities[j]
            is_left = before[1] if before else activities[i]
            result[i, j] += 0 if _same(is_left, begins) else AGAINST_NAME
    np.fill_diagonal(result, 0)
    return result


def likeliest(proba: FloatArray, cost: Costs) -> IntArray:
    """Return the likeliest activity of each moment of a stretch, (n_moments,) (Viterbi 1967)."""
    seen = -WEIGHT * np.log(proba.astype(np.float64) + LEAST)
    n_moments, n_activities = seen.shape
    came_from = np.empty((n_moments, n_activities), np.int16)
    total, columns = seen[0].copy(), np.arange(n_activities)
    for i in range(1, n_moments):
        ways = total[:, None] + cost
        came_from[i] = ways.argmin(axis=0)
        total = ways[came_from[i], columns] + seen[i]
    course = np.empty(n_moments, np.int64)
    course[-1] = total.argmin()
    for i in range(n_moments - 1, 0, -1):
        course[i - 1] = came_from[i, course[i]]
    return course


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
