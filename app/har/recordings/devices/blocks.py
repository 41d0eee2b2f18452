"""Times of samples that a device writes in blocks, each under one stamp."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from app.har.types import IntArray, TimeArray

FOLLOWS = 0.1  # of a block's length, by which a clock may differ from its nominal rate
FOLLOWS_SAMPLES = 2.0  # and by which stamps are coarser than samples


def follows(start_s: TimeArray, counts: IntArray, rate_hz: NDArray[np.float64] | float) -> NDArray[np.bool_]:
    """Tell of each block but the last whether the next one follows it without a hole.

    Parameters
    ----------
    start_s : (n,) time of the first sample of each block.
    counts : (n,) samples in each.
    rate_hz : nominal, of all or (n - 1,) of each but the last.
    """
    expected = counts[:-1] / rate_hz
    late = np.diff(start_s) - expected
    return np.asarray(np.abs(late) <= FOLLOWS * expected + FOLLOWS_SAMPLES / rate_hz)


def sample_times(
    start_s: TimeArray, counts: IntArray, step_s: NDArray[np.float64]
) -> tuple[TimeArray, NDArray[np.int64]]:
    """Return the time of each sample, and the number of its block.

    Parameters
    ----------
    start_s, counts, step_s : (n,) of each block its first sample, how many it has, and the time between them.
    """
    block = np.repeat(np.arange(len(counts)), counts)
    within = np.arange(len(block)) - np.repeat(np.cumsum(counts) - counts, counts)
    return start_s[block] + within * step_s[block], block


def steps(
    start_s: TimeArray, counts: IntArray, rate_hz: NDArray[np.float64], joined: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return the time between two samples of each block but the last: by the next stamp where it follows.

    A device's rate is seldom quite the nominal one (a GENEActiv of 85.7 Hz gives 300 samples in 3.5 s: 85.714 Hz).
    """
    return np.where(joined, np.diff(start_s) / counts[:-1], 1 / rate_hz)
