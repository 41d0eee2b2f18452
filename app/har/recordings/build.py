"""From parsed columns to a Recording: corrupt rows out, time in seconds, clocks repaired, everything listed."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from app.har.errors import HarError, UnreadableData, quote
from app.har.problems import Problem, ProblemKind
from app.har.recordings.devices.gathered import Gathered
from app.har.recordings.files import shown
from app.har.recordings.tables import Source, text_at
from app.har.signals.clocks import STALE_S, find_timestamp_outliers, first_s, positive_steps, repair, to_seconds
from app.har.signals.evidence import gravity_evidence
from app.har.signals.frozen import frozen_samples, zeros_in_motion
from app.har.signals.remembered import remembered
from app.har.signals.summaries import constant_axes, extremes, median
from app.har.signals.types import Gravity, Recording, Stream
from app.har.types import FloatArray, IntArray, TimeArray

if TYPE_CHECKING:
    import polars as pl

T = TypeVar("T")
MAX_NAME = 200
MAX_LABELS = 200
MIN_USABLE = 0.5  # a file in which more of the rows is corrupt is not what it was taken for
OTHER_SENSORS = 0.3  # share of the rows from which blanks are other sensors' rows; fewer are missing values
LARGEST = 1e7  # value in any unit: 10,000 °/s in thousandths, 24 bits of raw counts
LARGEST_STAMP = 1e24  # in any unit
FAR_S = 1e10  # after 1970; no clock reads so much: it is the year 2286
STRETCHES, STRETCH = 20, 10_000  # of a long recording, in samples, that show in which unit its clock counts
FEW_ROWS = 10_000  # of a table
AT_ONCE = 2**20  # samples that are taken together
MIN_STEP_S, MAX_STEP_S = 1 / 5000, 600.0  # from a fast accelerometer to a slow thermometer


def raw_stream(
    source: Source,
    frame: pl.DataFrame,
    modality: str,
    time: str,
    axes: Sequence[str],
    labels: IntArray | None = None,
    *,
    unit: str = "",
    factor: float = 1.0,
    in_seconds: bool = False,
    sparse: bool = False,
    clock: TimeArray | None = None,
) -> tuple[Stream, list[Problem]]:
    """Take one sensor out of parsed columns; rows whose time or values cannot be are dropped and listed.

    Parameters
    ----------
    unit : the unit that the values are in, and how that is known: "g, by the format".
    factor : from the file's unit to the core's.
    in_seconds : whether the format says that time is in seconds; otherwise its unit is detected from the rate.
    sparse : whether rows without any of these values are other sensors', and no fault, however many there are.
    clock : the column of time as an array, where several sensors share it: what is asked of it is remembered.

    Raises
    ------
    UnreadableData : no or too few usable rows; the message shows the first bad line.
    """
    # What is sound is not copied: it may be a day
    stamps = frame[time].to_numpy().astype(np.float64, copy=False) if clock is None else clock
    values = _values(frame, axes)
    good = np.ones(len(stamps), bool)
    columns: list[tuple[NDArray[Any], float]] = [(stamps, LARGEST_STAMP), (values, LARGEST)]
    for column, most in columns if len(good) else ():
        least, greatest = extremes(column)
        if not -most <= least.min() <= greatest.max() <= most:  # with a NaN, it is not
            good &= (np.abs(column.reshape(len(good), -1)) <= most).all(axis=1)
    expected = f"numbers in {time}, {', '.join(axes)}"
    problems = []
    others = np.isnan(values).all(axis=1) & np.isfinite(stamps) if sparse else np.zeros(len(good), bool)
    n_good = int(np.count_nonzero(good))  # to add up truths takes ten times as long
    all_good = n_good == len(good)
    expectable = others if np.count_nonzero(others) > OTHER_SENSORS * len(good) else np.zeros(len(good), bool)
    if not all_good and not (good | expectable).all():
        bad = np.flatnonzero(~good & ~expectable)
        where = f"line {source.line(int(bad[0]))}: {quote(repr(text_at(source, int(bad[0]))))}"
        if (np.abs(values[bad]) > LARGEST).any():
            expected += f", at most {LARGEST:,.0f} either way"
        if n_good < MIN_USABLE * (~others).sum():
            raise UnreadableData(
                f"{source.name}, {where}: expected {expected}; {len(bad):,} of {len(good):,} rows are unusable."
            )
        empty = table_of(frame, axes)[bad].null_count().sum_horizontal().item() == len(bad) * len(axes)
        problems.append(
            Problem(
                source.name,
                ProblemKind.EMPTY_CELLS if empty else ProblemKind.CORRUPT_ROWS,
                f"{modality}: {len(bad):,} of {len(good):,} rows without {expected}, the first in {where}",
                "rows dropped",
            )
        )
    if n_good < 2:
        raise UnreadableData(
            f"{source.name}: holds {n_good} row(s) with {expected}, expected a recording of some seconds."
        )
    if not all_good:
        stamps, values, labels = stamps[good], values[good], None if labels is None else labels[good]
    seconds, unit_problems = stamps, list[Problem]()
    if not (in_seconds and _plausible(seconds)):
        seconds, unit_problems = to_seconds(seconds, f"{source.name} ({modality})")
    if len(stray := find_timestamp_outliers(seconds)):
        problems.append(_stray_problem(source, modality, seconds, stray, np.flatnonzero(good)))
        seconds, values = np.delete(seconds, stray), np.delete(values, stray, axis=0)
        labels = None if labels is None else np.delete(labels, stray)
    if modality.endswith(("accelerometer", "gyroscope")) and (frozen := frozen_samples(seconds, values)).any():
        problems.append(_frozen_problem(source.name, Stream(modality, seconds, values), frozen))
        seconds, values = seconds[~frozen], values[~frozen]
        labels = None if labels is None else labels[~frozen]
    kept = values if factor == 1.0 else values * np.float32(factor)
    return Stream(modality, seconds, kept, labels, unit, factor), problems + unit_problems


def stream_of_samples(
    source: str, modality: str, time_s: TimeArray, values: FloatArray, unit: str, factor: float
) -> tuple[Stream, list[Problem]]:
    """Take a sensor's samples as a device's file holds them, each with its time; what is no measurement is left out.

    Parameters
    ----------
    time_s : (n,) since the recording's origin.
    values : (n, n_channels) in the core's unit.
    unit : the unit that they were in, and how that is known: "g, by the format".
    factor : by which they were multiplied.

    Raises
    ------
    UnreadableData : there are not two samples.
    """
    if len(time_s) < 2:
        raise UnreadableData(
            f"{source} ({modality}): holds {len(time_s)} sample(s), expected a recording of some seconds."
        )
    problems: list[Problem] = []
    if len(stray := find_timestamp_outliers(time_s)):
        detail = f"{modality}: {len(stray):,} of {len(time_s):,} samples with a time far from that of those around them"
        problems.append(Problem(source, ProblemKind.TIMESTAMP_OUTLIERS, detail, "samples dropped"))
        time_s, values = np.delete(time_s, stray), np.delete(values, stray, axis=0)
        if len(time_s) < 2:
            raise UnreadableData(f"{source} ({detail}): expected times that go on by a sensor's steps.")
    if modality.endswith(("accelerometer", "gyroscope")) and (frozen := frozen_samples(time_s, values)).any():
        problems.append(_frozen_problem(source, Stream(modality, time_s, values), frozen))
        time_s, values = _without(time_s, values, frozen)
    return Stream(modality, time_s, values, None, unit, factor), problems


def _without(time_s: TimeArray, values: FloatArray, left_out: NDArray[np.bool_]) -> tuple[TimeArray, FloatArray]:
    """Return the other samples, those of a long recording in a file again."""
    held = Gathered(values.shape[1], len(left_out) - int(np.count_nonzero(left_out)))
    for first in range(0, len(left_out), AT_ONCE):
        part = slice(first, first + AT_ONCE)
        kept = ~left_out[part]
        held.add(time_s[part][kept], values[part][kept].T)
    return held.finish()


def table_of(frame: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    """Return some columns of a table; polars' `select` plans a query first, which for a small table takes longest."""
    import polars as pl

    return pl.DataFrame([frame[name] for name in names])


