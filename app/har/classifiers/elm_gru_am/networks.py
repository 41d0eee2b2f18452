"""The network of ELM-GRU-AM."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from app.har.classifiers.keras_training import tensorflow_quietly
from app.har.types import FloatArray

if TYPE_CHECKING:
    import keras

STRIDE = 4  # of the convolutions over the raw signal together
UNROLLED = 16  # frames; a loop in the graph costs more than so few steps, and of more the graph grows too large


def frame_pooling(
    n_steps: int, window_length_s: float, n_frames: int, frame_length_s: float, frame_step_s: float
) -> FloatArray:
    """Return the weight of each step after the convolutions in each frame, (n_steps, n_frames)."""
    middle_s = (np.arange(n_steps) + 0.5) * window_length_s / n_steps
    distance = np.abs(middle_s[:, None] - np.arange(n_frames) * frame_step_s - frame_length_s / 2)
    inside = (distance <= frame_length_s / 2) | (distance == distance.min(axis=0))
    share: FloatArray = (inside / inside.sum(axis=0)).astype(np.float32)
    return share


def gru_attention(
    sensors: Mapping[str, tuple[int, int]],
    pooling: FloatArray,
    n_activities: int,
    units: int = 64,
    filters: int = 16,
    without: Collection[str] = (),
) -> keras.Model:
    """Build sensor encoders → attention over sensors → bidirectional GRU → attention over time → activity.

    Parameters
    ----------
    sensors : by name: how many features of a frame, and how many channels of the raw signal, it has.
    pooling : (n_steps, n_frames), weight of each step of the raw signal, after `STRIDE`, in each frame.
    units : of the GRU in each direction, and of the embedding; default 64.
    filters : of the first convolution over the raw signal; default 16.
    without : parts to leave out, for the ablation: "raw", "gru", "time attention", "sensor attention"; default none.

    Returns
    -------
    keras.Model : inputs ``"<sensor> frames"`` (n, n_frames, features), ``"<sensor> raw"`` (n, n_steps · STRIDE,
        channels) and ``"present"`` (n, n_sensors), 1 where a sensor is to be used. Outputs ``activity`` (n,
        n_activities), ``attention`` (n, n_frames), ``sensor_attention`` (n, n_sensors) and ``embedding`` (n, units).
    """
    keras = tensorflow_quietly()
    layers = keras.layers
    n_frames = pooling.shape[1]
    inputs: dict[str, Any] = {}
    encoded, scores = [], []
    for sensor, (n_features, n_channels) in sensors.items():
        frames = inputs[f"{sensor} frames"] = keras.Input((n_frames, n_features), name=f"{sensor} frames")
        x = layers.Dropout(0.2)(frames)
        if "raw" not in without:
            raw = keras.Input((len(pooling) * STRIDE, n_channels), name=f"{sensor} raw")
            inputs[f"{sensor} raw"] = raw
            shape = _shape_of_frames(raw, pooling, filters, f"{sensor}-pooling")  # (n, n_frames, 2 filters)
            x = layers.Concatenate()([x, layers.Dropout(0.2)(shape)])
        x = layers.Dense(2 * units, activation="relu")(x)  # (n, n_frames, 2u)
        encoded.append(layers.Dropout(0.2)(x))
        scores.append(layers.Dense(1)(layers.Dense(units // 2, activation="tanh")(x)))  # (n, n_frames, 1)
    present = inputs["present"] = keras.Input((len(sensors),), name="present")
    steps, weight = _sensor_attention(encoded, scores, present, "sensor attention" not in without)
    if "gru" not in without:
        steps = layers.Bidirectional(layers.GRU(units, return_sequences=True, unroll=n_frames <= UNROLLED))(steps)
    score = layers.Dense(1, use_bias=False)(layers.Dense(units, activation="tanh")(steps))  # (n, n_frames, 1)
    if "time attention" in without:
        score = layers.Rescaling(0.0)(score)
    attention = layers.Softmax(name="attention")(layers.Flatten()(score))  # (n, n_frames)
    x = layers.Dropout(0.3)(layers.Dot(axes=1)([attention, steps]))  # (n, 2u)
    embedding = layers.Dense(units, activation="relu", name="embedding")(x)
    x = layers.Dropout(0.3)(embedding)
    outputs = {
        "activity": layers.Dense(n_activities, activation="softmax", name="activity")(x),
        "attention": attention,
        "sensor_attention": layers.Dot(axes=1, name="sensor_attention")([attention, weight]),  # (n, n_sensors)
        "embedding": embedding,
    }
    return keras.Model(inputs, outputs)


def _shape_of_frames(raw: Any, pooling: FloatArray, filters: int, name: str) -> Any:
    """Convolve the raw signal (n, n_steps · STRIDE, n_channels), and average it over the frames that `pooling` gives.

    Returns (n, n_frames, 2 filters).
    """
    layers = tensorflow_quietly().layers
    x = raw
    for width, kernel in ((filters, 9), (2 * filters, 5)):  # (n, n_steps, 2 filters) in the end
        x = layers.Conv1D(width, kernel, strides=2, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
    pooled = layers.Dense(pooling.shape[1], use_bias=False, trainable=False, name=name)
    x = layers.Permute((2, 1))(pooled(layers.Permute((2, 1))(x)))
    pooled.set_weights([pooling])
    return x


def _sensor_attention(encoded: list[Any], scores: list[Any], present: Any, weighed: bool) -> tuple[Any, Any]:
    """Sum the sensors by the weights that their scores give; a sensor that is not present gets none.

    ``encoded`` has for each sensor (n, n_frames, width), ``scores`` (n, n_frames, 1); unless ``weighed``, sensors that
    are present weigh the same. Returns the sum (n, n_frames, width) and the weights (n, n_frames, n_sensors).
    """
    layers = tensorflow_quietly().layers
    n_sensors, (_, n_frames, width) = len(encoded), encoded[0].shape
    silence = layers.Reshape((1, n_sensors))(layers.Rescaling(1e4, offset=-1e4)(present))  # 0, or -10⁴ if absent
    score = layers.Concatenate()(scores) if n_sensors > 1 else scores[0]
    if not weighed:
        score = layers.Rescaling(0.0)(score)
    weight = layers.Softmax()(layers.Add()([score, silence]))  # (n, n_frames, n_sensors)
    stacked = layers.Concatenate(axis=2)([layers.Reshape((n_frames, 1, width))(x) for x in encoded])
    weighted = layers.Multiply()([stacked, layers.Reshape((n_frames, n_sensors, 1))(weight)])
    average = layers.Reshape((n_frames, width))(layers.AveragePooling2D((1, n_sensors))(weighted))
    return layers.Rescaling(float(n_sensors))(average), weight
