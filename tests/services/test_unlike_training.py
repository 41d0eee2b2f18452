"""What is said of a signal that is unlike all that a model was trained on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from app.har.classifiers.types import Recognition
from app.services.recordings.unlike_training import (
    CALLED_UNFAMILIAR,
    fits,
    knows_only_special,
    misfit_problem,
    unfamiliar_windows,
    unlike_training,
)

SENSORS = ("accelerometer", "gyroscope", "gravity")


def recognised(novelty: list[float]) -> Recognition:
    n = len(novelty)
    columns = np.repeat(np.array(novelty, np.float32)[:, None], 3, axis=1)
    empty = np.zeros((n, 0), np.float32)
    return Recognition(
        np.ones((n, 1), np.float32),
        empty,
        columns,
        empty,
        columns,
        np.zeros((n, 3), bool),
        np.zeros((n, 0), np.float16),
    )


def test_a_model_that_judges_whole_windows_blames_no_sensor_and_leaves_none_out() -> None:
    (problem,) = unlike_training(recognised([2, 2, 0, 0]), ["walk"], SENSORS, by_sensor=False)
    assert problem.source == "walk"
    assert problem.detail == "in 2 of 4 windows, the movement is like no activity that the model learnt"
    assert "ignored" not in problem.action
    assert list(unlike_training(recognised([2] + 19 * [0]), ["walk"], SENSORS, by_sensor=False)) == []


def test_a_model_that_judges_each_sensor_names_it() -> None:
    details = [problem.detail for problem in unlike_training(recognised([2, 2]), ["walk"], SENSORS)]
    assert [sensor for sensor, detail in zip(SENSORS, details, strict=True) if sensor in detail] == list(SENSORS)


NAN, MANY = np.inf, 20  # a sensor that is missing is infinitely novel


@pytest.mark.parametrize(
    ("accelerometer", "gyroscope", "turned", "unfamiliar"),
    [
        (2, 0, 0, True),  # what is left says something false
        (0, 0, 1, True),
        (2, 2, 0, True),
        (0, 2, 0, False),  # a gyroscope that fails
        (NAN, 0, 0, False),  # only the gyroscope was recorded
        (NAN, 2, 0, True),
        (0, NAN, 0, False),
    ],
)
def test_a_model_does_not_fit_where_the_accelerometer_is_unlike_its_training(
    accelerometer: float, gyroscope: float, turned: int, unfamiliar: bool
) -> None:
    few = recognised([0] * MANY)
    columns = np.array([[accelerometer, gyroscope, 0 if gyroscope < 2 else gyroscope]], np.float32)
    novelty = np.repeat(columns, MANY, axis=0)
    seen = replace(few, novelty=novelty, unseen_orientation=np.repeat([[turned > 0, False, False]], MANY, axis=0))
    found = unfamiliar_windows(seen, SENSORS)
    assert found.all() == unfamiliar == (not fits(found))
    actions = {problem.action for problem in unlike_training(seen, ["walk"], SENSORS)}
    assert (CALLED_UNFAMILIAR in actions) == unfamiliar
    seen.novelty[: MANY // 4], seen.unseen_orientation[: MANY // 4] = 0, False  # a quarter is like the training
    assert fits(unfamiliar_windows(seen, SENSORS))
    assert CALLED_UNFAMILIAR not in {problem.action for problem in unlike_training(seen, ["walk"], SENSORS)}


def test_of_two_devices_one_may_be_unlike_the_training() -> None:
    sensors = ("phone.accelerometer", "phone.gyroscope", "watch.accelerometer")
    seen = replace(recognised([0] * MANY), novelty=np.repeat(np.array([[2, 0, 0]], np.float32), MANY, axis=0))
    assert fits(unfamiliar_windows(seen, sensors))


def test_a_model_of_special_movements_names_none_where_much_is_strange_to_it() -> None:
    assert knows_only_special(["Pendulum", "Upright row"])
    assert not knows_only_special(["Pendulum", "Walk"])
    for strange, special, unfamiliar in ((5, True, MANY), (4, True, 0), (5, False, 0), (16, False, 16)):
        seen = recognised([0] * MANY)
        seen.novelty[:strange, 0] = 2  # the accelerometer
        found = unfamiliar_windows(seen, SENSORS, special=special)
        assert int(found.sum()) == unfamiliar
    problem = misfit_problem(np.ones(4, bool), 0.54, ["walk"], "exercises/1", "", special=True)
    assert "in 54 % of the windows" in problem.detail
    assert "special movements alone" in problem.detail