def _values(frame: pl.DataFrame, axes: Sequence[str]) -> FloatArray:
    """Return some columns of numbers as an array (n, n_axes), that of a day without a copy where there is one array."""
    import polars as pl

    if len(frame) > FEW_ROWS or any(frame.schema[axis] != pl.Float32 for axis in axes):
        return table_of(frame, axes).to_numpy().astype(np.float32, copy=False)
    values = np.empty((len(axes), len(frame)), np.float32)
    for row, axis in zip(values, axes, strict=True):
        row[:] = frame[axis].to_numpy()  # polars copies a whole table in several threads, which takes a few rows longer
    return values.T


def _stray_problem(source: Source, modality: str, seconds: TimeArray, stray: IntArray, rows: IntArray) -> Problem:
    """List time stamps that are a fault, with the first of them.

    Raises
    ------
    UnreadableData : most of them are.
    """
    row = int(rows[stray[0]])
    detail = (
        f"{modality}: {len(stray):,} of {len(seconds):,} rows with a time far from that of the rows around them, the "
        f"first {seconds[stray[0]]:.10g} s in line {source.line(row)}: {quote(repr(text_at(source, row)))}"
    )
    if len(stray) > (1 - MIN_USABLE) * len(seconds):
        raise UnreadableData(f"{source.name}, {detail}; expected times that follow one another.")
    return Problem(source.name, ProblemKind.TIMESTAMP_OUTLIERS, detail, "rows dropped")


