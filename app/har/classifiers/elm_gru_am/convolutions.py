"""Random convolutions: hidden nodes of an extreme learning machine that see the shape of the raw signal."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from app.har.types import FloatArray

TAPS = 9
STRIDE = 2
ROWS = 64  # windows unfolded at once
SAMPLE = 200  # windows that the biases are learnt from: enough for the quantiles of a kernel's outputs


@dataclass(frozen=True)
class RandomConvolutions:
    """Fixed random dilated kernels over the channels of one device, rectified and averaged over the window.

    A window is brought to mean 0 and deviation 1 in every channel: its size is for the features to say, its shape for
    the kernels. A kernel has nine normal weights of mean 0 on each of about half of the channels, and a dilation of 1,
    2, 4 … samples. Its bias is a random quantile of its outputs on training windows.

    References
    ----------
    Huang, Bai, Kasun, Vong (2015), Local receptive fields based extreme learning machine, IEEE Computational
    Intelligence Magazine 10; the kernels are ROCKET's (Dempster, Petitjean, Webb 2020, Data Mining and Knowledge
    Discovery 34). Their share of time above the bias, as there, added nothing to the average in trials.
    """

    seed: int
    biases: FloatArray  # (n_kernels,)
    scales: FloatArray  # (n_kernels,) deviation of a kernel's outputs

    @classmethod
    def of(cls, raw: FloatArray, n_kernels: int, seed: int) -> RandomConvolutions:
        """Draw kernels, with biases learnt from training windows (n, n_steps, n_channels)."""
        random = np.random.RandomState(seed)
        sample = _standardised(raw[random.permutation(len(raw))[:SAMPLE]])
        outputs = []
        for dilation, weights in _kernels(seed, n_kernels, *raw.shape[1:]):
            outputs += list((_unfolded(sample, dilation, len(weights)).reshape(-1, len(weights)) @ weights).T)
        share = random.uniform(0.1, 0.95, n_kernels)
        biases = [np.quantile(output, q) for output, q in zip(outputs, share, strict=True)]
        return cls(seed, np.array(biases, np.float32), np.array([y.std() + 1e-6 for y in outputs], np.float32))

    def __call__(self, raw: FloatArray) -> FloatArray:
        """Describe windows (n, n_steps, n_channels): (n, n_kernels) float32, not negative."""
        if (shape := raw.shape[1:]) not in self._by_shape:
            self._by_shape[shape] = self.scaled(*shape)
        kernels = self._by_shape[shape]
        parts = []
        for start in range(0, len(raw), ROWS):
            signal = _standardised(raw[start : start + ROWS])
            parts.append(np.concatenate([_pooled(signal, *kernel) for kernel in kernels], axis=1))
        return np.concatenate(parts)

    @cached_property
    def _by_shape(self) -> dict[tuple[int, ...], list[tuple[int, FloatArray, FloatArray]]]:
        """Keep what `scaled` returned, by the steps and channels of windows."""
        return {}

    def scaled(self, n_steps: int, n_channels: int) -> list[tuple[int, FloatArray, FloatArray]]:
        """Return for each dilation its kernels and their biases, so scaled that the outputs deviate by 1."""
        kernels, first = [], 0
        for dilation, weights in _kernels(self.seed, len(self.biases), n_steps, n_channels):
            numbers = slice(first, first := first + weights.shape[1])
            scales = self.scales[numbers]
            kernels.append((dilation, weights / scales, self.biases[numbers] / scales))
        return kernels


def _standardised(raw: FloatArray) -> FloatArray:
    n_steps = np.float32(raw.shape[1])
    raw = np.ascontiguousarray(raw)
    signal: FloatArray = raw - np.einsum("ijk->ik", raw)[:, None] / n_steps  # numpy's mean and std take twice as long
    signal /= np.sqrt(np.einsum("ijk,ijk->ik", signal, signal)[:, None] / n_steps) + np.float32(1e-3)
    return signal


def _unfolded(signal: FloatArray, dilation: int, n_weights: int) -> FloatArray:
    """Return what a kernel reads at each of its steps, from contiguous signals: (n, steps, n_weights)."""
    n, n_steps, n_channels = signal.shape
    taps = n_weights // n_channels
    steps = len(range(0, n_steps - (taps - 1) * dilation, STRIDE))
    per_window, per_step, per_value = signal.strides
    strides = per_window, STRIDE * per_step, dilation * per_step, per_value
    read: FloatArray = np.ndarray((n, steps, taps, n_channels), np.float32, signal, strides=strides)
    return read.reshape(n, steps, n_weights)


def _pooled(signal: FloatArray, dilation: int, weights: FloatArray, biases: FloatArray) -> FloatArray:
    """Return the kernels' outputs, rectified and averaged over the steps: (n, kernels)."""
    unfolded = _unfolded(signal, dilation, len(weights))
    outputs = unfolded.reshape(-1, len(weights)) @ weights  # one large product is twice as fast as n small ones
    above = np.maximum(outputs, biases, out=outputs).reshape(*unfolded.shape[:2], -1)
    averages: FloatArray = np.einsum("ijk->ik", above) / np.float32(above.shape[1]) - biases
    return averages


@lru_cache(maxsize=32)
def _kernels(seed: int, n_kernels: int, n_steps: int, n_channels: int) -> list[tuple[int, FloatArray]]:
    """Return for each dilation its kernels (taps · n_channels, kernels), the same in every version (NEP 19)."""
    random = np.random.RandomState(seed)
    taps = min(TAPS, n_steps)
    n_dilations = 1 + int(np.log2(max(1, (n_steps - 1) // (taps - 1))))
    drawn: list[tuple[int, FloatArray]] = []
    for number, numbers in enumerate(np.array_split(np.arange(n_kernels), n_dilations)):
        k = len(numbers)
        weights = random.standard_normal((k, n_channels, taps))
        weights -= weights.mean(axis=2, keepdims=True)
        heard = random.uniform(size=(k, n_channels)) < 0.5
        heard[np.arange(k), random.randint(0, n_channels, k)] = True
        weights *= heard[:, :, None]
        weights /= np.sqrt((weights**2).sum(axis=(1, 2), keepdims=True))
        drawn.append((2**number, weights.transpose(2, 1, 0).reshape(taps * n_channels, k).astype(np.float32)))
    return drawn
