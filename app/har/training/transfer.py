"""What a training keeps of a model that was trained before, and how much that is worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

import numpy as np

from app.har.classifiers.elm_gru_am.classifier import ActivityClassifier
from app.har.classifiers.elm_gru_am.convolutions import SAMPLE
from app.har.classifiers.elm_gru_am.description import WindowDescriber
from app.har.classifiers.elm_gru_am.elm import ExtremeLearningMachine
from app.har.classifiers.elm_gru_am.features import per_chunk
from app.har.classifiers.elm_gru_am.scaling import CLIP, Scaler
from app.har.classifiers.elm_gru_am.transfer import TransferredClassifier, counterparts, head_on
from app.har.evaluation.scores import confusion_matrix, macro_scores
from app.har.training.config import TrainConfig
from app.har.types import FloatArray, IntArray
from app.har.windows import WindowSet

WINDOWS = (1, 2, 5, 10, 20, 50)  # of each activity
KEPT = (
    "scaling and choice of features",
    "random convolutions and random layer of the head",
    "half of what the head knows of activities of the same name",
)
FROZEN, TUNED = "the network, but for its last layer", "the network, trained on for some epochs at a small rate"


class Point(TypedDict):
    """Macro F1 on the test windows after so many windows of each activity."""

    windows: int | None  # None: all that there are
    base: float  # on what the base keeps
    scratch: float  # without a base


@dataclass(frozen=True)
class Base:
    """A stored model that a training builds on."""

    model: ActivityClassifier
    facts: Mapping[str, Any]  # label, digest and data of the stored model, and all data that it has seen
    names: Mapping[str, str]  # shared names of activities of the base, as its data set had them
    own_names: Mapping[str, str]  # and those of the new data

    def classifier(self, activities: Sequence[str], config: TrainConfig) -> TransferredClassifier:
        """Return an unfitted model on top of the base."""
        return TransferredClassifier(
            self.model,
            self.alike(activities),
            fine_tune=config.fine_tune,
            rotation_augmentation=config.rotation_augmentation,
            keep_sums=config.keep_sums,
        )

    def alike(self, activities: Sequence[str]) -> dict[str, str]:
        """Return the base's activity that each is, of those that it knows."""
        return counterparts(activities, self.own_names, self.model.activities, self.names)

    def described(self, activities: Sequence[str], fine_tune: bool) -> dict[str, Any]:
        """Return what result and manifest say of the base and of what was kept."""
        alike = self.alike(activities)
        return {
            **self.facts,
            "kept": [*KEPT, TUNED if fine_tune else FROZEN],
            "fine_tuned": fine_tune,
            "alike": alike,
            "new": [name for name in activities if name not in alike],
        }


def learning_curve(base: Base, train: WindowSet, test: WindowSet, seed: int) -> list[Point]:
    """Compare heads that learn from few windows of each activity, with the base and without.

    Both are extreme learning machines alone, without a network, so that a point takes a second. The one without a base
    draws the same random layer; its scaling and convolutions are fitted on all of the training windows, which is more
    than it would have of few, so that the curve does not flatter the base. Of each activity the same windows are drawn,
    those of fewer being among those of more.
    """
    model, kept = base.model, base.model.window_scaler_
    on_base = [kept(whole, CLIP) for whole in (_whole(model.describer_, part) for part in (train, test))]
    order = np.random.default_rng(seed).permutation(len(train))
    own = model.describer_.with_convolutions(train.take(order[:SAMPLE]), seed)
    whole = _whole(own, train)
    scaler = Scaler.of(whole)
    without = [scaler(whole, CLIP), scaler(_whole(own, test), CLIP)]
    most = int(np.bincount(train.y).max())
    points: list[Point] = []
    for n in [*(n for n in WINDOWS if n < most), None]:
        rows = np.concatenate([order[train.y[order] == label][:n] for label in np.unique(train.y)])
        scores = [
            _f1(head, X_train[rows], train.y[rows], X_test, test)
            for head, (X_train, X_test) in (
                (head_on(model, train.activities, base.alike(train.activities)), on_base),
                (model.new_elm(model.elm_.seed), without),
            )
        ]
        points.append({"windows": n, "base": scores[0], "scratch": scores[1]})
    return points


def _whole(describe: WindowDescriber, windows: WindowSet) -> FloatArray:
    return np.concatenate(per_chunk(windows, lambda chunk: describe(chunk).whole))


def _f1(head: ExtremeLearningMachine, X: FloatArray, y: IntArray, X_test: FloatArray, test: WindowSet) -> float:
    n_activities = len(test.activities)
    found = head.fit(X, y, n_activities, balanced=True).predict(X_test).argmax(axis=1)
    return float(macro_scores(confusion_matrix(test.y, found, n_activities)[None])[0][3])
