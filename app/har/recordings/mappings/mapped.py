"""Tables of sensor readings, read by a mapping of their columns."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from app.har.errors import InvalidDescription, UnreadableData, quote
from app.har.problems import Problem, ProblemKind
from app.har.recordings.build import MAX_STEP_S, MIN_STEP_S, build_recording, label_codes, raw_stream
from app.har.recordings.date_times import EXAMPLE, date_time_seconds, is_date, is_day_first, names_zone
from app.har.recordings.mappings.guess_columns import unit_in
from app.har.recordings.mappings.mapping import (
    APP,
    EPOCH_S,
    MAX_RATE_HZ,
    ColumnMapping,
    SensorColumns,
    check_columns,
    column_names,
)
from app.har.recordings.mappings.units import DATE_TIME, DAYS, DAYS_TO_1970, TIME_UNITS, UNITS, who_counts_days
from app.har.recordings.sensors import with_gravity
from app.har.recordings.tables import Source, layout_problems, parse
from app.har.signals.clocks import positive_steps
from app.har.signals.types import MODALITY_CHANNELS, Gravity, Recording, Stream
from app.har.types import IntArray

if TYPE_CHECKING:
    import polars as pl

Parts = list[tuple[Stream, list[Problem]]]
IN_UTC = re.compile(r"utc|gmt", re.I)


@dataclass(frozen=True)
class _Rows(Source):
    """Some rows of a file."""

    rows: IntArray

    def line(self, row: int) -> int:
        return super().line(int(self.rows[row]))


@dataclass(frozen=True)
class _Timed:
    """A file's rows, with the time in seconds in one of its columns."""

    source: Source
    mapping: ColumnMapping
    frame: pl.DataFrame
    time: str
    origin: float | None  # the first time, where it counts from 1970
    problems: tuple[Problem, ...] = ()  # of the time
    local: bool = False  # whether the origin is by a clock on the wall, in a zone that is not said


def read(sources: Sequence[Source], mapping: ColumnMapping) -> list[Recording]:
    """Read files by a mapping: a recording each, or where a column names subjects, one for each of them.

    Where each sensor has a file of its own, those of a folder whose names tell nothing else are a recording.

    Raises
    ------
    InvalidDescription : a file lacks a column that the mapping names.
    UnreadableData : what the mapping calls numbers or times is none.
    """
    return [recording for own in together(sources, mapping) for recording in _read(own, mapping)]


def together(sources: Sequence[Source], mapping: ColumnMapping) -> list[list[Source]]:
    """Group files by recording."""
    if not mapping.files:
        return [[source] for source in sources]
    folders: dict[str, list[Source]] = {}
    for source in sources:
        folders.setdefault(str(PurePosixPath(source.name).parent), []).append(source)
    groups: list[list[Source]] = []
    for own in folders.values():
        if max(Counter(mapping.file_of(source.name) for source in own).values()) == 1:
            groups.append(own)
            continue
        named: dict[str, list[Source]] = {}
        for source in own:
            named.setdefault(_rest(source.name, mapping), []).append(source)
        groups.extend(named.values())
    return groups


def _rest(name: str, mapping: ColumnMapping) -> str:
    """Return what a file's name tells beside the sensor."""
    before, _, after = PurePosixPath(name).stem.lower().partition(mapping.file_of(name))
    return f"{before} {after}".strip(" _-.")


def _read(sources: Sequence[Source], mapping: ColumnMapping) -> list[Recording]:
    if mapping.files:
        return [_read_together(sources, mapping)]
    (source,) = sources
    frame = _parsed(source, mapping)
    day_first = _day_first(mapping, [frame])
    if mapping.subject is None:
        return [_recording(source, source.name, source.name, frame, mapping, day_first)]
    frame = frame.with_row_index(row := _unused("row", dict.fromkeys(frame.columns)))
    subjects = frame[mapping.subject].fill_null("").str.strip_chars()
    frame = frame.with_columns(subjects.alias(mapping.subject))
    parts = frame.partition_by(mapping.subject, maintain_order=True)
    recordings = []
    for part in parts:
        subject = str(part[mapping.subject][0]) or "unknown"
        some = _Rows(source.member, source.layout, part[row].to_numpy().astype(np.int64))
        name = source.name if len(parts) == 1 else f"{source.name}, {subject}"
        recordings.append(_recording(some, name, subject, part, mapping, day_first))
    return recordings


