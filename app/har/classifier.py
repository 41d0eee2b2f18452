"""ELM-GRU-AM: the whole pipeline from raw windows to calibrated probabilities, as one object on one folder of files."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

from app.har import model_folder, networks
from app.har.elm import ExtremeLearningMachine
from app.har.errors import UnusableRecording
from app.har.features import frame_features, window_features
from app.har.selection import rank_features
from app.har.splits import check_trainable, split_inner
from app.har.types import Event, FloatArray, Gravity, IntArray, OnEvent, WindowSet, ignore_event

CLIP = 5.0  # standard deviations: what lies beyond says no more
C = TypeVar("C", bound="Classifier")


class Classifier(ABC):
    """What every model is to the rest: it learns from windows and gives each window's activity a probability."""

    name: ClassVar[str]
    activities: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    sampling_rate_hz: float = 0.0
    n_timesteps: int = 0
    gravity: Gravity = "removed"

    @property
    def window_length_s(self) -> float:
        """Return the length of the windows learnt from."""
        return self.n_timesteps / self.sampling_rate_hz

    def fit(
        self: C, windows: WindowSet, *, epochs: int | None = None, seed: int = 0, on_event: OnEvent = ignore_event
    ) -> C:
        """Learn from these windows, and these only.

        Parameters
        ----------
        epochs
            Most passes over the data; None leaves it to the model, and a model without epochs takes no notice.
        on_event
            Gets the stages as they begin and, of networks, every epoch's figures.

        Raises
        ------
        InsufficientData
            When there is one activity, or an activity of one window.
        """
        check_trainable(windows)
        self.activities, self.channels = windows.activities, windows.channels
        self.sampling_rate_hz, self.n_timesteps = windows.sampling_rate_hz, windows.X.shape[1]
        self.gravity = windows.gravity
        self._check(windows)

        def report(event: Event) -> None:
            on_event({"model": self.name, **event})

        self._fit(windows, epochs, seed, report)
        return self

    def predict_proba(self, windows: WindowSet) -> FloatArray:
        """Return (n_windows, n_activities) probabilities, columns in the order of ``activities``.

        Raises
        ------
        UnusableRecording
            When the windows have other channels, another rate, length or handling of gravity than those learnt from.
        """
        self._check(windows)
        if not len(windows):
            return np.zeros((0, len(self.activities)), np.float32)
        return self._predict_proba(windows).astype(np.float32)

    @abstractmethod
    def _fit(self, windows: WindowSet, epochs: int | None, seed: int, on_event: OnEvent) -> None: ...

    @abstractmethod
    def _predict_proba(self, windows: WindowSet) -> FloatArray: ...

    def _check(self, windows: WindowSet) -> None:
        if not self.activities:
            raise ValueError("fit the model first")
        if windows.channels != self.channels:
            raise UnusableRecording(
                f"The model expects the channels {', '.join(self.channels)}; found {', '.join(windows.channels)}."
            )
        if windows.sampling_rate_hz != self.sampling_rate_hz or windows.X.shape[1:] != (
            self.n_timesteps,
            len(self.channels),
        ):
            raise UnusableRecording(
                f"The model expects windows of {self.n_timesteps} samples at {self.sampling_rate_hz:g} Hz "
                f"({self.window_length_s:g} s) and {len(self.channels)} channels; found an array of shape "
                f"{windows.X.shape} at {windows.sampling_rate_hz:g} Hz."
            )
        if windows.gravity != self.gravity:
            raise UnusableRecording(
                f"The model was trained on acceleration with gravity {self.gravity}; here it is {windows.gravity}."
            )
        if not np.isfinite(windows.X).all():
            raise UnusableRecording("The signal has missing or infinite values; cut the recording there.")


@dataclass(frozen=True)
class ModelConfig:
    """Settings of ELM-GRU-AM; lengths are in seconds, so that they suit any sampling rate."""

    frame_length_s: float = 1.0  # at most half a window is used
    frame_step_s: float = 0.25
    n_selected: int = 192  # frame features that go on to the network, the Random Forest's best
    units: int = 64
    epochs: int = 20
    closing_share: float = 0.25  # of as many epochs more, on all training windows once calibration has had its part
    learning_rate: float = networks.LEARNING_RATE
    elm_nodes: int = 3000
    elm_ridge: float = 100.0
    held_out_fraction: float = 0.15  # of the training windows: how to combine, and how sure to be


