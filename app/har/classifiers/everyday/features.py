"""Features of a window that do not depend on how the device is turned.

Traces of a three-axis signal (its power, its spectrum and its autocorrelation, summed over the axes), the shape of its
magnitude, the gait in it, and, where gravity is known, the same of its vertical and horizontal parts.

All signals are described together, in a few calls: of the windows of a live second, calls would cost more than sums.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from app.har.signals.cores import on_every_core
from app.har.signals.filters import low_passed
from app.har.types import FloatArray

LOW_PASS_HZ = 10.0  # what a device of 20 Hz has, too; faster bands transfer no better
BAND_EDGES_HZ = np.geomspace(0.4, LOW_PASS_HZ, 11)
LAGS_S = np.array([0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 1.0, 1.2])
HARMONICS = (0.5, 1.0, 1.5, 2.0, 3.0, 4.0)  # of the step frequency
FASTEST_STEP_S = 0.28
GAIT_LAG_S = 1.6
GAITS, STEPPED = (
    ("|a|", "a", "w", "v"),
    ("a", "w", "v", "h"),
)  # signals in which steps, and their harmonics, are looked for
GAIT_NAMES = (
    "peak",
    "peak lag",
    "step frequency",
    "step regularity",
    "stride regularity",
    "symmetry",
    "half step",
    "lowest",
)
FIRST_PEAK = 0.7  # the first peak of the autocorrelation that is so high, relative to the highest, is a step
PERCENTILES = (5, 25, 50, 75, 95)
CROSS_LAGS = range(-8, 9, 2)  # samples at 50 Hz
QUIET = 1e-4  # m/s² or rad/s: keeps the logarithm of nothing finite
AT_ONCE = 128  # windows: all that is known of them stays in the processor's cache

Values = NDArray[np.float64]

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
    empty = np.zeros((3, 1, n_timesteps))
    return tuple(_features(empty, empty, empty, rate_hz).names)


@lru_cache(maxsize=8)
def _needing(sensor: str, n_timesteps: int, rate_hz: float) -> NDArray[np.int64]:
    """Return the positions of the features that need a sensor."""
    sources = [name.partition(".")[0] for name in _names(n_timesteps, rate_hz)]
    return np.flatnonzero([sensor in NEEDS[source] for source in sources])


@lru_cache(maxsize=8)
def _lacking(sensor: str, n_timesteps: int, rate_hz: float) -> NDArray[np.int64]:
    """Return the positions of the features that need no such sensor."""
    names = _names(n_timesteps, rate_hz)
    return np.setdiff1d(np.arange(len(names)), _needing(sensor, n_timesteps, rate_hz))


def describe(movement: FloatArray, rotation: FloatArray, gravity: FloatArray, rate_hz: float) -> FloatArray:
    """Return (n, n_features) of windows; NaN where a feature needs a sensor that is missing.

    Parameters
    ----------
    movement : (n, n_timesteps, 3) acceleration without gravity, m/s².
    rotation : (n, n_timesteps, 3) angular velocity, rad/s; NaN where there is no gyroscope.
    gravity : (n, n_timesteps, 3), m/s²; NaN where it is not known.
    """
    found = np.empty((len(movement), len(_names(movement.shape[1], rate_hz))), np.float32)

    def fill(part: slice) -> None:
        turning = rotation[part]
        still = np.isnan(turning[:, 0, 0]).all()  # without a gyroscope, half of the work
        turned = None if still else _by_axis(turning)
        own = _features(_by_axis(movement[part]), turned, _by_axis(gravity[part]), rate_hz).values
        if still:
            found[part, _lacking("gyro", movement.shape[1], rate_hz)] = own
        else:
            found[part] = own

    parts = [slice(i, i + AT_ONCE) for i in range(0, len(movement), AT_ONCE)]
    if len(parts) > 1:
        on_every_core(fill, parts)
    elif parts:
        fill(parts[0])
    for sensor, x in (("gyro", rotation), ("gravity", gravity)):
        missing = np.flatnonzero(np.isnan(x[:, 0, 0]))
        found[missing[:, None], _needing(sensor, movement.shape[1], rate_hz)] = np.nan
    return found


def _by_axis(x: FloatArray) -> Values:
    """Return windows, (n, n_timesteps, 3), as (3, n, n_timesteps); a missing value counts as 0."""
    return np.nan_to_num(np.ascontiguousarray(x.transpose(2, 0, 1), np.float64))


@dataclass(frozen=True)
class _Trace:
    """What is summed over the axes of a signal."""

    amplitude: Values  # (n, 2 + n_bands) logarithms: standard deviation, jerk, bands
    shape: Values  # (n, …) shares of the bands, jerk against deviation, autocorrelation, entropy, centroid
    spectrum: Values  # (n, n_frequencies)
    correlation: Values  # (n, …) autocorrelation at lags from 0 on
    sd: Values  # (n,)


def _features(movement: Values, rotation: Values | None, gravity: Values, rate_hz: float) -> Features:
    """Return the features of windows; each sensor's are (3, n, n_timesteps).

    Without rotation, those that need it are left out.
    """
    found = Features()
    n_timesteps = movement.shape[2]
    smooth = _low_pass(n_timesteps, rate_hz).T
    up = gravity / np.maximum(_length(gravity), 1e-9)
    a = movement @ smooth
    length_a, (v, h) = _length(a), _split(a, up)
    signals = {"a": a, "|a|": length_a, "v": v, "h": h}
    scalars = {"|a|": length_a, "v": v, "|h|": _length(h)}
    sources = [("acc", "a", a, length_a)]
    if rotation is not None:
        w = rotation @ smooth
        length_w, (wv, wh) = _length(w), _split(w, up)
        signals |= {"w": w, "|w|": length_w, "wv": wv, "wh": wh}
        scalars["|w|"] = length_w
        sources.append(("gyro", "w", w, length_w))
    traces = dict(zip(signals, _traces(list(signals.values()), rate_hz), strict=True))
    shapes = dict(zip(scalars, _distributions(np.stack(list(scalars.values()))), strict=True))
    walked, stepped = ([name for name in names if name in traces] for names in (GAITS, STEPPED))
    correlations = [traces[name].correlation[:, : _longest(n_timesteps, rate_hz) + 1] for name in walked]
    gaits = dict(zip(walked, _gaits(np.stack(correlations), rate_hz), strict=True))
    step_hz = gaits["|a|"][:, list(GAIT_NAMES).index("step frequency")]
    spectra = np.stack([traces[name].spectrum for name in stepped])
    harmonics = dict(zip(stepped, _harmonics(spectra, step_hz, n_timesteps, rate_hz), strict=True))

    for form in ("{}", "|{}|"):
        for source, name, _, _ in sources:
            _add_trace(found, source, form.format(name), traces[form.format(name)], n_timesteps, rate_hz)
    for source, name, x, length in sources:
        _add_distribution(found, source, f"|{name}|", shapes[f"|{name}|"])
        variation = np.log((length.std(axis=1) + 1e-3) / (length.mean(axis=1) + 1e-3))
        found.add(f"{source}.{SHAPE}", [f"|{name}|.variation"], variation)
        _add_axes(found, source, name, x)
    if rotation is not None:
        rms_a, rms_w = (np.sqrt((x**2).sum(axis=0).mean(axis=1)) for _, _, x, _ in sources)
        found.add(f"gyro.{AMPLITUDE}", ["w/a"], np.log((rms_w + 1e-3) / (rms_a + 1e-2)))
    for source, name in (("acc", "|a|"), ("acc", "a"), ("gyro", "w")):
        if name in gaits:
            found.add(f"{source}.{GAIT}", [f"{name}.{own}" for own in GAIT_NAMES], gaits[name])
    for source, name, _, _ in sources:
        _add_harmonics(found, source, name, harmonics[name])
    for name in ("v", "h"):
        _add_trace(found, "vertical", name, traces[name], n_timesteps, rate_hz)
    _add_distribution(found, "vertical", "v", shapes["v"])
    _add_distribution(found, "vertical", "|h|", shapes["|h|"])
    _add_horizontal(found, v, h, traces)
    if rotation is not None:
        for name in ("wv", "wh"):
            _add_trace(found, "turn", name, traces[name], n_timesteps, rate_hz)
        found.add(f"turn.{SHAPE}", ["wv/wh"], np.log((traces["wv"].sd + 1e-3) / (traces["wh"].sd + 1e-3)))
    found.add(f"vertical.{GAIT}", [f"v.{own}" for own in GAIT_NAMES], gaits["v"])
    _add_harmonics(found, "vertical", "v", harmonics["v"])
    _add_harmonics(found, "vertical", "h", harmonics["h"])
    return found


def _length(x: Values) -> Values:
    return np.asarray(np.sqrt((x**2).sum(axis=0)))


def _split(x: Values, up: Values) -> tuple[Values, Values]:
    """Return the part along a direction, (n, n_timesteps), and the rest of the vectors."""
    along = (x * up).sum(axis=0)
    return along, x - along * up


@lru_cache(maxsize=8)
def _low_pass(n_timesteps: int, rate_hz: float) -> Values:
    """Return the matrix that filters a window: the filter's answer to each sample."""
    if rate_hz <= 2 * LOW_PASS_HZ:
        return np.eye(n_timesteps)
    return low_passed(np.eye(n_timesteps), rate_hz, LOW_PASS_HZ)


