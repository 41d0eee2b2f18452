"""Kinelab's own layout: `time_s,acc_x,acc_y,acc_z,gyro_x,gyro_y,gyro_z[,activity]` in seconds, m/s² and rad/s.

Where several devices are worn, their names stand before those of the channels: `watch.acc_x`. As a data set, one CSV a
recording: `[…/]<subject>/<name>.csv` or `<subject>_<name>.csv`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from app.har.errors import HarError, UnreadableData
from app.har.problems import Problem, ProblemKind
from app.har.recordings.build import build_recording, label_codes, printable, raw_stream, read_each, table_of
from app.har.recordings.files import Member, beginning
from app.har.recordings.layout import Layout
from app.har.recordings.parts import LOOKED_AT, Part, natural_sort_key, read_each_file
from app.har.recordings.sensors import word_of_kind
from app.har.recordings.tables import Source, open_table, parse, parsed_together
from app.har.recordings.unused_columns import unused_columns
from app.har.signals.clocks import positive_steps
from app.har.signals.summaries import median
from app.har.signals.types import MODALITY_CHANNELS, MODALITY_UNITS, Gravity, Recording, SignalSet
from app.har.texts import cell, text_of_cell
from app.har.types import TimeArray

if TYPE_CHECKING:
    import polars as pl

APP = "Kinelab"
TIME, ACTIVITY = "time_s", "activity"
DESCRIPTION = "Kinelab CSV: header time_s,acc_x,acc_y,acc_z,gyro_x,gyro_y,gyro_z[,activity]"
# Understood beside columns of this layout
SYNONYMS = {"label": ACTIVITY} | {
    f"{synonym}_{axis}": f"{name}_{axis}"
    for name, synonyms in {"acc": ("accel", "acceleration", "accelerometer"), "gyro": ("gyr", "gyroscope")}.items()
    for synonym in synonyms
    for axis in "xyz"
}
CHUNK_ROWS = 20_000
GRAVITY_BYTES = 4 * 2**20  # of a file, which show whether it holds gravity
SLOWEST_S = (
    4.0  # between two rows of movement, in seconds; beyond, the size shows the unit: milliseconds at 250 Hz and fewer
)
FORMAT = "kinelab-csv"
TITLE = "Recordings in Kinelab's CSV layout"
SHOW_RECORDING = True
REMEMBERED = lru_cache(maxsize=64)  # what is asked of headings: of many files, most have the same


def matches(layout: Layout) -> bool:
    """Tell whether the header names a time and all axes of at least one sensor."""
    return TIME in layout.names and bool(_sensors(_written(layout.names)))


@REMEMBERED
def _written(headings: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(map(text_of_cell, headings))


@REMEMBERED
def _names(headings: tuple[str, ...]) -> tuple[str, ...]:
    """Return the headings, synonyms as this layout calls them where it is not there under its own name."""
    written = _written(headings)
    return tuple(usual if (usual := _usual_name(name)) not in written else name for name in written)


def _usual_name(name: str) -> str:
    device, dot, channel = name.rpartition(".")
    return device + dot + SYNONYMS.get(channel, channel)


@REMEMBERED
def _sensors(names: tuple[str, ...]) -> Mapping[str, tuple[str, ...]]:
    """Return the columns of each sensor whose axes are all there, by modality: `watch.accelerometer`."""
    devices = dict.fromkeys(device + dot for device, dot, _ in (name.rpartition(".") for name in names))
    found = {
        device + modality: tuple(device + axis for axis in axes)
        for device in devices
        for modality, axes in MODALITY_CHANNELS.items()
    }
    there = set(names)
    return {modality: columns for modality, columns in found.items() if there.issuperset(columns)}


def _unit(modality: str) -> str:
    return MODALITY_UNITS[modality.rpartition(".")[2]]


@REMEMBERED
def _known(names: tuple[str, ...]) -> list[str]:
    """Return the columns that are read: time, the axes, and the activity where there is one."""
    axes = [axis for axes in _sensors(names).values() for axis in axes]
    return [TIME, *axes, *([ACTIVITY] if ACTIVITY in names else [])]


def read_frame(source: Source, *, known_only: bool = False) -> pl.DataFrame:
    """Parse the columns; those unknown here stay text, or are left out."""
    import polars as pl

    headings = _names(source.layout.names)
    types: dict[str, Any] = {TIME: pl.Float64, ACTIVITY: pl.Categorical}
    known = {name: types.get(name, pl.Float32) for name in _known(headings)}
    names = _distinct([*headings, *(f"column_{i}" for i in range(len(headings), source.layout.n_columns))])
    schema = {name: known.get(name, pl.String) for name in names}
    return parse(source, schema, list(known) if known_only else (), list(_sensors(headings).values()))


def _distinct(names: Sequence[str]) -> list[str]:
    """Return a name of its own for each column: for the first of a name, that."""
    found: dict[str, None] = {}
    for place, name in enumerate(names):
        own = name
        while own in found or (own != name and own in names):
            own = f"{own}_{place}"
        found[own] = None
    return list(found)


def to_recording(
    source: Source, frame: pl.DataFrame, recording_id: str, subject: str, gravity: Gravity | None = None
) -> Recording:
    """Make a recording of the parsed columns; gravity is detected from the signal where nothing else shows it."""
    labels, activities = label_codes(frame[ACTIVITY], read=text_of_cell) if ACTIVITY in frame.columns else (None, ())
    parts, names = [], _names(source.layout.names)
    found = list(unused_columns(source, [names.index(name) for name in _known(names)]))
    clock = frame[TIME].to_numpy()
    believed = _typical_step(clock) <= SLOWEST_S
    sensors = _sensors(tuple(frame.columns))
    for modality, axes in sensors.items():
        unit, sparse = f"{_unit(modality)}, by the format", source.layout.sparse([names.index(axis) for axis in axes])
        in_seconds = believed or len(axes) == 1
        options: dict[str, Any] = {"unit": unit, "in_seconds": in_seconds, "sparse": sparse, "clock": clock}
        try:
            parts.append(raw_stream(source, frame, modality, TIME, axes, labels, **options))
        except UnreadableData as error:
            if not _is_derived(modality, sensors):
                raise
            found.append(Problem(source.name, ProblemKind.UNREADABLE_SENSOR, str(error), f"read without {modality}"))
        frame = table_of(frame, [name for name in frame.columns if name not in axes])  # a day need not be there twice
    return build_recording(
        source.name, recording_id, subject, parts, gravity=gravity, activities=activities, problems=found, app=APP
    )


def _is_derived(modality: str, sensors: Mapping[str, Sequence[str]]) -> bool:
    """Tell whether a sensor is what a phone made of an accelerometer that is there too: its loss is none."""
    device, dot, kind = modality.rpartition(".")
    return kind in ("gravity", "linear_accelerometer") and f"{device}{dot}accelerometer" in sensors


def _typical_step(time: TimeArray) -> float:
    """Return the time from row to row, of those that share a stamp too; 0 where time does not advance."""
    stamps = time[:CHUNK_ROWS]
    stamps = stamps[np.isfinite(stamps)]
    steps = positive_steps(stamps)
    return median(steps) * len(steps) / (len(stamps) - 1) if len(steps) else 0.0


def read(sources: list[Source], upload: str) -> list[Recording]:
    """Read uploaded files: a recording each, or one of those that hold a sensor each."""
    frame_of = parsed_together(sources, partial(read_frame, known_only=True))
    recordings = read_each(
        {source.name: source for source in sources},
        lambda name, source: to_recording(source, frame_of(source), name, name),
    )
    parts: dict[str, list[Recording]] = {}
    for recording in recordings:
        parts.setdefault(_without_sensor(recording.recording_id), []).append(recording)
    return [recording for part in parts.values() for recording in ([_joined(part)] if _belong(part) else part)]


def _without_sensor(name: str) -> str:
    """Return a file's name with its folder, but without the sensor, if it says one."""
    path = PurePosixPath(name)
    word = word_of_kind(path.stem)
    return str(path.with_name(path.name.lower().replace(word, ">", 1))) if word else name


