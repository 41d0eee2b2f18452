"""The shared vocabulary: one name for what data sets call differently, and answers as deep as they are sure."""

from __future__ import annotations

import numpy as np
import pytest

from app.har.vocabulary import (
    OTHER,
    PARENT,
    AnswerTree,
    agree,
    inner_nodes,
    node_of,
    path_of,
    shared_name,
    shared_names,
)

KU_HAR = ("Stand", "Sit", "Lay", "Walk", "Run", "Stair-up", "Stair-down", "Jump")


@pytest.mark.parametrize(
    ("node", "names"),
    [
        ("Stairs up", ["stairsup", "WALKING_UPSTAIRS", "Stair-up", "ups", "Walking upstairs", "stairsUp"]),
        ("Stairs down", ["stairsdown", "WALKING_DOWNSTAIRS", "Stair-down", "dws", "downstairs"]),
        ("Sitting", ["Sit", "SITTING", "SEATED", "sit", "Talk-sit"]),
        ("Standing", ["Stand", "std", "STANDING", "Talk-stand"]),
        ("Lying", ["Lay", "LAYING", "lying down", "Lie"]),
        ("Walking", ["wlk", "WALKING", "Walk", "walk_backward"]),
        ("Running", ["jog", "Jogging", "Run"]),
        ("Not worn", ["not worn", "on table"]),
        (OTHER, ["Push-up", "SIT_TO_STAND", "Table-tennis", "kicking", "", "42"]),
    ],
)
def test_one_name_for_what_data_sets_call_differently(node: str, names: list[str]) -> None:
    assert {name: node_of(name) for name in names} == dict.fromkeys(names, node)


def test_every_node_leads_to_the_root_and_is_named_by_its_own_title() -> None:
    for node in PARENT:
        assert path_of(node)[-1] == "Uncertain"
        assert node_of(node) == node


def test_an_answer_is_the_deepest_node_that_is_sure() -> None:
    tree = AnswerTree(KU_HAR)
    proba = np.array(
        [
            [0.3, 0.3, 0.35, 0.05, 0, 0, 0, 0],  # some posture
            [0, 0, 0, 0.1, 0, 0.85, 0.05, 0],  # surely up
            [0, 0, 0, 0.1, 0, 0.5, 0.4, 0],  # stairs, either way
            [0, 0, 0, 0.5, 0, 0.3, 0.2, 0],  # on foot
            [0.2, 0, 0, 0.3, 0.5, 0, 0, 0],  # nothing
            [0, 0, 0, 0, 0, 0, 0, 1.0],
        ],
        np.float32,
    )
    answers = [tree.nodes[i] for i in tree.answers(proba, limit=0.8)]
    assert answers == ["Still", "Stair-up", "Stairs", "On foot", "Uncertain", "Jump"]


def test_the_probability_of_a_node_is_that_of_all_below_it() -> None:
    tree = AnswerTree(KU_HAR)
    proba = np.random.default_rng(0).dirichlet(np.ones(len(KU_HAR)), 50).astype(np.float32)
    of_nodes = dict(zip(tree.nodes, tree.probabilities(proba).T, strict=True))
    np.testing.assert_allclose(of_nodes["Stairs"], proba[:, 5] + proba[:, 6], rtol=1e-6)
    np.testing.assert_allclose(of_nodes["On foot"], proba[:, [3, 5, 6]].sum(axis=1), rtol=1e-5)
    np.testing.assert_allclose(of_nodes["Uncertain"], 1.0, rtol=1e-5)


def test_several_activities_of_one_node_can_be_left_open() -> None:
    tree = AnswerTree(("Walk", "Walk-circle", "Walk-backward", "Sit"))
    proba = np.array([[0.5, 0.3, 0.2, 0.0], [0.0, 0.95, 0.05, 0.0]], np.float32)
    assert [tree.nodes[i] for i in tree.answers(proba, 0.9)] == ["Walking", "Walk-circle"]
    assert tree.members("Walking") == ("Walk", "Walk-circle", "Walk-backward")
    assert tree.members("Sit") == ("Sit",)


def test_a_model_of_the_shared_names_has_each_node_once() -> None:
    tree = AnswerTree(("Sitting", "Walking", "Stairs up", "Stairs down", "Still"))
    assert len(set(tree.nodes)) == len(tree.nodes)


def test_a_node_that_all_activities_are_below_says_no_more_than_the_root() -> None:
    exercises = AnswerTree(tuple(f"exercise {i}" for i in range(10)))
    assert exercises.nodes == (*exercises.activities, "Uncertain")
    unsure = np.full((1, 10), 0.1, np.float32)
    assert exercises.answers(unsure, 0.8).tolist() == [10]


