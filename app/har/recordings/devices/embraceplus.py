"""Empatica EmbracePlus, `.avro`: a file each quarter or full hour with raw counts of all sensors.

Format: Empatica's "Avro files" (Care Lab manual), whose schema each file carries. Acceleration in counts, of which
`imuParams` says how many g; gyroscope the same, in deg/s; both with their rate and the Unix time of their first sample
in µs. EDA in µS, skin temperature in °C. Files of one person and device are one recording.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.har.errors import HarError, UnreadableData, quote
from app.har.problems import Problem, ProblemKind
from app.har.recordings.build import build_recording, read_each, stream_of_samples
from app.har.recordings.devices import blocks
from app.har.recordings.files import Member
from app.har.signals.types import Recording, Stream
from app.har.signals.units import ROTATION, STANDARD_GRAVITY
from app.har.types import FloatArray

APP = "Empatica EmbracePlus"
DESCRIPTION = "Empatica EmbracePlus: .avro of raw data, one file or all of a participant in a zip"
MAGIC = b"Obj\x01"
MAX_BYTES = 256 * 2**20  # of a file; a day of all sensors takes 60 MB
MAX_RATE_HZ = 1000.0
CODECS = ("null", "deflate")
SENSORS: Mapping[str, tuple[str, str, float]] = {  # modality, unit and what makes the core's of it, by the file's name
    "accelerometer": ("accelerometer", "g", STANDARD_GRAVITY),
    "gyroscope": ("gyroscope", "deg/s", ROTATION["deg/s"]),
    "eda": ("electrodermal_activity", "µS", 1.0),
    "temperature": ("skin_temperature", "°C", 1.0),
}
# What fastavro raises on bytes that are no Avro
DAMAGED = (ValueError, LookupError, TypeError, EOFError, OverflowError, AttributeError, struct.error, zlib.error)


@dataclass(frozen=True)
class _Block:
    """One sensor's samples of one file."""

    start_s: float  # Unix time of the first
    rate_hz: float
    values: FloatArray  # (n_axes, n)


@dataclass(frozen=True)
class _File:
    """One file: whose it is, and its sensors by the file's names for them."""

    name: str
    subject: str
    device: str
    sensors: Mapping[str, _Block]
    problems: tuple[Problem, ...]


def matches(member: Member, head: bytes) -> bool:
    """Tell whether a file is Avro."""
    return head.startswith(MAGIC)


def read(members: list[Member], upload: str) -> list[Recording]:
    """Read uploaded files; those of one person and device are one recording."""
    files: list[_File] = []
    errors: list[Problem] = []
    for member in members:
        try:
            files.append(_read_file(member))
        except HarError as error:
            if len(members) == 1:
                raise
            errors.append(Problem(member.name, ProblemKind.UNREADABLE_FILE, str(error), "left out"))
    if not files:
        raise UnreadableData(errors[0].detail)
    together: dict[str, list[_File]] = defaultdict(list)
    for file in files:
        name = file.name if len(members) == 1 else "/".join(filter(None, [file.subject, file.device])) or upload
        together[name].append(file)
    first = next(iter(together))
    return read_each(together, lambda name, own: _joined(name, own, errors if name == first else []))


def _read_file(member: Member) -> _File:
    import fastavro

    if member.size > MAX_BYTES:
        raise UnreadableData(f"{member.name}: is Avro of {member.size:,} bytes; at most {MAX_BYTES:,} are read.")
    data = member.read()
    try:
        reader = fastavro.reader(io.BytesIO(data))
        _check_schema(member.name, reader.writer_schema, reader.codec)
        record = next(iter(reader), None)
    except (*DAMAGED, fastavro.schema.SchemaParseException) as error:
        raise UnreadableData(
            f"{member.name}: expected Avro as an EmbracePlus writes it; it is damaged or cut off ({quote(str(error))})."
        ) from error
    raw = record.get("rawData") if isinstance(record, dict) else None
    if not isinstance(record, dict) or not isinstance(raw, dict):
        raise UnreadableData(f"{member.name}: expected a record with 'rawData', found none; the file is cut off.")
    sensors, problems = {}, []
    for name in SENSORS:
        try:
            if (block := _block(member.name, name, raw.get(name))) is not None:
                sensors[name] = block
        except HarError as error:
            problems.append(Problem(member.name, ProblemKind.UNREADABLE_SENSOR, str(error), "left out"))
    if not sensors:
        raise UnreadableData(problems[0].detail if problems else f"{member.name}: holds no sample of any sensor.")
    enrolled = record.get("enrollment")
    subject = str(enrolled.get("participantID") or "") if isinstance(enrolled, dict) else ""
    return _File(member.name, subject, str(record.get("deviceSn") or ""), sensors, tuple(problems))


