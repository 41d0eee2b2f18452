"""What a model scored, and how sure one may be of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from app.har.types import ActivityMetrics, FloatArray, IntArray, Interval, Metrics, WindowSet

BINS = 15
DRAWS = 1000
MIN_SUBJECTS = 3  # with fewer, subjects cannot be drawn again and windows are: the interval is then too narrow


def evaluate(
    windows_test: WindowSet, proba: FloatArray, *, fit_seconds: float, predict_seconds: float, seed: int = 0
) -> Metrics:
    """Score probabilities against the labels of test windows.

    Precision, recall and F1 are averaged over the activities that occur in the test windows. Intervals are 95 %
    percentile intervals of a bootstrap over subjects; over windows when there are fewer than ``MIN_SUBJECTS``.

    Parameters
    ----------
    proba : (n_windows, n_activities)
        Columns in the order of ``windows_test.activities``.
    """
    n = len(windows_test.activities)
    if proba.shape != (len(windows_test), n):
        raise ValueError(f"expected probabilities of shape {(len(windows_test), n)}, found {proba.shape}")
    found = proba.argmax(axis=1)
    unit_names = windows_test.subjects
    if len(set(unit_names)) < MIN_SUBJECTS:
        unit_names = np.arange(len(windows_test)).astype(str)
    _, unit = np.unique(unit_names, return_inverse=True)
    draws = _bootstrap(windows_test.y, found, unit, n, seed)
    confusion = confusion_matrix(windows_test.y, found, n)
    value = macro_scores(confusion[None])[0]
    low, high = np.nanpercentile(macro_scores(draws), (2.5, 97.5), axis=0)
    accuracy, precision, recall, f1 = (Interval(float(value[i]), float(low[i]), float(high[i])) for i in range(4))
    per_precision, per_recall, per_f1 = class_scores(confusion)
    return Metrics(
        accuracy=accuracy,
        precision=precision,
        recall=recall,
        f1=f1,
        calibration_error=calibration_error(proba, windows_test.y),
        per_activity=tuple(
            ActivityMetrics(
                name, float(per_precision[i]), float(per_recall[i]), float(per_f1[i]), int(confusion[i].sum())
            )
            for i, name in enumerate(windows_test.activities)
        ),
        confusion=tuple(tuple(int(cell) for cell in row) for row in confusion),
        fit_seconds=fit_seconds,
        predict_windows_per_second=len(windows_test) / max(predict_seconds, 1e-9),
    )


def confusion_matrix(y: IntArray, found: IntArray, n_activities: int) -> IntArray:
    """Count windows by true activity (rows) and recognised activity (columns)."""
    return np.bincount(y * n_activities + found, minlength=n_activities**2).reshape(n_activities, n_activities)


def class_scores(confusion: NDArray[np.int64]) -> tuple[NDArray[np.float64], ...]:
    """Return precision, recall and F1 of each activity for matrices (…, n, n); 0 where there is nothing to divide."""
    right = np.diagonal(confusion, axis1=-2, axis2=-1).astype(np.float64)
    true, recognised = confusion.sum(axis=-1), confusion.sum(axis=-2)
    precision = right / np.maximum(recognised, 1)
    recall = right / np.maximum(true, 1)
    return precision, recall, 2 * right / np.maximum(true + recognised, 1)


def macro_scores(confusion: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return accuracy, macro precision, recall and F1 for each of the matrices (k, n, n): (k, 4)."""
    present = confusion.sum(axis=-1) > 0
    total = confusion.sum(axis=(-2, -1))
    accuracy = np.trace(confusion, axis1=-2, axis2=-1) / total
    macro = [(score * present).sum(axis=-1) / present.sum(axis=-1) for score in class_scores(confusion)]
    return np.stack([accuracy, *macro], axis=-1)


def calibration_error(proba: FloatArray, y: IntArray, n_bins: int = BINS) -> float:
    """Return the expected calibration error: mean gap between confidence and accuracy, in bins of equal width.

    References
    ----------
    Guo et al. (2017), On calibration of modern neural networks, ICML.
    """
    confidence, right = proba.max(axis=1), proba.argmax(axis=1) == y
    bins = np.minimum((confidence * n_bins).astype(int), n_bins - 1)
    gaps = np.bincount(bins, right - confidence.astype(np.float64), minlength=n_bins)
    return float(np.abs(gaps).sum() / len(y))


def _bootstrap(y: IntArray, found: IntArray, unit: IntArray, n_activities: int, seed: int) -> NDArray[np.int64]:
    """Return the confusion matrices of ``DRAWS`` draws of units with replacement: (DRAWS, n, n)."""
    n_units = int(unit.max()) + 1
    cells = np.zeros((n_units, n_activities**2), np.int64)
    np.add.at(cells, (unit, y * n_activities + found), 1)
    times_drawn = np.random.default_rng(seed).multinomial(n_units, np.full(n_units, 1 / n_units), size=DRAWS)
    return (times_drawn @ cells).reshape(DRAWS, n_activities, n_activities)
