"""Movement and gravity as two streams: by what the phone recorded, or by a low-pass."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from app.har.signals.gravity import separate_gravity
from app.har.signals.types import Recording, Stream
from tests import synthetic
from tests.har.test_gravity import turning, with_gravity


@pytest.mark.parametrize(
    ("beside", "error"),
    [((), 0.45), (("gravity",), 1e-5), (("linear_accelerometer",), 1e-5), (("gravity", "linear_accelerometer"), 1e-5)],
)
def test_movement_and_gravity_are_separated_by_the_best_means_there_are(beside: tuple[str, ...], error: float) -> None:
    true = synthetic.recording("Walk", seconds=60.0)
    found = separate_gravity(with_gravity(true, *beside))
    streams = {stream.modality: stream.values for stream in found.streams}
    assert found.gravity == "removed"
    gravity = turning(true.streams[0].time_s)
    for values, expected in ((streams["accelerometer"], true.streams[0].values), (streams["gravity"], gravity)):
        assert np.sqrt(((values - expected) ** 2).mean()) <= error
    np.testing.assert_array_equal(streams["gyroscope"], true.streams[1].values)


def test_acceleration_without_gravity_stays_as_it_is() -> None:
    linear = synthetic.recording("Walk")
    assert separate_gravity(linear) is linear


def test_gravity_is_that_of_each_device() -> None:
    watch = with_gravity(synthetic.recording("Walk"))
    streams = tuple(replace(stream, modality=f"watch.{stream.modality}") for stream in watch.streams)
    found = separate_gravity(replace(watch, streams=streams))
    names = {stream.modality for stream in found.streams}
    assert names == {"watch.accelerometer", "watch.gyroscope", "watch.gravity"}


def test_each_side_of_a_gap_has_its_gravity() -> None:
    one, two = synthetic.recording("Rest", seconds=20.0), synthetic.recording("Rest", seconds=20.0, seed=1)
    time = np.concatenate([one.streams[0].time_s, one.streams[0].time_s + 60])
    up, aside = np.array([0, 0, 9.81]), np.array([9.81, 0, 0])
    values = np.concatenate([one.streams[0].values + up, two.streams[0].values + aside])
    found = separate_gravity(
        Recording("r", "s", (Stream("accelerometer", time, values.astype(np.float32)),), "included")
    )
    movement, gravity = found.streams
    half = len(time) // 2
    assert np.abs(movement.values).max() < 0.2
    assert np.abs(gravity.values[:half] - up).max() < 0.2
    assert np.abs(gravity.values[half:] - aside).max() < 0.2
