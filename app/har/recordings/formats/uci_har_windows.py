"""UCI HAR, folder `Inertial Signals`: a file an axis, each row a window of 128 samples at 50 Hz, half of it the next's.

Format: Anguita et al., A public domain dataset for human activity recognition using smartphones, ESANN 2013, and the
set's README. total_acc and body_acc in g, body_gyro in rad/s; `subject_train.txt` and `y_train.txt` beside the folder.
A window of the same subject that begins with the second half of the window before is joined to it: each run of such
windows is a recording, so that no sample is there twice and no window is cut across two runs.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

from app.har.errors import UnreadableData
from app.har.problems import Problem, ProblemKind
from app.har.recordings.build import build_recording
from app.har.recordings.layout import Layout
from app.har.recordings.tables import Source, parse
from app.har.signals.types import UNLABELLED, Recording, Stream
from app.har.signals.units import STANDARD_GRAVITY
from app.har.types import FloatArray, IntArray

APP = "UCI HAR"
RATE_HZ = 50.0
LENGTH, STEP = 128, 64
SIGNAL = re.compile(r"(total_acc|body_acc|body_gyro)_([xyz])_(\w+)")
COLUMN = re.compile(r"(subject|y)_(train|test)")
SENSORS = {
    "total_acc": ("accelerometer", "g", STANDARD_GRAVITY),
    "body_gyro": ("gyroscope", "rad/s", 1.0),
    "body_acc": ("linear_accelerometer", "g", STANDARD_GRAVITY),
}
ACTIVITIES = ("WALKING", "WALKING_UPSTAIRS", "WALKING_DOWNSTAIRS", "SITTING", "STANDING", "LAYING")
DESCRIPTION = f"UCI HAR windows: {LENGTH} columns between spaces, total_acc_x_train.txt and so on"


@dataclass(frozen=True)
class Part:
    """Training or test windows: each sensor's (n, 128, 3), and whose they are."""

    windows: dict[str, FloatArray]
    subject: IntArray
    label: IntArray
    problems: list[Problem]


def matches(layout: Layout) -> bool:
    """Tell whether rows hold 128 numbers, in a file named as an axis; or one whole number, named as subjects or labels.

    What a number means stands nowhere but in the name.
    """
    if layout.header or layout.separator not in (" ", ","):
        return False
    if layout.n_columns == LENGTH:
        return layout.separator == " " and bool(SIGNAL.fullmatch(layout.stem))
    return layout.n_columns == 1 and bool(COLUMN.fullmatch(layout.stem)) and layout.numeric(0)


def read(sources: list[Source], upload: str) -> list[Recording]:
    """Read uploaded files, a recording for each run of windows that follow one another."""
    parts: dict[str, dict[str, Source]] = defaultdict(dict)
    for source in sources:
        stem = source.layout.stem
        parts[stem.rpartition("_")[2]][stem.rpartition("_")[0]] = source
    recordings = [
        recording
        for name, files in parts.items()
        if any(SIGNAL.fullmatch(source.layout.stem) for source in files.values())
        for recording in _runs(name, _read_part(files), PurePosixPath(upload).stem)
    ]
    if not recordings:
        raise UnreadableData(f"{upload}: holds subjects or labels of UCI HAR, but no windows.")
    return recordings


