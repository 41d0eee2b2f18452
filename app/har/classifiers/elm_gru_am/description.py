"""What the model reads of windows: features of frames, features of the whole window, and the raw signal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from app.har.classifiers.elm_gru_am.config import ModelConfig
from app.har.classifiers.elm_gru_am.convolutions import SAMPLE, RandomConvolutions
from app.har.classifiers.elm_gru_am.features import frame_features, sensor_columns, window_features
from app.har.classifiers.elm_gru_am.networks import STRIDE
from app.har.classifiers.elm_gru_am.sensor_layout import SensorLayout
from app.har.types import FloatArray, IntArray
from app.har.windows import WindowSet

RAW_RATE_HZ = 50.0  # at least what the convolutions over the raw signal read


@dataclass(frozen=True)
class Description:
    """Features of windows."""

    frames: FloatArray  # (n, n_frames, n_features)
    whole: FloatArray  # (n, n_features)
    raw: FloatArray  # (n, n_steps, n_channels)
    names: list[str]  # of the frames' features
    columns: list[IntArray]  # of each sensor in `whole`, and then of each device's random convolutions

    @classmethod
    def joined(cls, parts: Sequence[Description]) -> Description:
        """Put what describes successive windows in one."""
        frames, whole, raw = (np.concatenate([getattr(p, name) for p in parts]) for name in ("frames", "whole", "raw"))
        return cls(frames, whole, raw, parts[0].names, parts[0].columns)


@dataclass(frozen=True)
class WindowDescriber:
    """Describes windows of one length, rate and layout."""

    config: ModelConfig
    layout: SensorLayout
    sampling_rate_hz: float
    n_timesteps: int
    convolutions: tuple[RandomConvolutions, ...] = ()  # one a device

    @property
    def window_length_s(self) -> float:
        return self.n_timesteps / self.sampling_rate_hz

    @property
    def frames_s(self) -> tuple[float, float]:
        """Return the length of a frame and the step to the next."""
        length_s = min(self.config.frame_length_s, self.window_length_s / 2)
        return length_s, min(self.config.frame_step_s, length_s / 2)

    @property
    def averaged(self) -> int:
        """Return how many samples are averaged before the network's convolutions."""
        return max(1, round(self.sampling_rate_hz / RAW_RATE_HZ))

    @property
    def n_raw_steps(self) -> int:
        """Return the steps that the network's convolutions leave of the raw signal."""
        return max(self.n_timesteps // self.averaged // STRIDE, 1)

    def with_convolutions(self, windows: WindowSet, seed: int) -> WindowDescriber:
        """Return a describer whose random convolutions have biases from some of these training windows."""
        sample = self.raw(windows.take(slice(0, SAMPLE)).X)
        n_kernels = 0 if self.config.lacks("convolutions") else self.config.elm_convolutions // len(self.layout.devices)
        drawn = (
            RandomConvolutions.of(sample[:, :, channels], n_kernels, seed + number)
            for number, channels in enumerate(self.layout.devices)
        )
        return replace(self, convolutions=tuple(drawn))

    def __call__(self, windows: WindowSet) -> Description:
        """Describe windows; a sensor that is missing is silent."""
        logarithms = not self.config.lacks("logarithms")
        X = self.layout.silenced(windows.X, self.layout.missing(windows.X))
        windows, raw = replace(windows, X=X), self.raw(X)
        frames, names = frame_features(windows, *self.frames_s, logarithms=logarithms)
        whole, whole_names = window_features(windows, relative=False, logarithms=logarithms)
        absolute, of_sensors = _of_whole(tuple(whole_names), tuple(names), self.layout.sensors)
        columns = list(of_sensors)
        shapes = [
            convolve(raw[:, :, channels])
            for convolve, channels in zip(self.convolutions, self.layout.devices, strict=True)
        ]
        for shape in shapes:
            columns.append(sum(map(len, columns)) + np.arange(shape.shape[1]))
        whole = np.concatenate([whole, frames.mean(axis=1)[:, absolute], *shapes], axis=1)
        return Description(frames, whole, raw, names, columns)

    def raw(self, X: FloatArray) -> FloatArray:
        """Return the signal at about `RAW_RATE_HZ`, cut to a multiple of the convolutions' stride."""
        average, n_steps = self.averaged, self.n_raw_steps * STRIDE
        if (length := X.shape[1]) < n_steps * average:
            X = np.pad(X, ((0, 0), (0, n_steps * average - length), (0, 0)), mode="edge")
        raw: FloatArray = sum(
            (X[:, i : n_steps * average : average] for i in range(1, average)), X[:, : n_steps * average : average]
        )
        return raw / np.float32(average)


@lru_cache(maxsize=64)
def _of_whole(
    whole_names: tuple[str, ...], frame_names: tuple[str, ...], sensors: tuple[str, ...]
) -> tuple[IntArray, tuple[IntArray, ...]]:
    """Return which features of frames describe the whole window, too, and the positions of each sensor's there."""
    absolute = [i for i, name in enumerate(frame_names) if "relative" not in name]
    names = whole_names + tuple(frame_names[i] for i in absolute)
    return np.array(absolute), tuple(sensor_columns(names, sensors).values())
