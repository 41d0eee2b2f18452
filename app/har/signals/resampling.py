"""From sensors on their own clocks to gap-free stretches at one uniform rate."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from app.har.errors import InsufficientData, UnusableRecording
from app.har.signals.clocks import GAP_S, sampling_rate
from app.har.signals.cores import on_every_core
from app.har.signals.decimation import decimated
from app.har.signals.intervals import Piece, drop_short_intervals, gap_free, segments_by_presence
from app.har.signals.pages import let_go
from app.har.signals.remembered import remembered
from app.har.signals.samples import Samples
from app.har.signals.spline import spline
from app.har.signals.summaries import median
from app.har.signals.types import MOTION, UNLABELLED, Gravity, Recording, SignalSet, Stream, channels_of
from app.har.types import FloatArray, TimeArray
from app.har.vocabulary import means_none

NICE_RATES_HZ = (5, 10, 12.5, 16, 20, 25, 32, 40, 50, 64, 80, 100, 128, 160, 200, 250, 256, 400, 500, 512, 1000)
MIN_STRETCH_S = 0.5
ANTI_ALIAS_FROM = 1.05  # a source this much faster than the target is low-pass filtered first
MAX_UPSAMPLING = 8.0  # a sensor slower than this part of the target says too little to be interpolated
BLOCK = 2**16  # samples resampled at a time
MARGIN = 32  # and on either side: the filter reaches 10 samples, a spline's memory fades by 0.27 a sample
CLOSEST = 0.2  # of the usual step; samples closer than this are one
ON_TIME = 1e-3  # of a step; a sample this near to where one is wanted is the one wanted
HOLE = 4.0  # usual steps; a longer one was hardly measured
Scalar = TypeVar("Scalar", bound=np.generic)
Floating = TypeVar("Floating", bound=np.floating)


def common_rate(recordings: Sequence[Recording]) -> float:
    """Return the rate for a set of recordings: the median of their fastest sensors, a usual one if within 5 %."""
    rates = [max(sampling_rate(stream.time_s) for stream in recording.streams) for recording in recordings]
    rates = [rate for rate in rates if rate > 0]
    if not rates:
        raise InsufficientData("No recording is long enough to find its sampling rate; expected some seconds of data.")
    rate = float(np.median(rates))
    nearest = min(NICE_RATES_HZ, key=lambda nice: abs(nice - rate))
    return float(nearest) if abs(nearest - rate) <= 0.05 * rate else float(round(rate, 1))


def common_modalities(recordings: Sequence[Recording]) -> tuple[str, ...]:
    """Return the motion sensors that most of the recordings hold."""
    held = (tuple(s.modality for s in r.streams if s.modality.rpartition(".")[2] in MOTION) for r in recordings)
    common = Counter(modalities for modalities in held if modalities).most_common(1)
    if not common:
        raise InsufficientData(f"No recording has one of the sensors that models read: {', '.join(MOTION)}.")
    return common[0][0]


def to_signal_set(
    recordings: Iterable[Recording],
    sampling_rate_hz: float | None = None,
    modalities: tuple[str, ...] | None = None,
    *,
    allow_missing: bool = False,
    gap_s: float = GAP_S,
    window_length_s: float = 0.0,
) -> SignalSet:
    """Resample recordings to one rate, cut at every gap of any sensor.

    Where sensors may be missing, each stretch has a sensor all through or lacks it (NaN) all through: those of all
    sensors are what they are otherwise, and those of some lie between them.

    Each sensor is interpolated from its own time stamps by a cubic spline; where it is faster than the target, it is
    first brought to a multiple of the target rate and decimated by a zero-phase FIR low-pass
    (`decimation`).

    Parameters
    ----------
    recordings : at least one.
    sampling_rate_hz : the target; None takes it from the data.
    modalities : the sensors wanted, in channel order; None takes those most recordings have.
    allow_missing : a sensor may be missing, in a whole recording or for a time, as long as another is there.
    gap_s : holes up to this long (or of 5 samples) are bridged, longer ones cut.
    window_length_s : a sensor that may be missing, and runs for less, does not cut another that runs for as long.

    Raises
    ------
    UnusableRecording : a sensor is missing, far too slow, or no stretch of half a second is left.
    InsufficientData : no recording at all.
    """
    recordings = list(recordings)
    if not recordings:
        raise InsufficientData("No recording was found; expected at least one.")
    rate = sampling_rate_hz or common_rate(recordings)
    modalities = modalities or common_modalities(recordings)
    signal: list[FloatArray] = []
    labels: list[NDArray[np.int16]] = []
    index = StretchIndex(signal.append, labels.append)
    for recording in recordings:
        index.append(_resampled(recording, rate, modalities, allow_missing, gap_s, window_length_s))
    return index.finish(joined(signal), joined(labels))


def joined(parts: list[NDArray[Scalar]]) -> NDArray[Scalar]:
    """Join arrays and let go of them; a single one, which may be a day, is not copied."""
    whole = parts[0] if len(parts) == 1 else np.concatenate(parts)
    parts.clear()
    return whole


@dataclass
class StretchIndex:
    """Joins signal sets: samples go to the two sinks, the index of stretches is kept here."""

    write_signal: Callable[[FloatArray], object]
    write_labels: Callable[[NDArray[np.int16]], object]
    activities: dict[str, int] = field(default_factory=dict)
    recording_ids: list[str] = field(default_factory=list)
    subjects: list[str] = field(default_factory=list)
    samples: int = 0
    channels: tuple[str, ...] = ()
    sampling_rate_hz: float = 0.0
    gravity: Gravity = "removed"
    _columns: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], TimeArray]] = field(
        default_factory=list
    )

    def append(self, part: SignalSet) -> None:
        """Add a signal set; its channels, rate and gravity must be those of the first."""
        if not self.recording_ids:
            self.channels, self.sampling_rate_hz, self.gravity = part.channels, part.sampling_rate_hz, part.gravity
        elif (part.channels, part.sampling_rate_hz) != (self.channels, self.sampling_rate_hz):
            raise UnusableRecording(
                f"{part.recording_ids[0]}: has the channels {', '.join(part.channels)}, the recordings "
                f"before it {', '.join(self.channels)}."
            )
        elif part.gravity != self.gravity:
            raise UnusableRecording(
                f"{part.recording_ids[0]}: gravity is {part.gravity}, in the recordings before it "
                f"{self.gravity}; both kinds can't be mixed."
            )
        # A file may name activities of which no sample is left
        used = set(np.unique(part.labels).tolist()) if part.activities else set()
        codes = [
            self.activities.setdefault(name, len(self.activities))
            if code in used and not means_none(name)
            else UNLABELLED
            for code, name in enumerate(part.activities)
        ]
        labels = part.labels
        if codes != [*range(len(codes))]:
            labels = np.array([*codes, UNLABELLED], np.int16)[labels]  # UNLABELLED is -1, the last of the table
        self._columns.append(
            (part.first + self.samples, part.length, part.recording + len(self.recording_ids), part.start_s)
        )
        self.recording_ids.extend(part.recording_ids)
        self.subjects.extend(part.subjects)
        self.samples += len(part.signal)
        self.write_signal(part.signal)
        self.write_labels(labels)

    def finish(self, signal: FloatArray, labels: NDArray[np.int16]) -> SignalSet:
        """Return the joined set over the samples that the sinks collected."""
        first, length, recording, start_s = (np.concatenate(column) for column in zip(*self._columns, strict=True))
        return SignalSet(
            signal,
            labels,
            self.channels,
            self.sampling_rate_hz,
            self.gravity,
            tuple(self.activities),
            tuple(self.recording_ids),
            tuple(self.subjects),
            first,
            length,
            recording,
            start_s,
        )


def _resampled(
    recording: Recording,
    rate: float,
    modalities: tuple[str, ...],
    allow_missing: bool,
    gap_s: float,
    window_length_s: float,
) -> SignalSet:
    streams = _chosen(recording, modalities, allow_missing)
    rates = [sampling_rate(stream.time_s) for stream in streams]
    for stream, rate_hz in zip(streams, rates, strict=True):
        if slow := too_slow(stream.modality, rate_hz, rate):
            raise UnusableRecording(f"{recording.recording_id}: {slow}.")
    running = [gap_free(stream, rate_hz, gap_s) for stream, rate_hz in zip(streams, rates, strict=True)]
    if allow_missing:
        running = drop_short_intervals(running, (round(window_length_s * rate) - 1 - 1e-6) / rate)
    stretches = [s for s in _stretches(segments_by_presence(running), rate) if all(s.present) or allow_missing]
    if not stretches:
        span = max(float(s.time_s[-1] - s.time_s[0]) for s in streams)
        raise UnusableRecording(
            f"{recording.recording_id}: {span:.2f} s long and without a stretch of {MIN_STRETCH_S} s in "
            f"which {'a sensor' if allow_missing else 'all sensors together'} ran without a gap; record for longer."
        )
    length = np.array([stretch.length for stretch in stretches], np.int64)
    first = np.cumsum(length) - length
    channels = tuple(channel for name in modalities for channel in channels_of(name))
    labels = np.empty(length.sum(), np.int16)
    clocks = _clocks(streams, rates, channels)

    def fill(block: tuple[int, _Stretch, int]) -> None:
        row, stretch, a = block
        b = min(a + BLOCK, stretch.length)
        samples = np.full((b - a, len(channels)), np.nan, np.float32)
        for clock in clocks:
            if stretch.present[clock.first]:
                samples[:, clock.columns] = _interpolate(clock, stretch.start_s, stretch.length, a, b, rate).T
        written.write(row + a, samples)
        present = [stream for stream, runs in zip(streams, stretch.present, strict=True) if runs]
        labels[row + a : row + b] = _labels_at(recording, present, stretch.start_s, a, b, rate)
        for clock in clocks:
            let_go(clock.time_s)
            for values in clock.values:
                let_go(values)

    blocks = [
        (row, stretch, a)
        for row, stretch in zip(first.tolist(), stretches, strict=True)
        for a in range(0, stretch.length, BLOCK)
    ]
    with Samples(int(length.sum()), len(channels)) as written:
        on_every_core(fill, blocks)
        signal = written.finish()
    return SignalSet(
        signal,
        labels,
        channels,
        rate,
        recording.gravity,
        recording.activities if recording.activity is None else (recording.activity,),
        (recording.recording_id,),
        (recording.subject,),
        first,
        length,
        np.zeros(len(length), np.int64),
        np.array([stretch.start_s for stretch in stretches]),
    )


@dataclass(frozen=True)
class _Stretch:
    """Where samples are wanted, and which sensors have them."""

    start_s: float
    length: int  # samples
    present: tuple[bool, ...]  # of each sensor


def _stretches(found: Iterable[Piece], rate: float) -> Iterator[_Stretch]:
    """Lay samples into pieces, those of half a second at least; none of them is in two."""
    for start, end, present in found:
        n = int((end - start) * rate + 1e-6) + 1
        if not all(present):  # its ends belong to its neighbours
            n = int(np.ceil((end - start) * rate - 1e-6)) - 1
            start += 1 / rate
        if n >= MIN_STRETCH_S * rate:
            yield _Stretch(start, n, present)


@dataclass(frozen=True)
class _Clock:
    """Sensors that were sampled together: what depends on the times alone is computed once for all of them."""

    time_s: TimeArray
    rate_hz: float
    first: int  # position of the first of them
    values: list[FloatArray]
    columns: list[int]  # of their channels in the result


def _clocks(streams: Sequence[Stream], rates: Sequence[float], channels: Sequence[str]) -> list[_Clock]:
    clocks: list[_Clock] = []
    for number, (stream, rate_hz) in enumerate(zip(streams, rates, strict=True)):
        time = stream.time_s
        clock = next((c for c in clocks if c.time_s is time or np.array_equal(c.time_s, time)), None)
        if clock is None:
            clocks.append(clock := _Clock(time, rate_hz, number, [], []))
        clock.values.append(stream.values)
        clock.columns.extend(channels.index(channel) for channel in stream.channels)
    return clocks


def _chosen(recording: Recording, modalities: tuple[str, ...], allow_missing: bool) -> list[Stream]:
    by_name = {stream.modality: stream for stream in recording.streams}
    missing = [name for name in modalities if name not in by_name]
    if len(missing) > (len(modalities) - 1 if allow_missing else 0):
        raise UnusableRecording(
            f"{recording.recording_id}: no {' and no '.join(missing)} was recorded; expected "
            f"{' and '.join(modalities)}. Add the missing sensor's file."
        )
    return [by_name[name] for name in modalities if name in by_name]


def too_slow(modality: str, sensor_hz: float, rate_hz: float) -> str:
    """Return why a sensor of some rate can't be brought to another, "" if it can."""
    if sensor_hz * MAX_UPSAMPLING >= rate_hz:
        return ""
    return (
        f"the {modality} gives {sensor_hz:.1f} samples per second, too few for {rate_hz:g} Hz; "
        f"expected at least {rate_hz / MAX_UPSAMPLING:.0f}"
    )


