"""What the values of a sensor show of its unit: gravity is the same everywhere, and a body turns only so fast.

Every question of units and gravity is asked here, and every threshold is defined here, once. There are two degrees of
certainty. A unit is *certain* where hardly anything else could explain the values: a recording is converted by it,
whatever its file states. A unit is *plausible* where the values fit: it decides where nothing is stated.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.har.signals.clocks import sampling_rate
from app.har.signals.pages import let_go
from app.har.signals.remembered import remembered
from app.har.signals.resampling import block_magnitudes, lengths, mean_magnitude
from app.har.signals.summaries import constant_axes, median, percentile
from app.har.signals.turning import turning_ratio
from app.har.signals.types import MODALITY_UNITS, Stream
from app.har.signals.units import (
    ACCELERATION,
    MISCONVERTED_ACCELERATION,
    MISCONVERTED_ROTATION,
    ROTATION,
    STANDARD_GRAVITY,
    Unit,
)

# Certain by gravity
STEADY_OVER_S = 1.0  # the mean over a second keeps near one length where it is gravity
FEWEST_SECONDS = 3
STEADY = 0.3  # part of their median within which most of these means lie; of movement alone they vary by all they are
CERTAIN = 0.1  # part by which their median may differ from gravity: calibration, and movement that is left
BIAS_MS2 = 0.5  # what a sensor without gravity may steadily show at rest

# Plausible by gravity
MEAN_OVER_S = 4.0  # movement averages out over some seconds
PLAUSIBLE = (0.7, 1.3)  # length of the mean vector of a worn sensor, as a share of gravity
MAX_MOVEMENT = 2.0  # the median vector, in lengths of the mean one, while both hold gravity
ANY_MOVEMENT = (0.5, 2.0)  # as PLAUSIBLE, in any movement, where other recordings show the unit
HOLDS_GRAVITY = 0.5  # share of gravity: a mean above holds it, half-way between 1 with gravity and 0 without

# Rotation
FASTEST_RAD_S = 25.0  # a body does not turn faster for a tenth of the time
STILL_RAD_S = math.radians(8.0)  # a walking body turns faster for a tenth of the time
SAME_TURNING = 0.4  # the correlation from which gravity turns as the gyroscope does
TURNING_SHARE = (0.5, 2.0)  # of the gyroscope's rate, at which gravity turns; units differ by more than sixteenfold

MOVING = 0.1  # share of gravity by which the length of acceleration varies where a body moves
LOOKED_AT = 200_000  # samples, evenly spread, that decide on lengths


@dataclass(frozen=True)
class GravityEvidence:
    """What an accelerometer's values show of gravity; lengths are in the values as the file has them."""

    mean: float  # median length of the mean vector over MEAN_OVER_S
    typical: float  # median length of a vector
    steady: float  # median length of the mean vector over a second where most keep near it, otherwise NaN
    read_as: Unit

    @property
    def mean_ms2(self) -> float:
        """The length of the mean vector in m/s², if the unit is the one that it was read in."""
        return self.mean * self.read_as.factor

    @property
    def holds_gravity(self) -> bool:
        """Whether the acceleration holds gravity, if the unit is the one that it was read in."""
        return self.mean_ms2 > HOLDS_GRAVITY * STANDARD_GRAVITY

    def certain_unit(self, *, with_gravity: bool = True) -> Unit | None:
        """Return the unit that makes gravity of a steady mean, None where there is no such mean.

        Parameters
        ----------
        with_gravity : whether the acceleration is stated to hold gravity; if not, a small steady mean may be a bias.
        """
        if not with_gravity and self.steady * self.read_as.factor < BIAS_MS2:
            return None
        units = _candidates(self.read_as, ACCELERATION, MISCONVERTED_ACCELERATION)
        return next((unit for unit in units if abs(self.steady * unit.factor / STANDARD_GRAVITY - 1) <= CERTAIN), None)

    @property
    def plausible_unit(self) -> Unit | None:
        """The unit in which the mean vector is about as long as gravity, None if it is in none."""
        return None if self.is_movement else self._unit_within(PLAUSIBLE)

    @property
    def possible_unit(self) -> Unit | None:
        """The unit in which the mean vector may be gravity, however much the body moves, None if it may in none."""
        return self._unit_within(ANY_MOVEMENT)

    @property
    def is_movement(self) -> bool:
        """Whether the mean vector is what is left of movement, so that no part of it needs to be gravity."""
        return not self.typical <= MAX_MOVEMENT * self.mean

    def allows(self, unit: Unit) -> bool:
        """Tell whether the mean vector may be gravity in a unit, however much the body moves."""
        return self._share(unit, ANY_MOVEMENT)

    @property
    def too_long(self) -> bool:
        """Whether the mean vector is longer than that of any movement, in the unit that it was read in."""
        return self.mean_ms2 >= ANY_MOVEMENT[1] * STANDARD_GRAVITY

    def _unit_within(self, shares: tuple[float, float]) -> Unit | None:
        return next((unit for unit in _candidates(self.read_as, ACCELERATION) if self._share(unit, shares)), None)

    def _share(self, unit: Unit, shares: tuple[float, float]) -> bool:
        """Tell whether the mean vector in a unit is of a length within these shares of gravity."""
        return shares[0] < self.mean * unit.factor / STANDARD_GRAVITY < shares[1]


