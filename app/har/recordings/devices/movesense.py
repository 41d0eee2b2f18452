"""Movesense, `.json`: blocks of samples, each with the sensor's own milliseconds, as its apps and sbem2json write them.

Format: movesense-device-lib, meas/acc.yaml, gyro.yaml, magn.yaml and imu.yaml: ``{"Timestamp": ms, "ArrayAcc": [{"x":
…}]}``, wherever such blocks stand in the document. Acceleration in m/s² with gravity, rotation in deg/s, the field in
µT. The stamp is that of a block's first sample. ``TimeDetailed`` says what UTC a moment of that clock was.
"""

from __future__ import annotations

import json
import re
from array import array
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.har.errors import UnreadableData, quote
from app.har.problems import Problem, ProblemKind
from app.har.recordings.build import build_recording, read_each, stream_of_samples
from app.har.recordings.devices import blocks
from app.har.recordings.files import Member
from app.har.signals.types import Recording, Stream
from app.har.signals.units import ROTATION

APP = "Movesense"
DESCRIPTION = "Movesense: .json of its apps or of sbem2json, with blocks of ArrayAcc, ArrayGyro, ArrayMagn"
MAX_BYTES = 256 * 2**20  # an hour of two sensors at 104 Hz takes some 50
SENSORS = {  # modality, unit and what makes the core's of it
    "ArrayAcc": ("accelerometer", "m/s²", 1.0),
    "ArrayGyro": ("gyroscope", "deg/s", ROTATION["deg/s"]),
    "ArrayMagn": ("magnetometer", "µT", 1.0),
}
FIRST = re.compile(rb'\s*[\[{].{0,4000}?"Array(?:Acc|Gyro|Magn)"\s*:\s*\[', re.S)
STAMPS = ("Timestamp", "Timestamp_ms")
WRAP_MS = 2.0**32
HIGHEST_HZ, FEWEST_BLOCKS = 1700.0, 2
Triple = tuple[float, float, float]


@dataclass
class _Sensor:
    """What was found of one sensor."""

    start_ms: array[float] = field(default_factory=lambda: array("d"))  # of each block
    counts: array[int] = field(default_factory=lambda: array("q"))
    values: array[float] = field(default_factory=lambda: array("d"))  # x, y, z of one sample after the other


@dataclass
class _Document:
    """Takes the blocks out of a document while it is parsed, and leaves nothing of them in it."""

    sensors: dict[str, _Sensor] = field(default_factory=dict)
    faulty: int = 0
    utc_s: float | None = None  # at 0 ms of the sensor's clock

    def take(self, item: dict[str, Any]) -> Any:
        """Return a sample as a triple, nothing of a block whose samples were taken, anything else as it is."""
        if len(item) == 3 and "x" in item:
            return item.get("x"), item.get("y"), item.get("z")
        arrays = [name for name in SENSORS if name in item]
        if arrays:
            stamp = next((item[name] for name in STAMPS if isinstance(item.get(name), int | float)), None)
            for name in arrays:
                self._add(name, stamp, item[name])
            return None
        if isinstance(item.get("utcTime"), int | float) and isinstance(item.get("relativeTime"), int | float):
            utc_s = item["utcTime"] / 1e6 - item["relativeTime"] / 1e3
            self.utc_s = utc_s if self.utc_s is None else self.utc_s
        return item

    def _add(self, name: str, stamp: Any, samples: Any) -> None:
        sound = isinstance(samples, list) and all(
            isinstance(own, tuple) and all(isinstance(value, int | float) for value in own) for own in samples
        )
        if stamp is None or not sound:
            self.faulty += 1
            return
        own = self.sensors.setdefault(name, _Sensor())
        own.start_ms.append(float(stamp))
        own.counts.append(len(samples))
        for sample in samples:
            own.values.extend(map(float, sample))


def matches(member: Member, head: bytes) -> bool:
    """Tell whether a file is JSON that soon has such a block."""
    return FIRST.match(head.removeprefix(b"\xef\xbb\xbf")) is not None


def read(members: list[Member], upload: str) -> list[Recording]:
    """Read uploaded files, a recording each."""
    return read_each({member.name: member for member in members}, lambda _, member: _read_one(member))


def _read_one(member: Member) -> Recording:
    if member.size > MAX_BYTES:
        raise UnreadableData(f"{member.name}: is JSON of {member.size:,} bytes; at most {MAX_BYTES:,} are read.")
    text = member.read().decode("utf-8-sig", "replace")
    document, problems = _Document(), list[Problem]()
    decoder, at = json.JSONDecoder(object_hook=document.take), 0
    while at < len(text):  # one document, or one a line
        try:
            _, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            place = getattr(error, "pos", at)
            line, found = text.count("\n", 0, place) + 1, quote(repr(text[place : place + 40]))
            detail = f"line {line}: expected JSON to its end, found {found}"
            if not document.sensors:
                raise UnreadableData(f"{member.name}, {detail}.") from error
            problems.append(Problem(member.name, ProblemKind.CUT_OFF, detail, "read as far as it goes"))
            break
        while at < len(text) and text[at] in " \t\r\n,":
            at += 1
    if document.faulty:
        detail = f"{document.faulty:,} blocks lack a Timestamp, or numbers for x, y and z"
        problems.append(Problem(member.name, ProblemKind.CORRUPT_ROWS, detail, "left out: a hole"))
    starts = [np.array(own.start_ms) for own in document.sensors.values()]
    if not starts:
        raise UnreadableData(f'{member.name}: expected blocks of "Timestamp" and "ArrayAcc"; found none that is whole.')
    origin_ms = float(starts[0][0])
    parts = [_stream(member.name, name, own, origin_ms) for name, own in document.sensors.items()]
    utc_s = None if document.utc_s is None else document.utc_s + origin_ms / 1e3
    return build_recording(
        member.name, member.name, member.name, parts, gravity="included", problems=problems, app=APP,
        origin_utc_s=utc_s,
    )  # fmt: skip


def _stream(source: str, name: str, own: _Sensor, origin_ms: float) -> tuple[Stream, list[Problem]]:
    modality, unit, factor = SENSORS[name]
    start_ms: NDArray[np.float64] = np.array(own.start_ms)
    start_ms = start_ms + WRAP_MS * np.cumsum(np.diff(start_ms, prepend=start_ms[0]) < -WRAP_MS / 2)
    start_s, counts = (start_ms - origin_ms) / 1e3, np.array(own.counts, np.int64)
    length = np.diff(start_s)
    usual = float(np.median(counts[:-1] / np.where(length > 0, length, np.inf))) if len(counts) >= FEWEST_BLOCKS else 0
    if not 0 < usual <= HIGHEST_HZ:
        raise UnreadableData(
            f"{source} ({modality}): expected blocks whose stamps go on by some milliseconds; found {len(counts):,} "
            f"block(s) of {usual:g} samples a second."
        )
    step, rate = np.full(len(counts), 1 / usual), np.full(len(length), usual)
    step[:-1] = blocks.steps(start_s, counts, rate, blocks.follows(start_s, counts, rate))
    time, _ = blocks.sample_times(start_s, counts, step)
    values = (np.array(own.values).reshape(-1, 3) * factor).astype(np.float32)
    return stream_of_samples(source, modality, time, values, f"{unit}, by the format", factor)
