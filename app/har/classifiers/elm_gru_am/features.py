"""Numbers that describe a stretch of signal, with their names, for whole windows and for the frames inside them.

Resting and running differ by orders of magnitude, and the resting activities differ by tiny values; so spreads
and powers enter as logarithms.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import combinations, pairwise
from math import ceil
from typing import TypeVar

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy import fft

from app.har.signals.cores import CORES, on_every_core
from app.har.types import FloatArray, IntArray
from app.har.windows import WindowSet

T = TypeVar("T")
Logarithm = Callable[[FloatArray], FloatArray]

# Windows described at once: more do not fit in the cache of a core, and fewer are not worth a thread.
CHUNK, FEWEST = 128, 64
LAGS_S = (0.05, 0.1, 0.2, 0.4)
FLOOR = np.float32(1e-4)  # of a spread before its logarithm: below any sensor's noise, in m/s² and in rad/s
FRAME_BANDS, WHOLE_BANDS = 10, 22
MAX_HZ = 50.0  # human movement ends far below: spectrum above it comes from the sensor


def channels_by_sensor(channels: Sequence[str]) -> dict[str, list[int]]:
    """Group channels by sensor: ``{"watch.acc": [0, 1, 2], …}``; a channel without an axis stands alone."""
    groups: dict[str, list[int]] = {}
    for position, channel in enumerate(channels):
        stem, _, axis = channel.rpartition("_")
        groups.setdefault(stem if axis in {"x", "y", "z"} else channel, []).append(position)
    return groups


@lru_cache(maxsize=64)
def sensor_columns(names: tuple[str, ...], sensors: tuple[str, ...]) -> dict[str, IntArray]:
    """Return the positions of each sensor's features, by their names: ``{"acc": [0, 1, …], …}``."""
    stems = [name.split(" ")[0] for name in names]
    return {
        sensor: np.array([i for i, stem in enumerate(stems) if stem == sensor or stem.startswith(f"{sensor}_")])
        for sensor in sensors
    }


