"""Least squares from sums of rows: sums that are added, subtracted and solved, and a solution that follows new rows.

All that a ridge regression β = argmin Σᵢ wᵢ‖tᵢ - hᵢβ‖² + λ‖β‖² has to know of its rows is in two sums, HᵀWH and HᵀWT:

    β = (HᵀWH + λI)⁻¹ HᵀWT

So what two sites have learnt is put together by adding their sums, and a person is forgotten by subtracting theirs: the
solution is that of the other rows alone, as if these had never been there. All of it is in float64.

References
----------
Huang, Zhu, Siew (2006), Extreme learning machine: theory and applications, Neurocomputing 70: β in closed form.
Liang, Huang, Saratchandran, Sundararajan (2006), A fast and accurate online sequential learning algorithm for
feedforward networks (OS-ELM), IEEE Transactions on Neural Networks 17(6): rows that come later, by Woodbury's identity.
Woodbury (1950), Inverting modified matrices, Princeton; Hager (1989), Updating the inverse of a matrix, SIAM Review 31.
Quan, Wu, Montana (2026), Exact federated continual unlearning for ridge heads on frozen foundation models, arXiv
2603.12977: heads that are exactly those of retraining after rows are added or deleted, from two sums.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import linalg

from app.har.errors import UnsolvableSums

Matrix: TypeAlias = NDArray[np.float64]
BLAS: Any = linalg.blas  # whose types are known in later versions of its stubs only
Rows: TypeAlias = tuple[NDArray[np.floating], NDArray[np.floating], "ArrayLike"]  # H (n, d), T (n, k), weights

CHECKED_EVERY = 16  # updates: how far the solution is from the exact one
TOLERATED = 1e-10  # of β, relative: a tenth of a millionth of what decides an answer
TOLERATED_INVERSE = 1e-7
SMALLEST_PIVOT = 1e-5  # of an update: what is smaller costs so many digits that the inverse is made anew


@dataclass(frozen=True)
class Sums:
    """What a ridge regression knows of its rows; no row can be left out or told from another of the same sums.

    ``a + b`` are the sums of the rows of both, ``a - b`` those of the rows of ``a`` without those of ``b``.

    Parameters
    ----------
    gram : (d, d), HᵀWH.
    moment : (d, k), HᵀWT.
    counts : (k,), the targets added up, without weights: of labels, how many rows each has.
    rows : how many there are.
    """

    gram: Matrix
    moment: Matrix
    counts: Matrix
    rows: int

    @classmethod
    def none(cls, n_features: int, n_outputs: int) -> Sums:
        """Return the sums of no rows."""
        return cls(np.zeros((n_features, n_features)), np.zeros((n_features, n_outputs)), np.zeros(n_outputs), 0)

    @classmethod
    def of(cls, H: NDArray[np.floating], targets: NDArray[np.floating], weights: ArrayLike = 1.0) -> Sums:
        """Return the sums of rows.

        Parameters
        ----------
        H : (n, d), finite.
        targets : (n, k), such as 1 for the right one of k activities and 0 for the others.
        weights : (n,) or one for all, how many times each row counts; at least 0. Default 1.
        """
        return cls.over([(H, targets, weights)], H.shape[1], targets.shape[1])

    @classmethod
    def over(cls, portions: Iterable[Rows], n_features: int, n_outputs: int) -> Sums:
        """Return the sums of rows that come in portions, each as `of` takes them."""
        total = cls.none(n_features, n_outputs)
        gram, moment, counts, rows = total.gram, total.moment, total.counts, 0
        for H, targets, weights in portions:
            weighted, weighted_targets = _weighted(H, targets, weights)
            gram += weighted.T @ weighted
            moment += weighted.T @ weighted_targets
            counts += np.asarray(targets, np.float64).sum(axis=0)
            rows += len(weighted)
        return cls(gram, moment, counts, rows)

    @property
    def n_features(self) -> int:
        return len(self.gram)

    @property
    def n_outputs(self) -> int:
        return int(self.moment.shape[1])

    def __add__(self, other: Sums) -> Sums:
        self._check_alike(other)
        return Sums(
            self.gram + other.gram,
            self.moment + other.moment,
            self.counts + other.counts,
            self.rows + other.rows,
        )

    def __sub__(self, other: Sums) -> Sums:
        """Return the sums without rows that were added before.

        Raises
        ------
        UnsolvableSums : there are not as many rows.
        """
        self._check_alike(other)
        counts = self.counts - other.counts
        if other.rows > self.rows or counts.min(initial=0) < -1e-6 * max(self.rows, 1):
            raise UnsolvableSums(
                f"Rows can be taken away only where they were added: found {other.rows:,} to take away from "
                f"{self.rows:,}, by output {other.counts.tolist()} from {self.counts.tolist()}."
            )
        return Sums(self.gram - other.gram, self.moment - other.moment, counts, self.rows - other.rows)

    def select(self, features: NDArray[np.integer]) -> Sums:
        """Return the sums of the same rows with these features alone."""
        return Sums(self.gram[np.ix_(features, features)], self.moment[features], self.counts, self.rows)

    def within(self, basis: Matrix) -> Sums:
        """Return the sums of the same rows seen in a subspace, H @ basis: basis (d, m)."""
        return Sums(basis.T @ self.gram @ basis, basis.T @ self.moment, self.counts, self.rows)

    def leading(self, n_directions: int) -> Matrix:
        """Return the directions in which the rows are largest, (d, n_directions), orthonormal, the largest first."""
        first = max(self.n_features - n_directions, 0)
        _, vectors = linalg.eigh(self.gram, subset_by_index=(first, self.n_features - 1))
        return np.ascontiguousarray(vectors[:, ::-1])

    def solve(self, ridge: float, centre: Matrix | None = None) -> Matrix:
        """Return β = (gram + ridge · I)⁻¹ moment, (d, k), by Cholesky.

        With a centre C (d, k) the penalty is ridge · ‖β - C‖²: β = C + (gram + ridge · I)⁻¹ (moment - gram · C). The
        fewer rows, the nearer is β to what was known before (Kuzborskij, Orabona 2013, Stability and hypothesis
        transfer learning, ICML).

        Raises
        ------
        UnsolvableSums : gram + ridge · I is not positive definite.
        """
        if centre is not None:
            around = Sums(self.gram, self.moment - self.gram @ centre, self.counts, self.rows)
            return np.asarray(centre + around.solve(ridge))
        return np.asarray(linalg.cho_solve(self.factor(ridge), self.moment, check_finite=False))

    def factor(self, ridge: float) -> tuple[Matrix, bool]:
        """Return the Cholesky factor of gram + ridge · I, as `scipy.linalg.cho_solve` takes it."""
        regularised = np.array(self.gram, order="F")
        regularised[np.diag_indices(self.n_features)] += ridge
        if np.isfinite(regularised).all() and np.isfinite(self.moment).all():
            try:
                factor, _ = linalg.cho_factor(regularised, lower=True, overwrite_a=True, check_finite=False)
                return np.asarray(factor, np.float64), True
            except linalg.LinAlgError:
                pass
        raise UnsolvableSums(
            f"These sums of {self.rows:,} rows have no solution with a ridge of {ridge:g}: expected a positive "
            "definite matrix. Either the ridge is too small for features that depend on each other, or rows were "
            "taken away that had never been added, or a value is not finite."
        )

    def _check_alike(self, other: Sums) -> None:
        if self.moment.shape != other.moment.shape:
            raise ValueError(
                f"Sums of the same features and outputs are expected: {self.moment.shape}; found {other.moment.shape}."
            )


class Updated:
    """The solution of sums, and their inverse, brought up to date by a few weighted rows in milliseconds.

    With P = (HᵀWH + λI)⁻¹ and U = √W·H of the rows that come (+) or go (-), Woodbury's identity gives

        S = I ± U P Uᵀ          β ← β ± P Uᵀ S⁻¹ √W (T - Hβ)          P ← P ∓ P Uᵀ S⁻¹ U P

    at the cost of n² r for r rows, where solving again costs n³ / 3. Rounding adds up in P. So the sums themselves are
    kept as well, which hardly lose anything, and every 16 updates one step of iterative refinement,
    P (moment - (gram + λI) β), tells how far β is from their solution: beyond 1e-10 of β, the inverse is made anew.

    Parameters
    ----------
    sums : those of the rows learnt so far; they are left as they are.
    ridge : λ, more than 0.

    Raises
    ------
    UnsolvableSums : the sums have no solution.

    References
    ----------
    Liang et al. (2006), the recursive step of OS-ELM; Hager (1989); see the module.
    """

    def __init__(self, sums: Sums, ridge: float) -> None:
        self.ridge = ridge
        self.drift = 0.0  # of β, relative, when it was last measured
        self.factorised = 0  # times that the inverse was made
        self._updates = 0
        self._probe = np.random.default_rng(0).standard_normal((sums.n_features, 1))
        self._counts, self._rows = sums.counts, sums.rows
        # Of the two symmetric matrices, the lower triangles alone are right: half of the memory is gone through
        self._gram, self._moment = np.array(sums.gram, order="F"), np.array(sums.moment)
        self._inverse, self.beta = self._solved(sums)

    @property
    def sums(self) -> Sums:
        """Return the sums of all rows that are learnt now."""
        gram = np.tril(self._gram) + np.tril(self._gram, -1).T
        return Sums(gram, self._moment.copy(), self._counts, self._rows)

    def add(self, H: NDArray[np.floating], targets: NDArray[np.floating], weights: ArrayLike = 1.0) -> Updated:
        """Learn rows, as `Sums.of` takes them."""
        return self._update(H, targets, weights, 1)

    def remove(self, H: NDArray[np.floating], targets: NDArray[np.floating], weights: ArrayLike = 1.0) -> Updated:
        """Forget rows that were learnt with these targets and weights.

        Raises
        ------
        UnsolvableSums : they were not learnt; nothing has changed then.
        """
        return self._update(H, targets, weights, -1)

    def beta_without(self, H: NDArray[np.floating], targets: NDArray[np.floating], weights: ArrayLike = 1.0) -> Matrix:
        """Return the solution had these rows not been learnt, (d, k); nothing changes.

        β₋ = β - P Uᵀ (I - U P Uᵀ)⁻¹ √W (T - Hβ), so that H β₋ are the scores of people who were left out, without a
        training for each.

        Raises
        ------
        UnsolvableSums : they were not learnt.
        """
        weighted, weighted_targets = _weighted(H, targets, weights)
        if len(weighted) >= self._gram.shape[0]:
            return (self.sums - Sums.of(H, targets, weights)).solve(self.ridge)
        _, step, _ = self._step(weighted, weighted_targets, -1)
        return self.beta - step

    def _update(self, H: NDArray[np.floating], targets: NDArray[np.floating], weights: ArrayLike, sign: int) -> Updated:
        weighted, weighted_targets = _weighted(H, targets, weights)
        if not len(weighted):
            return self
        counts, rows = self._counts + sign * np.asarray(targets).sum(axis=0), self._rows + sign * len(weighted)
        if rows < 0:
            raise UnsolvableSums(f"{len(weighted):,} rows cannot be forgotten where {self._rows:,} are learnt.")
        reach, step, pivots = None, None, 0.0
        if len(weighted) < len(self._gram):
            reach, step, pivots = self._step(weighted, weighted_targets, sign)
        if reach is None or step is None or pivots < SMALLEST_PIVOT:
            changed = Sums.of(H, targets, weights)
            after = self.sums + changed if sign > 0 else self.sums - changed
            inverse, beta = self._solved(after)  # raises while nothing has changed
            self._gram, self._moment = np.asfortranarray(after.gram), after.moment
            self._inverse, self.beta = inverse, beta
        else:
            _add_square(self._gram, weighted, sign)
            self._moment += sign * (weighted.T @ weighted_targets)
            self.beta = self.beta + sign * step
            _add_square(self._inverse, reach, -sign)
        self._counts, self._rows = counts, rows
        self._updates += 1
        if self._updates % CHECKED_EVERY == 0 and not self._is_exact():
            self._inverse, self.beta = self._solved(self.sums)
        return self

    def _step(self, weighted: Matrix, weighted_targets: Matrix, sign: int) -> tuple[Matrix, Matrix, float]:
        """Return L⁻¹ U P with S = L Lᵀ, (r, d), by how much β changes, and the smallest pivot of S."""
        if not (np.isfinite(weighted).all() and np.isfinite(weighted_targets).all()):
            raise UnsolvableSums(
                f"All values of rows and targets must be finite; of these {len(weighted):,} rows some are not."
            )
        through = _times(self._inverse, weighted.T).T  # (r, d)
        inner = np.eye(len(weighted)) + sign * (through @ weighted.T)
        try:
            lower = linalg.cholesky(inner, lower=True)
        except linalg.LinAlgError as error:
            raise UnsolvableSums(
                "Rows can be forgotten only where they were learnt, with the same weights: without these "
                f"{len(weighted):,} rows there would be no solution."
            ) from error
        reach = np.asarray(linalg.solve_triangular(lower, through, lower=True, check_finite=False), np.float64)
        misses = linalg.solve_triangular(lower, weighted_targets - weighted @ self.beta, lower=True)
        return reach, reach.T @ misses, float(np.diag(lower).min() ** 2)

    def _is_exact(self) -> bool:
        """Measure how far β and the inverse are from those of the sums."""
        both = np.hstack([self.beta, self._probe])
        known = _times(self._gram, both) + self.ridge * both
        known[:, :-1] = self._moment - known[:, :-1]
        refined = _times(self._inverse, known)
        self.drift = float(linalg.norm(refined[:, :-1]) / max(float(linalg.norm(self.beta)), 1e-300))
        of_inverse = linalg.norm(refined[:, -1:] - self._probe) / linalg.norm(self._probe)
        return self.drift <= TOLERATED and bool(of_inverse <= TOLERATED_INVERSE)

    def _solved(self, sums: Sums) -> tuple[Matrix, Matrix]:
        """Make the inverse and β from sums alone."""
        factor = sums.factor(self.ridge)
        self.factorised += 1
        inverse = linalg.cho_solve(factor, np.eye(sums.n_features), check_finite=False)
        beta = linalg.cho_solve(factor, sums.moment, check_finite=False)
        return np.asfortranarray(inverse, np.float64), np.asarray(beta, np.float64)


def _times(symmetric: Matrix, columns: Matrix) -> Matrix:
    """Return symmetric @ columns, with a look at the lower triangle alone."""
    return np.asarray(BLAS.dsymm(1.0, symmetric, columns, lower=1), np.float64)


def _add_square(symmetric: Matrix, rows: Matrix, sign: int) -> None:
    """Add sign · rowsᵀ rows to the lower triangle, in place: (d, d) in Fortran's order, rows (r, d)."""
    BLAS.dsyrk(float(sign), rows.T, beta=1.0, c=symmetric, lower=1, overwrite_c=1)


def _weighted(H: NDArray[np.floating], targets: NDArray[np.floating], weights: ArrayLike) -> tuple[Matrix, Matrix]:
    """Return √W·H and √W·T."""
    weights = np.broadcast_to(np.asarray(weights, np.float64), len(H))
    if not (weights >= 0).all():
        raise ValueError("weights of at least 0 are expected")
    root = np.sqrt(weights)[:, None]
    return root * H, root * targets
