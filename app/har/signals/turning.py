"""While a device turns, gravity turns in its axes at exactly the gyroscope's rate: that tells the gyroscope's unit."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from app.har.signals.types import Stream
from app.har.signals.units import ROTATION

SAME_TURNING = 0.4  # the correlation from which two turnings are one
TURNING_SHARE = (0.5, 2.0)  # of the gyroscope's rate, that gravity turns at


def turning_ratio(total: Stream, gyroscope: Stream) -> tuple[float, float]:
    """Return how many times as fast as the gyroscope says gravity turns in the device's axes, and the correlation.

    Gravity fixed in the world turns by du/dt = −ω × u in the axes of the device. It is taken from the acceleration by a
    mean over 0.4 s. NaN where the two do not run together for some seconds.
    """
    start, end = max(total.time_s[0], gyroscope.time_s[0]), min(total.time_s[-1], gyroscope.time_s[-1])
    if end - start < 2.0:
        return math.nan, math.nan
    rate = 50.0
    grid = start + np.arange(int(min(end - start, 600.0) * rate)) / rate  # ten minutes are enough
    gravity = _smooth(_at(total, grid), 21)
    rotation = _smooth(_at(gyroscope, grid), 21)
    unit = gravity / np.maximum(np.linalg.norm(gravity, axis=1, keepdims=True), 1e-9)
    seen = (unit[2:] - unit[:-2]) * (rate / 2)
    told = -np.cross(rotation[1:-1], unit[1:-1])
    power, own = float((told**2).sum()), float((seen**2).sum())
    if power == 0 or own == 0:
        return math.nan, math.nan
    shared = float((seen * told).sum())
    return shared / power, shared / math.sqrt(power * own)


def unit_by_turning(total: Stream, gyroscope: Stream, unit: str = "rad/s") -> str | None:
    """Return the unit in which a gyroscope turns as fast as gravity does in the accelerometer, None if in none.

    Parameters
    ----------
    unit : the one that its values were converted from.
    """
    ratio, correlation = turning_ratio(total, gyroscope)
    if not correlation > SAME_TURNING:
        return None
    low, high = TURNING_SHARE
    turned = ratio * ROTATION[unit]
    return next((unit for unit, factor in ROTATION.items() if low < turned / factor < high), None)


def _at(stream: Stream, grid: NDArray[np.float64]) -> NDArray[np.float64]:
    time, values = stream.time_s, stream.values
    if (np.diff(time) < 0).any():
        order = np.argsort(time, kind="stable")
        time, values = time[order], values[order]
    return np.column_stack([np.interp(grid, time, values[:, axis]) for axis in range(3)])


def _smooth(values: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    total = np.cumsum(np.vstack([np.zeros((1, 3)), values]), axis=0)
    return np.asarray((total[width:] - total[:-width]) / width)
