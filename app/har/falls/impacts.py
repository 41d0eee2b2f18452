"""The impacts of a stream: moments at which the acceleration peaks, with the seconds before and after them.

What decides about falls sees the same seconds live and in training, however the stream was cut into batches: at one
rate, on a grid of the device's own clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from app.har.signals.units import STANDARD_GRAVITY
from app.har.types import FloatArray, TimeArray

RATE_HZ = 50
LEAD_S, SETTLE_S = 4, 3  # before and after an impact; it is decided about as soon as they are over
AT = LEAD_S * RATE_HZ  # position of an impact in its seconds
TRIGGER_G = 1.6  # no fall that we know peaks lower
APART_S = 1  # an impact is the highest within so many seconds on both sides
LEAST_LEAD_S, LEAST_SETTLE_S = 1.0, 1.5  # at the ends of a stretch; what is missing stays as it was
HOLE_S = 2.0  # samples this far apart do not belong to one stretch; shorter holes are bridged
BACK_S = 2.0  # samples this much older than the newest are of a clock that was set back
KEPT_S = LEAD_S + SETTLE_S + 2 * APART_S


class Sampled(Protocol):
    """Samples of one sensor, as `app.har.live.batches` has them; time need not ascend."""

    @property
    def time_s(self) -> TimeArray: ...  # (n,)
    @property
    def values(self) -> FloatArray: ...  # (n, k)


@dataclass(frozen=True)
class Impact:
    """A peak of acceleration, and what was measured around it."""

    time_s: float  # the device's clock
    acceleration: FloatArray  # ((LEAD_S + SETTLE_S) · RATE_HZ + 1, 3) in g, with gravity; the peak at `AT`

    @property
    def peak_g(self) -> float:
        return float(np.linalg.norm(self.acceleration[AT]))


class Impacts:
    """Finds the impacts of one stream; what it keeps of it is some seconds of samples."""

    def __init__(self) -> None:
        self._forget()

    def step(self, samples: Sampled) -> list[Impact]:
        """Take in acceleration with gravity, in m/s², and return the impacts that can now be decided about."""
        time = np.asarray(samples.time_s, np.float64)
        values = np.asarray(samples.values, np.float32)
        usable = np.isfinite(time) & np.isfinite(values).all(axis=1)
        if not usable.all():
            time, values = time[usable], values[usable]
        steps = np.diff(time)
        if (steps <= 0).any():
            time, first = np.unique(time, return_index=True)
            values, steps = values[first], np.diff(time)
        cuts = np.flatnonzero(steps > HOLE_S) + 1
        if not len(cuts):  # as nearly always
            return self._take(time, values) if len(time) else []
        found: list[Impact] = []
        for piece, part in zip(np.split(time, cuts), np.split(values, cuts), strict=True):
            if len(piece):
                found += self._take(piece, part)
        return found

    def end(self) -> list[Impact]:
        """Return the impacts about which nothing more will come, and forget the stretch."""
        found = self._decide(LEAST_SETTLE_S)
        self._forget()
        return found

    def _forget(self) -> None:
        self._time: TimeArray = np.zeros(0)
        self._values: FloatArray = np.zeros((0, 3), np.float32)
        self._decided = 0  # grid position up to which impacts were decided about
        self._loud: TimeArray = np.zeros(0)  # when a sample was above the trigger

    def _take(self, time: TimeArray, values: FloatArray) -> list[Impact]:
        found: list[Impact] = []
        if len(self._time) and (time[0] > self._time[-1] + HOLE_S or time[-1] < self._time[-1] - BACK_S):
            found = self.end()
        if not len(self._time):
            self._decided = int(np.ceil((time[0] + LEAST_LEAD_S) * RATE_HZ))
        square = np.einsum("ij,ij->i", values, values)
        self._loud = np.concatenate([self._loud, time[square >= (TRIGGER_G * STANDARD_GRAVITY) ** 2]])
        late = len(self._time) and time[0] <= self._time[-1]
        self._time = np.concatenate([self._time, time])
        self._values = np.concatenate([self._values, values])
        if late:
            self._time, first = np.unique(self._time, return_index=True)
            self._values = self._values[first]
        found += self._decide(SETTLE_S)
        kept = int(np.searchsorted(self._time, self._time[-1] - KEPT_S))
        self._time, self._values = self._time[kept:], self._values[kept:]
        return found

    def _decide(self, settle_s: float) -> list[Impact]:
        """Return the impacts of which so many seconds are over."""
        if not len(self._time):
            return []
        first, last = self._decided, int(np.floor((self._time[-1] - settle_s) * RATE_HZ - 0.5))
        if last < first:
            return []
        self._decided = last + 1
        near = (self._loud > first / RATE_HZ - 0.2) & (self._loud < last / RATE_HZ + 0.2)
        self._loud = self._loud[self._loud > last / RATE_HZ - 0.2]
        if not near.any():
            return []
        before, after = LEAD_S * RATE_HZ, SETTLE_S * RATE_HZ
        ticks = np.arange(first - before, last + after + 1)
        signal = means_around(self._time, self._values, ticks / RATE_HZ) / np.float32(STANDARD_GRAVITY)
        magnitude = np.linalg.norm(signal, axis=1)
        return [
            Impact(float(ticks[i] / RATE_HZ), signal[i - before : i + after + 1])
            for i in peaks(magnitude)
            if before <= i < len(ticks) - after
        ]


def peaks(magnitude: FloatArray) -> list[int]:
    """Return where a magnitude in g, (n,) at `RATE_HZ`, is the highest of its surroundings; the first of equal ones."""
    apart = APART_S * RATE_HZ
    found = []
    for i in np.flatnonzero(magnitude >= TRIGGER_G).tolist():
        before, after = magnitude[max(i - apart, 0) : i], magnitude[i : i + apart + 1]
        if magnitude[i] > before.max(initial=0) and magnitude[i] >= after.max():
            found.append(i)
    return found


def means_around(time: TimeArray, values: FloatArray, at: TimeArray) -> FloatArray:
    """Return the mean of a signal, straight between its samples, over a step of the grid around each moment.

    It is a low-pass for fast sensors and changes slow ones little; before the first sample and after the last the
    signal stays what it is there. A value depends on the samples next to it alone.

    Parameters
    ----------
    time : (n,) ascending, at least one.
    values : (n, k).
    at : (m,).
    """
    half = 0.5 / RATE_HZ
    time = np.concatenate([[min(time[0], at[0] - half) - 1.0], time, [max(time[-1], at[-1] + half) + 1.0]])
    start = time[0]
    time = time - start
    signal = np.concatenate([values[:1], values, values[-1:]]).astype(np.float64)
    step = np.diff(time)
    slope = np.diff(signal, axis=0) / np.maximum(step, 1e-9)[:, None]  # times may be told apart by rounding alone
    pieces = (signal[1:] + signal[:-1]) / 2 * step[:, None]
    area = np.concatenate([np.zeros((1, signal.shape[1])), np.cumsum(pieces, axis=0)])

    def until(moment: TimeArray) -> NDArray[np.float64]:
        i = np.clip(np.searchsorted(time, moment, side="right") - 1, 0, len(step) - 1)
        rest = (moment - time[i])[:, None]
        return np.asarray(area[i] + (signal[i] + slope[i] / 2 * rest) * rest)

    return np.asarray((until(at - start + half) - until(at - start - half)) / (2 * half), np.float32)
