"""SP-SW-HAR: `x_acc,y_acc,z_acc,x_gyro,y_gyro,z_gyro,timestamp,label`, a file a device, phone and watch worn together.

Format: Matey-Sanz et al., Dataset of inertial measurements of smartphones and smartwatches for human activity
recognition, Data in Brief 51 (2023). Time in ms since 1970 on both devices, m/s² with gravity, rad/s. As a data
set, `…/<subject>_<execution>_{sp,sw}.csv`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from app.har.errors import HarError, UnreadableData
from app.har.problems import Problem, ProblemKind
from app.har.recordings.build import build_recording, label_codes, raw_stream
from app.har.recordings.files import Member, is_document
from app.har.recordings.layout import Layout
from app.har.recordings.parts import Part, first_minutes, natural_sort_key, prefetch_map, with_consistent_units
from app.har.recordings.tables import Source, open_table, parse
from app.har.signals.types import UNLABELLED, Recording, Stream

if TYPE_CHECKING:
    import polars as pl

AXES = {"accelerometer": ("x_acc", "y_acc", "z_acc"), "gyroscope": ("x_gyro", "y_gyro", "z_gyro")}
APP = "SP-SW-HAR"
UNITS = {"accelerometer": "m/s², by the format", "gyroscope": "rad/s, by the format"}
TIME, LABEL = "timestamp", "label"
COLUMNS = (*AXES["accelerometer"], *AXES["gyroscope"], TIME, LABEL)
DEVICES = {"sp": "phone", "sw": "watch"}
DESCRIPTION = f"SP-SW-HAR: columns {', '.join(COLUMNS)}"
FILE = re.compile(r"(.+)_(sp|sw)")
SHARED = 0.9  # of the shorter file; two devices that ran together for less are listed
FORMAT = "sp-sw-har"
TITLE = "SP-SW-HAR, phone and watch worn together"
SHOW_RECORDING = True
ABOUT_THE_SET = {"subject_id", "execution_id"}  # first headings of the tables that come with the recordings
Execution = tuple[str, dict[str, Member]]


@dataclass(frozen=True)
class Table:
    """One device's file."""

    source: Source
    frame: pl.DataFrame


def matches(layout: Layout) -> bool:
    """Tell whether a file's header is that of a device of this set."""
    return tuple(name.strip('"').lower() for name in layout.header or ()) == COLUMNS


def name_parts(name: str) -> tuple[str, str]:
    """Return the execution and the device that a file `<execution>_<sp|sw>.csv` is of; "" where its name says none."""
    path = PurePosixPath(name)
    file = FILE.fullmatch(path.stem)
    return (str(path.with_name(file.group(1))), DEVICES[file.group(2)]) if file else (str(path), "")


def read_table(source: Source) -> Table:
    """Parse the file's own columns."""
    import polars as pl

    types: dict[str, Any] = {TIME: pl.Int64, LABEL: pl.String}
    return Table(source, parse(source, {name: types.get(name, pl.Float32) for name in COLUMNS}))


def to_recording(
    recording_id: str, subject: str, tables: Mapping[str, Table], problems: Sequence[Problem] = ()
) -> Recording:
    """Put the devices of one execution, "phone" and "watch", on their shared clock; "" is a device without name."""
    stamps = {device: table.frame[TIME].drop_nulls().to_numpy() for device, table in tables.items()}
    origin = min((int(times.min()) for times in stamps.values() if len(times)), default=0)
    spans = {
        device: ((int(times.min()) - origin) / 1e3, (int(times.max()) - origin) / 1e3)
        for device, times in stamps.items()
        if len(times)
    }
    names: dict[str, int] = {}
    parts: list[tuple[Stream, list[Problem]]] = []
    for device, table in tables.items():
        codes, found = label_codes(table.frame[LABEL])
        ids = np.array([*(names.setdefault(name, len(names)) for name in found), UNLABELLED], np.int64)
        timed = table.frame.with_columns(((table.frame[TIME] - origin) * 1e-3).alias("time"))
        for sensor, axes in AXES.items():
            modality = f"{device}.{sensor}" if device else sensor
            parts.append(raw_stream(table.source, timed, modality, "time", axes, ids[codes], unit=UNITS[sensor]))
    return build_recording(
        recording_id,
        recording_id,
        subject,
        parts,
        gravity="included",
        activities=tuple(names),
        problems=[*problems, *_clocks_apart(recording_id, spans)],
        app=APP,
        origin_utc_s=origin * 1e-3,
    )


