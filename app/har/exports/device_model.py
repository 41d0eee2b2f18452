"""What a device computes of a window, as plain arrays in the order in which it reads them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np

from app.har.classifiers.base import Recogniser
from app.har.classifiers.elm_gru_am.classifier import ActivityClassifier
from app.har.classifiers.elm_gru_am.convolutions import TAPS
from app.har.classifiers.elm_gru_am.description import Description
from app.har.classifiers.elm_gru_am.features import (
    FRAME_BANDS,
    WHOLE_BANDS,
    band_edges,
    frame_samples,
    lags,
    ramp,
    sensor_columns,
    spectral_bands,
)
from app.har.classifiers.elm_gru_am.networks import STRIDE
from app.har.classifiers.elm_gru_am.sensor_layout import SensorLayout
from app.har.errors import UnusableRecording
from app.har.exports.formats import WHY_NOT
from app.har.types import FloatArray, IntArray
from app.har.windows import WindowSet


def exportable(model: Recogniser) -> ActivityClassifier:
    """Return the model if a device can be given it.

    Raises
    ------
    UnusableRecording : it is of another kind, or lacks a part, as models of an ablation do.
    """
    if not isinstance(model, ActivityClassifier):
        raise UnusableRecording(WHY_NOT.format(kind=model.name))
    if model.config.without:
        raise UnusableRecording(f"A model without {', '.join(model.config.without)} can't be exported: train it whole.")
    return model


def windows_like(model: ActivityClassifier, X: FloatArray) -> WindowSet:
    """Return windows (n, n_timesteps, n_channels) of nobody, without labels, as the model takes them."""
    n = len(X)
    nobody = np.full(n, "")
    format_ = model.format_
    return WindowSet(
        X, np.full(n, -1), format_.activities, nobody, nobody, np.zeros(n), format_.channels, format_.sampling_rate_hz,
        format_.gravity,
    )  # fmt: skip


@dataclass(frozen=True)
class Stretch:
    """How a stretch of signal is described: a whole window, or a frame of it."""

    length: int
    n_bands: int  # at most
    relative: bool  # whether powers relative to the whole are among the features
    sampling_rate_hz: float

    @property
    def edges(self) -> tuple[int, ...]:
        """Return the bins of the spectrum that bound the bands."""
        return band_edges(self.length, self.sampling_rate_hz, self.n_bands)

    @property
    def taper(self) -> FloatArray:
        """Return what a signal is multiplied with before its spectrum is taken."""
        return spectral_bands(self.length, self.sampling_rate_hz, self.n_bands)[0]

    @property
    def lags(self) -> list[int]:
        return lags(self.length, self.sampling_rate_hz)

    @property
    def ramp(self) -> FloatArray:
        return ramp(self.length)

    @property
    def factors(self) -> list[int]:
        """Return the prime factors of the length, the largest first."""
        found, rest, factor = [], self.length, 2
        while rest > 1:
            while rest % factor == 0:
                found.append(factor)
                rest //= factor
            factor += 1
        return found[::-1]


@dataclass(frozen=True)
class Kernels:
    """Random convolutions of one device."""

    channels: IntArray  # of the window
    counts: list[int]  # of the kernels of each dilation: 1, 2, 4 …
    weights: FloatArray  # (n_kernels, n_channels, taps), 0 throughout where a channel is not heard
    biases: FloatArray  # (n_kernels,)

    @property
    def heard(self) -> list[list[int]]:
        """Return the channels that each kernel reads, by their number on the device."""
        return [np.flatnonzero(kernel.any(axis=1)).tolist() for kernel in self.weights]


@dataclass(frozen=True)
class DeviceModel:
    """A fitted model, arranged for a device."""

    model: ActivityClassifier

    @property
    def layout(self) -> SensorLayout:
        return self.model.layout

    @property
    def frame(self) -> Stretch:
        """Return how frames are described."""
        rate = self.model.sampling_rate_hz
        return Stretch(self._frame_samples[0], FRAME_BANDS, True, rate)

    @property
    def whole(self) -> Stretch:
        """Return how whole windows are described."""
        return Stretch(self.model.n_timesteps, WHOLE_BANDS, False, self.model.sampling_rate_hz)

    @property
    def _frame_samples(self) -> tuple[int, int]:
        model = self.model
        return frame_samples(model.n_timesteps, model.sampling_rate_hz, *model.describer_.frames_s)

    @property
    def frame_step(self) -> int:
        """Return how far frames are apart, in samples."""
        return self._frame_samples[1]

    @property
    def n_raw_steps(self) -> int:
        """Return the steps of the averaged signal."""
        return self.model.describer_.n_raw_steps * STRIDE

    @property
    def n_signals(self) -> int:
        """Return how many signals are described: the channels, and two magnitudes of each sensor with axes."""
        return len(self.model.channels) + 2 * sum(len(members) > 1 for members in self.layout.by_sensor.values())

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """Return the channels of one sensor, two by two."""
        return [pair for members in self.layout.by_sensor.values() for pair in combinations(members, 2)]

    def n_features(self, stretch: Stretch) -> int:
        """Return how many features a stretch has."""
        of_signals = 6 + len(stretch.lags) + (2 if stretch.relative else 1) * (len(stretch.edges) - 1)
        return of_signals * self.n_signals + len(self.pairs)

    @cached_property
    def described(self) -> Description:
        """Return what is said of a silent window: which features there are, and in which order."""
        shape = (1, self.model.n_timesteps, len(self.model.channels))
        return self.model.describer_(windows_like(self.model, np.zeros(shape, np.float32)))

    @property
    def absolute(self) -> IntArray:
        """Return the features of frames whose means describe the whole window, too."""
        return np.flatnonzero(["relative" not in name for name in self.described.names])

    @property
    def selected(self) -> list[IntArray]:
        """Return the positions, among the selected features, of those of each sensor."""
        names = tuple(self.described.names[i] for i in self.model.selected_.tolist())
        return list(sensor_columns(names, self.layout.sensors).values())

    @cached_property
    def kernels(self) -> list[Kernels]:
        """Return the random convolutions of each device."""
        found = []
        for convolutions, channels in zip(self.model.describer_.convolutions, self.layout.devices, strict=True):
            by_dilation = convolutions.scaled(self.n_raw_steps, len(channels))
            taps = min(TAPS, self.n_raw_steps)
            weights = [w.reshape(taps, len(channels), -1).transpose(2, 1, 0) for _, w, _ in by_dilation]
            biases = np.concatenate([b for _, _, b in by_dilation])
            found.append(Kernels(channels, [len(w) for w in weights], np.concatenate(weights), biases))
        return found

    @property
    def hidden_layer(self) -> list[tuple[FloatArray, FloatArray]]:
        """Return the random weights and biases of the head, of each sensor."""
        return self.model.elm_.hidden_layer(sum(map(len, self.model.window_columns_)))

    def outputs(self) -> Iterator[tuple[tuple[bool, ...], list[FloatArray | None]]]:
        """Yield each combination of blocks, with the output weights of each block, None of those it lacks."""
        elm = self.model.elm_
        for present, beta in elm.betas.items():
            sizes = [size for size, is_in in zip(elm.sizes, present, strict=True) if is_in]
            parts = iter(np.split(beta, np.cumsum(sizes)[:-1]))
            yield present, [next(parts) if is_in else None for is_in in present]
