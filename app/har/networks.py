"""Keras networks, built and trained; TensorFlow is imported inside the functions because that takes seconds."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from app.har.types import FloatArray, IntArray, OnEvent

if TYPE_CHECKING:
    import keras

BATCH = 128
PREDICT_BATCH = 1024
LEARNING_RATE = 2e-3
WEIGHT_DECAY = 1e-3
LABEL_SMOOTHING = 0.05


def tensorflow_quietly() -> Any:
    """Import keras on TensorFlow without the start-up noise that its C++ parts write to stderr; return keras."""
    if "tensorflow" not in sys.modules:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        os.environ["KERAS_BACKEND"] = "tensorflow"
        stderr = os.dup(2)
        try:
            with open(os.devnull, "w") as nowhere:  # noqa: PTH123  a device
                os.dup2(nowhere.fileno(), 2)
            import tensorflow as tf

            tf.config.list_physical_devices("GPU")  # what it has to say about devices, it says now
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
    import keras

    return keras


def gru_attention(n_frames: int, n_features: int, n_activities: int, units: int = 64) -> keras.Model:
    """Build frames → bidirectional GRU → attention over time → embedding → activity.

    The model has three outputs, ``activity`` (n, n_activities), ``attention`` (n, n_frames) and ``embedding``.
    """
    keras = tensorflow_quietly()
    layers = keras.layers
    frames = keras.Input((n_frames, n_features), name="frames")
    x = layers.Dropout(0.2)(frames)
    x = layers.Dense(2 * units, activation="relu")(x)
    x = layers.Dropout(0.2)(x)
    steps = layers.Bidirectional(layers.GRU(units, return_sequences=True))(x)  # (n, frames, 2u)
    score = layers.Dense(1, use_bias=False)(layers.Dense(units, activation="tanh")(steps))  # (n, frames, 1)
    attention = layers.Softmax(name="attention")(layers.Flatten()(score))  # (n, frames)
    pooled = layers.Dot(axes=1)([attention, steps])  # (n, 2u)
    x = layers.Dropout(0.3)(pooled)
    embedding = layers.Dense(units, activation="relu", name="embedding")(x)
    x = layers.Dropout(0.3)(embedding)
    activity = layers.Dense(n_activities, activation="softmax", name="activity")(x)
    return keras.Model(frames, {"activity": activity, "attention": attention, "embedding": embedding})


def lstm(n_steps: int, n_channels: int, n_activities: int, units: int = 96) -> keras.Model:
    """Build a two-layer LSTM over the raw signal."""
    keras = tensorflow_quietly()
    layers = keras.layers
    signal = keras.Input((n_steps, n_channels))
    x = layers.LSTM(units, return_sequences=True)(signal)  # (n, steps, units)
    x = layers.Dropout(0.3)(x)
    x = layers.LSTM(units)(x)  # (n, units)
    x = layers.Dropout(0.3)(x)
    return keras.Model(signal, {"activity": layers.Dense(n_activities, activation="softmax", name="activity")(x)})


def cnn(n_steps: int, n_channels: int, n_activities: int, filters: int = 48) -> keras.Model:
    """Build three blocks of convolution over the raw signal, each halving the time, and a global average."""
    keras = tensorflow_quietly()
    layers = keras.layers
    signal = x = keras.Input((n_steps, n_channels))
    for width, kernel in ((filters, 9), (2 * filters, 5), (2 * filters, 3)):
        x = layers.Conv1D(width, kernel, strides=2, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
        x = layers.Dropout(0.2)(x)
    x = layers.GlobalAveragePooling1D()(x)  # (n, 2 filters)
    x = layers.Dropout(0.3)(x)
    return keras.Model(signal, {"activity": layers.Dense(n_activities, activation="softmax", name="activity")(x)})


def bilstm(n_steps: int, n_channels: int, n_activities: int, units: int = 64) -> keras.Model:
    """Build a two-layer LSTM over the raw signal, each layer in both directions."""
    keras = tensorflow_quietly()
    layers = keras.layers
    signal = keras.Input((n_steps, n_channels))
    x = layers.Bidirectional(layers.LSTM(units, return_sequences=True))(signal)  # (n, steps, 2 units)
    x = layers.Dropout(0.3)(x)
    x = layers.Bidirectional(layers.LSTM(units))(x)  # (n, 2 units)
    x = layers.Dropout(0.3)(x)
    return keras.Model(signal, {"activity": layers.Dense(n_activities, activation="softmax", name="activity")(x)})


def deepconvlstm(n_steps: int, n_channels: int, n_activities: int, filters: int = 64, units: int = 128) -> keras.Model:
    """Build DeepConvLSTM: four convolutions along time, the same for every channel, then two layers of LSTM."""
    keras = tensorflow_quietly()
    layers = keras.layers
    signal = keras.Input((n_steps, n_channels))
    x = layers.Reshape((n_steps, n_channels, 1))(signal)
    padding = "valid" if n_steps > 16 else "same"  # four kernels of five steps take sixteen off a window
    for _ in range(4):
        x = layers.Conv2D(filters, (5, 1), padding=padding, activation="relu")(x)  # (n, steps, channels, filters)
    x = layers.Reshape((-1, n_channels * filters))(x)
    x = layers.Dropout(0.5)(x)
    x = layers.LSTM(units, return_sequences=True)(x)  # (n, steps, units)
    x = layers.Dropout(0.5)(x)
    x = layers.Dropout(0.5)(layers.LSTM(units)(x))  # (n, units)
    return keras.Model(signal, {"activity": layers.Dense(n_activities, activation="softmax", name="activity")(x)})


def transformer(n_steps: int, n_channels: int, n_activities: int, width: int = 64, n_patches: int = 30) -> keras.Model:
    """Build overlapping patches → two encoder layers of four heads (normalised first) → average over time."""
    keras = tensorflow_quietly()
    layers = keras.layers
    signal = keras.Input((n_steps, n_channels))
    step = max(1, n_steps // n_patches)
    x = layers.Conv1D(width, 2 * step, strides=step, padding="same")(signal)  # (n, patches, width)
    time = np.arange(x.shape[1])[:, None] / 1000 ** (np.arange(0, width, 2) / width)
    x = x + np.concatenate([np.sin(time), np.cos(time)], axis=1).astype(np.float32)
    for _ in range(2):
        y = layers.LayerNormalization()(x)
        x = x + layers.MultiHeadAttention(4, width // 4, dropout=0.1)(y, y)
        y = layers.Dense(2 * width, activation="gelu")(layers.LayerNormalization()(x))
        x = x + layers.Dropout(0.2)(layers.Dense(width)(y))
    x = layers.GlobalAveragePooling1D()(layers.LayerNormalization()(x))  # (n, width)
    x = layers.Dropout(0.3)(x)
    return keras.Model(signal, {"activity": layers.Dense(n_activities, activation="softmax", name="activity")(x)})


def public_recipe(n_steps: int, n_channels: int, n_activities: int) -> keras.Model:
    """Build 100 random features, never trained → "10 steps" of 10 → GRU → attention → GRU, of a public program."""
    keras = tensorflow_quietly()
    layers = keras.layers
    signal = keras.Input((n_steps, n_channels))
    x = layers.Flatten()(signal)
    x = layers.Dense(100, activation="relu", kernel_initializer="lecun_normal", trainable=False)(x)
    x = layers.GRU(16, return_sequences=True)(layers.Reshape((10, 10))(x))  # (n, 10, 16)
    x = layers.Multiply()([x, layers.Softmax(axis=1)(layers.Dense(1)(x))])  # each step by its weight
    x = layers.Dense(32, activation="relu")(layers.GRU(8)(x))  # (n, 32)
    return keras.Model(signal, {"activity": layers.Dense(n_activities, activation="softmax", name="activity")(x)})


class Training:
    """The training of a network's ``activity`` output, in one stage or several; compiled once, which takes seconds.

    In each stage the learning rate rises in the first epoch and then falls along a cosine to nothing. Training to the
    end of that beats stopping at the lowest held-out loss: the loss rises early, when the network grows too sure of
    people it has not seen, while its accuracy on them still improves. How sure it may be is settled by calibration.

    Parameters
    ----------
    model
        With an output named ``activity``; trained in place.
    epochs
        Of all stages together, for the progress reports.
    """

    def __init__(self, model: keras.Model, epochs: int, seed: int, on_event: OnEvent) -> None:
        self._keras = tensorflow_quietly()
        self._keras.utils.set_random_seed(seed)
        self._epochs, self._done, self._on_event = epochs, 0, on_event
        self._one_hot = np.eye(model.output["activity"].shape[-1], dtype=np.float32)
        self._trained = self._keras.Model(model.input, model.output["activity"])
        self._trained.compile(
            self._keras.optimizers.AdamW(weight_decay=WEIGHT_DECAY),
            self._keras.losses.CategoricalCrossentropy(label_smoothing=LABEL_SMOOTHING),
            metrics=["accuracy"],
        )

    def run(
        self,
        X: FloatArray,
        y: IntArray,
        epochs: int,
        learning_rate: float = LEARNING_RATE,
        held_out: tuple[FloatArray, IntArray] | None = None,
    ) -> None:
        """Train one stage on inputs X (n, …) and activities y (n,).

        The loss and accuracy on ``held_out`` inputs and activities are reported; nothing is decided by them.
        """

        def rate(epoch: int, _: float) -> float:
            return learning_rate * (0.3 if epoch == 0 else 0.5 * (1 + np.cos(np.pi * epoch / epochs)))

        self._trained.fit(
            X,
            self._one_hot[y],
            batch_size=int(np.clip(len(X) // 32, 16, BATCH)),  # small data sets still get some steps an epoch
            epochs=epochs,
            verbose=0,
            validation_data=(held_out[0], self._one_hot[held_out[1]]) if held_out else None,
            validation_batch_size=PREDICT_BATCH,
            callbacks=[
                self._keras.callbacks.LearningRateScheduler(rate),
                self._keras.callbacks.LambdaCallback(on_epoch_end=self._report),
            ],
        )

    def _report(self, _: int, logs: dict[str, Any]) -> None:
        self._done += 1
        figures = {name: float(value) for name, value in logs.items() if name.endswith(("loss", "accuracy"))}
        self._on_event({"stage": "network", "epoch": self._done, "epochs": self._epochs, **figures})


def inference(model: keras.Model) -> Callable[[FloatArray], dict[str, FloatArray]]:
    """Return a compiled function from inputs (n, …) to every output of the model, for any n."""
    import tensorflow as tf

    compiled = tf.function(
        lambda inputs: model(inputs, training=False),
        input_signature=[tf.TensorSpec((None, *model.input_shape[1:]), tf.float32)],
    )

    def infer(X: FloatArray) -> dict[str, FloatArray]:
        parts = [compiled(X[start : start + PREDICT_BATCH]) for start in range(0, len(X), PREDICT_BATCH)]
        return {name: np.concatenate([part[name].numpy() for part in parts]) for name in parts[0]}

    return infer
