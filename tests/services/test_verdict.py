"""The one verdict on a recording: a table of situations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.har.classifiers.types import Wearing
from app.har.problems import Problem, ProblemKind
from app.har.recordings.quality import card
from app.har.recordings.upload import open_upload
from app.har.signals.types import UNLABELLED, Recording, Stream
from app.services.formatting import capitalise, share
from app.services.recordings.prediction_result import PredictionResult
from app.services.recordings.quality import Quality
from app.services.recordings.unlike_training import CALLED_UNFAMILIAR
from app.services.recordings.verdict import Verdict, decide
from tests.tables import ACC, TIME, mapping_of, table

ACTIVITIES = ("Sit", "Stand", "Walk", "Run", "Stair-up", "Stair-down")
SURE_OF = {
    "sit": [0.96, 0.02, 0.02, 0, 0, 0], "walk": [0, 0.02, 0.96, 0, 0.02, 0], "run": [0, 0, 0.02, 0.98, 0, 0],
    "foot": [0, 0, 0.5, 0, 0.45, 0.05], "open": [0.3, 0.1, 0.2, 0.2, 0.1, 0.1], "strange": [0, 0, 1, 0, 0, 0],
}  # fmt: skip


def recognised(labels: tuple[str, ...] = (), single: bool = False, **windows: int) -> PredictionResult:
    """Return so many windows of each kind, one kind after the other; of labels, each in turn."""
    kinds = [kind for kind, n in windows.items() for _ in range(n)]
    n = len(kinds)
    start = np.arange(n) * 3.0
    return PredictionResult(
        model_label="lab/1",
        activities=ACTIVITIES,
        proba=np.array([SURE_OF[kind] for kind in kinds], np.float32),
        start_s=0 * start if single else start,
        end_s=3.0 + (0 * start if single else start),
        recording_index=np.arange(n) if single else np.zeros(n, np.int64),
        recording_ids=tuple(f"row {i + 1}" for i in range(n)) if single else ("a.csv",),
        labels=np.arange(n) % len(labels) if labels else np.full(n, UNLABELLED),
        label_activities=labels,
        sensors=("accelerometer",),
        sensor_attention=np.ones((n, 1), np.float32),
        unfamiliar=np.array([kind == "strange" for kind in kinds]),
    )


def with_(result: PredictionResult, **changes: Any) -> PredictionResult:
    from dataclasses import replace

    return replace(result, **changes)


def problem(kind: ProblemKind, source: str = "a.csv") -> Problem:
    return Problem(source, kind, "accelerometer: g by the heading, but it is m/s²", "taken as m/s²")


def quality(*reasons: str, verdict: str = "usable", n: int = 1, of: int = 1) -> dict[str, Any]:
    cards = [{"reasons": list(reasons) if i < n else [], "verdict": verdict} for i in range(of)]
    return {"recordings": of, "cards": cards}


def test_a_wearing_is_unfamiliar_where_each_of_its_windows_is() -> None:
    first, second = (Wearing("a.csv", start_s, start_s + 30.0, "wrist") for start_s in (0.0, 30.0))
    found = with_(recognised(strange=10, walk=1, sit=9), wearings=(first, second))
    assert found.unfamiliar_wearings == {first}


MISMATCH = problem(ProblemKind.UNIT_MISMATCH)
THREE = tuple(map(problem, (ProblemKind.UNIT_MISMATCH, ProblemKind.MISSING_SENSOR, ProblemKind.UNSEEN_ORIENTATION)))
HOUR = recognised(sit=900, walk=300)
SITUATIONS = [
    # what was recognised, quality → how sure, what it was, the number
    ("all is clear", HOUR, None, "sure", "Mostly Sit", "100 %"),
    ("one activity", recognised(walk=100), None, "sure", "Walk", "100 %"),
    ("two alike", recognised(walk=50, sit=50), None, "sure", "Sit and Walk", "100 %"),
    ("a group", recognised(foot=100), None, "sure", "On foot (walking or stairs)", "100 %"),
    ("many", recognised(walk=40, sit=50, run=30), None, "sure", "Sit, Walk and 1 more", "100 %"),
    ("a quarter is unfamiliar", recognised(walk=73, strange=27), None, "partly", "Walk", "73 %"),
    ("a tenth is unfamiliar", recognised(walk=90, strange=10), None, "mostly", "Walk", "90 %"),
    ("mostly unfamiliar", recognised(walk=20, strange=80), None, "hardly",
     "Mostly unlike anything that the model knows", "20 %"),
    ("nearly all is uncertain", recognised(walk=5, open=95), None, "hardly", "For a small part: Walk", "5 %"),
    ("all is uncertain", recognised(open=50), None, "hardly", "No activity could be named", "0 %"),
    ("a third is uncertain", recognised(walk=67, open=33), None, "mostly", "Walk", "67 %"),
    ("half is uncertain", recognised(walk=50, open=50), None, "partly", "Walk", "50 %"),
    ("two windows", recognised(walk=2), None, "few", "Walk", "2 of 2"),
    ("two windows, one open", recognised(walk=1, open=1), None, "few", "Walk", "1 of 2"),
    ("not quite all", recognised(walk=1999, open=1), None, "sure", "Walk", "99.9 %"),
    ("a unit", with_(HOUR, problems=(MISMATCH,)), None, "mostly", "Mostly Sit", "100 %"),
    ("three things", with_(HOUR, problems=THREE), None, "partly", "Mostly Sit", "100 %"),
    ("a remark", with_(HOUR, problems=(problem(ProblemKind.SEPARATOR),)), None, "sure", "Mostly Sit", "100 %"),
    ("a sensor like none in training", with_(HOUR, problems=(problem(ProblemKind.UNLIKE_TRAINING),)), None,
     "partly", "Mostly Sit", "100 %"),
    ("a slow sensor", HOUR, quality("accelerometer: 14.6 samples a second are few"), "mostly", "Mostly Sit", "100 %"),
    ("one of 60 files", HOUR, quality("it is slow", of=60), "sure", "Mostly Sit", "100 %"),
    ("too short for other models", recognised(walk=60, single=True),
     quality("the longest stretch of a sensor without a gap lasts 3.0 s", verdict="unusable", n=50, of=50),
     "sure", "Walk", "100 %"),
    ("labels agree", recognised(("walking",), walk=90, sit=10), None, "sure", "Mostly Walk", "90 %"),
    ("labels in other words agree", recognised(("Walking slowly",), walk=100), None, "sure", "Walk", "100 %"),
    ("a quarter of the labels disagrees", recognised(("walk",), walk=75, run=25), None,
     "mostly", "Mostly Walk", "75 %"),
    ("most labels disagree", recognised(("run",), walk=90, run=10), None, "hardly", "Mostly Walk", "10 %"),
    ("labels that nobody understands", recognised(("juggling",), walk=100), None, "sure", "Walk", "100 %"),
    ("not worn", with_(HOUR, unworn=((0, 0.0, 4000.0),)), None, "unworn", "Mostly not worn", "1 h 00 min"),
    ("worn for a while", with_(HOUR, unworn=((0, 0.0, 1800.0),)), None, "sure", "Sit and Walk", "100 %"),
    ("not worn by day and night", with_(HOUR, unworn=((0, 0.0, 2700.0),)), None, "sure", "Mostly not worn", "100 %"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("result", "cards", "level", "what", "number"),
    [pytest.param(*situation[1:], id=str(situation[0])) for situation in SITUATIONS],
)
def test_a_recording_gets_one_verdict(
    result: PredictionResult, cards: dict[str, Any] | None, level: str, what: str, number: str
) -> None:
    verdict = decide(result, cards)
    assert (verdict.level, verdict.what, verdict.number) == (level, what, number)


def against(result: PredictionResult, cards: dict[str, Any] | None = None) -> str:
    return " ".join(doubt.text for doubt in decide(result, cards).against)


@pytest.mark.parametrize(
    ("result", "cards", "told"),
    [
        (recognised(walk=73, strange=27), None, "In 27 % of the time the signal is unlike anything"),
        (recognised(walk=60, open=40), None, "In 40 % of the time no activity, and no group of them"),
        (recognised(walk=2, strange=1), None, "In 1 of 3 windows the signal is unlike anything"),
        (with_(HOUR, problems=(MISMATCH,)), None, "Accelerometer: g by the heading, but it is m/s². Taken as m/s²."),
        (with_(HOUR, problems=(MISMATCH, problem(ProblemKind.UNIT_MISMATCH, "b"))), None, "The same holds for 1 more"),
        (HOUR, quality("its clock stopped", n=3, of=60), "Its clock stopped (3 of 60 recordings)."),
        (recognised(("run",), walk=90, run=10), None, "90 % of 100 answers contradict the labels"),
        (recognised(("run",), walk=2), None, "2 of 2 answers contradict the labels"),
        (recognised(("juggling", "walk"), walk=100), None, "50 windows are labelled with what the model does not know"),
        (with_(HOUR, unworn=((0, 0.0, 1800.0),)), None, "For 50 % of the time the device lay still"),
        (with_(HOUR, too_little=((0, 3600.0, 3720.0),)), None, "For 2 min 00 s too little was recorded"),
    ],
)  # fmt: skip
def test_what_speaks_against_it_is_said_in_one_place(
    result: PredictionResult, cards: dict[str, Any] | None, told: str
) -> None:
    assert told in against(result, cards)


def test_what_is_serious_comes_first_and_where_there_is_nothing_nothing_is_said() -> None:
    assert decide(HOUR, quality(verdict="pass")).against == ()
    doubts = decide(with_(recognised(walk=70, open=30), problems=(MISMATCH,)), None).against
    assert [doubt.serious for doubt in doubts] == [True, False]


def test_no_recording_is_called_sure_while_something_serious_speaks_against_it() -> None:
    for kind in ProblemKind:
        verdict = decide(with_(HOUR, problems=(problem(kind),)), quality(verdict="pass"))
        assert (verdict.level == "sure") == (not any(doubt.serious for doubt in verdict.against)), kind


def test_short_answers_are_counted_and_the_time_of_all_parts_adds_up() -> None:
    verdict: Verdict = decide(with_(recognised(sit=500, walk=5, run=4, open=11), too_little=((0, 1560.0, 1562.0),)))
    assert [(part.name, part.seconds) for part in verdict.answers] == [("Sit", 1500.0)]
    assert (verdict.others, verdict.others_s) == (2, 27.0)
    assert [(part.name, part.seconds) for part in verdict.unanswered] == [("Uncertain", 33.0), ("Too little", 2.0)]


def test_the_papers_own_windows_of_three_seconds_are_usable() -> None:
    rng = np.random.default_rng(0)
    time = np.arange(300) / 100
    values = rng.normal(0, 2, (300, 3)).astype(np.float32)
    streams = (Stream("accelerometer", time, values), Stream("gyroscope", time, values))
    found = card(Recording("row 1", "1", streams, "removed"))
    assert (found.verdict, found.reasons) == ("pass", ())
    cards = Quality((found,) * 50, 60).as_dict()
    assert decide(recognised(walk=60, single=True), cards).level == "sure"


@pytest.mark.parametrize(
    ("part", "whole", "digits", "text"),
    [
        (1, 2, 0, "1 of 2"), (2, 2, 0, "2 of 2"), (9, 9, 1, "9 of 9"), (10, 10, 0, "100 %"), (0, 50, 0, "0 %"),
        (1, 2000, 0, "0.1 %"), (1999, 2000, 0, "99.9 %"), (1, 3000, 1, "0.1 %"), (27, 100, 0, "27 %"),
        (967, 1000, 1, "96.7 %"), (99_999, 100_000, 1, "99.9 %"),
    ],
)  # fmt: skip
def test_of_few_there_is_no_percentage_and_100_percent_are_all(part: int, whole: int, digits: int, text: str) -> None:
    assert share(part, whole, digits) == text


def test_a_unit_that_the_mapping_takes_otherwise_than_the_heading_speaks_against_it(tmp_path: Path) -> None:
    file = tmp_path / "walk.csv"
    file.write_text(table("time (s),acc x (g),acc y (g),acc z (g)", [TIME, ACC]))
    columns = ["acc x (g)", "acc y (g)", "acc z (g)"]
    for unit, told in (("m/s²", True), ("g", False)):
        with open_upload(file, file.name) as opened:
            (recording,) = opened.read(mapping_of(("accelerometer", columns, unit), time="time (s)"))
        found = [problem for problem in recording.problems if "by the heading" in problem.detail]
        assert bool(found) is told
        if told:
            text = against(with_(HOUR, problems=tuple(found)))
            assert "Accelerometer: g by the heading of acc x (g), m/s² by the mapping. Taken in m/s²." in text


def test_what_is_called_unfamiliar_is_told_once_and_as_a_number_of_few() -> None:
    windows = recognised(strange=2)
    found = Problem("a.csv", ProblemKind.UNLIKE_TRAINING, "in 2 of 2 windows, the movement is new", CALLED_UNFAMILIAR)
    assert against(with_(windows, problems=(found,))).count("2 of 2 windows") == 1


def test_of_a_model_that_does_not_fit_no_activity_is_named_and_the_one_that_fits_is() -> None:
    detail = "lab/1 does not fit this recording: in 90 % of the windows, the signal is unlike anything in its training"
    found = Problem("a.csv", ProblemKind.MODEL_MISFIT, detail, f"{CALLED_UNFAMILIAR}. Recognise it again with b/1")
    verdict = decide(with_(recognised(strange=90, walk=10), problems=(MISMATCH, found)))
    assert (verdict.level, verdict.what) == ("hardly", "The model does not fit this recording")
    assert verdict.answers == ()
    assert (verdict.others, verdict.others_windows) == (1, 10)
    assert verdict.against[0].text == f"{capitalise(detail)}. {capitalise(found.action)}."
    assert sum("unlike anything" in doubt.text for doubt in verdict.against) == 1
