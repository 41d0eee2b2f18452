"""HHAR: `Index,Arrival_Time,Creation_Time,x,y,z,User,Model,Device,gt`, a file a sensor, many people in each.

Format: Stisen et al., Smart devices are different, SenSys 2015. Arrival_Time in ms since 1970, Creation_Time in ns on
device's own clock, m/s² with gravity, rad/s.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from app.har.errors import UnreadableData, quote
from app.har.problems import Problem, ProblemKind
from app.har.recordings.build import build_recording, earliest, label_codes, raw_stream
from app.har.recordings.files import Member
from app.har.recordings.layout import Layout
from app.har.recordings.parts import Part, first_minutes, matching_files, with_consistent_units
from app.har.recordings.sensors import SENSOR_OF_KIND, kind_of_name
from app.har.recordings.tables import Source, parse
from app.har.signals.evidence import gravity_evidence
from app.har.signals.types import Recording, Stream
from app.har.types import FloatArray

if TYPE_CHECKING:
    import polars as pl

COLUMNS = ("Index", "Arrival_Time", "Creation_Time", "x", "y", "z", "User", "Model", "Device", "gt")
APP = "HHAR"
SENSORS = ("accelerometer", "gyroscope")
UNITS = {"accelerometer": "m/s², by the format", "gyroscope": "rad/s, by the format"}
AXES = ("x", "y", "z")
DESCRIPTION = f"HHAR: columns {', '.join(COLUMNS)}"
TYPICAL_RATE_HZ = 100.0  # of the set's devices, which give 50 to 200
FORMAT = "hhar"
TITLE = "HHAR, phones and watches"
SHOW_RECORDING = False  # the file's own columns name user and device


@dataclass(frozen=True)
class Table:
    """One sensor's file."""

    source: Source
    sensor: str
    frame: pl.DataFrame
    problems: tuple[Problem, ...]


def matches(layout: Layout) -> bool:
    """Tell whether a layout is HHAR's, by its header or, without one, by its columns."""
    if layout.header:
        return tuple(name.lower() for name in layout.header) == tuple(name.lower() for name in COLUMNS)
    return (
        layout.n_columns == len(COLUMNS)
        and all(layout.numeric(i) for i in range(6))
        and not any(layout.numeric(i) for i in range(6, 9))
    )


def read_table(source: Source) -> Table:
    """Parse a file; its name says which sensor it is of, or the length of its vectors."""
    import polars as pl

    ruined = any("e" in cell.lower() for cell in source.layout.column(2))
    types: dict[str, Any] = {
        "Index": pl.Int64,
        "Arrival_Time": pl.Int64,
        "Creation_Time": pl.Float64 if ruined else pl.Int64,
    }
    schema = {name: types.get(name, pl.Float32 if name in "xyz" else pl.String) for name in COLUMNS}
    frame = parse(source, schema)
    values = frame.select(AXES).to_numpy()
    values = values[np.isfinite(values).all(axis=1)]
    if not len(values):
        raise UnreadableData(
            f"{source.name}, line {source.line(0)}: expected numbers in x, y, z, found none in the file."
        )
    sensor = _sensor_of(values, source.name)
    problems = []
    if source.layout.separator != ",":
        name = {"\t": "tabs", ";": "semicolons"}.get(source.layout.separator, repr(source.layout.separator))
        problems.append(
            Problem(source.name, ProblemKind.SEPARATOR, f"{sensor}: columns between {name}, not commas", "read so")
        )
    if ruined:
        detail = f"Creation_Time is in a spreadsheet's notation ({quote(source.layout.column(2)[0])})"
        problems.append(Problem(source.name, ProblemKind.UNUSABLE_TIMESTAMPS, detail, "Arrival_Time is used instead"))
    return Table(source, sensor, frame, tuple(problems))


def _sensor_of(values: FloatArray, name: str) -> str:
    """Return the sensor that a file's name says; failing that, an accelerometer is what has gravity in any unit."""
    by_name = SENSOR_OF_KIND.get(kind_of_name(PurePosixPath(name).stem), "")
    if by_name in SENSORS:
        return by_name
    stream = Stream("accelerometer", np.arange(len(values)) / TYPICAL_RATE_HZ, values)
    return "accelerometer" if gravity_evidence(stream).plausible_unit else "gyroscope"


