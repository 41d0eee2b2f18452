"""What is told of a prediction: windows, bouts, layout, figures."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from app.har.problems import Problem
from app.har.signals.types import UNLABELLED
from app.services.recordings import result_tables
from app.services.recordings.prediction_result import PredictionResult
from tests.recognised import bouts, windows

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
        limit=0.5,
    )
    return replace(result, **changes)  # type: ignore[arg-type]


def test_a_window_has_its_two_best_activities_with_their_probabilities() -> None:
    row = windows(a_result())[1]
    assert (row["window"], row["start_s"], row["end_s"]) == (2, 3.0, 6.0)
    assert (row["activity"], row["confidence"]) == ("Walk", pytest.approx(0.7, abs=1e-4))
    assert (row["second_activity"], row["second_confidence"]) == ("Sit", pytest.approx(0.2, abs=1e-4))
    assert row["true_activity"] is None
    assert row["right"] is None


def test_a_model_of_one_activity_has_no_second_choice() -> None:
    row = windows(a_result(np.ones((1, 1), dtype=np.float32), activities=("Walk",)))[0]
    assert row["second_activity"] is None
    assert row["second_confidence"] is None


def test_equal_windows_in_a_row_make_one_bout_with_their_mean_confidence() -> None:
    found = bouts(a_result())
    assert [(b["activity"], b["start_s"], b["end_s"], b["windows"]) for b in found] == [
        ("Walk", 0.0, 6.0, 2),
        ("Sit", 6.0, 12.0, 2),
    ]
    assert found[0]["confidence"] == pytest.approx(0.8, abs=1e-4)


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
    told = [row["listened_to"] for row in windows(a_result(sensor_attention=attention))]
    assert told == ["accelerometer and watch gyroscope", "accelerometer", "watch gyroscope", "accelerometer"]
    stored_without = a_result(sensors=(), sensor_attention=np.zeros((4, 0), np.float32))
    assert [row["listened_to"] for row in windows(stored_without)[1:3]] == [None, None]


def test_a_gap_ends_a_bout() -> None:
    start = np.array([0.0, 10.0, 13.0, 16.0])
    found = bouts(a_result(start_s=start, end_s=start + 3.0))
    assert [(b["start_s"], b["end_s"]) for b in found] == [(0.0, 3.0), (3.0, 10.0), (10.0, 13.0), (13.0, 19.0)]
    assert [b["activity"] for b in found] == ["Walk", "missing", "Walk", "Sit"]


def test_another_recording_ends_a_bout_and_parts_are_told_apart() -> None:
    result = a_result(recording_index=np.array([0, 1, 1, 1]), recording_ids=("a.csv", "b.csv"))
    assert [(b["recording"], b["activity"]) for b in bouts(result)] == [
        ("a.csv", "Walk"),
        ("b.csv", "Walk"),
        ("b.csv", "Sit"),
    ]
    assert [b["windows"] for b in bouts(result, recording_index=1)] == [1, 2]


def test_only_labels_that_the_model_knows_count_as_right_or_wrong() -> None:
    result = a_result(labels=np.array([0, 1, 2, UNLABELLED]), label_activities=("Walk", "Sit", "Bike"))
    assert result.right.tolist() == [1, 0, UNLABELLED, UNLABELLED]
    summary = result.summary()
    assert (summary["right"], summary["compared"], summary["labels_unknown_to_model"]) == (1, 2, 1)
    assert windows(result)[2]["true_activity"] == "Bike"
    assert result.all_names == (
        "Walk", "Sit", "Run", "Uncertain", "Unfamiliar", "Not worn", "Too little", "Bike",
    )  # fmt: skip
    assert result.shown_activities() == ["Walk", "Sit", "Bike"]


def test_the_bouts_of_the_file_leave_unlabelled_time_out() -> None:
    result = a_result(labels=np.array([1, UNLABELLED, 0, 0]), label_activities=("Walk", "Sit"))
    assert [(b["activity"], b["start_s"], b["end_s"]) for b in bouts(result, "label")] == [
        ("Sit", 0.0, 3.0),
        ("Walk", 6.0, 12.0),
    ]


def test_single_windows_are_a_layout_of_their_own() -> None:
    single = a_result(recording_index=np.arange(4), recording_ids=("row 1", "row 2", "row 3", "row 4"))
    assert single.layout == "windows"
    assert len(bouts(single)) == 4
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
            result_tables.document(replace(day))  # a copy: nothing is remembered from the round before
            best = min(best, time.perf_counter() - started)
        return best

    assert seconds_for(28_800) < 16 * seconds_for(3_600)  # 8 times as many; the square would be 64 times


KU_HAR = ("Stand", "Sit", "Lay", "Walk", "Stair-up", "Stair-down")
HOW_SURE = np.array(
    [
        [0.95, 0.03, 0.02, 0.0, 0.0, 0.0],  # standing
        [0.3, 0.3, 0.4, 0.0, 0.0, 0.0],  # some posture
        [0.1, 0.0, 0.0, 0.2, 0.6, 0.1],  # on foot
        [0.1, 0.0, 0.0, 0.2, 0.55, 0.15],  # on foot
        [0.4, 0.0, 0.0, 0.0, 0.6, 0.0],  # nothing
        [0.0, 0.0, 0.0, 0.0, 1.0, 0.0],  # surely stairs up, but unfamiliar
    ],
    np.float32,
)
UNFAMILIAR = np.array([False, False, False, False, False, True])


def unsure(**changes: object) -> PredictionResult:
    return a_result(HOW_SURE, **({"activities": KU_HAR, "unfamiliar": UNFAMILIAR, "limit": 0.8} | changes))


def test_a_window_is_answered_as_deep_as_the_model_is_sure_with_the_deepest_guess_beside_it() -> None:
    rows = windows(unsure())
    assert [row["activity"] for row in rows] == ["Stand", "Still", "On foot", "On foot", "Uncertain", "Unfamiliar"]
    assert [row["confidence"] for row in rows] == pytest.approx([0.95, 1.0, 0.9, 0.9, None, None])
    assert [row["deepest_activity"] for row in rows] == ["Stand", "Lay", *["Stair-up"] * 4]
    assert [row["deepest_confidence"] for row in rows] == pytest.approx([0.95, 0.4, 0.6, 0.55, 0.6, 1.0])
    assert rows[2]["second_activity"] == "Walk"


def test_the_limit_decides_how_deep_an_answer_goes() -> None:
    assert [row["activity"] for row in windows(unsure(limit=0.5))][2:5] == ["Stair-up"] * 3
    assert [row["activity"] for row in windows(unsure(limit=0.97))][:3] == ["Still", "Still", "Uncertain"]


def test_a_bout_is_of_one_answer_and_has_its_likeliest_activity() -> None:
    found = bouts(unsure())
    assert [(b["activity"], b["windows"]) for b in found][1:4] == [("Still", 1), ("On foot", 2), ("Uncertain", 1)]
    on_foot, uncertain = found[2:4]
    assert (on_foot["confidence"], on_foot["deepest_confidence"]) == pytest.approx((0.9, 0.575))
    assert (on_foot["deepest_activity"], uncertain["confidence"]) == ("Stair-up", None)
    assert [(b["activity"], b["windows"]) for b in bouts(unsure(), "deepest")][2:] == [("Stair-up", 4)]


def test_the_summary_counts_answers_and_how_deep_they_go() -> None:
    summary = unsure().summary()
    assert summary["limit"] == 0.8
    assert summary["minutes_per_activity"]["On foot"] == 0.1
    assert summary["windows_per_activity"]["Uncertain"] == summary["windows_per_activity"]["Unfamiliar"] == 1
    assert summary["minutes_per_deepest_activity"] == {"Stair-up": 0.2, "Stand": 0.05, "Lay": 0.05}
    assert summary["windows_per_depth"] == {"activity": 1, "group": 3, "none": 2}
    assert summary["mean_confidence"] == pytest.approx((0.95 + 1.0 + 0.9 + 0.9) / 4, abs=1e-4)
    nothing = a_result(np.full((4, 3), 1 / 3, np.float32), limit=0.8).summary()
    assert (nothing["mean_confidence"], nothing["minutes_per_activity"]) == (None, {"Uncertain": 0.2})


def test_an_answer_is_compared_with_what_another_data_set_calls_the_same() -> None:
    result = unsure(labels=np.array([1, 1, 0, 2, 0, 0]), label_activities=("ups", "STANDING", "juggling"))
    assert result.right.tolist() == [1, 1, 1, UNLABELLED, UNLABELLED, UNLABELLED]
    summary = result.summary()
    assert (summary["right"], summary["compared"], summary["labels_unknown_to_model"]) == (3, 3, 1)
    assert (summary["deepest_right"], summary["deepest_compared"]) == (4, 5)  # a posture guessed wrong
    wrong = unsure(labels=np.zeros(6, np.int64), label_activities=("dws",))
    assert wrong.right.tolist() == [0, 0, 1, 1, UNLABELLED, UNLABELLED]


def test_unsure_windows_of_a_labs_own_exercises_stay_uncertain_and_keep_their_guess() -> None:
    exercises = tuple(f"exercise {i}" for i in range(10))
    proba = np.full((2, 10), 0.05, np.float32)
    proba[0, 3], proba[1, 3] = 0.55, 0.55 + 0.3
    first, second = windows(a_result(proba, activities=exercises, limit=0.8))
    assert (first["activity"], first["deepest_activity"]) == ("Uncertain", "exercise 3")
    assert (second["activity"], second["confidence"]) == ("exercise 3", pytest.approx(0.85))


def test_of_equally_likely_activities_none_is_the_deepest_guess() -> None:
    proba = np.array([[1 / 3, 1 / 3, 1 / 3, 0, 0, 0]] * 2 + [[0.5, 0.3, 0.2, 0, 0, 0]], np.float32)
    result = a_result(proba, activities=KU_HAR, limit=0.8, labels=np.array([0, 0, 0]), label_activities=("SITTING",))
    rows = windows(result)
    assert [row["activity"] for row in rows] == ["Still"] * 3
    assert [row["deepest_activity"] for row in rows] == [None, None, "Stand"]
    assert [row["deepest_confidence"] for row in rows] == [None, None, 0.5]
    (bout,) = bouts(result)
    assert (bout["deepest_activity"], bout["deepest_confidence"]) == ("Stand", pytest.approx(0.3889, abs=1e-4))
    (first,) = bouts(a_result(proba[:2], activities=KU_HAR, limit=0.8))
    assert (first["deepest_activity"], first["deepest_confidence"]) == (None, None)
    summary = result.summary()
    assert summary["minutes_per_deepest_activity"] == {"Stand": 0.05}
    assert (summary["right"], summary["compared"]) == (3, 3)
    assert (summary["deepest_right"], summary["deepest_compared"]) == (0, 1)