@pytest.mark.parametrize(
    ("activities", "node", "steps"),
    [
        (KU_HAR, "On foot", ("Walking", "Stairs")),
        (KU_HAR, "Still", ("Standing", "Sitting", "Lying")),
        (KU_HAR, "Stairs", ("Stairs up", "Stairs down")),
        (("Walk", "Stair-up", "Sit"), "On foot", ("Walking", "Stairs up")),
        (("Walk", "Walk-circle", "Sit"), "Walking", ("Walk", "Walk-circle")),
        (("Jump", "Push-up", "Sit"), "Other movement", ("Jump", "Push-up")),
        (KU_HAR, "Walk", ()),
        (KU_HAR, "Uncertain", ()),
    ],
)
def test_an_answer_says_what_it_leaves_open(activities: tuple[str, ...], node: str, steps: tuple[str, ...]) -> None:
    assert AnswerTree(activities).open_between(node) == steps


@pytest.mark.parametrize(
    ("answer", "label", "true"),
    [
        ("Still", "SITTING", True),
        ("Stairs", "Stair-up", True),
        ("Stair-up", "stairs", True),  # the label is less deep: it contradicts nothing
        ("On foot", "Run", False),
        ("Stair-up", "Stair-down", False),
        ("Jump", "Push-up", False),  # both are other movement, and yet not one
        ("Uncertain", "Run", True),
        ("Walk", "WALKING", True),
    ],
)
def test_an_answer_is_true_where_the_label_is_at_or_below_it(answer: str, label: str, true: bool) -> None:
    assert AnswerTree(KU_HAR).agrees(answer, label) is true


@pytest.mark.parametrize(
    ("label", "answer"),
    [
        ("Walking slowly", "Walk"), ("walk_fast_2", "Walk"), ("Gait", "Walk"), ("going up stairs", "Stair-up"),
        ("WALKING_DOWN_STAIRS", "Stair-down"), ("sprint", "Run"), ("in bed", "Lay"), ("Treppe hoch", "Stairs"),
        ("brisk walking outdoors", "On foot"), ("not moving", "Still"), ("treadmill running", "Run"),
    ],
)  # fmt: skip
def test_a_label_in_other_words_is_compared_as_what_it_means(label: str, answer: str) -> None:
    tree = AnswerTree(KU_HAR)
    assert tree.agrees(answer, label)
    assert not tree.agrees("Jump", label)
    assert {node for node in KU_HAR if tree.agrees(node, label)} < set(KU_HAR)


@pytest.mark.parametrize("label", ["juggling", "mark 3", "A", "42", "", "normal", "vacuuming"])
def test_a_label_that_nobody_understands_is_compared_with_nothing(label: str) -> None:
    assert not any(AnswerTree(KU_HAR).agrees(node, label) for node in AnswerTree(KU_HAR).nodes)


def test_agreement_of_nodes() -> None:
    assert agree("On foot", "Stairs up")
    assert not agree("Still", "Not worn")


@pytest.mark.parametrize(
    ("name", "shared"),
    [
        ("WALKING_UPSTAIRS", "Stairs up"), ("Stair-down", "Stairs down"), ("Talk-sit", "Sitting"), ("jog", "Running"),
        ("Stairs", "Stairs"), ("stationary", "Still"), ("other", "Other movement"),
        ("Jump", "Jump"), ("Sit-up", "Sit-up"), ("driving", "driving"), ("Kicking", "Kicking"),
        ("SIT_TO_STAND", ""), ("LIE_TO_SIT", ""), ("Stand-sit", ""), ("Lay-stand", ""), ("STANDING_UP", ""),
        ("SITTING_DOWN", ""), ("TURNING", ""), ("lying down", "Lying"),
    ],
)  # fmt: skip
def test_an_activity_has_a_shared_name_its_own_or_none(name: str, shared: str) -> None:
    assert shared_name(name) == shared


def test_a_chosen_name_stands_before_that_of_the_vocabulary() -> None:
    chosen = {"Kicking": "", "C": "Stairs up", "of another set": "Walking"}
    assert shared_names(["Kicking", "C", "Walk"], chosen) == {"Kicking": "", "C": "Stairs up", "Walk": "Walking"}


def test_a_label_that_holds_others_is_an_inner_node_only_beside_them() -> None:
    assert inner_nodes(["Stairs", "Walking", "Running"]) == set()
    assert inner_nodes(["Stairs", "Stairs up", "Walking"]) == {"Stairs"}
    assert inner_nodes(["Still", "Sitting", "Other movement", "Kicking", "On foot", "Stairs"]) == {
        "Still", "Other movement", "On foot",
    }  # fmt: skip