def _parsed(source: Source, mapping: ColumnMapping) -> pl.DataFrame:
    import polars as pl

    check_columns(mapping, source.layout, source.name)
    numbers = {name: pl.Float32 for sensor in mapping.sensors for name in sensor.columns}
    times = {mapping.time: pl.Float64} if mapping.time and mapping.time_unit != DATE_TIME else {}
    types: dict[Any, Any] = {**numbers, **times}
    kept = dict.fromkeys(mapping.columns.values())
    return parse(source, {name: types.get(name, pl.String) for name in column_names(source.layout)}, list(kept))


def _unused(name: str, taken: Mapping[str, object]) -> str:
    while name in taken:
        name += "_"
    return name


def _day_first(mapping: ColumnMapping, frames: Sequence[pl.DataFrame]) -> bool | None:
    """Decide how the dates of all rows and files of an export are read; see `is_day_first`."""
    if mapping.time is None or mapping.time_unit != DATE_TIME:
        return True
    return is_day_first(*(frame[mapping.time] for frame in frames))


def _recording(
    source: Source, name: str, subject: str, frame: pl.DataFrame, mapping: ColumnMapping, day_first: bool | None
) -> Recording:
    labels, activities = label_codes(frame[mapping.label]) if mapping.label else (None, ())
    timed = _timed(source, frame, mapping, day_first)
    parts, gravity = _with_total(_parts(timed, timed.origin, labels), mapping)
    return build_recording(
        name, name, subject, parts, gravity=gravity, activities=activities,
        problems=[*layout_problems(source), *timed.problems], app=APP,
        origin_utc_s=timed.origin, local_clock=timed.local,
    )  # fmt: skip


def _read_together(sources: Sequence[Source], mapping: ColumnMapping) -> Recording:
    """Read the files of one recording, each of which holds other sensors, on the one clock that they share."""
    sources = sorted(sources, key=lambda source: mapping.files.index(mapping.file_of(source.name)))
    wholes = [(source, mapping.within(mapping.file_of(source.name))) for source in sources]
    frames = [_parsed(source, own) for source, own in wholes]
    day_first = _day_first(mapping, frames)
    each = [_timed(source, frame, own, day_first) for (source, own), frame in zip(wholes, frames, strict=True)]
    folder, rest = str(PurePosixPath(sources[0].name).parent), _rest(sources[0].name, mapping)
    told = [part for part in (folder, rest) if part not in ("", ".")]
    name = "/".join(told) or " + ".join(source.name for source in sources)
    origins = [own.origin for own in each if own.origin is not None]
    problems = [problem for own in each for problem in (*layout_problems(own.source), *own.problems)]
    if origins and len(origins) < len(each):
        early = ", ".join(own.source.name for own in each if own.origin is None)
        raise UnreadableData(
            f"{early}: expected times since 1970, as in the other files of {name}, found smaller ones."
        )
    for file in mapping.files:
        if file not in [mapping.file_of(source.name) for source in sources]:
            detail = f"the mapping names a file for {' and '.join(s.modality for s in mapping.within(file).sensors)}"
            problems.append(
                Problem(name, ProblemKind.MISSING_SENSOR, f"{detail}, {file!r}; there is none", "read without it")
            )
    twice = Counter(mapping.file_of(source.name) for source in sources).most_common(1)[0]
    if twice[1] > 1:
        raise UnreadableData(f"{name}: {twice[1]} files are called {twice[0]!r}, expected one for each sensor.")
    origin = min(origins, default=None)
    parts, gravity = _with_total([part for own in each for part in _parts(own, origin)], mapping)
    return build_recording(
        name, name, name, parts, gravity=gravity,
        problems=problems, app=APP, origin_utc_s=origin, local_clock=any(own.local for own in each),
    )  # fmt: skip


