"""WISDM: `user,activity,timestamp,x,y,z;` without header, 20 Hz, many people in each file.

Formats: Kwapisz et al., Activity recognition using cell phone accelerometers, SensorKDD 2010 (`WISDM_ar_v1.1_raw.txt`,
one accelerometer, activity by name), and Weiss, WISDM smartphone and smartwatch activity and biometrics dataset, UCI
2019 (`data_1600_accel_phone.txt`, a file a person, device and sensor, activity by letter). Time in ns of the phone's
clock, m/s² with gravity, rad/s. Known faults: two rows on a line, rows without z, time stamps of 0, a clock that starts
again between sessions.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from app.har.errors import HarError, UnreadableData
from app.har.problems import Problem, ProblemKind
from app.har.recordings.build import build_recording, earliest, label_codes, raw_stream
from app.har.recordings.layout import Layout, is_number
from app.har.recordings.sensors import identify_sensor_and_unit
from app.har.recordings.tables import Source, columns
from app.har.signals.clocks import to_seconds
from app.har.signals.types import UNLABELLED, Recording, Stream

if TYPE_CHECKING:
    import polars as pl

APP = "WISDM"
COLUMNS = ("user", "activity", "time", "x", "y", "z")
AXES = COLUMNS[3:]
DESCRIPTION = "WISDM: user,activity,timestamp,x,y,z; without header"
FILE = re.compile(r"(?:data_)?\d+_(accel|gyro)_(phone|watch)", re.I)
SENSORS = {"accel": "accelerometer", "gyro": "gyroscope"}
# The letters of 2019
ACTIVITIES = {
    "A": "Walking", "B": "Jogging", "C": "Stairs", "D": "Sitting", "E": "Standing", "F": "Typing",
    "G": "Brushing teeth", "H": "Eating soup", "I": "Eating chips", "J": "Eating pasta", "K": "Drinking from cup",
    "L": "Eating sandwich", "M": "Kicking", "O": "Playing catch", "P": "Dribbling", "Q": "Writing", "R": "Clapping",
    "S": "Folding clothes",
}  # fmt: skip


@dataclass(frozen=True)
class Part:
    """One person's rows of one sensor."""

    source: Source
    modality: str
    rows: pl.DataFrame


def matches(layout: Layout) -> bool:
    """Tell whether rows hold a number, a name, a time and three values, and end in a semicolon."""
    good = [row for row in layout.rows if len(row) >= len(COLUMNS)]
    return (
        layout.terminator == ";"
        and layout.header is None
        and layout.n_columns in (len(COLUMNS), len(COLUMNS) + 1)
        and all(row[0].strip().isdecimal() and not is_number(row[1]) and is_number(row[2]) for row in good)
    )


def read(sources: list[Source], upload: str) -> list[Recording]:
    """Read uploaded files, a recording a person with the sensors of all their files."""
    people: dict[str, list[Part]] = defaultdict(list)
    problems: list[Problem] = []
    for source in sources:
        try:
            frame, modality, found = _read_table(source)
        except HarError as error:
            if len(sources) == 1:
                raise
            problems.append(Problem(source.name, ProblemKind.UNREADABLE_FILE, str(error), "left out"))
            continue
        problems.extend(found)
        for (user,), rows in frame.partition_by("user", as_dict=True, maintain_order=True).items():
            people[str(user)].append(Part(source, modality, rows))
    recordings: list[Recording] = []
    for user, parts in people.items():
        try:
            recordings.append(_read_person(user, parts, problems if not recordings else []))
        except HarError as error:
            problems.append(
                Problem(parts[0].source.name, ProblemKind.UNUSABLE_RECORDING, f"{user}: {error}", "left out")
            )
    if not recordings:
        raise UnreadableData(problems[-1].detail if problems else f"{upload}: holds no rows of WISDM.")
    return recordings


def _read_table(source: Source) -> tuple[pl.DataFrame, str, list[Problem]]:
    """Return the usable rows, the sensor they are of and what was wrong."""
    import polars as pl

    types = {"user": pl.String, "activity": pl.String, "time": pl.Int64}
    frame = columns(source, {name: (place, types.get(name, pl.Float32)) for place, name in enumerate(COLUMNS)})
    good = frame["user"].is_not_null() & frame["time"].fill_null(0).gt(0)
    for axis in AXES:
        good &= frame[axis].is_finite().fill_null(False)
    problems = []
    if not good.all():
        line = source.line(int(np.flatnonzero(~good.to_numpy())[0]))
        detail = f"{(~good).sum():,} of {len(good):,} rows without time or values, the first about line {line}"
        problems.append(Problem(source.name, ProblemKind.CORRUPT_ROWS, detail, "rows dropped"))
    frame = frame.filter(good).with_columns(pl.col("activity").str.strip_chars().replace(ACTIVITIES))
    if len(frame) < 2:
        raise UnreadableData(f"{source.name}: holds {len(frame)} usable rows; expected {DESCRIPTION}.")
    if file := FILE.fullmatch(source.layout.stem):
        return frame, f"{file.group(2).lower()}.{SENSORS[file.group(1).lower()]}", problems
    values = frame.select(AXES).head(100_000).to_numpy()
    reading = identify_sensor_and_unit(Stream("accelerometer", np.arange(len(values)) / 20.0, values), source.name)
    return frame, "gyroscope" if reading.kind == "gyroscope" else "accelerometer", problems


def _read_person(user: str, parts: list[Part], problems: list[Problem]) -> Recording:
    names: dict[str, int] = {}
    streams: list[tuple[Stream, list[Problem]]] = []
    origin = earliest((part.rows for part in parts), "time") or 0
    for part in parts:
        ids, found = label_codes(part.rows["activity"])
        codes = np.array([*(names.setdefault(name, len(names)) for name in found), UNLABELLED], np.int64)[ids]
        since = (part.rows["time"] - origin).to_numpy().astype(np.float64)
        seconds, _ = to_seconds(since, part.source.name)  # a few people's clocks are not in ns
        timed = part.rows.with_columns(time=seconds)
        unit = "rad/s, by the format" if part.modality.endswith("gyroscope") else "m/s², by the format"
        streams.append(raw_stream(part.source, timed, part.modality, "time", AXES, codes, unit=unit, in_seconds=True))
    return build_recording(
        f"WISDM {user}",
        f"user {user}",
        user,
        streams,
        activities=tuple(names),
        problems=problems,
        app=APP,
    )
