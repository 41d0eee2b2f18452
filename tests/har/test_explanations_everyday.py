"""What moved the everyday model's answers adds up, decides more than chance, and is said with what was measured."""

from __future__ import annotations

import numpy as np
import pytest

from app.har.classifiers.everyday.answer import TREE, probabilities
from app.har.classifiers.everyday.evidence import gather
from app.har.explanations.everyday import Answered
from app.har.explanations.questions import CLIMBS, LEVEL, Questioned, aspect_of
from app.har.explanations.questions_tested import Examined, about_questions, gains
from tests import everyday

OUTING = [("Standing", 5), ("Walking", 9), ("Stairs up", 5), ("Stairs down", 5), ("Running", 6), ("Sitting", 5)]


@pytest.fixture(scope="module")
def tested() -> Examined:
    """Return an outing of somebody whom a small everyday model does not know."""
    return Examined.of(everyday.model(), everyday.windows_of(OUTING))


def test_what_was_asked_again_is_the_very_answer_and_its_parts_add_up(tested: Examined) -> None:
    rows = np.arange(len(tested.answers))
    asked = tested.asked(rows)
    np.testing.assert_allclose(asked.nodes, tested.nodes, atol=1e-5)
    nothing_taken = np.zeros((len(rows), 1, len(asked.parts)), bool)
    np.testing.assert_allclose(asked.without(nothing_taken)[:, 0], tested.nodes, atol=2e-3)
    for question in asked.asked.values():
        np.testing.assert_allclose(question.by_part[0], question.forest.predict_proba(question.values), atol=2e-3)


def test_what_is_said_to_matter_decides_more_than_chance_and_its_opposite_less(tested: Examined) -> None:
    rows = tested.sample(3)
    found = gains(tested, rows, {"ours": Questioned.values, "opposite": lambda *asked: -Questioned.values(*asked)})
    ours, opposite = (gain.mean() for gain in found.values())
    assert ours > 0 > opposite


def test_too_few_windows_say_nothing_of_a_model_but_what_it_is_told_by(tested: Examined) -> None:
    found = about_questions([tested])
    assert not found["test"]["passed"]
    assert 0 < found["test"]["windows"] <= len(tested.answers)
    assert "fast movement" in found["told_by"]["Running"]


def test_an_answer_is_explained_by_its_questions_with_what_was_measured(tested: Examined) -> None:
    windows = everyday.windows_of(OUTING)
    answered = Answered.of(everyday.model(), [windows.take(slice(0, 20)), windows.take(slice(20, 35))])
    track = tested.track
    evidence = gather(track, tested.model.columns, tested.model.questions_)
    np.testing.assert_allclose(answered.proba, probabilities(track, evidence, tested.model.calibration_), atol=1e-4)
    running = np.array([26, 27])
    said = answered.explain(running, windows.take(answered.around(running)), 0.5)
    assert said["answer"] == "Running"
    (level,) = said["questions"]
    assert level["title"] == "Still, on foot or running?"
    assert any(part["words"].startswith("fast movement: ") for part in level["told_by"])
    standing = np.array([1, 2, 3])
    both = np.concatenate([running, standing])
    many = answered.explain_each([running, standing], windows.take(answered.around(both)), 0.5)
    assert many == [said, answered.explain(standing, windows.take(answered.around(standing)), 0.5)]
    assert said["change"] is None or said["change"]["answer"] in TREE.nodes


def test_parts_of_a_question_are_told_apart_by_what_their_features_are_called() -> None:
    assert aspect_of("acc.amplitude.a.band0") == "slow"
    assert aspect_of("gyro.shape.w.share9") == "fast"
    assert aspect_of("acc.gait.a.harmonic0.5") == "rhythm"
    assert aspect_of("vertical.shape.v/h") == "axes"
    walk = Examined.of(everyday.model(), everyday.windows_of([("Walking", 9)]))
    asked: Questioned = walk.asked(np.array([4]))
    assert {part.question for part in asked.parts} >= {LEVEL, CLIMBS}