def _traces(signals: Sequence[Values], rate_hz: float) -> list[_Trace]:
    """Describe signals, (n, n_timesteps) or (3, n, n_timesteps) each, by sums over their axes."""
    n_timesteps = signals[0].shape[-1]
    x = np.concatenate([own if own.ndim == 3 else own[None] for own in signals])  # (n_axes, n, n_timesteps)
    first = np.cumsum([0, *(1 if own.ndim == 2 else len(own) for own in signals[:-1])])
    centred = x - x.mean(axis=2, keepdims=True)
    sd = np.sqrt(np.add.reduceat((centred**2).mean(axis=2), first))  # (n_signals, n)
    jerk = rate_hz * np.sqrt(np.add.reduceat(((x[:, :, 1:] - x[:, :, :-1]) ** 2).mean(axis=2), first))
    spectrum = _spectrum(centred, first)
    bands = spectrum @ _bands(n_timesteps, rate_hz)
    amplitude = np.log(np.concatenate([(sd + QUIET)[..., None], (jerk + 30 * QUIET)[..., None], bands + 1e-7], axis=2))
    shares = np.log(bands / (bands.sum(axis=2, keepdims=True) + 1e-9) + QUIET)
    lags = _lags(n_timesteps, rate_hz)
    correlation = _autocorrelation(centred, first, max(int(lags[-1]), _longest(n_timesteps, rate_hz)))
    density = spectrum / (spectrum.sum(axis=2, keepdims=True) + 1e-12)
    entropy = -(density * np.log(density + 1e-12)).sum(axis=2, keepdims=True) / np.log(density.shape[2])
    centroid = density @ np.fft.rfftfreq(n_timesteps, 1 / rate_hz)[:, None]
    against = np.log((jerk + 30 * QUIET) / (sd + QUIET))[..., None]
    shape = np.concatenate([shares, against, correlation[:, :, lags], entropy, centroid], axis=2)
    return [_Trace(*own) for own in zip(amplitude, shape, spectrum, correlation, sd, strict=True)]