def _frozen_problem(source: str, stream: Stream, frozen: NDArray[np.bool_]) -> Problem:
    """List samples that are no measurement, with the first of them."""
    edges = np.flatnonzero(np.diff(frozen, prepend=False, append=False))
    time = stream.time_s
    spans = [float(time[end - 1] - time[first]) for first, end in edges.reshape(-1, 2)]
    times = "once" if len(spans) == 1 else f"{len(spans):,} times"
    detail = (
        f"{stream.modality}: {int(frozen.sum()):,} of {len(frozen):,} samples repeat one value, {times}, for "
        f"{sum(spans):.1f} s in all, the first {stream.values[edges[0]].tolist()} from {time[edges[0]]:.10g} s on"
    )
    return Problem(source, ProblemKind.FROZEN_VALUES, detail, "left out, as nothing was measured: a hole")


def _without_zeros(parts: Sequence[tuple[Stream, list[Problem]]], source: str) -> list[tuple[Stream, list[Problem]]]:
    """Leave out the zeros of sensors that do not hold gravity, where they are no measurement."""
    by_modality = {stream.modality: stream for stream, _ in parts}
    kept = []
    for stream, problems in parts:
        beside = by_modality.get(stream.modality.removesuffix(stream.kind) + "accelerometer")
        zeros = zeros_in_motion(stream, beside)
        if zeros.any():
            problems = [*problems, _frozen_problem(source, stream, zeros)]
            labels = None if stream.labels is None else stream.labels[~zeros]
            stream = replace(stream, time_s=stream.time_s[~zeros], values=stream.values[~zeros], labels=labels)
        kept.append((stream, problems))
    return kept


@remembered
def _plausible(seconds: NDArray[np.float64]) -> bool:
    """Tell whether steps are those of a sensor, if the clock is in seconds; a clock that stands still is none.

    Of a long recording some stretches show it.
    """
    n = len(seconds)
    if n > 2 * STRETCHES * STRETCH:
        starts = np.linspace(0, n - STRETCH, STRETCHES).astype(np.int64)
        steps = np.concatenate([positive_steps(seconds[start : start + STRETCH]) for start in starts.tolist()])
    else:
        steps = positive_steps(seconds)
    return bool(len(steps)) and MIN_STEP_S <= median(steps) <= MAX_STEP_S


