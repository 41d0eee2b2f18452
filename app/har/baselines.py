"""The models that ELM-GRU-AM is compared with, and the registry of all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from app.har import networks
from app.har.classifier import ActivityClassifier, Classifier, ModelConfig, Scaler
from app.har.features import window_features
from app.har.types import FloatArray, OnEvent, WindowSet

LSTM_RATE_HZ = 25.0  # the LSTM reads the signal averaged to about this rate: 300 steps would take it ten times as long


class RandomForest(Classifier):
    """Random Forest on time and frequency features of the whole window (Breiman 2001)."""

    name = "random-forest"

    def _fit(self, windows: WindowSet, epochs: int | None, seed: int, on_event: OnEvent) -> None:
        from sklearn.ensemble import RandomForestClassifier

        on_event({"stage": "features", "fraction": 0.0})
        features, _ = window_features(windows)
        on_event({"stage": "forest", "fraction": 0.2})
        self._forest = RandomForestClassifier(300, n_jobs=2, random_state=seed).fit(features, windows.y)

    def _predict_proba(self, windows: WindowSet) -> FloatArray:
        probabilities = np.zeros((len(windows), len(self.activities)), np.float32)
        probabilities[:, self._forest.classes_] = self._forest.predict_proba(window_features(windows)[0])
        return probabilities


class RawNetwork(Classifier):
    """A network that reads the raw signal, standardised by channel, and is trained on all training windows."""

    epochs = 20
    stride_rate_hz: float | None = None  # average neighbouring samples down to about this rate first

    def _build(self, n_steps: int) -> Any:
        raise NotImplementedError

    def _inputs(self, windows: WindowSet) -> FloatArray:
        X = windows.X
        stride = max(1, round(windows.sampling_rate_hz / self.stride_rate_hz)) if self.stride_rate_hz else 1
        n_steps = X.shape[1] // stride
        averaged: FloatArray = X[:, : n_steps * stride].reshape(len(X), n_steps, stride, X.shape[2]).mean(axis=2)
        return averaged

    def _fit(self, windows: WindowSet, epochs: int | None, seed: int, on_event: OnEvent) -> None:
        X = self._inputs(windows)
        self._scaler = Scaler.of(X.reshape(-1, X.shape[2]))
        on_event({"stage": "network", "fraction": 0.0})
        networks.tensorflow_quietly().utils.set_random_seed(seed)
        model = self._build(X.shape[1])
        epochs = epochs or self.epochs
        networks.Training(model, epochs, seed, on_event).run(self._scaler(X), windows.y, epochs)
        self._infer = networks.inference(model)

    def _predict_proba(self, windows: WindowSet) -> FloatArray:
        return self._infer(self._scaler(self._inputs(windows)))["activity"]


class LSTM(RawNetwork):
    """Two LSTM layers over the signal at about 25 Hz."""

    name = "lstm"
    stride_rate_hz = LSTM_RATE_HZ

    def _build(self, n_steps: int) -> Any:
        return networks.lstm(n_steps, len(self.channels), len(self.activities))


class CNN(RawNetwork):
    """Three blocks of convolution over the signal at its own rate."""

    name = "cnn"

    def _build(self, n_steps: int) -> Any:
        return networks.cnn(n_steps, len(self.channels), len(self.activities))


MODELS: dict[str, type[Classifier]] = {model.name: model for model in (ActivityClassifier, RandomForest, LSTM, CNN)}


def make_classifier(name: str, options: Mapping[str, Any] | None = None) -> Classifier:
    """Return a new, unfitted model; ``options`` are fields of `ModelConfig`, and only ELM-GRU-AM has any.

    Raises
    ------
    ValueError
        When there is no model of that name, or an option is unknown.
    """
    if name not in MODELS:
        raise ValueError(f"There is no model {name!r}; known are {', '.join(MODELS)}.")
    if name != ActivityClassifier.name:
        return MODELS[name]()
    try:
        return ActivityClassifier(ModelConfig(**(options or {})))
    except TypeError as error:
        raise ValueError(f"ELM-GRU-AM has no such option: {error}") from error
