"""Made-up people with a phone in the pocket or at the waist, and an everyday model that learnt from them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

import numpy as np
from numpy.typing import NDArray

from app.har.classifiers.everyday.classifier import CHANNELS, RATE_HZ, EverydayClassifier
from app.har.types import FloatArray
from app.har.windows import WindowSet

Array = NDArray[np.float64]
ACTIVITIES = ("Standing", "Sitting", "Walking", "Stairs up", "Stairs down", "Running")
MOVES = {  # m/s², steps a second, share of the second harmonic, of the stride
    "Walking": (3.0, 1.9, 0.5, 0.1), "Stairs up": (2.2, 1.5, 0.1, 0.5), "Stairs down": (3.6, 2.0, 1.1, 0.6),
    "Running": (11.0, 2.8, 0.3, 0.1),
}  # fmt: skip
AXES = {"leg": [0.5, 1.0, 0.6, 0.8, 0.3, 0.3], "trunk": [0.2, 1.0, 0.2, 0.1, 0.2, 0.1]}  # the thigh swings
PLACE_OF = {"pockets": "leg", "waists": "trunk"}
N, WINDOW_S = 150, 3.0


def rotation(seed: int) -> Array:
    """Return some rotation, (3, 3)."""
    q, r = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    q = q * np.sign(np.diag(r))
    return np.asarray(q * np.sign(np.linalg.det(q)))


def signal(activity: str, person: int, n_windows: int, *, place: str = "leg", seed: int = 0) -> Array:
    """Return movement, rotation and gravity of windows that follow each other, (n_windows, 150, 9)."""
    own, rng = np.random.default_rng([person, 5]), np.random.default_rng([seed, person, ACTIVITIES.index(activity)])
    time = np.arange(n_windows * N) / RATE_HZ
    values = rng.normal(0, 0.05, (len(time), 9))
    values[:, 6:] = [0.0, 9.81, 0.0]
    if activity == "Sitting":
        tilt = np.radians({"leg": 85.0, "trunk": 30.0}[place])
        values[:, 6:] = 9.81 * np.array([0.0, np.cos(tilt), np.sin(tilt)])
    if activity in MOVES:
        strength, steps_hz, second, stride = MOVES[activity]
        phase = 2 * np.pi * np.cumsum(steps_hz * own.uniform(0.92, 1.08) * rng.normal(1, 0.05, len(time))) / RATE_HZ
        wave = np.sin(phase) + second * np.sin(2 * phase + 1) + stride * np.sin(phase / 2 + 2)
        axes = own.uniform(0.8, 1.2, 6) * AXES[place]
        values[:, :6] += strength * own.uniform(0.85, 1.15) * wave[:, None] * axes
        values[:, 1] += {"leg": 0.1, "trunk": 0.5}[place] * strength * np.sin(2 * phase)
    turned = values.reshape(-1, 3, 3) @ rotation(person).T
    return turned.reshape(n_windows, N, 9)


def windows_of(
    parts: Iterable[tuple[str, int]], person: int = 1, *, name: str = "new/1", recording: str = "r", place: str = "leg"
) -> WindowSet:
    """Return a recording of one person: so many windows of each activity."""
    parts = list(parts)
    x = np.concatenate([signal(what, person, n, place=place, seed=i) for i, (what, n) in enumerate(parts)])
    y = np.concatenate([np.full(n, ACTIVITIES.index(what)) for what, n in parts])
    start_s = WINDOW_S * np.arange(len(x))
    names = np.full(len(x), name), np.full(len(x), recording)
    return WindowSet(x.astype(np.float32), y, ACTIVITIES, *names, start_s, CHANNELS, RATE_HZ, "removed")


DAY = (("Walking", 45), ("Stairs up", 12), ("Standing", 12), ("Stairs down", 12), ("Sitting", 12), ("Running", 10))


def data_set(name: str, people: int = 3) -> WindowSet:
    """Return a recording of each person; every other phone has no gyroscope."""
    first = 10 * (1 + sorted(PLACE_OF).index(name))
    parts = [
        windows_of(DAY, first + i, name=f"{name}/{i}", recording=f"{name}/{i}", place=PLACE_OF[name])
        for i in range(people)
    ]
    parts[-1].X[:, :, 3:6] = np.nan
    return WindowSet.joined(parts)


@cache
def training() -> WindowSet:
    return WindowSet.joined([data_set(name) for name in PLACE_OF])


@cache
def model() -> EverydayClassifier:
    """Return a model of two data sets, fitted once."""
    return EverydayClassifier(PLACE_OF).fit(training(), seed=1)


def without(windows: WindowSet, *sensors: str) -> WindowSet:
    """Return windows as of a device that lacks some sensors."""
    lacking = WindowSet.joined([windows])
    for sensor in sensors:
        first = 3 * ("acc", "gyro", "gravity").index(sensor)
        lacking.X[:, :, first : first + 3] = np.nan
    return lacking


def turned(windows: WindowSet, by: Array) -> FloatArray:
    """Return the samples of the same windows on a device that is held another way round."""
    x = windows.X.astype(np.float64).reshape(-1, 3, 3) @ by.T
    return x.reshape(windows.X.shape).astype(np.float32)
