"""Sensor Logger: a zip with a CSV a sensor, `time,seconds_elapsed,z,y,x`; one of them alone; or its JSON export.

Format: the app's own pages UNITS, COORDINATES and CROSSPLATFORM (github.com/tszheichoi/awesome-sensor-logger). Time in
ns since 1970, m/s², rad/s. `Accelerometer` is without gravity, `TotalAcceleration` with it. Columns go by their names:
they are in the order z, y, x. On iOS, unless units and frames are standardised, acceleration has Apple's sign (at rest
it points down) and the uncalibrated accelerometer is in g; `Metadata.csv` says which. `Watch…`, `WristMotion` (an Apple
Watch) and `Headphone` are devices of their own; the last two hold rotation, gravity and acceleration in one table:
acceleration is in g unless standardised, and so is the watch's gravity. `Barometer` is in hPa, a watch's in kPa.
`Microphone` is how loud it was (dBFS), never a sound. `Annotation` holds what the person marked.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

import numpy as np

from app.har.errors import HarError, UnreadableData, quote
from app.har.problems import Problem, ProblemKind
from app.har.recordings.build import printable, raw_stream, read_each
from app.har.recordings.layout import Layout, is_number
from app.har.recordings.sensors import (
    SENSOR_OF_KIND,
    SINGLE_KINDS,
    Reading,
    assemble,
    identify_sensor_and_unit,
    kind_of_name,
    right_way_up,
)
from app.har.recordings.tables import Source, columns
from app.har.recordings.unused_columns import unused_columns
from app.har.signals.types import UNLABELLED, Recording

APP = "Sensor Logger"
TIME, ELAPSED, TEXT = "time", "seconds_elapsed", "text"
AXES = ("x", "y", "z")
SINGLE = {"bpm": "heart_rate", "pressure": "pressure", "dbfs": "sound_level", "lux": "light"}  # kinds of one column
COMPUTED = ("relativealtitude",)  # from pressure, by the app
# What may be in Metadata.csv, by version of the app; some of it always is
METADATA = {
    "version", "device name", "recording epoch time", "recording time", "recording timezone", "platform", "appversion",
    "device id", "sensors", "sampleratems", "standardisation", "platform version",
}  # fmt: skip
DESCRIPTION = "Sensor Logger: columns time,seconds_elapsed,z,y,x"
# Kind by what is in a file's name; of two with one kind the first listed is read
FILES = {
    "totalacceleration": "total",
    "accelerometeruncalibrated": "total",
    "accelerometer": "linear",
    "gravity": "gravity",
    "gyroscope": "gyroscope",
    "gyroscopeuncalibrated": "gyroscope",
    "magnetometer": "magnetometer",
    "magnetometeruncalibrated": "magnetometer",
    "heartrate": "heart_rate",
    "barometer": "pressure",
    "microphone": "sound_level",
    "light": "light",
}
# One table of three sensors, as Apple's motion manager gives them
MOTION = {
    kind: tuple(f"{name}{axis}" for axis in AXES)
    for kind, name in (("gravity", "gravity"), ("linear", "acceleration"), ("gyroscope", "rotationrate"))
}
DEVICES = {"wristmotion": "watch", "watch": "watch", "headphone": "headphones"}  # by what is in a file's name
PHONE, WATCH = "phone", "watch"
TURNED = "the export is from iOS without standardised frames, where acceleration has the opposite sign"
IN_SI = 4.0  # the length of gravity above which it is not in g
UNITS = {"gyroscope": "rad/s", "magnetometer": "µT", "heart_rate": "beats/min", "sound_level": "dB", "light": "lux"}
BEGINS, ENDS = {"start", "started", "begin", "begins", "beginning"}, {"end", "ended", "ends", "stop", "stopped", "done"}
MARKS = {"mark", "marker", "event", "lap", "sync", "test", "note", "annotation", "button", "tap"}  # no activities


@dataclass(frozen=True)
class _Export:
    """What is known of the export that files belong to."""

    origin: int | None  # the first stamp in ns; None where a spreadsheet ruined the stamps
    apple: bool  # it comes from iOS
    standardised: bool  # the app was to write units and axes alike on every platform


def matches(layout: Layout) -> bool:
    """Tell whether the header is that of one of its sensors, of a person's marks or of its metadata."""
    names = set(layout.names)
    known = [set(AXES), *({name} for name in SINGLE), {TEXT}, *map(set, MOTION.values())]
    if {TIME, ELAPSED} <= names:
        return any(own <= names for own in known)
    return len(names & METADATA) > (1 if "platform" in names else 2)


