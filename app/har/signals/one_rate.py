"""Signals at a uniform rate, brought to another."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np

from app.har.signals.types import SignalSet
from app.har.types import FloatArray

WHOLE_PARTS = 10  # rates are known to a tenth of a hertz


def at_rate(signals: SignalSet, rate_hz: float) -> SignalSet:
    """Return each stretch at another rate, after a zero-phase low-pass below half the lower of the two rates.

    The first sample of a stretch stays where it is in time; a label is that of the sample at, or before, the moment.
    """
    ratio = Fraction(rate_hz).limit_denominator(WHOLE_PARTS) / Fraction(signals.sampling_rate_hz).limit_denominator(
        WHOLE_PARTS
    )
    if ratio == 1:
        return signals
    length = np.array([int((n - 1) * ratio) + 1 for n in signals.length.tolist()], np.int64)
    first = np.cumsum(length) - length
    signal = np.empty((int(length.sum()), len(signals.channels)), np.float32)
    labels = np.empty(len(signal), np.int16)
    for before, n, after, m in zip(
        signals.first.tolist(), signals.length.tolist(), first.tolist(), length.tolist(), strict=True
    ):
        signal[after : after + m] = _resampled(np.asarray(signals.signal[before : before + n]), ratio, m)
        labels[after : after + m] = signals.labels[before + (np.arange(m) / float(ratio) + 1e-6).astype(np.int64)]
    return replace(signals, signal=signal, labels=labels, sampling_rate_hz=rate_hz, first=first, length=length)


def _resampled(values: FloatArray, ratio: Fraction, n: int) -> FloatArray:
    """Resample a stretch, (n, n_channels); a sensor that is missing in it, NaN all through, stays so."""
    from scipy.signal import resample_poly

    result = np.full((n, values.shape[1]), np.nan, np.float32)
    there = ~np.isnan(values[0])
    if there.any():
        mean = values[:, there].mean(axis=0)  # what does not move stays as it is, whatever the filter's gain
        result[:, there] = (
            mean
            + resample_poly(values[:, there] - mean, ratio.numerator, ratio.denominator, axis=0, padtype="line")[:n]
        )
    return result
