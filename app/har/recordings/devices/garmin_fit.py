"""Garmin and other sports watches, `.fit`: messages of fields that the file itself defines, one or more files in a row.

Format: Garmin's FIT protocol and profile (developer.garmin.com/fit). Messages of an accelerometer, gyroscope or
magnetometer hold some samples each: raw counts, which a message of calibration before them makes g, deg/s or gauss, or
values that the watch has calibrated itself. Times are UTC, to the millisecond. Heart rate comes once a second.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from app.har.errors import HarError, UnreadableData
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
# Of a base type, by its lowest five bits: how it is packed, and what stands for no value
TYPES: dict[int, tuple[str, float | None]] = {
    0: ("B", 0xFF), 1: ("b", 0x7F), 2: ("B", 0xFF), 3: ("h", 0x7FFF), 4: ("H", 0xFFFF), 5: ("i", 0x7FFFFFFF),
    6: ("I", 0xFFFFFFFF), 8: ("f", None), 9: ("d", None), 10: ("B", 0), 11: ("H", 0), 12: ("I", 0), 13: ("B", 0xFF),
    14: ("q", 2**63 - 1), 15: ("Q", 2**64 - 1), 16: ("Q", 0),
}  # fmt: skip
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
MILLISECONDS, OFFSETS, RAW, CALIBRATED, MILLI_G = 0, 1, (2, 3, 4), (5, 6, 7), (8, 9, 10)  # fields of a sensor's message


@dataclass(frozen=True)
class _Definition:
    """How the messages of one local type are packed."""

    number: int
    size: int  # of a message, developers' fields included
    fields: tuple[tuple[int, int, struct.Struct, float | None], ...]  # number, place, how it is packed, no value

    def values(self, data: bytes, at: int) -> dict[int, tuple[float, ...]]:
        """Return the fields that have a value."""
        found: dict[int, tuple[float, ...]] = {}
        for number, place, packed, nothing in self.fields:
            values = packed.unpack_from(data, at + place)
            if nothing is None or any(value != nothing for value in values):
                found[number] = values
        return found


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
    if member.size > MAX_BYTES:
        raise UnreadableData(f"{member.name}: is FIT of {member.size:,} bytes; at most {MAX_BYTES:,} are read.")
    file = _File(member.name)
    data, at = member.read(), 0
    while at < len(data):
        if not matches(member, data[at : at + 14]):
            _cut_off(file, f"expected another file's header at byte {at:,}")
            break
        at = _read_part(file, data, at)
    return _recording(file)


def _cut_off(file: _File, detail: str) -> None:
    file.problems.append(Problem(file.name, ProblemKind.CUT_OFF, detail, "read as far as it goes"))


def _read_part(file: _File, data: bytes, first: int) -> int:
    """Read the file that begins at a byte; return where it ends."""
    head, announced = data[first], int.from_bytes(data[first + 4 : first + 8], "little")
    end = first + head + announced
    if end + 2 > len(data):
        _cut_off(file, f"its head announces {announced:,} bytes, {len(data) - first - head:,} are there")
    elif checksum(data[first : end + 2]):
        detail = "its checksum is wrong: at least one byte is not as the watch wrote it"
        file.problems.append(Problem(file.name, ProblemKind.CORRUPT_ROWS, detail, "read all the same"))
    try:
        for number, values in _messages(data, first + head, min(end, len(data))):
            file.messages[number] += 1
            if number == CALIBRATION:
                _keep_calibration(file, values)
            elif number in KINDS:
                _keep_samples(file, number, values)
            elif number == RECORD and PULSE in values and TIME in values:
                file.pulse.append((values[TIME][0] + EPOCH_S, values[PULSE][0]))
    except _Damaged as error:
        _cut_off(file, str(error))
    return end + 2


class _Damaged(HarError):
    """A message that cannot be one."""


def _messages(data: bytes, at: int, end: int) -> Iterator[tuple[int, dict[int, tuple[float, ...]]]]:
    """Yield the number and fields of each message, with its time where its head alone holds it.

    Raises
    ------
    _Damaged : there is a byte that begins none.
    """
    definitions: dict[int, _Definition] = {}
    last = 0
    while at < end:
        head = data[at]
        local = head >> 5 & 3 if head & 0x80 else head & 0xF
        if head & 0x40 and not head & 0x80:
            definitions[local], at = _definition(data, at, end, developers=bool(head & 0x20))
            continue
        definition = definitions.get(local)
        if definition is None or at + 1 + definition.size > end:
            wanted = "a definition" if definition is None else f"{definition.size} bytes of a message"
            raise _Damaged(f"byte {at:,}: expected {wanted}, found {'a message' if definition is None else 'the end'}")
        values = definition.values(data, at + 1)
        if head & 0x80:  # five bits of the time
            last += ((head & 0x1F) - last) & 0x1F
            values.setdefault(TIME, (float(last),))
        elif TIME in values:
            last = int(values[TIME][0])
        yield definition.number, values
        at += 1 + definition.size


def _definition(data: bytes, at: int, end: int, *, developers: bool) -> tuple[_Definition, int]:
    """Return a definition, and where it ends."""
    if at + 6 > end:
        raise _Damaged(f"byte {at:,}: expected a definition, found the end")
    order = ">" if data[at + 2] else "<"
    (number,) = struct.unpack_from(f"{order}H", data, at + 3)
    count, place, size = data[at + 5], at + 6, 0
    if place + 3 * count + developers > end:
        raise _Damaged(f"byte {at:,}: expected a definition of {count} fields, found the end")
    fields: list[tuple[int, int, struct.Struct, float | None]] = []
    for own in range(place, place + 3 * count, 3):
        letter, nothing = TYPES.get(data[own + 2] & 0x1F, ("", None))
        n = data[own + 1] // struct.calcsize(letter or "B")
        counted = data[own] != TIME or nothing is not None  # a time is a number of seconds, never a fraction
        if letter and n and counted and n * struct.calcsize(letter) == data[own + 1]:
            fields.append((data[own], size, _packed(f"{order}{n}{letter}"), nothing))
        size += data[own + 1]
    place += 3 * count
    if developers:
        n = data[place]
        if place + 1 + 3 * n > end:
            raise _Damaged(f"byte {at:,}: expected a definition of {n} developers' fields, found the end")
        size += sum(data[place + 2 : place + 1 + 3 * n : 3])
        place += 1 + 3 * n
    kept = tuple(own for own in fields if number in (RECORD, CALIBRATION, *KINDS) or own[0] == TIME)
    return _Definition(number, size, kept), place


@lru_cache(maxsize=256)
def _packed(how: str) -> struct.Struct:
    return struct.Struct(how)


def checksum(data: bytes) -> int:
    """Return the CRC of 16 bits that FIT uses (polynomial 8005, reflected); 0 of data that end with their own."""
    table, crc = _crc_table(), 0
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc


@lru_cache(maxsize=1)
def _crc_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
        table.append(crc)
    return tuple(table)


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
        own.time_s.append(time_s)
        own.values.append(found * factor if factor or calibration is None else calibration(found))
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
        parts.append(
            stream_of_samples(file.name, "heart_rate", time - origin_s, values, "beats/min, by the format", 1.0)
        )
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
