"""Noise that hides whether a person is in a site's sums: differential privacy, at a price.

Each person gives at most so many windows, and each row is shortened to at most so long a norm C, so that one person
changes HᵀH by at most m C² and HᵀT by at most m C, in Frobenius norm. Both are perturbed by the Gaussian mechanism, as
one release of two parts, each brought to a sensitivity of 1/√2 of the whole. Where masks hide the sums of each site,
every site adds a part of the noise, so that those that can be relied on add enough together.

References
----------
Dwork, Roth (2014), The algorithmic foundations of differential privacy, chapter 3 and appendix A.
Balle, Wang (2018), Improving the Gaussian mechanism for differential privacy: analytical calibration, ICML.
Sheffet (2017), Differentially private ordinary least squares, ICML: noise in second moments.
Mironov (2012), On significance of the least significant bits for differential privacy, CCS: what floating-point noise
may still show; nothing is done against that here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf, sqrt
from typing import Any

import numpy as np
from scipy.special import log_ndtr

from app.har.errors import InvalidSetting
from app.har.federation.site_sums import Contribution, SharedMap, counts_of
from app.har.sums import Sums
from app.har.types import IntArray
from app.har.windows import WindowSet


@dataclass(frozen=True)
class Privacy:
    """What is to be kept: (ε, δ)-differential privacy for each person of a site.

    Parameters
    ----------
    epsilon : ε, the smaller, the more is hidden.
    delta : δ, far below one in the number of people; default 1e-5.
    windows_of_a_person : at most so many are used of each; default 20.
    row_norm : C; default 12. Longer rows are shortened.

    Raises
    ------
    InvalidSetting : ε or δ promises nothing: no noise would be added, and the file would say that there is some.
    """

    epsilon: float
    delta: float = 1e-5
    windows_of_a_person: int = 20
    row_norm: float = 12.0

    def __post_init__(self) -> None:
        if not 0 < self.epsilon < inf:
            raise InvalidSetting(f"epsilon: must be a number above 0; found {self.epsilon:g}.", "epsilon")
        if not 0 < self.delta < 1:
            raise InvalidSetting(f"delta: must be between 0 and 1; found {self.delta:g}.", "delta")


def deviation(epsilon: float, delta: float, sensitivity: float) -> float:
    """Return the smallest deviation of Gaussian noise that is (ε, δ)-private (Balle and Wang, theorem 8)."""

    def spent(sigma: float) -> float:
        a, b = sensitivity / (2 * sigma), epsilon * sigma / sensitivity
        return float(np.exp(log_ndtr(a - b)) - np.exp(min(epsilon + float(log_ndtr(-a - b)), 700.0)))

    low, high = 1e-12 * sensitivity, sensitivity
    while spent(high) > delta:
        high *= 2
    for _ in range(200):
        middle = sqrt(low * high)
        low, high = (middle, high) if spent(middle) > delta else (low, middle)
    return high


def noisy(
    shared: SharedMap, windows: WindowSet, privacy: Privacy, *, secret: bytes = b"", sites: int = 1
) -> tuple[Contribution, dict[str, Any]]:
    """Return a site's sums with noise, and what the file says of it. How many windows and people there are is exact.

    There are no copies as from slower devices: they would use up what a person may give.

    Parameters
    ----------
    secret : that draws the same noise again; default one from the operating system.
    sites : how many add as much noise, which together is enough; default this one alone.
    """
    # A seed that could be guessed would hide nothing
    random = np.random.default_rng(int.from_bytes(secret, "big") if secret else None)
    windows = windows.take(_few_of_each(windows, privacy.windows_of_a_person, random))
    sums = _bounded(shared, windows, privacy.row_norm)
    deviations = deviations_for(shared, privacy, sites)
    upper = np.triu(random.normal(0, deviations["gram_deviation"], sums.gram.shape))
    gram = sums.gram + upper + np.triu(upper, 1).T
    moment = sums.moment + random.normal(0, deviations["moment_deviation"], sums.moment.shape)
    counts = counts_of(windows)
    said = {
        "epsilon": float(privacy.epsilon),
        "delta": float(privacy.delta),
        "windows_of_a_person": privacy.windows_of_a_person,
        "row_norm": float(privacy.row_norm),
        **deviations,
    }
    return Contribution(replace(sums, gram=gram, moment=moment), counts.windows, counts.people, counts.n_people), said


def deviations_for(shared: SharedMap, privacy: Privacy, sites: int = 1) -> dict[str, float]:
    """Return the deviations of the noise that each of so many sites adds."""
    of_person = deviation(privacy.epsilon, privacy.delta, sqrt(2)) / sqrt(sites) * privacy.windows_of_a_person
    return {
        "gram_deviation": of_person * privacy.row_norm**2,
        "moment_deviation": of_person * privacy.row_norm * sqrt(float(shared.weights.max())),
    }


def ridge_for(shared: SharedMap, noise: Sequence[Mapping[str, Any]]) -> float:
    """Return the ridge for sums with this noise: what keeps the noisy gram positive definite, if that is more.

    A symmetric matrix of noise of deviation σ has eigenvalues down to about -2 σ √d (Wigner's semicircle).
    """
    sigma = sqrt(sum(one["gram_deviation"] ** 2 for one in noise))
    return max(shared.model.config.elm_ridge, 2.2 * sigma * sqrt(shared.n_nodes))


def _few_of_each(windows: WindowSet, most: int, random: np.random.Generator) -> IntArray:
    """Return at most so many windows of each person, drawn at random, in their order."""
    order = random.permutation(len(windows))
    taken: dict[str, int] = {}
    kept = []
    for row in order.tolist():
        subject = str(windows.subjects[row])
        taken[subject] = taken.get(subject, 0) + 1
        if taken[subject] <= most:
            kept.append(row)
    return np.sort(np.array(kept, np.int64))


def _bounded(shared: SharedMap, windows: WindowSet, row_norm: float) -> Sums:
    """Return sums of weighted rows, none longer than this."""
    total = Sums.none(shared.n_nodes, len(shared.weights))
    for part in shared.parts(windows):
        root = np.sqrt(shared.weights[part.y])[:, None]
        rows = root * shared.hidden(part)
        rows *= np.minimum(1.0, row_norm / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12))
        total += Sums.of(rows, root * np.eye(len(shared.weights))[part.y])
    return total