@dataclass(frozen=True)
class RotationEvidence:
    """What a gyroscope's values show of its unit."""

    fast: float  # the length that a tenth of the vectors exceeds, in the values as the file has them
    turning: (
        float  # how many times as fast as it says gravity turns in the accelerometer; NaN where that cannot be seen
    )
    read_as: Unit
    agreement: float = math.nan  # the correlation of the two; from SAME_TURNING on there is a ratio

    @property
    def certain_unit(self) -> Unit | None:
        """The unit in which it turns as gravity does, or in which it is not too fast; None where neither shows one."""
        low, high = TURNING_SHARE
        units = _candidates(self.read_as, ROTATION, MISCONVERTED_ROTATION)
        if not math.isnan(self.turning):
            turned = self.turning * self.read_as.factor
            if unit := next((unit for unit in units if low < turned / unit.factor < high), None):
                return unit
        degrees = Unit("deg/s", ROTATION["deg/s"])
        return degrees if self.read_as.factor == 1.0 and self.too_fast and self.allows(degrees) else None

    @property
    def too_fast(self) -> bool:
        """Whether it turns faster than a body does, in the unit that it was read in."""
        return not self.allows(self.read_as)

    def allows(self, unit: Unit) -> bool:
        """Tell whether a body may turn so fast, in a unit."""
        return self.fast * unit.factor <= FASTEST_RAD_S

    def seems_still(self, unit: Unit) -> bool:
        """Tell whether it turns less than a walking body does, in a unit."""
        return self.fast * unit.factor < STILL_RAD_S


def _candidates(read_as: Unit, *tables: Mapping[str, float]) -> Iterable[Unit]:
    """Yield the unit that values were read in, then the others that they may be in."""
    yield read_as
    for table in tables:
        for name, factor in table.items():
            if not math.isclose(factor, read_as.factor, rel_tol=1e-3):
                yield Unit(name, factor)


def gravity_evidence(stream: Stream) -> GravityEvidence:
    """Return what a stream of acceleration shows of gravity."""
    return measure_gravity(stream.values, sampling_rate(stream.time_s), stream.read_as)


@remembered
def measure_gravity(values: NDArray[np.floating], rate_hz: float, read_as: Unit | None = None) -> GravityEvidence:
    """Return what acceleration shows of gravity.

    Parameters
    ----------
    values : (n, 3) in m/s², if `read_as` is right.
    rate_hz : samples per second.
    read_as : the unit that they were converted from; default m/s².
    """
    read_as = read_as or Unit(MODALITY_UNITS["accelerometer"], 1.0)
    if not len(values):
        return GravityEvidence(math.nan, math.nan, math.nan, read_as)
    mean = mean_magnitude(values, max(2, round(MEAN_OVER_S * rate_hz)))
    typical = median(lengths(_some(values)))
    steady = _steady_mean(values, round(STEADY_OVER_S * rate_hz))
    return GravityEvidence(mean / read_as.factor, typical / read_as.factor, steady / read_as.factor, read_as)


def _steady_mean(values: NDArray[np.floating], samples: int) -> float:
    """Return the median length of the mean vector over so many samples; NaN where the lengths vary, or nothing does."""
    blocks = block_magnitudes(values, samples)
    low, middle, high = (percentile(blocks, percent) for percent in (10, 50, 90))
    steady = len(blocks) >= FEWEST_SECONDS and high - low <= STEADY * middle and not constant_axes(values).all()
    return middle if steady else math.nan


def rotation_evidence(gyroscope: Stream, accelerometer: Stream | None = None) -> RotationEvidence:
    """Return what a gyroscope's values show of its unit.

    Parameters
    ----------
    accelerometer : that of the same device, in any unit; while it turns, gravity turns in its axes.
    """
    turning = correlation = math.nan
    if accelerometer is not None:
        ratio, correlation = turning_ratio(accelerometer, gyroscope)
        turning = ratio if correlation > SAME_TURNING else math.nan
    fast = fast_tenth(gyroscope.values) / gyroscope.read_as.factor
    return RotationEvidence(fast, turning, gyroscope.read_as, correlation)


@remembered
def fast_tenth(values: NDArray[np.floating]) -> float:
    """Return the length that a tenth of the vectors exceeds; NaN where there is none."""
    return percentile(lengths(_some(values)), 90) if len(values) else math.nan


def moves(accelerometer: Stream) -> bool:
    """Tell whether acceleration with gravity, in any unit, varies as that of a moving body."""
    evidence = gravity_evidence(accelerometer)
    varies = float(lengths(_some(accelerometer.values)).std()) / evidence.read_as.factor
    return not evidence.is_movement and varies > MOVING * evidence.mean


def _some(values: NDArray[np.floating]) -> NDArray[np.floating]:
    step = max(1, len(values) // LOOKED_AT)
    if step == 1:
        return values
    some = np.empty((-(-len(values) // step), values.shape[1]), values.dtype)
    for column, axis in zip(some.T, values.T, strict=True):
        column[:] = axis[::step]
        let_go(values)
    return some
