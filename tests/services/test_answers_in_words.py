"""What an answer leaves open, the main answers of a recording, and what a device was measured against, in words."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from zoneinfo import ZoneInfo

import pytest

from app.har.classifiers.types import Wearing
from app.har.vocabulary import AnswerTree
from app.services.recordings.answers_in_words import left_open, main_answers, may_be_a_walk, wearings_in_words
from app.services.recordings.wall_clock import WallClock

MORNING_UTC_S = 1_747_040_400.0  # 12 May 2025, 09:00 UTC
CLOCK = WallClock(0.0, 3600.0, MORNING_UTC_S, timezone.utc)


def test_a_group_says_which_activities_it_leaves_open() -> None:
    tree = AnswerTree(("Sitting", "Stand", "Lay", "Walk", "Stair-up", "Stair-down", "Jump"))
    assert left_open(tree, 0.85) == {
        "Still": "sitting, standing or lying",
        "On foot": "walking or stairs",
        "Stairs": "stairs up or stairs down",
        "Uncertain": "no answer is 85 % probable",
        "Unfamiliar": "unlike anything that the model knows",
        "Too little": "recorded, but too short for an answer",
        "Not worn": "the device lay still for an hour or more",
    }


def test_of_many_special_activities_only_some_are_named() -> None:
    tree = AnswerTree(("Walk", *(f"Exercise {i}" for i in range(1, 8))))
    assert left_open(tree, 0.8)["Other movement"] == "Exercise 1, Exercise 2, Exercise 3 or 4 others"


@pytest.mark.parametrize(
    ("minutes", "main"),
    [
        ({"Still": 5.0, "Walk": 2.0, "Run": 1.0}, ["Still", "Walk"]),
        ({"Uncertain": 5.0, "Walk": 4.0, "Run": 3.0}, ["Walk", "Run"]),
        ({"Uncertain": 5.0, "Walk": 4.0}, ["Uncertain"]),
        ({"Uncertain": 5.0, "Unfamiliar": 5.0}, ["Uncertain"]),
        ({"Unfamiliar": 5.0}, ["Unfamiliar"]),
        ({}, []),
    ],
)
def test_no_answer_is_the_main_one_only_where_it_takes_most_of_the_time(
    minutes: dict[str, float], main: list[str]
) -> None:
    assert main_answers(minutes) == main


@pytest.mark.parametrize(
    ("wearing", "place", "reference"),
    [
        (
            Wearing("a", 0.0, 600.0, "leg", False, "this recording", 840.0, 12),
            "On the leg (guessed)",
            "Measured against what seems to be your walking at 09:14:00",
        ),
        (
            Wearing("a", 0.0, 600.0, "leg", True, "known walking"),
            "In a trouser pocket (as you said)",
            "Measured against walking of yours",
        ),
        (
            Wearing("a", 0.0, 600.0, "hand or bag", True),
            "In the hand or in a bag (as you said)",
            "Too little walking was found, so sitting, standing and lying are answered “Still”.",
        ),
        (Wearing("a", 0.0, 600.0, "table"), "On a table (guessed)", "–"),
        (
            Wearing("a", 0.0, 600.0, "", False, "this recording"),
            "Not known",
            "Measured against what seems to be your walking",
        ),
    ],
)
def test_a_wearing_says_where_the_device_was_and_what_it_was_measured_against(
    wearing: Wearing, place: str, reference: str
) -> None:
    assert wearings_in_words([wearing], "a", CLOCK) == [
        {"time": "09:00:00 – 09:10:00", "place": place, "reference": reference}
    ]


def test_of_a_file_of_several_recordings_no_time_is_named_that_counts_from_the_start_of_another() -> None:
    standing = Wearing("standing", 0.0, 600.0, "leg", False, "this recording", 0.0, 12)
    walking = Wearing("walking", 0.0, 60.0, "leg", False, "this recording", 0.0, 12)
    (row,) = wearings_in_words([walking, standing], "standing", CLOCK)
    assert row["reference"] == "Measured against what seems to be your walking in this file"


def test_the_recording_that_was_measured_against_is_named_while_it_is_there() -> None:
    (row,) = wearings_in_words([Wearing("a", 0.0, 600.0, "leg", True, "known walking")], "a", CLOCK, "walk.csv")
    assert row["reference"] == "Measured against your walking in “walk.csv”"


def test_what_is_unfamiliar_all_through_says_neither_where_it_was_worn_nor_that_one_walked() -> None:
    guessed = Wearing("a", 0.0, 600.0, "wrist", False, "this recording", 0.0, 12)
    said = Wearing("a", 600.0, 900.0, "leg", True, "this recording", 0.0, 12)
    rows = wearings_in_words([guessed, said], "a", CLOCK, unfamiliar={guessed, said})
    assert [(row["place"], row["reference"]) for row in rows] == [
        ("Not known", "–"),
        ("In a trouser pocket (as you said)", "–"),
    ]


@pytest.mark.parametrize(
    ("minutes", "walks"),
    [
        ({"On foot": 2.0, "Still": 1.0}, True),
        ({"On foot": 1.0, "Walk": 1.0, "Stair-up": 1.0}, True),
        ({"Stair-up": 2.0, "Walk": 1.0}, False),
        ({"Stairs": 3.0}, False),
        ({"Walk": 0.2}, False),
        ({"Walk": 0.25}, True),
        ({"Still": 1.0, "Walk": 1.0}, False),
        ({"Uncertain": 3.0}, False),
    ],
)
def test_what_may_be_a_walk_that_others_are_measured_against(minutes: dict[str, float], walks: bool) -> None:
    assert may_be_a_walk(minutes) is walks


@pytest.mark.parametrize(("name", "words"), [("walk.csv", " in “walk.csv”"), (None, "")])
def test_known_walking_says_when_it_was_by_the_clock_of_the_page(name: str | None, words: str) -> None:
    walked = datetime(2026, 11, 28, 8, 14, 40, tzinfo=timezone.utc).timestamp()
    wearing = Wearing("a", 0.0, 600.0, "leg", True, "known walking", walked, 10)
    (row,) = wearings_in_words([wearing], "a", replace(CLOCK, zone=ZoneInfo("Europe/Berlin")), name)
    assert row["reference"] == f"Measured against your walking of 28 Nov, 09:14{words}"
