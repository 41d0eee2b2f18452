"""What somebody who has a site's sums, and the model, can find out about single windows and people.

Rows of a hidden layer of ReLU nodes are not negative, and about half of each is zero. HᵀH of few windows tells the
space that the rows span. Its vectors without a negative number make up a cone, and each row is an edge of it, as it is
zero in more places than any other edge. So linear programmes find rows, one after the other, and the number of zeros
says which are rows: the attack knows when it has succeeded. Nothing else has to be known.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog

from app.har.classifiers.elm_gru_am.elm import ExtremeLearningMachine
from app.har.sums import Matrix, Sums

RANK = 1e-9  # of the largest eigenvalue: smaller ones are rounding
ZERO = 1e-7  # of a row's largest value


@dataclass(frozen=True)
class RowSpace:
    """The space that the rows of a gram matrix span."""

    basis: Matrix  # (d, r), orthonormal
    values: NDArray[np.float64]  # (r,), eigenvalues

    @classmethod
    def of(cls, gram: Matrix) -> RowSpace:
        values, vectors = np.linalg.eigh(gram)
        kept = values > RANK * values[-1]
        return cls(vectors[:, kept], values[kept])

    @property
    def rank(self) -> int:
        return len(self.values)

    def outside(self, rows: Matrix) -> NDArray[np.float64]:
        """Return which part of each row, 0 to 1, is outside of this space: of windows in the sums, nothing."""
        within = (rows @ self.basis) @ self.basis.T
        away: NDArray[np.float64] = np.linalg.norm(rows - within, axis=1) / np.linalg.norm(rows, axis=1)
        return away

    def leverage(self, rows: Matrix) -> NDArray[np.float64]:
        """Return h (HᵀH)⁺ hᵀ of each row h: how far the sums depend on it, 1 where it alone points there."""
        seen = rows @ self.basis
        found: NDArray[np.float64] = (seen**2 / self.values).sum(axis=1)
        return found


def recovered_rows(gram: Matrix, n_tries: int, seed: int = 0) -> Matrix:
    """Return rows found in the gram matrix of ReLU nodes, (found, d), each to its full length.

    Parameters
    ----------
    n_tries : linear programmes, each of which finds an edge of the cone.
    """
    space, random = RowSpace.of(gram), np.random.default_rng(seed)
    basis, d = space.basis, len(gram)
    found: list[Matrix] = []
    for _ in range(n_tries):
        solution = linprog(
            basis.T @ random.standard_normal(d), A_ub=-basis, b_ub=np.zeros(d), A_eq=basis.sum(axis=0)[None],
            b_eq=[1.0], bounds=(None, None), method="highs",
        )  # fmt: skip
        if not solution.success:
            continue
        row = basis @ solution.x
        if np.count_nonzero(row < ZERO * row.max()) < max(2 * space.rank, d // 10):
            continue  # an edge that is no row: zero only where it must be
        row = np.maximum(row / np.sqrt(space.leverage(row[None])[0]), 0)
        if all(np.linalg.norm(row - other) > 1e-3 * np.linalg.norm(row) for other in found):
            found.append(row)
    return np.array(found).reshape(-1, d)


def labels_and_weights(sums: Sums, rows: Matrix) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the activity of each row that was found, and how much its window weighs: h (HᵀH)⁺ HᵀWT = √w t."""
    space = RowSpace.of(sums.gram)
    target = (rows @ space.basis / space.values) @ (space.basis.T @ sums.moment)
    label = target.argmax(axis=1)
    return label, target[np.arange(len(rows)), label] ** 2


def features_behind(elm: ExtremeLearningMachine, rows: Matrix, block: int) -> Matrix:
    """Return the features that the first nodes of a block have read: one that is not zero is a linear equation."""
    weights, bias = (part[..., : rows.shape[1]] for part in elm._hidden_layer[block])
    found = []
    for row in rows:
        active = row > ZERO * row.max()
        found.append(np.linalg.lstsq(weights[:, active].T, row[active] - bias[active], rcond=None)[0])
    return np.array(found)


def area_under_curve(inside: NDArray[np.float64], outside: NDArray[np.float64]) -> float:
    """Return how often a value of those inside is above one of those outside: 0.5 is guessing, 1 certainty."""
    from scipy.stats import rankdata

    ranks = rankdata(np.concatenate([inside, outside]))[: len(inside)]
    return float((ranks.sum() - len(inside) * (len(inside) + 1) / 2) / (len(inside) * len(outside)))
