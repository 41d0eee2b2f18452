"""Training and use of Keras networks; TensorFlow is imported inside the functions because that takes seconds."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from app.har.progress import OnEvent, Stage
from app.har.types import FloatArray, IntArray

if TYPE_CHECKING:
    import keras

Inputs = FloatArray | Mapping[str, FloatArray]
Infer = Callable[[Inputs], dict[str, FloatArray]]  # inputs (n, …) → every output of a network

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

            tf.config.list_physical_devices("GPU")  # whatever it prints about devices, it prints now
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
    import keras

    return keras


class Training:
    """The training of a network's ``activity`` output, in one stage or several; compiled once, which takes seconds.

    In each stage the learning rate rises in the first epoch and then falls along a cosine to nothing. Training to the
    end of that beats stopping at the lowest held-out loss: the loss rises early, when the network grows too confident
    about people it has not seen, while its accuracy on them still improves. Calibration decides how confident it may
    be.

    Parameters
    ----------
    model : with an output named ``activity``; trained in place.
    epochs : of all stages together, for the progress reports.
    seed : for the order of the windows, and for dropout.
    on_event : receives each epoch's figures.
    dropout : share of the windows that lose a sensor in training, through the model's input ``present``; default 0.
    batch : windows in a step; fewer where an epoch would have under 32 steps. Default `BATCH`.
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

        # Keras's own `fit` traces a step twice, which takes longer than many trainings here.
        signature = [_specification(model.input), tf.TensorSpec((None, len(self._one_hot)), tf.float32)]
        self._step = tf.function(step, input_signature=signature, autograph=False)

    def run(
        self,
        X: Inputs,
        y: IntArray,
        epochs: int,
        learning_rate: float = LEARNING_RATE,
        held_out: tuple[Callable[[], FloatArray], IntArray] | None = None,
    ) -> None:
        """Train one stage on inputs X (n, …) and activities y (n,).

        ``held_out`` returns the logarithms of the probabilities (m, n_activities) that the network gives windows whose
        activities (m,) follow: the loss and accuracy on them are reported, and nothing is decided by them.
        """
        batch = int(np.clip(len(y) // 32, 16, self._batch))  # small data sets still get some steps an epoch
        for epoch in range(epochs):
            falling = 0.3 if epoch == 0 else 0.5 * (1 + np.cos(np.pi * epoch / epochs))
            self._optimizer.learning_rate = learning_rate * falling
            order = self._order.permutation(len(y))
            rows = [order[start : start + batch] for start in range(0, len(y), batch)]
            steps = [self._step(_tensors(X, index), self._one_hot[y[index]]) for index in rows]
            values = np.array([[float(x) for x in step] for step in steps])
            loss, accuracy = np.average(values, axis=0, weights=[len(index) for index in rows])
            figures = {"loss": loss, "accuracy": accuracy}
            if held_out:
                log_p, activities = held_out[0](), held_out[1]
                figures["val_loss"] = -log_p[np.arange(len(activities)), activities].mean()
                figures["val_accuracy"] = (log_p.argmax(axis=1) == activities).mean()
            self._done += 1
            rounded = {name: float(value) for name, value in figures.items()}
            self._on_event({"stage": Stage.NETWORK, "epoch": self._done, "epochs": self._epochs, **rounded})


def _share_right(probabilities: Any, one_hot: Any) -> Any:
    import tensorflow as tf

    return tf.reduce_mean(tf.cast(tf.argmax(probabilities, axis=1) == tf.argmax(one_hot, axis=1), tf.float32))


def _specification(inputs: Any) -> Any:
    import tensorflow as tf

    return tf.nest.map_structure(lambda x: tf.TensorSpec((None, *x.shape[1:]), tf.float32), inputs)


def _tensors(X: Inputs, index: IntArray | slice) -> Any:
    import tensorflow as tf

    return tf.nest.map_structure(lambda x: tf.constant(x[index]), X)


def inference(model: keras.Model) -> Infer:
    """Return a function from inputs (n, …) to every output of the model, for any n; compiled at the first call."""
    import tensorflow as tf

    compiled = tf.function(
        lambda inputs: model(inputs, training=False), input_signature=[_specification(model.input)], autograph=False
    )

    # Called by its one concrete function, it need not compare the inputs with the signature: 1 ms.
    concrete = cache(compiled.get_concrete_function)

    def infer(X: Inputs) -> dict[str, FloatArray]:
        n = len(next(iter(X.values())) if isinstance(X, Mapping) else X)
        parts = [concrete()(_tensors(X, slice(start, start + PREDICT_BATCH))) for start in range(0, n, PREDICT_BATCH)]
        return {name: np.concatenate([part[name].numpy() for part in parts]) for name in parts[0]}

    return infer
