"""From air pressure to height and the rate of climb, second by second.

Height is that of the standard atmosphere (ISO 2533). Near the sea 0.12 hPa are a metre; warm or moist air makes a few
per cent of difference, and weather only adds a drift far below the rate of a climb (1 hPa in ten minutes, as a front
brings, is 0.014 m/s).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from app.har.signals.units import AIR_HPA
from app.har.types import FloatArray, TimeArray

Numbers = NDArray[np.float64]

SEA_LEVEL_HPA, SCALE_M, EXPONENT = 1013.25, 44_330.77, 0.190263
STEP_S = 1.0
BRIDGED_S = 3.0  # that a sensor may be silent
SPIKE = 5  # seconds, of which the middle one counts: a door or a gust is over in half of that
WIDTHS = (7, 9, 11, 13, 15)  # seconds over which a rate is taken: more, where a sensor is noisier
UPPER, UPPER_OF_NORMAL = 2 / 3, 0.967  # a quantile, and that of what is normally distributed, without its sign
BLOCK = 60  # seconds that show how noisy a sensor is
SURE_MS = 0.03  # standard error of a rate that is sure enough to tell level from a climb


@dataclass(frozen=True)
class Heights:
    """Height above the standard atmosphere's sea level, and how fast it changes, each second."""

    time_s: TimeArray  # (n,) on the recording's clock
    height_m: Numbers  # (n,) without spikes; NaN where the sensor was silent
    climb_ms: Numbers  # (n,) m/s, NaN where it is not known
    error_ms: Numbers  # standard error of a rate, by how noisy that minute and the recording are


def height_of(pressure_hpa: Numbers) -> Numbers:
    """Return the height (m) at which the standard atmosphere has some pressure."""
    return np.asarray(SCALE_M * (1 - (pressure_hpa / SEA_LEVEL_HPA) ** EXPONENT), np.float64)


def height_from_start(pressure_hpa: FloatArray) -> FloatArray:
    """Return how much higher (m) than where a recording began each pressure is; (n,)."""
    height_m = height_of(pressure_hpa.astype(np.float64))
    return np.asarray(height_m - height_m[:1], np.float32)


def heights(time_s: TimeArray, pressure_hpa: NDArray[np.floating]) -> Heights | None:
    """Return height and rate of climb, None where pressure comes too seldom to tell a flight of stairs.

    Parameters
    ----------
    time_s : (n,) in order.
    pressure_hpa : (n,) as measured.
    """
    there = (pressure_hpa > AIR_HPA[0]) & (pressure_hpa < AIR_HPA[1])
    time_s, measured = time_s[there], height_of(pressure_hpa[there].astype(np.float64))
    if len(time_s) < WIDTHS[0] or np.median(np.diff(time_s)) > BRIDGED_S or time_s[-1] - time_s[0] < WIDTHS[0]:
        return None
    at, height_m = _each_second(time_s, measured)
    noise_m = np.concatenate([np.full(len(part), _noise(part)) for part in _minutes(height_m)])
    usual = _noise(height_m)
    widths = [width for width in WIDTHS if width <= len(at)]
    width = next((width for width in widths if usual / _leverage(width) <= SURE_MS), widths[-1])
    calm = _without_spikes(height_m)
    return Heights(at, calm, _slopes(calm, width), np.maximum(noise_m, usual) / _leverage(width))


def _each_second(time_s: TimeArray, measured: Numbers) -> tuple[TimeArray, Numbers]:
    """Return the mean of each second, between two where one has none, NaN where a sensor was silent for longer."""
    second = np.floor((time_s - time_s[0]) / STEP_S).astype(np.int64)
    n = int(second[-1]) + 1
    counts = np.bincount(second, minlength=n)
    mean = np.bincount(second, measured, n) / np.maximum(counts, 1)
    places = np.flatnonzero(counts)
    filled = np.interp(np.arange(n), places, mean[places])
    after = np.searchsorted(places, np.arange(n))
    gap = places[after] - places[np.maximum(after - 1, 0)]  # between the seconds around, of one without samples
    filled[(counts == 0) & (gap * STEP_S > BRIDGED_S)] = np.nan
    return time_s[0] + (np.arange(n) + 0.5) * STEP_S, filled


def _minutes(height_m: Numbers) -> list[Numbers]:
    """Return parts of at least a minute, as far as there is one."""
    n = max(1, len(height_m) // BLOCK)
    return list(np.array_split(height_m, n))


def _noise(height_m: Numbers) -> float:
    """Return the noise of a second's height (m), by second differences: a steady climb has none.

    By the upper third, because a sensor of coarse steps repeats itself most of the time, and a lift bends the rest.
    """
    bends = np.abs(np.diff(height_m, 2))
    bends = bends[np.isfinite(bends)]
    return float(np.quantile(bends, UPPER)) / UPPER_OF_NORMAL / np.sqrt(6) if len(bends) else np.inf


def _leverage(width: int) -> float:
    """Return by what noise is divided in a slope over so many seconds."""
    return float(np.sqrt(width * (width**2 - 1) / 12))


def _without_spikes(height_m: Numbers) -> Numbers:
    padded = np.pad(height_m, SPIKE // 2, mode="edge")
    return np.asarray(np.median(sliding_window_view(padded, SPIKE), axis=1), np.float64)


def _slopes(height_m: Numbers, width: int) -> Numbers:
    """Return the slope of the line through the seconds around each (m/s); at the ends, of the first and last whole."""
    steps = np.arange(width) - (width - 1) / 2
    found = sliding_window_view(height_m, width) @ (steps / (steps**2).sum() / STEP_S)
    return np.asarray(np.pad(found, width // 2, mode="edge"), np.float64)