def _check_schema(name: str, schema: Any, codec: str) -> None:
    """Refuse Avro of another kind before a record of it is decoded."""
    fields = schema.get("fields") if isinstance(schema, dict) else None
    names = [field.get("name") for field in fields or () if isinstance(field, dict)]
    if "rawData" not in names:
        found = quote(", ".join(map(str, names))[:100]) if names else "none"
        raise UnreadableData(
            f"{name}: is Avro, but not an EmbracePlus' raw data: expected a field rawData, found {found}. Export its "
            "samples as CSV."
        )
    if codec not in CODECS:
        raise UnreadableData(f"{name}: packed by {quote(codec[:40])!r}, expected {' or '.join(CODECS)}.")


def _block(source: str, name: str, held: Any) -> _Block | None:
    """Return one sensor's samples; None where it has none, as of a gyroscope that was off."""
    if not isinstance(held, dict):
        return None
    axes = [held.get(axis) for axis in ("x", "y", "z")] if "x" in held else [held.get("values")]
    if not all(axes):
        return None
    start, rate = _number(held.get("timestampStart")), _number(held.get("samplingFrequency"))
    if not 0 < rate <= MAX_RATE_HZ or not start > 0:
        raise UnreadableData(
            f"{source}: {name}: expected a samplingFrequency in Hz and a timestampStart in µs; found {rate:g} and "
            f"{start:g}."
        )
    if len({len(axis) for axis in axes if isinstance(axis, list)}) != 1:
        raise UnreadableData(f"{source}: {name}: expected as many x as y and z.")
    values = np.array(axes, np.float64) * _counted(source, name, held) * SENSORS[name][2]
    return _Block(start * 1e-6, rate, values.astype(np.float32))


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else float("nan")


def _counted(source: str, name: str, held: Mapping[str, Any]) -> float:
    """Return how many g or deg/s a count is, 1 of sensors that are not counted."""
    if "x" not in held:
        return 1.0
    said = held.get("imuParams")
    numbers = {key: _number(value) for key, value in said.items()} if isinstance(said, dict) else {}
    physical = numbers.get("physicalMax", 0.0) - numbers.get("physicalMin", 0.0)
    digital = numbers.get("digitalMax", 0.0) - numbers.get("digitalMin", 0.0)
    factor = physical / digital if digital else numbers.get("conversionFactor", 0.0)
    if not 0 < factor < 1e3:
        found = quote(str(said)[:120])
        raise UnreadableData(f"{source}: {name}: expected imuParams that say what a count is; found {found}.")
    return factor


def _joined(name: str, files: list[_File], errors: list[Problem]) -> Recording:
    origin_s = min(block.start_s for file in files for block in file.sensors.values())
    parts: list[tuple[Stream, list[Problem]]] = []
    for sensor, (modality, unit, factor) in SENSORS.items():
        own = sorted((file.sensors[sensor] for file in files if sensor in file.sensors), key=lambda part: part.start_s)
        if not own:
            continue
        time, values = _in_a_row(own, origin_s)
        parts.append(stream_of_samples(name, modality, time, values, f"{unit}, by the format", factor))
    subject = files[0].subject or name
    problems = [*errors, *(problem for file in files for problem in file.problems)]
    return build_recording(
        PurePosixPath(name).name if len(files) == 1 else name, name, subject, parts,
        gravity="included" if any(stream.kind == "accelerometer" for stream, _ in parts) else "removed",
        problems=problems, app=APP, origin_utc_s=origin_s,
    )  # fmt: skip


def _in_a_row(own: list[_Block], origin_s: float) -> tuple[NDArray[np.float64], FloatArray]:
    """Return the times and samples (n, n_axes) of files that follow one another, at the rate that they really have."""
    start_s = np.array([block.start_s for block in own]) - origin_s
    counts = np.array([block.values.shape[1] for block in own], np.int64)
    rate = np.array([block.rate_hz for block in own])
    step = 1 / rate
    if len(own) > 1:
        joined = blocks.follows(start_s, counts, rate[:-1])
        step[:-1] = blocks.steps(start_s, counts, rate[:-1], joined)
    time, _ = blocks.sample_times(start_s, counts, step)
    return time, np.concatenate([block.values for block in own], axis=1).T
