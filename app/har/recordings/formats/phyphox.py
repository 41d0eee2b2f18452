"""phyphox: `"Time (s)","Acceleration x (m/s^2)",…`, the unit in each heading; a CSV, or a zip or workbook of several.

Format: phyphox.org, data export; separators `,` `;` or tab, decimal point or comma, `1.234E0` notation. The sensor is
in the headings or, where they say no more than "X (m/s^2)", in the file's name. `meta/time.csv` has the start.
Hand-edited headings in the same manner ("Accel_X (m/s^2)") are read alike.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any

from app.har.errors import HarError, UnreadableData
from app.har.problems import Problem, ProblemKind
from app.har.recordings.build import raw_stream, read_each
from app.har.recordings.layout import Layout
from app.har.recordings.sensors import Reading, assemble, identify_sensor_and_unit, kind_of_name
from app.har.recordings.tables import Source, columns
from app.har.recordings.unused_columns import unused_columns
from app.har.signals.types import Recording
from app.har.signals.units import unit_of_text

APP = "phyphox"
DESCRIPTION = 'phyphox: columns "Time (s)", "… x (unit)", "… y (unit)", "… z (unit)"'
TIME = re.compile(r"(time|t|zeit|temps)\b[^()\[\]]*[(\[]\s*(s|ms)\s*[)\]]")
SINGLES = {"pressure": "pressure", "illuminance": "light", "sound pressure level": "sound_level"}  # of one column
SINGLE = re.compile(r"(?P<name>[a-z ]+?)\s*[(\[](?P<unit>[^()\[\]]+)[)\]]")
COMPUTED = ("altitude (m)", "time (velocity) (s)", "velocity (m/s)")  # from pressure, in the experiment on lifts
BETWEEN = " \t\xa0_.-"  # name and axis
AXIS = re.compile(rf"(?P<name>.*)(?<![^{BETWEEN}])(?P<axis>[xyz])\s*[(\[](?P<unit>[^()\[\]]+)[)\]]")
EVENTS = ("event", "experiment time", "system time")
DEVICE = ("property", "value")
META = "meta"


@dataclass(frozen=True)
class Sensor:
    """The column of a sensor, or its three, and the column of its clock."""

    name: str
    unit: str
    time: int
    axes: tuple[int, ...]


def matches(layout: Layout) -> bool:
    """Tell whether the header names a time and the three axes of a sensor, with units; or what comes beside them."""
    return bool(_triples(layout) or _is_single(layout)) or layout.names[:3] == EVENTS or layout.names == DEVICE


def _is_single(layout: Layout) -> bool:
    """Tell whether a file holds nothing but sensors of one column and what the app computes from them."""
    singles = _singles(layout)
    read = {place for sensor in singles for place in (sensor.time, *sensor.axes)}
    return bool(singles) and all(i in read or name in COMPUTED for i, name in enumerate(layout.names))


def _sensors(layout: Layout) -> list[Sensor]:
    return [*_triples(layout), *_singles(layout)]


def _singles(layout: Layout) -> list[Sensor]:
    found = []
    time = -1
    for index, heading in enumerate(layout.names):
        if TIME.fullmatch(heading):
            time = index
        elif time >= 0 and (own := SINGLE.fullmatch(heading)) and own["name"] in SINGLES:
            found.append(Sensor(own["name"], unit_of_text(own["unit"]), time, (index,)))
    return found


def _triples(layout: Layout) -> list[Sensor]:
    found: list[Sensor] = []
    time = -1
    open_axes: dict[tuple[str, str], dict[str, int]] = {}
    for index, heading in enumerate(layout.names):
        if TIME.fullmatch(heading):
            time = index
        elif time >= 0 and (axis := AXIS.fullmatch(heading)) and unit_of_text(axis["unit"]):
            name = axis["name"].rstrip(BETWEEN)
            places = open_axes.setdefault((name, axis["unit"]), {})
            places[axis["axis"]] = index
            if len(places) == 3:
                found.append(Sensor(name, unit_of_text(axis["unit"]), time, (places["x"], places["y"], places["z"])))
                del open_axes[name, axis["unit"]]
    return found


def read(sources: list[Source], upload: str) -> list[Recording]:
    """Read uploaded files; those of one folder are one recording, with the start from the folder `meta` in it."""
    folders: dict[str, list[Source]] = defaultdict(list)
    starts: dict[str, float] = {}
    for source in sources:
        folder = PurePosixPath(source.name).parent
        if source.layout.names[:3] == EVENTS:
            export = folder.parent if folder.name.lower() == META else folder
            if (start := _start(source)) is not None:
                starts[str(export)] = start
        elif source.layout.names != DEVICE:
            folders[str(folder)].append(source)
    if not folders:
        raise UnreadableData(f"{upload}: holds the events of a phyphox recording, but no sensor's file.")
    exports = {upload if folder == "." else folder: (files, starts.get(folder)) for folder, files in folders.items()}
    return read_each(exports, lambda name, part: _read_export(part[0], name, part[1]))


def _start(source: Source) -> float | None:
    """Return the Unix time at which the experiment's clock was 0."""
    for event, experiment, system in (row[:3] for row in source.layout.rows if len(row) >= 3):
        if event.strip().strip('"').upper() == "START":
            try:
                return float(system.replace(",", ".")) - float(experiment.replace(",", "."))
            except ValueError:
                return None
    return None