@lru_cache(maxsize=64)
def band_edges(n_timesteps: int, sampling_rate_hz: float, n_bands: int) -> tuple[int, ...]:
    """Return increasing bins of the real FFT that bound at most ``n_bands`` geometric bands."""
    last = 1 + min(n_timesteps // 2, int(MAX_HZ * n_timesteps / sampling_rate_hz))
    return tuple(sorted({int(edge) for edge in np.geomspace(1, max(last, 2), n_bands + 1).round()}))


def describe(
    slices: FloatArray,
    channels: Sequence[str],
    sampling_rate_hz: float,
    n_bands: int,
    relative: bool = True,
    logarithms: bool = True,
) -> tuple[FloatArray, list[str]]:
    """Describe stretches of equal length.

    Parameters
    ----------
    slices : (n, n_timesteps, n_channels), acceleration in m/s², rotation in rad/s.
    n_bands : geometric frequency bands between the slowest full cycle and ``MAX_HZ``; fewer where the length allows
        fewer.
    relative : whether to give each band's power relative to the whole, too; default True.
    logarithms : whether spreads and powers enter as logarithms; default True, False only for the ablation.

    Returns
    -------
    values : (n, n_features) float32
    names : ``"acc_x log spread"`` and so on; ``acc`` alone is the magnitude of the three axes.
    """
    log: Logarithm = np.log if logarithms else np.asarray
    signals, names = _with_magnitudes(slices, channels)
    length = signals.shape[2]
    mean = signals @ np.full(length, 1 / length, np.float32)
    signals -= mean[:, :, None]
    spread = np.sqrt(np.einsum("ijk,ijk->ij", signals, signals) / length) + FLOOR
    described = [(mean, "mean"), (log(spread), "log spread"), *_shapes(signals, spread, sampling_rate_hz, log)]
    columns = [values for values, _ in described]
    powers, of_powers = _powers(signals, sampling_rate_hz, n_bands, relative, log)
    columns.append(powers)
    pairs, first, second = _pairs(tuple(channels))
    if pairs:
        together = np.empty((len(signals), len(pairs)), np.float32)
        for column, (a, b) in enumerate(pairs):
            np.einsum("ij,ij->i", signals[:, a], signals[:, b], out=together[:, column])
        columns.append(together / length / (spread[:, first] * spread[:, second]))
    titles = _titles(tuple(names), (*(what for _, what in described), *of_powers), pairs)
    return np.concatenate(columns, axis=1), list(titles)


@lru_cache(maxsize=64)
def _pairs(channels: tuple[str, ...]) -> tuple[tuple[tuple[int, int], ...], IntArray, IntArray]:
    """Return the channels that belong to one sensor, two by two; then the first of each pair, and the second."""
    pairs = tuple(pair for members in channels_by_sensor(channels).values() for pair in combinations(members, 2))
    first, second = np.array(pairs, np.int64).reshape(-1, 2).T
    return pairs, first, second


@lru_cache(maxsize=64)
def _titles(names: tuple[str, ...], described: tuple[str, ...], pairs: tuple[tuple[int, int], ...]) -> tuple[str, ...]:
    titles = [f"{name} {what}" for what in described for name in names]
    return (*titles, *(f"{names[a]} × {names[b]} correlation" for a, b in pairs))


def _with_magnitudes(slices: FloatArray, channels: Sequence[str]) -> tuple[FloatArray, list[str]]:
    """Return the channels and, of sensors with several, the magnitude with and without the mean vector.

    They are (n, n_signals, n_timesteps), with the names of the signals.
    """
    n, length, n_channels = slices.shape
    groups = {stem: members for stem, members in channels_by_sensor(channels).items() if len(members) > 1}
    signals = np.empty((n, n_channels + 2 * len(groups), length), np.float32)
    signals[:, :n_channels] = slices.transpose(0, 2, 1)
    names = list(channels)
    offset = (signals[:, :n_channels] @ np.full(length, 1 / length, np.float32))[:, :, None]
    for stem, members in groups.items():
        axes = signals[:, members]
        np.sqrt(np.einsum("ijk,ijk->ik", axes, axes), out=signals[:, len(names)])
        axes -= offset[:, members]
        np.sqrt(np.einsum("ijk,ijk->ik", axes, axes), out=signals[:, len(names) + 1])
        names += [stem, f"{stem} moving"]
    return signals, names


def _shapes(
    signals: FloatArray, spread: FloatArray, sampling_rate_hz: float, log: Logarithm
) -> Iterator[tuple[FloatArray, str]]:
    """Yield what signals of mean 0 look like in time: values (n, n_signals), and what they are."""
    length = signals.shape[2]
    steps = signals[:, :, 1:] - signals[:, :, :-1]
    np.abs(steps, out=steps)
    per_second: FloatArray = np.full(length - 1, sampling_rate_hz / (length - 1), np.float32)
    yield log(np.asarray(steps @ per_second, np.float32) + FLOOR), "log jerk"
    yield log(signals.max(axis=2) + FLOOR), "log peak"
    yield log(FLOOR - signals.min(axis=2)), "log trough"
    yield np.asarray(signals @ ramp(length) / length / spread, np.float32), "trend"
    square = spread**2
    for lag in lags(length, sampling_rate_hz):
        product = np.einsum("ijk,ijk->ij", signals[:, :, lag:], signals[:, :, :-lag]) / (length - lag)
        yield product / square, f"autocorrelation {lag / sampling_rate_hz:.2f} s"


def lags(length: int, sampling_rate_hz: float) -> list[int]:
    """Return the lags of the autocorrelations, in samples."""
    return sorted({round(lag_s * sampling_rate_hz) for lag_s in LAGS_S} & set(range(1, length // 2)))


@lru_cache(maxsize=64)
def ramp(length: int) -> FloatArray:
    """Return what a trend is measured with."""
    return np.linspace(-1, 1, length, dtype=np.float32)


def _powers(
    signals: FloatArray, sampling_rate_hz: float, n_bands: int, relative: bool, log: Logarithm
) -> tuple[FloatArray, tuple[str, ...]]:
    """Return the power of signals of mean 0 in each band, and what each n_signals of its columns are.

    The values are (n, n_bands · n_signals), twice as many where powers relative to the whole are among them: those of a
    band follow it.
    """
    window, band_average, bands = spectral_bands(signals.shape[2], sampling_rate_hz, n_bands)
    parts = fft.rfft(signals * window, axis=2).view(np.float32)  # real, imaginary, real, …
    np.square(parts, out=parts)
    # One product gives the mean power of every band and, last, of all: numpy is slow at reductions over short axes, and
    # at products of three dimensions.
    power = parts.reshape(-1, parts.shape[2]) @ band_average + FLOOR**2
    log_power = log(power).reshape(*signals.shape[:2], -1)  # (n, n_signals, n_bands + 1)
    of_bands = log_power[:, :, :-1].transpose(0, 2, 1)  # (n, n_bands, n_signals)
    if not relative:
        return of_bands.reshape(len(signals), -1), tuple(f"log power {band}" for band in bands)
    both = np.stack([of_bands, of_bands - log_power[:, None, :, -1]], axis=2)
    titles = tuple(f"{kind} power {band}" for band in bands for kind in ("log", "relative"))
    return both.reshape(len(signals), -1), titles


@lru_cache(maxsize=64)
def spectral_bands(
    length: int, sampling_rate_hz: float, n_bands: int
) -> tuple[FloatArray, FloatArray, tuple[str, ...]]:
    """Return a window, how much the parts of a spectrum count in each band and in all, and the names of the bands."""
    window = np.hanning(length + 2)[1:-1].astype(np.float32)
    edges = band_edges(length, sampling_rate_hz, n_bands)
    bands = [*pairwise(edges), (1, edges[-1])]
    average = np.zeros((2 * (length // 2 + 1), len(bands)), np.float32)
    for column, (low, high) in enumerate(bands):
        average[2 * low : 2 * high, column] = 1 / (high - low)
    names = (
        f"{(low - 0.5) * sampling_rate_hz / length:.1f}–{(high - 0.5) * sampling_rate_hz / length:.1f} Hz"
        for low, high in bands[:-1]
    )
    return window / np.sqrt(np.square(window).sum()), average, tuple(names)


def per_chunk(windows: WindowSet, function: Callable[[WindowSet], T]) -> list[T]:
    """Return what the function makes of each chunk of windows, computed on all cores.

    Every core gets as many chunks as the others, of one size.
    """
    n = len(windows)
    n_chunks = CORES * max(1, ceil(n / (CHUNK * CORES)))
    size = max(ceil(n / n_chunks), FEWEST)
    chunks = [windows.take(slice(start, start + size)) for start in range(0, n, size)]
    return on_every_core(function, chunks)


def window_features(
    windows: WindowSet, n_bands: int = WHOLE_BANDS, relative: bool = True, logarithms: bool = True
) -> tuple[FloatArray, list[str]]:
    """Describe whole windows: ``(n_windows, n_features)`` and the names."""
    return describe(windows.X, windows.channels, windows.sampling_rate_hz, n_bands, relative, logarithms)


def frame_samples(
    n_timesteps: int, sampling_rate_hz: float, frame_length_s: float, frame_step_s: float
) -> tuple[int, int]:
    """Return how long a frame is, and how far the next one is from it, in samples."""
    length = min(n_timesteps, max(4, round(frame_length_s * sampling_rate_hz)))
    return length, max(1, round(frame_step_s * sampling_rate_hz))


def frame_features(
    windows: WindowSet,
    frame_length_s: float = 1.0,
    frame_step_s: float = 0.25,
    n_bands: int = FRAME_BANDS,
    logarithms: bool = True,
) -> tuple[FloatArray, list[str]]:
    """Describe overlapping frames of each window: ``(n_windows, n_frames, n_features)`` and the names."""
    n, n_timesteps, n_channels = windows.X.shape
    length, step = frame_samples(n_timesteps, windows.sampling_rate_hz, frame_length_s, frame_step_s)
    signals = np.ascontiguousarray(windows.X.transpose(0, 2, 1))
    frames = sliding_window_view(signals, length, axis=2)[:, :, ::step]  # (n, n_channels, frames, length)
    values, names = describe(
        frames.transpose(0, 2, 1, 3).reshape(-1, n_channels, length).transpose(0, 2, 1),
        windows.channels,
        windows.sampling_rate_hz,
        n_bands,
        logarithms=logarithms,
    )
    return values.reshape(n, -1, values.shape[1]), names
