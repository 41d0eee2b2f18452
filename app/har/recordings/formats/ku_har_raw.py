"""One raw KU-HAR file: eight columns without header, accelerometer and gyroscope on clocks of their own.

Format: Sikder & Nahid, KU-HAR: An open dataset for heterogeneous human activity recognition, Pattern Recognition
Letters 146 (2021). Time in seconds, m/s² with gravity removed, rad/s. As a data set,
`…/<id>.<Activity>/<subject>_<letter>_<trial>.csv`, the whole set or some of its folders.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from app.har.errors import HarError
from app.har.problems import Problem, ProblemKind
from app.har.recordings.build import build_recording, raw_stream, read_each
from app.har.recordings.files import Member
from app.har.recordings.layout import Layout, is_number
from app.har.recordings.parts import (
    UNKNOWN_SUBJECT,
    Part,
    read_each_file,
)
from app.har.recordings.tables import Source, open_table, parse
from app.har.signals.clocks import positive_steps
from app.har.signals.types import Recording

if TYPE_CHECKING:
    import polars as pl

APP = "KU-HAR"
FOLDER = re.compile(r"\d+\.(.+)")
COLUMNS = ("t_acc", "ax", "ay", "az", "t_gyro", "gx", "gy", "gz")
# Of the data set's 712 files the two clocks start up to 38 s apart, and their steps differ up to twofold at the start
MAX_STEP_S, MAX_RATIO, MAX_APART_S = 0.5, 3.0, 60.0
RISING = 0.8  # of a clock's steps at least
DESCRIPTION = "raw KU-HAR: 8 columns without header (t_acc, ax, ay, az, t_gyro, gx, gy, gz)"
FORMAT = "ku-har-raw"
TITLE = "KU-HAR, raw time-domain data"
SHOW_RECORDING = True
FILE = re.compile(r"(\d+)_[A-Z]_\d+")


def activity_of(name: str) -> str | None:
    """Return the activity that the folder `<id>.<Activity>` of a file names, if it does."""
    folder = FOLDER.fullmatch(PurePosixPath(name).parent.name)
    return folder.group(1) if folder else None


def matches(layout: Layout) -> bool:
    """Tell whether a layout is that of a raw KU-HAR file: two clocks that agree, in the first and the fifth column."""
    if layout.header or layout.n_columns != len(COLUMNS) or not all(layout.numeric(i) for i in range(len(COLUMNS))):
        return False
    clocks = [clock for clock in map(_clock, (layout.column(0), layout.column(4))) if clock]
    if len(clocks) < 2:
        return False
    (start, step), (other_start, other_step) = clocks
    return abs(start - other_start) < MAX_APART_S and 1 / MAX_RATIO < step / other_step < MAX_RATIO


def _clock(cells: list[str]) -> tuple[float, float] | None:
    """Return where a clock in seconds starts and its typical step, None where cells hold no such clock."""
    time = np.array([float(cell.replace(",", ".")) for cell in cells if cell.strip() and is_number(cell)])
    time = time[np.isfinite(time)]  # damaged cells aside; their rows will be listed
    steps = positive_steps(time)
    if not len(steps) or (np.diff(time) >= 0).mean() < RISING or np.median(steps) > MAX_STEP_S:
        return None
    return float(time[0]), float(np.median(steps))


def read_frame(source: Source) -> pl.DataFrame:
    """Parse the file's own columns."""
    import polars as pl

    return parse(source, {name: pl.Float64 if name.startswith("t_") else pl.Float32 for name in COLUMNS})


def to_recording(
    source: Source, frame: pl.DataFrame, recording_id: str, subject: str, activity: str | None
) -> Recording:
    """Make a recording of the parsed columns."""
    streams = [
        raw_stream(source, frame, "accelerometer", COLUMNS[0], COLUMNS[1:4], unit="m/s², by the format"),
        raw_stream(source, frame, "gyroscope", COLUMNS[4], COLUMNS[5:8], unit="rad/s, by the format"),
    ]
    return build_recording(source.name, recording_id, subject, streams, gravity="removed", activity=activity, app=APP)


def read(sources: list[Source], upload: str) -> list[Recording]:
    """Read uploaded files; the activity is known where a folder names it."""
    return read_each(
        {source.name: source for source in sources},
        lambda name, source: to_recording(source, read_frame(source), name, name, activity_of(name)),
    )


def read_dataset(members: list[Member]) -> Iterator[Part]:
    """Read one recording a file; the folder names the activity, the file name the subject."""
    yield from read_each_file(members, _read_one)


def _read_one(member: Member) -> Part:
    path = PurePosixPath(member.name)
    name = f"{path.parent.name}/{path.name}" if path.parent.name else path.name
    activity, file = activity_of(member.name), FILE.fullmatch(path.stem)
    problems = []
    if not activity:
        problems.append(
            Problem(name, ProblemKind.NO_LABEL, "the folder is not named <id>.<Activity>", "kept without label")
        )
    if not file:
        problems.append(
            Problem(
                name,
                ProblemKind.NO_SUBJECT,
                "the file is not named <subject>_<letter>_<trial>.csv",
                f"subject {UNKNOWN_SUBJECT!r}",
            )
        )
    try:
        source = open_table(Member(name, member.size, member.opener))
        if not matches(source.layout):
            problems.append(
                Problem(
                    name,
                    ProblemKind.OTHER_LAYOUT,
                    f"{source.layout.describe()}; expected {DESCRIPTION}",
                    "file skipped",
                )
            )
            return Part(None, {}, tuple(problems))
        frame = read_frame(source)
        recording = to_recording(
            source,
            frame,
            name.removesuffix(path.suffix),
            file.group(1) if file else UNKNOWN_SUBJECT,
            activity,
        )
    except HarError as error:
        return Part(None, {}, (*problems, Problem(name, ProblemKind.UNREADABLE_FILE, str(error), "file skipped")))
    return Part(recording, {"rows": frame}, tuple(problems))
