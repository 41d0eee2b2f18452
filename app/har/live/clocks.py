"""When the sensors of a stream run, as far as it has come: pieces without a gap, and which of them run together.

What `signals.clocks` and `signals.intervals` say of a whole recording, said of its beginning: only what the samples
that are still to come can no longer change.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from app.har.live.batches import Samples
from app.har.signals.clocks import FEW, GAP_PERIODS, RESTART_S
from app.har.signals.resampling import CLOSEST
from app.har.types import FloatArray, TimeArray

LAG_S = 2.0  # behind the other sensors, and one has stopped: what it still gives begins anew
STRAY_S = 60.0  # from the middle of a batch, and a few samples' times are faults
SPLINE_REACH = 8  # samples after which a spline forgets what came later, to a ten-thousandth
RATES = 61  # seconds, by whose median the rate is measured
UNKNOWN_HZ = 50.0  # of a sensor that gave one sample


@dataclass
class Run:
    """A piece of a sensor's time without a gap."""

    start_s: float
    end_s: float
    count: int = 1
    closed: bool = False
    counted_s: float = -np.inf  # up to where its samples are in the rate of the sensor
    counted: int = 0  # of them


@dataclass
class SensorClock:
    """The last samples of one sensor, and when it ran."""

    time_s: TimeArray = field(default_factory=lambda: np.empty(0))
    values: FloatArray = field(default_factory=lambda: np.empty((0, 3), np.float32))
    runs: list[Run] = field(default_factory=list)
    rate_hz: float = UNKNOWN_HZ
    rates: deque[float] = field(default_factory=lambda: deque(maxlen=RATES))  # of the last seconds

    @property
    def last_s(self) -> float:
        return float(self.time_s[-1]) if len(self.time_s) else -np.inf

    def add(self, time_s: TimeArray, values: FloatArray, gap_s: float) -> None:
        """Take samples in, none of them much earlier than the last; what shares a time with another is dropped."""
        if self._goes_on(time_s, gap_s):
            self.time_s = np.concatenate([self.time_s, time_s])
            self.values = np.concatenate([self.values, values])
            run = self.runs[-1]
            run.end_s, run.count = float(time_s[-1]), run.count + len(time_s)
            self._measure_run(run)
            return
        if len(time_s) > 1 and (np.diff(time_s) <= 0).any():
            order = np.argsort(time_s, kind="stable")
            time_s, values = time_s[order], values[order]
        last, first = self.last_s, len(self.time_s)
        joined, every = np.concatenate([self.time_s, time_s]), np.concatenate([self.values, values])
        if time_s[0] <= last:
            first = int(np.searchsorted(self.time_s, time_s[0]))
            order = np.argsort(joined, kind="stable")
            joined, every = joined[order], every[order]
        close = np.diff(joined[max(first - 1, 0) :]) < CLOSEST / self.rate_hz
        if close.any():
            kept = np.ones(len(joined), bool)
            kept[len(joined) - len(close) :] = ~close
            joined, every = joined[kept], every[kept]
        self.time_s, self.values = joined, every
        self._run_on(time_s[time_s > last], gap_s)

    def _run_on(self, time_s: TimeArray, gap_s: float) -> None:
        """Follow the runs with samples that are later than all before."""
        if not len(time_s):
            return
        if not self.runs or self.runs[-1].closed:
            self.runs.append(Run(float(time_s[0]), float(time_s[0]), 0))
            self._measure(time_s)
        run = self.runs[-1]
        steps = np.diff(time_s, prepend=run.end_s)
        holes = np.flatnonzero(steps > max(gap_s, GAP_PERIODS / self.rate_hz))
        bounds = [0, *holes.tolist(), len(time_s)]
        for part, (first, end) in enumerate(pairwise(bounds)):
            if part:
                run.closed = True
                run = Run(float(time_s[first]), float(time_s[first]), 0)
                self.runs.append(run)
            if end > first:
                run.end_s = float(time_s[end - 1])
                run.count += end - first
        self._measure_run(run)

    def _goes_on(self, time_s: TimeArray, gap_s: float) -> bool:
        """Tell whether samples only continue a run, as nearly all do: in order, none too close, and without a gap."""
        if not self.runs or self.runs[-1].closed:
            return False
        low = high = float(time_s[0]) - self.last_s
        if len(time_s) > 1:
            steps = time_s[1:] - time_s[:-1]
            low, high = min(low, float(steps.min())), max(high, float(steps.max()))
        return low >= CLOSEST / self.rate_hz and high <= max(gap_s, GAP_PERIODS / self.rate_hz)

    def _measure_run(self, run: Run) -> None:
        """Measure the rate as `signals.clocks.sampling_rate` does: a phone's first samples may come slower."""
        if not run.counted:
            run.counted_s, run.counted = run.start_s, 1
        passed_s = run.end_s - run.counted_s
        if passed_s >= 1.0:
            self.rates.append((run.count - run.counted) / passed_s)
            run.counted_s, run.counted = run.end_s, run.count
            self.rate_hz = sorted(self.rates)[len(self.rates) // 2]

    def _measure(self, time_s: TimeArray) -> None:
        """Find the rate by a first batch, until there is a second of samples."""
        steps = np.diff(time_s)
        if not self.rates and len(steps) and (usual := float(np.median(steps))) > 0:
            self.rate_hz = 1 / usual

    def forget(self, before_s: float, position_s: float) -> None:
        """Drop samples that are not needed any more, and the runs that ended before a position."""
        first = int(np.searchsorted(self.time_s, before_s))
        if first > 0:
            self.time_s, self.values = self.time_s[first:], self.values[first:]
        self.runs = [run for run in self.runs if not run.closed or run.end_s > position_s]


def without_strays(samples: Samples) -> tuple[TimeArray, NDArray[np.float32]]:
    """Return samples without the few whose time is far from that of all others."""
    time_s, values = samples.time_s, samples.values
    if len(time_s) > 2 and not (_rises(time_s) and time_s[-1] - time_s[0] <= STRAY_S) and np.ptp(time_s) > STRAY_S:
        far = np.abs(time_s - np.median(time_s)) > STRAY_S
        if 0 < far.sum() <= min(FEW, (len(time_s) - 1) // 2):
            return time_s[~far], values[~far]
    return time_s, values


def _rises(time_s: TimeArray) -> bool:
    return len(time_s) < 2 or float((time_s[1:] - time_s[:-1]).min()) >= 0


def between_restarts(
    sensors: Mapping[str, tuple[TimeArray, FloatArray]],
) -> list[dict[str, tuple[TimeArray, FloatArray]]]:
    """Cut the samples of a batch where a clock falls back: the pieces, one after the other.

    It does where all samples from there on are earlier than all before. Other falls are disorder.
    """
    if all(_rises(time_s) for time_s, _ in sensors.values()):
        return [dict(sensors)]
    pieces: list[dict[str, tuple[TimeArray, FloatArray]]] = [{}]
    for name, (time_s, values) in sensors.items():
        earliest_before = np.minimum.accumulate(time_s)[:-1]
        latest_after = np.maximum.accumulate(time_s[::-1])[::-1][1:]
        falls: list[int] = (np.flatnonzero(earliest_before - latest_after > RESTART_S) + 1).tolist()
        for number, (first, end) in enumerate(pairwise([0, *falls, len(time_s)])):
            while len(pieces) <= number:
                pieces.append({})
            pieces[number][name] = (time_s[first:end], values[first:end])
    return pieces


@dataclass(frozen=True)
class Piece:
    """A time in which the same sensors run."""

    start_s: float
    end_s: float | None  # None: it goes on
    present: tuple[str, ...]


def next_piece(
    clocks: Mapping[str, SensorClock], position_s: float, window_s: float, at_end: bool
) -> tuple[Piece | None, float]:
    """Return the first piece from a position on that windows fit in, and how far its samples are final.

    A run counts once a window fits in it: a shorter one cuts no other sensor, and holds no window. Until then nothing
    is said of the time from its beginning on.

    Parameters
    ----------
    clocks : of the sensors that a model needs.
    position_s : up to where windows were cut.
    window_s : from the first sample of a window to the last.
    at_end : no sample will come any more.
    """
    latest = max((clock.last_s for clock in clocks.values()), default=-np.inf)
    frontier, limit = np.inf, np.inf
    long: list[tuple[float, float, bool, str]] = []
    for name, clock in clocks.items():
        for run in clock.runs:
            if not run.closed and (at_end or latest - run.end_s > LAG_S):
                run.closed = True
            if run.end_s - run.start_s >= window_s:
                long.append((run.start_s, run.end_s, run.closed, name))
            elif not run.closed:
                limit = min(limit, run.start_s)
            if not run.closed:
                frontier = min(frontier, run.end_s)
    frontier = min(frontier, latest)
    return _first_long(long, position_s, window_s, limit), min(frontier, limit)


def _first_long(
    runs: Iterable[tuple[float, float, bool, str]], position_s: float, window_s: float, limit: float
) -> Piece | None:
    ahead = [run for run in runs if run[1] > position_s or not run[2]]
    while ahead:
        start = max(position_s, min(run[0] for run in ahead))
        if start >= limit:
            return None
        present = tuple(run[3] for run in ahead if run[0] <= start)
        edges = [run[0] for run in ahead if run[0] > start] + [run[1] for run in ahead if run[2] and run[1] > start]
        end = min(edges, default=None)
        if end is not None and end <= limit:
            if present and end - start >= window_s:
                return Piece(start, end, present)
            position_s = end
            ahead = [run for run in ahead if run[1] > position_s or not run[2]]
            continue
        return Piece(start, None, present) if present and limit - start >= window_s else None
    return None
