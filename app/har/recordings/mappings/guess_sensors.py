"""Which columns of an unknown table are the axes of which sensor, and in what unit."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from app.har.recordings.build import LARGEST
from app.har.recordings.mappings.guess_columns import (
    APPLE,
    FILLERS,
    SENSOR_WORDS,
    SINGLE,
    WHOLE,
    Values,
    Words,
    counts_in,
    device_in,
    is_any,
    split_axis,
    unit_in,
    words_of,
)
from app.har.recordings.mappings.mapping import SensorColumns
from app.har.recordings.mappings.units import UNITS
from app.har.signals.evidence import GravityEvidence, RotationEvidence, gravity_evidence, rotation_evidence
from app.har.signals.frozen import frozen_samples
from app.har.signals.types import Gravity, Stream
from app.har.signals.units import Unit, pressure_unit

AXES = ("xyz", "012", "123")  # how names count the axes
DIFFERENT = 0.005  # share of an axis's values that are different at least
COUNTS = 0.05  # part by which the mean vector may differ from a power of two, where raw counts have that many a g
FEWEST_COUNTS = 32
# Of ±2, 4, 8 and 16 g and ±250, 500, 1000 and 2000 deg/s in 16 bits, as of the MPU-6050 and its kin
COUNTS_A_G, COUNTS_A_DEGREE = (16384, 8192, 4096, 2048), (131.0, 65.5, 32.8, 16.4)
# Of the LSM6 and its kin, of 8.75, 17.5, 35 and 70 mdeg/s a count: an eighth fewer. Gravity tells them apart only where
# it turns as the gyroscope does: with a correlation of 0.8 its rate is 2 % off, with one of 0.5 it is 10 % (HAPT)
COUNTS_OF_LSM6, TELLS_KINS = tuple(1000 / mdps for mdps in (8.75, 17.5, 35, 70)), 0.75
RAW = "raw"  # in the names of counts, as those of a Shimmer
LSM6 = re.compile(r"lsm[69]ds|lsm330|[ai]sm330", re.I)
UNSIGNED, MIDDLE = (256, 1024, 4096), 0.35  # counts of 8, 10 and 12 bits; a share of them about half
USUAL_COUNTS = 0.3  # as COUNTS, for those


@dataclass(frozen=True)
class SensorsGuess:
    """The sensors of a table, whether acceleration holds gravity, and why, by modality."""

    sensors: tuple[SensorColumns, ...]
    gravity: Gravity | None
    reasons: Mapping[str, str]


@dataclass(frozen=True)
class _Axes:
    """Three columns that seem to be the axes of one sensor, and the rows in which all have a usable number."""

    columns: Words
    values: Values
    rate_hz: float
    words: Words = ()  # of the name, without the axis
    unit: str = ""  # that the heading names
    of_lsm6: bool = False  # by the name of a column or of the file

    def as_stream(self, kind: str) -> Stream:
        """Return the readings as if they were in the core's unit."""
        return Stream(kind, np.arange(len(self.values)) / self.rate_hz, self.values.astype(np.float32))

    @cached_property
    def gravity(self) -> GravityEvidence:
        """What they show of gravity, if they are acceleration."""
        return gravity_evidence(self.as_stream("accelerometer"))


@dataclass(frozen=True)
class _Identity:
    """Which sensor three columns are of, and why."""

    axes: _Axes
    kind: str
    reason: str


@dataclass(frozen=True)
class _Measure:
    """In which unit three columns are, why, and whether they hold gravity, if they are acceleration."""

    sensor: SensorColumns
    reason: str
    gravity: Gravity | None = None


