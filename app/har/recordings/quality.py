"""The quality card of a recording: what was recorded, how well, what was done about it, and whether it can be used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from app.har.problems import Problem, ProblemKind
from app.har.signals.clocks import GAP_S, LOW_RATE_HZ, gap_threshold, sampling_rate
from app.har.signals.cores import on_every_core
from app.har.signals.intervals import Interval, gap_free, segments_by_presence
from app.har.signals.pages import let_go
from app.har.signals.resampling import lengths, mean_magnitude
from app.har.signals.summaries import BLOCK, constant_axes, extremes, holes, rounded
from app.har.signals.types import MODALITY_UNITS, MOTION, Gravity, Recording, Stream
from app.har.signals.units import STANDARD_GRAVITY
from app.har.types import FloatArray

Verdict = Literal["pass", "usable", "unusable"]
Span = tuple[float, float]  # start and end in seconds on the recording's clock

# The narrowest range of what phones and watches hold, ±2 g and ±250 °/s: no sensor clips below
CLIPS_FROM = {"accelerometer": 18.0, "gyroscope": 4.2}
NON_WEAR_WINDOW_S, NON_WEAR_STEP_S = 3600.0, 900.0  # four steps make a window
NON_WEAR_DEVIATION, NON_WEAR_RANGE = 0.013 * STANDARD_GRAVITY, 0.050 * STANDARD_GRAVITY
NEARLY_S = 0.05  # clocks and rates are not exact
SHORTEST_S = 3.0  # of a gap-free stretch that says something of an activity
SLOW_HZ = 20.0  # a rate below loses part of what a walking body does
MANY = 0.01  # share of the time or the samples that is worth telling
OUTLINE = 240  # points
LONG = 2**20  # samples; a recording of fewer is examined before a second thread has begun
AT_ONCE = 2**22  # samples of an axis
LISTED_SPANS = 200
TOO_SHORT, UNWORN, WORN_FOR = "the longest stretch of a sensor without a gap lasts", "it was not worn", "worn for"
DOUBTFUL = {  # kinds of problems that leave a doubt about the result
    ProblemKind.CLOCK_RESTART: "the clock started again in mid-recording",
    ProblemKind.ROWS_OUT_OF_ORDER: "the rows were out of order",
    ProblemKind.CORRUPT_ROWS: "some rows could not be read",
    ProblemKind.TIMESTAMP_OUTLIERS: "some time stamps were wrong",
    ProblemKind.IMPOSSIBLE_VALUES: "some values were beyond what a sensor gives",
    ProblemKind.FROZEN_VALUES: "for a while a sensor gave zeros, or one value over and over",
    ProblemKind.EMPTY_CELLS: "some cells were empty",
}


@dataclass(frozen=True)
class StreamQuality:
    """What is known of one sensor of a recording."""

    modality: str
    device: str  # "" where there is one
    sensor: str
    unit: str
    unit_found: str  # in the file, and how that is known
    samples: int
    rate_asked_hz: float  # of the rows or by the file's header; 0 where unknown
    rate_hz: float  # of the samples that say something new
    start_s: float
    duration_s: float
    gaps: int
    longest_gap_s: float
    gap_s: float  # in all
    worn: float | None  # share of the time; None where it can't be told
    clipped: float  # share of the samples
    dead_axes: tuple[str, ...]  # that never change while others do
    constant: bool
    mean_magnitude: float  # median over seconds of the length of the mean vector
    gap_spans: tuple[Span, ...]  # the first LISTED_SPANS
    unworn_spans: tuple[Span, ...]
    clipped_spans: tuple[Span, ...]
    outline: tuple[
        tuple[float | None, float | None], ...
    ]  # least and most of the vector's length, in equal parts of time


@dataclass(frozen=True)
class QualityCard:
    """One recording at a glance."""

    recording: str
    app: str
    start_utc: str | None  # ISO 8601
    duration_s: float
    gravity: Gravity
    streams: tuple[StreamQuality, ...]
    problems: tuple[Problem, ...]
    verdict: Verdict
    reasons: tuple[str, ...]
    clock_zone: str = ""  # in which a local clock without a zone was read; "" of any other

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)


def card(recording: Recording, gap_s: float = GAP_S) -> QualityCard:
    """Examine a recording as its importer gave it, clocks repaired.

    Parameters
    ----------
    gap_s : holes up to this long are not gaps.
    """
    each = on_every_core if max(len(stream.time_s) for stream in recording.streams) > LONG else map
    streams = tuple(each(partial(_examined, gravity=recording.gravity, gap_s=gap_s), recording.streams))
    start = min(own.start_s for own in streams)
    end = max(own.start_s + own.duration_s for own in streams)
    running = [
        [(first, last + _step_s(own)) for first, last in gap_free(stream, own.rate_hz, gap_s)]
        for stream, own in zip(recording.streams, streams, strict=True)
        if own.sensor in MOTION and not own.constant
    ]
    against = _blocking_reasons(streams, running)
    doubts = () if against else _warnings(recording, streams, running)
    return QualityCard(
        recording=recording.recording_id,
        app=recording.app,
        start_utc=_in_utc(recording.origin_utc_s, start),
        duration_s=round(end - start, 3),
        gravity=recording.gravity,
        streams=streams,
        problems=recording.problems,
        verdict="unusable" if against else "usable" if doubts else "pass",
        reasons=against or doubts,
        clock_zone=recording.clock_zone,
    )


def _step_s(own: StreamQuality) -> float:
    """Return for how long a sample stands: 300 at 100 Hz last for 3 s, though the last is 2.99 s after the first."""
    return 1 / own.rate_hz if own.rate_hz > 0 else 0.0


def _in_utc(origin_s: float | None, start_s: float) -> str | None:
    if origin_s is None:
        return None
    moment = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(seconds=origin_s + start_s)
    return moment.isoformat(timespec="milliseconds")


def _examined(stream: Stream, gravity: Gravity, gap_s: float) -> StreamQuality:
    time, values = stream.time_s, stream.values
    rate = sampling_rate(time)
    cuts = holes(time, gap_threshold(rate, gap_s))
    gaps = time[cuts + 1] - time[cuts]
    start, end = float(time[0]), float(time[-1])
    still = constant_axes(values)
    clipped = _clipped(stream)
    unworn = _unworn(stream, rate) if stream.kind == "accelerometer" and gravity == "included" else None
    return StreamQuality(
        modality=stream.modality,
        device=stream.modality.removesuffix(stream.kind).rstrip("."),
        sensor=stream.kind,
        unit=MODALITY_UNITS[stream.kind],
        unit_found=stream.unit_found or f"{MODALITY_UNITS[stream.kind]}, as this layout has it",
        samples=len(time),
        rate_asked_hz=round(stream.rate_asked_hz, 2),
        rate_hz=round(rate, 2),
        start_s=round(start, 3),
        duration_s=round(end - start, 3),
        gaps=len(gaps),
        longest_gap_s=round(float(gaps.max(initial=0.0)), 3),
        gap_s=round(float(gaps.sum()), 3),
        worn=None if unworn is None else round(1 - sum(b - a for a, b in unworn) / (end - start), 4),
        clipped=round(float(np.count_nonzero(clipped) / len(clipped)), 6),
        dead_axes=tuple(name for name, dead in zip(stream.channels, still, strict=True) if dead and not still.all()),
        constant=bool(still.all()),
        mean_magnitude=round(_mean(stream, rate), 4),
        gap_spans=tuple((round(float(time[i]), 3), round(float(time[i + 1]), 3)) for i in cuts[:LISTED_SPANS]),
        unworn_spans=tuple(unworn or ()),
        clipped_spans=_spans(time, clipped),
        outline=_outline(time, values),
    )


def _mean(stream: Stream, rate: float) -> float:
    if stream.values.shape[1] == 3:
        return mean_magnitude(stream.values, round(rate))
    return float(stream.values.mean(dtype=np.float64))


def _clipped(stream: Stream) -> NDArray[np.bool_]:
    """Tell which samples lie on a plateau at the extreme of an axis, beyond what any sensor can be set to hold."""
    clipped = np.zeros(len(stream.values), bool)
    least, greatest = extremes(stream.values)
    for axis, low, high in zip(stream.values.T, least, greatest, strict=True) if stream.kind in CLIPS_FROM else ():
        for extreme in (high, low):
            if abs(extreme) < CLIPS_FROM[stream.kind]:
                continue
            at = _positions(axis, float(extreme))
            if len(at) < 3:
                continue
            follows = np.diff(at) == 1
            flat = at[np.append(follows, False) | np.append(False, follows)]
            if len(flat) >= 3:
                clipped[flat] = True
    return clipped


def _positions(axis: FloatArray, value: float) -> NDArray[np.int64]:
    """Return where an axis has just this value; of a week, some hours at a time."""
    found = []
    for first in range(0, len(axis), AT_ONCE):
        found.append(np.flatnonzero(axis[first : first + AT_ONCE] == value) + first)
        let_go(axis)
    return np.concatenate(found)


def _unworn(stream: Stream, rate: float) -> list[Span] | None:
    """Return when a device with gravity in its acceleration lay still; None for a recording too short to tell.

    Each quarter of an hour is judged by the hour around it: not worn where two axes at least deviate by less than 13 mg
    and keep within 50 mg (van Hees et al., PLoS ONE 8(4): e61691, 2013; GGIR). Without gravity a sleeper's turns don't
    show, so it is not judged.
    """
    time = stream.time_s
    if rate <= 0 or time[-1] - time[0] < NON_WEAR_WINDOW_S:
        return None
    half = NON_WEAR_STEP_S / 2  # an hour around a quarter begins and ends in the middle of others
    # The blocks that hold samples: of those in a long gap there may be more than there are samples
    number = np.unique(
        np.concatenate(
            [np.arange(a // half, b // half + 1) for a, b in np.subtract(gap_free(stream, rate, half), time[0])]
        )
    ).astype(np.int64)
    blocks = int(number[-1]) + 1
    parts = np.split(stream.values, np.searchsorted(time, time[0] + half * number[1:]))
    count = np.array([len(part) for part in parts])
    total, square, least, most = np.array([_moments(part) for part in parts]).swapaxes(0, 1)
    spans: list[Span] = []
    near = np.unique(number[:, None] // 2 * 2 + np.arange(-6, 8, 2))  # whose hour may hold samples
    for block in near[(near >= 0) & (near < blocks)].tolist():
        first = min(max(block - 3, 0), blocks - 8)
        hour = slice(*np.searchsorted(number, (first, first + 8)).tolist())
        n = count[hour].sum()
        if n < rate * NON_WEAR_STEP_S:  # most of it is a gap
            continue
        mean = total[hour].sum(axis=0) / n
        deviation = np.sqrt(np.maximum(square[hour].sum(axis=0) / n - mean**2, 0.0))
        spread = most[hour].max(axis=0) - least[hour].min(axis=0)
        if ((deviation < NON_WEAR_DEVIATION) & (spread < NON_WEAR_RANGE)).sum() >= 2:
            start = float(time[0]) + half * block
            end = round(min(start + NON_WEAR_STEP_S, float(time[-1])), 3)
            follows = spans and abs(spans[-1][1] - start) < 1e-2
            spans = [*spans[:-1], (spans[-1][0], end)] if follows else [*spans, (round(start, 3), end)]
    return spans


def _moments(values: FloatArray) -> tuple[NDArray[np.float64], ...]:
    """Return the sum, the sum of squares, the least and the most of each axis."""
    wide = values.astype(np.float64)
    let_go(values)
    least, most = wide.min(axis=0, initial=np.inf), wide.max(axis=0, initial=-np.inf)
    return wide.sum(axis=0), (wide**2).sum(axis=0), least, most


def _spans(time: NDArray[np.float64], chosen: NDArray[np.bool_]) -> tuple[Span, ...]:
    edge = np.flatnonzero(np.diff(chosen, prepend=False, append=False)) if chosen.any() else np.empty(0, np.int64)
    pairs = list(zip(edge[::2], edge[1::2] - 1, strict=True))[:LISTED_SPANS]
    return tuple((round(float(time[a]), 3), round(float(time[b]), 3)) for a, b in pairs)


def _outline(time: NDArray[np.float64], values: FloatArray) -> tuple[tuple[float | None, float | None], ...]:
    """Return the least and the most length in each of OUTLINE equal parts of the time, None where there is nothing."""
    n = min(OUTLINE, len(time))
    first = np.append(0, np.searchsorted(time, np.linspace(time[0], time[-1], n + 1)[1:-1]))
    filled = np.flatnonzero(np.diff(first, append=len(values)))
    starts = np.append(first[filled], len(values))
    ends = np.empty((2, len(filled)), np.float64)
    parts_at_once = max(1, len(filled) * BLOCK // len(values))  # of a day, the lengths of all are not needed together
    for a in range(0, len(filled), parts_at_once):
        b = min(a + parts_at_once, len(filled))
        block = values[starts[a] : starts[b]]
        length = lengths(block) if values.shape[1] > 1 else block[:, 0]
        for row, extreme in zip(ends, (np.minimum, np.maximum), strict=True):
            row[a:b] = extreme.reduceat(length, starts[a:b] - starts[a])
        let_go(values)
    found: list[tuple[float | None, float | None]] = [(None, None)] * n
    for part, least, most in zip(filled.tolist(), *map(rounded, ends), strict=True):
        found[part] = least, most
    return tuple(found)


def _blocking_reasons(streams: Sequence[StreamQuality], running: Sequence[list[Interval]]) -> tuple[str, ...]:
    """Return why nothing can be recognised in a recording, whatever the model."""
    motion = [own for own in streams if own.sensor in MOTION]
    if not motion:
        return (f"none of the sensors that models read ({', '.join(MOTION)}) was recorded",)
    if not running:
        return (f"{_names(motion)}: every sample is the same; the sensor seems dead",)
    longest = max(end - start for own in running for start, end in own)
    if longest < SHORTEST_S - NEARLY_S:
        return (f"{TOO_SHORT} {longest:.1f} s",)
    worn = [own.worn for own in motion if not own.constant and own.worn is not None]
    if worn and not any(worn):
        return (UNWORN,)
    return ()


def _warnings(
    recording: Recording, streams: Sequence[StreamQuality], running: Sequence[list[Interval]]
) -> tuple[str, ...]:
    """Return what leaves a doubt; what several sensors share is told once."""
    sensors: dict[str, list[StreamQuality]] = {}
    for own in streams:
        for doubt in _doubts_of(own) if own.sensor in MOTION else ():
            sensors.setdefault(doubt, []).append(own)
    kinds = dict.fromkeys(problem.kind for problem in recording.problems)
    found = [f"{_names(of)}: {doubt}" for doubt, of in sensors.items()]
    if (
        max((end - start for start, end, there in segments_by_presence(running) if all(there)), default=0.0)
        < SHORTEST_S - NEARLY_S
    ):
        found.append(f"its sensors share no stretch of {SHORTEST_S:g} s without a gap; training needs all of them")
    return (*found, *(DOUBTFUL[kind] for kind in kinds if kind in DOUBTFUL))


def _doubts_of(own: StreamQuality) -> Iterator[str]:
    if own.constant:
        yield "every sample is the same; the sensor seems dead"
    if own.dead_axes:
        yield f"{' and '.join(own.dead_axes)} never changes; that axis seems dead"
    if own.gap_s > MANY * own.duration_s:
        yield f"{own.gap_s:.1f} of {own.duration_s:.1f} s are missing"
    if own.clipped > MANY / 10:
        yield f"{100 * own.clipped:.1f} % of the samples are clipped at the end of the sensor's range"
    asked = f", of {own.rate_asked_hz:.1f} rows a second," if own.rate_hz < 0.8 * own.rate_asked_hz else ""
    if own.rate_hz < SLOW_HZ:
        much = "far too few" if own.rate_hz < LOW_RATE_HZ else "few"
        yield f"{own.rate_hz:.1f} samples a second{asked} are {much} for movement"
    elif asked:
        yield f"{own.rate_hz:.1f} samples a second, {own.rate_asked_hz:.1f} were asked for"
    if own.worn is not None and own.worn < 0.9:
        yield f"{WORN_FOR} {100 * own.worn:.0f} % of the time"


def _names(streams: Iterable[StreamQuality]) -> str:
    return " and ".join(own.modality.replace(".", " ") for own in streams)
