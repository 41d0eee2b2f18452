"""A trained detector of falls: two opinions of an impact, of trees and of a smooth kernel machine, averaged; stored as
plain arrays.

The trees know what is certain and hesitate between what they saw; the kernel machine (Cortes, Vapnik 1995) decides by
likeness to the nearest falls and near-falls, and is right where trees give a half. Neither needs a library to answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.har.classifiers import model_folder
from app.har.classifiers.everyday.forest import Forest, fit_forest
from app.har.errors import ModelIntegrityError
from app.har.falls.features import NAMES, features
from app.har.falls.impacts import Impact
from app.har.types import FloatArray, IntArray

MODEL = "falls"
TREES, LEAF = 100, 1
PENALTY, WIDTH = 3.0, 0.01  # of the kernel machine, on standardised features
MACHINE = ("mean", "scale", "vectors", "weights")
FOREST = ("feature", "threshold", "right", "share", "root")


@dataclass(frozen=True)
class Machine:
    """A support vector machine with a Gaussian kernel, as plain arrays."""

    mean: FloatArray  # (n_features,)
    scale: FloatArray  # (n_features,)
    vectors: FloatArray  # (n_vectors, n_features), standardised
    weights: FloatArray  # (n_vectors,)
    offset: float

    def score(self, rows: FloatArray) -> NDArray[np.float64]:
        """Return 0 to 1, ½ on the border; (n,)."""
        x = (rows - self.mean) / self.scale
        square = (x**2).sum(axis=1)[:, None] + (self.vectors**2).sum(axis=1) - 2 * x @ self.vectors.T
        decision = np.exp(-WIDTH * np.maximum(square, 0)).astype(np.float64) @ self.weights + self.offset
        return np.asarray(1 / (1 + np.exp(-2 * np.clip(decision, -20, 20))))


@dataclass(frozen=True)
class TrainedFalls:
    """Scores impacts, from 0 to 1; from `limit` they count as falls."""

    forest: Forest
    machine: Machine
    limit: float
    facts: Mapping[str, Any]  # what it was trained on, and how well it did there

    def score(self, impacts: list[Impact]) -> list[float]:
        """Return a score for each impact."""
        return self.scores(features(impacts)).tolist() if impacts else []

    def scores(self, rows: FloatArray) -> NDArray[np.float64]:
        """Return a score for each row of features (n, n_features)."""
        return (self.forest.predict_proba(rows)[:, 1].astype(np.float64) + self.machine.score(rows)) / 2

    def save(self, folder: Path) -> None:
        """Write a new folder: a manifest with hashes, and arrays; no pickle."""
        arrays = {f"forest_{name}": getattr(self.forest, name) for name in FOREST}
        arrays |= {f"machine_{name}": getattr(self.machine, name) for name in MACHINE}
        manifest = {
            "model": MODEL, "features": list(NAMES), "limit": self.limit, "offset": self.machine.offset,
            "facts": dict(self.facts),
        }  # fmt: skip
        model_folder.write(folder, manifest, arrays, {})


def load(folder: Path) -> TrainedFalls:
    """Read a detector, after every hash.

    Raises
    ------
    ModelIntegrityError : a file is missing, was changed, or is of another version of the features.
    """
    manifest, arrays = model_folder.read(folder)
    if manifest.get("model") != MODEL or manifest.get("features") != list(NAMES):
        raise ModelIntegrityError(f"{folder} is not a detector of falls of this version. Train it again.")
    forest = Forest(*(arrays[f"forest_{name}"] for name in FOREST))
    mean, scale, vectors, weights = (arrays[f"machine_{name}"] for name in MACHINE)
    machine = Machine(mean, scale, vectors, weights, float(manifest["offset"]))
    return TrainedFalls(forest, machine, float(manifest["limit"]), manifest["facts"])


def fit(rows: FloatArray, y: IntArray, limit: float, facts: Mapping[str, Any], *, seed: int = 0) -> TrainedFalls:
    """Learn from impacts: ``rows`` (n, n_features), ``y`` (n,) 1 for falls and 0 for others."""
    from sklearn.svm import SVC

    share = np.bincount(y, minlength=2) / len(y)
    weights = (0.5 / share[y]).astype(np.float32)  # both kinds weigh the same
    forest = fit_forest(rows, y, weights, 2, n_trees=TREES, leaf=LEAF, seed=seed)
    mean, scale = rows.mean(axis=0), np.maximum(rows.std(axis=0), 1e-6)
    model = SVC(C=PENALTY, gamma=WIDTH, class_weight="balanced").fit((rows - mean) / scale, y)
    machine = Machine(
        mean.astype(np.float32),
        scale.astype(np.float32),
        np.asarray(model.support_vectors_, np.float32),
        np.asarray(model.dual_coef_[0], np.float32),
        float(model.intercept_[0]),
    )
    return TrainedFalls(forest, machine, limit, facts)
