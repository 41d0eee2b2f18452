"""WISDM 2019, the watch without its clock: `id,activity,x,y,z;` and `id,activity,ns,x,y,z`, a file a person and sensor.

Format: Weiss, WISDM smartphone and smartwatch activity and biometrics dataset, UCI 2019, as `accel/data_<id>_accel_
watch.txt`, `gyro/data_<id>_gyro_watch.txt`; 20 Hz, m/s² with gravity, rad/s. Row i of one file belongs to row i of the
other, for the people for whom `pairing_check.csv` says so; the gyroscopes of the others are left out.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from functools import partial
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from app.har.errors import HarError
from app.har.problems import Problem, ProblemKind
from app.har.recordings.build import build_recording, raw_stream
from app.har.recordings.files import Member
from app.har.recordings.formats.wisdm import ACTIVITIES, APP, AXES
from app.har.recordings.layout import Layout, is_number
from app.har.recordings.parts import Part, natural_sort_key, prefetch_map
from app.har.recordings.tables import Source, open_table, parse
from app.har.signals.clocks import GAP_S
from app.har.signals.resampling import to_signal_set
from app.har.signals.types import MOTION, SignalSet

if TYPE_CHECKING:
    import polars as pl

RATE_HZ = 20.0
COLUMNS = ("user", "activity", *AXES)
FILE = re.compile(r"data_(\d+)_(accel|gyro)_watch")
UNITS = {"accelerometer": "m/s², by the format", "gyroscope": "rad/s, by the format"}
CHECK, CHECKED, MAX_LAG = "pairing_check.csv", ("D", "E", "M"), 10  # activities in which a lag shows clearly; samples
DESCRIPTION = "WISDM watch: user,activity,x,y,z; without header, without time"
FORMAT = "wisdm-watch"
TITLE = "WISDM 2019, the watch, six activities"
SHOW_RECORDING = True
Files = dict[str, Member]  # by sensor


def matches(layout: Layout) -> bool:
    """Tell whether rows hold a number, an activity's letter and three values, and end in a semicolon."""
    good = [row for row in layout.rows if len(row) == len(COLUMNS)]
    return (
        layout.terminator == ";"
        and layout.header is None
        and layout.n_columns == len(COLUMNS)
        and bool(good)
        and all(row[0].strip().isdecimal() and row[1].strip() in ACTIVITIES and is_number(row[2]) for row in good)
    )


def read_dataset(members: list[Member]) -> Iterator[Part]:
    """Read one recording a person and activity."""
    people: dict[str, Files] = {}
    paired: set[str] = set()
    others: list[Member] = []
    for member in sorted(members, key=lambda member: natural_sort_key(member.name)):
        path = PurePosixPath(member.name)
        if file := FILE.fullmatch(path.stem):
            people.setdefault(file.group(1), {})[file.group(2)] = member
        elif path.name == CHECK:
            paired = _paired(member)
        else:
            others.append(member)
    expected = "expected data_<id>_accel_watch.txt or data_<id>_gyro_watch.txt"
    yield Part(
        None, {}, tuple(Problem(m.name, ProblemKind.OTHER_LAYOUT, expected, "file skipped") for m in others), 0.0
    )
    for number, parts in enumerate(prefetch_map(partial(_read_person, paired), people.items()), 1):
        for part in parts:
            yield Part(part.content, part.rows, part.problems, number / len(people))


def _paired(check: Member) -> set[str]:
    """Return the people whose two files were found to run together."""
    lags: dict[str, dict[str, str]] = {}
    for row in csv.DictReader(io.StringIO(check.read().decode("utf-8", "replace"))):
        lags.setdefault(row.get("subject") or "", {})[row.get("activity") or ""] = row.get("best_lag_samples") or "nan"
    return {
        person
        for person, own in lags.items()
        if all(is_number(lag := own.get(letter, "nan")) and abs(float(lag)) <= MAX_LAG for letter in CHECKED)
    }


