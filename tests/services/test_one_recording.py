"""Each recording of a file has a verdict of its own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from app.har.classifiers.types import Wearing
from app.har.problems import Problem, ProblemKind
from app.services.recordings.one_recording import of_one, verdict_of
from app.services.recordings.prediction_result import PredictionResult
from app.services.recordings.verdict import decide, in_text
from tests.services.test_verdict import problem, recognised


def two() -> PredictionResult:
    """Return a walk of five minutes, and as much that is unlike the training."""
    both = recognised(walk=100, strange=100)
    return replace(
        both,
        start_s=both.start_s % 300,
        end_s=both.start_s % 300 + 3.0,
        recording_index=np.repeat([0, 1], 100),
        recording_ids=("walk.csv", "rest.csv"),
        origin_utc_s=(1.7e9, None),
        features=np.arange(200, dtype=np.float16)[:, None],
        wearings=(Wearing("walk.csv", 0.0, 300.0, "leg"), Wearing("rest.csv", 0.0, 300.0, "wrist")),
        unworn=((1, 0.0, 30.0),),
        too_little=((0, 300.0, 302.0), (1, 300.0, 310.0)),
        said=((1, 3.0, 9.0, "Sitting"),),
        problems=(
            problem(ProblemKind.MISSING_SENSOR, "rest.csv"),
            problem(ProblemKind.UNIT_MISMATCH, "2 recordings"),
            Problem("2 recordings", ProblemKind.MODEL_MISFIT, "lab/1 does not fit this recording", "none named"),
        ),
    )


def quality() -> dict[str, Any]:
    reasons = {"walk.csv": ["a hole of 2 s"], "rest.csv": ["half of it is missing"]}
    cards = [{"recording": name, "reasons": own, "verdict": "usable"} for name, own in reasons.items()]
    return {"recordings": 2, "cards": cards}


def test_a_recording_of_a_file_is_as_if_it_were_alone() -> None:
    walk, rest = (of_one(two(), i) for i in (0, 1))
    assert [len(own) for own in (walk, rest)] == [100, 100]
    assert (walk.recording_ids, walk.origin_utc_s, rest.origin_utc_s) == (("walk.csv",), (1.7e9,), (None,))
    assert rest.features[0, 0] == 100
    assert [own.place for own in rest.wearings] == ["wrist"]
    assert (walk.unworn, rest.unworn) == ((), ((0, 0.0, 30.0),))
    assert (walk.too_little, rest.too_little) == (((0, 300.0, 302.0),), ((0, 300.0, 310.0),))
    assert (walk.said, rest.said) == ((), ((0, 3.0, 9.0, "Sitting"),))
    assert [own.kind for own in walk.problems] == [ProblemKind.UNIT_MISMATCH]
    assert walk.totals("answer")[0] == {"Walk": 5.0}


def test_each_has_a_verdict_of_its_own_beside_that_of_the_file() -> None:
    both = decide(two(), quality())
    walk, rest = (verdict_of(two(), i, quality()) for i in (0, 1))
    assert (walk.what, walk.level) == ("Walk", "mostly")  # what is wrong with the other says nothing of it
    assert rest.what == "The model does not fit this recording"
    assert rest.level == "hardly"
    told = [" ".join(doubt.text for doubt in own.against) for own in (walk, rest)]
    assert ["A hole of 2 s" in text for text in told] == [True, False]
    assert ["Half of it is missing" in text for text in told] == [False, True]
    assert verdict_of(two(), None, quality()) == both


def test_a_verdict_as_text_says_what_how_sure_and_what_against() -> None:
    first, heading, *against = in_text(verdict_of(two(), 0, quality()))
    assert first == "Walk. Mostly sure: 100 % of 5 min 00 s has an answer."
    assert heading == "What speaks against it:"
    assert [line[:4] for line in against] == ["  ! "] * len(against)
    assert list(in_text(decide(recognised(walk=100))))[1:] == ["Nothing was found that speaks against it."]