def find_sensors(
    numeric: Mapping[str, Values],
    rate_hz: float,
    by_file: str,
    is_raw_of_any_phone: bool = False,
    about: Sequence[str] = (),
) -> SensorsGuess:
    """Find the sensors of three axes, then those of one column.

    Parameters
    ----------
    numeric : the columns of numbers that are neither time nor label nor subject.
    rate_hz : rows per second, as far as is known.
    by_file : the sensor that the name of the file says, "" for none.
    is_raw_of_any_phone : acceleration in g is an iPhone's, whose sign is Apple's.
    about : lines about the file, which may name the chip.
    """
    axes = _named_axes(numeric, rate_hz) or _axes_in_order(numeric, rate_hz)
    if any(map(LSM6.search, (*about, *numeric))):
        axes = [replace(candidate, of_lsm6=True) for candidate in axes]
    # Those that hold gravity are the most certain; what a device also gives as raw counts is better without
    axes.sort(key=lambda candidate: (candidate.gravity.plausible_unit is None, RAW in candidate.words))
    identities: list[_Identity] = []
    for candidate in axes:
        alone = len(axes) == 1  # a file of one sensor, whatever the name of its columns
        if identity := _identify(candidate, by_file, is_first=not identities, alone=alone):
            identities.append(identity)
    kinds = [identity.kind for identity in identities]
    if not {"accelerometer", "gravity"} & set(kinds):  # what the phone calls linear is all the acceleration there is
        names = {"linear_accelerometer": "accelerometer"}
        identities = [replace(identity, kind=names.get(identity.kind, identity.kind)) for identity in identities]
    found = _with_units(identities, _are_several(identities), is_raw_of_any_phone)
    singles = _single_columns(numeric, {name for sensor in found.sensors for name in sensor.columns})
    reasons = {**found.reasons, **{sensor.modality: "by the name of its column" for sensor in singles}}
    return replace(found, sensors=(*found.sensors, *singles), reasons=reasons)


def _are_several(identities: Sequence[_Identity]) -> bool:
    """Tell whether names tell devices apart: some sensor is there twice, and each device has its acceleration."""
    kinds = [identity.kind for identity in identities]
    acceleration = {device_in(own.axes.words) for own in identities if own.kind.endswith("accelerometer")}
    others = {device_in(own.axes.words) for own in identities} - acceleration
    return any(kinds.count(kind) > 1 for kind in kinds) and (len(acceleration) > 1 or not acceleration) and not others


def _with_units(identities: Sequence[_Identity], several: bool, raw: bool) -> SensorsGuess:
    """Find the units; of two sensors of one kind the first counts, unless their names say which device is which."""
    sensors: dict[str, SensorColumns] = {}
    reasons: dict[str, str] = {}
    beside: dict[str, _Axes] = {}  # the accelerometer of each device
    gravity: Gravity | None = None
    apple = any(is_any(APPLE, identity.axes.words) for identity in identities)
    for identity in identities:
        kind, device = identity.kind, device_in(identity.axes.words) if several else ""
        measure = _find_unit(kind, identity.axes, beside.get(device))
        modality = f"{device}.{kind}" if device else kind
        if kind == "accelerometer" and modality in sensors and gravity == "included" and measure.gravity == "removed":
            modality = modality.replace(kind, "linear_accelerometer")
        if modality in sensors:
            continue
        reason = "; ".join(filter(None, (identity.reason, measure.reason)))
        sensor = measure.sensor.model_copy(update={"modality": modality})
        if (apple or (raw and sensor.unit == "g")) and kind in ("accelerometer", "linear_accelerometer", "gravity"):
            sensor = sensor.model_copy(update={"signs": (-1, -1, -1)})
            whose = "the names are Apple's" if apple else "in g it is an iPhone's"
            reason += f"; {whose}, whose acceleration points down at rest: turned round"
        sensors[modality], reasons[modality] = sensor, reason
        if kind == "accelerometer":
            beside[device] = identity.axes
            gravity = gravity or measure.gravity
    for modality, sensor in sensors.items():
        weight = sensors.get(modality.replace("linear_accelerometer", "gravity"))
        if sensor.kind == "linear_accelerometer" and weight and sensor.unit != weight.unit and not _stated(sensor):
            sensors[modality] = sensor.model_copy(update={"unit": weight.unit})
            reasons[modality] = f"by the names of its columns; {weight.unit}, as gravity beside it" + (
                "; turned round like that" if apple else ""
            )
        if sensor.kind == "linear_accelerometer" and weight and "accelerometer" not in map(_kind_of, sensors):
            gravity = "included"
    return SensorsGuess(tuple(sensors.values()), gravity, reasons)


