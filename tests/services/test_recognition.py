"""What is told of a prediction: windows, bouts, layout, figures."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from app.har.problems import Problem
from app.har.signals.types import UNLABELLED
from app.services.recordings.prediction_result import PredictionResult

WALK_THEN_SIT = np.array([[0.9, 0.1, 0.0], [0.7, 0.2, 0.1], [0.2, 0.8, 0.0], [0.3, 0.6, 0.1]], dtype=np.float32)


def a_result(proba: np.ndarray = WALK_THEN_SIT, **changes: object) -> PredictionResult:
    n = len(proba)
    result = PredictionResult(
        model_label="lab/1",
        activities=("Walk", "Sit", "Run"),
        proba=proba,
        start_s=np.arange(n) * 3.0,
        end_s=np.arange(n) * 3.0 + 3.0,
        recording_index=np.zeros(n, dtype=np.int64),
        recording_ids=("a.csv",),
        labels=np.full(n, UNLABELLED),
        label_activities=(),
        sensors=("accelerometer", "watch.gyroscope"),
        sensor_attention=np.tile(np.array([[0.75, 0.25]], np.float32), (n, 1)),
        unfamiliar=np.zeros(n, dtype=bool),
    )
    return replace(result, **changes)  # type: ignore[arg-type]


def test_a_window_has_its_two_best_activities_with_their_probabilities() -> None:
    row = a_result().windows()[1]
    assert (row["window"], row["start_s"], row["end_s"]) == (2, 3.0, 6.0)
    assert (row["activity"], row["confidence"]) == ("Walk", pytest.approx(0.7, abs=1e-4))
    assert (row["second_activity"], row["second_confidence"]) == ("Sit", pytest.approx(0.2, abs=1e-4))
    assert row["true_activity"] is None
    assert row["right"] is None


def test_a_model_of_one_activity_has_no_second_choice() -> None:
    row = a_result(np.ones((1, 1), dtype=np.float32), activities=("Walk",)).windows()[0]
    assert row["second_activity"] is None
    assert row["second_confidence"] is None


def test_equal_windows_in_a_row_make_one_bout_with_their_mean_confidence() -> None:
    bouts = a_result().bouts()
    assert [(b["activity"], b["start_s"], b["end_s"], b["windows"]) for b in bouts] == [
        ("Walk", 0.0, 6.0, 2),
        ("Sit", 6.0, 12.0, 2),
    ]
    assert bouts[0]["confidence"] == pytest.approx(0.8, abs=1e-4)


def test_the_summary_says_what_was_listened_to_and_how_much_was_unfamiliar() -> None:
    attention = np.array([[0.6, 0.4], [1.0, 0.0], [1.0, 0.0], [0.8, 0.2]], np.float32)
    summary = a_result(sensor_attention=attention, unfamiliar=np.array([False, True, False, False])).summary()
    assert summary["unfamiliar"] == 1
    assert summary["sensors"] == [
        {"sensor": "accelerometer", "weight": pytest.approx(0.85), "not_listened_to": 0.0},
        {"sensor": "watch gyroscope", "weight": pytest.approx(0.15), "not_listened_to": 0.5},
    ]


def test_a_window_names_the_sensors_it_was_recognised_from() -> None:
    attention = np.array([[0.6, 0.4], [1.0, 0.0], [0.0, 1.0], [0.9999, 0.0001]], np.float32)
    told = [row["listened_to"] for row in a_result(sensor_attention=attention).windows()]
    assert told == ["accelerometer and watch gyroscope", "accelerometer", "watch gyroscope", "accelerometer"]
    stored_without = a_result(sensors=(), sensor_attention=np.zeros((4, 0), np.float32))
    assert [row["listened_to"] for row in stored_without.windows(slice(1, 3))] == [None, None]


def test_a_gap_ends_a_bout() -> None:
    start = np.array([0.0, 10.0, 13.0, 16.0])
    bouts = a_result(start_s=start, end_s=start + 3.0).bouts()
    assert [(b["start_s"], b["end_s"]) for b in bouts] == [(0.0, 3.0), (10.0, 13.0), (13.0, 19.0)]


def test_another_recording_ends_a_bout_and_parts_are_told_apart() -> None:
    result = a_result(recording_index=np.array([0, 1, 1, 1]), recording_ids=("a.csv", "b.csv"))
    assert [(b["recording"], b["activity"]) for b in result.bouts()] == [
        ("a.csv", "Walk"),
        ("b.csv", "Walk"),
        ("b.csv", "Sit"),
    ]
    assert [b["windows"] for b in result.bouts(1)] == [1, 2]


def test_only_labels_that_the_model_knows_count_as_right_or_wrong() -> None:
    result = a_result(labels=np.array([0, 1, 2, UNLABELLED]), label_activities=("Walk", "Sit", "Bike"))
    assert result.right.tolist() == [1, 0, UNLABELLED, UNLABELLED]
    summary = result.summary()
    assert (summary["right"], summary["compared"], summary["labels_unknown_to_model"]) == (1, 2, 1)
    assert result.windows()[2]["true_activity"] == "Bike"
    assert result.all_activities == ("Walk", "Sit", "Run", "Bike")
    assert result.shown_activities() == ["Walk", "Sit", "Bike"]


def test_the_bouts_of_the_file_leave_unlabelled_time_out() -> None:
    result = a_result(labels=np.array([1, UNLABELLED, 0, 0]), label_activities=("Walk", "Sit"))
    assert [(b["activity"], b["start_s"], b["end_s"]) for b in result.bouts(labelled=True)] == [
        ("Sit", 0.0, 3.0),
        ("Walk", 6.0, 12.0),
    ]


def test_single_windows_are_a_layout_of_their_own() -> None:
    single = a_result(recording_index=np.arange(4), recording_ids=("row 1", "row 2", "row 3", "row 4"))
    assert single.layout == "windows"
    assert len(single.bouts()) == 4
    assert a_result().layout == "timeline"
    assert a_result(WALK_THEN_SIT[:1]).layout == "timeline"


def test_the_summary_gives_time_per_activity_longest_first_and_what_was_wrong() -> None:
    problem = Problem("a.csv", "clock gap", "82 s", "cut")
    summary = a_result(WALK_THEN_SIT[1:], problems=(problem,)).summary()
    assert list(summary["minutes_per_activity"].items()) == [("Sit", 0.1), ("Walk", 0.05)]
    assert summary["windows_per_activity"] == {"Sit": 2, "Walk": 1}
    assert summary["mean_confidence"] == pytest.approx(0.7, abs=1e-4)
    assert summary["problems"] == [{"source": "a.csv", "kind": "clock gap", "detail": "82 s", "action": "cut"}]


def test_the_time_for_a_day_of_windows_grows_with_their_number_and_not_with_its_square() -> None:
    def seconds_for(n: int) -> float:
        rng = np.random.default_rng(0)
        day = a_result(rng.dirichlet(np.ones(3), n).astype(np.float32))
        best = float("inf")
        for _ in range(3):
            started = time.perf_counter()
            replace(day).as_dict()  # a copy: nothing is remembered from the round before
            best = min(best, time.perf_counter() - started)
        return best

    assert seconds_for(28_800) < 16 * seconds_for(3_600)  # 8 times as many; the square would be 64 times
