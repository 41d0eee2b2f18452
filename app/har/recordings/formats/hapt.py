"""HAPT, raw: `acc_exp<NN>_user<NN>.txt` and `gyro_exp…`, three columns of numbers each, with or without `labels.txt`.

Format: Reyes-Ortiz et al., Transition-aware human activity recognition using smartphones, Neurocomputing 171 (2016).
No clock, 50 Hz; g with gravity, rad/s. Three columns of numbers alone could be anything, so the names count too.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from app.har.errors import UnreadableData
from app.har.recordings.build import STANDARD_GRAVITY, build_recording, raw_stream, read_each
from app.har.recordings.layout import Layout
from app.har.recordings.tables import Source, parse
from app.har.signals.types import UNLABELLED, Recording
from app.har.types import IntArray, Problem

if TYPE_CHECKING:
    import polars as pl

APP = "HAPT"
RATE_HZ = 50.0
ACTIVITIES = (
    "WALKING",
    "WALKING_UPSTAIRS",
    "WALKING_DOWNSTAIRS",
    "SITTING",
    "STANDING",
    "LAYING",
    "STAND_TO_SIT",
    "SIT_TO_STAND",
    "SIT_TO_LIE",
    "LIE_TO_SIT",
    "STAND_TO_LIE",
    "LIE_TO_STAND",
)
SENSORS = {"acc": "accelerometer", "gyro": "gyroscope"}
AXES = ("x", "y", "z")
LABEL_COLUMNS = ("experiment", "user", "activity", "first", "last")  # samples are counted from 1
FILE = re.compile(r"(acc|gyro)_(exp(\d+)_user(\d+))")
LABELS = f"{len(LABEL_COLUMNS)} columns of whole numbers: {', '.join(LABEL_COLUMNS)}"
UNITS = {"accelerometer": ("g, by the format", STANDARD_GRAVITY), "gyroscope": ("rad/s, by the format", 1.0)}
DESCRIPTION = "HAPT: acc_exp<NN>_user<NN>.txt and gyro_exp…, three columns of numbers"


def matches(layout: Layout) -> bool:
    """Tell whether a file is one sensor's of an experiment, or the labels of them all."""
    if FILE.fullmatch(layout.stem):
        return is_signal(layout)
    return layout.stem == "labels" and is_labels(layout)


def read(sources: list[Source], upload: str) -> list[Recording]:
    """Read uploaded files, a recording an experiment; labelled where the file of labels is there."""
    ranges: dict[tuple[int, int], IntArray] = {}
    problems: list[Problem] = []
    experiments: dict[str, dict[str, Source]] = defaultdict(dict)
    for source in sources:
        if file := FILE.fullmatch(source.layout.stem):
            experiments[file.group(2)].setdefault(SENSORS[file.group(1)], source)
        else:
            ranges, problems = usable_ranges(source)
    if not experiments:
        raise UnreadableData(f"{upload}: holds labels of HAPT, but no acc_exp<NN>_user<NN>.txt.")

    def read_one(name: str, own: dict[str, Source]) -> Recording:
        frames = {sensor: (own[sensor], read_signal(own[sensor])) for sensor in SENSORS.values() if sensor in own}
        return to_recording(name, frames, ranges.get(ids(name)), [], labelled=bool(ranges))

    recordings = read_each(dict(sorted(experiments.items())), read_one)
    return [replace(recordings[0], problems=(*problems, *recordings[0].problems)), *recordings[1:]]


def to_recording(
    name: str,
    frames: Mapping[str, tuple[Source, pl.DataFrame]],
    ranges: IntArray | None,
    problems: list[Problem],
    *,
    labelled: bool = True,
) -> Recording:
    """Make a recording of one experiment's sensors, cut to the shorter, and the labelled ranges of samples."""
    lengths = {sensor: len(frame) for sensor, (_, frame) in frames.items()}
    if len(set(lengths.values())) > 1:
        detail = ", ".join(f"{sensor} {length:,} samples" for sensor, length in lengths.items())
        problems.append(Problem(name, "lengths differ", detail, "cut to the shorter"))
    n = min(lengths.values())
    codes = _label_each_sample(ranges, n, name, problems) if labelled else None
    parts = []
    for sensor, (source, frame) in frames.items():
        unit, factor = UNITS[sensor]
        timed = frame.head(n).with_columns(time=np.arange(n) / RATE_HZ)
        parts.append(raw_stream(source, timed, sensor, "time", AXES, codes, unit=unit, factor=factor, in_seconds=True))
    user = str(ids(name)[1])
    activities = ACTIVITIES if labelled else ()
    return build_recording(
        name, name, user, parts, gravity="included", activities=activities, problems=problems, app=APP
    )


def is_signal(layout: Layout) -> bool:
    """Tell whether a layout is that of one sensor."""
    return layout.header is None and layout.n_columns == len(AXES) and all(map(layout.numeric, range(len(AXES))))


def is_labels(layout: Layout) -> bool:
    """Tell whether a layout is that of the file of labels."""
    whole = [cell.strip().isdecimal() for row in layout.rows for cell in row]
    return layout.header is None and layout.n_columns == len(LABEL_COLUMNS) and sum(whole) > 0.5 * len(whole)


def ids(experiment: str) -> tuple[int, int]:
    """Return the numbers of experiment and user in `exp<NN>_user<NN>`."""
    number, user = re.findall(r"\d+", experiment)
    return int(number), int(user)


def usable_ranges(source: Source) -> tuple[dict[tuple[int, int], IntArray], list[Problem]]:
    """Return the labelled ranges (activity, first, last) by experiment and user."""
    import polars as pl

    rows = parse(source, dict.fromkeys(LABEL_COLUMNS, pl.Int64)).fill_null(0).to_numpy().astype(np.int64)
    activity, first, last = rows[:, 2:].T
    good = (activity >= 1) & (activity <= len(ACTIVITIES)) & (first >= 1) & (first <= last)
    problems = []
    if not good.all():
        line = source.line(int(np.flatnonzero(~good)[0]))
        detail = (
            f"{(~good).sum():,} of {len(good):,} rows, the first in line {line}; expected {LABELS}, "
            f"activities from 1 to {len(ACTIVITIES)}, first not after last"
        )
        problems.append(Problem(source.name, "corrupt rows", detail, "rows dropped"))
    rows = rows[good]
    keys = {(int(number), int(user)) for number, user in rows[:, :2]}
    return {key: rows[(rows[:, :2] == key).all(axis=1), 2:] for key in sorted(keys)}, problems


def read_signal(source: Source) -> pl.DataFrame:
    """Parse one sensor's file."""
    import polars as pl

    return parse(source, dict.fromkeys(AXES, pl.Float32))


def _label_each_sample(ranges: IntArray | None, samples: int, name: str, problems: list[Problem]) -> IntArray:
    codes = np.full(samples, UNLABELLED, np.int64)
    if ranges is None:
        problems.append(Problem(name, "no labels", "the file of labels has none for it", "kept without label"))
        return codes
    beyond = ranges[:, 2] > samples
    if beyond.any():
        detail = f"{beyond.sum()} labelled range(s) reach up to sample {ranges[:, 2].max():,} of {samples:,}"
        problems.append(Problem(name, "labels beyond the end", detail, "cut off"))
    for activity, first, last in ranges.tolist():
        codes[first - 1 : last] = activity - 1
    return codes