def _belong(recordings: Sequence[Recording]) -> bool:
    """Tell whether these are of different sensors, at the same time, and with the same labels where they have any."""
    modalities = [stream.modality for recording in recordings for stream in recording.streams]
    begin = max(stream.time_s[0] for recording in recordings for stream in recording.streams)
    end = min(stream.time_s[-1] for recording in recordings for stream in recording.streams)
    alike = len({recording.activities for recording in recordings if recording.activities}) <= 1
    return len(recordings) > 1 and len(set(modalities)) == len(modalities) and begin < end and alike


def _joined(recordings: Sequence[Recording]) -> Recording:
    """Put the sensors of several files on the one clock that they share."""
    order = [*MODALITY_CHANNELS]
    first, *_ = recordings = sorted(
        recordings, key=lambda part: order.index(part.streams[0].kind)
    )  # acceleration first
    name = printable(" + ".join(recording.recording_id for recording in recordings))
    streams = tuple(stream for part in recordings for stream in part.streams)
    activities = next((part.activities for part in recordings if part.activities), ())
    problems = tuple(problem for part in recordings for problem in part.problems)
    return replace(first, recording_id=name, subject=name, streams=streams, activities=activities, problems=problems)


def write_csv(signals: SignalSet, recording_id: str) -> Iterator[str]:
    """Yield a recording of a signal set as text in this layout, without the sensors that it lacks.

    Raises
    ------
    KeyError : no such recording.
    """
    import polars as pl

    if recording_id not in signals.recording_ids:
        raise KeyError(f"no recording {recording_id!r}")
    number = signals.recording_ids.index(recording_id)
    stretches = np.flatnonzero(signals.recording == number)
    there = np.flatnonzero(~np.isnan(signals.signal[signals.first[stretches]]).all(axis=0))
    headings = [str(cell(signals.channels[i])) for i in there]
    names = np.array([*(str(cell(name)) for name in signals.activities), None], dtype=object)  # UNLABELLED is the last
    first = True
    for stretch in stretches:
        begin, length = int(signals.first[stretch]), int(signals.length[stretch])
        for offset in range(0, length, CHUNK_ROWS):
            rows = slice(begin + offset, begin + min(offset + CHUNK_ROWS, length))
            time = signals.start_s[stretch] + (offset + np.arange(rows.stop - rows.start)) / signals.sampling_rate_hz
            frame = pl.DataFrame({TIME: time.round(6)}).hstack(
                pl.DataFrame(np.asarray(signals.signal[rows][:, there]), schema=headings)
            )
            if signals.activities:
                activities = pl.Series(ACTIVITY, names[signals.labels[rows]].tolist(), pl.String)
                frame = frame.with_columns(activities)
            yield frame.write_csv(include_header=first)
            first = False


