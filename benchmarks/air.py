"""Air pressure as a phone measures it on stairs, in a lift, on the level, in the wind and through a change of weather.

What a phone adds is as measured in recordings that people published: `PHONES`. The wander, which holds the terrain of
those walks too, is the root of the mean square by which pressure differs after a second, and grows with its root.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.har.height.rate import EXPONENT, SCALE_M, SEA_LEVEL_HPA

Numbers = NDArray[np.float64]
FINE_HZ = 10
LEVEL, UP, DOWN, CARRIED = range(4)  # what it truly is


@dataclass(frozen=True)
class Phone:
    """How a phone measures pressure."""

    rate_hz: float
    white_hpa: float  # noise of each value
    wander_hpa: float  # in a second
    step_hpa: float  # between two values that it can tell


PHONES: Mapping[str, Phone] = {
    "Android, 2 values a second": Phone(2.0, 0.021, 0.010, 0.01),  # AndroSensor; jmandzak/ActivityDetection
    "Android, 12.5 values a second": Phone(12.5, 0.003, 0.018, 0.0),  # phyphox; Robotic-perception--FInal-Project
    "iPhone, 1 value a second": Phone(1.06, 0.002, 0.010, 0.0),  # LynnBokern/ML4QS
    "Android in the wind": Phone(2.0, 0.114, 0.030, 0.01),  # the walk 23 of ActivityDetection
}


@dataclass(frozen=True)
class Course:
    """What pressure a phone measured, and what was going on each tenth of a second."""

    time_s: Numbers
    pressure_hpa: Numbers
    truth: NDArray[np.int64]  # by FINE_HZ

    def truth_at(self, moment_s: Numbers) -> NDArray[np.int64]:
        """Return what was going on at some moments."""
        return np.asarray(self.truth[(moment_s * FINE_HZ).astype(int)], np.int64)


Parts = Iterator[tuple[int, Numbers]]  # what it is, and the speed of each tenth of a second (m/s)


def _still(seconds: float, rng: np.random.Generator) -> tuple[int, Numbers]:
    return LEVEL, np.zeros(round(seconds * FINE_HZ))


def stairs(rng: np.random.Generator) -> Parts:
    """Walk, climb one to four flights with landings, walk on; up or down."""
    way, rate = (UP, 1.0) if rng.random() < 0.5 else (DOWN, -1.0), rng.uniform(0.17, 0.38)
    yield _still(rng.uniform(20, 40), rng)
    for _ in range(rng.integers(1, 5)):
        yield way[0], np.full(round(rng.uniform(1.7, 3.4) / rate * FINE_HZ), way[1] * rate)
        yield _still(rng.uniform(1, 3), rng)
    yield _still(rng.uniform(20, 40), rng)


def lift(rng: np.random.Generator) -> Parts:
    """Stand, ride one to twelve floors at 0.63 to 2.5 m/s, stand; up or down."""
    metres, speed, push = 3.2 * rng.integers(1, 13), rng.uniform(0.63, 2.5), rng.uniform(0.6, 1.0)
    speed = min(speed, np.sqrt(metres * push))
    starts, steady = speed / push, metres / speed - speed / push
    ramp = np.arange(1, round(starts * FINE_HZ) + 1) / round(starts * FINE_HZ) * speed
    ride = np.concatenate((ramp, np.full(round(steady * FINE_HZ), speed), ramp[::-1]))
    yield _still(rng.uniform(20, 40), rng)
    yield CARRIED, ride * rng.choice([-1, 1])
    yield _still(rng.uniform(20, 40), rng)


def level(rng: np.random.Generator) -> Parts:
    """Walk on the level for five minutes, on ground that rises and falls by some decimetres."""
    time = np.arange(300 * FINE_HZ) / FINE_HZ
    yield LEVEL, rng.uniform(0.0, 0.05) * np.sin(2 * np.pi * time / rng.uniform(15, 60))


def weather(rng: np.random.Generator) -> Parts:
    """Sit for an hour while pressure changes by up to 6 hPa: a front."""
    yield LEVEL, np.full(3600 * FINE_HZ, rng.uniform(-0.014, 0.014))


def gusts(rng: np.random.Generator) -> Parts:
    """Walk for five minutes past doors and through gusts: pressure jumps, and comes back or stays."""
    yield LEVEL, np.zeros(300 * FINE_HZ)


COURSES: Mapping[str, Callable[[np.random.Generator], Parts]] = {
    "stairs": stairs, "lift": lift, "level walking": level, "weather": weather, "gusts and doors": gusts,
}  # fmt: skip


def course(name: str, phone: Phone, seed: int) -> Course:
    """Return what a phone measures on a course."""
    rng = np.random.default_rng([seed, list(COURSES).index(name)])
    parts = list(COURSES[name](rng))
    speed = np.concatenate([own for _, own in parts])
    truth = np.concatenate([np.full(len(own), what) for what, own in parts])
    height_m = rng.uniform(0, 600) + np.cumsum(speed) / FINE_HZ
    fine_s = np.arange(len(speed)) / FINE_HZ
    time_s = np.arange(0, fine_s[-1], 1 / phone.rate_hz)
    pressure = SEA_LEVEL_HPA * (1 - np.interp(time_s, fine_s, height_m) / SCALE_M) ** (1 / EXPONENT)
    if name == "gusts and doors":
        pressure += _gusts(time_s, rng)
    pressure += np.cumsum(rng.normal(0, phone.wander_hpa / np.sqrt(phone.rate_hz), len(time_s)))
    pressure += rng.normal(0, phone.white_hpa, len(time_s))
    if phone.step_hpa:
        pressure = np.round(pressure / phone.step_hpa) * phone.step_hpa
    return Course(time_s, pressure, truth)


def _gusts(time_s: Numbers, rng: np.random.Generator) -> Numbers:
    """Return what gusts (0.1 to 0.4 hPa for up to three seconds) and doors (up to 0.15 hPa, for good) add."""
    added = np.zeros(len(time_s))
    for start in rng.uniform(10, time_s[-1] - 10, 15):
        added[(time_s >= start) & (time_s < start + rng.uniform(0.3, 3.0))] += rng.uniform(-0.4, 0.4)
    for start in rng.uniform(10, time_s[-1] - 10, 3):
        added[time_s >= start] += rng.uniform(-0.15, 0.15)
    return added
