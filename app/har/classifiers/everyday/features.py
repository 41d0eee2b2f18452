"""Features of a window that do not depend on how the device is turned.

Traces of a three-axis signal (its power, its spectrum and its autocorrelation, summed over the axes), the shape of its
magnitude, the gait in it, and, where gravity is known, the same of its vertical and horizontal parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from app.har.signals.filters import low_passed
from app.har.types import FloatArray

LOW_PASS_HZ = 10.0  # what a device of 20 Hz has, too; faster bands transfer no better
BAND_EDGES_HZ = np.geomspace(0.4, LOW_PASS_HZ, 11)
LAGS_S = np.array([0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 1.0, 1.2])
HARMONICS = (0.5, 1.0, 1.5, 2.0, 3.0, 4.0)  # of the step frequency
FASTEST_STEP_S = 0.28
GAIT_LAG_S = 1.6
FIRST_PEAK = 0.7  # the first peak of the autocorrelation that is so high, relative to the highest, is a step
PERCENTILES = (5, 25, 50, 75, 95)
CROSS_LAGS = range(-8, 9, 2)  # samples at 50 Hz
QUIET = 1e-4  # m/s² or rad/s: keeps the logarithm of nothing finite

# What a feature needs besides acceleration, by the first word of its group
NEEDS = {"acc": (), "gyro": ("gyro",), "vertical": ("gravity",), "turn": ("gyro", "gravity")}
AMPLITUDE, SHAPE, GAIT = "amplitude", "shape", "gait"


@dataclass
class Features:
    """Columns of features, named ``source.kind.name``: ``acc.shape.centroid``."""

    names: list[str] = field(default_factory=list)
    columns: list[NDArray[np.float64]] = field(default_factory=list)

    def add(self, group: str, names: Sequence[str], values: NDArray[np.float64]) -> None:
        """Add (n,) or (n, len(names)) values."""
        self.names += [f"{group}.{name}" for name in names]
        self.columns.append(values.reshape(len(values), len(names)))

    @property
    def values(self) -> FloatArray:
        """Return (n, n_features)."""
        return np.concatenate(self.columns, axis=1).astype(np.float32)


def feature_names(n_timesteps: int, rate_hz: float) -> tuple[str, ...]:
    """Return the names of the columns of `describe`."""
    return _names(n_timesteps, rate_hz)


@lru_cache(maxsize=8)
def _names(n_timesteps: int, rate_hz: float) -> tuple[str, ...]:
    empty = np.zeros((1, n_timesteps, 3))
    return tuple(_features(empty, empty, empty, rate_hz).names)


def describe(movement: FloatArray, rotation: FloatArray, gravity: FloatArray, rate_hz: float) -> FloatArray:
    """Return (n, n_features) of windows; NaN where a feature needs a sensor that is missing.

    Parameters
    ----------
    movement : (n, n_timesteps, 3) acceleration without gravity, m/s².
    rotation : (n, n_timesteps, 3) angular velocity, rad/s; NaN where there is no gyroscope.
    gravity : (n, n_timesteps, 3), m/s²; NaN where it is not known.
    """
    there = {"gyro": ~np.isnan(rotation[:, 0, 0]), "gravity": ~np.isnan(gravity[:, 0, 0])}
    a, w, g = (np.nan_to_num(x).astype(np.float64) for x in (movement, rotation, gravity))
    found = _features(a, w, g, rate_hz)
    values = found.values
    sources = np.array([name.partition(".")[0] for name in found.names])
    for source, needs in NEEDS.items():
        for sensor in needs:
            values[np.ix_(~there[sensor], sources == source)] = np.nan
    return values


def _features(
    movement: NDArray[np.float64], rotation: NDArray[np.float64], gravity: NDArray[np.float64], rate_hz: float
) -> Features:
    found = Features()
    smooth = _low_pass(movement.shape[1], rate_hz)
    a, w = smooth @ movement, smooth @ rotation
    length_a, length_w = np.linalg.norm(a, axis=2), np.linalg.norm(w, axis=2)
    spectrum_a, _ = _trace(found, "acc", "a", a, rate_hz)
    spectrum_w, _ = _trace(found, "gyro", "w", w, rate_hz)
    _trace(found, "acc", "|a|", length_a[..., None], rate_hz)
    _trace(found, "gyro", "|w|", length_w[..., None], rate_hz)
    for source, name, x, length in (("acc", "a", a, length_a), ("gyro", "w", w, length_w)):
        _distribution(found, source, f"|{name}|", length)
        variation = np.log((length.std(axis=1) + 1e-3) / (length.mean(axis=1) + 1e-3))
        found.add(f"{source}.{SHAPE}", [f"|{name}|.variation"], variation)
        _axes(found, source, name, x)
    rms_w, rms_a = (np.sqrt((x**2).sum(axis=2).mean(axis=1)) for x in (w, a))
    found.add(f"gyro.{AMPLITUDE}", ["w/a"], np.log((rms_w + 1e-3) / (rms_a + 1e-2)))
    step_hz = _gait(found, "acc", "|a|", length_a[..., None], rate_hz)
    _gait(found, "acc", "a", a, rate_hz)
    _gait(found, "gyro", "w", w, rate_hz)
    _harmonics(found, "acc", "a", spectrum_a, step_hz, movement.shape[1], rate_hz)
    _harmonics(found, "gyro", "w", spectrum_w, step_hz, movement.shape[1], rate_hz)
    _vertical(found, a, w, gravity, step_hz, rate_hz)
    return found


def _vertical(
    found: Features,
    a: NDArray[np.float64],
    w: NDArray[np.float64],
    gravity: NDArray[np.float64],
    step_hz: NDArray[np.float64],
    rate_hz: float,
) -> None:
    n_timesteps = a.shape[1]
    up = gravity / np.maximum(np.linalg.norm(gravity, axis=2, keepdims=True), 1e-9)
    v, h = _split(a, up)
    spectrum_v, sd_v = _trace(found, "vertical", "v", v[..., None], rate_hz)
    spectrum_h, sd_h = _trace(found, "vertical", "h", h, rate_hz)
    _distribution(found, "vertical", "v", v)
    _distribution(found, "vertical", "|h|", np.linalg.norm(h, axis=2))
    found.add(f"vertical.{SHAPE}", ["v/h"], np.log((sd_v + 1e-3) / (sd_h + 1e-3)))
    centred = h - h.mean(axis=1, keepdims=True)
    powers, axes = np.linalg.eigh(np.einsum("nti,ntj->nij", centred, centred) / n_timesteps)
    powers = powers.clip(1e-8)
    found.add(f"vertical.{SHAPE}", ["h2/h1"], np.log(powers[:, 1] / powers[:, 2]))
    main = np.einsum("nti,ni->nt", centred, axes[:, :, 2])
    crossed = _cross_correlation(v - v.mean(axis=1, keepdims=True), main)
    found.add(f"vertical.{SHAPE}", [f"vh.{lag}" for lag in CROSS_LAGS], crossed)
    wv, wh = _split(w, up)
    _, sd_wv = _trace(found, "turn", "wv", wv[..., None], rate_hz)
    _, sd_wh = _trace(found, "turn", "wh", wh, rate_hz)
    found.add(f"turn.{SHAPE}", ["wv/wh"], np.log((sd_wv + 1e-3) / (sd_wh + 1e-3)))
    _gait(found, "vertical", "v", v[..., None], rate_hz)
    _harmonics(found, "vertical", "v", spectrum_v, step_hz, n_timesteps, rate_hz)
    _harmonics(found, "vertical", "h", spectrum_h, step_hz, n_timesteps, rate_hz)


def _split(x: NDArray[np.float64], up: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the part along a direction, (n, n_timesteps), and the rest of the vectors."""
    along = (x * up).sum(axis=2)
    return along, x - along[..., None] * up


