"""How the network's and the head's answers become one, and how confident it may be."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax, softmax

from app.har.types import FloatArray, IntArray

Combinations = Mapping[tuple[bool, ...], tuple[float, float]]
MAX_NETWORK_WEIGHT = 0.25  # at most, beside the head


def combine(
    log_p: FloatArray, scores: FloatArray, combinations: Combinations, present: NDArray[np.bool_]
) -> FloatArray:
    """Return the probabilities ∝ exp(a log p + b score), (n, n_activities): a product of experts, each tempered.

    ``combinations`` are a and b by the sensors present; rows (n, n_sensors) of no such pattern get those of all.
    """
    weights: FloatArray = np.tile(np.array(combinations[(True,) * present.shape[1]], np.float32), (len(present), 1))
    for pattern, of_pattern in combinations.items():
        weights[(present == pattern).all(axis=1)] = of_pattern
    return np.asarray(softmax(weights[:, :1] * log_p + weights[:, 1:] * scores, axis=1), np.float32)


def fit_combination(log_p: FloatArray, scores: FloatArray, y: IntArray) -> tuple[float, float]:
    """Choose the two temperatures by the likelihood of held-out windows, (n, n_activities) each."""
    from scipy.optimize import minimize

    def loss(weights: NDArray[np.float64]) -> float:
        return float(-log_softmax(weights[0] * log_p + weights[1] * scores, axis=1)[np.arange(len(y)), y].mean())

    # The bounds keep a handful of held-out windows, all right, from making the model certain of everything; and as the
    # network trusts itself too much with some people, these few of them may not let it outvote the head.
    most = MAX_NETWORK_WEIGHT if scores.any() else 3.0
    found = minimize(loss, np.array([most / 2, 4.0]), bounds=[(0.0, most), (0.5, 20.0)], method="L-BFGS-B")
    return float(found.x[0]), float(found.x[1])