def read_pairs(tables: list[Table]) -> Iterator[tuple[Recording, dict[str, pl.DataFrame]]]:
    """Yield a recording for each user and device, with its rows as recorded by sensor."""
    import polars as pl

    groups: dict[tuple[str, str], dict[str, tuple[Table, pl.DataFrame]]] = {}
    for table in tables:
        for key, rows in table.frame.partition_by("User", "Device", as_dict=True, maintain_order=True).items():
            sensors = groups.setdefault((str(key[0]), str(key[1])), {})
            if table.sensor in sensors:
                rows = pl.concat([sensors[table.sensor][1], rows])
            sensors[table.sensor] = (table, rows)
    listed: set[str] = set()
    for (user, device), sensors in groups.items():
        if user in ("None", "") or device in ("None", ""):
            continue
        problems = [p for table, _ in sensors.values() if table.source.name not in listed for p in table.problems]
        listed.update(table.source.name for table, _ in sensors.values())
        recording = _pair(user, device, sensors, problems)
        yield recording, {sensor: rows for sensor, (_, rows) in sensors.items()}


def _pair(user: str, device: str, sensors: dict[str, tuple[Table, pl.DataFrame]], problems: list[Problem]) -> Recording:
    """Match the sensors of one device on one clock."""
    name = f"{user} {device}"
    missing = [sensor for sensor in SENSORS if sensor not in sensors]
    if missing:
        problems.append(
            Problem(
                name,
                ProblemKind.MISSING_SENSOR,
                f"no {missing[0]} rows for this user and device",
                f"kept without {missing[0]}",
            )
        )
    # The device's own clock serves only if every sensor has it
    ruined = any(
        problem.kind == ProblemKind.UNUSABLE_TIMESTAMPS for table, _ in sensors.values() for problem in table.problems
    )
    clock = "Arrival_Time" if ruined else "Creation_Time"
    parts: list[tuple[Stream, list[Problem]]] = []
    names: dict[str, int] = {}
    scale = 1e-9 if clock == "Creation_Time" else 1e-3
    origin = earliest((rows for _, rows in sensors.values()), clock) or 0
    for sensor in (s for s in SENSORS if s in sensors):
        table, rows = sensors[sensor]
        codes, found = label_codes(rows["gt"])
        ids = np.array([*(names.setdefault(activity, len(names)) for activity in found), -1], np.int64)
        timed = rows.with_columns(((rows[clock] - origin) * scale).alias("time"))
        parts.append(
            raw_stream(table.source, timed, sensor, "time", AXES, ids[codes], unit=UNITS[sensor], in_seconds=True)
        )
    # The watches' Creation_Time counts from their start
    start = earliest((rows for _, rows in sensors.values()), "Arrival_Time")
    return build_recording(
        name,
        name,
        user,
        parts,
        gravity="included",
        activities=tuple(names),
        problems=problems,
        app=APP,
        origin_utc_s=None if start is None else start * 1e-3,
    )


def read(sources: list[Source], upload: str) -> list[Recording]:
    """Read uploaded files, both sensors' where they are there."""
    return [recording for recording, _ in read_pairs([read_table(source) for source in sources])]


def read_dataset(members: list[Member]) -> Iterator[Part]:
    """Read one recording a user and device."""
    sources, skipped = matching_files(members, matches, DESCRIPTION)
    yield Part(None, {}, skipped, 0.0)
    yield from with_consistent_units(_parts(sources), [sources], _first_recordings)


def _first_recordings(sources: list[Source]) -> list[Recording]:
    beginnings = [replace(source, member=first_minutes(source.member)) for source in sources]
    return [recording for recording, _ in read_pairs([read_table(source) for source in beginnings])]


def _parts(sources: list[Source]) -> Iterator[Part]:
    tables = []
    for number, source in enumerate(sources, 1):
        tables.append(read_table(source))
        yield Part(None, fraction=0.5 * number / len(sources))
    rows = sum(len(table.frame) for table in tables) or 1
    done = 0
    for recording, frames in read_pairs(tables):
        done += sum(len(frame) for frame in frames.values())
        yield Part(recording, frames, fraction=0.5 + 0.5 * done / rows)
