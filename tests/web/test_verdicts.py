"""Differences between models, in words."""

from __future__ import annotations

import pytest

from app.web.training.verdicts import compared, what_it_cannot_say


def split(people: int, protocol: str = "subject") -> dict[str, object]:
    return {"test_subjects": people, "protocol": protocol}


@pytest.mark.parametrize(
    ("low", "high", "people", "verdict"),
    [
        (0.01, 0.05, 5, "ELM-GRU-AM is better"),
        (-0.05, -0.01, 5, "cnn is better"),
        (-0.01, 0.05, 5, "no significant difference"),
        (0.0, 0.05, 5, "no significant difference"),
        (0.01, 0.05, 4, "too few people to say"),
        (-0.05, -0.01, 2, "too few people to say"),
        (-0.01, 0.05, 1, "too few people to say"),
    ],
)
def test_only_a_difference_of_five_people_or_more_whose_interval_leaves_out_zero_counts(
    low: float, high: float, people: int, verdict: str
) -> None:
    pair = {"model": "elm-gru-am", "against": "cnn", "f1": {"value": 0.02, "low": low, "high": high}}
    (shown,) = compared([pair], {"elm-gru-am": "ELM-GRU-AM"}, split(people))
    assert shown["title"] == "ELM-GRU-AM − cnn"
    assert shown["verdict"] == verdict
    assert shown["f1"] == pair["f1"]


def test_what_a_test_part_leaves_open_is_said() -> None:
    assert what_it_cannot_say(split(5)) == ""
    assert what_it_cannot_say(split(5, "dataset")) == ""
    assert what_it_cannot_say(split(4)).startswith("Only 4 people were tested.")
    assert what_it_cannot_say(split(1)).startswith("Only one person was tested.")
    assert "also trained on" in what_it_cannot_say(split(5, "random"))
