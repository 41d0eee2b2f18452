"""ELM-GRU-AM: the whole pipeline from raw windows to calibrated probabilities."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from app.har.classifiers import keras_training
from app.har.classifiers.base import Recogniser
from app.har.classifiers.catalogue import DEPLOYABLE_MODEL
from app.har.classifiers.elm_gru_am import network_weights, networks
from app.har.classifiers.elm_gru_am.augmentation import device_copies
from app.har.classifiers.elm_gru_am.combination import combine, fit_combination
from app.har.classifiers.elm_gru_am.config import ModelConfig
from app.har.classifiers.elm_gru_am.convolutions import SAMPLE
from app.har.classifiers.elm_gru_am.description import Description, WindowDescriber
from app.har.classifiers.elm_gru_am.elm import ExtremeLearningMachine
from app.har.classifiers.elm_gru_am.familiarity import Familiarity
from app.har.classifiers.elm_gru_am.features import per_chunk, sensor_columns
from app.har.classifiers.elm_gru_am.head_sums import HeadRows, as_kept, most_rows
from app.har.classifiers.elm_gru_am.plain_network import PlainNetwork
from app.har.classifiers.elm_gru_am.scaling import CLIP, Compander, Scaler
from app.har.classifiers.elm_gru_am.selection import rank_features
from app.har.classifiers.elm_gru_am.sensor_layout import SensorLayout
from app.har.classifiers.types import Recognition, WalkingReference
from app.har.evaluation.splits import split_inner
from app.har.personal.prior import Prior
from app.har.personal.space import Space, fit_space
from app.har.progress import OnEvent, Stage
from app.har.signals.cores import one_core_each
from app.har.types import FloatArray, IntArray
from app.har.windows import WindowSet

if TYPE_CHECKING:
    import keras

FEWEST_OF_A_SENSOR = 8  # features, or it could not stand in for the others


_layout_of = lru_cache(maxsize=64)(SensorLayout)


def _space(windows: WindowSet, scaled: FloatArray) -> Space | None:
    person = np.unique(windows.subjects, return_inverse=True)[1].astype(np.int64)
    return fit_space(scaled, person, windows.y, np.full(len(windows), "all"))


def _listened_to(novelty: FloatArray, missing: NDArray[np.bool_]) -> NDArray[np.bool_]:
    present: NDArray[np.bool_] = novelty <= 1
    return present | (~present.any(axis=1, keepdims=True) & ~missing)  # where all are novel, all that there are count


@dataclass(frozen=True)
class TrainingPart:
    """The windows to learn from, described, with the copies that augment them."""

    description: Description
    y: IntArray  # (n,)
    subjects: NDArray[np.str_]  # (n,)
    fitted: IntArray  # rows that everything is fitted on
    held_out: IntArray  # rows of people held out, no copies among them: to combine and to calibrate
    held_out_and_copies: IntArray


class ActivityClassifier(Recogniser):
    """ELM-GRU-AM.

    Each sensor's frames, described by the features a Random Forest ranked best and by a small convolution of the raw
    signal, are weighed by an attention over sensors, go through a GRU, and are weighed by an attention over time. An
    extreme learning machine sees what the network does not: the spectrum of the whole window, and random convolutions
    of it. Both answers are combined on held-out subjects, which also calibrates the result. A sensor that is missing,
    or whose signal is unlike anything seen in training while another's is not, is left out of both.

    Parameters
    ----------
    config : settings; default None, those that are meant for every data set.
    given : windows of the same format whose activities were concluded (see `app.har.training.unlabelled`): they are
        learnt from, but neither is anything combined nor calibrated by them. Default none.

    Examples
    --------
    >>> model = ActivityClassifier().fit(training_windows)  # doctest: +SKIP
    >>> model.predict_proba(test_windows).argmax(axis=1)  # doctest: +SKIP
    """

    name = DEPLOYABLE_MODEL

    # The fitted state: `fit` and `persistence.load_model` set all of it.
    describer_: WindowDescriber
    importances_: list[tuple[str, float]]  # of every frame feature, most important first
    selected_: IntArray  # positions of the frame features that the network reads
    frame_scaler_: Scaler  # of the selected features
    window_scaler_: Scaler  # of the features of whole windows
    compander_: Compander  # of the raw signal
    window_columns_: list[IntArray]  # see Description.columns
    familiarity_: list[Familiarity]  # of each sensor's features
    directions_: dict[int, Familiarity]  # of an accelerometer's mean vector, by the number of the sensor
    space_: (
        Space | None
    )  # of the features of whole windows; None of earlier builds, and where nobody shows two activities
    elm_: ExtremeLearningMachine
    network_: PlainNetwork
    # By the sensors present: the weight of the network's log probabilities, and of the head's scores
    combinations_: dict[tuple[bool, ...], tuple[float, float]]
    head_rows_: HeadRows | None = None  # what the head learnt from, where it is kept, until the model is saved
    too_many_: Mapping[str, int] | None = None  # how many rows that were, where they were to be kept and are too many

    def __init__(self, config: ModelConfig | None = None, given: WindowSet | None = None) -> None:
        self.config, self.given = config or ModelConfig(), given

    @property
    def layout(self) -> SensorLayout:
        """Return the sensors of the windows learnt from."""
        return self.describer_.layout

    @property
    def sensors(self) -> tuple[str, ...]:
        """Return the sensors that can be attended to, by the stem of their channels: ``"acc"``, ``"watch.gyro"``."""
        return self.layout.sensors

    @property
    def n_selected(self) -> int:
        """Return how many of the ranked features the network reads."""
        available = len(self.importances_)
        return available if self.config.lacks("selection") else min(self.config.n_selected, available)

    @property
    def prior(self) -> Prior | None:
        """Return how much people's activities differ in its space."""
        return None if self.space_ is None else Prior(self.space_.between.astype(np.float64))

    def recognise(self, windows: WindowSet) -> Recognition:
        """Return the probabilities and what they were made from.

        A sensor that is missing is NaN in all of its channels, all through the window.
        """
        self._check(windows)
        parts = per_chunk(windows, self._recognise_chunk)
        recognition = parts[0] if len(parts) == 1 else Recognition.joined(parts)
        self._check_answer(recognition.probabilities)
        return recognition

    def recognise_all(
        self, batches: Iterable[WindowSet], place: str = "", walking: WalkingReference | None = None
    ) -> Recognition:
        """Return the same of several batches; where the device was worn and how its wearer walks make no difference."""
        return Recognition.joined([self.recognise(windows) for windows in batches])

    def _predict_proba(self, windows: WindowSet) -> FloatArray:
        return np.concatenate([part.probabilities for part in per_chunk(windows, self._recognise_chunk)])

    def _recognise_chunk(self, windows: WindowSet) -> Recognition:
        return self.recognise_described(windows, self.describer_(windows))

    def recognise_described(self, windows: WindowSet, description: Description) -> Recognition:
        """Return what is recognised in windows that `describer_` has described already; they are not checked."""
        missing = self.layout.missing(windows.X)
        scaled = self.window_scaler_(description.whole, np.inf)
        novelty = self._novelty(scaled, missing)
        present = _listened_to(novelty, missing)
        outputs = self.network_(self._network_inputs(description, present))
        log_p = np.log(outputs["activity"] + 1e-7)
        scores = self.elm_.predict(np.clip(scaled, -CLIP, CLIP), self.layout.complete_blocks(present))
        return Recognition(
            combine(log_p, self._head_scores(scores), self.combinations_, present),
            outputs["attention"],
            outputs["sensor_attention"],
            outputs["embedding"],
            novelty,
            self._unseen_orientation(windows) & (novelty <= 1),  # of what is novel anyway, that says enough
            self._personal_features(scaled, missing),
        )

    def listened_to(self, scaled: FloatArray, missing: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return which sensors count, (n, n_sensors): those that are there and not unlike all training data.

        Parameters
        ----------
        scaled : (n, n_features), the features of whole windows, unclipped.
        missing : (n, n_sensors)
        """
        return _listened_to(self._novelty(scaled, missing), missing)

    def _personal_features(self, scaled: FloatArray, missing: NDArray[np.bool_]) -> NDArray[np.float16]:
        """Return what a personal head looks at, (n, n_features)."""
        if self.space_ is None:
            return np.zeros((len(scaled), 0), np.float16)
        complete, rows = self.layout.complete_blocks(~missing), scaled.copy()
        for columns, there in zip(self.window_columns_, complete.T, strict=True):
            rows[np.ix_(~there, columns)] = np.nan
        return self.space_(rows)

    def _novelty(self, scaled: FloatArray, missing: NDArray[np.bool_]) -> FloatArray:
        """Return how unlike the training data each sensor is, (n, n_sensors); infinite where it is missing."""
        columns_of_sensors = self.window_columns_[: len(self.sensors)]
        return np.stack(
            [
                np.where(missing[:, number], np.inf, familiarity.novelty(scaled[:, columns]))
                for number, (familiarity, columns) in enumerate(zip(self.familiarity_, columns_of_sensors, strict=True))
            ],
            axis=1,
        ).astype(np.float32)

    def _unseen_orientation(self, windows: WindowSet) -> NDArray[np.bool_]:
        unseen = np.zeros((len(windows), len(self.sensors)), bool)
        for number, familiarity in self.directions_.items():
            unseen[:, number] = familiarity.novelty(self._mean_vectors(windows, number)) > 1
        return unseen

    def _mean_vectors(self, windows: WindowSet, sensor: int) -> FloatArray:
        return np.asarray(windows.X[:, :, self.layout.by_sensor[self.sensors[sensor]]].mean(axis=1))

    def _head_scores(self, scores: FloatArray) -> FloatArray:
        return np.zeros_like(scores) if self.config.lacks("head") else scores

    def _check_values(self, windows: WindowSet) -> None:
        layout = _layout_of(windows.channels)
        missing = layout.missing(windows.X)
        if missing.any() and not missing.all(axis=1).any():
            windows = replace(windows, X=layout.silenced(windows.X, missing))
        super()._check_values(windows)

    def _network_inputs(self, description: Description, present: NDArray[np.bool_]) -> dict[str, FloatArray]:
        """Return what the network reads; a sensor that is not present is silent."""
        frames = self.frame_scaler_(description.frames[:, :, self.selected_])
        inputs = {
            f"{sensor} frames": frames[:, :, columns] for sensor, columns in self._selected_columns(description.names)
        }
        if not self.config.lacks("raw"):
            raw = self.compander_(description.raw)
            for sensor, channels in self.layout.by_sensor.items():
                inputs[f"{sensor} raw"] = raw[:, :, channels]
        inputs["present"] = present.astype(np.float32)
        return inputs

    def _selected_columns(self, names: list[str]) -> Iterable[tuple[str, IntArray]]:
        return sensor_columns(tuple([names[i] for i in self.selected_.tolist()]), self.sensors).items()

    def _fit(self, windows: WindowSet, epochs: int | None, seed: int, on_event: OnEvent) -> None:
        on_event({"stage": Stage.FEATURES, "fraction": 0.0})
        if self.given is not None:
            windows = WindowSet.joined([windows, self.given])
        part = self._describe_training_part(windows, seed)
        on_event({"stage": Stage.SELECTION, "fraction": 0.2})
        scaled = self._select_and_scale(part, seed)
        self._learn_what_is_familiar(windows, part, scaled)
        self.space_ = _space(windows, scaled[: len(windows)])
        on_event({"stage": Stage.HEAD, "fraction": 0.3})
        patterns = list(self.layout.patterns())
        scores = self._fit_head(np.clip(scaled, -CLIP, CLIP), part, np.array(patterns), seed)
        self._fit_network_and_combination(part, dict(zip(patterns, scores, strict=True)), epochs, seed, on_event)

    def _describe_training_part(self, windows: WindowSet, seed: int) -> TrainingPart:
        """Draw the people held out and the random convolutions, and describe all windows and their copies."""
        config = self.config
        n_labelled = len(windows) - (0 if self.given is None else len(self.given))
        fitted, held_out = split_inner(windows.take(slice(0, n_labelled)), seed, config.held_out_fraction)
        fitted = np.append(fitted, np.arange(n_labelled, len(windows)))
        self.describer_ = self._new_describer(windows, fitted, seed)
        share = 0.0 if config.lacks("slow copies") else config.low_rate_augmentation
        copied, copies = device_copies(windows, share, seed, rotation_augmentation=config.rotation_augmentation)
        description = Description.joined(per_chunk(windows, self.describer_) + per_chunk(copies, self.describer_))
        origin = np.append(np.arange(len(windows)), copied)
        return TrainingPart(
            description,
            windows.y[origin],
            windows.subjects[origin],
            np.flatnonzero(np.isin(origin, fitted)),
            held_out,
            np.flatnonzero(np.isin(origin, held_out)),
        )

    def _new_describer(self, windows: WindowSet, fitted: IntArray, seed: int) -> WindowDescriber:
        """Draw the random convolutions."""
        sample = windows.take(np.random.default_rng(seed).permutation(fitted)[:SAMPLE])
        bare = WindowDescriber(self.config, SensorLayout(self.channels), self.sampling_rate_hz, self.n_timesteps)
        return bare.with_convolutions(sample, seed)

    def _select_and_scale(self, part: TrainingPart, seed: int) -> FloatArray:
        """Choose the frame features and fit all scalers; return the features of whole windows, scaled, unclipped."""
        description, fitted = part.description, part.fitted
        self.importances_ = rank_features(description.frames[fitted], part.y[fitted], description.names, seed)
        self.selected_ = self._select(description.names)
        self.frame_scaler_ = Scaler.of(
            description.frames[fitted][:, :, self.selected_].reshape(-1, len(self.selected_))
        )
        self.window_scaler_ = Scaler.of(description.whole[fitted])
        self.compander_ = Compander.of(description.raw[fitted])
        self.window_columns_ = description.columns
        return self.window_scaler_(description.whole, np.inf)

    def _select(self, names: list[str]) -> IntArray:
        """Return the positions of the best features; of a sensor that has too few among them, the best it has."""
        position = {name: i for i, name in enumerate(names)}
        ranked = [position[name] for name, _ in self.importances_]
        chosen = ranked[: self.n_selected]
        for columns in sensor_columns(tuple(names), self.sensors).values():
            of_sensor = set(columns.tolist())
            best = [i for i in ranked if i in of_sensor][:FEWEST_OF_A_SENSOR]
            chosen += [i for i in best if i not in chosen]
        return np.array(chosen)

    def _learn_what_is_familiar(self, windows: WindowSet, part: TrainingPart, scaled: FloatArray) -> None:
        columns_of_sensors = self.window_columns_[: len(self.sensors)]
        self.familiarity_ = [
            Familiarity.of(scaled[:, columns], part.y, part.subjects) for columns in columns_of_sensors
        ]
        self.directions_ = {
            number: Familiarity.of(self._mean_vectors(windows, number), windows.y, windows.subjects)
            for number, sensor in enumerate(self.sensors)
            if windows.gravity == "included" and sensor.rpartition(".")[2] == "acc"
        }

    def _fit_head(
        self, whole: FloatArray, part: TrainingPart, patterns: NDArray[np.bool_], seed: int
    ) -> list[FloatArray]:
        """Fit the extreme learning machine for each pattern of sensors; return its scores of the people held out.

        The scores are from before the head has seen these people; then it learns from them, too.
        """
        n_activities, held_out = len(self.activities), part.held_out
        keeps = self.config.keep_sums and len(whole) <= most_rows(whole.shape[1])
        if keeps:
            whole = as_kept(whole)
        self.elm_ = self.new_elm(seed)
        self.elm_.fit(whole[part.fitted], part.y[part.fitted], n_activities, balanced=True)
        blocks = self.layout.complete_blocks(patterns)
        scores = [
            self.elm_.solve(pattern).predict(whole[held_out], np.tile(pattern, (len(held_out), 1)))
            for pattern in blocks
        ]
        self.elm_.partial_fit(whole[part.held_out_and_copies], part.y[part.held_out_and_copies], n_activities)
        for pattern in blocks:
            self.elm_.solve(pattern)
        if keeps:
            self.head_rows_ = HeadRows(whole, part.y, part.subjects)
        elif self.config.keep_sums:
            self.too_many_ = {"rows": len(whole), "most": most_rows(whole.shape[1])}
        return scores

    def new_elm(self, seed: int) -> ExtremeLearningMachine:
        """Return a head that was not fitted yet: a block of nodes a sensor, and the random convolutions."""
        n, config = len(self.sensors), self.config
        blocks, convolutions = self.window_columns_[:n], self.window_columns_[n:]
        return ExtremeLearningMachine(config.elm_nodes, config.elm_ridge, seed, blocks, convolutions)

    def _fit_network_and_combination(
        self,
        part: TrainingPart,
        scores: dict[tuple[bool, ...], FloatArray],
        epochs: int | None,
        seed: int,
        on_event: OnEvent,
    ) -> None:
        """Train the network, combine it with the head on the people held out, then let it learn from them, too."""
        on_event({"stage": Stage.NETWORK, "fraction": 0.4})
        config, y, held_out = self.config, part.y, part.held_out
        inputs = self._network_inputs(part.description, np.ones((len(y), len(self.sensors)), bool))
        of_fitted, of_held_out = ({name: x[rows] for name, x in inputs.items()} for rows in (part.fitted, held_out))
        network = self._build_network(part.description, seed)
        epochs = epochs or config.epochs
        closing = max(1, round(config.closing_share * epochs))
        dropout = config.sensor_dropout if len(self.sensors) > 1 else 0.0
        training = keras_training.Training(network, epochs + closing, seed, on_event, dropout, config.batch)

        def log_probabilities_of_held_out() -> FloatArray:
            with one_core_each():
                return np.asarray(np.log(self._plain(network)(of_held_out)["activity"] + 1e-7))

        training.run(
            of_fitted, y[part.fitted], epochs, config.learning_rate, (log_probabilities_of_held_out, y[held_out])
        )
        on_event({"stage": Stage.CALIBRATION, "fraction": 0.8})
        self.combinations_ = {}
        for pattern, score in scores.items():
            of_held_out["present"] = np.tile(np.array(pattern, np.float32), (len(held_out), 1))
            log_p = log_probabilities_of_held_out()
            self.combinations_[pattern] = fit_combination(log_p, self._head_scores(score), y[held_out])
        training.run(inputs, y, closing, config.learning_rate / 2)
        self.network_ = self._plain(network)

    def _plain(self, network: keras.Model) -> PlainNetwork:
        return PlainNetwork(self.sensors, network_weights.of_network(network, len(self.sensors), self.config.without))

    def _build_network(self, description: Description, seed: int) -> keras.Model:
        keras_training.tensorflow_quietly().utils.set_random_seed(seed)
        channels, describer = self.layout.by_sensor, self.describer_
        sensors = {
            sensor: (len(columns), len(channels[sensor]))
            for sensor, columns in self._selected_columns(description.names)
        }
        frames = description.frames.shape[1], *describer.frames_s
        pooling = networks.frame_pooling(describer.n_raw_steps, self.window_length_s, *frames)
        return networks.gru_attention(
            sensors, pooling, len(self.activities), self.config.units, self.config.filters, self.config.without
        )
