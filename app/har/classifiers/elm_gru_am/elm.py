"""The extreme learning machine: a random hidden layer that is never trained, and output weights in closed form."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from app.har.sums import Matrix, Rows, Sums
from app.har.types import FloatArray, IntArray

F = TypeVar("F", np.float32, np.float64)
CHUNK = 2048  # rows of the hidden layer held in float64 at once
BIAS_SCALE = 0.5
NODE_SCALE = 0.65  # deviation of a random node of scaled columns: what other nodes are brought to


class ExtremeLearningMachine:
    """Single hidden layer of fixed random ReLU nodes; β = (HᵀH + λI)⁻¹HᵀT.

    The nodes come in blocks, each of which reads other columns: one block a sensor. Further blocks may be columns
    that are random nodes already: outputs of random convolutions. Only sums of the rows seen are kept (`app.har.sums`).
    From them come the output weights for all blocks and, exactly as if it had never been there, without any of them;
    and more rows can be learnt later, or forgotten, with the same result in whatever order and portions they came.

    Parameters
    ----------
    n_nodes : hidden nodes, divided evenly among the blocks; default 4000.
    ridge : λ, in units of a hidden node's squared output summed over rows; default 100.
    seed : draws the hidden layer, which is never stored; default 0.
    blocks : the columns that each block of nodes reads; default one block that reads all.
    nodes : for each further block, the scaled columns that are its nodes themselves; default none.

    References
    ----------
    Huang, Zhu, Siew (2006), Extreme learning machine: theory and applications, Neurocomputing 70.
    """

    def __init__(
        self,
        n_nodes: int = 4000,
        ridge: float = 100.0,
        seed: int = 0,
        blocks: Sequence[IntArray | slice] | None = None,
        nodes: Sequence[IntArray] = (),
    ) -> None:
        self.ridge, self.seed, self.blocks, self.nodes = ridge, seed, blocks or [slice(None)], nodes
        self.sizes = [n_nodes // len(self.blocks)] * len(self.blocks) + [len(columns) for columns in nodes]
        self.betas: dict[tuple[bool, ...], FloatArray] = {}  # present blocks -> (their nodes, n_outputs)
        self.centres: dict[tuple[bool, ...], FloatArray] = {}  # the same, where β is drawn towards anything but 0
        self._hidden_layer: list[tuple[FloatArray, FloatArray]] = []
        self.weights: NDArray[np.float64] = np.ones(0)  # of the rows of each output
        self.sums: Sums | None = None  # of all rows learnt; a stored model has none

    @property
    def n_nodes(self) -> int:
        """Return the number of hidden nodes."""
        return sum(self.sizes)

    def fit(self, X: FloatArray, y: IntArray, n_outputs: int, balanced: bool = False) -> ExtremeLearningMachine:
        """Forget what was seen and learn from these rows: X (n, n_features) scaled, y (n,) in 0 … n_outputs - 1.

        ``balanced`` lets every output count the same, however few its rows are, by weights that later rows get as well
        (weighted extreme learning machine; Zong, Huang, Chen 2013, Neurocomputing 101).
        """
        self.sums = None
        counts = np.bincount(y, minlength=n_outputs)
        even = len(y) / np.count_nonzero(counts) / np.maximum(counts, 1)
        self.weights = np.where(counts > 0, even, 1.0) if balanced else np.ones(n_outputs)
        return self.partial_fit(X, y, n_outputs)

    def partial_fit(self, X: FloatArray, y: IntArray, n_outputs: int) -> ExtremeLearningMachine:
        """Learn from these rows as well as from all that were seen before."""
        if len(self.weights) != n_outputs:
            self.weights = np.ones(n_outputs)
        sums = self.sums_of(X, y)
        return self.learn(sums if self.sums is None else self.sums + sums)

    def sums_of(self, X: FloatArray, y: IntArray) -> Sums:
        """Return the sums of these rows, with the weights that the outputs have here; nothing is learnt."""
        return Sums.over(self._portions(X, y), self.n_nodes, len(self.weights))

    def learn(self, sums: Sums) -> ExtremeLearningMachine:
        """Take these sums in place of all that was seen: those before and others added, or some subtracted."""
        self.sums, self.betas = sums, {}
        return self.solve((True,) * len(self.sizes))

    def _portions(self, X: FloatArray, y: IntArray) -> Iterator[Rows]:
        # In float64 from the first product on, or the sums would depend on how the rows are divided.
        targets = np.eye(len(self.weights))
        for start in range(0, len(X), CHUNK):
            labels = y[start : start + CHUNK]
            chunk: NDArray[np.float64] = X[start : start + CHUNK].astype(np.float64)
            H = self.hidden(chunk)
            yield H, targets[labels], self.weights[labels]

    def solve(self, present: Sequence[bool] | NDArray[np.bool_]) -> ExtremeLearningMachine:
        """Find the output weights of these blocks alone; afterwards `predict` takes rows that have no others."""
        key = tuple(map(bool, present))
        if key in self.betas:
            return self
        if self.sums is None:
            raise ValueError("fit the extreme learning machine first")
        self.betas[key] = self.solution(self.sums, key).astype(np.float32)
        return self

    def solution(self, sums: Sums, present: Sequence[bool]) -> Matrix:
        """Return the output weights of these blocks alone that some sums give, in float64; nothing is learnt."""
        centre = self.centres.get(tuple(present))
        selected = sums.select(np.flatnonzero(np.repeat(present, self.sizes)))
        return selected.solve(self.ridge, None if centre is None else centre.astype(np.float64))

    def hidden(self, X: NDArray[F]) -> NDArray[F]:
        """Return H, the outputs of the hidden layer: (n, n_nodes), as exact as `X`."""
        return np.concatenate([self._block(X, number) for number in range(len(self.sizes))], axis=1)

    def _block(self, X: NDArray[F], number: int) -> NDArray[F]:
        if number >= len(self.blocks):
            return np.float32(NODE_SCALE) * X[:, self.nodes[number - len(self.blocks)]]
        weights, bias = self.hidden_layer(X.shape[1])[number]
        H: NDArray[F] = X[:, self.blocks[number]] @ weights
        H += bias
        return np.maximum(H, 0, out=H)

    def hidden_layer(self, n_columns: int) -> list[tuple[FloatArray, FloatArray]]:
        """Return the weights and biases of each block's random nodes, for rows of so many columns."""
        if not self._hidden_layer:
            self._hidden_layer = self._draw(n_columns)
        return self._hidden_layer

    def _draw(self, n_columns: int) -> list[tuple[FloatArray, FloatArray]]:
        # RandomState, because its stream is frozen for good (NEP 19): a stored model draws the same layer again.
        random = np.random.RandomState(self.seed)
        layer = []
        for columns, size in zip(self.blocks, self.sizes, strict=False):
            read = len(np.arange(n_columns)[columns])
            weights = random.standard_normal((read, size)) / np.sqrt(read)
            bias = BIAS_SCALE * random.standard_normal(size)
            layer.append((weights.astype(np.float32), bias.astype(np.float32)))
        return layer

    def predict(self, X: FloatArray, present: NDArray[np.bool_] | None = None) -> FloatArray:
        """Return the score of every output, (n, n_outputs): near 1 for the learnt one, near 0 for the others.

        Parameters
        ----------
        present : (n, n_blocks), which blocks each row has; default None, all. A row of a combination that was never
            solved scores 0 throughout.
        """
        if not self.betas:
            raise ValueError("fit the extreme learning machine first")
        everything = (True,) * len(self.sizes)
        scores = np.zeros((len(X), self.betas[everything].shape[1]), np.float32)
        if present is None:
            present = np.ones((len(X), len(self.sizes)), bool)
        for combination, beta in self.betas.items():
            rows = np.flatnonzero((present == combination).all(axis=1))
            numbers = np.flatnonzero(combination)
            parts = np.split(beta, np.cumsum([self.sizes[number] for number in numbers])[:-1])
            for start in range(0, len(rows), CHUNK):
                chunk = rows[start : start + CHUNK]
                read = X[chunk]
                for number, part in zip(numbers.tolist(), parts, strict=True):
                    scores[chunk] += self._block(read, number) @ part
        return scores
