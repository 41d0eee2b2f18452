"""What people do besides, as far as training data hold it: a window that is like jumping is none of the activities.

The distance to known activities finds what is far from all of them. Jumping is near to running and yet told from it by
whoever has seen both, on devices and people that were never seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.har.classifiers.everyday.calibration import FEW_WINDOWS, leave_out
from app.har.classifiers.everyday.forest import Forest, fit_forest
from app.har.classifiers.everyday.training import Columns, Training
from app.har.classifiers.everyday.wearing import Bools, Track, smoothed
from app.har.types import FloatArray, IntArray
from app.har.vocabulary import ON_FOOT, RUNNING, STAIRS, WALKING

KINDS = (WALKING, STAIRS, RUNNING, ON_FOOT)  # the first that a window is of
DRAWN = 300  # windows of each data set and kind, or movement
KNOWN_SHARE = 0.99  # of the known windows in motion, on each data set left out, that no movement takes
TREES, LEAF = 60, 3
REACH = 2


@dataclass(frozen=True)
class Besides:
    """Other movements that were learnt, against the known ones."""

    movements: tuple[str, ...]
    limits: FloatArray  # (n_movements,) share of the trees above which a window is one of them
    forest: Forest  # classes: anything known, then the movements

    def __call__(self, track: Track, columns: Columns) -> FloatArray:
        """Return how like one of them windows in motion are, (n,); above 1 is one. Neighbours in time are averaged."""
        return self.among_neighbours(self.shares(track.features, columns), track.runs)

    def among_neighbours(self, shares: FloatArray, runs: IntArray) -> FloatArray:
        """Return the same from the shares of single windows."""
        return np.asarray((_among_neighbours(shares, runs) / self.limits).max(axis=1), np.float32)

    def shares(self, features: FloatArray, columns: Columns) -> FloatArray:
        """Return the share of trees for each movement of each window by itself, (n, n_movements)."""
        return self.forest.predict_proba(features[:, columns.level])[:, 1:]


def fit_besides(training: Training, others: Training, columns: Columns, seed: int) -> Besides | None:
    """Learn other movements, and how many trees must agree for the known ones of data sets left out to be left alone.

    Parameters
    ----------
    training : windows of known activities.
    others : windows of other movements; their ``node`` is what they are called.

    Returns
    -------
    None where there is no movement of ten minutes that known windows left out could be compared with.
    """
    names, count = np.unique(others.node, return_counts=True)
    movements = tuple(names[count >= FEW_WINDOWS].tolist())
    if not movements:
        return None
    limits = _limits(training, others, movements, columns, seed)
    found = np.flatnonzero(np.isfinite(limits))
    if not len(found):
        return None
    movements = tuple(movements[i] for i in found)
    forest = _fit(training, others, movements, columns, seed)
    return None if forest is None else Besides(movements, limits[found].astype(np.float32), forest)


def _limits(training: Training, others: Training, movements: Sequence[str], columns: Columns, seed: int) -> FloatArray:
    """Return, (n_movements,), what KNOWN_SHARE stay below on every data set left out; NaN where none could say it."""
    quantiles: list[NDArray[np.floating[Any]]] = [np.full(len(movements), np.nan, np.float32)]
    for rest, left_out in leave_out(training):
        moving = left_out.track.take(np.flatnonzero(_kinds(left_out) >= 0))
        gone = np.setdiff1d(left_out.dataset, rest.dataset)
        same = np.isin(others.dataset, gone) | np.isin(others.track.subjects, left_out.track.subjects)
        besides = others.take(np.flatnonzero(~same))
        forest = _fit(rest, besides, movements, columns, seed)
        if forest is not None and len(moving):
            own = np.quantile(_shares(forest, moving, columns), KNOWN_SHARE, axis=0)
            quantiles.append(np.where(np.isin(movements, besides.node), own, np.nan))
    return np.asarray(np.fmax.reduce(quantiles), np.float32)


def _fit(training: Training, others: Training, movements: Sequence[str], columns: Columns, seed: int) -> Forest | None:
    """Grow trees; the known windows in motion count as much as each of the movements."""
    rng = np.random.default_rng(seed)
    kind = _kinds(training)
    named = np.select([others.node == name for name in movements], list(range(len(movements))), -1)
    known = [_drawn(training.dataset, kind == number, rng) for number in range(len(KINDS))]
    besides = [_drawn(others.dataset, named == number, rng) for number in range(len(movements))]
    rows = [training.track.features[index] for index in known] + [others.track.features[index] for index in besides]
    dataset = [training.dataset[index] for index in known] + [others.dataset[index] for index in besides]
    number = np.repeat(np.arange(len(rows)), [len(part) for part in rows])
    y = np.maximum(number - len(KINDS) + 1, 0)
    if len(np.unique(y)) < 2 or not (y == 0).any():
        return None
    weights = _even(np.char.add(number.astype(str), np.concatenate(dataset)), y)
    features = np.concatenate(rows)[:, columns.level]
    return fit_forest(features, y, weights, len(movements) + 1, n_trees=TREES, leaf=LEAF, seed=seed)


def _drawn(dataset: NDArray[np.str_], chosen: Bools, rng: np.random.Generator) -> IntArray:
    index = [np.flatnonzero((dataset == name) & chosen) for name in np.unique(dataset)]
    return np.concatenate(
        [np.empty(0, np.int64), *(rng.choice(rows, min(DRAWN, len(rows)), replace=False) for rows in index)]
    )


def _even(group: NDArray[np.str_], y: IntArray) -> FloatArray:
    """Return weights with which each class counts the same, and within it each group."""
    _, of_group, count = np.unique(group, return_inverse=True, return_counts=True)
    weights = 1 / count[of_group]
    for number in np.unique(y):
        weights[y == number] /= weights[y == number].sum()
    return np.asarray(weights / weights.mean(), np.float32)


def _kinds(training: Training) -> IntArray:
    of_kinds = [training.is_below(kind) if kind != WALKING else training.node == WALKING for kind in KINDS]
    return np.select(of_kinds, list(range(len(KINDS))), -1)


def _shares(forest: Forest, track: Track, columns: Columns) -> FloatArray:
    """Return the share of trees for each movement, (n, n_movements), averaged over neighbours."""
    return _among_neighbours(forest.predict_proba(track.features[:, columns.level])[:, 1:], track.runs)


def _among_neighbours(shares: FloatArray, runs: IntArray) -> FloatArray:
    return np.stack([smoothed(of_movement, runs, REACH) for of_movement in shares.T], axis=1)
