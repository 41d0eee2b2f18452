"""Other movements that training data hold: found on people and devices left out, and known activities left alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.har.classifiers import model_folder
from app.har.classifiers.everyday.besides import Besides, fit_besides
from app.har.classifiers.everyday.classifier import EverydayClassifier
from app.har.classifiers.everyday.forest import LEAF, Forest
from app.har.classifiers.everyday.persistence import load_model, save_model
from app.har.windows import WindowSet
from tests import everyday

JUMPING = "Jumping"


def jumping(person: int, n_windows: int, name: str) -> WindowSet:
    """Return windows of somebody who jumps: as strong as running, slower, and with both feet at once."""
    windows = everyday.windows_of([("Running", n_windows)], person, name=name, recording=name)
    time = np.arange(n_windows * everyday.N) / 50 + person
    jumps = 14 * np.maximum(0, np.sin(2 * np.pi * 1.3 * time)) ** 6 - 4
    x = 0.15 * windows.X
    x[:, :, 6:] = windows.X[:, :, 6:]
    x[:, :, :3] += (jumps.reshape(n_windows, -1)[:, :, None] * everyday.rotation(person)[:, 1]).astype(np.float32)
    activities = (*everyday.ACTIVITIES, JUMPING)
    return replace(windows, X=x, y=np.full(n_windows, len(activities) - 1), activities=activities)


def with_jumping(n_windows: int) -> WindowSet:
    known = [everyday.data_set(name) for name in everyday.PLACE_OF]
    known = [replace(part, activities=(*everyday.ACTIVITIES, JUMPING)) for part in known]
    return WindowSet.joined([*known, *(jumping(person, n_windows, f"gym/{person}") for person in (51, 52))])


@pytest.fixture(scope="module")
def model() -> EverydayClassifier:
    return EverydayClassifier(everyday.PLACE_OF).fit(with_jumping(110), seed=1)


def test_somebody_else_s_jumping_is_unfamiliar_and_known_activities_are_answered(model: EverydayClassifier) -> None:
    assert model.besides_ is not None
    assert model.besides_.movements == (JUMPING,)
    assert (model.recognise_all([jumping(77, 12, "new/1")]).novelty[:, 0] > 1).mean() > 0.8
    day = everyday.windows_of(everyday.DAY, 78)
    moving = everyday.model().recognise_all([day]).novelty[:, 0] <= 1  # by the distance to known activities alone
    assert (model.recognise_all([day]).novelty[moving, 0] <= 1).mean() > 0.97


def test_what_the_questions_answer_does_not_depend_on_other_movements(model: EverydayClassifier) -> None:
    day = everyday.windows_of(everyday.DAY, 78)
    with_others, without = (one.recognise_all([day]).probabilities for one in (model, everyday.model()))
    np.testing.assert_allclose(with_others, without, atol=1e-6)


def test_rest_is_no_other_movement(model: EverydayClassifier) -> None:
    leaf = Forest(
        np.array([LEAF], np.int16), np.zeros(1, np.float32), np.zeros(1, np.int32), np.array([[0, 1]], np.float16),
        np.zeros(1, np.int32),
    )  # fmt: skip
    called = EverydayClassifier(everyday.PLACE_OF)
    everything = Besides((JUMPING,), np.full(1, 0.5, np.float32), leaf)
    vars(called).update(vars(model) | {"besides_": everything})
    standing, walking = (everyday.windows_of([(name, 12)], 79) for name in ("Standing", "Walking"))
    assert (called.recognise_all([standing]).novelty[:, 0] <= 1).all()
    assert (called.recognise_all([walking]).novelty[:, 0] > 1).all()


def test_a_movement_of_less_than_ten_minutes_is_not_learnt() -> None:
    plain = everyday.model()
    training, others = plain._training(with_jumping(50))
    assert len(others.node) == 100
    assert set(others.node.tolist()) == {JUMPING}
    assert fit_besides(training, others, plain.columns, seed=0) is None


def test_a_movement_that_is_only_in_the_data_set_left_out_has_no_limit_from_it(model: EverydayClassifier) -> None:
    windows = with_jumping(110)
    training, others = model._training(windows)
    of_pockets = replace(others, dataset=np.full(len(others.node), "pockets"))
    besides = fit_besides(training, of_pockets, model.columns, seed=0)
    assert isinstance(besides, Besides)  # the other data set, left out, shows what known windows look like
    of_both = replace(training, dataset=np.full(len(training.node), "gym"))
    assert fit_besides(of_both, others, model.columns, seed=0) is not None  # then by people


def test_a_stored_model_keeps_its_other_movements_and_one_from_before_has_none(
    model: EverydayClassifier, tmp_path: Path
) -> None:
    save_model(model, tmp_path / "now")
    windows = WindowSet.joined([jumping(77, 6, "new/1")])
    stored = load_model(tmp_path / "now")
    assert stored.besides_ is not None
    np.testing.assert_allclose(
        stored.recognise_all([windows]).novelty, model.recognise_all([windows]).novelty, rtol=1e-5
    )
    manifest, arrays = model_folder.read(tmp_path / "now")
    del manifest["other_movements"]
    before = {name: array for name, array in arrays.items() if not name.startswith("besides_")}
    model_folder.write(tmp_path / "before", manifest, before, {})
    assert load_model(tmp_path / "before").besides_ is None
