"""The directions in which a person's activities differ most from each other, compared with windows of one of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.har.types import FloatArray, IntArray

DIRECTIONS = 64
RIDGE = 0.2  # of the variance of a scaled feature: what a person's next recording may differ by in any direction
PEOPLE_DIFFER = 2.0  # what is usual for a new person lies wider around 0 than for those who were learnt from
CLIP = 5.0
LEAST = 1e-3  # deviation of a feature
HELD = 0.5  # share of the windows of a data set that must hold a feature to count

Square = NDArray[np.float64]


@dataclass(frozen=True)
class Space:
    """Features scaled and turned so that windows of one activity of one person vary by 1 in each direction."""

    centre: FloatArray  # (n_features,)
    scale: FloatArray
    directions: NDArray[np.float16]  # (n_features, d)
    between: FloatArray  # (d,) variance of what is usual for an activity of a person, over activities

    def __call__(self, rows: FloatArray) -> NDArray[np.float16]:
        """Return the coordinates of windows, (n, d); a feature that is missing (NaN) is taken as usual."""
        scaled = np.clip(np.nan_to_num((rows - self.centre) / self.scale), -CLIP, CLIP)
        return np.asarray(scaled @ self.directions.astype(np.float32), np.float16)


def fit_space(rows: FloatArray, person: IntArray, activity: IntArray, dataset: NDArray[np.str_]) -> Space | None:
    """Find the directions: those of the largest generalised eigenvalues of two covariances (Fisher 1936; Rao 1948).

    One is of windows around the mean of their person's activity, one of these means around that of the person. Each
    activity of a person counts alike, and each pair of features in the data sets that hold both.

    Parameters
    ----------
    rows : (n, n_features), NaN where a feature is missing.
    person, activity, dataset : (n,); a person with a device at two places counts as two.

    Returns
    -------
    None where nobody has two activities, or no activity two windows.
    """
    from scipy.linalg import eigh

    names = np.unique(dataset)
    held = {name: (~np.isnan(rows[dataset == name])).mean(axis=0) > HELD for name in names}
    centre, scale = _scaling(rows, dataset, held)
    scaled = np.clip(np.nan_to_num((rows - centre) / scale), -CLIP, CLIP).astype(np.float64)
    n_features = rows.shape[1]
    within: Square = np.zeros((n_features, n_features))
    between: Square = within.copy()
    n_within: Square = within.copy()
    n_between: Square = within.copy()
    for name in names:
        of_set = dataset == name
        spread, n_spread, apart, n_apart = _scatter(scaled[of_set], person[of_set], activity[of_set])
        both = np.outer(held[name], held[name])
        within, between = within + spread * both, between + apart * both
        n_within, n_between = n_within + n_spread * both, n_between + n_apart * both
    if not (n_between.any() and n_within.any()):
        return None
    within = _proper(within / np.maximum(n_within, 1)) + RIDGE * np.eye(n_features)
    between = _proper(between / np.maximum(n_between, 1))
    n = min(DIRECTIONS, n_features)
    values, vectors = eigh(between, within, subset_by_index=[n_features - n, n_features - 1])
    usual = PEOPLE_DIFFER * np.maximum(values[::-1], 1e-2)
    return Space(centre, scale, vectors[:, ::-1].astype(np.float16), usual.astype(np.float32))


def _scaling(
    rows: FloatArray, dataset: NDArray[np.str_], held: dict[str, NDArray[np.bool_]]
) -> tuple[FloatArray, FloatArray]:
    """Return mean and deviation of each feature, over the data sets that hold it; each of them counts alike."""
    total, square, n = (np.zeros(rows.shape[1]) for _ in range(3))
    for name, there in held.items():
        of_set = rows[dataset == name][:, there].astype(np.float64)
        total[there] += np.nanmean(of_set, axis=0)
        square[there] += np.nanvar(of_set, axis=0)
        n[there] += 1
    least_one = np.maximum(n, 1)
    return (total / least_one).astype(np.float32), (np.sqrt(square / least_one) + LEAST).astype(np.float32)


def _scatter(scaled: Square, person: IntArray, activity: IntArray) -> tuple[Square, int, Square, int]:
    """Return the sums of both covariances, and of how many activities of a person, and people's activities, each is."""
    pairs, number, count = np.unique(
        np.stack([person, activity], axis=1), axis=0, return_inverse=True, return_counts=True
    )
    number = number.reshape(-1)
    order = np.argsort(number, kind="stable")
    mean = np.add.reduceat(scaled[order], np.cumsum([0, *count[:-1]])) / count[:, None]
    several = count >= 2
    kept = several[number]
    around = (scaled - mean[number])[kept] / np.sqrt(count[number[kept]] - 1)[:, None]
    people, of_person = np.unique(pairs[:, 0], return_inverse=True)
    n_activities = np.bincount(of_person)
    middle = np.stack([mean[of_person == i].mean(axis=0) for i in range(len(people))])
    apart = (mean - middle[of_person])[n_activities[of_person] > 1]
    return around.T @ around, int(several.sum()), apart.T @ apart, len(apart)


def _proper(covariance: Square) -> Square:
    """Return the nearest matrix that is a covariance; one whose entries are from different data sets may be none."""
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray((vectors * np.maximum(values, 0)) @ vectors.T)