def read(sources: list[Source], upload: str) -> list[Recording]:
    """Read uploaded files; those of one folder are one recording."""
    folders: dict[str, list[Source]] = defaultdict(list)
    for source in sources:
        folders[str(PurePosixPath(source.name).parent)].append(source)
    found = {folder: files for folder, files in folders.items() if any(_is_sensor(source) for source in files)}
    if not found:
        raise UnreadableData(f"{upload}: holds Sensor Logger's metadata, but no sensor's file.")
    exports = {upload if folder == "." else folder: files for folder, files in found.items()}
    return read_each(exports, lambda name, files: _read_export(files, name))


def _is_sensor(source: Source) -> bool:
    return ELAPSED in source.layout.names and not _is_marks(source)


def _is_marks(source: Source) -> bool:
    return {ELAPSED, TEXT} <= set(source.layout.names) and "x" not in source.layout.names


def _letters(source: Source) -> str:
    return re.sub(r"[\W\d_]", "", source.layout.stem)


def _app_name(source: Source) -> str:
    """Return the app's name of the sensor in a file's name, which may be that of a copy: `Gyroscope (1)`, else ""."""
    return max((name for name in FILES if name in _letters(source)), key=len, default="")


def _device(source: Source) -> str:
    letters = _letters(source)
    return next(
        (device for word, device in DEVICES.items() if word in letters), WATCH if "heartrate" in letters else PHONE
    )


def _ruined_problem(source: Source) -> Problem:
    found = quote(source.layout.column(_place(source, TIME))[0])
    detail = f"time is as a spreadsheet writes it ({found}), not in nanoseconds"
    return Problem(source.name, ProblemKind.UNUSABLE_TIMESTAMPS, detail, f"{ELAPSED} is used instead")


def _read_export(sources: list[Source], name: str) -> Recording:
    metadata = next((_metadata(source) for source in sources if ELAPSED not in source.layout.names), {})
    order = [*FILES, ""]
    sensors = sorted(filter(_is_sensor, sources), key=lambda source: order.index(_app_name(source)))
    ruined = [source for source in sensors if _ruined(source)]
    problems = [_ruined_problem(source) for source in ruined]
    stamps = [int(time) for source in sensors if not ruined and (time := _first_stamp(source)) is not None]
    origin = min(stamps, default=None) if len(stamps) == len(sensors) else None
    export = _Export(origin, _is_apple(sensors, metadata), metadata.get("standardisation") in ("true", "1"))
    readings: list[Reading] = []
    for source in sensors:
        read = {reading.kind for reading in readings if reading.device == _device(source)}
        if FILES.get(_app_name(source)) in read and _app_name(source).endswith("uncalibrated"):
            continue  # the twin of one that was read
        try:
            readings.extend(_read_sensors(source, export))
        except HarError as error:
            if len(sensors) == 1:
                raise
            problems.append(Problem(source.name, ProblemKind.UNREADABLE_FILE, str(error), "left out"))
    if not readings:
        raise UnreadableData(problems[-1].detail)
    readings.sort(key=lambda reading: [PHONE, *DEVICES.values()].index(reading.device))
    start = None if origin is None else origin * 1e-9
    recording = assemble(readings, name, app=APP, origin_utc_s=start, problems=problems)
    for source in filter(_is_marks, sources):
        recording = _marked(recording, source)
    return recording


def _place(source: Source, name: str) -> int:
    return source.layout.names.index(name)


def _ruined(source: Source) -> bool:
    return not any(cell.strip().isdecimal() for cell in source.layout.column(_place(source, TIME)))


def _first_stamp(source: Source) -> str | None:
    return next((cell.strip() for cell in source.layout.column(_place(source, TIME)) if cell.strip().isdecimal()), None)


def _read_sensors(source: Source, export: _Export) -> list[Reading]:
    """Read a file's one sensor, or the three of a table of Apple's."""
    names = source.layout.names
    kind = FILES.get(_app_name(source)) or kind_of_name(source.layout.stem)
    if single := next((name for name in SINGLE if name in names), ""):
        return [_read_sensor(source, SINGLE[single], (single,), UNITS.get(SINGLE[single], ""), export)]
    if set(AXES) <= set(names):
        own = UNITS.get(kind, "m/s²") if kind else ""
        unit = "" if _app_name(source) == "accelerometeruncalibrated" else own  # g or m/s², by platform
        return [_read_sensor(source, kind, AXES, unit, export)]
    there = {kind: axes for kind, axes in MOTION.items() if set(axes) <= set(names)}
    return [_read_sensor(source, kind, axes, UNITS.get(kind, ""), export) for kind, axes in there.items()]


