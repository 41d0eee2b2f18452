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

from app.har.errors import HarError, UnreadableData
from app.har.recordings.files import Member, is_document
from app.har.recordings.formats.hapt import (
    ACTIVITIES,
    AXES,
    FILE,
    LABELS,
    SENSORS,
    ids,
    is_labels,
    is_signal,
    read_signal,
    to_recording,
    usable_ranges,
)
from app.har.recordings.layout import Layout
from app.har.recordings.parts import Part, ahead, natural
from app.har.recordings.tables import Source, open_table
from app.har.types import IntArray, Problem

if TYPE_CHECKING:
    import polars as pl

FORMAT = "hapt"
TITLE = "HAPT, a phone at the waist, with postural transitions"
SHOW_RECORDING = True
TRANSITIONS = ACTIVITIES[6:]
OFFICIAL_TEST_SUBJECTS = ("2", "4", "9", "10", "12", "13", "18", "20", "24")
FEATURES = re.compile(r"activity_labels|features(_info)?|(X|y|subject_id)_(train|test)", re.I)

Files = dict[str, Member]  # by sensor


def matches(layout: Layout) -> bool:
    """Tell that three or five columns of numbers alone could be anything; see `is_set`."""
    return False


def is_set(members: Iterable[Member]) -> bool:
    """Tell whether these files are the set's: paired by their names, each of three columns of numbers."""
    for own in _experiments(members)[0].values():
        for member in own.values():
            try:
                return is_signal(open_table(member).layout)
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
        if source is None and is_labels(found.layout):
            source = found
        else:
            detail = f"{found.layout.describe()}; expected acc_exp<NN>_user<NN>.txt or one file of labels"
            problems.append(Problem(member.name, "other layout", detail, "file skipped"))
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
            Problem(source.name, "labels without recording", f"there are no files of {names}", "labels skipped")
        )
    return labels, problems + own_problems


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
            source = open_table(files[sensor])
            if not is_signal(source.layout):
                raise UnreadableData(
                    f"{source.name}: {source.layout.describe()}; expected {len(AXES)} columns of numbers, no header."
                )
            sources[sensor] = (source, read_signal(source))
        except HarError as error:
            problems.append(Problem(files[sensor].name, "unreadable file", str(error), "file skipped"))
    if not sources:
        return Part(None, {}, tuple(problems))
    try:
        recording = to_recording(name, sources, labels.get(ids(name)), problems)
    except HarError as error:
        return Part(None, {}, (*problems, Problem(name, "unreadable file", str(error), "left out")))
    return Part(recording, {sensor: frame for sensor, (_, frame) in sources.items()})
