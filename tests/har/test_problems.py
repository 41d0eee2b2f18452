"""Kinds of problems: their names in text and JSON, and those that were stored under earlier names."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest

from app.har.problems import _BEFORE_1_0, Problem, ProblemKind
from app.har.progress import Stage


@pytest.mark.parametrize("kind", [*ProblemKind, *Stage])
def test_a_kind_is_its_name_wherever_it_is_written(kind: ProblemKind | Stage) -> None:
    assert str(kind) == f"{kind}" == json.loads(json.dumps(kind)) == kind.value
    assert type(kind)(kind.value) is kind


def test_every_kind_says_what_it_means() -> None:
    assert all(kind.meaning.endswith(".") for kind in ProblemKind)
    assert all(stage.label for stage in Stage)


@pytest.mark.parametrize("name", _BEFORE_1_0)
def test_a_problem_stored_under_an_earlier_name_is_read_under_todays(name: str) -> None:
    stored = {"source": "walk.csv", "kind": name, "detail": "what was found", "action": "what was done"}
    problem = Problem.from_dict(stored)
    assert problem.kind is ProblemKind(_BEFORE_1_0[name])
    assert Problem.from_dict(json.loads(json.dumps(asdict(problem)))) == problem


def test_a_kind_that_never_was_is_refused() -> None:
    with pytest.raises(ValueError, match="never heard of"):
        ProblemKind("never heard of")