def _read_sensor(source: Source, kind: str, axes: Sequence[str], unit: str, export: _Export) -> Reading:
    """Read one sensor; without a unit, acceleration shows it by its size."""
    import polars as pl

    clock, dtype = (ELAPSED, pl.Float64) if export.origin is None else (TIME, pl.Int64)
    wanted = {"time": (_place(source, clock), dtype)} | {axis: (_place(source, axis), pl.Float32) for axis in axes}
    frame = columns(source, wanted)
    if export.origin is not None:  # in whole nanoseconds, which a float64 does not hold
        frame = frame.with_columns((pl.col("time") - export.origin) * 1e-9)
    standardised = _standardised(source, export)
    if kind == "linear" and not unit:  # movement does not show its unit
        unit = "m/s²" if standardised else "g"
    modality = kind if kind in SINGLE_KINDS else SENSOR_OF_KIND.get(kind, "accelerometer")
    stream, problems = raw_stream(source, frame, modality, "time", axes, in_seconds=True)
    how = "by the app's standard" if unit else ""
    reading = identify_sensor_and_unit(stream, source.name, kind, unit, how or "by the header")
    alone = axes == AXES or kind in SINGLE_KINDS
    unused = unused_columns(source, [place for place, _ in wanted.values()], COMPUTED) if alone else []
    reading = replace(reading, problems=(*problems, *unused, *reading.problems), device=_device(source))
    upside_down = (export.apple or not alone) and not standardised
    return right_way_up(reading, source.name, TURNED) if upside_down else reading


def _standardised(source: Source, export: _Export) -> bool:
    """Tell whether units and axes are alike on every platform: by the metadata, or an Apple Watch's gravity in m/s²."""
    in_g = _app_name(source) == "accelerometeruncalibrated" and _length(source, AXES) < IN_SI
    if in_g or "wristmotion" not in _letters(source) or not set(MOTION["gravity"]) <= set(source.layout.names):
        return export.standardised and not in_g
    return _length(source, MOTION["gravity"]) > IN_SI


def _length(source: Source, axes: Sequence[str]) -> float:
    """Return the median length of the first vectors, NaN where there is none."""
    cells = [source.layout.column(_place(source, axis)) for axis in axes]
    vectors = [own for own in zip(*cells, strict=False) if all(map(is_number, own))]
    lengths = np.linalg.norm(np.array([[float(cell.replace(",", ".")) for cell in own] for own in vectors]), axis=-1)
    return float(np.median(lengths)) if vectors else np.nan


def _metadata(source: Source) -> Mapping[str, str]:
    cells = source.layout.rows[0]
    return {name: cell.strip().lower() for name, cell in zip(source.layout.names, cells, strict=False)}


def _is_apple(sensors: Sequence[Source], metadata: Mapping[str, str]) -> bool:
    """Tell whether an export comes from iOS: by its metadata, or where there are none by what only iOS writes."""
    if platform := metadata.get("platform", ""):
        return platform.startswith(("ios", "ipados"))
    if metadata.get("device name", "").startswith(("iphone", "ipad", "ipod")):
        return True
    uncalibrated = [source for source in sensors if _app_name(source) == "accelerometeruncalibrated"]
    in_g = any(_length(source, AXES) < IN_SI for source in uncalibrated if set(AXES) <= set(source.layout.names))
    return in_g or any(set(MOTION["gravity"]) <= set(source.layout.names) for source in sensors)


def _marked(recording: Recording, source: Source) -> Recording:
    """Label a recording by the person's marks: each lasts until the next; one that says stop ends it."""
    import polars as pl

    dated = recording.origin_utc_s is not None and not _ruined(source)
    clock, dtype = (TIME, pl.Int64) if dated else (ELAPSED, pl.Float64)
    wanted = {"time": (_place(source, clock), dtype), "text": (_place(source, TEXT), pl.String)}
    frame = columns(source, wanted).drop_nulls("time").sort("time")
    times = frame["time"].to_numpy() * 1e-9 - (recording.origin_utc_s or 0.0) if dated else frame["time"].to_numpy()
    names: dict[str, int] = {}
    since, codes = [-np.inf], [UNLABELLED]
    for time, text in zip(times.tolist(), frame["text"].fill_null(""), strict=True):
        name, ends = _activity(text)
        if name or ends:
            since.append(time)
            codes.append(UNLABELLED if ends else names.setdefault(name, len(names)))
    if not names:
        return recording
    labels = np.array(codes, np.int64)
    streams = [
        replace(own, labels=labels[np.searchsorted(since, own.time_s, side="right") - 1])
        if own.values.shape[1] > 1
        else own
        for own in recording.streams
    ]
    return replace(recording, streams=tuple(streams), activities=tuple(names))


def _activity(text: str) -> tuple[str, bool]:
    """Return the activity that a mark names, "" where it names none, and whether it ends there."""
    words = [(word, re.sub(r"[\W\d_]", "", word.lower())) for word in printable(text).split()]
    named = [word for word, letters in words if letters not in BEGINS | ENDS]
    is_name = any(letters and letters not in BEGINS | ENDS | MARKS for _, letters in words)
    return (" ".join(named) if is_name else "", any(letters in ENDS for _, letters in words))
