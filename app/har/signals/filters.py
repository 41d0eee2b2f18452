"""Zero-phase Butterworth filters on gap-free stretches: noise out, or gravity apart from movement."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from app.har.errors import InsufficientData
from app.har.signals.butterworth import Butterworth
from app.har.signals.clocks import GAP_S
from app.har.signals.types import SignalSet

GRAVITY_HZ = 0.3  # what changes more slowly than this is gravity
GRAVITY_ORDER = 3
NOISE_ORDER = 4
BLOCK = 2**18  # samples filtered at a time
REACH = 12.5  # periods of the cut-off after which an impulse has shrunk to 1e-13
Samples = NDArray[np.floating]


@dataclass(frozen=True)
class Preparation:
    """What is done to signals before windows are cut, the same in training and in recognition; kept with the model."""

    low_pass_hz: float | None = None  # noise above is filtered out
    separate_gravity: bool = False  # trained without gravity on data that have it
    gap_s: float = GAP_S  # a hole in an uploaded recording up to this long is bridged


def estimate_gravity(acceleration: Samples, rate_hz: float) -> NDArray[np.float64]:
    """Return the gravity in a gap-free stretch of acceleration, (n, 3) at a uniform rate, in its unit.

    A Butterworth low-pass of order 3 at 0.3 Hz, forwards and backwards, as for UCI HAR (Anguita et al., A public domain
    dataset for human activity recognition using smartphones, ESANN 2013). Beyond its ends a stretch is continued by
    its mirror image, up to a period of the cut-off: point symmetry, usual elsewhere, would lift it by half a step.
    """
    return low_passed(acceleration, rate_hz, GRAVITY_HZ, GRAVITY_ORDER)


def low_passed(values: Samples, rate_hz: float, cutoff_hz: float, order: int = NOISE_ORDER) -> NDArray[np.float64]:
    """Return a gap-free stretch, (n, n_channels) at a uniform rate, without what is faster than the cut-off.

    Raises
    ------
    InsufficientData : the rate holds nothing above the cut-off.
    """
    if not 0 < cutoff_hz < rate_hz / 2:
        raise InsufficientData(
            f"A low-pass at {cutoff_hz:g} Hz needs signals of more than {2 * cutoff_hz:g} Hz; found {rate_hz:g} Hz."
        )
    filter_ = Butterworth.low_pass(order, cutoff_hz / rate_hz)
    level = values.mean(axis=0, dtype=np.float64)  # a filter that starts at rest would swing in
    edge = min(len(values) - 1, int(np.ceil(rate_hz / cutoff_hz)))
    mirrored = np.pad(values - level, ((edge, edge), (0, 0)), mode="reflect")
    forwards = filter_(mirrored)[::-1]
    both_ways = filter_(forwards)[::-1][edge : edge + len(values)]
    return np.asarray(both_ways + level)


def blocks(n: int, margin: int) -> Iterator[tuple[slice, slice, slice]]:
    """Cut n samples into blocks with something on either side: what to read, what of that to keep, where it belongs.

    A filter forgets: with REACH periods of its cut-off on either side, a block comes out as the whole would, to the
    last digit of a float32, and a day takes no more memory than an hour.
    """
    for first in range(0, n, BLOCK):
        last = min(first + BLOCK, n)
        read = slice(max(first - margin, 0), min(last + margin, n))
        yield read, slice(first - read.start, last - read.start), slice(first, last)


def prepare(signals: SignalSet, preparation: Preparation) -> SignalSet:
    """Return the signals with gravity separated and noise filtered out, as far as asked for."""
    rate = signals.sampling_rate_hz
    if preparation.separate_gravity and signals.gravity == "included":
        triads = [i for i, channel in enumerate(signals.channels) if channel.rpartition(".")[2] == "acc_x"]
        columns = [column + axis for column in triads for axis in range(3)]
        signals = replace(
            _each(signals, columns, GRAVITY_HZ, lambda x: x - estimate_gravity(x, rate)), gravity="removed"
        )
    if (cutoff := preparation.low_pass_hz) is not None:
        signals = _each(signals, list(range(len(signals.channels))), cutoff, lambda x: low_passed(x, rate, cutoff))
    return signals


def _each(signals: SignalSet, columns: list[int], cutoff_hz: float, change: Callable[[Samples], Samples]) -> SignalSet:
    """Change some channels of each stretch, in memory: a store is read only."""
    signal = np.array(signals.signal, np.float32)
    margin = int(REACH * signals.sampling_rate_hz / cutoff_hz)
    for first, length in zip(signals.first.tolist(), signals.length.tolist(), strict=True):
        before = signals.signal[first : first + length]
        after = signal[first : first + length]
        for read, keep, write in blocks(length, margin):
            after[write, columns] = change(before[read, columns])[keep]
    return replace(signals, signal=signal)
