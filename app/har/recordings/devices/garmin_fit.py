"""Garmin and other sports watches, `.fit`: messages of fields that the file itself defines, one or more files in a row.

Format: Garmin's FIT protocol and profile (developer.garmin.com/fit). Messages of an accelerometer, gyroscope or
magnetometer hold some samples each: raw counts, which a message of calibration before them makes g, deg/s or gauss, or
values that the watch has calibrated itself. Times are UTC, to the millisecond. Heart rate comes once a second.
fitdecode reads the messages; what they say of the sensors is put together here.
"""

from __future__ import annotations

import io
import struct
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.har.errors import UnreadableData, quote
from app.har.problems import Problem, ProblemKind
from app.har.recordings.build import build_recording, read_each, stream_of_samples
from app.har.recordings.files import Member
from app.har.signals.types import Recording, Stream
from app.har.signals.units import ROTATION, STANDARD_GRAVITY

APP = "FIT"
DESCRIPTION = "FIT: .fit of a Garmin or another sports watch that logged its accelerometer"
MARK, MARK_AT, HEAD = b".FIT", 8, (12, 14)
MAX_BYTES = 256 * 2**20  # a day of two sensors at 100 Hz takes some 200
EPOCH_S = 631_065_600.0  # 31 December 1989
LARGEST_YEAR_S = 4_102_444_800.0  # 2100
RECORD, CALIBRATION = 20, 167
TIME, PULSE = 253, 3  # fields; the second of a record
MATRIX_SCALE = 65_535.0
NAMES = {0: "file", 18: "sessions", 19: "laps", 20: "records", 21: "events", 55: "monitoring"}  # of messages


@dataclass(frozen=True)
class _Kind:
    """A sensor's messages: its number in those of calibration, and the core's unit of what the profile gives."""

    modality: str
    sensor: int
    unit: str
    factor: float


KINDS = {
    165: _Kind("accelerometer", 0, "g", STANDARD_GRAVITY),
    164: _Kind("gyroscope", 1, "deg/s", ROTATION["deg/s"]),
    208: _Kind("magnetometer", 2, "gauss", 100.0),
}
READ = {RECORD, CALIBRATION, *KINDS}
# What the library raises besides errors of its own, of files that were cut or changed at random
OF_DAMAGE = (AssertionError, AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError, struct.error)
MILLISECONDS, OFFSETS, RAW, CALIBRATED, MILLI_G = 0, 1, (2, 3, 4), (5, 6, 7), (8, 9, 10)  # fields of a sensor's message


