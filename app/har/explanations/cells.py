"""A window as cells, moments × sensors × bands of frequency, each of which can be made neutral."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from app.har.classifiers.elm_gru_am.classifier import ActivityClassifier
from app.har.classifiers.elm_gru_am.features import WHOLE_BANDS, band_edges, channels_by_sensor, window_features
from app.har.explanations.bare import bare_windows
from app.har.types import FloatArray, IntArray

EDGES_HZ = (0.8, 3.5)  # posture and sway lie below, steps and swinging arms between, impacts above
BANDS = ("slow", "at the pace of steps", "fast")
MOMENT_S, MOST_MOMENTS, MOST_CELLS = 0.5, 6, 18  # each cell costs recognitions
TAPER_S = 0.1  # from a cell to the next, or the edge itself would be a movement
SEED = 0


@dataclass(frozen=True)
class Cell:
    """A part of a window: what one sensor says in one band, for a moment."""

    sensor: str
    band: str
    start_s: float  # within the window
    end_s: float


@dataclass(frozen=True)
class Cells:
    """How the windows of a model are cut, and what stands in for a cell that is taken away."""

    channels: tuple[str, ...]
    sampling_rate_hz: float
    neutral: FloatArray  # (n_timesteps, n_channels)
    n_moments: int

    @classmethod
    def of(cls, model: ActivityClassifier, n_moments: int | None = None) -> Cells:
        """Cut the windows of a model; by default so finely that they are `MOST_CELLS` at most."""
        if n_moments is None:
            fitting = min(MOST_MOMENTS, round(model.window_length_s / MOMENT_S))
            n_moments = max(2, min(fitting, MOST_CELLS // (len(BANDS) * len(model.sensors))))
        return cls(model.channels, model.sampling_rate_hz, average_movement(model), n_moments)

    def __len__(self) -> int:
        return len(self.sensors) * len(BANDS) * self.n_moments

    @cached_property
    def sensors(self) -> dict[str, list[int]]:
        """Return the channels of each sensor."""
        return channels_by_sensor(self.channels)

    @cached_property
    def list(self) -> list[Cell]:
        """Return all cells in their order: by sensor, in it by band, in it by moment."""
        length_s = len(self.neutral) / self.sampling_rate_hz / self.n_moments
        return [
            Cell(sensor, band, round(moment * length_s, 4), round((moment + 1) * length_s, 4))
            for sensor in self.sensors
            for band in BANDS
            for moment in range(self.n_moments)
        ]

    @cached_property
    def moments(self) -> FloatArray:
        """Return how much of a sample is in each moment: (n_moments, n_timesteps), columns sum to 1."""
        time_s = np.arange(len(self.neutral)) / self.sampling_rate_hz
        inner = np.arange(1, self.n_moments) * len(self.neutral) / self.sampling_rate_hz / self.n_moments
        passed = np.clip((time_s - inner[:, None]) / TAPER_S + 0.5, 0, 1)
        begun = np.concatenate([np.ones((1, len(time_s))), passed, np.zeros((1, len(time_s)))])
        return np.asarray(begun[:-1] - begun[1:], np.float32)

    def cut(self, X: FloatArray) -> CutWindows:
        """Cut windows (n, n_timesteps, n_channels)."""
        return CutWindows(self, in_bands(X, self.sampling_rate_hz), self.neutral_bands)

    @cached_property
    def neutral_bands(self) -> FloatArray:
        """Return what stands in for cells, in bands: (1, n_bands, n_timesteps, n_channels)."""
        return in_bands(self.neutral[None], self.sampling_rate_hz)


@dataclass(frozen=True)
class CutWindows:
    """Windows from which any cells can be taken."""

    cells: Cells
    own: FloatArray  # (n, n_bands, n_timesteps, n_channels)
    neutral: FloatArray  # (1, n_bands, n_timesteps, n_channels)

    def take(self, rows: IntArray) -> CutWindows:
        """Return some of them."""
        return CutWindows(self.cells, self.own[rows], self.neutral)

    def with_cells(self, rows: IntArray, kept: NDArray[np.bool_]) -> FloatArray:
        """Return windows in which all cells but those kept are neutral: (q, n_timesteps, n_channels).

        Parameters
        ----------
        rows : (q,), of which window.
        kept : (q, n_cells)
        """
        cells = self.cells
        kept = kept.reshape(len(rows), len(cells.sensors), len(BANDS), cells.n_moments)
        share = kept.astype(np.float32) @ cells.moments  # (q, n_sensors, n_bands, n_timesteps)
        X: FloatArray = np.empty((len(rows), *self.own.shape[2:]), np.float32)
        for number, channels in enumerate(cells.sensors.values()):
            own, neutral = self.own[..., channels][rows], self.neutral[..., channels]
            X[:, :, channels] = (neutral + share[:, number, :, :, None] * (own - neutral)).sum(axis=1)
        return X

    def without_each(self) -> FloatArray:
        """Return each window whole, then without each of its cells: (n · (n_cells + 1), n_timesteps, n_channels)."""
        cells, n = self.cells, len(self.own)
        X = np.repeat(self.own.sum(axis=1)[:, None], len(cells) + 1, axis=1)
        more = self.own - self.neutral
        for number, channels in enumerate(cells.sensors.values()):
            taken = cells.moments[:, :, None] * more[:, :, None, :, channels]  # (n, n_bands, n_moments, n_timesteps, …)
            first = 1 + number * len(BANDS) * cells.n_moments
            own = X[:, first : first + len(BANDS) * cells.n_moments]
            own[..., channels] -= taken.reshape(n, -1, *taken.shape[3:])
        return X.reshape(-1, *X.shape[2:])


def in_bands(X: FloatArray, sampling_rate_hz: float) -> FloatArray:
    """Return windows as a sum of bands, the mean in the slowest: (n, n_bands, n_timesteps, n_channels)."""
    n_timesteps = X.shape[1]
    spectrum = fft.rfft(X, axis=1)
    band = np.searchsorted(EDGES_HZ, fft.rfftfreq(n_timesteps, 1 / sampling_rate_hz), side="right")
    parts = [fft.irfft(spectrum * (band == i)[:, None], n_timesteps, axis=1) for i in range(len(BANDS))]
    return np.asarray(np.stack(parts, axis=1), np.float32)


def average_movement(model: ActivityClassifier) -> FloatArray:
    """Return what is neither rest nor running: noise as strong in every band as training windows are on average.

    It is made of what the model knows anyway, the means that it scales features by: no window of a person is kept for
    it. A window's own mean, or silence, would be no neutral ground: it is what lying still looks like.

    Returns
    -------
    FloatArray : (n_timesteps, n_channels)
    """
    n, rate_hz = model.n_timesteps, model.sampling_rate_hz
    silence = np.zeros((1, n, len(model.channels)), np.float32)
    _, names = window_features(bare_windows(model, silence), relative=False)
    mean = dict(zip(names, model.window_scaler_.mean.astype(np.float64), strict=False))
    random = np.random.RandomState(SEED)
    X: FloatArray = np.empty((n, len(model.channels)), np.float32)
    bands = list(pairwise(band_edges(n, rate_hz, WHOLE_BANDS)))
    for column, channel in enumerate(model.channels):
        of_channel = [value for name, value in mean.items() if name.startswith(f"{channel} log power ")]
        spectrum = np.zeros(n // 2 + 1, np.complex128)
        for (low, high), log_power in zip(bands, of_channel, strict=True):
            angle = random.uniform(0, 2 * np.pi, high - low)
            spectrum[low:high] = np.sqrt(2 * n * np.exp(log_power)) * np.exp(1j * angle)
        X[:, column] = fft.irfft(spectrum, n) + mean[f"{channel} mean"]
    return X