def read_dataset(members: list[Member]) -> Iterator[Part]:
    """Read one recording a file; the subject is the folder, or what stands before the first underscore."""
    yield from read_each_file(members, partial(_read_one, gravity=_shared_gravity(members)))


def _shared_gravity(members: Sequence[Member]) -> Gravity | None:
    """Return whether most of some recordings hold gravity, None where as many do as do not.

    One by itself may not show it: without gravity, some people run as hard as gravity pulls.
    """
    some = sorted(members, key=lambda member: natural_sort_key(member.name))[:: -(-len(members) // LOOKED_AT) or 1]
    votes = Counter(
        recording.gravity
        for member in some
        for recording in _read_one(beginning(member, GRAVITY_BYTES)).recordings
        if any(stream.kind == "accelerometer" for stream in recording.streams)
    )
    most = votes.most_common(2)
    return most[0][0] if most and (len(most) == 1 or most[0][1] > most[1][1]) else None


def _read_one(member: Member, gravity: Gravity | None = None) -> Part:
    path = PurePosixPath(member.name)
    subject = path.stem.partition("_")[0] if len(path.parts) < 2 else path.parent.name
    try:
        source = open_table(member)
        if not matches(source.layout):
            return Part(
                None,
                {},
                (
                    Problem(
                        member.name,
                        ProblemKind.OTHER_LAYOUT,
                        f"{source.layout.describe()}; expected {DESCRIPTION}",
                        "file skipped",
                    ),
                ),
            )
        frame = read_frame(source)
        return Part(to_recording(source, frame, str(path.with_suffix("")), subject, gravity), {"rows": frame})
    except HarError as error:
        return Part(None, {}, (Problem(member.name, ProblemKind.UNREADABLE_FILE, str(error), "file skipped"),))
