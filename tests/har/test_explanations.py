"""Explanations add up, find what decides, and are refused where taking away what they name changes little."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from app.har.classifiers.elm_gru_am.classifier import ActivityClassifier
from app.har.classifiers.elm_gru_am.persistence import load_model
from app.har.classifiers.elm_gru_am.scaling import CLIP
from app.har.explanations import about, faithfulness
from app.har.explanations.cells import Cells, average_movement
from app.har.explanations.contributions import contributions, groups_of
from app.har.explanations.explain import MOST_WINDOWS, Explainer
from app.har.explanations.neighbours import NEAREST, Examples
from app.har.explanations.values import cell_values
from app.har.explanations.words import movement_in_words
from app.har.windows import WindowSet
from tests import synthetic
from tests.trained import Example


@pytest.fixture(scope="module")
def model(small_base: Path) -> ActivityClassifier:
    """Return a small model of movement without gravity at 50 Hz."""
    return load_model(small_base)


@pytest.fixture(scope="module")
def windows() -> WindowSet:
    """Return windows of people whom the small model has not learnt from."""
    return synthetic.window_set(subjects=8)


def test_the_cells_of_a_window_are_the_window_and_without_them_it_is_average_movement(
    model: ActivityClassifier, windows: WindowSet
) -> None:
    cells = Cells.of(model)
    cut = cells.cut(windows.X[:2])
    everything = np.ones((2, len(cells)), bool)
    rows = np.arange(2)
    np.testing.assert_allclose(cut.with_cells(rows, everything), windows.X[:2], atol=1e-4)
    np.testing.assert_allclose(cut.with_cells(rows, ~everything)[1], average_movement(model), atol=1e-4)
    np.testing.assert_allclose(cells.moments.sum(axis=0), 1, atol=1e-6)
    one = everything.copy()
    one[:, 0] = False  # the slow part of the first moment of the first sensor: nothing else may change
    changed = np.abs(cut.with_cells(rows, one) - windows.X[:2]).max(axis=0)
    first = cells.list[0]
    late = np.arange(model.n_timesteps) / model.sampling_rate_hz > first.end_s + 0.1
    assert changed[late].max() < 1e-4
    others = [i for i in range(len(model.channels)) if i not in cells.sensors[first.sensor]]
    assert changed[:, others].max() < 1e-4


def test_contributions_add_up_to_how_much_likelier_the_answer_is(model: ActivityClassifier, windows: WindowSet) -> None:
    some = windows.take(slice(0, 12))
    p = model.predict_proba(some)
    answers, others = np.argsort(-p, axis=1)[:, :2].T
    description = model.describer_(some)
    missing = model.layout.missing(some.X)
    found = contributions(model, groups_of(model), description.whole, missing, p, answers, others)
    scaled = model.window_scaler_(description.whole, np.inf)
    present = model.listened_to(scaled, missing)
    rows = np.arange(len(some))
    scores = model.elm_.predict(np.clip(scaled, -CLIP, CLIP), model.layout.complete_blocks(present))
    weight = np.array([model.combinations_[tuple(row)] for row in present])
    of_head = weight[:, 1] * (scores[rows, answers] - scores[rows, others])
    np.testing.assert_allclose(found.groups.sum(axis=1) + found.start, of_head, atol=2e-3)
    log_p = np.log(model.network_(model._network_inputs(description, present))["activity"] + 1e-7)
    of_network = weight[:, 0] * (log_p[rows, answers] - log_p[rows, others])
    np.testing.assert_allclose(found.network, of_network, atol=2e-3)


def test_a_group_s_contribution_is_what_it_adds_on_the_way_from_the_average_window(
    model: ActivityClassifier, windows: WindowSet
) -> None:
    one = windows.take(slice(3, 4))
    p = model.predict_proba(one)
    answers, others = np.argsort(-p, axis=1)[:, :2].T
    groups = groups_of(model)
    whole = model.describer_(one).whole
    missing = model.layout.missing(one.X)
    found = contributions(model, groups, whole, missing, p, answers, others)
    scaled = model.window_scaler_(whole, CLIP)
    present = model.listened_to(model.window_scaler_(whole, np.inf), missing)
    weight = model.combinations_[tuple(present[0])][1]
    way, step = (np.arange(400) + 0.5) / 400, 1e-3  # the same by small steps
    added = []
    for group in groups:
        there, further = np.outer(way, scaled[0]), np.outer(way, scaled[0])
        further[:, group.columns] += step * scaled[0, group.columns]
        blocks = np.repeat(model.layout.complete_blocks(present), len(way), axis=0)
        before, after = (model.elm_.predict(x.astype(np.float64), blocks) for x in (there, further))
        slope = (after - before)[:, answers[0]] - (after - before)[:, others[0]]
        added.append(weight * slope.mean() / step)
    np.testing.assert_allclose(found.groups[0], added, atol=0.02 * np.abs(added).max())


def test_what_is_said_to_matter_decides_more_than_chance_and_its_opposite_does_not(
    model: ActivityClassifier, windows: WindowSet
) -> None:
    some = faithfulness.even_sample(windows, 6)
    cells = Cells.of(model)
    rankings = {
        "ours": lambda X, answers: cell_values(model, cells, X, answers),
        "opposite": lambda X, answers: -cell_values(model, cells, X, answers),
    }
    found, answers = faithfulness.gains(model, cells, some, rankings)
    assert (answers == model.predict_proba(some).argmax(axis=1)).all()
    ours, opposite = (gain.mean(axis=0) for gain in found.values())
    assert (ours > 0).all()
    assert (opposite < ours).all()
    assert not faithfulness.passes(opposite.tolist())


def test_an_interval_is_over_people_not_over_windows() -> None:
    gain = np.repeat([[0.1, 0.3], [0.5, 0.3]], 50, axis=0)  # one person's windows are all alike
    found = faithfulness.interval(gain, np.repeat(["a", "b"], 50))
    assert found["deletion"] == pytest.approx([0.3, 0.1, 0.5])
    assert found["insertion"] == pytest.approx([0.3, 0.3, 0.3])


def test_an_explanation_names_answer_rhythm_and_what_would_change_it(
    model: ActivityClassifier, windows: WindowSet
) -> None:
    walking = windows.take(np.flatnonzero(windows.y == windows.y[0])[:10])
    explained = Explainer(model).explain(walking)
    p = model.predict_proba(walking)
    assert explained["windows"] == MOST_WINDOWS
    assert explained["answer"] == model.activities[int(p.mean(axis=0).argmax())]
    assert explained["other"] != explained["answer"]
    assert explained["features"][0]["value"] > 0
    shown = [cell["value"] for cell in explained["cells"]]
    assert len(shown) == len(Cells.of(model))
    if change := explained["change"]:
        assert change["answer"] != explained["answer"]
        assert min(shown[i] for i in change["cells"]) > 0


@pytest.mark.parametrize("gravity", ["included", "removed"])
def test_a_movement_is_told_by_rhythm_strength_and_direction(gravity: str) -> None:
    time_s = np.arange(300) / 100
    X = np.zeros((300, 3), np.float32)
    X[:, 1] = 2 * np.sin(2 * np.pi * 1.9 * time_s)
    if gravity == "included":
        X[:, 1] += 9.81
    X += np.random.default_rng(0).normal(0, 0.1, X.shape)
    (words,) = movement_in_words(X, ("acc_x", "acc_y", "acc_z"), 100.0, gravity)  # type: ignore[arg-type]
    where = "up and down" if gravity == "included" else "along the y axis of the device"
    assert words == f"Movement at 1.9 Hz, 1.4 m/s², strongest {where}."
    (still,) = movement_in_words(0 * X, ("acc_x", "acc_y", "acc_z"), 100.0, "removed")
    assert still.startswith("Hardly any movement")


def test_nothing_is_explained_by_a_model_that_was_tested_too_little_or_failed(model: ActivityClassifier) -> None:
    few = about.about(model, synthetic.window_set(subjects=2).take(slice(0, 12)))
    assert "too few" in about.why_not(few)
    assert "not tested" in about.why_not(None)
    tested = {"passed": True, "windows": 90, "people": 4, "answers": {"Walk": [0.4, 0.3], "Sit": [0.1, 0.1]}}
    assert about.why_not({"test": tested}, "Walk") == about.why_not({"test": tested}, "Run") == ""
    assert "“Sit”" in about.why_not({"test": tested}, "Sit")
    assert "not clearly better than chance" in about.why_not({"test": {**tested, "passed": False}})


def test_the_example_nearest_to_a_window_is_itself(example_model: Example) -> None:
    model = load_model(example_model.model)
    examples = Examples.of(model, example_model.store.signals)
    nearest = examples.nearest(model, examples.windows.take(slice(7, 8)))
    assert nearest[0] == 7
    assert len(nearest) == NEAREST
