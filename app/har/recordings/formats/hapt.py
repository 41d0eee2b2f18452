"""HAPT, raw: `acc_exp<NN>_user<NN>.txt` and `gyro_exp…`, three columns of numbers each, with or without `labels.txt`.

Format: Reyes-Ortiz et al., Transition-aware human activity recognition using smartphones, Neurocomputing 171 (2016).
Six activities and the six postural transitions between them, a phone at the waist of 30 people. No clock, 50 Hz; g with
gravity, rad/s. Three columns of numbers alone could be anything, so the names count too. As a data set it is the folder
RawData; the ready-made features beside it are left alone.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from app.har.errors import HarError, UnreadableData
from app.har.problems import Problem, ProblemKind
from app.har.recordings.build import build_recording, raw_stream, read_each
from app.har.recordings.files import Member, is_document
from app.har.recordings.layout import Layout
from app.har.recordings.parts import Part, first_minutes, natural_sort_key, prefetch_map, with_consistent_units
from app.har.recordings.tables import Source, open_table, parse
from app.har.signals.types import UNLABELLED, Recording
from app.har.signals.units import STANDARD_GRAVITY
from app.har.types import IntArray

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
FORMAT = "hapt"
TITLE = "HAPT, a phone at the waist, with postural transitions"
SHOW_RECORDING = True
TRANSITIONS = ACTIVITIES[6:]
OFFICIAL_TEST_SUBJECTS = ("2", "4", "9", "10", "12", "13", "18", "20", "24")
FEATURES = re.compile(r"activity_labels|features(_info)?|(X|y|subject_id)_(train|test)", re.I)
Files = dict[str, Member]  # by sensor


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

    def read_one(name: str, sensors: dict[str, Source]) -> Recording:
        frames = {
            sensor: (sensors[sensor], read_signal(sensors[sensor])) for sensor in SENSORS.values() if sensor in sensors
        }
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
        problems.append(Problem(name, ProblemKind.LENGTHS_DIFFER, detail, "cut to the shorter"))
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
        problems.append(Problem(source.name, ProblemKind.CORRUPT_ROWS, detail, "rows dropped"))
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
        problems.append(Problem(name, ProblemKind.NO_LABEL, "the file of labels has none for it", "kept without label"))
        return codes
    beyond = ranges[:, 2] > samples
    if beyond.any():
        detail = f"{beyond.sum()} labelled range(s) reach up to sample {ranges[:, 2].max():,} of {samples:,}"
        problems.append(Problem(name, ProblemKind.LABELS_BEYOND_END, detail, "cut off"))
    for activity, first, last in ranges.tolist():
        codes[first - 1 : last] = activity - 1
    return codes


def is_set(members: Iterable[Member]) -> bool:
    """Tell whether these files are the set's: paired by their names, each of three columns of numbers."""
    for files in _experiments(members)[0].values():
        for member in files.values():
            try:
                return is_signal(open_table(member).layout)
            except UnreadableData:
                continue
    return False


def read_dataset(members: list[Member]) -> Iterator[Part]:
    """Read one recording an experiment.

    Raises
    ------
    UnreadableData : there is no file of labels.
    """
    experiments, doubles = _experiments(members)
    labels, problems = _read_labels([member for member in members if not _match(member)], experiments)
    yield Part(None, {}, (*doubles, *problems), 0.0)
    read_one = partial(_read_one, labels)
    parts = (
        Part(part.content, part.rows, part.problems, number / len(experiments))
        for number, part in enumerate(prefetch_map(read_one, experiments.items()), 1)
    )
    yield from with_consistent_units(
        parts, list(experiments.items()), lambda experiment: read_one(_beginning(experiment)).recordings
    )


def _beginning(experiment: tuple[str, Files]) -> tuple[str, Files]:
    name, files = experiment
    return name, {sensor: first_minutes(member) for sensor, member in files.items()}


def _match(member: Member) -> re.Match[str] | None:
    return FILE.fullmatch(PurePosixPath(member.name).stem)


def _experiments(members: Iterable[Member]) -> tuple[dict[str, Files], list[Problem]]:
    """Pair the files by experiment; of two with one name, in different folders, the first is read."""
    found: dict[str, Files] = {}
    problems: list[Problem] = []
    for member in sorted(members, key=lambda member: natural_sort_key(member.name)):
        if file := _match(member):
            first = found.setdefault(file.group(2), {}).setdefault(SENSORS[file.group(1)], member)
            if first is not member:
                detail = f"{first.name} has the same experiment and sensor"
                problems.append(Problem(member.name, ProblemKind.FILE_TWICE, detail, "file skipped"))
    return found, problems


def _read_labels(
    members: list[Member], experiments: Mapping[str, Files]
) -> tuple[dict[tuple[int, int], IntArray], list[Problem]]:
    """Return the labelled ranges (activity, first, last) by experiment and user, from the one file that holds them."""
    source: Source | None = None
    problems: list[Problem] = []
    for member in sorted(members, key=lambda member: member.size):
        if is_document(member.name) or FEATURES.fullmatch(PurePosixPath(member.name).stem):
            continue
        try:
            found = open_table(member)
        except UnreadableData as error:
            problems.append(Problem(member.name, ProblemKind.UNREADABLE_FILE, str(error), "file skipped"))
            continue
        if source is None and is_labels(found.layout):
            source = found
        else:
            detail = f"{found.layout.describe()}; expected acc_exp<NN>_user<NN>.txt or one file of labels"
            problems.append(Problem(member.name, ProblemKind.OTHER_LAYOUT, detail, "file skipped"))
    if source is None:
        raise UnreadableData(
            f"labels.txt is missing: {len(experiments)} experiments of HAPT were found, but no file of {LABELS}. "
            "Add it; it is in the set's folder RawData."
        )
    ranges, own_problems = usable_ranges(source)
    known = {ids(experiment) for experiment in experiments}
    labels = {(number, user): rows for (number, user), rows in ranges.items() if (number, user) in known}
    stray = sorted(set(ranges) - known)
    if stray:
        names = ", ".join(f"exp{number:02d}_user{user:02d}" for number, user in stray)
        own_problems.append(
            Problem(
                source.name, ProblemKind.LABELS_WITHOUT_RECORDING, f"there are no files of {names}", "labels skipped"
            )
        )
    return labels, problems + own_problems


def _read_one(labels: Mapping[tuple[int, int], IntArray], experiment: tuple[str, Files]) -> Part:
    name, files = experiment
    problems: list[Problem] = []
    sources: dict[str, tuple[Source, pl.DataFrame]] = {}
    for prefix, sensor in SENSORS.items():
        if sensor not in files:
            detail = f"no file {prefix}_{name}.txt"
            problems.append(Problem(name, ProblemKind.MISSING_SENSOR, detail, f"read without {sensor}"))
            continue
        try:
            source = open_table(files[sensor])
            if not is_signal(source.layout):
                raise UnreadableData(
                    f"{source.name}: {source.layout.describe()}; expected {len(AXES)} columns of numbers, no header."
                )
            sources[sensor] = (source, read_signal(source))
        except HarError as error:
            problems.append(Problem(files[sensor].name, ProblemKind.UNREADABLE_FILE, str(error), "file skipped"))
    if not sources:
        return Part(None, {}, tuple(problems))
    try:
        recording = to_recording(name, sources, labels.get(ids(name)), problems)
    except HarError as error:
        return Part(None, {}, (*problems, Problem(name, ProblemKind.UNREADABLE_FILE, str(error), "left out")))
    return Part(recording, {sensor: frame for sensor, (_, frame) in sources.items()})
