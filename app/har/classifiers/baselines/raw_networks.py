"""Networks that read the raw signal."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

from app.har.classifiers import keras_training
from app.har.classifiers.base import Classifier
from app.har.classifiers.baselines import networks
from app.har.classifiers.elm_gru_am.scaling import Scaler
from app.har.progress import OnEvent, Stage
from app.har.types import FloatArray, IntArray
from app.har.windows import WindowSet

LSTM_RATE_HZ = 25.0  # an LSTM reads the signal averaged to about this rate: 300 steps would take it ten times as long


class RawNetwork(Classifier):
    """A network that reads the signal, standardised by channel, and is trained on all training windows."""

    epochs: ClassVar[int] = 20
    rate_hz: ClassVar[float | None] = None  # average neighbouring samples down to about this rate first
    learning_rate: ClassVar[float] = keras_training.LEARNING_RATE
    scaler_: Scaler  # of the channels
    infer_: keras_training.Infer

    @abstractmethod
    def _build(self, n_steps: int, n_channels: int) -> Any:
        """Build the network, untrained, with an output ``activity``."""

    def _inputs(self, windows: WindowSet) -> FloatArray:
        X = windows.X
        stride = max(1, round(windows.sampling_rate_hz / self.rate_hz)) if self.rate_hz else 1
        n_steps = X.shape[1] // stride
        averaged: FloatArray = X[:, : n_steps * stride].reshape(len(X), n_steps, stride, X.shape[2]).mean(axis=2)
        return averaged

    def _fit(self, windows: WindowSet, epochs: int | None, seed: int, on_event: OnEvent) -> None:
        X = self._inputs(windows)
        self.scaler_ = Scaler.of(X.reshape(-1, X.shape[2]))
        on_event({"stage": Stage.NETWORK, "fraction": 0.0})
        keras_training.tensorflow_quietly().utils.set_random_seed(seed)
        model = self._build(X.shape[1], X.shape[2])
        self._train(model, self.scaler_(X), windows.y, epochs or self.epochs, seed, on_event)
        self.infer_ = keras_training.inference(model)

    def _train(self, model: Any, X: FloatArray, y: IntArray, epochs: int, seed: int, on_event: OnEvent) -> None:
        keras_training.Training(model, epochs, seed, on_event).run(X, y, epochs, self.learning_rate)

    def _predict_proba(self, windows: WindowSet) -> FloatArray:
        return self.infer_(self.scaler_(self._inputs(windows)))["activity"]


class LSTM(RawNetwork):
    """Two LSTM layers over the signal at about 25 Hz."""

    name = "lstm"
    rate_hz = LSTM_RATE_HZ

    def _build(self, n_steps: int, n_channels: int) -> Any:
        return networks.lstm(n_steps, n_channels, len(self.activities))


class BiLSTM(RawNetwork):
    """Two LSTM layers, each in both directions, over the signal at about 25 Hz."""

    name = "bilstm"
    rate_hz = LSTM_RATE_HZ

    def _build(self, n_steps: int, n_channels: int) -> Any:
        return networks.bilstm(n_steps, n_channels, len(self.activities))


class CNN(RawNetwork):
    """Three blocks of convolution over the signal at its full rate."""

    name = "cnn"

    def _build(self, n_steps: int, n_channels: int) -> Any:
        return networks.cnn(n_steps, n_channels, len(self.activities))


class DeepConvLSTM(RawNetwork):
    """DeepConvLSTM, at about the 30 Hz of the data it was made for; at 100 Hz it would take three times as long.

    The layers are the authors'; the optimiser and its schedule are those of all networks here.

    References
    ----------
    Ordóñez, Roggen (2016), Deep convolutional and LSTM recurrent neural networks for multimodal wearable activity
    recognition, Sensors 16(1):115.
    """

    name = "deepconvlstm"
    rate_hz = 30.0
    learning_rate = 1e-3

    def _build(self, n_steps: int, n_channels: int) -> Any:
        return networks.deepconvlstm(n_steps, n_channels, len(self.activities))


class Transformer(RawNetwork):
    """A small Transformer encoder over patches of the signal at its full rate."""

    name = "transformer"
    learning_rate = 1e-3

    def _build(self, n_steps: int, n_channels: int) -> Any:
        return networks.transformer(n_steps, n_channels, len(self.activities))


class PublicRecipe(RawNetwork):
    """The ELM-GRU-AM of a public program, so that readers see what its recipe really scores.

    A window is flattened into 100 random features that are never trained, and these are called 10 steps of 10: the GRUs
    and the attention read no time. The program also overwrites 94 % of its test predictions with the true labels before
    it computes its metrics; that part is left out. It is trained with plain Adam on the bare cross-entropy, long enough
    not to be wronged; the scaling of the signal, too, is ours.
    """

    name = "public-recipe"
    epochs = 100

    def _build(self, n_steps: int, n_channels: int) -> Any:
        return networks.public_recipe(n_steps, n_channels, len(self.activities))

    def _train(self, model: Any, X: FloatArray, y: IntArray, epochs: int, seed: int, on_event: OnEvent) -> None:
        keras = keras_training.tensorflow_quietly()

        def report(epoch: int, logs: dict[str, Any]) -> None:
            figures = {name: float(value) for name, value in logs.items()}
            on_event({"stage": Stage.NETWORK, "epoch": epoch + 1, "epochs": epochs, **figures})

        trained = keras.Model(model.input, model.output["activity"])
        trained.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        callback = keras.callbacks.LambdaCallback(on_epoch_end=report)
        trained.fit(X, y, batch_size=32, epochs=epochs, verbose=0, callbacks=[callback])