def _interpolate(clock: _Clock, start: float, n: int, a: int, b: int, rate: float) -> FloatArray:
    """Resample samples a to b of a gap-free piece that begins at a time and has n in all: (n_channels, b - a)."""
    factor = int(np.ceil(clock.rate_hz / rate)) if clock.rate_hz > ANTI_ALIAS_FROM * rate and n >= 3 else 1
    before, after = max(a - MARGIN, 0), min(b + MARGIN, n)
    fine = start + before / rate + np.arange((after - before - 1) * factor + 1) / (rate * factor)
    if factor == 1 and (rows := _samples_at(clock.time_s, fine, ON_TIME / rate)):
        return _columns(clock.values, rows)[:, a - before : b - before]
    inside = slice(
        max(int(np.searchsorted(clock.time_s, fine[0])) - MARGIN, 0),
        int(np.searchsorted(clock.time_s, fine[-1], side="right")) + MARGIN,
    )
    time, values = _apart(clock.time_s[inside], _columns(clock.values, inside), CLOSEST / clock.rate_hz)
    values = spline(time, values, fine, HOLE / clock.rate_hz)
    if factor > 1:
        values = decimated(values, factor)
    return values[:, a - before : b - before]


def _columns(values: Sequence[FloatArray], rows: slice) -> FloatArray:
    return np.concatenate([sensor[rows].T for sensor in values])


