"""The extreme learning machine: a random hidden layer that is never trained, and output weights in closed form."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from app.har.types import FloatArray, IntArray

CHUNK = 2048  # rows of the hidden layer held in float64 at once
BIAS_SCALE = 0.5


class ExtremeLearningMachine:
    """Single hidden layer of fixed random ReLU nodes; β = (HᵀH + λI)⁻¹HᵀT.

    Only HᵀH and HᵀT are kept of the rows seen, so that more rows can be learnt later, and the result is the same in
    whatever order and portions they came.

    Parameters
    ----------
    n_nodes
        Hidden nodes.
    ridge
        λ, in units of a hidden node's squared output summed over rows.
    seed
        Draws the hidden layer; it is never stored.

    References
    ----------
    Huang, Zhu, Siew (2006), Extreme learning machine: theory and applications, Neurocomputing 70.
    """

    def __init__(self, n_nodes: int = 4000, ridge: float = 100.0, seed: int = 0) -> None:
        self.n_nodes, self.ridge, self.seed = n_nodes, ridge, seed
        self.beta: FloatArray | None = None  # (n_nodes, n_outputs)
        self._hidden_layer: tuple[FloatArray, FloatArray] | None = None
        self._gram: NDArray[np.float64] | None = None  # HᵀH
        self._moment: NDArray[np.float64] | None = None  # HᵀT

    def fit(self, X: FloatArray, y: IntArray, n_outputs: int) -> ExtremeLearningMachine:
        """Forget what was seen and learn from these rows: X (n, n_features) scaled, y (n,) in 0 … n_outputs - 1."""
        self._gram = self._moment = None
        return self.partial_fit(X, y, n_outputs)

    def partial_fit(self, X: FloatArray, y: IntArray, n_outputs: int) -> ExtremeLearningMachine:
        """Learn from these rows as well as from all that were seen before."""
        if self._gram is None or self._moment is None:
            self._gram = np.zeros((self.n_nodes, self.n_nodes))
            self._moment = np.zeros((self.n_nodes, n_outputs))
        for start in range(0, len(X), CHUNK):
            H = self.hidden(X[start : start + CHUNK]).astype(np.float64)
            self._gram += H.T @ H
            self._moment += H.T @ np.eye(n_outputs)[y[start : start + CHUNK]]
        regularised = self._gram.copy()
        regularised[np.diag_indices(self.n_nodes)] += self.ridge
        beta = linalg.solve(regularised, self._moment, assume_a="pos", overwrite_a=True, check_finite=False)
        self.beta = beta.astype(np.float32)
        return self

    def hidden(self, X: FloatArray) -> FloatArray:
        """Return H, the outputs of the hidden layer: (n, n_nodes), float32, not negative."""
        if self._hidden_layer is None or len(self._hidden_layer[0]) != X.shape[1]:
            # RandomState, because its stream is frozen for good (NEP 19): a stored model draws the same layer again.
            random = np.random.RandomState(self.seed)
            weights = random.standard_normal((X.shape[1], self.n_nodes)) / np.sqrt(X.shape[1])
            bias = BIAS_SCALE * random.standard_normal(self.n_nodes)
            self._hidden_layer = weights.astype(np.float32), bias.astype(np.float32)
        weights32, bias32 = self._hidden_layer
        H: FloatArray = X @ weights32
        H += bias32
        return np.maximum(H, 0, out=H)

    def predict(self, X: FloatArray) -> FloatArray:
        """Return the score of every output, (n, n_outputs): near 1 for the learnt one, near 0 for the others."""
        if self.beta is None:
            raise ValueError("fit the extreme learning machine first")
        return np.concatenate(
            [self.hidden(X[start : start + CHUNK]) @ self.beta for start in range(0, max(len(X), 1), CHUNK)]
        )
