"""Every n-th sample, without what is too fast for them. As SciPy's `resample_poly`, which takes far longer to load."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from app.har.types import FloatArray

REACH = 10  # samples of the slower rate that the filter sees on either side
KAISER_BETA = 5.0  # of its window
BLOCK = 64  # samples of the slower rate that one product gives


def decimated(values: FloatArray, factor: int) -> FloatArray:
    """Return every factor-th of some values (n_channels, n) after a low-pass at half of that rate.

    Beyond the ends they go on in the direction from the first to the last (Oppenheim & Schafer, Discrete-Time Signal
    Processing, ch. 4: decimation; ch. 7: the Kaiser window).
    """
    n_channels, n = values.shape
    n_out, reach = -(-n // factor), REACH * factor
    n_blocks = -(-n_out // BLOCK)
    weights = block_weights(factor)
    slope = (values[:, -1:] - values[:, :1]) / np.float32(max(n - 1, 1))
    padded = np.zeros((n_channels, (n_blocks - 1) * BLOCK * factor + len(weights)), np.float32)
    padded[:, reach : reach + n] = values
    steps = np.arange(1, reach + 1, dtype=np.float32)
    padded[:, :reach] = values[:, :1] - slope * steps[::-1]
    after = padded[:, reach + n : 2 * reach + n]
    after[:] = values[:, -1:] + slope * steps[: after.shape[1]]
    read = np.lib.stride_tricks.sliding_window_view(padded, len(weights), axis=1)[:, :: BLOCK * factor]
    result: FloatArray = np.ascontiguousarray(read) @ weights  # one product a channel: the same whoever is beside it
    return result.reshape(n_channels, -1)[:, :n_out]


@lru_cache(maxsize=16)
def block_weights(factor: int) -> FloatArray:
    """Return what each of the samples that a block reads has in each sample of the block: (read, BLOCK)."""
    reach = REACH * factor
    filter_ = np.sinc(np.arange(-reach, reach + 1) / factor) * np.kaiser(2 * reach + 1, KAISER_BETA)
    weights = np.zeros((2 * reach + (BLOCK - 1) * factor + 1, BLOCK), np.float32)
    for sample in range(BLOCK):
        weights[sample * factor : sample * factor + 2 * reach + 1, sample] = filter_ / filter_.sum()
    return weights
