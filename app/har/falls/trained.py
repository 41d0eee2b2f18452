"""A trained detector of falls: one opinion of an impact or several, averaged; stored as plain arrays.

An opinion is the mean of trees and a smooth kernel machine. The trees know what is certain and hesitate between what
they saw; the kernel machine (Cortes, Vapnik 1995) decides by likeness to the nearest falls and near-falls, and is right
where trees give a half. Neither needs a library to answer. A second opinion, of other falls, other people and other
places of the body, is what lets a detector trained on one data set hold on another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.har.classifiers import model_folder
from app.har.classifiers.everyday.forest import Forest, fit_forest
from app.har.errors import ModelIntegrityError
from app.har.falls.features import NAMES, features
from app.har.falls.impacts import AT, RATE_HZ, Impact
from app.har.types import FloatArray, IntArray

MODEL = "falls"
TREES, LEAF = 100, 1
PENALTY, WIDTH = 3.0, 0.01  # of the kernel machine, on standardised features
OTHERS_SHARE = 0.25  # of the score; with half of it two more of SisFall's activities were false alarms
GOES_ON, RESTLESS_G = 0.7, 0.25  # times the peak, 1 to 3 s after it; standard deviation of the magnitude from 1.5 s on
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
class Opinion:
    """What was learnt of some data."""

    forest: Forest
    machine: Machine

    def scores(self, rows: FloatArray) -> NDArray[np.float64]:
        """Return a score for each row of features (n, n_features)."""
        return (self.forest.predict_proba(rows)[:, 1].astype(np.float64) + self.machine.score(rows)) / 2


@dataclass(frozen=True)
class TrainedFalls:
    """Scores impacts, from 0 to 1; from `limit` they count as falls."""

    opinions: tuple[Opinion, ...]
    limit: float
    facts: Mapping[str, Any]  # what it was trained on, and how well it did there

    def score(self, impacts: list[Impact]) -> list[float]:
        """Return a score for each impact, 0 for one in the midst of movement that goes on."""
        scores = np.zeros(len(impacts))
        asked = [i for i, impact in enumerate(impacts) if not goes_on(impact)]
        if asked:
            scores[asked] = self.scores(features([impacts[i] for i in asked]))
        return [float(score) for score in scores]

    def scores(self, rows: FloatArray) -> NDArray[np.float64]:
        """Return a score for each row of features (n, n_features)."""
        return weighed([opinion.scores(rows) for opinion in self.opinions])

    def save(self, folder: Path, texts: Mapping[str, str] | None = None) -> None:
        """Write a new folder: a manifest with hashes, and arrays; no pickle. ``texts`` are further files."""
        arrays: dict[str, NDArray[Any]] = {}
        for number, opinion in enumerate(self.opinions):
            arrays |= {f"forest_{name}_{number}": getattr(opinion.forest, name) for name in FOREST}
            arrays |= {f"machine_{name}_{number}": getattr(opinion.machine, name) for name in MACHINE}
        manifest = {
            "model": MODEL, "features": list(NAMES), "limit": self.limit,
            "offsets": [opinion.machine.offset for opinion in self.opinions], "facts": dict(self.facts),
        }  # fmt: skip
        model_folder.write(folder, manifest, arrays, texts or {})


def weighed(scores: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return the mean of the first opinion and the others, which share `OTHERS_SHARE`; (n,) each."""
    own, *others = scores
    if not others:
        return own
    return np.asarray((1 - OTHERS_SHARE) * own + OTHERS_SHARE * np.mean(others, axis=0))


def goes_on(impact: Impact) -> bool:
    """Tell at little cost whether a step, or a jump among others, was the impact: it is as hard and restless after it.

    Of walking and running it spares nine of ten impacts the rest, and of falls hardly any.
    """
    magnitude = np.linalg.norm(impact.acceleration[AT + RATE_HZ :], axis=1)
    return bool(magnitude.max() > GOES_ON * impact.peak_g and magnitude[RATE_HZ // 2 :].std() > RESTLESS_G)


def load(folder: Path) -> TrainedFalls:
    """Read a detector, after every hash.

    Raises
    ------
    ModelIntegrityError : a file is missing, was changed, or is of another version of the features.
    """
    manifest, arrays = model_folder.read(folder)
    if manifest.get("model") != MODEL or manifest.get("features") != list(NAMES):
        raise ModelIntegrityError(f"{folder} is not a detector of falls of this version. Train it again.")
    if "offsets" not in manifest:
        raise ModelIntegrityError(f"{folder} is of an earlier version of the detectors. Train it again.")
    opinions = []
    for number, offset in enumerate(manifest["offsets"]):
        forest = Forest(*(arrays[f"forest_{name}_{number}"] for name in FOREST))
        mean, scale, vectors, weights = (arrays[f"machine_{name}_{number}"] for name in MACHINE)
        opinions.append(Opinion(forest, Machine(mean, scale, vectors, weights, float(offset))))
    return TrainedFalls(tuple(opinions), float(manifest["limit"]), manifest["facts"])


def fit(rows: FloatArray, y: IntArray, *, seed: int = 0) -> Opinion:
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
    return Opinion(forest, machine)