def build_recording(
    source: str,
    recording_id: str,
    subject: str,
    parts: Sequence[tuple[Stream, list[Problem]]],
    *,
    gravity: Gravity | None = None,
    activities: tuple[str, ...] = (),
    activity: str | None = None,
    problems: Sequence[Problem] = (),
    app: str = "",
    origin_utc_s: float | None = None,
    local_clock: bool = False,
) -> Recording:
    """Repair the clocks and make a recording; gravity is detected from the signal where the format doesn't say.

    ``local_clock`` says that the origin is by a clock on the wall, in a zone that the file does not tell.
    """
    parts = _without_zeros(parts, source)
    fast = [stream for stream, _ in parts if stream.values.shape[1] > 1]
    slow = [_in_order(stream) for stream, _ in parts if stream.values.shape[1] == 1]
    streams, clock_problems = repair(fast, source)
    streams = (*streams, *slow)
    found = [*problems, *(problem for _, stream_problems in parts for problem in stream_problems), *clock_problems]
    for stream in streams[: len(fast)]:
        if len(stream.values) > 1 and constant_axes(stream.values).all():
            found.append(
                Problem(
                    source,
                    ProblemKind.CONSTANT_SIGNAL,
                    f"{stream.modality}: every sample is {stream.values[0].tolist()}",
                    "kept; the sensor seems dead",
                )
            )
    if gravity is None:
        gravity = detect_gravity(streams)
    if origin_utc_s is not None and not 0 <= origin_utc_s < FAR_S:
        detail = f"the clock says that the recording began {origin_utc_s:.6g} s after 1970"
        found.append(Problem(source, ProblemKind.DATE_NOT_USED, detail, "left out; times count from the start"))
        origin_utc_s = None
    if origin_utc_s is not None and (start := first_s(streams)) > STALE_S:  # the rows before it were left out
        streams = tuple(replace(stream, time_s=stream.time_s - start) for stream in streams)
        origin_utc_s += start
    return Recording(
        printable(recording_id),
        printable(subject),
        streams,
        gravity,
        tuple(map(printable, activities)),
        activity and printable(activity),
        tuple(found),
        app,
        origin_utc_s,
        local_clock=local_clock and origin_utc_s is not None,
    )


def _in_order(stream: Stream) -> Stream:
    """Sort slow signals of the body by time, each time once; repeated values are no fault in them."""
    time, first = np.unique(stream.time_s, return_index=True)
    return replace(stream, time_s=time, values=stream.values[first], labels=None)


def read_each(parts: Mapping[str, T], read: Callable[[str, T], Recording]) -> list[Recording]:
    """Read the recordings of an upload one by one; one that fails is listed with the first that does not.

    Raises
    ------
    HarError : all failed; the first failure.
    """
    recordings: list[Recording] = []
    errors: dict[str, HarError] = {}
    for name, part in parts.items():
        try:
            recordings.append(read(name, part))
        except HarError as error:
            errors[name] = error
    if not recordings:
        raise next(iter(errors.values()))
    failed = tuple(
        Problem(name, ProblemKind.UNREADABLE_RECORDING, str(error), "left out") for name, error in errors.items()
    )
    return [replace(recordings[0], problems=recordings[0].problems + failed), *recordings[1:]]


def earliest(tables: Iterable[pl.DataFrame], column: str) -> int | None:
    """Return the first stamp in a column of some tables; None where there is none. 0 means that a stamp is missing."""
    stamps = [table[column].filter(table[column] > 0).min() for table in tables]
    return min(
        (int(stamp) for stamp in stamps if isinstance(stamp, (int, float)) and math.isfinite(stamp)), default=None
    )


def printable(name: str) -> str:
    """Return a name from a file as it is shown: one form of each letter, no control characters, not too long."""
    return unicodedata.normalize("NFC", shown(name)).strip()[:MAX_NAME]


def detect_gravity(streams: Sequence[Stream]) -> Gravity:
    """Detect from its length whether the first acceleration holds gravity; where there is none it does not matter."""
    first = next((stream for stream in streams if stream.kind.endswith("accelerometer")), None)
    return "included" if first and gravity_evidence(first).holds_gravity else "removed"


def check_labels(names: Collection[str], where: str) -> None:
    """Refuse more activities than anybody would tell apart.

    Raises
    ------
    UnreadableData : the message begins with where they were found.
    """
    if len(names) > MAX_LABELS:
        raise UnreadableData(
            f"{where}: holds more than {MAX_LABELS} different activities; at most these are read. If it holds "
            "something else, call it otherwise or leave it out."
        )


def label_codes(
    column: pl.Series, none: Sequence[str] = ("", "null", "none", "nan"), read: Callable[[str], str] = str
) -> tuple[IntArray, tuple[str, ...]]:
    """Turn a column of activity names, each read from the text of a cell, into label ids and names, as they appear.

    Raises
    ------
    UnreadableData : there are too many different ones.
    """
    import polars as pl

    if column.dtype != pl.Categorical:
        column = column.cast(pl.String)
    names: dict[str, int] = {}
    codes: dict[str | None, int] = {}
    for text in column.unique(maintain_order=True).cast(pl.String):
        name = printable(read(text or ""))
        codes[text] = -1 if name.lower() in none else names.setdefault(name, len(names))
        check_labels(names, f"the column {column.name}")
    return column.replace_strict(codes, return_dtype=pl.Int64).to_numpy(), tuple(names)
