"""While a device turns, gravity turns in its axes at exactly the gyroscope's rate, which shows the gyroscope's unit."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from app.har.signals.remembered import remembered
from app.har.signals.summaries import step_range
from app.har.signals.types import Stream
from app.har.types import FloatArray, TimeArray

RATE_HZ = 50.0  # at which two sensors are compared
COMPARED_S = 600.0  # ten minutes are enough
SMOOTHED = 21  # samples, 0.4 s


def turning_ratio(accelerometer: Stream, gyroscope: Stream) -> tuple[float, float]:
    """Return how many times as fast as the gyroscope says gravity turns in the device's axes, and the correlation.

    Gravity fixed in the world turns by du/dt = −ω × u in the axes of the device. It is taken from the acceleration by a
    mean over 0.4 s. NaN where the two do not run together for some seconds.
    """
    return _turning_ratio(gyroscope.values, gyroscope.time_s, accelerometer.values, accelerometer.time_s)


@remembered
def _turning_ratio(
    rotation_values: FloatArray, rotation_time: TimeArray, values: FloatArray, time_s: TimeArray
) -> tuple[float, float]:
    accelerometer, gyroscope = (
        Stream("accelerometer", time_s, values),
        Stream("gyroscope", rotation_time, rotation_values),
    )
    grid = _common_times(accelerometer, gyroscope)
    if grid is None:
        return math.nan, math.nan
    gravity = _smooth(_at(accelerometer, grid), SMOOTHED)
    rotation = _smooth(_at(gyroscope, grid), SMOOTHED)
    direction = gravity / np.maximum(np.linalg.norm(gravity, axis=1, keepdims=True), 1e-9)
    observed = (direction[2:] - direction[:-2]) * (RATE_HZ / 2)
    (wx, wy, wz), (x, y, z) = rotation[1:-1].T, direction[1:-1].T
    expected = -np.column_stack([wy * z - wz * y, wz * x - wx * z, wx * y - wy * x])
    power, observed_power = float((expected**2).sum()), float((observed**2).sum())
    if power == 0 or observed_power == 0:
        return math.nan, math.nan
    shared = float((observed * expected).sum())
    return shared / power, shared / math.sqrt(power * observed_power)


def movement_ratio(accelerometer: Stream, linear: Stream) -> float:
    """Return how many times as strongly an accelerometer with gravity moves as the linear acceleration beside it.

    Movement is what a mean over 0.4 s leaves. It is the same in both, so the ratio is that of their units. NaN where
    the two do not run together for some seconds, or the linear acceleration never changes.
    """
    grid = _common_times(accelerometer, linear)
    if grid is None:
        return math.nan
    total, free = (_strength(_at(stream, grid)) for stream in (accelerometer, linear))
    return total / free if free else math.nan


def _strength(values: NDArray[np.float64]) -> float:
    middle = SMOOTHED // 2
    movement = values[middle:-middle] - _smooth(values, SMOOTHED)
    return float(np.sqrt((movement**2).sum(axis=1).mean()))


def _common_times(one: Stream, other: Stream) -> NDArray[np.float64] | None:
    start, end = max(one.time_s[0], other.time_s[0]), min(one.time_s[-1], other.time_s[-1])
    if end - start < 2.0:
        return None
    times: NDArray[np.float64] = start + np.arange(int(min(end - start, COMPARED_S) * RATE_HZ)) / RATE_HZ
    return times


def _at(stream: Stream, grid: NDArray[np.float64]) -> NDArray[np.float64]:
    time, values = stream.time_s, stream.values
    if step_range(time)[0] < 0:
        order = np.argsort(time, kind="stable")
        time, values = time[order], values[order]
    inside = slice(max(int(np.searchsorted(time, grid[0], "right")) - 1, 0), int(np.searchsorted(time, grid[-1])) + 1)
    time, values = time[inside], values[inside]  # of a day, some minutes
    found = np.empty((len(grid), 3))
    for column, axis in zip(found.T, values.T, strict=True):
        column[:] = np.interp(grid, time, axis)
    return found


def _smooth(values: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """Return the mean over so many samples, at each place where there are as many."""
    total = np.zeros((len(values) + 1, 3))
    np.cumsum(values, axis=0, out=total[1:])
    return np.asarray((total[width:] - total[:-width]) / width)
