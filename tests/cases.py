"""Inputs of the kinds that people send and that are easily misread, each made of one walk whose truth is known.

Every function returns the text of a file. What is right for each is asked in
`tests/har/test_cases.py`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
G, DEG, START_NS = 9.80665, 57.29578, 1_700_000_000_000_000_000
KINELAB = "time_s,acc_x,acc_y,acc_z,gyro_x,gyro_y,gyro_z"
BASE = dt.datetime(2024, 2, 5, 9, 30)  # as files write it, without a zone


@lru_cache
def person(seconds: float = 30, hz: float = 100, seed: int = 0) -> tuple[Values, Values, Values, Values]:
    """Return time (s), total acceleration (m/s², up at rest), rotation (rad/s) and gravity of a walk.

    Gravity turns in the axes as the gyroscope says. At 100 Hz for 30 s the mean acceleration is about (1.5, 9.5, 1.4).
    """
    rng, n = np.random.default_rng(seed), int(seconds * hz)
    t = np.arange(n) / hz
    swing = [0.9 * np.sin(2 * np.pi * 0.9 * t), 0.6 * np.sin(2 * np.pi * 0.5 * t + 1), 0.4 * np.sin(4.4 * t + 2)]
    rotation = np.column_stack(swing) + 0.02 * rng.standard_normal((n, 3))
    gravity, up = np.empty((n, 3)), np.array([0.2, 0.95, 0.24])
    for i in range(n):
        up = up / np.linalg.norm(up)
        gravity[i] = up * G
        up = up - np.cross(rotation[i], up) / hz
    step = 2 * np.pi * 1.8 * t
    free = np.column_stack([1.2 * np.sin(step), 2.5 * np.sin(step + 0.5), 0.9 * np.sin(2 * step)])
    return t, gravity + free + 0.05 * rng.standard_normal((n, 3)), rotation, gravity


def row(values: Sequence[float] | Values, digits: int = 4, separator: str = ",") -> str:
    """Return numbers as a row of text."""
    return separator.join(f"{value:.{digits}f}" for value in values)


def stamp(seconds: float, form: str = "%Y-%m-%d %H:%M:%S", base: dt.datetime = BASE) -> str:
    """Return a date and time with milliseconds."""
    moment = base + dt.timedelta(seconds=float(seconds))
    return f"{moment:{form}}.{moment.microsecond // 1000:03d}"


def table(header: str, *columns: Sequence[object]) -> str:
    """Return a CSV of ready cells."""
    return "\n".join([header, *(",".join(map(str, cells)) for cells in zip(*columns, strict=True)), ""])


def idle(seconds: tuple[float, float] = (7.0, 23.0), value: Sequence[float] = (0, 0, 0), hz: float = 100) -> str:
    """Return a walk with a stretch of one value."""
    t, a, w, _ = person(hz=hz)
    own = a.copy()
    own[(t >= seconds[0]) & (t < seconds[1])] = value
    return table(KINELAB, *np.column_stack([t, own, w]).round(4).T)
