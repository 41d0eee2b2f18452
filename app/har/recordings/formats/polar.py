"""Polar Sensor Logger: `Phone timestamp;sensor timestamp [ns];X [mg];Y [mg];Z [mg]`, a text file for each signal.

Format: the app by J. Happonen, which writes what Polar's BLE SDK hands over: `_ACC` in mg with gravity, `_GYRO` in
deg/s, `_MAGN` in gauss, `_HR` in beats a minute. The sensor counts ns since the year 2000 on one clock for all its
signals; the phone's stamps, local time without a zone, are when they arrived. Pulse has these alone.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from app.har.errors import HarError, UnreadableData
from app.har.problems import Problem, ProblemKind
from app.har.recordings.build import build_recording, raw_stream, read_each
from app.har.recordings.date_times import date_time_seconds, names_zone
from app.har.recordings.layout import Layout
from app.har.recordings.tables import Source, columns
from app.har.signals.clocks import first_s
from app.har.signals.types import Recording, Stream
from app.har.signals.units import ROTATION, STANDARD_GRAVITY

if TYPE_CHECKING:
    import polars as pl

APP = "Polar Sensor Logger"
DESCRIPTION = f"{APP}: text, Phone timestamp;sensor timestamp [ns];X [mg];… of ACC, GYRO and MAGN, and HR [bpm]"
PHONE, SENSOR, PULSE, AXES = "phone timestamp", "sensor timestamp [ns]", "hr [bpm]", ("x", "y", "z")
UNIT = re.compile(r"x \[(.{1,8})\]", re.I)
SENSORS = {  # by the unit of the heading, whose capitals count
    "mg": ("accelerometer", "mg", STANDARD_GRAVITY / 1000),
    "g": ("accelerometer", "g", STANDARD_GRAVITY),
    "dps": ("gyroscope", "deg/s", ROTATION["deg/s"]),
    "deg/sec": ("gyroscope", "deg/s", ROTATION["deg/s"]),
    "G": ("magnetometer", "gauss", 100.0),
}
Part = tuple[Stream, list[Problem]]


def matches(layout: Layout) -> bool:
    """Tell whether the first heading is that of the phone's clock, as the app writes it."""
    return layout.names[:1] == (PHONE,)


def read(sources: list[Source], upload: str) -> list[Recording]:
    """Read uploaded files; those of a folder whose names differ only in the signal are one recording."""
    groups: dict[str, list[Source]] = defaultdict(list)
    for source in sources:
        path = PurePosixPath(source.name)
        groups[str(path.with_name(path.stem.rpartition("_")[0] or path.stem))].append(source)
    return read_each(groups, lambda name, own: _read_together(own, own[0].name if len(own) == 1 else name))


def _read_together(sources: list[Source], name: str) -> Recording:
    parts: list[Part] = []
    problems: list[Problem] = []
    ahead_s: float | None = None  # by which the phone's clock is ahead of the sensor's
    local = True
    for source in sorted(sources, key=lambda source: _unit(source) == ""):
        try:
            part, zone, ahead_s = _read_one(source, ahead_s)
        except HarError as error:
            problems.append(Problem(source.name, ProblemKind.UNREADABLE_FILE, str(error), "left out"))
            continue
        parts.append(part)
        local = local and not zone
    if not parts:
        raise UnreadableData(problems[-1].detail)
    origin_s = first_s([stream for stream, _ in parts])
    moved = [(replace(stream, time_s=stream.time_s - origin_s), found) for stream, found in parts]
    return build_recording(
        name, name, name, moved, gravity="included", problems=problems, app=APP,
        origin_utc_s=origin_s, local_clock=local,
    )  # fmt: skip


def _unit(source: Source) -> str:
    """Return the unit of the first axis, "" where there is none that is known."""
    found = next(filter(None, (UNIT.fullmatch(heading.strip()) for heading in source.layout.header or ())), None)
    return found[1] if found and found[1] in SENSORS else ""


def _read_one(source: Source, ahead_s: float | None) -> tuple[Part, bool, float | None]:
    """Return a signal by the phone's clock, whether that says its zone, and by how much it is ahead of the sensor's."""
    import polars as pl

    names, unit = source.layout.names, _unit(source)
    if not unit and PULSE not in names:
        raise UnreadableData(
            f"{source.name}: expected X, Y and Z in mg, dps or G, or HR [bpm]; found "
            f"{', '.join(name for name in names[1:] if name)}, which is not read here."
        )
    places = [next(i for i, name in enumerate(names) if name.startswith(f"{axis} [")) for axis in AXES] if unit else []
    wanted = dict(zip(AXES, places, strict=True)) if unit else {"pulse": names.index(PULSE)}
    types: dict[str, tuple[int, Any]] = {name: (place, pl.Float32) for name, place in wanted.items()} | {
        "phone": (0, pl.String)
    }
    if unit and SENSOR in names:
        types["sensor"] = (names.index(SENSOR), pl.Float64)
    frame = columns(source, types)
    phone_s = date_time_seconds(frame["phone"])
    zone = names_zone(frame["phone"])
    if "sensor" in frame.columns:
        sensor_s = frame["sensor"] * 1e-9
        ahead_s = _ahead(phone_s, sensor_s) if ahead_s is None else ahead_s
        phone_s = sensor_s + (ahead_s or 0.0)
    frame = frame.with_columns(phone_s.alias("time"))
    if not unit:
        frame = frame.filter(pl.col("pulse") > 0)  # 0: the strap finds none
        return raw_stream(source, frame, "heart_rate", "time", ["pulse"], unit="beats/min, by the format",
                          in_seconds=True), zone, ahead_s  # fmt: skip
    modality, written, factor = SENSORS[unit]
    part = raw_stream(
        source, frame, modality, "time", AXES, unit=f"{written}, by the header", factor=factor, in_seconds=True
    )
    return part, zone, ahead_s


def _ahead(phone_s: pl.Series, sensor_s: pl.Series) -> float | None:
    """Return by how much the phone's clock is ahead: least where a sample was on its way for the shortest time."""
    least = (phone_s - sensor_s).min()
    return float(least) if isinstance(least, int | float) else None
