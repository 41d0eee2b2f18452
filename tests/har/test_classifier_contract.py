"""Every registered model keeps the same contract: small named checks on tiny settings, whatever it has learnt by them.

That models learn is tested apart, in `test_classifier` and `test_baselines`. TensorFlow runs step by step here: to
compile a network takes it longer than to train one for a moment.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import replace
from functools import cached_property

import numpy as np
import pytest

from app.har.classifiers import catalogue
from app.har.classifiers.base import Classifier
from app.har.classifiers.baselines.on_features import PlainELM, RandomForest
from app.har.classifiers.catalogue import CATALOGUE, DEPLOYABLE_MODEL, EVERYDAY_MODEL
from app.har.classifiers.elm_gru_am.classifier import ActivityClassifier
from app.har.classifiers.elm_gru_am.config import ModelConfig
from app.har.classifiers.everyday.classifier import EverydayClassifier
from app.har.classifiers.keras_training import tensorflow_quietly
from app.har.classifiers.registry import MODELS
from app.har.errors import InsufficientData, UnusableRecording
from app.har.progress import Event, OnEvent, Stage, ignore_event
from app.har.types import FloatArray
from app.har.windows import WindowSet
from tests import everyday, synthetic

TINY = ModelConfig(n_selected=8, units=4, filters=2, elm_nodes=20, elm_convolutions=4)
MAKE: dict[str, Callable[[], Classifier]] = {
    **MODELS,
    EVERYDAY_MODEL: lambda: EverydayClassifier(everyday.PLACE_OF),
    DEPLOYABLE_MODEL: lambda: ActivityClassifier(TINY),
    "random-forest": lambda: RandomForest(n_trees=5),
    "plain-elm": lambda: PlainELM(n_nodes=20),
}
STAGES = {
    catalogue.KINELAB: [Stage.FEATURES, Stage.SELECTION, Stage.HEAD, Stage.NETWORK, Stage.CALIBRATION],
    catalogue.FEATURES: [Stage.FEATURES, Stage.LEARNING],
    catalogue.NETWORKS: [Stage.NETWORK],
}
SEED = 3


class Candidate:
    """A model to be checked, fitted at the first use of ``fitted``."""

    def __init__(self, name: str, windows: WindowSet) -> None:
        self.name, self.windows = name, windows
        self.model = self.make()
        self.parameters, self.windows_before = deepcopy(vars(self.model)), deepcopy(windows)
        self.events: list[Event] = []

    def make(self) -> Classifier:
        return MAKE[self.name]()

    def fit(self, model: Classifier, on_event: OnEvent = ignore_event) -> Classifier:
        return model.fit(self.windows, epochs=1, seed=SEED, on_event=on_event)

    @cached_property
    def fitted(self) -> Classifier:
        return self.fit(self.model, self.events.append)

    @cached_property
    def answer(self) -> FloatArray:
        return self.fitted.predict_proba(self.windows)


@pytest.fixture(scope="module", autouse=True)
def step_by_step() -> Iterator[None]:
    tensorflow_quietly()
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture(scope="module")
def windows() -> WindowSet:
    """Return windows of four people, of two sensors of one axis each, with an activity that nobody did."""
    windows = synthetic.window_set(4, seconds=2, window_length_s=1.0, rate_hz=20.0)
    activities, y = ("Rest", "Nobody did", "Walk", "Run"), np.array([0, 2, 3])[windows.y]
    return replace(windows, X=windows.X[:, :, [0, 3]], channels=("acc_x", "gyro_x"), activities=activities, y=y)


@pytest.fixture(scope="module", params=[name for name in MODELS if name != EVERYDAY_MODEL])
def candidate(request: pytest.FixtureRequest, windows: WindowSet) -> Candidate:
    return Candidate(request.param, windows)


def the_name_is_that_of_the_registry(candidate: Candidate) -> None:
    assert candidate.make().name == candidate.name


def use_before_a_fit_is_refused(candidate: Candidate) -> None:
    with pytest.raises(ValueError, match="fit the model first"):
        candidate.make().predict_proba(candidate.windows)


def fit_returns_the_model_and_changes_neither_windows_nor_parameters(candidate: Candidate) -> None:
    assert candidate.fitted is candidate.model
    assert {name: vars(candidate.model)[name] for name in candidate.parameters} == candidate.parameters
    for name in ("X", "y", "subjects", "recordings", "start_s"):
        np.testing.assert_array_equal(getattr(candidate.windows, name), getattr(candidate.windows_before, name))


def what_was_fitted_is_declared_and_named_with_an_underscore(candidate: Candidate) -> None:
    learnt = set(vars(candidate.fitted)) - set(vars(candidate.make()))
    declared = {name for kind in type(candidate.fitted).__mro__ for name in vars(kind).get("__annotations__", ())}
    assert learnt
    assert {name for name in learnt if not name.endswith("_") or name.startswith("_")} == set()
    assert learnt <= declared


def probabilities_are_a_row_a_window_and_a_column_an_activity(candidate: Candidate) -> None:
    assert candidate.fitted.activities == candidate.windows.activities
    assert candidate.answer.shape == (len(candidate.windows), len(candidate.windows.activities))
    assert candidate.answer.dtype == np.float32
    assert candidate.answer.min() >= 0
    np.testing.assert_allclose(candidate.answer.sum(axis=1), 1, rtol=1e-4)
    assert candidate.fitted.predict_proba(candidate.windows.take(slice(0, 0))).shape == (0, 4)


def a_window_gets_the_same_answer_in_any_company(candidate: Candidate) -> None:
    some = np.array([7, 2, 20])
    np.testing.assert_allclose(
        candidate.fitted.predict_proba(candidate.windows.take(some)), candidate.answer[some], atol=1e-4
    )


def the_same_seed_gives_the_same_answer(candidate: Candidate) -> None:
    again = candidate.fit(candidate.make())
    np.testing.assert_allclose(again.predict_proba(candidate.windows), candidate.answer, atol=1e-5)


def windows_of_another_format_are_refused(candidate: Candidate) -> None:
    windows = candidate.windows
    others = {
        "expects the channels": replace(windows, channels=windows.channels[::-1]),
        "at 20 Hz": replace(windows, sampling_rate_hz=40.0),
        "windows of 20 samples": replace(windows, X=windows.X[:, :10]),
        "and 2 channels": replace(windows, X=windows.X[:, :, :1]),
        "gravity removed; here it is included": replace(windows, gravity="included"),
    }
    for message, other in others.items():
        with pytest.raises(UnusableRecording, match=message):
            candidate.fitted.predict_proba(other)


def values_that_are_no_numbers_are_refused(candidate: Candidate) -> None:
    model = candidate.make()
    for value in (np.nan, np.inf):
        X = candidate.windows.X.copy()
        X[1, 3, 1] = value
        spoilt = replace(candidate.windows, X=X)
        for use in (candidate.fitted.predict_proba, model.fit):
            with pytest.raises(UnusableRecording, match="missing or infinite"):
                use(spoilt)


def a_missing_sensor_is_accepted_by_elm_gru_am_alone(candidate: Candidate) -> None:
    X = candidate.windows.X.copy()
    X[1, :, 1] = np.nan
    without_gyroscope = replace(candidate.windows, X=X)
    if candidate.name == DEPLOYABLE_MODEL:
        assert np.isfinite(candidate.fitted.predict_proba(without_gyroscope)).all()
    else:
        with pytest.raises(UnusableRecording, match="missing or infinite"):
            candidate.fitted.predict_proba(without_gyroscope)


def events_name_the_model_known_stages_and_the_epochs(candidate: Candidate) -> None:
    assert isinstance(candidate.fitted, Classifier)
    events, family = json.loads(json.dumps(candidate.events)), CATALOGUE[candidate.name].family  # between processes
    assert {event["model"] for event in events} == {candidate.name}
    assert list(dict.fromkeys(Stage(event["stage"]) for event in events)) == STAGES[family]
    epochs = [event for event in events if "epoch" in event]
    assert bool(epochs) == (family != catalogue.FEATURES)
    assert [event["epoch"] for event in epochs] == list(range(1, len(epochs) + 1))
    for event in epochs:
        assert event["epochs"] == len(epochs)
        assert event["loss"] > 0
        assert 0 <= event["accuracy"] <= 1


def one_activity_or_none_cannot_be_learnt(candidate: Candidate) -> None:
    windows = candidate.windows
    one, none = windows.take(windows.y == 2), windows.take(slice(0, 0))
    unlabelled = replace(windows, y=np.where(windows.y == 0, -1, windows.y))
    for useless, message in ((one, "at least 2 activities"), (none, "no window"), (unlabelled, "no activity")):
        with pytest.raises(InsufficientData, match=message):
            candidate.make().fit(useless)


def whoever_stops_a_fit_has_no_model(candidate: Candidate) -> None:
    def stop(event: Event) -> None:
        raise KeyboardInterrupt

    model = candidate.make()
    with pytest.raises(KeyboardInterrupt):
        candidate.fit(model, stop)
    with pytest.raises(ValueError, match="fit the model first"):
        model.predict_proba(candidate.windows)


CHECKS = (
    the_name_is_that_of_the_registry,
    use_before_a_fit_is_refused,
    fit_returns_the_model_and_changes_neither_windows_nor_parameters,
    what_was_fitted_is_declared_and_named_with_an_underscore,
    probabilities_are_a_row_a_window_and_a_column_an_activity,
    a_window_gets_the_same_answer_in_any_company,
    the_same_seed_gives_the_same_answer,
    windows_of_another_format_are_refused,
    values_that_are_no_numbers_are_refused,
    a_missing_sensor_is_accepted_by_elm_gru_am_alone,
    events_name_the_model_known_stages_and_the_epochs,
    one_activity_or_none_cannot_be_learnt,
    whoever_stops_a_fit_has_no_model,
)


@pytest.mark.filterwarnings("ignore:Even though the `tf.config.experimental_run_functions_eagerly`")
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_a_model_keeps_the_contract(check: Callable[[Candidate], None], candidate: Candidate) -> None:
    check(candidate)


@pytest.fixture(scope="module")
def everyday_candidate() -> Candidate:
    return Candidate(EVERYDAY_MODEL, everyday.training())


@pytest.mark.parametrize(
    "check",
    [
        the_name_is_that_of_the_registry,
        use_before_a_fit_is_refused,
        fit_returns_the_model_and_changes_neither_windows_nor_parameters,
        what_was_fitted_is_declared_and_named_with_an_underscore,
        one_activity_or_none_cannot_be_learnt,
        whoever_stops_a_fit_has_no_model,
    ],
    ids=lambda check: check.__name__,
)
def test_the_everyday_model_keeps_what_does_not_hang_on_single_windows(
    check: Callable[[Candidate], None], everyday_candidate: Candidate
) -> None:
    check(everyday_candidate)