@dataclass(frozen=True)
class _Calibration:
    """What makes g, deg/s or gauss of raw counts."""

    factor: float
    level: float
    offset: NDArray[np.float64]  # (3,)
    turn: NDArray[np.float64]  # (3, 3)

    def __call__(self, raw: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (3, n) of counts (3, n)."""
        return np.asarray(self.turn @ ((raw - self.level - self.offset[:, None]) * self.factor))


@dataclass
class _Sensor:
    """What was found of one sensor."""

    time_s: list[NDArray[np.float64]] = field(default_factory=list)
    values: list[NDArray[np.float64]] = field(default_factory=list)
    uncalibrated: int = 0


@dataclass
class _File:
    """What was found in a file so far."""

    name: str
    sensors: dict[int, _Sensor] = field(default_factory=dict)
    pulse: list[tuple[float, float]] = field(default_factory=list)
    messages: Counter[int] = field(default_factory=Counter)
    calibrations: dict[int, _Calibration] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def matches(member: Member, head: bytes) -> bool:
    """Tell whether a file has the header of FIT."""
    return head[MARK_AT : MARK_AT + 4] == MARK and head[0] in HEAD


def read(members: list[Member], upload: str) -> list[Recording]:
    """Read uploaded files, a recording each."""
    return read_each({member.name: member for member in members}, lambda _, member: _read_one(member))


def _read_one(member: Member) -> Recording:
    import fitdecode

    if member.size > MAX_BYTES:
        raise UnreadableData(f"{member.name}: is FIT of {member.size:,} bytes; at most {MAX_BYTES:,} are read.")
    file = _File(member.name)
    reader = fitdecode.FitReader(
        io.BytesIO(member.read()),
        processor=None,
        check_crc=fitdecode.CrcCheck.READONLY,
        error_handling=fitdecode.ErrorHandling.IGNORE,
        keep_raw_chunks=False,
    )
    try:
        for frame in reader:
            if frame.frame_type == fitdecode.FIT_FRAME_DATA:
                _take(file, frame)
            elif frame.frame_type == fitdecode.FIT_FRAME_CRC and not frame.matched:
                detail = "its checksum is wrong: at least one byte is not as the watch wrote it"
                file.problems.append(Problem(file.name, ProblemKind.CORRUPT_ROWS, detail, "read all the same"))
    except fitdecode.FitEOFError as error:
        size, end = reader.last_header.body_size if reader.last_header else 0, error.offset + error.got
        _cut_off(file, f"its head announces {size:,} bytes, and the file ends at byte {end:,}")
    except fitdecode.FitError as error:
        _cut_off(file, quote(str(error)))
    except OF_DAMAGE as error:  # the library looks at what it reads, but not at all of it
        _cut_off(file, f"a message that cannot be one ({type(error).__name__})")
    return _recording(file)


def _cut_off(file: _File, detail: str) -> None:
    file.problems.append(Problem(file.name, ProblemKind.CUT_OFF, detail, "read as far as it goes"))


def _take(file: _File, message: Any) -> None:
    """Take what is read here out of a message."""
    number = message.global_mesg_num
    file.messages[number] += 1
    if number not in READ:
        return
    values = dict(filter(None, map(_values, message.fields)))
    if number == CALIBRATION:
        _keep_calibration(file, values)
    elif number in KINDS:
        _keep_samples(file, number, values)
    elif PULSE in values and TIME in values:
        file.pulse.append((values[TIME][0] + EPOCH_S, values[PULSE][0]))


def _values(own: Any) -> tuple[int, tuple[float, ...]] | None:
    """Return a field's number and its values as the watch wrote them, NaN where there is none; None of no such field.

    A field without a definition of its own is a time of five bits, which the library has completed, or made of another.
    """
    if (own.field_def is None and own.def_num != TIME) or (own.field_def is not None and own.field_def.is_dev):
        return None
    raw = own.raw_value if isinstance(own.raw_value, tuple) else (own.raw_value,)
    if own.def_num == TIME and not all(isinstance(value, int) for value in raw):  # never a fraction
        return None
    if not all(isinstance(value, int | float | None) for value in raw) or all(value is None for value in raw):
        return None
    return own.def_num, tuple(np.nan if value is None else float(value) for value in raw)


def _keep_calibration(file: _File, values: dict[int, tuple[float, ...]]) -> None:
    sensor, factor, divisor, level = (values.get(number, (np.nan,))[0] for number in range(4))
    offset, turn = np.array(values.get(4, (0.0,) * 3)), np.array(values.get(5, np.eye(3).ravel() * MATRIX_SCALE))
    if not np.isfinite([sensor, factor, level]).all() or not divisor > 0 or len(offset) != 3 or len(turn) != 9:
        return  # what comes without is told by the samples that need it
    file.calibrations[int(sensor)] = _Calibration(factor / divisor, level, offset, turn.reshape(3, 3) / MATRIX_SCALE)


def _keep_samples(file: _File, number: int, values: dict[int, tuple[float, ...]]) -> None:
    own, kind = file.sensors.setdefault(number, _Sensor()), KINDS[number]
    if TIME not in values or OFFSETS not in values:
        return
    time_s = values[TIME][0] + EPOCH_S + (values.get(MILLISECONDS, (0.0,))[0] + np.array(values[OFFSETS])) / 1000
    calibration = file.calibrations.get(kind.sensor)
    for fields, factor in ((CALIBRATED, 1.0), (MILLI_G, 1e-3), (RAW, 0.0)):
        axes = [values[name] for name in fields if name in values]
        if len(axes) != 3 or {len(axis) for axis in axes} != {len(time_s)}:
            continue
        found = np.array(axes, np.float64)
        if not factor and calibration is None:
            own.uncalibrated += len(time_s)
            return
        found = found * factor if factor or calibration is None else calibration(found)
        there = np.isfinite(time_s) & np.isfinite(found).all(axis=0)
        own.time_s.append(time_s[there])
        own.values.append(found[:, there])
        return


def _recording(file: _File) -> Recording:
    parts: list[tuple[Stream, list[Problem]]] = []
    problems = list(file.problems)
    times = {number: np.concatenate(own.time_s) for number, own in file.sensors.items() if own.time_s}
    starts = [time for own in times.values() if len(time := own[(own > 0) & (own < LARGEST_YEAR_S)])]
    origin_s = min((float(time.min()) for time in starts), default=0.0)
    for number, own in file.sensors.items():
        kind = KINDS[number]
        if own.uncalibrated:
            detail = (
                f"{kind.modality}: {own.uncalibrated:,} samples are raw counts, and no message of calibration stands "
                "before them that says how many g, deg/s or gauss they are"
            )
            problems.append(Problem(file.name, ProblemKind.UNREADABLE_SENSOR, detail, "left out"))
        if number in times and len(times[number]) > 1:
            values = np.concatenate(own.values, axis=1).T * kind.factor
            unit = f"{kind.unit}, by the format"
            time_s = times[number] - origin_s
            parts.append(
                stream_of_samples(file.name, kind.modality, time_s, values.astype(np.float32), unit, kind.factor)
            )
    if not any(stream.kind == "accelerometer" for stream, _ in parts):
        raise UnreadableData(_without_acceleration(file, problems))
    if len(file.pulse) > 1:
        time, pulse = np.array(file.pulse).T
        values = pulse[:, None].astype(np.float32)
        unit = "beats/min, by the format"
        try:
            parts.append(stream_of_samples(file.name, "heart_rate", time - origin_s, values, unit, 1.0))
        except UnreadableData as error:
            problems.append(Problem(file.name, ProblemKind.UNREADABLE_SENSOR, str(error), "left out"))
    return build_recording(
        file.name, file.name, file.name, parts, gravity="included", problems=problems, app=APP, origin_utc_s=origin_s
    )


def _without_acceleration(file: _File, problems: list[Problem]) -> str:
    held = ", ".join(f"{count:,} {NAMES[number]}" for number, count in file.messages.most_common() if number in NAMES)
    told = f" ({problems[0].detail})" if problems else ""
    return (
        f"{file.name}: expected samples of an accelerometer in a FIT file, found {held or 'no message known here'}"
        f"{told}. It holds what a watch made of its sensors: positions, pulse, pace. Log acceleration on the watch (an "
        "app that stores accelerometer_data), or record with an app on the phone that exports it as CSV."
    )
