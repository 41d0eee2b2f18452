"""Which sensor a table is of, and in what unit: by name and header, checked against the size of the values.

What sizes show is in `signals.evidence`; the earth's magnetic field is 20 to 70 µT.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from app.har.errors import UnreadableData
from app.har.problems import Problem, ProblemKind
from app.har.recordings.build import build_recording
from app.har.signals.evidence import GravityEvidence, RotationEvidence, fast_tenth, gravity_evidence, rotation_evidence
from app.har.signals.types import MODALITY_UNITS, Gravity, Recording, Stream
from app.har.signals.units import ROTATION, STANDARD_GRAVITY, STATED_ACCELERATION, UNITS, Unit, pressure_unit

# A name holds the first of these that it matches
NAMES = (
    ("linear", r"linear|user.?acc|without.?g|gravity.?free|lin.?acc"),
    ("total", r"total.?acc|with.?g(ravity)?\b|accelerometer.?uncal"),
    ("gravity", r"gravity"),
    ("gyroscope", r"gyr|rotation|angular"),
    ("magnetometer", r"magn"),
    ("acceleration", r"acc"),
)
SENSOR_OF_KIND: Mapping[str, str] = {  # modality by the kind that a name says, see `kind_of_name`
    **dict.fromkeys(("acceleration", "total", "linear"), "accelerometer"),
    **{kind: kind for kind in ("gravity", "gyroscope", "magnetometer")},
}
# What a tenth of the vectors exceeds without gravity. KU-HAR: acceleration 0.07 to 0.1 at rest, 5 to 33 m/s² in motion,
# rotation 0.03 and 1.3 to 9.7 rad/s. They overlap, so this is a guess, and listed as one
LINEAR_FROM, REST = 3.2, (0.05, 0.4)
MAGNETIC_FIELD_UT = (20.0, 100.0)  # of the earth 20 to 70, more near iron
SAME_MOMENT_S, MOSTLY = 0.005, 0.9  # within which, and how often, two sensors of one device share a clock
SINGLE_KINDS = ("heart_rate", "pressure", "sound_level", "light")  # sensors of one column that apps export
MOTION_KINDS = ("total", "linear", "acceleration", "gravity", "gyroscope")
NEVER_HOLDS_GRAVITY = 0.25  # share of gravity below which a mean has none, even if a name says "with gravity"


@dataclass(frozen=True)
class Reading:
    """One sensor's samples in the core's unit.

    ``kind`` is "total" or "linear" acceleration, with or without gravity, or a modality.
    """

    kind: str
    stream: Stream
    problems: tuple[Problem, ...] = ()
    device: str = ""  # where an export may hold several: "phone", "watch"


def kind_of_name(name: str) -> str:
    """Return the kind that a file's or column's name says: "acceleration" is with or without gravity, "" is none."""
    return next((kind for kind, pattern in NAMES if re.search(pattern, name, re.I)), "")


def word_of_kind(name: str) -> str:
    """Return the word of a name that `kind_of_name` goes by, in small letters, "" where it goes by none."""
    found = next(filter(None, (re.search(pattern, name, re.I) for _, pattern in NAMES)), None)
    if found is None:
        return ""
    start, end = found.span()
    while start and name[start - 1].isalpha():
        start -= 1
    while end < len(name) and name[end].isalpha():
        end += 1
    return name[start:end].lower()


def identify_sensor_and_unit(
    stream: Stream, source: str, kind: str = "", unit: str = "", how: str = "by the header"
) -> Reading:
    """Decide sensor and unit, and convert.

    Parameters
    ----------
    stream : values as in the file, under any modality; time in seconds.
    source : the file, for the problems listed.
    kind : what names say: one of those of `kind_of_name`.
    unit : one of UNITS, where header or format states it; otherwise it is detected from the size of the values.
    how : what states the unit.
    """
    problems: list[Problem] = []
    by_unit = "gyroscope" if unit in ROTATION else "magnetometer" if unit == "µT" else ""
    if (by_unit and kind != by_unit) or (unit in STATED_ACCELERATION and kind in ("gyroscope", "magnetometer")):
        if kind:
            detail = f"is called {kind}, but in {unit} {how}"
            action = f"taken as {by_unit or 'acceleration'}"
            problems.append(Problem(source, ProblemKind.SENSOR_BY_UNIT, detail, action))
        kind = by_unit or "acceleration"
    if not kind:
        kind, why = _kind_by_size(stream, unit)
        detail = f"neither name nor header names the sensor; {why}"
        problems.append(Problem(source, ProblemKind.SENSOR_BY_SIZE, detail, f"taken as {kind}"))
    stated = how if unit else "assumed"
    if kind in ("total", "linear", "acceleration", "gravity"):
        kind, found, stated = _acceleration(gravity_evidence(stream), source, kind, unit, stated, problems)
    elif kind == "gyroscope":
        found, stated = _rotation(rotation_evidence(stream), source, unit, stated, problems)
    elif kind == "pressure":
        found, stated = _pressure(stream, source, unit, stated)
    else:
        found, stated = unit or MODALITY_UNITS[kind], how if unit else "by the format"
    factor = UNITS[found]
    modality = {"total": "accelerometer", "linear": "linear_accelerometer"}.get(kind, kind)
    values = stream.values if factor == 1.0 else stream.values * np.float32(factor)
    converted = replace(stream, modality=modality, values=values, unit_found=f"{found}, {stated}", factor=factor)
    return Reading(kind, converted, tuple(problems))


def _kind_by_size(stream: Stream, unit: str) -> tuple[str, str]:
    """Return the kind of sensor that has vectors of such lengths, and why."""
    evidence = gravity_evidence(stream)
    if evidence.plausible_unit and unit not in ROTATION:
        return "total", f"the mean vector is {evidence.mean:.3g} long, as gravity is"
    if MAGNETIC_FIELD_UT[0] < evidence.mean < MAGNETIC_FIELD_UT[1]:
        return "magnetometer", f"the mean vector is {evidence.mean:.3g} long, as the earth's magnetic field in µT is"
    if unit in STATED_ACCELERATION:
        return "linear", f"the mean vector is {evidence.mean:.3g} {unit} long, without gravity"
    fast = fast_tenth(stream.values)
    rough = f"the values average out, and a tenth is longer than {fast:.3g}"
    linear = fast > LINEAR_FROM or REST[0] < fast < REST[1]
    return ("linear" if linear else "gyroscope"), f"{rough}; name the file after its sensor to be sure"


def _acceleration(
    evidence: GravityEvidence, source: str, kind: str, unit: str, stated: str, problems: list[Problem]
) -> tuple[str, str, str]:
    """Return kind, unit and how that is known; gravity decides, where it is there."""
    as_stated = replace(evidence, read_as=Unit(unit or "m/s²", UNITS[unit or "m/s²"]))
    by_size = as_stated.plausible_unit.name if as_stated.plausible_unit else ""
    if by_size == "g" and kind == "linear":
        by_size = ""  # movement alone may average to 1 m/s²
    length = f"the mean vector is {evidence.mean:.3g} long"
    if not by_size:
        never = as_stated.mean_ms2 < NEVER_HOLDS_GRAVITY * STANDARD_GRAVITY
        free = (
            kind == "linear" or (kind == "acceleration" and not as_stated.holds_gravity) or (kind == "total" and never)
        )
        if kind == "total":
            detail = f"is called acceleration with gravity, but {length}"
            action = "taken as acceleration without gravity" if free else "kept"
            problems.append(Problem(source, ProblemKind.NO_GRAVITY, detail, action))
        return (("linear" if free else "total") if kind != "gravity" else kind), unit or "m/s²", stated
    if kind == "linear":
        detail = f"is called gravity-free, but {length}, as gravity is"
        problems.append(Problem(source, ProblemKind.GRAVITY_FOUND, detail, "taken as acceleration with gravity"))
    if unit and unit != by_size:
        detail = f"{unit} {stated}, but {length}, as gravity is in {by_size}"
        action = f"taken as {by_size} and converted to m/s²"
        problems.append(Problem(source, ProblemKind.UNIT_MISMATCH, detail, action))
    agreed = stated if unit == by_size else "by its size"
    return ("gravity" if kind == "gravity" else "total"), by_size, agreed


def _rotation(
    evidence: RotationEvidence, source: str, unit: str, stated: str, problems: list[Problem]
) -> tuple[str, str]:
    """Return the unit of a gyroscope and how that is known."""
    if unit in ("", "rad/s") and evidence.too_fast:
        found = f"a tenth of the values is over {evidence.fast:.0f}, faster in rad/s than a body turns"
        mismatch = f"{unit} {stated}, but " if unit else ""
        kind = ProblemKind.UNIT_MISMATCH if unit else ProblemKind.UNIT_CONVERTED
        detail = f"gyroscope: {mismatch}{found}"
        problems.append(Problem(source, kind, detail, "taken as deg/s and converted to rad/s"))
        return "deg/s", "by its size"
    if unit not in ("", "rad/s"):
        detail = f"gyroscope: {unit} {stated}; a tenth of the values is over {evidence.fast:.3g}"
        if unit == "deg/s" and evidence.seems_still(Unit(unit, UNITS[unit])):
            detail += ", nearly still in deg/s but a walk in rad/s: the accelerometer's file would show which"
        problems.append(Problem(source, ProblemKind.UNIT_CONVERTED, detail, "converted to rad/s"))
    return unit or "rad/s", stated


def _pressure(stream: Stream, source: str, unit: str, stated: str) -> tuple[str, str]:
    """Return the unit of a barometer and how that is known: no other is as the air's.

    Raises
    ------
    UnreadableData : in no unit it is.
    """
    usual = float(np.median(stream.values))
    found = pressure_unit(usual)
    if not found:
        raise UnreadableData(f"{source}: a pressure of {usual:.6g} is none of the air in hPa, kPa or Pa.")
    return found, stated if found == unit else "by its size"


def assemble(
    readings: Sequence[Reading],
    name: str,
    *,
    app: str,
    subject: str | None = None,
    origin_utc_s: float | None = None,
    local_clock: bool = False,
    problems: Sequence[Problem] = (),
    activities: tuple[str, ...] = (),
    activity: str | None = None,
) -> Recording:
    """Make one recording of the sensors of one device, or several: total acceleration is the accelerometer, if there.

    Where only one device has it, the others have no accelerometer but the gravity-free one: a recording is of one kind.

    Raises
    ------
    UnreadableData : no reading at all.
    """
    own: dict[str, list[Reading]] = {}
    moving = dict.fromkeys(reading.device for reading in readings if reading.kind in MOTION_KINDS)
    for reading in readings:  # a pulse alone is of no device of its own
        device = reading.device if reading.device in moving or not moving else next(iter(moving))
        own.setdefault(device, []).append(reading)
    if not own:
        raise UnreadableData(f"{name}: holds no sensor's readings.")
    spare: list[Problem] = []
    by_device = {device: _one_of_each_kind(readings, name, spare) for device, readings in own.items()}
    gravity: Gravity = "included" if any("total" in by_kind for by_kind in by_device.values()) else "removed"
    chosen: list[Reading] = []
    for device, by_kind in by_device.items():
        if gravity == "removed" and "linear" in by_kind:
            free = by_kind["linear"]
            by_kind["linear"] = replace(free, stream=replace(free.stream, modality="accelerometer"))
        order = ["total", "gyroscope", "linear"] if "total" in by_kind else ["linear", "gyroscope"]
        prefix = f"{device}." if len(own) > 1 else ""
        for reading in (
            by_kind[kind] for kind in (*order, "gravity", "magnetometer", *SINGLE_KINDS) if kind in by_kind
        ):
            modality = prefix + reading.stream.modality
            chosen.append(replace(reading, stream=replace(reading.stream, modality=modality)))
    recording = build_recording(
        name,
        name,
        subject or name,
        [(reading.stream, list(reading.problems)) for reading in chosen],
        gravity=gravity,
        problems=[*problems, *spare],
        activities=activities,
        activity=activity,
        app=app,
        origin_utc_s=origin_utc_s,
        local_clock=local_clock,
    )
    return replace(recording, device=next(iter(own))) if len(own) == 1 else recording


def right_way_up(reading: Reading, source: str, why: str) -> Reading:
    """Turn Apple's sign round: at rest acceleration points up."""
    if reading.kind not in ("total", "linear", "gravity"):
        return reading
    problem = Problem(source, ProblemKind.AXES_INVERTED, why, "all three axes inverted")
    stream = replace(reading.stream, values=np.negative(reading.stream.values))
    return replace(reading, stream=stream, problems=(*reading.problems, problem))


