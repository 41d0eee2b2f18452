"""Scores are scikit-learn's, and the intervals say how much they depend on who was tested."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, precision_recall_fscore_support

from app.har.evaluation.scores import calibration_error, compare, evaluate
from app.har.evaluation.types import Metrics
from app.har.types import FloatArray, IntArray
from app.har.windows import WindowSet

ACTIVITIES = ("Sit", "Walk", "Run", "Jump")


def windows_of(y: IntArray, n_subjects: int) -> WindowSet:
    n = len(y)
    names = np.array([f"s{i * n_subjects // n}" for i in range(n)])
    return WindowSet(
        np.zeros((n, 2, 3), np.float32), y, ACTIVITIES, names, names, np.zeros(n), ("x", "y", "z"), 10.0, "removed"
    )


def score(y: IntArray, proba: FloatArray, n_subjects: int = 5, seed: int = 0) -> Metrics:
    return evaluate(windows_of(y, n_subjects), proba, fit_seconds=2.0, predict_seconds=0.5, seed=seed)


def answers(n: int = 400, right: float = 0.8) -> tuple[IntArray, FloatArray]:
    """Return labels of three of the four activities, and answers of which a share is right."""
    rng = np.random.default_rng(1)
    y = rng.integers(0, 3, n)
    found = np.where(rng.random(n) < right, y, rng.integers(0, 4, n))
    return y, (0.1 + 0.6 * np.eye(4)[found]).astype(np.float32)


def test_scores_agree_with_scikit_learn_over_the_activities_that_occur() -> None:
    y, proba = answers()
    metrics, found = score(y, proba), proba.argmax(axis=1)
    expected = precision_recall_fscore_support(y, found, labels=[0, 1, 2], average="macro", zero_division=0)
    assert metrics.accuracy.value == pytest.approx(accuracy_score(y, found))
    assert [metrics.precision.value, metrics.recall.value, metrics.f1.value] == pytest.approx(list(expected[:3]))
    each = precision_recall_fscore_support(y, found, labels=[0, 1, 2, 3], zero_division=0)
    for i, activity in enumerate(metrics.per_activity):
        assert activity.activity == ACTIVITIES[i]
        assert [activity.precision, activity.recall, activity.f1, activity.support] == pytest.approx(
            [column[i] for column in each]
        )
    assert np.sum(metrics.confusion) == len(y)
    assert metrics.confusion[0][3] == ((y == 0) & (found == 3)).sum()
    assert metrics.predict_windows_per_second == pytest.approx(800)
    assert metrics.fit_seconds == 2.0


def test_intervals_hold_the_value_and_are_wider_when_one_person_has_all_the_errors() -> None:
    y = np.tile(np.arange(3), 100)
    spread, together = y.copy(), y.copy()
    spread[::6] = 3
    together[-50:] = 3
    narrow, wide = (score(y, np.eye(4, dtype=np.float32)[found], n_subjects=6) for found in (spread, together))
    assert narrow.accuracy.value == pytest.approx(wide.accuracy.value)
    for metrics in (narrow, wide):
        for interval in (metrics.accuracy, metrics.precision, metrics.recall, metrics.f1):
            assert interval.low <= interval.value <= interval.high
    assert wide.accuracy.high - wide.accuracy.low > 3 * (narrow.accuracy.high - narrow.accuracy.low)


def test_with_fewer_than_three_subjects_windows_are_drawn() -> None:
    y, proba = answers()
    interval = score(y, proba, n_subjects=1).accuracy
    assert 0.02 < interval.high - interval.low < 0.15  # about 4 × sqrt(.85 × .15 / 400)


def test_the_seed_decides_the_interval_and_nothing_else() -> None:
    y, proba = answers()
    first, again, other = (score(y, proba, seed=seed) for seed in (0, 0, 1))
    assert first == again
    assert first.accuracy.value == other.accuracy.value
    assert first.accuracy.low != other.accuracy.low


def test_everything_right_is_one_with_no_doubt() -> None:
    y, _ = answers()
    metrics = score(y, np.eye(4, dtype=np.float32)[y])
    assert (metrics.f1.value, metrics.f1.low, metrics.f1.high) == (1.0, 1.0, 1.0)
    assert metrics.calibration_error == 0.0


def test_calibration_error_is_the_gap_between_confidence_and_truth() -> None:
    proba = np.tile(np.array([[0.9, 0.1]], np.float32), (100, 1))
    y = np.array([0] * 60 + [1] * 40)
    assert calibration_error(proba, y) == pytest.approx(0.3, abs=1e-6)
    assert calibration_error(proba, np.array([0] * 90 + [1] * 10)) == pytest.approx(0, abs=1e-6)


def test_metrics_can_be_written_as_json() -> None:
    y, proba = answers()
    document = json.loads(json.dumps(score(y, proba).as_dict()))
    assert set(document["accuracy"]) == {"value", "low", "high"}
    assert len(document["confusion"]) == 4


def test_probabilities_of_another_shape_are_refused() -> None:
    y, proba = answers()
    with pytest.raises(ValueError, match="shape"):
        score(y, proba[:, :3])


def test_a_better_model_is_better_beyond_chance_and_an_equal_one_is_not() -> None:
    rng = np.random.default_rng(0)
    y = np.tile(np.arange(4), 150)
    windows = windows_of(y, 12)
    good, equal, bad = (np.where(rng.random(len(y)) < p, y, (y + 1) % 4) for p in (0.95, 0.95, 0.8))
    given = {name: np.eye(4, dtype=np.float32)[found] for name, found in (("a", good), ("b", equal), ("c", bad))}
    same, better = compare(windows, given)
    assert (same.model, same.against, better.against) == ("a", "b", "c")
    assert abs(same.f1.value) < 0.03
    assert better.f1.low > 0.05
    assert better.accuracy.value == pytest.approx((good == y).mean() - (bad == y).mean())


def test_subjects_come_worst_first_and_withholding_doubtful_answers_helps() -> None:
    y = np.tile(np.arange(4), 60)
    windows = windows_of(y, 6)
    found = np.where(windows.subjects == windows.subjects[0], (y + 1) % 4, y)
    proba = np.where(np.arange(4) == found[:, None], np.where(found == y, 0.9, 0.55)[:, None], 0).astype(np.float32)
    metrics = evaluate(windows, proba, fit_seconds=1, predict_seconds=1)
    worst = metrics.per_subject[0]
    assert (worst.subject, worst.accuracy, worst.windows) == (windows.subjects[0], 0.0, 40)
    assert [row.accuracy for row in metrics.per_subject[1:]] == [1.0] * 5
    assert [(round(b.confidence, 2), b.accuracy) for b in metrics.reliability] == [(0.55, 0.0), (0.9, 1.0)]
    everything, withheld = metrics.coverage[0], metrics.coverage[-1]
    assert (everything.share, everything.accuracy) == (1.0, pytest.approx(5 / 6))
    assert (withheld.threshold, withheld.share, withheld.accuracy) == (0.9, pytest.approx(5 / 6), 1.0)
