"""How unlike anything seen in training a sensor's signal is: another unit, another place on the body, a dead sensor."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from app.har.types import FloatArray, IntArray

FAR = 30.0  # deviations: what lies beyond counts as this far
QUANTILE, PEOPLE = 0.99, 0.9  # the distance that 99 % of a person's windows keep, and nine in ten people
MARGIN = 1.25  # of that distance: what lies beyond is novel
FOLDS = 5


@dataclass(frozen=True)
class Familiarity:
    """Mahalanobis distance to the nearest activity, with one covariance for all activities.

    References
    ----------
    Lee, Lee, Lee, Shin (2018), A simple unified framework for detecting out-of-distribution samples, NeurIPS; the
    covariance is shrunk as in Ledoit and Wolf (2004).
    """

    whitening: FloatArray  # (n_features, n_features)
    centres: FloatArray  # (n_activities, n_features), whitened
    limit: float = np.inf

    @classmethod
    def of(cls, rows: FloatArray, y: IntArray, people: NDArray[np.str_]) -> Familiarity:
        """Learn from scaled features (n, n_features) of training windows, their activities (n,) and subjects (n,).

        The limit comes from people left out in turn (or windows, where there is one person): what most of nearly all of
        them keep within, so that neither a jerk nor one person with another phone makes everything familiar.
        """
        from sklearn.model_selection import GroupKFold, KFold

        n_people = len(set(people))
        folds = GroupKFold(min(FOLDS, n_people)) if n_people > 1 else KFold(min(FOLDS, len(rows)))
        distance = np.zeros(len(rows), np.float32)
        for others, left_out in folds.split(rows, y, people):
            distance[left_out] = cls._centred(rows[others], y[others]).distance(rows[left_out])
        reach = [np.quantile(distance[people == one], QUANTILE) for one in np.unique(people)]
        return replace(cls._centred(rows, y), limit=MARGIN * float(np.quantile(reach, PEOPLE)))

    @classmethod
    def _centred(cls, rows: FloatArray, y: IntArray) -> Familiarity:
        from sklearn.covariance import ledoit_wolf

        present = np.unique(y)
        rows = np.clip(rows, -FAR, FAR)
        centres = np.stack([rows[y == label].mean(axis=0) for label in present])
        centred = rows - centres[np.searchsorted(present, y)]
        covariance, _ = ledoit_wolf(centred.astype(np.float64), assume_centered=True)
        values, vectors = np.linalg.eigh(covariance)
        varies = values > values[-1] * len(values) * np.finfo(np.float64).eps
        precision = np.divide(1, values, out=np.zeros_like(values), where=varies)
        whitening = (vectors * np.sqrt(precision / len(values))).astype(np.float32)
        return cls(whitening, centres @ whitening)

    def distance(self, rows: FloatArray) -> FloatArray:
        """Return the distance of scaled features (n, n_features), root mean square per feature: about 1 is usual."""
        z = np.clip(rows, -FAR, FAR) @ self.whitening
        square = (z**2).sum(axis=1)[:, None] - 2 * z @ self.centres.T + (self.centres**2).sum(axis=1)
        nearest: FloatArray = np.sqrt(np.maximum(square.min(axis=1), 0))
        return nearest

    def novelty(self, rows: FloatArray) -> FloatArray:
        """Return the distance in units of the limit: above 1 is unlike anything seen in training."""
        return self.distance(rows) / np.float32(self.limit)
