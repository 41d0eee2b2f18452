"""Keras networks, built and trained; TensorFlow is imported inside the functions because that takes seconds."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from app.har.types import FloatArray, IntArray, OnEvent

if TYPE_CHECKING:
    import keras

BATCH = 128
PREDICT_BATCH = 1024


def tensorflow_quietly() -> Any:
    """Import keras on TensorFlow without its banner, and return it."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["KERAS_BACKEND"] = "tensorflow"
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
    steps = layers.Bidirectional(layers.GRU(units, return_sequences=True, unroll=n_frames <= 32))(x)  # (n, frames, 2u)
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


@dataclass(frozen=True)
class Schedule:
    """How a network is trained."""

    epochs: int = 40
    patience: int = 12  # epochs without a lower held-out loss before training ends
    learning_rate: float = 2e-3
    weight_decay: float = 1e-3
    label_smoothing: float = 0.05


def train(
    model: keras.Model,
    fitted: tuple[FloatArray, IntArray],
    held_out: tuple[FloatArray, IntArray],
    schedule: Schedule,
    seed: int,
    on_event: OnEvent,
) -> None:
    """Train the ``activity`` output and leave the weights of the epoch with the lowest held-out loss."""
    keras = tensorflow_quietly()
    keras.utils.set_random_seed(seed)
    X, y = fitted
    n_activities = model.output["activity"].shape[-1]
    batch = int(np.clip(len(X) // 32, 16, BATCH))  # small data sets still get some steps an epoch
    steps = schedule.epochs * -(-len(X) // batch)
    rate = keras.optimizers.schedules.CosineDecay(
        schedule.learning_rate / 20, steps, alpha=0.01, warmup_target=schedule.learning_rate, warmup_steps=steps // 10
    )
    trained = keras.Model(model.input, model.output["activity"])
    trained.compile(
        keras.optimizers.AdamW(rate, weight_decay=schedule.weight_decay),
        keras.losses.CategoricalCrossentropy(label_smoothing=schedule.label_smoothing),
        metrics=["accuracy"],
    )

    def report(epoch: int, logs: dict[str, Any]) -> None:
        figures = {name: float(logs[name]) for name in ("loss", "accuracy", "val_loss", "val_accuracy")}
        on_event({"stage": "network", "epoch": epoch + 1, "epochs": schedule.epochs, **figures})

    one_hot = np.eye(n_activities, dtype=np.float32)
    trained.fit(
        X, one_hot[y], batch_size=batch, epochs=schedule.epochs, verbose=0,
        validation_data=(held_out[0], one_hot[held_out[1]]), validation_batch_size=PREDICT_BATCH,
        callbacks=[
            keras.callbacks.EarlyStopping("val_loss", patience=schedule.patience, restore_best_weights=True),
            keras.callbacks.LambdaCallback(on_epoch_end=report),
        ],
    )


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
