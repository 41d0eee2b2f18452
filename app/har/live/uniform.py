"""From sensors on their own clocks to samples at one rate, as they come, of all sessions at once.

The same splines and low-passes as of an upload (`signals.resampling`), in one call for all sensors of all sessions. A
sample is made once what comes later can no longer change it, some samples of the slowest sensor after its time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from app.har.live.batches import Batch
from app.har.live.clocks import SPLINE_REACH, Piece, SensorClock, between_restarts, next_piece, without_strays
from app.har.signals.clocks import RESTART_S
from app.har.signals.decimation import BLOCK, REACH, block_weights
from app.har.signals.resampling import ANTI_ALIAS_FROM, HOLE, MARGIN, MAX_UPSAMPLING
from app.har.signals.spline import spline
from app.har.types import FloatArray, TimeArray

SOURCES = ("acceleration", "movement", "gravity", "rotation")  # three channels each
AT_ONCE = 512  # samples of a session made in one go
RAW_S = 30.0  # of samples that nothing can be made of yet
APART_S = 100.0  # between the sensors on the one time that they are put on


@dataclass
class Stretch:
    """A piece without a gap, at the rate of the model; the last samples of it are kept."""

    start_s: float
    present: tuple[str, ...]  # sensors that run in it
    device: str  # whose they are: "" or "watch."
    number: int  # in the session
    made: int = 0  # samples
    ended: bool = False  # there will be no more
    more: bool = False  # can be made at once
    kept: FloatArray = field(default_factory=lambda: np.empty((0, 3 * len(SOURCES)), np.float32))

    @property
    def first(self) -> int:
        """The number of the first sample that is kept."""
        return self.made - len(self.kept)


@dataclass
class UniformStream:
    """The sensors of one session, and the stretch that they are in."""

    clocks: dict[str, SensorClock] = field(default_factory=dict)
    stretch: Stretch | None = None
    position_s: float = -np.inf  # up to where stretches were cut
    stretches: int = 0

    def add(self, batch: Batch, gap_s: float) -> None:
        """Take a batch in. Where a clock falls back, all sensors begin anew."""
        motion = {
            name: without_strays(samples)
            for name, samples in batch.sensors.items()
            if name.rpartition(".")[2] in SOURCES and len(samples.time_s)
        }
        for number, piece in enumerate(between_restarts(motion)):
            if number or any(own[0].min() < self._last_s(name) - RESTART_S for name, own in piece.items()):
                self.begin_anew()
            for name, (time_s, values) in piece.items():
                if name not in self.clocks:
                    self.clocks[name] = SensorClock()
                self.clocks[name].add(time_s, values, gap_s)

    @property
    def latest_s(self) -> float:
        """The time of the last sample of any sensor."""
        return max((clock.last_s for clock in self.clocks.values()), default=-np.inf)

    def _last_s(self, name: str) -> float:
        return self.clocks[name].last_s if name in self.clocks else -np.inf

    def begin_anew(self) -> None:
        """Forget all samples and runs; what comes now is a stretch of its own."""
        self.clocks.clear()
        if self.stretch is not None:
            self.stretch.ended = True
        self.stretch, self.position_s = None, -np.inf

    def forget_old(self) -> None:
        """Drop what is older than any sensor may lag behind."""
        for clock in self.clocks.values():
            clock.forget(clock.last_s - RAW_S, clock.last_s - RAW_S)

    def needed(self) -> tuple[str, dict[str, SensorClock]]:
        """Return the device that is read, and the clocks of its sensors that cut its time.

        What a phone made of its accelerometer stands in for it, as in an upload.
        """
        names = {name.rpartition(".")[0] for name, clock in self.clocks.items() if clock.runs and _moves(name)}
        device = "" if "" in names or not names else f"{min(names)}."
        found = {
            name: clock for name in SOURCES if (clock := self.clocks.get(device + name)) is not None and clock.runs
        }
        if "movement" in found and "gravity" in found:
            found.pop("acceleration", None)
        return device, found


def _moves(name: str) -> bool:
    return name.rpartition(".")[2] in ("acceleration", "movement")


@dataclass(frozen=True)
class _Job:
    """Samples of one sensor that are to be made."""

    stretch: Stretch
    column: int
    time_s: TimeArray
    values: FloatArray
    rate_hz: float
    factor: int
    last: int  # number of the last sample of the stretch that may be asked for
    n: int


def advance(
    streams: Sequence[UniformStream], rate_hz: float, window_s: float, keep: int, at_end: bool = False
) -> list[Stretch | None]:
    """Make the next samples of sessions; return for each the stretch that got some, None where there are none to make.

    Parameters
    ----------
    rate_hz : of the model.
    window_s : length of a window.
    keep : samples of a stretch that stay, besides those made now.
    at_end : no sample will come any more.
    """
    grown: list[Stretch | None] = []
    jobs: list[_Job] = []
    for stream in streams:
        planned = _plan(stream, rate_hz, window_s, at_end)
        if planned is None:
            grown.append(None)
            continue
        stretch, own = planned
        grown.append(stretch)
        n = own[0].n if own else 0
        new = np.full((n, 3 * len(SOURCES)), np.nan, np.float32)
        stretch.kept = np.concatenate([stretch.kept[-keep:], new])
        jobs += own
    for factor in {job.factor for job in jobs}:
        _make([job for job in jobs if job.factor == factor], rate_hz, factor)
    for stream, grew in zip(streams, grown, strict=True):
        if grew is not None:
            made = next((job.n for job in jobs if job.stretch is grew), 0)
            grew.made += made
            _forget(stream, grew, rate_hz)
    return grown


def _plan(stream: UniformStream, rate_hz: float, window_s: float, at_end: bool) -> tuple[Stretch, list[_Job]] | None:
    """Find what may be made now of a session; stretches in which nothing is left end on the way."""
    span_s = window_s - 1 / rate_hz - 1e-6 / rate_hz
    while True:
        device, clocks = stream.needed()
        clocks = {name: own for name, own in clocks.items() if own.rate_hz * MAX_UPSAMPLING >= rate_hz}
        if not any(_moves(name) for name in clocks):
            stream.forget_old()
            return None
        stretch = stream.stretch
        position = stream.position_s if stretch is None else stretch.start_s
        piece, frontier = next_piece(clocks, position, span_s, at_end)
        if stretch is None:
            if piece is None or not any(_moves(name) for name in piece.present):
                if piece is not None and piece.end_s is not None:  # only others run in it: no window has an answer
                    stream.position_s = piece.end_s
                return None
            start = piece.start_s if len(piece.present) == len(clocks) else piece.start_s + 1 / rate_hz
            stretch = stream.stretch = Stretch(start, piece.present, device, stream.stretches)
            stream.stretches += 1
        elif piece is None or piece.present != stretch.present or device != stretch.device:
            # A sensor came that was not known of, or one is not counted any more
            stream.position_s = max(stream.position_s, stretch.start_s + (stretch.made - 1) / rate_hz)
            stretch.ended, stream.stretch = True, None
            continue
        whole = len(piece.present) == len(clocks)
        look_ahead = max(_look_ahead(clocks[name].rate_hz, rate_hz) for name in stretch.present)
        total = None if piece.end_s is None else max(_total(stretch.start_s, piece, whole, rate_hz), stretch.made)
        ready = total if total is not None else int((frontier - look_ahead - stretch.start_s) * rate_hz + 1e-6) + 1
        n = min(ready - stretch.made, AT_ONCE)
        stretch.more = n == AT_ONCE or total is not None
        if n <= 0 and total is not None:
            stream.position_s = max(stream.position_s, float(piece.end_s or 0.0))
            stretch.ended, stream.stretch = True, None
            return stretch, []
        if n <= 0:
            stream.forget_old()
            return None
        last = total - 1 if total is not None else stretch.made + n - 1 + int(look_ahead * rate_hz)
        return stretch, list(_jobs(stretch, clocks, stream.clocks, rate_hz, n, last))


def _total(start_s: float, piece: Piece, whole: bool, rate_hz: float) -> int:
    end_s = float(piece.end_s or 0.0)
    if whole:
        return int((end_s - start_s) * rate_hz + 1e-6) + 1
    return int(np.ceil((end_s - start_s + 1 / rate_hz) * rate_hz - 1e-6)) - 1


def _look_ahead(sensor_hz: float, rate_hz: float) -> float:
    """Return the time after a sample that must have come for it to be final (s)."""
    return SPLINE_REACH / sensor_hz + (REACH / rate_hz if _factor(sensor_hz, rate_hz) > 1 else 0.0)


def _factor(sensor_hz: float, rate_hz: float) -> int:
    return int(np.ceil(sensor_hz / rate_hz)) if sensor_hz > ANTI_ALIAS_FROM * rate_hz else 1


def _jobs(
    stretch: Stretch,
    needed: Mapping[str, SensorClock],
    clocks: Mapping[str, SensorClock],
    rate_hz: float,
    n: int,
    last: int,
) -> list[_Job]:
    """List the sensors of a stretch; acceleration beside movement and gravity comes along, whatever its gaps."""
    found = []
    for name in stretch.present:
        clock = needed[name]
        factor = _factor(clock.rate_hz, rate_hz)
        reach = (REACH / rate_hz if factor > 1 else 0.0) + MARGIN / clock.rate_hz
        begin = stretch.start_s + stretch.made / rate_hz - reach
        end = stretch.start_s + (stretch.made + n - 1) / rate_hz + reach
        inside = slice(int(np.searchsorted(clock.time_s, begin)), int(np.searchsorted(clock.time_s, end, "right")))
        time_s, values = clock.time_s[inside], clock.values[inside]
        if len(time_s) >= 3:
            column = 3 * SOURCES.index(name)
            found.append(_Job(stretch, column, time_s, values, clock.rate_hz, factor, last, n))
    return found


def _make(jobs: Sequence[_Job], rate_hz: float, factor: int) -> None:
    """Resample sensors that need the same low-pass, and put the samples where they belong."""
    reach = REACH * factor if factor > 1 else 0
    n_out = [-(-job.n // BLOCK) * BLOCK if factor > 1 else job.n for job in jobs]
    fine = rate_hz * factor
    times, ats, holes, ends = [], [], [], []
    origin = 0.0
    for job, n in zip(jobs, n_out, strict=True):
        zero = float(job.time_s[0])
        count = (n - 1) * factor + 1 + 2 * reach
        number = np.arange(job.stretch.made * factor - reach, job.stretch.made * factor - reach + count)
        at = job.stretch.start_s + number.clip(0, max(job.last * factor, 0)) / fine
        times.append(job.time_s - zero + origin)
        ats.append(at.clip(zero, float(job.time_s[-1])) - zero + origin)
        holes.append(np.full(len(job.time_s), HOLE / job.rate_hz))
        ends.append(len(job.time_s))
        origin += float(job.time_s[-1]) - zero + APART_S
    values = np.concatenate([job.values for job in jobs]).T
    made = spline(
        np.concatenate(times),
        np.ascontiguousarray(values),
        np.concatenate(ats),
        np.concatenate(holes)[:-1],
        np.cumsum(ends)[:-1] - 1,
    )
    counts = [len(at) for at in ats]
    if factor > 1:
        made, counts = _decimated(made, counts, factor), n_out
    first = 0
    for job, count in zip(jobs, counts, strict=True):
        job.stretch.kept[-job.n :, job.column : job.column + 3] = made[:, first : first + job.n].T
        first += count


def _decimated(fine: FloatArray, counts: Sequence[int], factor: int) -> FloatArray:
    """Return every factor-th sample of pieces that lie one after the other, `BLOCK` of them at a time."""
    weights = block_weights(factor)
    starts: list[NDArray[np.int64]] = []
    offset = 0
    for count in counts:
        n_blocks = (count - 1 - 2 * REACH * factor) // factor // BLOCK + 1
        starts.append(offset + np.arange(n_blocks) * (BLOCK * factor))
        offset += count
    index = np.concatenate(starts)[:, None] + np.arange(len(weights))
    blocks: FloatArray = fine.take(index, axis=1) @ weights  # (3, n_blocks, BLOCK)
    return blocks.reshape(len(fine), -1)


def _forget(stream: UniformStream, stretch: Stretch, rate_hz: float) -> None:
    """Drop raw samples that no later sample of the session needs."""
    at = stretch.start_s + stretch.made / rate_hz
    for clock in stream.clocks.values():
        clock.forget(at - (REACH + 2) / rate_hz - 2 * MARGIN / max(clock.rate_hz, 1.0), stretch.start_s)