def _stated(sensor: SensorColumns) -> bool:
    return unit_in(sensor.columns[0]) in UNITS[sensor.kind]


def _kind_of(modality: str) -> str:
    return modality.rpartition(".")[2]


# --- which columns belong together


def _named_axes(numeric: Mapping[str, Values], rate_hz: float) -> list[_Axes]:
    """Take the columns together whose names differ in the axis alone."""
    groups: dict[Words, dict[str, str]] = {}
    for name in numeric:
        if not re.fullmatch(r"column \d+", name) and (split := split_axis(name)):
            groups.setdefault(split[0], {}).setdefault(split[1], name)
    found = []
    for words, names in groups.items():
        if order := next((order for order in AXES if set(order) <= set(names)), ""):
            columns = tuple(names[axis] for axis in order)
            filled = float(np.isfinite(numeric[columns[0]]).mean())  # other sensors' rows leave it blank
            rate = max(filled, 1e-3) * rate_hz
            found.append(_Axes(columns, _stack(columns, numeric, rate), rate, words, unit_in(columns[0])))
    return found


def _axes_in_order(numeric: Mapping[str, Values], rate_hz: float) -> list[_Axes]:
    """Take the columns three by three where their names say nothing; constant ones and counters are no axes."""
    varying = [name for name, values in numeric.items() if _varies(values)]
    triples = [tuple(varying[i : i + 3]) for i in range(0, len(varying) - len(varying) % 3, 3)]
    return [_Axes(columns, _stack(columns, numeric, rate_hz), rate_hz) for columns in triples]


def _varies(values: Values) -> bool:
    good = values[np.isfinite(values)]
    different = len(np.unique(good)) > max(5, DIFFERENT * len(good))
    return len(good) > 2 and different and not np.all(np.diff(good) == 1)


def _stack(columns: Words, numeric: Mapping[str, Values], rate_hz: float) -> Values:
    values = np.column_stack([numeric[name] for name in columns])
    values = values[(np.abs(values) <= LARGEST).all(axis=1)]  # without what is not finite, too
    return values[~frozen_samples(np.arange(len(values)) / rate_hz, values)]


# --- which sensor they are of


def _identify(axes: _Axes, by_file: str, is_first: bool, alone: bool) -> _Identity | None:
    """Tell which sensor three columns are of, None for none that is known."""
    holds_gravity = axes.gravity.plausible_unit is not None
    nameless = all(word in ("x", "y", "z") or re.fullmatch(FILLERS, word) for word in axes.words)
    by_name = [kind for kind, pattern in SENSOR_WORDS if is_any(pattern, axes.words)]
    by_unit = next((k for k in ("accelerometer", "gyroscope", "magnetometer") if axes.unit in UNITS[k]), "")
    if by_name:
        kind, reason = by_name[0], "by the names of its columns"
    elif by_unit:
        kind, reason = by_unit, "by the unit in its heading"
    elif "g" in axes.words:  # gx is rotation beside ax, and acceleration alone
        kind, reason = ("accelerometer", "") if holds_gravity else ("gyroscope", "by the names of its columns")
    elif by_file and (nameless or alone) and (by_file == "gravity" or not holds_gravity):
        kind, reason = by_file, "by the name of the file"
    elif holds_gravity:
        kind, reason = "accelerometer", "by its values"
    elif not nameless:
        return None
    elif is_first:
        kind, reason = "accelerometer", "the first three columns of numbers"
    else:
        kind, reason = "gyroscope", "beside the accelerometer"
    return _Identity(axes, kind, reason) if kind else None


# --- and in what unit