def _read_person(paired: set[str], files: tuple[str, Files]) -> list[Part]:
    """Read a person's files, a part an activity."""
    import polars as pl

    person, sensors = files
    if "accel" not in sensors:
        detail = "no file of the accelerometer"
        return [Part(None, {}, (Problem(f"data_{person}", ProblemKind.MISSING_SENSOR, detail, "left out"),))]
    problems: list[Problem] = []
    try:
        source = open_table(sensors["accel"])
        accelerometer = parse(source, {name: pl.String if name in COLUMNS[:2] else pl.Float32 for name in COLUMNS})
    except HarError as error:
        return [Part(None, {}, (Problem(sensors["accel"].name, ProblemKind.UNREADABLE_FILE, str(error), "skipped"),))]
    gyroscope: tuple[Source, pl.DataFrame] | None = None
    if "gyro" in sensors and person in paired:
        try:
            gyroscope = _read_gyroscope(sensors["gyro"])
        except HarError as error:
            problems.append(Problem(sensors["gyro"].name, ProblemKind.UNREADABLE_FILE, str(error), "file skipped"))
    elif "gyro" in sensors:
        detail = f"{CHECK} does not say that its rows belong to those of the accelerometer"
        problems.append(Problem(sensors["gyro"].name, ProblemKind.CLOCKS_APART, detail, "read without gyroscope"))
    parts = [Part(None, {}, tuple(problems))]
    for (letter,), rows in accelerometer.partition_by("activity", as_dict=True, maintain_order=True).items():
        if letter in ACTIVITIES:
            parts.append(_read_activity(person, str(letter), (source, rows), gyroscope))
    return parts


def _read_gyroscope(member: Member) -> tuple[Source, pl.DataFrame]:
    import polars as pl

    source = open_table(member)
    types = {"user": pl.String, "activity": pl.String, "time": pl.Int64}
    names = (*COLUMNS[:2], "time", *AXES)
    return source, parse(source, {name: types.get(name, pl.Float32) for name in names})


def _read_activity(
    person: str,
    letter: str,
    accelerometer: tuple[Source, pl.DataFrame],
    gyroscope: tuple[Source, pl.DataFrame] | None,
) -> Part:
    """Put a person's rows of one activity side by side, row by row."""
    tables = {"accelerometer": accelerometer}
    if gyroscope:
        rows = gyroscope[1].filter(gyroscope[1]["activity"] == letter)
        if _keeps_time(rows):
            tables["gyroscope"] = (gyroscope[0], rows)
    n = min(len(rows) for _, rows in tables.values())
    streams = []
    try:
        for modality, (source, rows) in tables.items():
            timed = rows.head(n).with_columns(time=np.arange(n) / RATE_HZ)
            streams.append(raw_stream(source, timed, modality, "time", AXES, unit=UNITS[modality], in_seconds=True))
        name = f"{person}_{letter}"
        recording = build_recording(
            accelerometer[0].name, name, person, streams, gravity="included", activity=ACTIVITIES[letter], app=APP
        )
        # A person without a gyroscope stays in the set
        signals: SignalSet = to_signal_set([recording], RATE_HZ, MOTION, allow_missing=True)
    except HarError as error:
        return Part(
            None, {}, (Problem(f"{person}_{letter}", ProblemKind.UNREADABLE_RECORDING, str(error), "left out"),)
        )
    return Part(signals, {modality: rows for modality, (_, rows) in tables.items()}, recording.problems)


def _keeps_time(rows: pl.DataFrame) -> bool:
    """Tell whether a gyroscope ran at the accelerometer's rate without a gap, so that rows can be counted."""
    steps = np.diff(rows["time"].drop_nulls().to_numpy()) * 1e-9
    return len(steps) > 1 and abs(float(np.median(steps)) * RATE_HZ - 1) < 0.05 and float(steps.max()) < GAP_S
