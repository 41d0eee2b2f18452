"""Physics Toolbox Suite: `time,gFx,gFy,gFz,ax,ay,az,wx,wy,wz,`, after a blank line, rows end in a comma.

Format: vieyrasoftware.net. gF in g with gravity, a in m/s² without, w in rad/s, B in µT, p in hPa, I in lux. Time in
s, or as a clock: `hh:mm:ss:mmm` on Android, `yyyy-mm-dd hh:mm:ss.ffff` on iOS, without a zone (local time). All
sensors are written at every row, so most values are repeats of the one before, and zeros until a sensor has spoken.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from app.har.errors import HarError, UnreadableData
from app.har.problems import Problem, ProblemKind
from app.har.recordings.build import raw_stream, read_each
from app.har.recordings.date_times import date_time_seconds, names_zone, over_midnight
from app.har.recordings.layout import Layout
from app.har.recordings.sensors import Reading, assemble, identify_sensor_and_unit
from app.har.recordings.tables import Source, columns
from app.har.recordings.unused_columns import unused_columns
from app.har.signals.types import Recording, Stream

if TYPE_CHECKING:
    import polars as pl

APP = "Physics Toolbox"
DESCRIPTION = "Physics Toolbox: columns time,gFx,gFy,gFz,ax,ay,az,wx,wy,wz"
SENSORS = (
    (("gfx", "gfy", "gfz"), "total", "g"),
    (("ax", "ay", "az"), "linear", "m/s²"),
    (("wx", "wy", "wz"), "gyroscope", "rad/s"),
    (("bx", "by", "bz"), "magnetometer", "µT"),
    (("p",), "pressure", ""),
    (("i",), "light", "lux"),
    (("db",), "sound_level", "dB"),
)
# What else the app writes beside them
OTHERS = {"tgf", "gftotal", "at", "atotal", "wtotal", "bt", "btotal", "azimuth", "pitch", "roll", ""}
A_YEAR_S = 365 * 86400.0  # a clock of the day counts from midnight, a date from 1970
CLOCK = r"(\d{1,2}):(\d{2}):(\d{2})[:.,](\d+)\s*$"


def matches(layout: Layout) -> bool:
    """Tell whether the header starts with a time and goes on with no columns but this app's."""
    names = layout.names
    known = {name for axes, _, _ in SENSORS for name in axes} | OTHERS
    moves = any(len(axes) == 3 for axes, _, _ in _sensors(names))
    return names[:1] == ("time",) and moves and ("gfx" in names or set(names[1:]) <= known)


def _sensors(names: tuple[str, ...]) -> list[tuple[tuple[str, ...], str, str]]:
    return [sensor for sensor in SENSORS if set(sensor[0]) <= set(names)]


def read(sources: list[Source], upload: str) -> list[Recording]:
    """Read uploaded files, a recording each."""
    return read_each({source.name: source for source in sources}, lambda _, source: _read_one(source))


def _read_one(source: Source) -> Recording:
    import polars as pl

    names = source.layout.names
    sensors = _sensors(names)
    is_clock = any(":" in cell for cell in source.layout.column(0))
    wanted = {"time": (0, pl.String if is_clock else pl.Float64)} | {
        axis: (names.index(axis), pl.Float32) for axes, _, _ in sensors for axis in axes
    }
    frame = columns(source, wanted)
    origin, local = None, False
    if is_clock:
        dated = date_time_seconds(frame["time"])
        if (dated.drop_nulls() > A_YEAR_S).mean() == 1 and dated.null_count() < len(dated) / 2:
            origin, local = float(dated.drop_nulls()[0]), not names_zone(frame["time"])
            frame = frame.with_columns((dated - origin).alias("time"))
        else:
            frame = frame.with_columns(_clock(frame["time"]))
    readings: list[Reading] = []
    problems = unused_columns(source, [place for place, _ in wanted.values()], OTHERS)
    for axes, kind, unit in sensors:
        try:
            modality = "accelerometer" if len(axes) == 3 else kind
            stream, unusable = raw_stream(source, frame, modality, "time", axes, in_seconds=True)
            stream, silent = _from_first_value(stream, source.name, axes)
            reading = identify_sensor_and_unit(stream, source.name, kind, unit, "by the app's standard")
        except HarError as error:
            if len(sensors) == 1:
                raise
            problems.append(Problem(source.name, ProblemKind.UNREADABLE_SENSOR, str(error), "left out"))
            continue
        readings.append(replace(reading, problems=(*unusable, *silent, *reading.problems)))
    if not readings:
        raise UnreadableData(problems[-1].detail)
    return assemble(readings, source.name, app=APP, origin_utc_s=origin, local_clock=local, problems=problems)


def _clock(cells: pl.Series) -> pl.Series:
    """Return a clock's readings as seconds since midnight of the first day; the fraction has any number of digits."""
    parts = cells.str.extract_groups(CLOCK).struct.unnest()
    hours, minutes, seconds = (parts[str(i)].cast(int, strict=False) for i in (1, 2, 3))
    fraction = ("0." + parts["4"]).cast(float, strict=False)
    time = (hours * 3600 + minutes * 60 + seconds + fraction).to_numpy().astype(np.float64)
    import polars as pl

    return pl.Series("time", over_midnight(time))


def _from_first_value(stream: Stream, source: str, axes: tuple[str, ...]) -> tuple[Stream, tuple[Problem, ...]]:
    """Drop the zeros that are written before a sensor's first reading."""
    spoken = np.flatnonzero(stream.values.any(axis=1))
    first = int(spoken[0]) if len(spoken) else 0
    if not first:
        return stream, ()
    rows = "row holds" if first == 1 else f"{first:,} rows hold"
    detail = f"{', '.join(axes)}: the first {rows} no reading yet"
    kept = replace(stream, time_s=stream.time_s[first:], values=stream.values[first:])
    return kept, (Problem(source, ProblemKind.LEADING_ZEROS, detail, "dropped"),)