def _clocks_apart(recording_id: str, spans: Mapping[str, tuple[float, float]]) -> list[Problem]:
    """List devices that, by their clocks, ran together for less than most of the time."""
    problems = []
    for (one, a), (other, b) in pairwise(spans.items()):
        shared = min(a[1], b[1]) - max(a[0], b[0])
        if shared < SHARED * min(a[1] - a[0], b[1] - b[0]):
            detail = f"{one} from {a[0]:.1f} to {a[1]:.1f} s, {other} from {b[0]:.1f} to {b[1]:.1f} s"
            action = f"the {shared:.1f} s that both share are used" if shared > 0 else "nothing is shared"
            problems.append(Problem(recording_id, ProblemKind.CLOCKS_APART, detail, action))
    return problems


def read(sources: list[Source], upload: str) -> list[Recording]:
    """Read uploaded files; the phone's and the watch's of one execution become one recording."""
    executions: dict[str, dict[str, Table]] = {}
    for source in sources:
        execution, device = name_parts(source.name)
        executions.setdefault(execution, {})[device] = read_table(source)
    return [
        to_recording(
            PurePosixPath(execution).name,
            PurePosixPath(execution).name,
            {device: tables[device] for device in (*DEVICES.values(), "") if device in tables},
        )
        for execution, tables in executions.items()
    ]


def read_dataset(members: list[Member]) -> Iterator[Part]:
    """Read one recording an execution, with both devices; file names pair them and say the subject."""
    executions: dict[str, dict[str, Member]] = {}
    others: list[Member] = []
    for member in sorted(members, key=lambda member: natural_sort_key(member.name)):
        execution, device = name_parts(member.name)
        if device:
            executions.setdefault(execution, {})[device] = member
        else:
            others.append(member)
    yield Part(None, {}, tuple(problem for member in others for problem in _not_a_recording(member)), 0.0)
    pairs = list(executions.items())
    yield from with_consistent_units(_parts(pairs), pairs, lambda pair: _read_one(_beginning(pair)).recordings)


def _beginning(execution: Execution) -> Execution:
    name, files = execution
    return name, {device: first_minutes(member) for device, member in files.items()}


def _parts(executions: Sequence[Execution]) -> Iterator[Part]:
    total = sum(member.size for _, files in executions for member in files.values()) or 1
    done = 0
    for (_, files), part in zip(executions, prefetch_map(_read_one, executions), strict=True):
        done += sum(member.size for member in files.values())
        yield Part(part.content, part.rows, part.problems, done / total)


def _not_a_recording(member: Member) -> Iterator[Problem]:
    if is_document(member.name):
        return
    expected = "expected <subject>_<execution>_sp.csv or …_sw.csv"
    try:
        layout = open_table(member).layout
    except UnreadableData as error:
        yield Problem(member.name, ProblemKind.UNREADABLE_FILE, str(error), "file skipped")
        return
    if matches(layout):
        yield Problem(
            member.name, ProblemKind.NO_DEVICE, f"the name says neither phone nor watch; {expected}", "file skipped"
        )
    elif not ABOUT_THE_SET & set(layout.header or ()):
        yield Problem(member.name, ProblemKind.OTHER_LAYOUT, f"{layout.describe()}; {expected}", "file skipped")


def _read_one(execution: Execution) -> Part:
    path, files = execution
    name = PurePosixPath(path).name
    tables: dict[str, Table] = {}
    problems: list[Problem] = []
    for device in DEVICES.values():
        if device not in files:
            detail = f"no file of the {device}; expected one of each device"
            problems.append(Problem(name, ProblemKind.MISSING_DEVICE, detail, f"read without {device}"))
            continue
        try:
            source = open_table(files[device])
            if matches(source.layout):
                tables[device] = read_table(source)
            else:
                detail = f"{source.layout.describe()}; expected {DESCRIPTION}"
                problems.append(Problem(source.name, ProblemKind.OTHER_LAYOUT, detail, "file skipped"))
        except HarError as error:
            problems.append(Problem(files[device].name, ProblemKind.UNREADABLE_FILE, str(error), "file skipped"))
    if not tables:
        return Part(None, {}, tuple(problems))
    try:
        recording = to_recording(name, name.partition("_")[0], tables)
    except HarError as error:
        return Part(None, {}, (*problems, Problem(name, ProblemKind.UNREADABLE_FILE, str(error), "left out")))
    return Part(recording, {device: table.frame for device, table in tables.items()}, tuple(problems))
