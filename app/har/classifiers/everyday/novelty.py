"""Whether a whole window is like any activity that was learnt: its distance to the nearest examples of each."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from app.har.classifiers.everyday.training import Columns, Training
from app.har.classifiers.everyday.wearing import Track, smoothed
from app.har.errors import InsufficientData
from app.har.types import FloatArray, IntArray
from app.har.vocabulary import ON_FOOT, RUNNING, STAIRS, STILL, WALKING

KINDS = (STILL, WALKING, STAIRS, RUNNING, ON_FOOT)  # the first that a window is of
EXAMPLES = 60  # of each data set and kind
NEIGHBOURS = 5
OWN_SHARE = 0.9  # of the examples of a kind that are nearer to the others of it than 1
KNOWN_SHARE = 0.95  # of the windows of data sets left out that are not called novel
REACH = 2
ROWS = 2048


@dataclass(frozen=True)
class Novelty:
    """Examples of each kind of activity, and how far apart those are."""

    centre: FloatArray  # (n_columns,)
    scale: FloatArray
    examples: NDArray[np.float16]  # (n_examples, n_columns), centred and scaled
    kind: NDArray[np.int8]  # (n_examples,)
    spread: FloatArray  # (n_kinds,) distance at which OWN_SHARE of a kind's own examples are
    limit: float = 1.0  # above it, a window is novel

    def __call__(self, track: Track, columns: Columns) -> FloatArray:
        """Return how unlike any activity windows are, (n,); above 1 is novel. Neighbours in time are averaged."""
        return self.among_neighbours(self.distance(track.features, columns), track.runs)

    def among_neighbours(self, distance: NDArray[np.floating], runs: IntArray) -> FloatArray:
        """Return the same from the distances of single windows."""
        return (smoothed(distance, runs, REACH) / self.limit).astype(np.float32)

    def distance(self, features: FloatArray, columns: Columns) -> FloatArray:
        """Return how far each window by itself is from the examples, (n,)."""
        rows = (features[:, columns.level] - self.centre) / self.scale
        parts = [self._distance(rows[i : i + ROWS]) for i in range(0, len(rows), ROWS)]
        return np.concatenate(parts) if parts else np.zeros(0, np.float32)

    def _distance(self, rows: FloatArray) -> FloatArray:
        examples = self.examples.astype(np.float32)
        apart = _distances(rows, examples)
        of_kinds = [
            np.partition(apart[:, self.kind == kind], NEIGHBOURS - 1, axis=1)[:, :NEIGHBOURS].mean(axis=1)
            / self.spread[kind]
            for kind in np.unique(self.kind)
        ]
        return np.asarray(np.min(of_kinds, axis=0), np.float32)


def fit_novelty(training: Training, columns: Columns, seed: int) -> Novelty:
    """Draw examples, and set the limit to what known activities of data sets left out stay below.

    Each data set counts the same. With a single data set, the limit is what its own windows stay below.
    """
    novelty = _examples(training, columns, seed)
    names = np.unique(training.dataset)
    quantiles = []
    for name in names:
        others = np.flatnonzero(training.dataset != name) if len(names) > 1 else np.arange(len(training.node))
        of_set = training.track.take(np.flatnonzero(training.dataset == name))
        left_out = _examples(training.take(others), columns, seed)(of_set, columns)
        quantiles.append(np.quantile(left_out, KNOWN_SHARE))
    return replace(novelty, limit=max(float(np.mean(quantiles)), 1e-3))


def _examples(training: Training, columns: Columns, seed: int) -> Novelty:
    rng = np.random.default_rng(seed)
    kind = _kinds(training)
    drawn = [
        rng.choice(rows, min(EXAMPLES, len(rows)), replace=False)
        for name in np.unique(training.dataset)
        for number in range(len(KINDS))
        if len(rows := np.flatnonzero((kind == number) & (training.dataset == name))) > NEIGHBOURS
    ]
    if not drawn:
        raise InsufficientData(f"The everyday model needs more than {NEIGHBOURS} windows of an activity.")
    index = np.concatenate(drawn)
    values = training.track.features[np.ix_(index, columns.level)]
    centre, scale = values.mean(axis=0), values.std(axis=0) + 1e-3
    examples = (values - centre) / scale
    spread = np.ones(len(KINDS), np.float32)
    for number in np.unique(kind[index]):
        own = examples[kind[index] == number]
        apart = np.sort(_distances(own, own), axis=1)[:, 1 : NEIGHBOURS + 1].mean(axis=1)
        spread[number] = max(float(np.quantile(apart, OWN_SHARE)), 1e-3)
    return Novelty(centre, scale, examples.astype(np.float16), kind[index].astype(np.int8), spread)


def _kinds(training: Training) -> IntArray:
    of_kinds = [training.is_below(kind) if kind != WALKING else training.node == WALKING for kind in KINDS]
    return np.select(of_kinds, list(range(len(KINDS))), -1)


def _distances(a: FloatArray, b: FloatArray) -> FloatArray:
    squared = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1) - 2 * a @ b.T
    return np.asarray(np.sqrt(np.maximum(squared, 0)))