def _read_export(sources: list[Source], name: str, origin: float | None) -> Recording:
    readings: list[Reading] = []
    problems: list[Problem] = []
    for source in sources:
        try:
            readings.extend(_read_table(source))
            problems.extend(_unused(source))
        except HarError as error:
            problems.append(Problem(source.name, ProblemKind.UNREADABLE_FILE, str(error), "left out"))
    if not readings:
        raise UnreadableData(problems[-1].detail)
    return assemble(readings, name, app=APP, origin_utc_s=origin, problems=problems)


def _read_table(source: Source) -> list[Reading]:
    import polars as pl

    sensors = _sensors(source.layout)
    wanted: dict[str, tuple[int, Any]] = {f"time {sensor.time}": (sensor.time, pl.Float64) for sensor in sensors}
    for sensor in sensors:
        wanted |= {f"column {place}": (place, pl.Float32) for place in sensor.axes}
    frame = columns(source, wanted)
    readings = []
    for sensor in sensors:
        axes = [f"column {place}" for place in sensor.axes]
        rows = frame
        if len(sensors) > 1:  # shorter sensors of a merged table leave cells empty
            rows = frame.filter(~pl.all_horizontal(pl.col(axes).is_null()))
        in_ms = "ms" in TIME.fullmatch(source.layout.names[sensor.time]).group(2)  # type: ignore[union-attr]
        modality = SINGLES.get(sensor.name, "accelerometer")
        stream, problems = raw_stream(source, rows, modality, f"time {sensor.time}", axes, in_seconds=not in_ms)
        reading = identify_sensor_and_unit(stream, source.name, _kind(sensor, source), sensor.unit)
        readings.append(replace(reading, problems=(*problems, *reading.problems)))
    return readings


def _unused(source: Source) -> list[Problem]:
    names = source.layout.names
    axes = [place for sensor in _sensors(source.layout) for place in sensor.axes]
    times = [place for place, name in enumerate(names) if TIME.fullmatch(name)]
    return unused_columns(source, [*axes, *times], COMPUTED)


def _kind(sensor: Sensor, source: Source) -> str:
    """Return what the heading says, or the file's name where the heading says little or nothing."""
    if sensor.name in SINGLES:
        return SINGLES[sensor.name]
    by_heading, by_file = kind_of_name(sensor.name), kind_of_name(PurePosixPath(source.name).stem)
    return by_file if by_heading in ("", "acceleration") and by_file else by_heading