def _add_trace(found: Features, source: str, name: str, own: _Trace, n_timesteps: int, rate_hz: float) -> None:
    numbered = range(len(BAND_EDGES_HZ) - 1)
    found.add(
        f"{source}.{AMPLITUDE}", [f"{name}.{n}" for n in ("sd", "jerk", *(f"band{i}" for i in numbered))], own.amplitude
    )
    lags = [f"lag{lag}" for lag in _lags(n_timesteps, rate_hz)]
    names = [*(f"share{i}" for i in numbered), "jerk/sd", *lags, "entropy", "centroid"]
    found.add(f"{source}.{SHAPE}", [f"{name}.{n}" for n in names], own.shape)


def _lags(n_timesteps: int, rate_hz: float) -> NDArray[np.int64]:
    lags = np.round(LAGS_S * rate_hz).astype(np.int64)
    return lags[lags <= n_timesteps // 2]


def _spectrum(centred: Values, first: NDArray[np.int64]) -> Values:
    """Return the power spectra, summed over the axes that begin with each of `first`, of a Hann window."""
    n = centred.shape[2]
    transformed = np.fft.rfft(centred * np.hanning(n), axis=2)
    power = np.add.reduceat(transformed.real**2 + transformed.imag**2, first)
    return np.asarray(power / (n * n) * 16 / 3)


@lru_cache(maxsize=8)
def _bands(n_timesteps: int, rate_hz: float) -> Values:
    """Return the matrix that sums a spectrum in geometric bands; a band between two lines takes the nearest."""
    frequency = np.fft.rfftfreq(n_timesteps, 1 / rate_hz)
    matrix = np.zeros((len(frequency), len(BAND_EDGES_HZ) - 1))
    for band, (low, high) in enumerate(pairwise(BAND_EDGES_HZ)):
        inside = (frequency >= low) & (frequency < high)
        if not inside.any():
            inside[np.abs(frequency - np.sqrt(low * high)).argmin()] = True
        matrix[inside, band] = 1
    return matrix


def _autocorrelation(centred: Values, first: NDArray[np.int64], longest: int) -> Values:
    """Return the unbiased autocorrelation at lags 0 to the longest, summed as `_spectrum`."""
    n = centred.shape[2]
    transformed = np.fft.rfft(centred, 2 * n, axis=2)
    power = np.add.reduceat(transformed.real**2 + transformed.imag**2, first)
    raw = np.fft.irfft(power, axis=2)[:, :, : longest + 1] / (n - np.arange(longest + 1))
    return np.asarray(raw / (raw[:, :, :1] + 1e-12))


def _distributions(x: Values) -> Values:
    """Describe how the values of scalar signals, (n_signals, n, n_timesteps), and their differences are distributed."""
    z = (x - x.mean(axis=2, keepdims=True)) / (x.std(axis=2, keepdims=True) + 1e-6)
    step = x[:, :, 1:] - x[:, :, :-1]
    step = step / (step.std(axis=2, keepdims=True) + 1e-6)
    cubed, step_squared = z**2 * z, step**2
    ordered = np.sort(z, axis=2)
    moments = [
        cubed.mean(axis=2),
        (cubed * z).mean(axis=2),
        ordered[:, :, -1],
        ordered[:, :, 0],
        (step_squared * step).mean(axis=2),
        np.log(np.abs(step).max(axis=2) + 1e-3),
        (step_squared**2).mean(axis=2),
    ]
    return np.concatenate([np.stack(moments, axis=2), _percentiles(ordered)], axis=2)


def _percentiles(ordered: Values) -> Values:
    """Return PERCENTILES of values in order, as `numpy.percentile` between two of them."""
    at = np.array(PERCENTILES) / 100 * (ordered.shape[2] - 1)
    low = at.astype(np.int64)
    here, there = ordered[:, :, low], ordered[:, :, np.minimum(low + 1, ordered.shape[2] - 1)]
    return np.asarray(here + (there - here) * (at - low))


def _add_distribution(found: Features, source: str, name: str, values: Values) -> None:
    names = ["skew", "kurtosis", "crest", "trough", "jerk skew", "jerk crest", "jerk kurtosis"]
    names += [f"p{p}" for p in PERCENTILES]
    found.add(f"{source}.{SHAPE}", [f"{name}.{n}" for n in names], values)


def _add_axes(found: Features, source: str, name: str, x: Values) -> None:
    """Describe how a signal spreads over its principal axes."""
    powers = np.linalg.eigvalsh(_covariance(x - x.mean(axis=2, keepdims=True))).clip(1e-8)
    found.add(f"{source}.{AMPLITUDE}", [f"{name}.axis{i}" for i in range(3)], np.log(powers))
    shares = powers / powers.sum(axis=1, keepdims=True)
    found.add(f"{source}.{SHAPE}", [f"{name}.axis{i} share" for i in range(3)], np.log(shares + 1e-5))


def _covariance(centred: Values) -> Values:
    """Return (n, 3, 3)."""
    return np.asarray(centred.transpose(1, 0, 2) @ centred.transpose(1, 2, 0) / centred.shape[2])


def _longest(n_timesteps: int, rate_hz: float) -> int:
    """Return the longest lag at which a stride is looked for."""
    return min(int(n_timesteps * 0.55), int(GAIT_LAG_S * rate_hz))


def _gaits(correlation: Values, rate_hz: float) -> Values:
    """Describe the peaks of autocorrelations, (n_signals, n, …); return GAIT_NAMES of each."""
    n_signals, n, n_lags = correlation.shape
    r, longest = correlation.reshape(n_signals * n, n_lags), n_lags - 1
    rows, first = np.arange(len(r)), int(FASTEST_STEP_S * rate_hz)
    inner = r[:, first:longest]
    peak = (inner > r[:, first - 1 : longest - 1]) & (inner >= r[:, first + 1 :])
    lag_s = np.arange(longest + 1) / rate_hz
    best = np.where(peak, inner - 0.05 * lag_s[first:longest], -9).argmax(axis=1)
    none = ~peak.any(axis=1)
    highest = np.where(none, 0, inner[rows, best])
    step = (peak & (inner >= FIRST_PEAK * highest[:, None])).argmax(axis=1)
    step_s = np.where(none, 1.0, lag_s[first + step])
    at_step = np.where(none, 0, inner[rows, step])
    stride = np.round(2 * step_s * rate_hz).astype(int)
    at_stride = r[rows[:, None], np.clip(stride[:, None] + np.arange(-2, 3), 0, longest)].max(axis=1)
    half = np.clip(np.round(step_s * rate_hz / 2).astype(int), 1, longest)
    columns = [
        highest,
        np.where(none, 1.0, lag_s[first + best]),
        1 / step_s,
        at_step,
        at_stride,
        at_step - at_stride,
        r[rows, half],
        r[:, :longest].min(axis=1),
    ]
    return np.stack(columns, axis=1).reshape(n_signals, n, len(GAIT_NAMES))


def _harmonics(spectra: Values, step_hz: Values, n_timesteps: int, rate_hz: float) -> Values:
    """Return the shares of the power around multiples of the step frequency, (n_signals, n, n_harmonics)."""
    frequency = np.fft.rfftfreq(n_timesteps, 1 / rate_hz)
    reach = max(0.26, 0.75 * rate_hz / n_timesteps)
    near = np.abs(frequency[:, None] - step_hz[:, None, None] * np.array(HARMONICS)) <= reach
    total = spectra[:, :, frequency > BAND_EDGES_HZ[0]].sum(axis=2, keepdims=True) + 1e-9
    shares = (spectra.transpose(1, 0, 2) @ near.astype(np.float64)).transpose(1, 0, 2) / total
    return np.asarray(np.log(shares + 1e-3))


def _add_harmonics(found: Features, source: str, name: str, values: Values) -> None:
    found.add(f"{source}.{GAIT}", [f"{name}.harmonic{k:g}" for k in HARMONICS], values)


def _add_horizontal(found: Features, v: Values, h: Values, traces: Mapping[str, _Trace]) -> None:
    """Describe how vertical and horizontal movement compare, and how they go together."""
    found.add(f"vertical.{SHAPE}", ["v/h"], np.log((traces["v"].sd + 1e-3) / (traces["h"].sd + 1e-3)))
    centred = h - h.mean(axis=2, keepdims=True)
    powers, axes = np.linalg.eigh(_covariance(centred))
    powers = powers.clip(1e-8)
    found.add(f"vertical.{SHAPE}", ["h2/h1"], np.log(powers[:, 1] / powers[:, 2]))
    main = (axes[:, None, :, 2] @ centred.transpose(1, 0, 2))[:, 0]
    crossed = _cross_correlation(v - v.mean(axis=1, keepdims=True), main)
    found.add(f"vertical.{SHAPE}", [f"vh.{lag}" for lag in CROSS_LAGS], crossed)


def _cross_correlation(v: Values, h: Values) -> Values:
    """Correlate vertical and main horizontal movement at lags, signed so that the largest is positive."""
    n = v.shape[1]
    scale = v.std(axis=1) * h.std(axis=1) + 1e-6
    columns = [
        ((v[:, k:] * h[:, : n - k]) if k >= 0 else (v[:, :k] * h[:, -k:])).mean(axis=1) / scale for k in CROSS_LAGS
    ]
    crossed = np.stack(columns, axis=1)
    largest = np.take_along_axis(crossed, np.abs(crossed).argmax(axis=1)[:, None], axis=1)
    return np.asarray(crossed * np.sign(largest))
