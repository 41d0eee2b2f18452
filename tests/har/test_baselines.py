"""Every registered model keeps the same promises."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from app.har.baselines import MODELS, make_classifier
from app.har.classifier import ActivityClassifier
from app.har.errors import InsufficientData, UnusableRecording
from app.har.splits import fold_windows, split_windows
from app.har.types import Event, WindowSet
from tests import synthetic

SMALL = {"n_selected": 40, "units": 16, "elm_nodes": 150, "elm_ridge": 1.0}
STAGES = {"random-forest": {"features", "forest"}, "lstm": {"network"}, "cnn": {"network"}}


@pytest.fixture(scope="module")
def windows() -> WindowSet:
    windows = synthetic.window_set(6)
    return replace(windows, activities=(*windows.activities, "Never seen"))


def test_the_registry_has_the_four_models_of_the_comparison() -> None:
    assert list(MODELS) == ["elm-gru-am", "random-forest", "lstm", "cnn"]
    assert all(name == model.name for name, model in MODELS.items())


@pytest.mark.parametrize("name", MODELS)
def test_every_model_learns_reports_predicts_and_refuses(name: str, windows: WindowSet) -> None:
    events: list[Event] = []
    model = make_classifier(name, SMALL if name == "elm-gru-am" else {})
    new = windows.subjects == "6"
    assert model.fit(windows.take(~new), epochs=12, seed=0, on_event=events.append) is model

    proba = model.predict_proba(windows)
    assert proba.shape == (len(windows), 4)
    assert proba.dtype == np.float32
    np.testing.assert_allclose(proba.sum(axis=1), 1, rtol=1e-4)
    assert proba[:, 3].max() < 0.5  # an activity without windows
    assert (proba[new].argmax(axis=1) == windows.y[new]).mean() > 0.6  # a person it has not seen; chance is 0.33
    np.testing.assert_allclose(model.predict_proba(windows.take(new)), proba[new], atol=1e-4)
    assert model.predict_proba(windows.take(np.zeros(len(windows), bool))).shape == (0, 4)

    assert {event["model"] for event in events} == {name}
    assert {event["stage"] for event in events} >= STAGES.get(name, {"features", "selection", "head", "network"})
    epochs = [event["epoch"] for event in events if "epoch" in event]
    assert epochs == list(range(1, len(epochs) + 1))
    assert (len(epochs) == 0) == (name == "random-forest")

    with pytest.raises(UnusableRecording, match="expects the channels"):
        model.predict_proba(replace(windows, channels=tuple("abcdef")))
    with pytest.raises(InsufficientData):
        make_classifier(name).fit(windows.take(windows.y == 1))
    with pytest.raises(ValueError, match="fit the model first"):
        make_classifier(name).predict_proba(windows)


def test_labels_that_only_identify_people_are_worth_nothing_by_subject() -> None:
    """Everyone has a signature and one label drawn by lot: known people are recognised, new ones are guessed."""
    rng = np.random.default_rng(3)
    n_subjects, each = 60, 6
    subject = np.repeat(np.arange(n_subjects), each)
    signature = rng.normal(0, 1, (n_subjects, 1, 6)) + rng.normal(0, 1, (n_subjects, 60, 6))
    X = (signature[subject] + rng.normal(0, 0.1, (len(subject), 60, 6))).astype(np.float32)
    windows = synthetic.window_set(1, window_length_s=1.2)
    names = np.array([f"s{s:02d}" for s in subject])
    windows = replace(
        windows, X=X, y=np.repeat(rng.permutation(n_subjects) % 2, each), activities=("a", "b"),
        subjects=names, recordings=names, start_s=np.tile(np.arange(each, dtype=float), n_subjects),
    )  # fmt: skip

    def accuracy(train: np.ndarray, test: np.ndarray) -> float:  # type: ignore[type-arg]
        model = make_classifier("random-forest").fit(windows.take(train))
        return float((model.predict_proba(windows.take(test)).argmax(axis=1) == windows.y[test]).mean())

    known = split_windows(windows, "random")
    assert accuracy(known.train, known.test) > 0.9
    new = [accuracy(fold.train, fold.test) for fold in fold_windows(windows, "subject", 5)]
    assert 0.25 < np.mean(new) < 0.75


def test_options_reach_the_model() -> None:
    model = make_classifier("elm-gru-am", {"units": 16, "elm_nodes": 7})
    assert isinstance(model, ActivityClassifier)
    assert (model.config.units, model.config.elm_nodes) == (16, 7)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [("xgboost", {}, "known are elm-gru-am"), ("elm-gru-am", {"unit": 3}, "no such option")],
)
def test_an_unknown_model_or_option_is_refused(name: str, options: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_classifier(name, options)
