"""The trained network of ELM-GRU-AM in NumPy: Keras is needed to train it, not to use it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from app.har.types import FloatArray

ROWS = 256  # windows answered at once: what they take stays in the processor's cache
ABSENT = np.float32(1e4)  # taken off the score of a sensor that is not present


@dataclass(frozen=True)
class PlainNetwork:
    """What `networks.gru_attention` builds, trained, without the parts that only training needs.

    Parameters
    ----------
    sensors : in the order of the network's inputs.
    arrays : float32, by name; see `network_weights`, which makes them. Of a part that the network lacks there are none.
    """

    sensors: tuple[str, ...]
    arrays: Mapping[str, FloatArray]

    def __call__(self, inputs: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
        """Return every output of the network for any number of windows; inputs and outputs are those of Keras."""
        n = len(inputs["present"])
        parts = [
            self._answer({name: x[start : start + ROWS] for name, x in inputs.items()})
            for start in range(0, max(n, 1), ROWS)
        ]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _answer(self, inputs: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
        arrays = self.arrays
        encoded = [self._encoded(number, sensor, inputs) for number, sensor in enumerate(self.sensors)]
        scores = [self._score(x, f"{number} ") for number, x in enumerate(encoded)]  # (n, n_frames) each
        silence = ABSENT * inputs["present"] - ABSENT  # (n, n_sensors): 0, or -10⁴ if absent
        weight = _softmax(np.stack(scores, axis=2) + arrays["score bias"] + silence[:, None])
        steps: FloatArray = weight[:, :, :1] * encoded[0]
        for number, x in enumerate(encoded[1:], start=1):
            steps += weight[:, :, number : number + 1] * x
        if "gru input" in arrays:
            steps = self._gru(steps)
        attention = _softmax(self._score(steps, ""))  # (n, n_frames)
        average: FloatArray = (attention[:, :, None] * steps).sum(axis=1)
        embedding = _relu(np.asarray(average @ arrays["embedding"] + arrays["embedding bias"], np.float32))
        return {
            "activity": _softmax(embedding @ arrays["activity"] + arrays["activity bias"]),
            "attention": attention,
            "sensor_attention": (attention[:, :, None] * weight).sum(axis=1),
            "embedding": embedding,
        }

    def _encoded(self, number: int, sensor: str, inputs: Mapping[str, FloatArray]) -> FloatArray:
        """Return the frames of a sensor, encoded: (n, n_frames, width)."""
        arrays, prefix = self.arrays, f"{number} "
        x = _product(inputs[f"{sensor} frames"], arrays[f"{prefix}frames"])
        if f"{prefix}first" in arrays:
            shape = inputs[f"{sensor} raw"]
            for part in ("first", "second"):
                shape = _convolved(shape, arrays[prefix + part], arrays[f"{prefix}{part} shift"])
            x += _product(arrays[f"{prefix}pooling"] @ shape, arrays[f"{prefix}shape"])
        x += arrays[f"{prefix}bias"]
        return _relu(x)

    def _score(self, x: FloatArray, prefix: str) -> FloatArray:
        """Return what an attention makes of each frame, (n, n_frames)."""
        hidden = _product(x, self.arrays[f"{prefix}hidden"])
        hidden += self.arrays[f"{prefix}hidden bias"]
        return _product(np.tanh(hidden, out=hidden), self.arrays[f"{prefix}score"])[:, :, 0]

    def _gru(self, steps: FloatArray) -> FloatArray:
        """Return the states of the GRU, forwards and backwards, after each frame: (n, n_frames, 2 units).

        The reset gate is applied after the recurrent product, as Keras does (and cuDNN).
        """
        recurrent, bias = self.arrays["gru recurrent"], self.arrays["gru recurrent bias"]
        (n, n_frames, _), units = steps.shape, recurrent.shape[2]
        read = _product(steps, self.arrays["gru input"])
        read += self.arrays["gru input bias"]
        of_gates = read.reshape(n, n_frames, 3, 2, units).transpose(1, 2, 3, 0, 4)
        in_order: FloatArray = np.empty((n_frames, 3, 2, n, units), np.float32)  # in which each direction reads them
        in_order[:, :, 0], in_order[:, :, 1] = of_gates[:, :, 0], of_gates[::-1, :, 1]
        states: FloatArray = np.empty((n_frames, 2, n, units), np.float32)
        state: FloatArray = np.zeros((2, n, units), np.float32)
        for now, after in zip(in_order, states, strict=True):
            kept = state @ recurrent
            kept += bias
            gates = now[:2]
            gates += kept[:2]
            update, reset = _sigmoid(gates)
            candidate = kept[2]
            candidate *= reset
            candidate += now[2]
            np.tanh(candidate, out=candidate)
            np.subtract(state, candidate, out=after)
            after *= update
            after += candidate
            state = after
        both: FloatArray = np.empty((n, n_frames, 2, units), np.float32)
        both[:, :, 0], both[:, :, 1] = states[:, 0].transpose(1, 0, 2), states[::-1, 1].transpose(1, 0, 2)
        return both.reshape(n, n_frames, 2 * units)


def _product(x: FloatArray, weights: FloatArray) -> FloatArray:
    """Return x (n, m, k) @ weights (k, l) as one product; numpy would make n small ones of it."""
    n, m, k = x.shape
    product: FloatArray = x.reshape(n * m, k) @ weights
    return product.reshape(n, m, -1)


def _convolved(x: FloatArray, kernel: FloatArray, shift: FloatArray) -> FloatArray:
    """Convolve (n, steps, channels) in strides of 2, padded as Keras pads for "same"; rectified."""
    n, n_steps, n_channels = x.shape
    taps, n_out = len(kernel) // n_channels, (n_steps + 1) // 2
    padding = max(2 * (n_out - 1) + taps - n_steps, 0)
    padded = np.zeros((n, n_steps + padding, n_channels), np.float32)
    padded[:, padding // 2 : padding // 2 + n_steps] = x
    per_window, per_step, per_value = padded.strides
    strides = per_window, 2 * per_step, per_value
    read: FloatArray = np.ndarray((n, n_out, len(kernel)), np.float32, padded, strides=strides)
    convolved = _product(read, kernel)
    convolved += shift
    return _relu(convolved)


def _relu(x: FloatArray) -> FloatArray:
    return np.maximum(x, 0, out=x)


def _sigmoid(x: FloatArray) -> FloatArray:
    """Return 1 / (1 + e⁻ˣ), by way of tanh: e⁻ˣ may be too large for a number."""
    x *= np.float32(0.5)
    np.tanh(x, out=x)
    x += 1
    x *= np.float32(0.5)
    return x


def _softmax(x: FloatArray) -> FloatArray:
    x = np.exp(x - x.max(axis=-1, keepdims=True))
    x /= x.sum(axis=-1, keepdims=True)
    return x