def _find_unit(kind: str, axes: _Axes, accelerometer: _Axes | None) -> _Measure:
    """Find the unit of a sensor; what gravity does in its device's accelerometer shows that of a gyroscope."""
    stated = axes.unit if axes.unit in UNITS[kind] else ""
    sensor = SensorColumns(modality=kind, columns=axes.columns, unit=stated or next(iter(UNITS[kind])))
    if not len(axes.values):
        return _Measure(sensor, "no numbers at the start")
    if kind in ("accelerometer", "linear_accelerometer", "gravity"):
        return _acceleration_unit(sensor, stated, axes)
    if kind != "gyroscope":
        return _Measure(sensor, "")
    shows = accelerometer and len(accelerometer.values) and not _middle_of_counts(accelerometer)
    beside = accelerometer.as_stream("accelerometer") if accelerometer and shows else None
    rotation = rotation_evidence(axes.as_stream(kind), beside)
    if counts := counts_in(axes.columns[0]):
        return _Measure(_counting(sensor, "deg/s", counts), f"raw counts, {counts:g} a deg/s by its heading")
    if stated:
        return _Measure(sensor, f"unit by its heading, a tenth above {rotation.fast:.3g} {stated}")
    if _are_counts(rotation, axes, accelerometer):
        return _rotation_counts(sensor, rotation, axes, accelerometer)
    unit = "deg/s" if rotation.too_fast else "rad/s"
    return _Measure(
        sensor.model_copy(update={"unit": unit}), f"a tenth of the values above {rotation.fast:.3g}: {unit}"
    )


def _counting(sensor: SensorColumns, unit: str, counts: float) -> SensorColumns:
    return sensor.model_copy(update={"unit": unit, "scale": 1 / counts})


def _are_counts(rotation: RotationEvidence, axes: _Axes, accelerometer: _Axes | None) -> bool:
    """Tell whether a gyroscope gives raw counts: whole numbers, beside others, or too fast even for degrees."""
    whole = bool((axes.values % 1 == 0).all())
    return whole and (
        (accelerometer is not None and _acceleration_counts(accelerometer) > 0)
        or not rotation.allows(Unit("deg/s", UNITS["gyroscope"]["deg/s"]))
    )


def _rotation_counts(
    sensor: SensorColumns, rotation: RotationEvidence, axes: _Axes, accelerometer: _Axes | None
) -> _Measure:
    """Choose the range of a gyroscope in raw counts: the one in which gravity turns as fast as it says."""
    if not np.isnan(rotation.turning):
        a_degree = np.degrees(1) * rotation.turning
        shown = rotation.agreement >= TELLS_KINS
        kins = COUNTS_OF_LSM6 if axes.of_lsm6 else COUNTS_A_DEGREE + COUNTS_OF_LSM6 if shown else COUNTS_A_DEGREE
        counts = min(kins, key=lambda counts: abs(np.log(counts * a_degree)))
        words = f"raw counts, {counts:.5g} a deg/s, as fast as gravity turns beside it"
        if not shown and not axes.of_lsm6:
            words += f", more or less; of an LSM6 {COUNTS_OF_LSM6[kins.index(counts)]:.5g}: check the factor"
        return _Measure(_counting(sensor, "deg/s", counts), words)
    narrow = accelerometer is not None and _acceleration_counts(accelerometer) == COUNTS_A_G[0]
    counts = (COUNTS_OF_LSM6 if axes.of_lsm6 else COUNTS_A_DEGREE)[0 if narrow else -1]
    words = f"raw counts; {counts:.5g} a deg/s is assumed, for nothing shows its range: check the factor"
    return _Measure(_counting(sensor, "deg/s", counts), words)


