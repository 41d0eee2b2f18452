"""Oxford step counter: `ns,accuracy,x,y,z` without header as Android gives them, walking with a phone in many places.

Format: Salvi et al., An optimised algorithm for accurate steps counting from smart-phone accelerometry, EMBC 2018. Time
in ns of the phone's own clock, m/s² with gravity, no gyroscope. As a data set,
`<phone>_<person>_<floor>_<place>_<n>/accelerometer.csv`, 50 to 400 Hz by the phone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from app.har.problems import Problem, ProblemKind
from app.har.recordings.build import build_recording, earliest, raw_stream, read_each
from app.har.recordings.files import Member
from app.har.recordings.layout import Layout
from app.har.recordings.parts import UNKNOWN_SUBJECT, Part, read_each_file, read_one_file
from app.har.recordings.tables import Source, parse
from app.har.signals.clocks import positive_steps
from app.har.signals.types import Recording

if TYPE_CHECKING:
    import polars as pl

APP = "Oxford step counter"
COLUMNS = ("time", "accuracy", "x", "y", "z")
AXES = COLUMNS[2:]
ACCURACIES = {"-1", "0", "1", "2", "3"}  # as Android counts them
STEP_NS = (5e5, 1e9)  # the least and the most between two samples
DESCRIPTION = "Oxford step counter: 5 columns without header (ns, accuracy, x, y, z)"
FORMAT = "oxford-walk"
TITLE = "Oxford step counter, walking with a phone in many places"
SHOW_RECORDING = True
FOLDER = re.compile(r"[^_]+_([^_]+)_(?:.+_)?\d+")
ACTIVITY = "Walking"


def matches(layout: Layout) -> bool:
    """Tell whether rows hold nanoseconds that rise as a sensor's do, Android's accuracy and three numbers."""
    if layout.header or layout.n_columns != len(COLUMNS) or not all(map(layout.numeric, range(len(COLUMNS)))):
        return False
    stamps, accuracies = ([cell.strip() for cell in layout.column(i)] for i in range(2))
    if not ACCURACIES.issuperset(accuracies) or not all(stamp.isdecimal() for stamp in stamps):
        return False
    steps = positive_steps(np.array(stamps, np.float64))
    return bool(len(steps)) and STEP_NS[0] <= float(np.median(steps)) <= STEP_NS[1]


def person_of(name: str) -> str | None:
    """Return the person that the folder of a file names, None where it is not named as those of the data set are."""
    folder = FOLDER.fullmatch(PurePosixPath(name).parent.name)
    return folder.group(1) if folder else None


def read(sources: list[Source], upload: str) -> list[Recording]:
    """Read uploaded files, a recording each; who walked is known where a folder names it as in the data set."""
    return read_each({source.name: source for source in sources}, lambda _, source: _to_recording(source)[0])


def read_dataset(members: list[Member]) -> Iterator[Part]:
    """Read one recording a folder, which names the person."""
    yield from read_each_file(members, lambda member: read_one_file(member, matches, DESCRIPTION, _to_recording))


def _to_recording(source: Source) -> tuple[Recording, pl.DataFrame]:
    import polars as pl

    frame = parse(source, {name: pl.Int64 if name in COLUMNS[:2] else pl.Float32 for name in COLUMNS})
    timed = frame.with_columns((pl.col("time") - (earliest([frame], "time") or 0)) * 1e-9)
    part = raw_stream(source, timed, "accelerometer", "time", AXES, unit="m/s², by the format", in_seconds=True)
    person, folder = person_of(source.name), PurePosixPath(source.name).parent.name
    problems = []
    if person is None:
        detail = "the folder is not named <phone>_<person>_…_<number>"
        problems.append(Problem(source.name, ProblemKind.NO_LABEL, detail, "kept without label and person"))
    recording = build_recording(
        source.name,
        folder or source.name,
        person or UNKNOWN_SUBJECT,
        [part],
        gravity="included",
        activity=ACTIVITY if person else None,
        problems=problems,
        app=APP,
    )
    return recording, frame
