"""Training windows as they might have come from another device."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from app.har.types import FloatArray, IntArray, WindowSet

SLOW_RATES_HZ = (25.0, 32.0, 50.0, 64.0)  # of watches, bands and frugal phones
PASS = 0.45  # of its rate is what a sensor, resampled, keeps of the spectrum
STEEPNESS = 24  # order of the low-pass: as sharp as resampling is
ROWS = 512  # windows transformed at once


def slow_copies(windows: WindowSet, share: float, seed: int) -> tuple[IntArray, WindowSet]:
    """Choose a share of the windows; return which, and what slower sensors would have recorded of them.

    A recording at 60 Hz, resampled to 100 Hz, has nothing above 30 Hz. A model that never saw such windows takes the
    silence there for rest. There are no copies where no usual sensor is clearly slower.
    """
    rates = [rate for rate in SLOW_RATES_HZ if rate < 0.9 * windows.sampling_rate_hz]
    random = np.random.default_rng(seed)
    chosen = np.flatnonzero(random.random(len(windows)) < (share if rates else 0.0))
    copies = windows.take(chosen)
    cutoff_hz = PASS * random.choice(rates or [0.0], len(chosen))
    for start in range(0, len(chosen), ROWS):
        rows = slice(start, start + ROWS)
        copies.X[rows] = _low_pass(copies.X[rows], cutoff_hz[rows], windows.sampling_rate_hz)
    return chosen, copies


def _low_pass(X: FloatArray, cutoff_hz: NDArray[np.float64], rate_hz: float) -> FloatArray:
    n_timesteps = X.shape[1]
    mirrored = np.concatenate([X, X[:, ::-1]], axis=1)  # or the ends, taken for neighbours, would ring
    frequency = fft.rfftfreq(2 * n_timesteps, 1 / rate_hz)
    gain = 1 / (1 + (frequency / cutoff_hz[:, None]) ** STEEPNESS)  # (n, frequencies)
    spectrum = fft.rfft(mirrored, axis=1) * gain[:, :, None].astype(np.float32)
    return np.asarray(fft.irfft(spectrum, 2 * n_timesteps, axis=1)[:, :n_timesteps], np.float32)
