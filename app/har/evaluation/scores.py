"""What a model scored, and how certain that is."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from app.har.evaluation.types import (
    ActivityMetrics,
    Comparison,
    Confidence,
    Coverage,
    Metrics,
    ScoreInterval,
    SubjectMetrics,
)
from app.har.types import FloatArray, IntArray
from app.har.windows import WindowSet

BINS = 15
DRAWS = 1000
THRESHOLDS = (0.0, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)  # of confidence
MIN_SUBJECTS = 3  # with fewer, windows are drawn in place of subjects, and the interval is too narrow


def evaluate(
    windows_test: WindowSet, proba: FloatArray, *, fit_seconds: float, predict_seconds: float, seed: int = 0
) -> Metrics:
    """Score probabilities against the labels of test windows.

    Precision, recall and F1 are averaged over the activities that occur in the test windows. Intervals are 95 %
    percentile intervals of a bootstrap over subjects; over windows when there are fewer than ``MIN_SUBJECTS``.

    Parameters
    ----------
    proba : (n_windows, n_activities), columns in the order of ``windows_test.activities``.
    fit_seconds : that the model took to learn.
    predict_seconds : that the model took for these windows.
    seed : for the bootstrap; default 0.
    """
    n = len(windows_test.activities)
    if proba.shape != (len(windows_test), n):
        raise ValueError(f"expected probabilities of shape {(len(windows_test), n)}, found {proba.shape}")
    found = proba.argmax(axis=1)
    draws = macro_scores(_bootstrap(windows_test, found, seed))
    confusion = confusion_matrix(windows_test.y, found, n)
    accuracy, precision, recall, f1 = _intervals(macro_scores(confusion[None])[0], draws)
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
        per_subject=_per_subject(windows_test, found),
        reliability=reliability(proba, windows_test.y),
        coverage=coverage(proba, windows_test.y),
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


def compare(windows_test: WindowSet, probabilities: Mapping[str, FloatArray], seed: int = 0) -> tuple[Comparison, ...]:
    """Compare the first model with each other one: differences, with intervals from the same draws of subjects.

    Parameters
    ----------
    probabilities : by model, (n_windows, n_activities) each, of the same windows.
    seed : for the bootstrap; default 0.
    """
    n = len(windows_test.activities)
    scores = {}
    for name, proba in probabilities.items():
        found = proba.argmax(axis=1)
        value = macro_scores(confusion_matrix(windows_test.y, found, n)[None])[0]
        scores[name] = value, macro_scores(_bootstrap(windows_test, found, seed))
    first, *others = scores
    comparisons = []
    for other in others:
        (value, draws), (other_value, other_draws) = scores[first], scores[other]
        accuracy, _, _, f1 = _intervals(value - other_value, draws - other_draws)
        comparisons.append(Comparison(first, other, accuracy, f1))
    return tuple(comparisons)


def reliability(proba: FloatArray, y: IntArray, n_bins: int = BINS) -> tuple[Confidence, ...]:
    """Group windows by the confidence of their answer, in bins of equal width; empty bins are left out."""
    confidence, right = proba.max(axis=1).astype(np.float64), proba.argmax(axis=1) == y
    bins = np.minimum((confidence * n_bins).astype(int), n_bins - 1)
    return tuple(
        Confidence(float(confidence[bins == b].mean()), float(right[bins == b].mean()), int((bins == b).sum()))
        for b in np.unique(bins)
    )


def calibration_error(proba: FloatArray, y: IntArray, n_bins: int = BINS) -> float:
    """Return the expected calibration error: mean gap between confidence and accuracy, in bins of equal width.

    References
    ----------
    Guo et al. (2017), On calibration of modern neural networks, ICML.
    """
    bins = reliability(proba, y, n_bins)
    return sum(abs(one.accuracy - one.confidence) * one.windows for one in bins) / len(y)


def coverage(proba: FloatArray, y: IntArray) -> tuple[Coverage, ...]:
    """Return what is answered, and how well, when answers below each of `THRESHOLDS` are withheld."""
    confidence, right = proba.max(axis=1), proba.argmax(axis=1) == y
    rows = []
    for threshold in THRESHOLDS:
        answered = confidence >= threshold
        if answered.any():
            rows.append(Coverage(threshold, float(answered.mean()), float(right[answered].mean())))
    return tuple(rows)


def _per_subject(windows: WindowSet, found: IntArray) -> tuple[SubjectMetrics, ...]:
    n, rows = len(windows.activities), []
    for subject in np.unique(windows.subjects):
        of_subject = windows.subjects == subject
        accuracy, _, _, f1 = macro_scores(confusion_matrix(windows.y[of_subject], found[of_subject], n)[None])[0]
        rows.append(SubjectMetrics(str(subject), float(accuracy), float(f1), int(of_subject.sum())))
    return tuple(sorted(rows, key=lambda row: row.accuracy))


def _intervals(value: NDArray[np.float64], draws: NDArray[np.float64]) -> list[ScoreInterval]:
    low, high = np.nanpercentile(draws, (2.5, 97.5), axis=0)
    return [ScoreInterval(*map(float, ends)) for ends in zip(value, low, high, strict=True)]


def _bootstrap(windows: WindowSet, found: IntArray, seed: int) -> NDArray[np.int64]:
    """Return the confusion matrices of ``DRAWS`` draws of subjects with replacement: (DRAWS, n, n)."""
    n, units = len(windows.activities), windows.subjects
    if len(set(units)) < MIN_SUBJECTS:
        units = np.arange(len(windows)).astype(str)
    _, unit = np.unique(units, return_inverse=True)
    n_units = int(unit.max()) + 1
    cells = np.zeros((n_units, n**2), np.int64)
    np.add.at(cells, (unit, windows.y * n + found), 1)
    times_drawn = np.random.default_rng(seed).multinomial(n_units, np.full(n_units, 1 / n_units), size=DRAWS)
    return (times_drawn @ cells).reshape(DRAWS, n, n)
