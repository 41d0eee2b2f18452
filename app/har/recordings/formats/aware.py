"""AWARE: `timestamp,device_id,double_values_0,double_values_1,double_values_2,…`, a file a sensor.

Format: awareframework.com, the tables of its motion sensors. Time in ms since 1970; m/s² and rad/s on Android, g on
iOS, where acceleration has Apple's sign (at rest it points down) in every table. The sensor comes from the file's name
or, failing that, from the size of the values. Its barometer has `double_values_0` alone, in hPa, its light
`double_light_lux`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from app.har.errors import HarError, UnreadableData
from app.har.problems import Problem, ProblemKind
from app.har.recordings.build import earliest, label_codes, raw_stream, read_each
from app.har.recordings.layout import Layout
from app.har.recordings.sensors import Reading, assemble, identify_sensor_and_unit, kind_of_name, right_way_up
from app.har.recordings.tables import Source, columns
from app.har.signals.types import UNLABELLED, Recording

if TYPE_CHECKING:
    import polars as pl

APP = "AWARE"
TIME, DEVICE, LABEL = "timestamp", "device_id", "label"
AXES = ("double_values_0", "double_values_1", "double_values_2")
SINGLES = {AXES[0]: "pressure", "double_light_lux": "light"}  # kinds of one column
UNITS = {"pressure": "", "light": "lux"}  # of the air's pressure by its size
TURNED = "acceleration is in g, as AWARE writes it on iOS alone, where it has the opposite sign"
DESCRIPTION = f"AWARE: columns {TIME}, {', '.join(AXES)}"


def matches(layout: Layout) -> bool:
    """Tell whether the header has AWARE's time and its three values, or with its device the one of another sensor."""
    names = set(layout.names)
    return {TIME, *AXES} <= names or ({TIME, DEVICE} <= names and _single(layout.names) != "")


def _single(names: Sequence[str]) -> str:
    """Return the column of a table that has one value a row, "" of one that has three."""
    return "" if AXES[1] in names else next((name for name in SINGLES if name in names), "")


def read(sources: list[Source], upload: str) -> list[Recording]:
    """Read uploaded files; the sensors of one device in one folder are one recording."""
    devices: dict[tuple[str, str], list[tuple[Source, pl.DataFrame]]] = defaultdict(list)
    for source in sources:
        folder = str(PurePosixPath(source.name).parent)
        frame = _frame(source)
        for (device,), rows in frame.partition_by(DEVICE, as_dict=True, maintain_order=True).items():
            devices[folder, str(device or "").strip()].append((source, rows))
    named = {
        " ".join(filter(None, (upload if folder == "." else folder, device))): tables
        for (folder, device), tables in devices.items()
    }
    return read_each(named, lambda name, tables: _read_device(tables, name))


def _frame(source: Source) -> pl.DataFrame:
    import polars as pl

    names = source.layout.names
    ruined = any("e" in cell.lower() or "." in cell for cell in source.layout.column(names.index(TIME)))
    wanted: dict[str, tuple[int, Any]] = {TIME: (names.index(TIME), pl.Float64 if ruined else pl.Int64)}
    values = [single] if (single := _single(names)) else AXES
    wanted |= {axis: (names.index(axis), pl.Float32) for axis in values}
    wanted |= {name: (names.index(name), pl.String) for name in (DEVICE, LABEL) if name in names}
    frame = columns(source, wanted)
    return frame if DEVICE in frame.columns else frame.with_columns(pl.lit("").alias(DEVICE))


def _read_device(tables: list[tuple[Source, pl.DataFrame]], name: str) -> Recording:
    origin = earliest((rows for _, rows in tables), TIME) or 0
    names: dict[str, int] = {}
    found: list[tuple[Source, pl.DataFrame, Reading]] = []
    problems: list[Problem] = []
    for source, rows in tables:
        try:
            found.append((source, rows, _read_sensor(source, rows, origin, names)))
        except HarError as error:
            problems.append(Problem(source.name, ProblemKind.UNREADABLE_FILE, str(error), "left out"))
    readings = [reading for _, _, reading in found]
    if any(own.kind in ("total", "gravity") and own.stream.unit_found.startswith("g,") for own in readings):
        readings = [
            # Movement does not show its unit
            right_way_up(
                _read_sensor(source, rows, origin, names, "g") if reading.kind == "linear" else reading,
                source.name,
                TURNED,
            )
            for source, rows, reading in found
        ]
    if not readings:
        raise UnreadableData(problems[-1].detail)
    return assemble(readings, name, app=APP, origin_utc_s=origin * 1e-3, problems=problems, activities=tuple(names))


def _read_sensor(source: Source, rows: pl.DataFrame, origin: int, names: dict[str, int], unit: str = "") -> Reading:
    codes = None
    if LABEL in rows.columns:
        ids, found = label_codes(rows[LABEL])
        if found:
            codes = np.array([*(names.setdefault(name, len(names)) for name in found), UNLABELLED], np.int64)[ids]
    timed = rows.with_columns(((rows[TIME] - origin) * 1e-3).alias(TIME))
    if single := _single(source.layout.names):
        kind = SINGLES[single]
        stream, problems = raw_stream(source, timed, kind, TIME, [single], codes, in_seconds=True)
        reading = identify_sensor_and_unit(stream, source.name, kind, UNITS[kind], "by the format")
        return replace(reading, problems=(*problems, *reading.problems))
    stream, problems = raw_stream(source, timed, "accelerometer", TIME, AXES, codes, in_seconds=True)
    kind = kind_of_name(PurePosixPath(source.name).stem)
    reading = identify_sensor_and_unit(stream, source.name, kind, unit, "as its gravity")
    return replace(reading, problems=(*problems, *reading.problems))
