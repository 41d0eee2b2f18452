"""The networks of the baselines, over the raw signal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from app.har.classifiers.keras_training import tensorflow_quietly

if TYPE_CHECKING:
    import keras


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
