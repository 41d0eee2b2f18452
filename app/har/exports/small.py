"""A small model for microcontrollers, taught by a large one: two layers on the features of whole windows."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from app.har.classifiers.elm_gru_am.augmentation import device_copies
from app.har.classifiers.elm_gru_am.familiarity import FAR, MARGIN, PEOPLE, QUANTILE
from app.har.classifiers.elm_gru_am.features import per_chunk, window_features
from app.har.classifiers.elm_gru_am.scaling import CLIP, Scaler
from app.har.exports.c_text import scales_of
from app.har.exports.check import without_sensors
from app.har.exports.device_model import DeviceModel
from app.har.exports.types import Answers
from app.har.types import FloatArray, IntArray
from app.har.windows import WindowSet

MOST_FLASH = 64 * 1024  # bytes, of code and tables
MOST_UNITS, FIRST_LAYER = 64, 36 * 1024  # units, and bytes that their weights may take
EPOCHS, BATCH, LEARNING_RATE, DECAY = 40, 256, 3e-3, 0.1


@dataclass(frozen=True)
class Small:
    """A small model, its weights rounded to 8 bits as they are stored.

    Instead of a Mahalanobis distance, whose matrices would not fit, what is familiar is the root mean square of a
    sensor's scaled features.
    """

    columns: list[IntArray]  # of each sensor, among the features of whole windows
    scaler: Scaler  # of the features of whole windows
    limits: FloatArray  # (n_sensors,)
    hidden: list[FloatArray]  # of each sensor, (n_features, n_units)
    hidden_bias: FloatArray
    output: FloatArray  # (n_units, n_activities)
    output_bias: FloatArray

    def __call__(self, device: DeviceModel, windows: WindowSet) -> Answers:
        """Return what it answers."""
        scaled = _scaled(device, windows, self.scaler)
        inputs, unfamiliar = _inputs(scaled, device.layout.missing(windows.X), self.columns, self.limits)
        hidden = np.maximum(inputs @ np.concatenate(self.hidden) + self.hidden_bias, 0)
        return Answers(_softmax(hidden @ self.output + self.output_bias), unfamiliar)


def teach(device: DeviceModel, windows: WindowSet, seed: int = 0) -> Small:
    """Return a small model that learnt what a large one answers of these windows.

    Parameters
    ----------
    windows : those that the large one learnt from. As slower and turned devices would have recorded them, and with
        sensors missing, the large one is asked about them as well.

    References
    ----------
    Hinton, Vinyals, Dean (2015), Distilling the knowledge in a neural network, arXiv:1503.02531.
    """
    model = device.model
    n_features = device.n_features(device.whole)
    columns = [own[own < n_features] for own in model.window_columns_[: len(device.layout.sensors)]]
    scaler = Scaler(model.window_scaler_.mean[:n_features], model.window_scaler_.deviation[:n_features])
    limits = _limits(_scaled(device, windows, scaler), windows.subjects, columns)
    _, copies = device_copies(
        windows, model.config.low_rate_augmentation, seed, rotation_augmentation=model.config.rotation_augmentation
    )
    inputs, answers = [], []
    for part in (windows, copies, replace(windows, X=without_sensors(model, windows.X))):
        if len(part):
            missing = device.layout.missing(part.X)
            inputs.append(_inputs(_scaled(device, part, scaler), missing, columns, limits)[0])
            answers.append(model.recognise(part).probabilities)
    n_units = max(1, min(MOST_UNITS, FIRST_LAYER // sum(map(len, columns))))
    hidden, hidden_bias, output, output_bias = _fit(np.concatenate(inputs), np.concatenate(answers), n_units, seed)
    of_sensors = np.split(hidden, np.cumsum([len(own) for own in columns])[:-1])
    return Small(columns, scaler, limits, list(map(_rounded, of_sensors)), hidden_bias, _rounded(output), output_bias)


def _scaled(device: DeviceModel, windows: WindowSet, scaler: Scaler) -> FloatArray:
    """Return the features of whole windows, scaled, unclipped; a sensor that is missing is silent."""
    X = device.layout.silenced(windows.X, device.layout.missing(windows.X))
    features = per_chunk(replace(windows, X=X), lambda part: window_features(part, relative=False)[0])
    return scaler(np.concatenate(features), np.inf)


def _unusual(scaled: FloatArray, columns: list[IntArray]) -> FloatArray:
    """Return the root mean square of each sensor's features, (n, n_sensors)."""
    far = np.clip(scaled, -FAR, FAR)
    return np.stack([np.sqrt((far[:, own] ** 2).mean(axis=1)) for own in columns], axis=1)


