"""What a signal is like each quarter of a second: half a second of it, and the seconds around."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from app.har.classifiers.elm_gru_am.features import channels_by_sensor
from app.har.types import FloatArray

HOP_S = 0.25
AROUND = (-16, -12, -8, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 8, 12, 16)  # which moments describe one, in hops
FLOOR = 1e-3  # of a spread before its logarithm
BLOCKS = 4096  # described at once
ROWS = 2048  # with what is around them, at once


def hop(sampling_rate_hz: float) -> int:
    """Return how many samples one moment is from the next."""
    return max(2, round(HOP_S * sampling_rate_hz))


def describe(signal: FloatArray, channels: Sequence[str], sampling_rate_hz: float) -> FloatArray:
    """Describe the half seconds of a stretch, each a quarter after the one before.

    Parameters
    ----------
    signal : (n_samples, n_channels)

    Returns
    -------
    (n_moments, n_features) : of each channel its mean and the logarithms of its spread and its mean jerk; of each
        sensor of three axes the mean length of its vector and the logarithm of that one's spread. Moment i is of the
        samples from i to i + 2 hops.
    """
    step = hop(sampling_rate_hz)
    n_blocks = len(signal) // step
    if n_blocks < 2:
        return np.zeros((0, 0), np.float32)
    sensors = [members for members in channels_by_sensor(channels).values() if len(members) > 1]
    parts = []
    for first in range(0, n_blocks - 1, BLOCKS):
        last = min(first + BLOCKS + 1, n_blocks)
        x = np.asarray(signal[first * step : last * step], np.float64)
        lengths = [np.sqrt((x[:, members] ** 2).sum(axis=1)) for members in sensors]
        x = np.column_stack([x, *lengths])
        jerk = np.abs(np.diff(x, axis=0, append=x[-1:]))
        mean, square, jerk = (_of_two_blocks(values, step) for values in (x, x**2, jerk))
        spread = np.log(np.sqrt(np.maximum(square - mean**2, 0)) + FLOOR)
        n = len(channels)
        parts.append(np.column_stack([mean, spread, np.log(jerk[:, :n] * sampling_rate_hz + FLOOR)]))
    described: FloatArray = np.concatenate(parts).astype(np.float32)
    return described


def with_surroundings(described: FloatArray, rows: Sequence[int] | None = None) -> Iterator[FloatArray]:
    """Yield moments beside those around them, some thousand at a time; at an end of the stretch the last one stands in.

    Parameters
    ----------
    described : (n_moments, n_features) of one stretch.
    rows : which moments are wanted; default all.
    """
    wanted = np.arange(len(described)) if rows is None else np.asarray(rows, np.int64)
    for first, last in pairwise([*range(0, len(wanted), ROWS), len(wanted)]):
        around = np.clip(wanted[first:last, None] + np.array(AROUND), 0, len(described) - 1)
        yield described[around].reshape(last - first, -1)


def _of_two_blocks(values: NDArray[np.float64], step: int) -> NDArray[np.float64]:
    """Return the mean of each two blocks that follow each other, (n_blocks - 1, n_columns)."""
    of_blocks = values.reshape(-1, step, values.shape[1]).mean(axis=1)
    return np.asarray((of_blocks[1:] + of_blocks[:-1]) / 2, np.float64)
