"""Which sensor a table is of, and in what unit: by name and header, checked by the size of the values.

Four facts about a body-worn sensor are used. Gravity is 9.81 m/s² (1 g, 1000 mg) and movement averages out over some
seconds. A body does not turn faster than 25 rad/s for a tenth of the time. The earth's magnetic field is 20 to 70 µT.
And while a device turns, gravity turns in its axes at exactly the gyroscope's rate.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from app.har.errors import UnreadableData
from app.har.problems import Problem, ProblemKind
from app.har.recordings.build import build_recording
from app.har.signals.clocks import sampling_rate
from app.har.signals.resampling import mean_magnitude
from app.har.signals.turning import SAME_TURNING, TURNING_SHARE, turning_ratio, unit_by_turning
from app.har.signals.types import Recording, Stream
from app.har.signals.units import ACCELERATION, ROTATION, STANDARD_GRAVITY, UNITS

# A name holds the first of these that it matches
NAMES = (
    ("linear", r"linear|user.?acc|without.?g|gravity.?free|lin.?acc"),
    ("total", r"total.?acc|with.?g(ravity)?\b|accelerometer.?uncal"),
    ("gravity", r"gravity"),
    ("gyroscope", r"gyr|rotation|angular"),
    ("magnetometer", r"magn"),
    ("acceleration", r"acc"),
)
SENSOR_OF_KIND: Mapping[str, str] = {  # of what a name tells, see `kind_of_name`
    **dict.fromkeys(("acceleration", "total", "linear"), "accelerometer"),
    **{kind: kind for kind in ("gravity", "gyroscope", "magnetometer")},
}
FAST_RAD_S = 25.0
STILL_DEG_S = 8.0
MOVING = 0.1  # part of gravity that acceleration varies by, in its length, where a body moves
# What a tenth of the vectors exceeds without gravity. KU-HAR: acceleration 0.07 to 0.1 at rest, 5 to 33 m/s² in motion,
# rotation 0.03 and 1.3 to 9.7 rad/s. They overlap, so this is a guess, and told as one
LINEAR_FROM, REST = 3.2, (0.05, 0.4)
MAX_MOVEMENT = 2.0  # the median vector, in lengths of the mean one, while gravity is in both
SLOW_S = 4.0  # over which movement averages out
GRAVITY_SHARE = (0.7, 1.3)  # of gravity, that the mean vector of a worn sensor has


@dataclass(frozen=True)
class Reading:
    """One sensor's samples in the core's unit.

    ``kind`` is "total" or "linear" acceleration, with or without gravity, or a modality.
    """

    kind: str
    stream: Stream
    problems: tuple[Problem, ...] = ()


def kind_of_name(name: str) -> str:
    """Return the kind that a file's or column's name tells; "acceleration" is with or without gravity; "" is none."""
    return next((kind for kind, pattern in NAMES if re.search(pattern, name, re.I)), "")


def word_of_kind(name: str) -> str:
    """Return the word of a name that `kind_of_name` goes by, in small letters, "" where it goes by none."""
    found = (re.search(rf"[^\W\d_]*(?:{pattern})[^\W\d_]*", name, re.I) for _, pattern in NAMES)
    return next((match[0].lower() for match in found if match), "")


def identify_sensor_and_unit(
    stream: Stream, source: str, kind: str = "", unit: str = "", how: str = "by the header"
) -> Reading:
    """Decide sensor and unit, and convert.

    Parameters
    ----------
    stream : values as in the file, under any modality; time in seconds.
    source : the file, for the problems listed.
    kind : what names tell: one of those of `kind_of_name`.
    unit : one of UNITS, where header or format tells; else it is told by size.
    how : who tells the unit.
    """
    size = _size(stream)
    problems: list[Problem] = []
    by_unit = "gyroscope" if unit in ROTATION else "magnetometer" if unit == "µT" else ""
    if (by_unit and kind != by_unit) or (unit in ACCELERATION and kind in ("gyroscope", "magnetometer")):
        if kind:
            detail = f"is called {kind}, but in {unit} {how}"
            problems.append(
                Problem(source, ProblemKind.SENSOR_BY_UNIT, detail, f"taken as {by_unit or 'acceleration'}")
            )
        kind = by_unit or "acceleration"
    if not kind:
        kind, why = _kind_by_size(size, unit)
        problems.append(
            Problem(
                source,
                ProblemKind.SENSOR_BY_SIZE,
                f"neither name nor header names the sensor; {why}",
                f"taken as {kind}",
            )
        )
    if kind in ("total", "linear", "acceleration", "gravity"):
        kind, found, told = _acceleration(size, source, kind, unit, how, problems)
    elif kind == "gyroscope":
        found, told = _rotation(size, source, unit, how, problems)
    else:
        found, told = unit or _unit_of_kind(kind), how if unit else "by the format"
    values = stream.values if UNITS[found] == 1.0 else stream.values * np.float32(UNITS[found])
    modality = {"total": "accelerometer", "linear": "linear_accelerometer"}.get(kind, kind)
    return Reading(kind, Stream(modality, stream.time_s, values, stream.labels, f"{found}, {told}"), tuple(problems))


@dataclass(frozen=True)
class _Size:
    mean: float  # length of the mean vector over some seconds, the median of them
    typical: float  # median length of a vector
    fast: float  # length that a tenth of the vectors exceeds

    def over(self, factor: float) -> _Size:
        """Return it before values were multiplied by a factor."""
        return _Size(self.mean / factor, self.typical / factor, self.fast / factor)


def _size(stream: Stream) -> _Size:
    if stream.values.shape[1] != 3:
        return _Size(math.nan, math.nan, math.nan)
    some = stream.values[:: max(1, len(stream.values) // 200_000)]
    norm = np.linalg.norm(some.astype(np.float64), axis=1)
    block = max(2, round(SLOW_S * sampling_rate(stream.time_s)))
    return _Size(mean_magnitude(stream.values, block), float(np.median(norm)), float(np.percentile(norm, 90)))


def _kind_by_size(size: _Size, unit: str) -> tuple[str, str]:
    if _gravity_unit(size) and unit not in ROTATION:
        return "total", f"the mean vector is {size.mean:.3g} long, as gravity is"
    if 20 < size.mean < 100:
        return "magnetometer", f"the mean vector is {size.mean:.3g} long, as the earth's magnetic field in µT is"
    if unit in ACCELERATION:
        return "linear", f"the mean vector is {size.mean:.3g} {unit} long, without gravity"
    rough = f"the values average out, and a tenth is longer than {size.fast:.3g}"
    linear = size.fast > LINEAR_FROM or REST[0] < size.fast < REST[1]
    return ("linear" if linear else "gyroscope"), f"{rough}; name the file after its sensor to be sure"


def _gravity_unit(size: _Size) -> str:
    """Return the unit in which the mean vector is as long as gravity, or ""."""
    low, high = GRAVITY_SHARE
    if size.typical > MAX_MOVEMENT * size.mean:  # what movement alone leaves of a mean
        return ""
    shares = {unit: size.mean * factor / STANDARD_GRAVITY for unit, factor in ACCELERATION.items()}
    return next((unit for unit, share in shares.items() if low < share < high), "")


def _acceleration(
    size: _Size, source: str, kind: str, unit: str, how: str, problems: list[Problem]
) -> tuple[str, str, str]:
    """Return kind, unit and how that is known; gravity decides, where it is there."""
    by_size = _gravity_unit(size)
    if by_size == "g" and kind == "linear":
        by_size = ""  # movement alone may average to 1 m/s²
    if not by_size:
        mean = size.mean * UNITS[unit or "m/s²"] / STANDARD_GRAVITY
        free = kind == "linear" or (mean < 0.5 and kind == "acceleration") or (mean < 0.25 and kind == "total")
        if kind == "total":
            detail = f"is called acceleration with gravity, but the mean vector is {size.mean:.3g} long"
            action = "taken as acceleration without gravity" if free else "kept"
            problems.append(Problem(source, ProblemKind.NO_GRAVITY, detail, action))
        return (("linear" if free else "total") if kind != "gravity" else kind), unit or "m/s²", _told(unit, how)
    if kind == "linear":
        problems.append(
            Problem(
                source,
                ProblemKind.GRAVITY_FOUND,
                f"is called gravity-free, but the mean vector is {size.mean:.3g} long, as gravity is",
                "taken as acceleration with gravity",
            )
        )
    if unit and unit != by_size:
        problems.append(
            Problem(
                source,
                ProblemKind.UNIT_MISMATCH,
                f"{unit} {how}, but the mean vector is {size.mean:.3g} long, as gravity is in {by_size}",
                f"taken as {by_size} and converted to m/s²",
            )
        )
    agreed = how if unit == by_size else "by its size"
    return ("gravity" if kind == "gravity" else "total"), by_size, agreed


def _rotation(size: _Size, source: str, unit: str, how: str, problems: list[Problem]) -> tuple[str, str]:
    if unit in ("", "rad/s") and size.fast > FAST_RAD_S:
        found = f"a tenth of the values is over {size.fast:.0f}, faster in rad/s than a body turns"
        kind, said = (ProblemKind.UNIT_MISMATCH, f"{unit} {how}, but ") if unit else (ProblemKind.UNIT_CONVERTED, "")
        problems.append(Problem(source, kind, f"gyroscope: {said}{found}", "taken as deg/s and converted to rad/s"))
        return "deg/s", "by its size"
    if unit not in ("", "rad/s"):
        detail = f"gyroscope: {unit} {how}; a tenth of the values is over {size.fast:.3g}"
        if unit == "deg/s" and size.fast < STILL_DEG_S:
            detail += ", nearly still in deg/s but a walk in rad/s: with the accelerometer's file it could be told"
        problems.append(Problem(source, ProblemKind.UNIT_CONVERTED, detail, "converted to rad/s"))
    return unit or "rad/s", _told(unit, how)


def _told(unit: str, how: str) -> str:
    return how if unit else "assumed"


def _unit_of_kind(kind: str) -> str:
    return {"magnetometer": "µT", "heart_rate": "beats/min"}[kind]


def contradicted(stream: Stream, unit: str, total: Stream | None = None) -> tuple[str, str] | None:
    """Return the unit that fits a sensor's values, and what shows it, where it is not the one they were taken to be in.

    Parameters
    ----------
    stream : acceleration with gravity or rotation, converted to the core's unit.
    unit : the one that it was converted from.
    total : the acceleration beside a gyroscope, whatever its unit.
    """
    size = _size(stream).over(UNITS[unit])
    if unit in ACCELERATION:
        fits = _gravity_unit(size)
        return (fits, f"the mean vector is {size.mean:.3g} long, as gravity is") if fits not in ("", unit) else None
    if total is None:
        return None
    if turning := unit_by_turning(total, stream, unit):
        return (turning, "gravity turns in the accelerometer as fast as that would be") if turning != unit else None
    still = STILL_DEG_S * ROTATION["deg/s"]
    if size.fast * UNITS[unit] >= still or not _moves(total):
        return None
    fits = next((other for other, factor in ROTATION.items() if still < size.fast * factor < FAST_RAD_S), "")
    why = f"only a tenth is over {size.fast:.3g} while the accelerometer moves, as a body does that turns"
    return (fits, why) if fits else None


def _moves(acceleration: Stream) -> bool:
    """Tell whether acceleration with gravity, in any unit, varies as that of a moving body."""
    size = _size(acceleration)
    lengths = np.linalg.norm(acceleration.values[:: max(1, len(acceleration.values) // 200_000)], axis=1)
    return size.typical <= MAX_MOVEMENT * size.mean and float(lengths.std()) > MOVING * size.mean


def _turned_alike(readings: list[Reading], source: str) -> list[Reading]:
    """Compare the gyroscope with the turning of gravity; a unit that is wrong by 57.3 is put right."""
    total = next((r.stream for r in readings if r.kind == "total"), None)
    index = next((i for i, r in enumerate(readings) if r.kind == "gyroscope"), None)
    if total is None or index is None:
        return readings
    reading = readings[index]
    ratio, correlation = turning_ratio(total, reading.stream)
    degrees = 180 / math.pi
    low, high = TURNING_SHARE
    if not correlation > SAME_TURNING or not (low < ratio / degrees < high or low < ratio * degrees < high):
        return readings
    wrong, right, factor = ("deg/s", "rad/s", degrees) if ratio > 1 else ("rad/s", "deg/s", 1 / degrees)
    problem = Problem(
        source,
        ProblemKind.UNIT_MISMATCH,
        f"gyroscope: {reading.stream.unit_found}, but gravity turns in the accelerometer {ratio:.3g} times as fast as "
        f"that would be (correlation {correlation:.2f})",
        f"taken as {right}, not {wrong}",
    )
    stream = replace(
        reading.stream,
        values=reading.stream.values * np.float32(factor),
        unit_found=f"{right}, by comparison with the accelerometer",
    )
    kept = tuple(p for p in reading.problems if p.kind != ProblemKind.UNIT_CONVERTED)
    return [*readings[:index], Reading("gyroscope", stream, (*kept, problem)), *readings[index + 1 :]]


def assemble(
    readings: Sequence[Reading],
    name: str,
    *,
    app: str,
    subject: str | None = None,
    origin_utc_s: float | None = None,
    problems: Sequence[Problem] = (),
    activities: tuple[str, ...] = (),
    activity: str | None = None,
) -> Recording:
    """Make one recording of one device's sensors: total acceleration is the accelerometer, where it is there.

    Raises
    ------
    UnreadableData : no reading at all.
    """
    by_kind: dict[str, Reading] = {}
    spare: list[Problem] = []
    for reading in _turned_alike(_with_gravity_added(list(readings)), name):
        if reading.kind in by_kind:
            detail = f"a second {reading.stream.modality.replace('_', ' ')} was found"
            spare.append(Problem(name, ProblemKind.SENSOR_TWICE, detail, "the first is used"))
        else:
            by_kind[reading.kind] = reading
    if not by_kind:
        raise UnreadableData(f"{name}: holds no sensor's readings.")
    if "total" not in by_kind and "linear" in by_kind:
        free = by_kind["linear"]
        by_kind["linear"] = replace(free, stream=replace(free.stream, modality="accelerometer"))
    order = ("total", "linear", "gyroscope", "gravity", "magnetometer", "heart_rate")
    if "total" in by_kind:
        order = ("total", "gyroscope", "linear", "gravity", "magnetometer", "heart_rate")
    chosen = [by_kind[kind] for kind in order if kind in by_kind]
    return build_recording(
        name,
        name,
        subject or name,
        [(reading.stream, list(reading.problems)) for reading in chosen],
        gravity="included" if "total" in by_kind else "removed",
        problems=[*problems, *spare],
        activities=activities,
        activity=activity,
        app=app,
        origin_utc_s=origin_utc_s,
    )


def _with_gravity_added(readings: list[Reading]) -> list[Reading]:
    """Add up total acceleration where an app exports only its two parts, sample by sample on one clock."""
    own = {reading.kind: reading.stream for reading in readings}
    if "total" in own or not {"linear", "gravity"} <= set(own):
        return readings
    linear, gravity = own["linear"], own["gravity"]
    if len(linear.time_s) != len(gravity.time_s) or np.abs(linear.time_s - gravity.time_s).max() > 0.005:
        return readings
    told = f"{linear.unit_found}; the sum of gravity and gravity-free acceleration"
    total = replace(linear, modality="accelerometer", values=linear.values + gravity.values, unit_found=told)
    return [Reading("total", total), *readings]