def _limits(scaled: FloatArray, people: NDArray[np.str_], columns: list[IntArray]) -> FloatArray:
    """Return how unusual each sensor may be: what most windows of nearly all people keep within, and a margin."""
    unusual = _unusual(scaled, columns)
    reach = [np.quantile(unusual[people == one], QUANTILE, axis=0) for one in np.unique(people)]
    return np.asarray(MARGIN * np.quantile(reach, PEOPLE, axis=0), np.float32)


def _inputs(
    scaled: FloatArray, missing: NDArray[np.bool_], columns: list[IntArray], limits: FloatArray
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Return what the layers read, 0 for a sensor that is missing or novel, and where nothing is familiar: (n,)."""
    present: NDArray[np.bool_] = (_unusual(scaled, columns) <= limits) & ~missing
    unfamiliar = np.asarray(~present.any(axis=1))
    present |= unfamiliar[:, None] & ~missing  # where all are novel, all that there are count
    parts = [
        np.where(there[:, None], np.clip(scaled[:, own], -CLIP, CLIP), 0)
        for own, there in zip(columns, present.T, strict=True)
    ]
    return np.concatenate(parts, axis=1).astype(np.float32), unfamiliar


def _fit(inputs: FloatArray, answers: FloatArray, n_units: int, seed: int) -> list[FloatArray]:
    """Return weights and biases of two layers, by Adam with decoupled decay whose rate falls along a cosine.

    References
    ----------
    Loshchilov, Hutter (2019), Decoupled weight decay regularization, ICLR.
    """
    random, n = np.random.default_rng(seed), len(inputs)
    shapes = (inputs.shape[1], n_units), (n_units,), (n_units, answers.shape[1]), (answers.shape[1],)
    spread = (0.5 / inputs.shape[1]) ** 0.5, 0.0, (1 / n_units) ** 0.5, 0.0
    parameters = [
        (size * random.standard_normal(shape)).astype(np.float32) for size, shape in zip(spread, shapes, strict=True)
    ]
    first, second = ([np.zeros_like(p) for p in parameters] for _ in range(2))  # moments of the gradients
    batches = [slice(start, start + BATCH) for start in range(0, n, BATCH)]
    for step in range(1, EPOCHS * len(batches) + 1):
        if (number := (step - 1) % len(batches)) == 0:
            order = random.permutation(n)
        rows = order[batches[number]]
        gradients = _gradients(parameters, inputs[rows], answers[rows])
        rate = LEARNING_RATE * (1 + np.cos(np.pi * step / (EPOCHS * len(batches)))) / 2
        for p, gradient, m, v in zip(parameters, gradients, first, second, strict=True):
            m += 0.1 * (gradient - m)
            v += 0.001 * (gradient**2 - v)
            p -= rate * DECAY * p if p.ndim == 2 else 0
            p -= rate * (m / (1 - 0.9**step)) / (np.sqrt(v / (1 - 0.999**step)) + 1e-8)
    return parameters


def _gradients(parameters: list[FloatArray], inputs: FloatArray, answers: FloatArray) -> list[FloatArray]:
    """Return the gradients of the cross-entropy between answers and those of the layers."""
    hidden_weights, hidden_bias, output, output_bias = parameters
    hidden = np.maximum(inputs @ hidden_weights + hidden_bias, 0)
    off = (_softmax(hidden @ output + output_bias) - answers) / len(inputs)
    back = (off @ output.T) * (hidden > 0)
    return [inputs.T @ back, back.sum(axis=0), hidden.T @ off, off.sum(axis=0)]


def _softmax(x: FloatArray) -> FloatArray:
    grown = np.exp(x - x.max(axis=1, keepdims=True))
    return np.asarray(grown / grown.sum(axis=1, keepdims=True), np.float32)


def _rounded(weights: FloatArray) -> FloatArray:
    scale = scales_of(weights, axis=0)
    return np.asarray(np.rint(weights / scale) * scale, np.float32)
