"""Keras networks, built and trained; TensorFlow is imported inside the functions because that takes seconds."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from app.har.progress import OnEvent, Stage
from app.har.types import FloatArray, IntArray

if TYPE_CHECKING:
    import keras

Inputs = FloatArray | Mapping[str, FloatArray]

BATCH = 128
PREDICT_BATCH = 1024
LEARNING_RATE = 2e-3
WEIGHT_DECAY = 1e-3
LABEL_SMOOTHING = 0.05
STRIDE = 4  # of the convolutions over the raw signal together
UNROLLED = 16  # frames; a loop in the graph costs more than so few steps, and of more the graph grows too large


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
    sensors
        By name: how many features of a frame, and how many channels of the raw signal, it has.
    pooling : (n_steps, n_frames)
        Weight of each step of the raw signal, after `STRIDE`, in each frame.
    without
        Parts to leave out, for the ablation: "raw", "gru", "time attention", "sensor attention".

    Returns
    -------
    keras.Model
        Inputs ``"<sensor> frames"`` (n, n_frames, features), ``"<sensor> raw"`` (n, n_steps · STRIDE, channels) and
        ``"present"`` (n, n_sensors), 1 where a sensor is to be listened to. Outputs ``activity`` (n, n_activities),
        ``attention`` (n, n_frames), ``sensor_attention`` (n, n_sensors) and ``embedding`` (n, units).
    """
    keras = tensorflow_quietly()
    layers = keras.layers
    n_steps, n_frames = pooling.shape
    inputs: dict[str, Any] = {}
    encoded, scores = [], []
    for sensor, (n_features, n_channels) in sensors.items():
        frames = inputs[f"{sensor} frames"] = keras.Input((n_frames, n_features), name=f"{sensor} frames")
        x = layers.Dropout(0.2)(frames)
        if "raw" not in without:
            raw = keras.Input((n_steps * STRIDE, n_channels), name=f"{sensor} raw")
            inputs[f"{sensor} raw"] = raw
            shape = raw
            for width, kernel in ((filters, 9), (2 * filters, 5)):  # (n, n_steps, 2 filters) in the end
                shape = layers.Conv1D(width, kernel, strides=2, padding="same", use_bias=False)(shape)
                shape = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(shape))
            pooled = layers.Dense(n_frames, use_bias=False, trainable=False, name=f"{sensor}-pooling")
            shape = layers.Permute((2, 1))(pooled(layers.Permute((2, 1))(shape)))  # (n, n_frames, 2 filters)
            pooled.set_weights([pooling])
            x = layers.Concatenate()([x, layers.Dropout(0.2)(shape)])
        x = layers.Dense(2 * units, activation="relu")(x)  # (n, n_frames, 2u)
        encoded.append(layers.Dropout(0.2)(x))
        scores.append(layers.Dense(1)(layers.Dense(units // 2, activation="tanh")(x)))  # (n, n_frames, 1)
    present = inputs["present"] = keras.Input((len(sensors),), name="present")
    silence = layers.Reshape((1, len(sensors)))(layers.Rescaling(1e4, offset=-1e4)(present))  # 0, or -10⁴ if absent
    score = layers.Concatenate()(scores) if len(scores) > 1 else scores[0]
    if "sensor attention" in without:
        score = layers.Rescaling(0.0)(score)
    weight = layers.Softmax()(layers.Add()([score, silence]))  # (n, n_frames, n_sensors)
    stacked = layers.Concatenate(axis=2)([layers.Reshape((n_frames, 1, 2 * units))(x) for x in encoded])
    weighted = layers.Multiply()([stacked, layers.Reshape((n_frames, len(sensors), 1))(weight)])
    fused = layers.Reshape((n_frames, 2 * units))(layers.AveragePooling2D((1, len(sensors)))(weighted))
    steps = layers.Rescaling(float(len(sensors)))(fused)  # (n, n_frames, 2u): the sensors' weighted sum
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
    dropout
        Share of the windows from which a sensor is taken away in training, through the model's input ``present``.
    batch
        Windows a step; fewer where that would leave an epoch under 32 steps.
    """

    def __init__(
        self,
        model: keras.Model,
        epochs: int,
        seed: int,
        on_event: OnEvent,
        dropout: float = 0.0,
        batch: int = BATCH,
    ) -> None:
        keras = tensorflow_quietly()
        import tensorflow as tf

        keras.utils.set_random_seed(seed)
        self._order = np.random.default_rng(seed)
        self._epochs, self._done, self._on_event, self._batch = epochs, 0, on_event, batch
        self._one_hot = np.eye(model.output["activity"].shape[-1], dtype=np.float32)
        self._optimizer = keras.optimizers.AdamW(weight_decay=WEIGHT_DECAY)
        self._optimizer.build(model.trainable_variables)
        self.infer = inference(model)
        smooth = keras.losses.CategoricalCrossentropy(label_smoothing=LABEL_SMOOTHING)

        def step(X: Any, y: Any) -> Any:
            if dropout:
                kept = X["present"] * tf.cast(tf.random.uniform(tf.shape(X["present"])) >= dropout, tf.float32)
                some = tf.reduce_any(kept > 0, axis=1, keepdims=True)  # never the last one
                X = {**X, "present": tf.where(some, kept, X["present"])}
            with tf.GradientTape() as tape:
                probabilities = model(X, training=True)["activity"]
                loss = smooth(y, probabilities)
            gradients = tape.gradient(loss, model.trainable_variables)
            self._optimizer.apply(gradients, model.trainable_variables)
            return loss, _share_right(probabilities, y)

        # Keras's own `fit` traces a step twice, which takes longer than many of our trainings.
        signature = [_specification(model.input), tf.TensorSpec((None, len(self._one_hot)), tf.float32)]
        self._step = tf.function(step, input_signature=signature, autograph=False)

    def run(
        self,
        X: Inputs,
        y: IntArray,
        epochs: int,
        learning_rate: float = LEARNING_RATE,
        held_out: tuple[Inputs, IntArray] | None = None,
    ) -> None:
        """Train one stage on inputs X (n, …) and activities y (n,).

        The loss and accuracy on ``held_out`` inputs and activities are reported; nothing is decided by them.
        """
        batch = int(np.clip(len(y) // 32, 16, self._batch))  # small data sets still get some steps an epoch
        for epoch in range(epochs):
            falling = 0.3 if epoch == 0 else 0.5 * (1 + np.cos(np.pi * epoch / epochs))
            self._optimizer.learning_rate = learning_rate * falling
            order = self._order.permutation(len(y))
            rows = [order[start : start + batch] for start in range(0, len(y), batch)]
            steps = np.array([[float(x) for x in self._step(_rows(X, own), self._one_hot[y[own]])] for own in rows])
            loss, accuracy = np.average(steps, axis=0, weights=[len(own) for own in rows])
            figures = {"loss": loss, "accuracy": accuracy}
            if held_out:
                probabilities = self.infer(held_out[0])["activity"]
                likelihood = probabilities[np.arange(len(held_out[1])), held_out[1]]
                figures["val_loss"] = -np.log(likelihood + 1e-7).mean()
                figures["val_accuracy"] = (probabilities.argmax(axis=1) == held_out[1]).mean()
            self._done += 1
            rounded = {name: float(value) for name, value in figures.items()}
            self._on_event({"stage": Stage.NETWORK, "epoch": self._done, "epochs": self._epochs, **rounded})


def _share_right(probabilities: Any, one_hot: Any) -> Any:
    import tensorflow as tf

    return tf.reduce_mean(tf.cast(tf.argmax(probabilities, axis=1) == tf.argmax(one_hot, axis=1), tf.float32))


def _specification(inputs: Any) -> Any:
    import tensorflow as tf

    return tf.nest.map_structure(lambda x: tf.TensorSpec((None, *x.shape[1:]), tf.float32), inputs)


def _rows(X: Inputs, index: IntArray | slice) -> Any:
    return {name: x[index] for name, x in X.items()} if isinstance(X, Mapping) else X[index]


def inference(model: keras.Model, trace: bool = False) -> Callable[[Inputs], dict[str, FloatArray]]:
    """Return a compiled function from inputs (n, …) to every output of the model, for any n.

    ``trace`` compiles it now, which takes about a second, and not at the first call.
    """
    import tensorflow as tf

    compiled = tf.function(
        lambda inputs: model(inputs, training=False), input_signature=[_specification(model.input)], autograph=False
    )

    # Called by its one concrete function, it need not compare the inputs with the signature: 1 ms.
    concrete = cache(compiled.get_concrete_function)
    if trace:
        concrete()

    def infer(X: Inputs) -> dict[str, FloatArray]:
        n = len(next(iter(X.values())) if isinstance(X, Mapping) else X)
        parts = [
            concrete()(tf.nest.map_structure(tf.constant, _rows(X, slice(start, start + PREDICT_BATCH))))
            for start in range(0, n, PREDICT_BATCH)
        ]
        return {name: np.concatenate([part[name].numpy() for part in parts]) for name in parts[0]}

    return infer
