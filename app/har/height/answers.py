"""What height says of a model's answers: stairs climb, walking does not.

Only somebody on foot is corrected. The model says whether they are, and how sure that is; height says which way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from app.har.height.climbs import Climb
from app.har.height.rate import STEP_S, SURE_MS, Heights
from app.har.types import FloatArray, IntArray, TimeArray
from app.har.vocabulary import ON_FOOT, STAIRS, STAIRS_DOWN, STAIRS_UP, WALKING, node_of, path_of

UNKNOWN, LEVEL, UP, DOWN = range(4)  # what height says of a window
STAIRS_MS = (0.15, 0.6)  # slower is a hill, faster is no walk
LEVEL_MS = 0.08  # at most, all through a window
LIKELY = 0.5  # that somebody is on foot, for height to say how

Told = NDArray[np.int8]


def of_windows(heights: Heights, climbs: Sequence[Climb], start_s: TimeArray, end_s: TimeArray) -> Told:
    """Return what height says of each window of a recording: one of UNKNOWN, LEVEL, UP, DOWN; (n_windows,)."""
    told = np.full(len(start_s), UNKNOWN, np.int8)
    first = heights.time_s[0] - STEP_S / 2
    n = len(heights.time_s)
    begin, end = (np.floor((moment - first) / STEP_S).astype(np.int64) for moment in (start_s, end_s))
    inside = (begin >= 0) & (end <= n)
    steady = (np.abs(heights.climb_ms) <= LEVEL_MS) & (heights.error_ms <= SURE_MS)  # NaN is not
    changing = np.concatenate(([0], np.cumsum(~steady)))
    calm = changing[np.clip(end, 0, n)] == changing[np.clip(begin, 0, n)]
    told[inside & (end > begin) & calm] = LEVEL
    middle = (start_s + end_s) / 2
    for climb in climbs:
        there = (middle >= climb.start_s) & (middle < climb.end_s)
        stairs = STAIRS_MS[0] <= climb.rate_ms <= STAIRS_MS[1]
        told[there] = (UP if climb.metres > 0 else DOWN) if stairs else UNKNOWN
    return told


def held_against(proba: FloatArray, activities: Sequence[str], told: Told) -> FloatArray:
    """Return probabilities in which what is on foot goes the way that height says.

    All that is probably on foot becomes stairs up or down where height climbs, and walking where it stays. How probable
    it is to be on foot stays as the model has it. To answer twice changes nothing more.

    Parameters
    ----------
    proba : (n, n_activities).
    told : (n,) see `of_windows`.
    """
    nodes = [node_of(name) for name in activities]
    on_foot = _places(nodes, lambda node: ON_FOOT in path_of(node))
    result = proba.copy()
    for way, wanted in ((LEVEL, (WALKING,)), (UP, (STAIRS_UP, STAIRS)), (DOWN, (STAIRS_DOWN, STAIRS))):
        known = next((places for node in wanted if len(places := _places(nodes, node.__eq__))), None)
        if known is None:
            continue  # the model has no such activity
        mass = proba[:, on_foot].sum(axis=1)
        rows = np.flatnonzero((told == way) & (mass >= LIKELY))
        shares = proba[np.ix_(rows, known)]
        total = shares.sum(axis=1, keepdims=True)
        shares = np.where(total > 0, shares / np.where(total > 0, total, 1.0), 1 / len(known))
        result[np.ix_(rows, on_foot)] = 0.0
        result[np.ix_(rows, known)] = shares * mass[rows, None]
    return result


def _places(nodes: Sequence[str], wanted: Callable[[str], bool]) -> IntArray:
    return np.array([place for place, node in enumerate(nodes) if wanted(node)], np.int64)