@dataclass(frozen=True)
class Scaler:
    """Mean and deviation per feature, learnt from training rows."""

    mean: FloatArray
    deviation: FloatArray

    @classmethod
    def of(cls, rows: FloatArray) -> Scaler:
        return cls(rows.mean(axis=0), rows.std(axis=0) + np.float32(1e-6))

    def __call__(self, values: FloatArray) -> FloatArray:
        scaled: FloatArray = np.clip((values - self.mean) / self.deviation, -CLIP, CLIP)
        return scaled


class ActivityClassifier(Classifier):
    """ELM-GRU-AM.

    Frames of a window, described by the features a Random Forest ranked best, go through a GRU whose steps an attention
    over time weighs. An extreme learning machine sees what the network does not: the spectrum of the whole window. Both
    answers are combined on held-out subjects, which also calibrates the result.

    Parameters
    ----------
    config
        Settings; the defaults are meant for every data set.
    """

    name = "elm-gru-am"

    def __init__(self, config: ModelConfig | None = None) -> None:
        self.config = config or ModelConfig()
        self.importances: list[tuple[str, float]] = []  # of every frame feature, most important first
        self.combination = (1.0, 1.0)  # of the network's log probabilities, and of the head's scores

    @property
    def selected_k(self) -> int:
        """Return how many of the ranked features the network reads."""
        return min(self.config.n_selected, len(self.importances))

    def attention(self, windows: WindowSet) -> FloatArray:
        """Return how much each frame counted, (n_windows, n_frames); rows sum to 1."""
        return self._network_outputs(windows)["attention"]

    def embed(self, windows: WindowSet) -> FloatArray:
        """Return the network's last hidden layer, (n_windows, units)."""
        return self._network_outputs(windows)["embedding"]

    def _network_outputs(self, windows: WindowSet) -> dict[str, FloatArray]:
        self._check(windows)
        return self._infer(self._frame_scaler(self._describe(windows)[0][:, :, self._selected]))

    def _describe(self, windows: WindowSet) -> tuple[FloatArray, FloatArray, list[str]]:
        """Return features of frames (n, n_frames, …), of windows (n, …), and the names of the former."""
        config = self.config
        length_s = min(config.frame_length_s, windows.window_length_s / 2)
        frames, names = frame_features(windows, length_s, config.frame_step_s)
        whole, _ = window_features(windows, relative=False)
        absolute = ["relative" not in name for name in names]
        return frames, np.concatenate([whole, frames[:, :, absolute].mean(axis=1)], axis=1), names

    def _fit(self, windows: WindowSet, epochs: int | None, seed: int, on_event: OnEvent) -> None:
        config, y, n_activities = self.config, windows.y, len(windows.activities)
        on_event({"stage": "features", "fraction": 0.0})
        frames, whole, names = self._describe(windows)
        fitted, held_out = split_inner(windows, seed, config.held_out_fraction)

        on_event({"stage": "selection", "fraction": 0.2})
        self.importances = rank_features(frames[fitted], y[fitted], names, seed)
        position = {name: i for i, name in enumerate(names)}
        self._selected = np.array([position[name] for name, _ in self.importances[: self.selected_k]])
        frames = frames[:, :, self._selected]
        self._frame_scaler = Scaler.of(frames[fitted].reshape(-1, self.selected_k))
        self._window_scaler = Scaler.of(whole[fitted])
        frames, whole = self._frame_scaler(frames), self._window_scaler(whole)

        on_event({"stage": "head", "fraction": 0.3})
        self.elm = ExtremeLearningMachine(config.elm_nodes, config.elm_ridge, seed)
        self.elm.fit(whole[fitted], y[fitted], n_activities)
        scores = self.elm.predict(whole[held_out])
        self.elm.partial_fit(whole[held_out], y[held_out], n_activities)

        on_event({"stage": "network", "fraction": 0.4})
        self.network = self._build(frames.shape[1], seed)
        epochs = epochs or config.epochs
        closing = max(1, round(config.closing_share * epochs))
        training = networks.Training(self.network, epochs + closing, seed, on_event)
        training.run(frames[fitted], y[fitted], epochs, config.learning_rate, held_out=(frames[held_out], y[held_out]))
        self._infer = networks.inference(self.network)

        on_event({"stage": "calibration", "fraction": 0.8})
        log_p = np.log(self._infer(frames[held_out])["activity"] + 1e-7)
        self.combination = fit_combination(log_p, scores, y[held_out])

        # The people held out are people too: the network gets to know them last, as the head did above.
        training.run(frames, y, closing, config.learning_rate / 2)

    def _build(self, n_frames: int, seed: int) -> Any:
        networks.tensorflow_quietly().utils.set_random_seed(seed)
        return networks.gru_attention(n_frames, self.selected_k, len(self.activities), self.config.units)

    def _predict_proba(self, windows: WindowSet) -> FloatArray:
        frames, whole, _ = self._describe(windows)
        log_p = np.log(self._infer(self._frame_scaler(frames[:, :, self._selected]))["activity"] + 1e-7)
        return combine(log_p, self.elm.predict(self._window_scaler(whole)), self.combination)

    def save(self, folder: Path, extra: Mapping[str, Any] | None = None) -> None:
        """Write the model into a new folder, whole or not at all.

        Parameters
        ----------
        folder
            Must not exist; its parent must.
        extra
            More for the manifest: the name and fingerprint of the data, the split.
        """
        if self.elm.beta is None:
            raise ValueError("fit the model first")
        manifest = {
            **(extra or {}),
            "model": self.name,
            "model_config": asdict(self.config),
            "activities": list(self.activities),
            "channels": list(self.channels),
            "sampling_rate_hz": self.sampling_rate_hz,
            "n_timesteps": self.n_timesteps,
            "window_length_s": self.window_length_s,
            "gravity": self.gravity,
            "importances": self.importances,
            "combination": list(self.combination),
            "elm_seed": self.elm.seed,
        }
        arrays = {
            "selected": self._selected,
            "frame_mean": self._frame_scaler.mean, "frame_deviation": self._frame_scaler.deviation,
            "window_mean": self._window_scaler.mean, "window_deviation": self._window_scaler.deviation,
            "beta": self.elm.beta,
        }  # fmt: skip
        model_folder.write(folder, manifest, arrays, self.network)

    @classmethod
    def load(cls, folder: Path) -> ActivityClassifier:
        """Read a saved model.

        Raises
        ------
        ModelIntegrityError
            When a file is missing, was changed, or is of another format.
        """
        manifest, arrays, network = model_folder.read(folder)
        model = cls(ModelConfig(**manifest["model_config"]))
        model.activities, model.channels = tuple(manifest["activities"]), tuple(manifest["channels"])
        model.sampling_rate_hz, model.n_timesteps = manifest["sampling_rate_hz"], manifest["n_timesteps"]
        model.gravity = manifest["gravity"]
        model.importances = [(name, importance) for name, importance in manifest["importances"]]
        network_weight, head_weight = manifest["combination"]
        model.combination = (network_weight, head_weight)
        model._selected = arrays["selected"]
        model._frame_scaler = Scaler(arrays["frame_mean"], arrays["frame_deviation"])
        model._window_scaler = Scaler(arrays["window_mean"], arrays["window_deviation"])
        model.elm = ExtremeLearningMachine(model.config.elm_nodes, model.config.elm_ridge, manifest["elm_seed"])
        model.elm.beta = arrays["beta"]
        model.network, model._infer = network, networks.inference(network)
        return model


def combine(log_p: FloatArray, scores: FloatArray, combination: tuple[float, float]) -> FloatArray:
    """Return the probabilities ∝ exp(a log p + b score): a product of experts, each with its own temperature."""
    probabilities: FloatArray = softmax(combination[0] * log_p + combination[1] * scores, axis=1)
    return probabilities


def fit_combination(log_p: FloatArray, scores: FloatArray, y: IntArray) -> tuple[float, float]:
    """Choose the two temperatures by the likelihood of held-out windows, (n, n_activities) each."""

    def loss(weights: NDArray[np.float64]) -> float:
        log_q = log_softmax(weights[0] * log_p + weights[1] * scores, axis=1)
        return float(-log_q[np.arange(len(y)), y].mean())

    # The bounds keep a handful of held-out windows, all right, from making the model sure of everything.
    found = minimize(loss, np.array([0.5, 4.0]), bounds=[(0.0, 3.0), (0.5, 20.0)], method="L-BFGS-B")
    return float(found.x[0]), float(found.x[1])