def _one_of_each_kind(readings: Sequence[Reading], name: str, spare: list[Problem]) -> dict[str, Reading]:
    """Return the readings of one device by kind; of two of a kind the first, and the other is listed."""
    by_kind: dict[str, Reading] = {}
    for reading in _with_gravity_added(list(readings)):
        if reading.kind in by_kind:
            detail = f"a second {reading.stream.modality.replace('_', ' ')} was found"
            spare.append(Problem(name, ProblemKind.SENSOR_TWICE, detail, "the first is used"))
        else:
            by_kind[reading.kind] = reading
    return by_kind


def _with_gravity_added(readings: list[Reading]) -> list[Reading]:
    """Add up total acceleration where an app exports only its two parts, sample by sample on one clock."""
    streams = {reading.kind: reading.stream for reading in readings}
    if "total" in streams or not {"linear", "gravity"} <= set(streams):
        return readings
    total = with_gravity(streams["linear"], streams["gravity"])
    if total is None:
        return readings
    return [Reading("total", total, device=readings[0].device), *readings]


def with_gravity(linear: Stream, gravity: Stream) -> Stream | None:
    """Add gravity to gravity-free acceleration where both were measured; None where they share hardly a moment."""
    order = np.argsort(gravity.time_s, kind="stable")
    after = np.searchsorted(gravity.time_s, linear.time_s, sorter=order)
    around = order[np.stack([after - 1, after]).clip(0, len(order) - 1)]
    away = np.abs(gravity.time_s[around] - linear.time_s)
    nearest = np.where(away[0] < away[1], around[0], around[1])
    shared = np.abs(linear.time_s - gravity.time_s[nearest]) <= SAME_MOMENT_S
    if shared.mean() < MOSTLY:
        return None
    values = linear.values[shared] + gravity.values[nearest[shared]]
    labels = None if linear.labels is None else linear.labels[shared]
    unit_found = f"{linear.unit_found}; the sum of gravity and gravity-free acceleration"
    modality = linear.modality.removesuffix(linear.kind) + "accelerometer"
    return replace(
        linear, modality=modality, time_s=linear.time_s[shared], values=values, labels=labels, unit_found=unit_found
    )
