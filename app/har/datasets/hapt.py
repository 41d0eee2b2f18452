"""HAPT: `acc_exp<NN>_user<NN>.txt` and `gyro_exp…` in the set's folder RawData, and one `labels.txt` for all of them.

Six activities and the six postural transitions between them, a phone at the waist of 30 people: Reyes-Ortiz et al.,
Transition-aware human activity recognition using smartphones, Neurocomputing 171 (2016). No clock, 50 Hz; g with
gravity, rad/s. The set's ready-made features are left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from app.har.datasets.base import Part, ahead, is_document, natural
from app.har.errors import HarError, UnreadableData
from app.har.recordings.build import STANDARD_GRAVITY, build_recording, raw_stream
from app.har.recordings.files import Member
from app.har.recordings.tables import Layout, Source, open_table, parse
from app.har.types import UNLABELLED, IntArray, Problem

if TYPE_CHECKING:
    import polars as pl

FORMAT = "hapt"
TITLE = "HAPT, a phone at the waist, with postural transitions"
SHOW_RECORDING = True
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
TRANSITIONS = ACTIVITIES[6:]
OFFICIAL_TEST_SUBJECTS = ("2", "4", "9", "10", "12", "13", "18", "20", "24")
SENSORS = {"acc": "accelerometer", "gyro": "gyroscope"}
AXES = ("x", "y", "z")
LABEL_COLUMNS = ("experiment", "user", "activity", "first", "last")  # samples are counted from 1
FILE = re.compile(r"(acc|gyro)_(exp(\d+)_user(\d+))")
FEATURES = re.compile(r"activity_labels|features(_info)?|(X|y|subject_id)_(train|test)", re.I)
LABELS = f"{len(LABEL_COLUMNS)} columns of whole numbers: {', '.join(LABEL_COLUMNS)}"

Files = dict[str, Member]  # by sensor


def matches(layout: Layout) -> bool:
    """Tell that three or five columns of numbers alone could be anything; see `is_set`."""
    return False


def is_set(members: Iterable[Member]) -> bool:
    """Tell whether these files are the set's: paired by their names, each of three columns of numbers."""
    for own in _experiments(members)[0].values():
        for member in own.values():
            try:
                return _is_signal(open_table(member).layout)
            except UnreadableData:
                continue
    return False


def read(members: list[Member]) -> Iterator[Part]:
    """Read one recording an experiment.

    Raises
    ------
    UnreadableData : there is no file of labels.
    """
    experiments, doubles = _experiments(members)
    labels, problems = _read_labels([member for member in members if not _match(member)], experiments)
    yield Part(None, {}, (*doubles, *problems), 0.0)
    for number, part in enumerate(ahead(partial(_read_one, labels), experiments.items()), 1):
        yield Part(part.content, part.rows, part.problems, number / len(experiments))


def _match(member: Member) -> re.Match[str] | None:
    return FILE.fullmatch(PurePosixPath(member.name).stem)


def _experiments(members: Iterable[Member]) -> tuple[dict[str, Files], list[Problem]]:
    """Pair the files by experiment; of two with one name, in different folders, the first is read."""
    found: dict[str, Files] = {}
    problems: list[Problem] = []
    for member in sorted(members, key=lambda member: natural(member.name)):
        if file := _match(member):
            first = found.setdefault(file.group(2), {}).setdefault(SENSORS[file.group(1)], member)
            if first is not member:
                detail = f"{first.name} has the same experiment and sensor"
                problems.append(Problem(member.name, "file twice", detail, "file skipped"))
    return found, problems


def _is_signal(layout: Layout) -> bool:
    return layout.header is None and layout.n_columns == len(AXES) and all(map(layout.numeric, range(len(AXES))))


def _is_labels(layout: Layout) -> bool:
    whole = [cell.strip().isdecimal() for row in layout.rows for cell in row]
    return layout.header is None and layout.n_columns == len(LABEL_COLUMNS) and sum(whole) > 0.5 * len(whole)


def _ids(experiment: str) -> tuple[int, int]:
    """Return the numbers of experiment and user in `exp<NN>_user<NN>`."""
    number, user = re.findall(r"\d+", experiment)
    return int(number), int(user)


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
            problems.append(Problem(member.name, "unreadable file", str(error), "file skipped"))
            continue
        if source is None and _is_labels(found.layout):
            source = found
        else:
            detail = f"{found.layout.describe()}; expected acc_exp<NN>_user<NN>.txt or one file of labels"
            problems.append(Problem(member.name, "other layout", detail, "file skipped"))
    if source is None:
        raise UnreadableData(
            f"labels.txt is missing: {len(experiments)} experiments of HAPT were found, but no file of {LABELS}. "
            "Add it; it is in the set's folder RawData."
        )
    ranges, own_problems = _usable_ranges(source)
    known = {_ids(experiment) for experiment in experiments}
    labels = {(number, user): rows for (number, user), rows in ranges.items() if (number, user) in known}
    stray = sorted(set(ranges) - known)
    if stray:
        names = ", ".join(f"exp{number:02d}_user{user:02d}" for number, user in stray)
        own_problems.append(
            Problem(source.name, "labels without recording", f"there are no files of {names}", "labels skipped")
        )
    return labels, problems + own_problems


def _usable_ranges(source: Source) -> tuple[dict[tuple[int, int], IntArray], list[Problem]]:
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


def _read_one(labels: Mapping[tuple[int, int], IntArray], experiment: tuple[str, Files]) -> Part:
    name, files = experiment
    problems: list[Problem] = []
    sources: dict[str, tuple[Source, pl.DataFrame]] = {}
    for prefix, sensor in SENSORS.items():
        if sensor not in files:
            detail = f"no file {prefix}_{name}.txt"
            problems.append(Problem(name, "missing sensor", detail, f"read without {sensor}"))
            continue
        try:
            sources[sensor] = _read_signal(files[sensor])
        except HarError as error:
            problems.append(Problem(files[sensor].name, "unreadable file", str(error), "file skipped"))
    if not sources:
        return Part(None, {}, tuple(problems))
    lengths = {sensor: len(frame) for sensor, (_, frame) in sources.items()}
    if len(set(lengths.values())) > 1:
        detail = ", ".join(f"{sensor} {length:,} samples" for sensor, length in lengths.items())
        problems.append(Problem(name, "lengths differ", detail, "cut to the shorter"))
    number, user = _ids(name)
    codes = _label_each_sample(labels.get((number, user)), min(lengths.values()), name, problems)
    try:
        parts = [
            raw_stream(source, _in_si_units(sensor, frame.head(len(codes))), sensor, "time", AXES, codes)
            for sensor, (source, frame) in sources.items()
        ]
        recording = build_recording(
            name, name, str(user), parts, gravity="included", activities=ACTIVITIES, problems=problems
        )
    except HarError as error:
        return Part(None, {}, (*problems, Problem(name, "unreadable file", str(error), "left out")))
    return Part(recording, {sensor: frame for sensor, (_, frame) in sources.items()})


def _read_signal(member: Member) -> tuple[Source, pl.DataFrame]:
    import polars as pl

    source = open_table(member)
    if not _is_signal(source.layout):
        raise UnreadableData(
            f"{member.name}: {source.layout.describe()}; expected {len(AXES)} columns of numbers without header."
        )
    return source, parse(source, dict.fromkeys(AXES, pl.Float32))


def _in_si_units(sensor: str, frame: pl.DataFrame) -> pl.DataFrame:
    import polars as pl

    si = frame * STANDARD_GRAVITY if sensor == "accelerometer" else frame
    return si.with_columns(pl.Series("time", np.arange(len(frame)) / RATE_HZ))


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
