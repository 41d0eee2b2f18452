"""What is said of a signal that is unlike all that a model was trained on."""

from __future__ import annotations

import numpy as np

from app.har.classifiers.types import Recognition
from app.services.recordings.unlike_training import unlike_training

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
