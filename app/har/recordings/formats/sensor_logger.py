"""Sensor Logger: a zip with a CSV a sensor, `time,seconds_elapsed,z,y,x`; one of them alone; or its JSON export.

Format: the app's own pages UNITS, COORDINATES and CROSSPLATFORM (github.com/tszheichoi/awesome-sensor-logger). Time in
ns since 1970, m/s², rad/s. `Accelerometer` is without gravity, `TotalAcceleration` with it. Columns go by their names:
they are in the order z, y, x. On iOS, unless units and frames are standardised, acceleration has Apple's sign (at rest
it points down) and the uncalibrated accelerometer is in g; `Metadata.csv` says which.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from pathlib import PurePosixPath

import numpy as np

from app.har.errors import HarError, UnreadableData, quote
from app.har.problems import Problem, ProblemKind
from app.har.recordings.build import raw_stream, read_each
from app.har.recordings.layout import Layout
from app.har.recordings.sensors import Reading, assemble, identify_sensor_and_unit, kind_of_name
from app.har.recordings.tables import Source, columns
from app.har.recordings.unused_columns import unused_columns
from app.har.signals.types import Recording

APP = "Sensor Logger"
TIME, ELAPSED, RATE = "time", "seconds_elapsed", "bpm"
AXES = ("x", "y", "z")
METADATA = {"recording epoch time", "platform"}
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
}


def matches(layout: Layout) -> bool:
    """Tell whether the header is that of one of its sensors or of its metadata."""
    names = set(layout.names)
    return ({TIME, ELAPSED} <= names and (set(AXES) <= names or RATE in names)) or names >= METADATA


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
    return ELAPSED in source.layout.names


def _app_name(source: Source) -> str:
    """Return the app's name of the sensor in a file's name, which may be that of a copy: `Gyroscope (1)`, else ""."""
    letters = re.sub(r"[\W\d_]", "", source.layout.stem)
    return max((name for name in FILES if name in letters), key=len, default="")


def _ruined_problem(source: Source) -> Problem:
    found = quote(source.layout.column(_place(source, TIME))[0])
    detail = f"time is as a spreadsheet writes it ({found}), not in nanoseconds"
    return Problem(source.name, ProblemKind.UNUSABLE_TIMESTAMPS, detail, f"{ELAPSED} is used instead")


def _read_export(sources: list[Source], name: str) -> Recording:
    metadata = next((_metadata(source) for source in sources if not _is_sensor(source)), {})
    order = [*FILES, ""]
    sensors = sorted(filter(_is_sensor, sources), key=lambda source: order.index(_app_name(source)))
    ruined = [source for source in sensors if _ruined(source)]
    problems = [_ruined_problem(source) for source in ruined]
    stamps = [int(time) for source in sensors if not ruined and (time := _first_stamp(source)) is not None]
    origin = min(stamps, default=None) if len(stamps) == len(sensors) else None
    readings: list[Reading] = []
    read: set[str] = set()
    for source in sensors:
        app_name = _app_name(source)
        kind = FILES.get(app_name) or kind_of_name(source.layout.stem)
        if kind in read and app_name.endswith("uncalibrated"):
            continue  # the twin of one that was read
        try:
            reading = _read_sensor(source, kind, origin)
        except HarError as error:
            if len(sensors) == 1:
                raise
            problems.append(Problem(source.name, ProblemKind.UNREADABLE_FILE, str(error), "left out"))
            continue
        read.add(reading.kind)
        readings.append(_right_way_up(reading, source, metadata))
    if not readings:
        raise UnreadableData(problems[-1].detail)
    return assemble(readings, name, app=APP, origin_utc_s=None if origin is None else origin * 1e-9, problems=problems)


def _place(source: Source, name: str) -> int:
    return source.layout.names.index(name)


def _ruined(source: Source) -> bool:
    return not any(cell.strip().isdecimal() for cell in source.layout.column(_place(source, TIME)))


def _first_stamp(source: Source) -> str | None:
    return next((cell.strip() for cell in source.layout.column(_place(source, TIME)) if cell.strip().isdecimal()), None)


def _read_sensor(source: Source, kind: str, origin: int | None) -> Reading:
    import polars as pl

    axes = (RATE,) if RATE in source.layout.names else AXES
    clock, dtype = (ELAPSED, pl.Float64) if origin is None else (TIME, pl.Int64)
    wanted = {"time": (_place(source, clock), dtype)} | {axis: (_place(source, axis), pl.Float32) for axis in axes}
    frame = columns(source, wanted)
    if origin is not None:  # in whole nanoseconds, which a float64 does not hold
        frame = frame.with_columns((pl.col("time") - origin) * 1e-9)
    modality = "heart_rate" if axes == (RATE,) else "accelerometer"
    stream, problems = raw_stream(source, frame, modality, "time", axes, in_seconds=True)
    how = "by the app's standard"
    if axes == (RATE,):
        reading = identify_sensor_and_unit(stream, source.name, "heart_rate", "beats/min", how)
    elif kind:
        unit = {"gyroscope": "rad/s", "magnetometer": "µT"}.get(kind, "m/s²")
        unit = "" if _app_name(source) == "accelerometeruncalibrated" else unit  # g or m/s², by platform
        reading = identify_sensor_and_unit(stream, source.name, kind, unit, how)
    else:
        reading = identify_sensor_and_unit(stream, source.name)
    unused = unused_columns(source, [place for place, _ in wanted.values()])
    return replace(reading, problems=(*problems, *unused, *reading.problems))


def _metadata(source: Source) -> Mapping[str, str]:
    cells = source.layout.rows[0]
    return {name: cell.strip().lower() for name, cell in zip(source.layout.names, cells, strict=False)}


def _right_way_up(reading: Reading, source: Source, metadata: Mapping[str, str]) -> Reading:
    """Turn Apple's sign round, where the metadata say that it was kept: at rest acceleration points up."""
    if reading.kind not in ("total", "linear", "gravity") or metadata.get("platform") != "ios":
        return reading
    if metadata.get("standardisation") in ("true", "1"):
        return reading
    problem = Problem(
        source.name,
        ProblemKind.AXES_INVERTED,
        "the export is from iOS without standardised frames, where acceleration has the opposite sign",
        "all three axes inverted",
    )
    stream = replace(reading.stream, values=np.negative(reading.stream.values))
    return replace(reading, stream=stream, problems=(*reading.problems, problem))
