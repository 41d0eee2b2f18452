"""ELM-GRU-AM for new data or new activities, on top of a model that was trained on others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from app.har.classifiers.elm_gru_am import network_weights
from app.har.classifiers.elm_gru_am.classifier import ActivityClassifier, TrainingPart
from app.har.classifiers.elm_gru_am.combination import fit_combination
from app.har.classifiers.elm_gru_am.description import Description, WindowDescriber
from app.har.classifiers.elm_gru_am.elm import ExtremeLearningMachine
from app.har.classifiers.elm_gru_am.plain_network import PlainNetwork
from app.har.progress import OnEvent, Stage
from app.har.sums import Sums
from app.har.types import FloatArray, IntArray
from app.har.vocabulary import OTHER, shared_name
from app.har.windows import WindowSet

if TYPE_CHECKING:
    import keras

MEMORY = 0.5  # of the base's output weights is what those of the same activity are drawn towards
OUTPUT_RIDGE = 10.0
SHARPNESS = 8.0  # a score of 1 against 0, as a softmax of logits takes it
FINE_TUNING_EPOCHS, FINE_TUNING_RATE = 4, 3e-4  # a tenth of the rate of a training from scratch


class TransferredClassifier(ActivityClassifier):
    """ELM-GRU-AM that keeps how a trained model describes windows, and learns anew what activities look like in that.

    Kept are scaling, the choice of features, the random convolutions, the random layer of the head, and the network up
    to its last layer. From the new windows come, in closed form, the output weights of the head and of the network;
    and how both are combined, how confident an answer may be, what is familiar, and what personal heads look at.

    The head is drawn towards half of what the base knows of an activity of the same name: of few windows that decides,
    of many hardly anything (see `Sums.solve`). Half was best, or as good as any, for 1 to 50 windows an activity
    (KU-HAR's model under HAPT and MotionSense; on a watch at the wrist, WISDM's, it helps with 1 and 2 windows alone).

    Parameters
    ----------
    base : a fitted model, which stays as it is.
    alike : the base's activity that each of the new ones is, by name; see `counterparts`. Others are new to it.
    fine_tune : whether the network is trained on for some epochs, at a small rate; default False.
    rotation_augmentation, keep_sums : see `ModelConfig`; default False.
    """

    def __init__(
        self,
        base: ActivityClassifier,
        alike: Mapping[str, str] | None = None,
        *,
        fine_tune: bool = False,
        rotation_augmentation: bool = False,
        keep_sums: bool = False,
    ) -> None:
        config = replace(base.config, rotation_augmentation=rotation_augmentation, keep_sums=keep_sums)
        if fine_tune:
            config = replace(config, epochs=FINE_TUNING_EPOCHS, learning_rate=FINE_TUNING_RATE)
        super().__init__(config)
        self.base, self.alike, self.fine_tune = base, alike or {}, fine_tune

    def new_elm(self, seed: int) -> ExtremeLearningMachine:
        """Return a head with the base's random layer, drawn towards what the base knows of the same activities."""
        return head_on(self.base, self.activities, self.alike)

    def _fit(self, windows: WindowSet, epochs: int | None, seed: int, on_event: OnEvent) -> None:
        self.base._check(windows)
        super()._fit(windows, epochs, seed, on_event)

    def _new_describer(self, windows: WindowSet, fitted: IntArray, seed: int) -> WindowDescriber:
        return self.base.describer_

    def _select_and_scale(self, part: TrainingPart, seed: int) -> FloatArray:
        base = self.base
        self.importances_, self.selected_ = base.importances_, base.selected_
        self.frame_scaler_, self.window_scaler_, self.compander_ = (
            base.frame_scaler_,
            base.window_scaler_,
            base.compander_,
        )
        self.window_columns_ = base.window_columns_
        return self.window_scaler_(part.description.whole, np.inf)

    def _fit_network_and_combination(
        self,
        part: TrainingPart,
        scores: dict[tuple[bool, ...], FloatArray],
        epochs: int | None,
        seed: int,
        on_event: OnEvent,
    ) -> None:
        inputs = self._network_inputs(part.description, np.ones((len(part.y), len(self.sensors)), bool))
        embedding = self.base.network_(inputs)["embedding"]
        self.network_ = self._with_outputs(embedding[part.fitted], part.y[part.fitted])
        if self.fine_tune:
            super()._fit_network_and_combination(part, scores, epochs, seed, on_event)
            return
        on_event({"stage": Stage.CALIBRATION, "fraction": 0.8})
        of_held_out = {name: x[part.held_out] for name, x in inputs.items()}
        self.combinations_ = {}
        for pattern, score in scores.items():
            of_held_out["present"] = np.tile(np.array(pattern, np.float32), (len(part.held_out), 1))
            log_p = np.log(self.network_(of_held_out)["activity"] + 1e-7)
            self.combinations_[pattern] = fit_combination(log_p, self._head_scores(score), part.y[part.held_out])
        self.network_ = self._with_outputs(embedding, part.y)

    def _with_outputs(self, embedding: FloatArray, y: IntArray) -> PlainNetwork:
        """Return the base's network with a last layer for these activities, solved in closed form."""
        rows = np.append(embedding, np.ones((len(embedding), 1), np.float32), axis=1).astype(np.float64)
        targets = np.eye(len(self.activities))[y]
        solved = SHARPNESS * Sums.of(rows, targets, self.elm_.weights[y]).solve(OUTPUT_RIDGE)
        outputs = {"activity": solved[:-1].astype(np.float32), "activity bias": solved[-1].astype(np.float32)}
        return PlainNetwork(self.sensors, {**self.base.network_.arrays, **outputs})

    def _build_network(self, description: Description, seed: int) -> keras.Model:
        network = super()._build_network(description, seed)
        network_weights.load_into(network, self.network_.arrays, len(self.sensors))
        return network


def head_on(base: ActivityClassifier, activities: Sequence[str], alike: Mapping[str, str]) -> ExtremeLearningMachine:
    """Return a head of these activities that was not fitted yet, drawn towards what a base knows of those alike."""
    elm = base.new_elm(base.elm_.seed)
    for present, beta in base.elm_.betas.items():
        centre = elm.centres[present] = np.zeros((len(beta), len(activities)), np.float32)
        for output, name in enumerate(activities):
            if name in alike:
                centre[:, output] = MEMORY * beta[:, base.activities.index(alike[name])]
    return elm


def counterparts(
    activities: Sequence[str], names: Mapping[str, str], of_base: Sequence[str], base_names: Mapping[str, str]
) -> dict[str, str]:
    """Return the base's activity of the same name, or else of the same shared name, for each that has one.

    Parameters
    ----------
    names, base_names : the shared name of activities, where somebody has chosen another than the usual one.
    """
    shared = {base_names.get(name, shared_name(name)): name for name in reversed(of_base)}
    shared = {name: own for name, own in shared.items() if name and name != OTHER}
    same = {
        name: name if name in of_base else shared.get(names.get(name, shared_name(name)), "") for name in activities
    }
    return {name: own for name, own in same.items() if own}