def _parts(timed: _Timed, origin: float | None, labels: IntArray | None = None) -> Parts:
    """Take the sensors out of a file, their time counted from an origin."""
    frame, time = timed.frame, timed.time
    frame = frame.with_columns(frame[time] - (origin or 0.0))
    parts: Parts = []
    for sensor in timed.mapping.sensors:
        factor = UNITS[sensor.kind][sensor.unit] * sensor.scale
        signs = sensor.signs or (1,) * len(sensor.columns)
        turned = frame.with_columns(
            frame[column] * sign for column, sign in zip(sensor.columns, signs, strict=True) if sign != 1
        )
        times = f", times {sensor.scale:g}" if sensor.scale != 1.0 else ""
        unit = f"{sensor.unit}{times}, by the mapping"
        axes, names = sensor.columns, column_names(timed.source.layout)
        sparse = timed.source.layout.sparse([names.index(axis) for axis in axes])
        stream, problems = raw_stream(
            timed.source, turned, sensor.modality, time, axes, labels, unit=unit, factor=factor, in_seconds=True,
            sparse=sparse,
        )  # fmt: skip
        parts.append((stream, [*_unit_problems(timed.source, sensor), *problems]))
    return parts


def _unit_problems(source: Source, sensor: SensorColumns) -> list[Problem]:
    """Note where the mapping takes a sensor in another unit than the heading of its columns says."""
    stated = unit_in(sensor.columns[0])
    if stated not in UNITS[sensor.kind] or stated == sensor.unit or sensor.scale != 1.0:
        return []
    detail = f"{sensor.modality}: {stated} by the heading of {sensor.columns[0]}, {sensor.unit} by the mapping"
    return [Problem(source.name, ProblemKind.UNIT_MISMATCH, detail, f"taken in {sensor.unit}")]


def _with_total(parts: Parts, mapping: ColumnMapping) -> tuple[Parts, Gravity | None]:
    """Make the accelerometer of each device that has gravity and the rest apart, and tell whether it holds gravity."""
    streams = {stream.modality: (stream, problems) for stream, problems in parts}
    gravity, made = mapping.gravity, dict(streams)
    for modality, (linear, problems) in streams.items():
        device = modality.removesuffix("linear_accelerometer")
        if linear.kind != "linear_accelerometer" or f"{device}accelerometer" in streams:
            continue
        weight = streams.get(f"{device}gravity")
        if weight and (total := with_gravity(linear, weight[0])):
            made[total.modality], gravity = (total, []), "included"
        elif weight:  # on clocks of their own
            del made[modality]
            made[f"{device}accelerometer"] = replace(linear, modality=f"{device}accelerometer"), problems
            gravity = "removed"
    return sorted(made.values(), key=lambda part: part[0].kind != "accelerometer"), gravity


def _timed(source: Source, frame: pl.DataFrame, mapping: ColumnMapping, day_first: bool | None) -> _Timed:
    """Bring the column of time to seconds."""
    import polars as pl

    if mapping.time is None:
        if mapping.rate_hz is None:
            raise InvalidDescription(
                f"{source.name}: the mapping's time: expected a column or a number of rows a second, found neither."
            )
        name = _unused("time", dict.fromkeys(frame.columns))
        frame = frame.with_columns(pl.Series(name, np.arange(len(frame)) / mapping.rate_hz))
        return _Timed(source, mapping, frame, name, None)
    column = frame[mapping.time]
    if mapping.time_unit == DATE_TIME:
        seconds = date_time_seconds(column, day_first is not False)
        if seconds.null_count() == len(seconds):
            found = next((text for text in column if text), "")
            raise UnreadableData(
                f"{source.name}, line {source.line(0)}: expected dates and times in {mapping.time}, such as "
                f"{EXAMPLE}, found {quote(repr(found[:60]))}."
            )
    else:
        first = float(column.drop_nulls().head(1).sum())
        who = who_counts_days(first) if mapping.time_unit == DAYS else ""
        seconds = (column - DAYS_TO_1970.get(who, 0.0)) * TIME_UNITS[mapping.time_unit]
    dated = seconds.filter(seconds.is_between(*EPOCH_S))
    start = dated.min() if len(dated) > len(seconds) / 2 else None
    origin = start if isinstance(start, float) else None
    if mapping.time_unit != DATE_TIME:
        problems = _time_unit_problems(source, column, mapping)
    elif origin is None:
        problems = _unused_dates(source, mapping)
    else:
        problems = [] if day_first is not None else [_date_in_doubt(source, column, origin)]
    timed = frame.with_columns(seconds.alias(mapping.time))
    return _Timed(source, mapping, timed, mapping.time, origin, tuple(problems), _is_local(column, mapping))