@lru_cache(maxsize=8)
def _low_pass(n_timesteps: int, rate_hz: float) -> NDArray[np.float64]:
    """Return the matrix that filters a window: the filter's answer to each sample."""
    if rate_hz <= 2 * LOW_PASS_HZ:
        return np.eye(n_timesteps)
    return low_passed(np.eye(n_timesteps), rate_hz, LOW_PASS_HZ)


def _trace(
    found: Features, source: str, name: str, x: NDArray[np.float64], rate_hz: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Describe (n, n_timesteps, k) by sums over the axes; return the power spectrum and the standard deviation."""
    n_timesteps = x.shape[1]
    centred = x - x.mean(axis=1, keepdims=True)
    sd = np.sqrt((centred**2).sum(axis=2).mean(axis=1))
    jerk = rate_hz * np.sqrt((np.diff(x, axis=1) ** 2).sum(axis=2).mean(axis=1))
    spectrum = _spectrum(centred)
    bands = spectrum @ _bands(n_timesteps, rate_hz)
    numbered = range(bands.shape[1])
    found.add(f"{source}.{AMPLITUDE}", [f"{name}.sd"], np.log(sd + QUIET))
    found.add(f"{source}.{AMPLITUDE}", [f"{name}.jerk"], np.log(jerk + 30 * QUIET))
    found.add(f"{source}.{AMPLITUDE}", [f"{name}.band{i}" for i in numbered], np.log(bands + 1e-7))
    shares = np.log(bands / (bands.sum(axis=1, keepdims=True) + 1e-9) + QUIET)
    found.add(f"{source}.{SHAPE}", [f"{name}.share{i}" for i in numbered], shares)
    found.add(f"{source}.{SHAPE}", [f"{name}.jerk/sd"], np.log((jerk + 30 * QUIET) / (sd + QUIET)))
    lags = np.round(LAGS_S * rate_hz).astype(int)
    lags = lags[lags <= n_timesteps // 2]
    correlation = _autocorrelation(centred, int(lags[-1]))[:, lags]
    found.add(f"{source}.{SHAPE}", [f"{name}.lag{lag}" for lag in lags], correlation)
    density = spectrum / (spectrum.sum(axis=1, keepdims=True) + 1e-12)
    entropy = -(density * np.log(density + 1e-12)).sum(axis=1) / np.log(density.shape[1])
    centroid = density @ np.fft.rfftfreq(n_timesteps, 1 / rate_hz)
    found.add(f"{source}.{SHAPE}", [f"{name}.entropy", f"{name}.centroid"], np.stack([entropy, centroid], axis=1))
    return spectrum, sd


def _spectrum(centred: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the power spectrum, summed over the axes, of a Hann window."""
    n = centred.shape[1]
    tapered = centred * np.hanning(n)[:, None]
    transformed = np.fft.rfft(tapered, axis=1)
    return np.asarray((transformed.real**2 + transformed.imag**2).sum(axis=2) / (n * n) * 16 / 3)


@lru_cache(maxsize=8)
def _bands(n_timesteps: int, rate_hz: float) -> NDArray[np.float64]:
    """Return the matrix that sums a spectrum in geometric bands; a band between two lines takes the nearest."""
    frequency = np.fft.rfftfreq(n_timesteps, 1 / rate_hz)
    matrix = np.zeros((len(frequency), len(BAND_EDGES_HZ) - 1))
    for band, (low, high) in enumerate(pairwise(BAND_EDGES_HZ)):
        inside = (frequency >= low) & (frequency < high)
        if not inside.any():
            inside[np.abs(frequency - np.sqrt(low * high)).argmin()] = True
        matrix[inside, band] = 1
    return matrix


def _autocorrelation(centred: NDArray[np.float64], longest: int) -> NDArray[np.float64]:
    """Return the unbiased autocorrelation, summed over the axes, at lags 0 to the longest; (n, longest + 1)."""
    n = centred.shape[1]
    transformed = np.fft.rfft(centred, 2 * n, axis=1)
    power = (transformed.real**2 + transformed.imag**2).sum(axis=2)
    raw = np.fft.irfft(power, axis=1)[:, : longest + 1] / (n - np.arange(longest + 1))
    return np.asarray(raw / (raw[:, :1] + 1e-12))


def _distribution(found: Features, source: str, name: str, x: NDArray[np.float64]) -> None:
    """Describe how the values of a scalar signal, (n, n_timesteps), and of its differences are distributed."""
    z = (x - x.mean(axis=1, keepdims=True)) / (x.std(axis=1, keepdims=True) + 1e-6)
    step = np.diff(x, axis=1)
    step = step / (step.std(axis=1, keepdims=True) + 1e-6)
    cubed, step_squared = z**2 * z, step**2
    moments = [
        cubed.mean(axis=1),
        (cubed * z).mean(axis=1),
        z.max(axis=1),
        z.min(axis=1),
        (step_squared * step).mean(axis=1),
        np.log(np.abs(step).max(axis=1) + 1e-3),
        (step_squared**2).mean(axis=1),
    ]
    names = ["skew", "kurtosis", "crest", "trough", "jerk skew", "jerk crest", "jerk kurtosis"]
    found.add(f"{source}.{SHAPE}", [f"{name}.{n}" for n in names], np.stack(moments, axis=1))
    percentiles = np.percentile(z, PERCENTILES, axis=1).T
    found.add(f"{source}.{SHAPE}", [f"{name}.p{p}" for p in PERCENTILES], percentiles)


def _axes(found: Features, source: str, name: str, x: NDArray[np.float64]) -> None:
    """Describe how a signal spreads over its principal axes."""
    centred = x - x.mean(axis=1, keepdims=True)
    powers = np.linalg.eigvalsh(np.einsum("nti,ntj->nij", centred, centred) / x.shape[1]).clip(1e-8)
    found.add(f"{source}.{AMPLITUDE}", [f"{name}.axis{i}" for i in range(3)], np.log(powers))
    shares = powers / powers.sum(axis=1, keepdims=True)
    found.add(f"{source}.{SHAPE}", [f"{name}.axis{i} share" for i in range(3)], np.log(shares + 1e-5))


def _gait(found: Features, source: str, name: str, x: NDArray[np.float64], rate_hz: float) -> NDArray[np.float64]:
    """Describe the peaks of the autocorrelation; return the step frequency in Hz."""
    longest = min(int(x.shape[1] * 0.55), int(GAIT_LAG_S * rate_hz))
    r = _autocorrelation(x - x.mean(axis=1, keepdims=True), longest)
    rows, first = np.arange(len(r)), int(FASTEST_STEP_S * rate_hz)
    inner = r[:, first:longest]
    peak = (inner > r[:, first - 1 : longest - 1]) & (inner >= r[:, first + 1 : longest + 1])
    lag_s = np.arange(r.shape[1]) / rate_hz
    best = np.where(peak, inner - 0.05 * lag_s[first:longest], -9).argmax(axis=1)
    none = ~peak.any(axis=1)
    highest = np.where(none, 0, inner[rows, best])
    step = (peak & (inner >= FIRST_PEAK * highest[:, None])).argmax(axis=1)
    step_s = np.where(none, 1.0, lag_s[first + step])
    at_step = np.where(none, 0, inner[rows, step])
    stride = np.round(2 * step_s * rate_hz).astype(int)
    around = np.stack([np.clip(stride + k, 0, longest) for k in range(-2, 3)], axis=1)
    at_stride = r[rows[:, None], around].max(axis=1)
    half = np.clip(np.round(step_s * rate_hz / 2).astype(int), 1, longest)
    columns = {
        "peak": highest,
        "peak lag": np.where(none, 1.0, lag_s[first + best]),
        "step frequency": 1 / step_s,
        "step regularity": at_step,
        "stride regularity": at_stride,
        "symmetry": at_step - at_stride,
        "half step": r[rows, half],
        "lowest": r[:, :longest].min(axis=1),
    }
    found.add(f"{source}.{GAIT}", [f"{name}.{n}" for n in columns], np.stack(list(columns.values()), axis=1))
    return 1 / step_s


def _harmonics(
    found: Features,
    source: str,
    name: str,
    spectrum: NDArray[np.float64],
    step_hz: NDArray[np.float64],
    n_timesteps: int,
    rate_hz: float,
) -> None:
    """Give the shares of the power around multiples of the step frequency."""
    frequency = np.fft.rfftfreq(n_timesteps, 1 / rate_hz)
    reach = max(0.26, 0.75 * rate_hz / n_timesteps)
    total = spectrum[:, frequency > BAND_EDGES_HZ[0]].sum(axis=1) + 1e-9
    shares = [(spectrum * (np.abs(frequency - k * step_hz[:, None]) <= reach)).sum(axis=1) / total for k in HARMONICS]
    found.add(f"{source}.{GAIT}", [f"{name}.harmonic{k:g}" for k in HARMONICS], np.log(np.stack(shares, axis=1) + 1e-3))


def _cross_correlation(v: NDArray[np.float64], h: NDArray[np.float64]) -> NDArray[np.float64]:
    """Correlate vertical and main horizontal movement at lags, signed so that the largest is positive."""
    n = v.shape[1]
    scale = v.std(axis=1) * h.std(axis=1) + 1e-6
    columns = [
        ((v[:, k:] * h[:, : n - k]) if k >= 0 else (v[:, :k] * h[:, -k:])).mean(axis=1) / scale for k in CROSS_LAGS
    ]
    crossed = np.stack(columns, axis=1)
    largest = np.take_along_axis(crossed, np.abs(crossed).argmax(axis=1)[:, None], axis=1)
    return np.asarray(crossed * np.sign(largest))