def _read_part(files: dict[str, Source]) -> Part:
    windows: dict[str, FloatArray] = {}
    problems: list[Problem] = []
    first = next(iter(files.values())).name
    for sensor, (modality, _, factor) in SENSORS.items():
        sources = [files.get(f"{sensor}_{axis}") for axis in "xyz"]
        if all(sources):
            axes = [_numbers(source, LENGTH) for source in sources if source]
            if len({len(axis) for axis in axes}) > 1:
                counts = ", ".join(f"{len(axis):,}" for axis in axes)
                raise UnreadableData(f"{first}: the axes of {sensor} differ in their number of windows ({counts}).")
            windows[modality] = np.stack(axes, axis=-1) * np.float32(factor)
        elif any(sources):
            missing = ", ".join(f"{sensor}_{axis}" for axis, source in zip("xyz", sources, strict=True) if not source)
            problems.append(Problem(first, ProblemKind.MISSING_AXIS, f"no file {missing}", f"read without {modality}"))
    lengths = {len(values) for values in windows.values()}
    if len(lengths) != 1:
        found = f"{sorted(lengths)} windows" if lengths else "no sensor with all three axes"
        raise UnreadableData(f"{first}: expected the three axes of each sensor, of as many windows; found {found}.")
    (n,) = lengths
    subject, label = (_column(files.get(name), n, problems, name) for name in ("subject", "y"))
    return Part(windows, subject, label, problems)


def _numbers(source: Source, width: int) -> FloatArray:
    import polars as pl

    frame = parse(source, {f"{i}": pl.Float32 for i in range(width)})
    values = frame.to_numpy().astype(np.float32)
    bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
    if len(bad):
        raise UnreadableData(
            f"{source.name}, line {source.line(int(bad[0]))}: expected {width} number(s); {len(bad):,} of "
            f"{len(values):,} rows are otherwise."
        )
    return values


def _column(source: Source | None, n: int, problems: list[Problem], what: str) -> IntArray:
    if source is None:
        if what == "y":
            problems.append(
                Problem("UCI HAR", ProblemKind.NO_LABEL, "there is no file of labels (y_….txt)", "read without")
            )
        return np.full(n, 0 if what == "y" else -1, np.int64)
    values = _numbers(source, 1)[:, 0]
    if len(values) != n:
        raise UnreadableData(f"{source.name}: has {len(values):,} rows for {n:,} windows; expected one for each.")
    return values.astype(np.int64)


def _runs(name: str, part: Part, upload: str) -> list[Recording]:
    """Join windows that follow one another."""
    follows = part.subject[1:] == part.subject[:-1]
    for values in part.windows.values():
        follows &= np.isclose(values[:-1, STEP:], values[1:, :STEP], atol=1e-4).all(axis=(1, 2))
    bounds = [0, *(np.flatnonzero(~follows) + 1).tolist(), len(part.subject)]
    runs: Counter[int] = Counter()
    recordings = []
    for first, end in pairwise(bounds):
        subject = int(part.subject[first])
        runs[subject] += 1
        person = f"subject {subject}" if subject >= 0 else upload
        identity = f"{name} {person} run {runs[subject]}"
        recordings.append(_run(identity, str(subject) if subject >= 0 else upload, part, slice(first, end)))
    return recordings


def _run(name: str, subject: str, part: Part, run: slice) -> Recording:
    label = part.label[run]
    known = (label >= 1) & (label <= len(ACTIVITIES))
    # Each half belongs to the window that begins with it; the last window has its second half for itself
    codes = np.repeat(np.where(known, label - 1, UNLABELLED), STEP)
    codes = np.append(codes, codes[-STEP:])
    time: NDArray[np.float64] = np.arange(len(codes)) / RATE_HZ
    streams = []
    for modality, unit, factor in SENSORS.values():
        if modality in part.windows:
            windows = part.windows[modality][run]
            values = np.concatenate([windows[:, :STEP].reshape(-1, 3), windows[-1, STEP:]])
            streams.append(Stream(modality, time, values, codes, f"{unit}, by the format", factor))
    if "accelerometer" not in part.windows:
        names = {"linear_accelerometer": "accelerometer"}
        streams = [replace(stream, modality=names.get(stream.modality, stream.modality)) for stream in streams]
    return build_recording(
        name,
        name,
        subject,
        [(stream, []) for stream in streams],
        gravity="included" if "accelerometer" in part.windows else "removed",
        activities=ACTIVITIES,
        problems=part.problems if run.start == 0 else [],
        app=APP,
    )