def _is_local(column: pl.Series, mapping: ColumnMapping) -> bool:
    """Tell whether times are by a clock on the wall: dates whose zone neither they nor their heading say."""
    if IN_UTC.search(column.name):
        return False
    return mapping.time_unit == DAYS or (mapping.time_unit == DATE_TIME and not names_zone(column))


def _date_in_doubt(source: Source, column: pl.Series, origin: float) -> Problem:
    row = column.is_not_null().arg_max() or 0
    found = f"line {source.line(row)}: {column.name} begins with {quote(repr(column[row][:60]))}"
    detail = f"{found}; nothing in it tells whether the day or the month stands first"
    day = f"{datetime.fromtimestamp(origin, timezone.utc):%Y-%m-%d}"
    return Problem(
        source.name, ProblemKind.DATE_IN_DOUBT, detail, f"read day first, from {day} on; only the date is in doubt"
    )


def _unused_dates(source: Source, mapping: ColumnMapping) -> list[Problem]:
    """List the columns of dates beside one of mere times."""
    layout = source.layout
    cells = {name: layout.column(index) for index, name in enumerate(column_names(layout))}
    names = [name for name, own in cells.items() if own and all(map(is_date, own))]
    detail = (
        f"{', '.join(names)} has dates, but {mapping.time}, which the mapping takes for the time, only times of day"
    )
    action = "read without the date; write both into one column to keep it"
    return [Problem(source.name, ProblemKind.DATE_NOT_USED, detail, action)] if names else []


def _time_unit_problems(source: Source, column: pl.Series, mapping: ColumnMapping) -> list[Problem]:
    """List a unit of time in which no sensor of movement has such a rate, though it has one in another.

    Raises
    ------
    UnreadableData : nor has any other sensor.
    """
    time = column.to_numpy()
    time = time[np.isfinite(time)]
    steps = positive_steps(time)
    if not len(steps) or all(len(MODALITY_CHANNELS[sensor.kind]) == 1 for sensor in mapping.sensors):
        return []
    step = float(np.median(steps)) * len(steps) / (len(time) - 1)  # of a batch that shares a stamp, too
    rates = {unit: 1 / (step * scale) for unit, scale in TIME_UNITS.items()}
    fits = next((unit for unit, rate in rates.items() if 1.0 <= rate <= MAX_RATE_HZ), None)
    unit = mapping.time_unit
    if fits is None or 1.0 <= rates[unit] <= MAX_RATE_HZ:
        return []
    detail = (
        f"the mapping's time.unit is {unit}, but {column.name} goes up by {step:.4g} from row to row: "
        f"{rates[unit]:,.4g} rows a second in {unit}, {rates[fits]:,.4g} in {fits}"
    )
    if not MIN_STEP_S <= 1 / rates[unit] <= MAX_STEP_S:
        raise UnreadableData(f"{source.name}: {detail}. Change time.unit of the mapping to {fits}.")
    action = f"kept in {unit}; if {fits} is right, change time.unit of the mapping"
    return [Problem(source.name, ProblemKind.TIME_UNIT_IN_DOUBT, detail, action)]
