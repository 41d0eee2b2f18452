"""Scores of events: what is inserted, deleted, fragmented and merged."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.event_scores import Truth, event_scores

LENGTH_S = 2.0


def scored(true: str, found: str, missing: str = ".") -> dict[str, float]:
    """Score windows of 2 s, one a letter; a dot has no label, or no window."""
    start = np.arange(len(true)) * LENGTH_S
    of = np.full(len(true), "r")
    truth = Truth(of, start, start + LENGTH_S, np.array(["" if letter == missing else letter for letter in true]))
    there = np.array([letter != missing for letter in found])
    return event_scores(truth, of[there], start[there], LENGTH_S, np.array(list(found))[there])


def test_what_is_found_as_it_was_is_right() -> None:
    found = scored("AAAABBBB", "AAAABBBB")
    assert (found["event F1 at 0.25"], found["event F1 at 0.5"]) == (1, 1)
    assert [found[kind] for kind in ("true events", "found", "inserted", "deleted", "fragmented", "merged")] == [
        2, 2, 0, 0, 0, 0,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("true", "found", "kind"),
    [
        ("AAAAAAAA", "AAAABAAA", {"inserted": 1, "fragmented": 1, "found": 3}),
        ("AAAABAAA", "AAAAAAAA", {"deleted": 1, "merged": 2, "true events": 3}),
        ("AAAA..AA", "AAAABBAA", {"inserted": 0, "found": 1}),  # nobody said what happened there
        ("AAAABBBB", "AAAA..BB", {"deleted": 0, "found": 2, "event F1 at 0.5": 1}),
    ],
)
def test_errors_have_their_kinds(true: str, found: str, kind: dict[str, float]) -> None:
    scores = scored(true, found)
    assert {name: scores[name] for name in kind} == kind


def test_an_event_is_right_once_and_by_how_much_it_shares() -> None:
    assert scored("AAAAAAAAAA", "AAABBBBAAA")["event F1 at 0.25"] == pytest.approx(2 / 4)  # one A of two, and no B
    assert scored("AAAAAAAABB", "AAAABBBBBB")["event F1 at 0.5"] == pytest.approx(1 / 2)  # B shares a third