def _acceleration_unit(sensor: SensorColumns, stated: str, axes: _Axes) -> _Measure:
    evidence = axes.gravity
    as_stated = replace(evidence, read_as=Unit(sensor.unit, UNITS[sensor.kind][sensor.unit]))
    unit = as_stated.plausible_unit.name if as_stated.plausible_unit else ""
    around = f"values around {evidence.mean:.3g}"
    if stated and unit in ("", stated):
        held: Gravity | None = "included" if unit else None if as_stated.holds_gravity else "removed"
        words = {"included": "with gravity", "removed": "without gravity", None: "too large for this unit"}[held]
        return _Measure(sensor, f"unit by its heading, {around} {stated}: {words}", held)
    if unit:
        against = f", though the heading says {stated}" if stated else ""
        return _Measure(sensor.model_copy(update={"unit": unit}), f"{around}: {unit} with gravity{against}", "included")
    if not evidence.holds_gravity and is_any(APPLE, axes.words):
        return _Measure(sensor.model_copy(update={"unit": "g"}), f"{around}: without gravity, in Apple's g", "removed")
    if not evidence.holds_gravity:
        words = f"values around {evidence.mean:.2g}: without gravity, in m/s² as far as one can tell"
        return _Measure(sensor, words, "removed")
    if middle := _middle_of_counts(axes):
        words = f"whole numbers around {middle:g}: raw counts from a middle that nothing states, as of an activPAL"
        return _Measure(sensor, f"{words}. Export g instead; no factor makes readings of them")
    if counts := _acceleration_counts(axes):
        heading = counts_in(axes.columns[0])
        against = f", though the heading says {heading:g}" if heading not in (0.0, counts) else ""
        words = f"values around {evidence.mean:.0f}: raw counts, {counts:g} a g, with gravity{against}"
        return _Measure(_counting(sensor, "g", counts), words, "included")
    return _Measure(sensor, f"{around}: in no unit known here; enter a factor")


def _acceleration_counts(axes: _Axes) -> float:
    """Return how many raw counts make a g, by the heading or the length of gravity; 0 where they are none.

    A heading by which gravity is not about one g is that of another range.
    """
    evidence = axes.gravity
    if evidence.plausible_unit or not len(axes.values) or _middle_of_counts(axes):
        return 0.0
    stated = counts_in(axes.columns[0])
    if stated and abs(evidence.mean / stated - 1) < USUAL_COUNTS:
        return stated
    if evidence.mean < FEWEST_COUNTS or evidence.is_movement or not (axes.values % 1 == 0).all():
        return stated
    counts = 2.0 ** round(np.log2(evidence.mean))
    tolerance = USUAL_COUNTS if counts in COUNTS_A_G else COUNTS
    return counts if abs(evidence.mean / counts - 1) < tolerance else stated


def _middle_of_counts(axes: _Axes) -> float:
    """Return the number around which raw counts lie, none below zero; 0 where they do not, or say their unit."""
    values = axes.values
    signed = values.min(initial=0) < 0 or (values % 1).any() or values.max(initial=0) < FEWEST_COUNTS
    if signed or counts_in(axes.columns[0]):
        return 0.0
    most = next((most for most in UNSIGNED if values.max() < most), 0)
    inside = bool((np.abs(values.mean(axis=0) / (most or 1) - 0.5) < MIDDLE).all())
    return most / 2 if inside else 0.0


def _single_columns(numeric: Mapping[str, Values], used: Iterable[str]) -> list[SensorColumns]:
    """Find the sensors of one column, by its name."""
    found = []
    for kind, pattern in SINGLE:
        for name in numeric:
            words = words_of(name)
            named = re.fullmatch(pattern, " ".join(words)) or (kind not in WHOLE and is_any(pattern, words))
            if name not in used and named and (unit := _unit_of_single(kind, numeric[name])):
                found.append(SensorColumns(modality=kind, columns=(name,), unit=unit))
                break
    return found


def _unit_of_single(kind: str, values: Values) -> str:
    """Return the unit of a sensor of one column, "" where it is another's: blood has a pressure, too."""
    if kind != "pressure":
        return next(iter(UNITS[kind]))
    there = values[np.isfinite(values)]
    return pressure_unit(float(np.median(there))) if len(there) else ""
