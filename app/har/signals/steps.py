"""Steps of somebody who is known to be on foot: peaks of the length of the acceleration.

The length is the same however a device is turned. Between 0.7 and 3 Hz a step is one peak, in a pocket and in a hand;
what repeats may be two steps, which is why peaks are counted, not periods. Nothing is learnt: band, height and distance
are the same for everybody and every place. Measured by benchmarks/bench_steps.py, on walking alone.

Source of the idea: Salvi, Velardo, Brynes, Tarassenko, An optimised algorithm for accurate steps counting from
smart-phone accelerometry, EMBC 2018.
"""

from __future__ import annotations

import numpy as np

from app.har.signals.filters import Samples
from app.har.types import TimeArray

BAND_HZ = (0.7, 3.0)
ORDER = 2
HEIGHT = 0.5  # m/s², by which a peak stands above what is around it
APART_S = 0.25
LEAST_HZ, ENOUGH_HZ = 15.0, 25.0  # sampling rate; of a higher one, neighbours are averaged
SHORTEST_S = 2.0
WITH_GRAVITY = (8.0, 12.0)  # m/s², the median length; without gravity it has two peaks a step


def can_count(acceleration: Samples, rate_hz: float) -> bool:
    """Tell whether steps can be counted in acceleration, (n, 3): often enough a second, and with gravity."""
    if rate_hz < LEAST_HZ or not len(acceleration):
        return False
    some = acceleration[:: max(1, int(rate_hz / LEAST_HZ))]
    return bool(WITH_GRAVITY[0] < float(np.median(np.linalg.norm(some, axis=1))) < WITH_GRAVITY[1])


def step_times(acceleration: Samples, rate_hz: float) -> TimeArray:
    """Return when steps were made in a gap-free stretch of walking, in seconds from its first sample.

    Parameters
    ----------
    acceleration : (n, 3), m/s² with gravity, of somebody on foot; at a uniform rate.
    """
    from scipy.signal import butter, find_peaks, sosfiltfilt

    several = max(1, int(rate_hz / ENOUGH_HZ))
    n, rate = len(acceleration) // several, rate_hz / several
    if n < SHORTEST_S * rate:
        return np.zeros(0)
    fewer = acceleration[: n * several].reshape(n, several, 3).mean(axis=1)
    length = np.linalg.norm(fewer, axis=1).astype(np.float64)
    swing = sosfiltfilt(butter(ORDER, BAND_HZ, "bandpass", fs=rate, output="sos"), length)
    peaks, _ = find_peaks(swing, prominence=HEIGHT, distance=max(1, round(APART_S * rate)))
    return np.asarray((peaks + (several - 1) / (2 * several)) / rate, np.float64)
