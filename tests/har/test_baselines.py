"""The baselines learn, and the registry makes what the catalogue describes; see also `test_classifier_contract`."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from app.har.classifiers import keras_training
from app.har.classifiers.base import Classifier
from app.har.classifiers.baselines import networks, on_features, raw_networks
from app.har.classifiers.catalogue import CATALOGUE, families
from app.har.classifiers.elm_gru_am.classifier import ActivityClassifier
from app.har.classifiers.registry import MODELS, make_classifier
from app.har.errors import UnusableRecording
from app.har.evaluation.splits import fold_windows, split_windows
from app.har.training.config import TrainConfig
from app.har.windows import WindowSet
from tests import synthetic


@pytest.fixture(scope="module")
def windows() -> WindowSet:
    windows = synthetic.window_set(6, seconds=8, window_length_s=1.0, rate_hz=25.0)
    return replace(windows, activities=("Rest", "Never seen", "Walk", "Run"), y=np.array([0, 2, 3])[windows.y])


def test_every_model_is_in_the_catalogue_and_a_run_compares_four_unless_told_otherwise() -> None:
    assert list(MODELS) == list(CATALOGUE)
    assert all(name == model.name for name, model in MODELS.items())
    assert [name for group in families().values() for name in group] == list(CATALOGUE)
    assert TrainConfig().models == ("elm-gru-am", "random-forest", "lstm", "cnn")


def test_an_answer_that_is_no_number_is_not_given(windows: WindowSet, monkeypatch: pytest.MonkeyPatch) -> None:
    model = on_features.NaiveBayes().fit(windows)
    answer = model.predict_proba(windows)
    answer[7] = np.nan
    monkeypatch.setattr(model, "_predict_proba", lambda _: answer)
    with pytest.raises(UnusableRecording, match=f"not a number for 1 of {len(windows)} windows"):
        model.predict_proba(windows)


@pytest.mark.parametrize(
    "model",
    [
        on_features.RandomForest(n_trees=30),
        on_features.SVM(),
        on_features.NearestNeighbours(),
        on_features.DecisionTree(),
        on_features.NaiveBayes(),
        on_features.PlainELM(n_nodes=150),
        raw_networks.LSTM(),
        raw_networks.CNN(),
        raw_networks.DeepConvLSTM(),
        raw_networks.Transformer(),
    ],
    ids=lambda model: model.name,
)
def test_a_model_recognises_a_person_it_has_not_seen(model: Classifier, windows: WindowSet) -> None:
    new = windows.subjects == "6"
    model.fit(windows.take(~new), epochs=6)
    proba = model.predict_proba(windows)
    assert (proba[new].argmax(axis=1) == windows.y[new]).mean() > 0.8  # chance is 0.33
    assert proba[:, 1].max() < 0.5  # an activity without windows


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
        model = on_features.RandomForest(n_trees=30).fit(windows.take(train))
        return float((model.predict_proba(windows.take(test)).argmax(axis=1) == windows.y[test]).mean())

    known = split_windows(windows, "random")
    assert accuracy(known.train, known.test) > 0.9
    new = [accuracy(fold.train, fold.test) for fold in fold_windows(windows, "subject", 5)]
    assert 0.25 < np.mean(new) < 0.75


@pytest.mark.parametrize(
    "model", [on_features.SVM(), on_features.PlainELM(150), on_features.NaiveBayes()], ids=lambda model: model.name
)
def test_two_activities_are_told_apart_too(model: Classifier, windows: WindowSet) -> None:
    two = windows.take(windows.y != 2)
    proba = model.fit(two).predict_proba(two)
    assert (proba.argmax(axis=1) == two.y).mean() > 0.9
    assert not proba[:, [1, 2]].any()


def test_the_random_features_of_the_public_recipe_are_drawn_by_the_seed_and_not_trained() -> None:
    keras = keras_training.tensorflow_quietly()
    drawn = []
    for seed in (0, 0, 1):
        keras.utils.set_random_seed(seed)
        (layer,) = (layer for layer in networks.public_recipe(60, 6, 3).layers if layer.weights and not layer.trainable)
        drawn.append(layer.get_weights()[0])
    assert drawn[0].shape == (360, 100)
    assert np.array_equal(drawn[0], drawn[1])
    assert not np.array_equal(drawn[0], drawn[2])


def test_scores_are_sharpened_as_far_as_they_are_right() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 500)
    told = np.where(rng.random(500) < 0.7, y, rng.integers(0, 3, 500))  # right four times in five
    sharpness = on_features.fit_sharpness(np.eye(3, dtype=np.float32)[told], y)
    assert np.exp(sharpness) / (np.exp(sharpness) + 2) == pytest.approx((told == y).mean(), abs=0.01)


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
