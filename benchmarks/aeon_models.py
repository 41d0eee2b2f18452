"""The strongest general time-series classifiers behind the interface of our models; see requirements.txt beside it.

Both end in a ridge classifier, whose scores are no probabilities and get no calibration here: accuracy and F1 can be
compared, the calibration error cannot.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
from scipy.special import softmax

from app.har.classifiers.base import Classifier
from app.har.progress import OnEvent
from app.har.types import FloatArray
from app.har.windows import WindowSet

N_JOBS = 2
ROWS = 2048  # predicted together


class AeonModel(Classifier):
    """A model of aeon, or a pipeline with one: signals go in as (n_windows, n_channels, n_timesteps)."""

    @abstractmethod
    def _estimator(self, seed: int) -> Any:
        """Return what has scikit-learn's fit."""

    def _fit(self, windows: WindowSet, epochs: int | None, seed: int, on_event: OnEvent) -> None:
        on_event({"stage": "learning", "fraction": 0.0})
        self.model_ = self._estimator(seed).fit(signals(windows), windows.y)

    def _predict_proba(self, windows: WindowSet) -> FloatArray:
        probabilities = np.zeros((len(windows), len(self.activities)), np.float32)
        for first in range(0, len(windows), ROWS):  # MultiRocket makes 50,000 features of a window
            rows = slice(first, first + ROWS)
            probabilities[rows, self.model_.classes_] = self._probabilities(signals(windows.take(rows)))
        return probabilities

    def _probabilities(self, X: FloatArray) -> FloatArray:
        return np.asarray(self.model_.predict_proba(X))


class MiniRocket(AeonModel):
    """MiniRocket and a ridge classifier (Dempster, Schmidt, Webb 2021); the softmax of its scores, as they are."""

    name = "minirocket"

    def _estimator(self, seed: int) -> Any:
        from aeon.transformations.collection.convolution_based import MiniRocket as Kernels
        from sklearn.linear_model import RidgeClassifierCV
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        return make_pipeline(
            Kernels(n_jobs=N_JOBS, random_state=seed),
            StandardScaler(with_mean=False),
            RidgeClassifierCV(alphas=np.logspace(-3, 3, 10)),
        )

    def _probabilities(self, X: FloatArray) -> FloatArray:
        scores = self.model_.decision_function(X)
        scores = np.stack([-scores, scores], axis=1) if scores.ndim == 1 else scores  # of two activities: one score
        return np.asarray(softmax(scores, axis=1))


class MultiRocketHydra(AeonModel):
    """MultiRocket with Hydra (Dempster, Schmidt, Webb 2023); all of the probability is on one activity."""

    name = "multirocket-hydra"

    def _estimator(self, seed: int) -> Any:
        from aeon.classification.convolution_based import MultiRocketHydraClassifier

        return MultiRocketHydraClassifier(n_jobs=N_JOBS, random_state=seed)


MODELS: dict[str, type[Classifier]] = {model.name: model for model in (MiniRocket, MultiRocketHydra)}


def signals(windows: WindowSet) -> FloatArray:
    """Return the signals in aeon's order of axes, (n_windows, n_channels, n_timesteps)."""
    return np.ascontiguousarray(windows.X.transpose(0, 2, 1))