def _samples_at(time: TimeArray, at: TimeArray, tolerance_s: float) -> slice | None:
    """Return the samples that were taken at just these times, one at each; None where others were."""
    first = int(np.searchsorted(time, at[0] - tolerance_s))
    rows = slice(first, first + len(at))
    if rows.stop > len(time) or abs(time[rows.stop - 1] - at[-1]) > tolerance_s:
        return None
    return rows if (np.abs(time[rows] - at) <= tolerance_s).all() else None


def _apart(time: TimeArray, values: FloatArray, least_s: float) -> tuple[TimeArray, FloatArray]:
    """Put samples that all but share a time in one: the slope between them would be noise alone."""
    first = np.flatnonzero(np.diff(time, prepend=-np.inf) >= least_s)
    if len(first) == len(time):
        return time, values
    count = np.diff(np.append(first, len(time)))
    mean = np.add.reduceat(values, first, axis=1) / count
    return np.add.reduceat(time - time[0], first) / count + time[0], mean.astype(np.float32)


def _labels_at(
    recording: Recording, streams: Sequence[Stream], start_s: float, a: int, b: int, rate: float
) -> NDArray[np.int16] | int:
    """Return the labels of the samples a to b of a piece that starts at a time, or the one of them all."""
    if recording.activity is not None:
        return 0
    stream = next((stream for stream in streams if stream.labels is not None), None)
    if stream is None or stream.labels is None:
        return UNLABELLED
    index = np.searchsorted(stream.time_s, start_s + np.arange(a, b) / rate, side="right") - 1
    return np.asarray(stream.labels[np.maximum(index, 0)], np.int16)


def mean_magnitude(acceleration: NDArray[np.floating], samples: int = 50) -> float:
    """Return the median, over blocks, of the length of the mean vector: movement averages out, gravity does not."""
    return median(block_magnitudes(acceleration, samples)) if len(acceleration) else float("nan")


@remembered
def block_magnitudes(acceleration: NDArray[np.floating], samples: int) -> NDArray[np.float64]:
    """Return the length of the mean vector of each block of so many samples, at least one block."""
    samples = max(1, min(samples, len(acceleration)))
    whole = len(acceleration) // samples * samples
    means = []
    for axis in acceleration.T:
        means.append(axis[:whole].reshape(-1, samples).mean(axis=1, dtype=np.float64))
        let_go(acceleration)
    return lengths(np.stack(means, axis=1))


def lengths(vectors: NDArray[Floating]) -> NDArray[Floating]:
    """Return the length of each vector (n, n_axes)."""
    square: NDArray[Floating] = np.square(vectors[:, 0])
    for axis in vectors.T[1:]:  # numpy is slow at rows of three, and would hold as much again as there is
        square += axis * axis
    np.sqrt(square, out=square)
    return square
