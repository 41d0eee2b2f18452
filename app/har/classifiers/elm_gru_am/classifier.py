"""ELM-GRU-AM: the whole pipeline from raw windows to calibrated probabilities, as one object on one folder of files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.har.classifiers import model_folder
from app.har.classifiers.base import Classifier
from app.har.classifiers.elm_gru_am import networks
from app.har.classifiers.elm_gru_am.augmentation import device_copies
from app.har.classifiers.elm_gru_am.combination import combine, fit_combination
from app.har.classifiers.elm_gru_am.convolutions import SAMPLE, RandomConvolutions
from app.har.classifiers.elm_gru_am.elm import ExtremeLearningMachine
from app.har.classifiers.elm_gru_am.familiarity import Familiarity
from app.har.classifiers.elm_gru_am.features import (
    channels_by_sensor,
    frame_features,
    per_chunk,
    sensor_columns,
    window_features,
)
from app.har.classifiers.elm_gru_am.scaling import CLIP, Compander, Scaler
from app.har.classifiers.elm_gru_am.selection import rank_features
from app.har.classifiers.types import Recognition
from app.har.evaluation.splits import split_inner
from app.har.progress import OnEvent, Stage
from app.har.renamed import with_current_names
from app.har.signals.filters import Preparation
from app.har.types import FloatArray, IntArray
from app.har.windows import WindowSet

RAW_RATE_HZ = 50.0  # at least what the convolutions over the raw signal read
FEWEST_OF_A_SENSOR = 8  # features, or it could not stand in for the others
PARTS = (
    "selection",
    "logarithms",
    "raw",
    "gru",
    "time attention",
    "sensor attention",
    "head",
    "convolutions",
    "slow copies",
)


@dataclass(frozen=True)
class ModelConfig:
    """Settings of ELM-GRU-AM; lengths are in seconds, so that they suit any sampling rate."""

    frame_length_s: float = 1.0  # at most half a window is used
    frame_step_s: float = 0.5  # at most half a frame is used
    n_selected: int = 192  # frame features that go on to the network, the Random Forest's best
    units: int = 64
    filters: int = 16  # of the first convolution over the raw signal
    epochs: int = 10
    batch: int = 256
    closing_share: float = 0.25  # of as many epochs more, on all training windows once calibration has had its part
    learning_rate: float = 3e-3
    low_rate_augmentation: float = 0.5  # of the training windows come again, as from a slower sensor
    rotation_augmentation: bool = False  # and as from a device that is turned
    sensor_dropout: float = 0.1  # share of training windows that lose a sensor, where there are several
    elm_nodes: int = 3000
    elm_ridge: float = 100.0
    elm_convolutions: int = 500  # random kernels, in equal parts a device
    held_out_fraction: float = 0.15  # of the training windows: how to combine, and how sure to be
    without: tuple[str, ...] = ()  # of PARTS; only to see what they are worth


@dataclass(frozen=True)
class _Description:
    """Features of windows."""

    frames: FloatArray  # (n, n_frames, n_features)
    whole: FloatArray  # (n, n_features)
    raw: FloatArray  # (n, n_steps, n_channels)
    names: list[str]  # of the frames' features
    columns: list[IntArray]  # of each sensor in `whole`, and then of each device's random convolutions

    @classmethod
    def joined(cls, parts: list[_Description]) -> _Description:
        frames, whole, raw = (np.concatenate([getattr(p, name) for p in parts]) for name in ("frames", "whole", "raw"))
        return cls(frames, whole, raw, parts[0].names, parts[0].columns)


class ActivityClassifier(Classifier):
    """ELM-GRU-AM.

    Each sensor's frames, described by the features a Random Forest ranked best and by a small convolution of the raw
    signal, are weighed by an attention over sensors, go through a GRU, and are weighed by an attention over time. An
    extreme learning machine sees what the network does not: the spectrum of the whole window, and random convolutions
    of it. Both answers are combined on held-out subjects, which also calibrates the result. A sensor that is missing,
    or whose signal is unlike anything seen in training while another's is not, is left out of both.

    Parameters
    ----------
    config
        Settings; the defaults are meant for every data set.
    """

    name = "elm-gru-am"

    def __init__(self, config: ModelConfig | None = None) -> None:
        self.config = config or ModelConfig()
        self.importances: list[tuple[str, float]] = []  # of every frame feature, most important first
        # By the sensors present: the say of the network's log probabilities, and of the head's scores
        self.combinations: dict[tuple[bool, ...], tuple[float, float]] = {}

    @property
    def selected_k(self) -> int:
        """Return how many of the ranked features the network reads."""
        return len(self.importances) if self._lacks("selection") else min(self.config.n_selected, len(self.importances))

    @property
    def sensors(self) -> tuple[str, ...]:
        """Return the sensors that can be attended to, by the stem of their channels: ``"acc"``, ``"watch.gyro"``."""
        return tuple(channels_by_sensor(self.channels))

    def recognise(self, windows: WindowSet) -> Recognition:
        """Return the probabilities and what they were made from.

        A sensor that is missing is NaN in all of its channels, all through the window.
        """
        self._check(windows)
        recognition = Recognition.joined(per_chunk(windows, self._recognise_chunk))
        self._check_answer(recognition.probabilities)
        return recognition

    def _recognise_chunk(self, windows: WindowSet) -> Recognition:
        missing = self._missing(windows)
        described = self._describe(windows)
        scaled = self._window_scaler(described.whole, np.inf)
        novelty = np.stack(
            [
                np.where(missing[:, number], np.inf, own.strange(scaled[:, columns]))
                for number, (own, columns) in enumerate(zip(self._familiarity, described.columns, strict=False))
            ],
            axis=1,
        ).astype(np.float32)
        present: NDArray[np.bool_] = novelty <= 1
        present |= ~present.any(axis=1, keepdims=True) & ~missing  # where all are strange, all that there are count
        outputs = self._infer(self._inputs(described, present))
        log_p = np.log(outputs["activity"] + 1e-7)
        scores = self.elm.predict(np.clip(scaled, -CLIP, CLIP), self._blocks(present))
        return Recognition(
            combine(log_p, np.zeros_like(scores) if self._lacks("head") else scores, self.combinations, present),
            outputs["attention"],
            outputs["sensor_attention"],
            outputs["embedding"],
            novelty,
            self._turned(windows) & (novelty <= 1),  # of what is strange at any rate, that says enough
        )

    def _turned(self, windows: WindowSet) -> NDArray[np.bool_]:
        turned = np.zeros((len(windows), len(self.sensors)), bool)
        for number, own in self._directions.items():
            turned[:, number] = own.strange(self._mean_vectors(windows, number)) > 1
        return turned

    def _mean_vectors(self, windows: WindowSet, sensor: int) -> FloatArray:
        return np.asarray(windows.X[:, :, self._channels_of_sensors[sensor]].mean(axis=1))

    def _predict_proba(self, windows: WindowSet) -> FloatArray:
        return np.concatenate([part.probabilities for part in per_chunk(windows, self._recognise_chunk)])

    def _lacks(self, part: str) -> bool:
        return part in self.config.without

    def _check_values(self, windows: WindowSet) -> None:
        missing = self._missing(windows)
        if not missing.any() or missing.all(axis=1).any():
            super()._check_values(windows)
            return
        super()._check_values(replace(windows, X=_filled(windows.X, missing, self._channels_of_sensors)))

    def _missing(self, windows: WindowSet) -> NDArray[np.bool_]:
        gone = np.isnan(windows.X[:, 0])  # (n, n_channels)
        rows = np.flatnonzero(gone.any(axis=1))
        gone[rows] = np.isnan(windows.X[rows]).all(axis=1)
        return np.stack([gone[:, channels].all(axis=1) for channels in self._channels_of_sensors], axis=1)

    @property
    def _devices(self) -> list[IntArray]:
        """Return the channels of each device: ``watch.acc_x`` and ``watch.gyro_x`` are on one."""
        prefix = [channel.rpartition(".")[0] for channel in self.channels]
        return [np.flatnonzero([own == device for own in prefix]) for device in dict.fromkeys(prefix)]

    def _blocks(self, present: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return which blocks of the head have all they need, (n, n_blocks), where these sensors are present."""
        of_sensor = self._channels_of_sensors
        needed = [[n for n, own in enumerate(of_sensor) if own[0] in channels] for channels in self._devices]
        return np.concatenate([present, *(present[:, own].all(axis=1, keepdims=True) for own in needed)], axis=1)

    @property
    def _channels_of_sensors(self) -> list[list[int]]:
        return list(channels_by_sensor(self.channels).values())

    def _describe(self, windows: WindowSet) -> _Description:
        logarithms = not self._lacks("logarithms")
        filled = replace(windows, X=_filled(windows.X, self._missing(windows), self._channels_of_sensors))
        raw = self._raw(filled)
        frames, names = frame_features(filled, *self._frames_s(), logarithms=logarithms)
        whole, whole_names = window_features(filled, relative=False, logarithms=logarithms)
        absolute = ["relative" not in name for name in names]
        whole_names += [name for name in names if "relative" not in name]
        columns = list(sensor_columns(tuple(whole_names), self.sensors).values())
        shapes = [own(raw[:, :, channels]) for own, channels in zip(self._convolutions, self._devices, strict=True)]
        for shape in shapes:
            columns.append(sum(map(len, columns)) + np.arange(shape.shape[1]))
        whole = np.concatenate([whole, frames.mean(axis=1)[:, absolute], *shapes], axis=1)
        return _Description(frames, whole, raw, names, columns)

    def _frames_s(self) -> tuple[float, float]:
        """Return the length of a frame and the step to the next."""
        length_s = min(self.config.frame_length_s, self.window_length_s / 2)
        return length_s, min(self.config.frame_step_s, length_s / 2)

    def _raw_steps(self) -> tuple[int, int]:
        """Return the steps left after the convolutions' stride, and how many samples are averaged before."""
        average = max(1, round(self.sampling_rate_hz / RAW_RATE_HZ))
        return max(self.n_timesteps // average // networks.STRIDE, 1), average

    def _raw(self, windows: WindowSet) -> FloatArray:
        """Return the signal at about `RAW_RATE_HZ`, cut to a multiple of the convolutions' stride."""
        length = windows.X.shape[1]
        steps, average = self._raw_steps()
        n_steps = steps * networks.STRIDE
        X = windows.X
        if length < n_steps * average:
            X = np.pad(X, ((0, 0), (0, n_steps * average - length), (0, 0)), mode="edge")
        raw: FloatArray = sum(
            (X[:, i : n_steps * average : average] for i in range(1, average)), X[:, : n_steps * average : average]
        )
        return raw / np.float32(average)

    def _inputs(self, described: _Description, present: NDArray[np.bool_]) -> dict[str, FloatArray]:
        """Return what the network reads; a sensor that is not present is silent."""
        frames = self._frame_scaler(described.frames[:, :, self._selected])
        inputs = {
            f"{sensor} frames": frames[:, :, columns] for sensor, columns in self._selected_columns(described.names)
        }
        if not self._lacks("raw"):
            raw = self._compander(described.raw)
            for sensor, channels in channels_by_sensor(self.channels).items():
                inputs[f"{sensor} raw"] = raw[:, :, channels]
        inputs["present"] = present.astype(np.float32)
        return inputs

    def _selected_columns(self, names: list[str]) -> Iterable[tuple[str, IntArray]]:
        return sensor_columns(tuple(names[i] for i in self._selected), self.sensors).items()

    def _select(self, names: list[str]) -> IntArray:
        """Return the positions of the best features; of a sensor that has too few among them, its own best."""
        position = {name: i for i, name in enumerate(names)}
        ranked = [position[name] for name, _ in self.importances]
        chosen = ranked[: self.selected_k]
        for own in sensor_columns(tuple(names), self.sensors).values():
            best = [i for i in ranked if i in set(own.tolist())][:FEWEST_OF_A_SENSOR]
            chosen += [i for i in best if i not in chosen]
        return np.array(chosen)

    def _fit(self, windows: WindowSet, epochs: int | None, seed: int, on_event: OnEvent) -> None:
        config, y, n_activities = self.config, windows.y, len(windows.activities)
        on_event({"stage": Stage.FEATURES, "fraction": 0.0})
        fitted, held_out = split_inner(windows, seed, config.held_out_fraction)
        sample = self._raw(windows.take(np.random.default_rng(seed).permutation(fitted)[:SAMPLE]))
        n_kernels = 0 if self._lacks("convolutions") else config.elm_convolutions // len(self._devices)
        self._convolutions = [
            RandomConvolutions.of(sample[:, :, channels], n_kernels, seed + number)
            for number, channels in enumerate(self._devices)
        ]
        share = 0.0 if self._lacks("slow copies") else config.low_rate_augmentation
        again, copies = device_copies(windows, share, seed, rotation_augmentation=config.rotation_augmentation)
        described = _Description.joined(per_chunk(windows, self._describe) + per_chunk(copies, self._describe))
        origin = np.append(np.arange(len(windows)), again)
        y, people = y[origin], windows.subjects[origin]
        fitted, kept = (np.flatnonzero(np.isin(origin, rows)) for rows in (fitted, held_out))

        on_event({"stage": Stage.SELECTION, "fraction": 0.2})
        self.importances = rank_features(described.frames[fitted], y[fitted], described.names, seed)
        self._selected = self._select(described.names)
        self._frame_scaler = Scaler.of(described.frames[fitted][:, :, self._selected].reshape(-1, len(self._selected)))
        self._window_scaler = Scaler.of(described.whole[fitted])
        scaled = self._window_scaler(described.whole, np.inf)
        self._familiarity = [
            Familiarity.of(scaled[:, columns], y, people) for columns in described.columns[: len(self.sensors)]
        ]
        self._directions = {
            number: Familiarity.of(self._mean_vectors(windows, number), windows.y, windows.subjects)
            for number, sensor in enumerate(self.sensors)
            if windows.gravity == "included" and sensor.rpartition(".")[2] == "acc"
        }

        on_event({"stage": Stage.HEAD, "fraction": 0.3})
        whole = np.clip(scaled, -CLIP, CLIP)
        self._window_columns = described.columns
        self.elm = self._new_elm(seed)
        self.elm.fit(whole[fitted], y[fitted], n_activities, balanced=True)
        patterns = np.array(list(self._combinations()))
        blocks = self._blocks(patterns)
        scores = [self.elm.solve(own).predict(whole[held_out], np.tile(own, (len(held_out), 1))) for own in blocks]
        self.elm.partial_fit(whole[kept], y[kept], n_activities)
        for own in blocks:
            self.elm.solve(own)

        on_event({"stage": Stage.NETWORK, "fraction": 0.4})
        self._compander = Compander.of(described.raw[fitted])
        inputs = self._inputs(described, np.ones((len(origin), len(self.sensors)), bool))
        of_fitted, of_held_out = ({name: x[rows] for name, x in inputs.items()} for rows in (fitted, held_out))
        self.network = self._build(described, seed)
        epochs = epochs or config.epochs
        closing = max(1, round(config.closing_share * epochs))
        dropout = config.sensor_dropout if len(self.sensors) > 1 else 0.0
        training = networks.Training(self.network, epochs + closing, seed, on_event, dropout, config.batch)
        training.run(of_fitted, y[fitted], epochs, config.learning_rate, held_out=(of_held_out, y[held_out]))
        self._infer = training.infer

        on_event({"stage": Stage.CALIBRATION, "fraction": 0.8})
        for pattern, score in zip(patterns, scores, strict=True):
            of_held_out["present"] = np.tile(np.float32(pattern), (len(held_out), 1))
            log_p = np.log(self._infer(of_held_out)["activity"] + 1e-7)
            said = np.zeros_like(score) if self._lacks("head") else score
            self.combinations[tuple(pattern.tolist())] = fit_combination(log_p, said, y[held_out])

        # The people held out are people too: the network gets to know them last, as the head did above.
        training.run(inputs, y, closing, config.learning_rate / 2)

    def _new_elm(self, seed: int) -> ExtremeLearningMachine:
        n, config = len(self.sensors), self.config
        return ExtremeLearningMachine(
            config.elm_nodes, config.elm_ridge, seed, self._window_columns[:n], self._window_columns[n:]
        )

    def _combinations(self) -> Iterable[tuple[bool, ...]]:
        """Return what the head is to do with: any of up to 4 sensors; of more, all but one or two, and one alone."""
        n = len(self.sensors)
        for present in product((True, False), repeat=n):
            if any(present) and (n <= 4 or n - sum(present) <= 2 or sum(present) == 1):
                yield present

    def _build(self, described: _Description, seed: int) -> Any:
        networks.tensorflow_quietly().utils.set_random_seed(seed)
        channels = channels_by_sensor(self.channels)
        sensors = {sensor: (len(own), len(channels[sensor])) for sensor, own in self._selected_columns(described.names)}
        frames = described.frames.shape[1], *self._frames_s()
        pooling = networks.frame_pooling(self._raw_steps()[0], self.window_length_s, *frames)
        return networks.gru_attention(
            sensors, pooling, len(self.activities), self.config.units, self.config.filters, self.config.without
        )

    def save(
        self, folder: Path, extra: Mapping[str, Any] | None = None, texts: Mapping[str, str] | None = None
    ) -> None:
        """Write the model into a new folder, whole or not at all.

        Parameters
        ----------
        folder
            Must not exist; its parent must.
        extra
            More for the manifest: the name and fingerprint of the data, the split.
        texts
            Further files by name, hashed like the others: the model card.
        """
        if not self.activities:
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
            "preparation": asdict(self.preparation),
            "importances": self.importances,
            "combinations": [[list(present), list(own)] for present, own in self.combinations.items()],
            "elm_seed": self.elm.seed,
            "elm_combinations": [list(combination) for combination in self.elm.betas],
            "familiar_limits": [own.limit for own in self._familiarity],
            "direction_limits": {str(sensor): own.limit for sensor, own in self._directions.items()},
        }
        arrays: dict[str, NDArray[Any]] = {
            "selected": self._selected,
            "frame_mean": self._frame_scaler.mean, "frame_deviation": self._frame_scaler.deviation,
            "window_mean": self._window_scaler.mean, "window_deviation": self._window_scaler.deviation,
            "raw_centre": self._compander.centre, "raw_quiet": self._compander.quiet,
            "raw_scale": self._compander.scale,
            **{f"biases_{number}": own.biases for number, own in enumerate(self._convolutions)},
            **{f"scales_{number}": own.scales for number, own in enumerate(self._convolutions)},
            **{f"columns_{number}": columns for number, columns in enumerate(self._window_columns)},
            **{f"beta_{number}": beta for number, beta in enumerate(self.elm.betas.values())},
            **{f"whitening_{number}": own.whitening for number, own in enumerate(self._familiarity)},
            **{f"centres_{number}": own.centres for number, own in enumerate(self._familiarity)},
            **{f"direction_whitening_{number}": own.whitening for number, own in self._directions.items()},
            **{f"direction_centres_{number}": own.centres for number, own in self._directions.items()},
        }  # fmt: skip
        model_folder.write(folder, manifest, arrays, self.network, texts or {})

    @classmethod
    def load(cls, folder: Path) -> ActivityClassifier:
        """Read a saved model.

        Raises
        ------
        ModelIntegrityError
            When a file is missing, was changed, or is of another format.
        """
        manifest, arrays, network = model_folder.read(folder)
        settings = with_current_names(manifest["model_config"])
        model = cls(ModelConfig(**{**settings, "without": tuple(settings["without"])}))
        model.activities, model.channels = tuple(manifest["activities"]), tuple(manifest["channels"])
        model.sampling_rate_hz, model.n_timesteps = manifest["sampling_rate_hz"], manifest["n_timesteps"]
        model.gravity, model.preparation = manifest["gravity"], Preparation(**manifest.get("preparation", {}))
        model.importances = [(name, importance) for name, importance in manifest["importances"]]
        whole = [(True,) * len(model.sensors), manifest.get("combination")]  # the only one that there once was
        model.combinations = {tuple(some): tuple(own) for some, own in manifest.get("combinations", [whole])}
        model._selected = arrays["selected"]
        model._frame_scaler = Scaler(arrays["frame_mean"], arrays["frame_deviation"])
        model._window_scaler = Scaler(arrays["window_mean"], arrays["window_deviation"])
        model._compander = Compander(arrays["raw_centre"], arrays["raw_quiet"], arrays["raw_scale"])
        model._familiarity = [
            Familiarity(arrays[f"whitening_{number}"], arrays[f"centres_{number}"], limit)
            for number, limit in enumerate(manifest["familiar_limits"])
        ]
        model._directions = {
            int(n): Familiarity(arrays[f"direction_whitening_{n}"], arrays[f"direction_centres_{n}"], limit)
            for n, limit in manifest.get("direction_limits", {}).items()
        }
        model._convolutions = [
            RandomConvolutions(manifest["elm_seed"] + number, arrays[f"biases_{number}"], arrays[f"scales_{number}"])
            for number in range(len(model._devices))
        ]
        n_blocks = len(model.sensors) + len(model._devices)
        model._window_columns = [arrays[f"columns_{number}"] for number in range(n_blocks)]
        model.elm = model._new_elm(manifest["elm_seed"])
        for number, combination in enumerate(manifest["elm_combinations"]):
            model.elm.betas[tuple(combination)] = arrays[f"beta_{number}"]
        model.network, model._infer = network, networks.inference(network, trace=True)
        return model


def _filled(X: FloatArray, missing: NDArray[np.bool_], channels_of_sensors: list[list[int]]) -> FloatArray:
    """Return the windows with zeros where a sensor is missing."""
    if not missing.any():
        return X
    filled = X.copy()
    for gone, channels in zip(missing.T, channels_of_sensors, strict=True):
        rows = np.flatnonzero(gone)
        for channel in channels:
            filled[rows, :, channel] = 0
    return filled
