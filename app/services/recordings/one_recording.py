"""What was recognised in one of several recordings of a file, as if the file held it alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from app.har.problems import ProblemKind
from app.services.recordings.prediction_result import PredictionResult
from app.services.recordings.unanswered import Stretch
from app.services.recordings.unlike_training import fits
from app.services.recordings.verdict import Doubt, Verdict, decide


def of_one(result: PredictionResult, position: int) -> PredictionResult:
    """Return the windows of one recording, and the problems that are not another's.

    Parameters
    ----------
    position : in ``result.recording_ids``.
    """
    keep = result.recording_index == position
    name = result.recording_ids[position]
    others = {*result.recording_ids} - {name}
    but = {ProblemKind.MODEL_MISFIT} if fits(result.unfamiliar[keep]) else set()  # the model may fit this one
    columns = ("proba", "start_s", "end_s", "labels", "sensor_attention", "unfamiliar", "features", "height",
               "heart_rate")  # fmt: skip
    return replace(
        result,
        **{column: getattr(result, column)[keep] for column in columns if len(getattr(result, column))},
        recording_index=np.zeros(int(keep.sum()), np.int64),
        recording_ids=(name,),
        origin_utc_s=result.origin_utc_s[position : position + 1],
        problems=tuple(
            problem for problem in result.problems if problem.source not in others and problem.kind not in but
        ),
        wearings=tuple(wearing for wearing in result.wearings if wearing.recording == name),
        unworn=_of(result.unworn, position),
        too_little=_of(result.too_little, position),
        transitions=None
        if result.transitions is None
        else tuple((0, *each[1:]) for each in result.transitions if each[0] == position),
        climbs=tuple((0, *climb[1:]) for climb in result.climbs if climb[0] == position),
        said=tuple((0, start_s, end_s, words) for own, start_s, end_s, words in result.said if own == position),
    )


def _of(stretches: tuple[Stretch, ...], position: int) -> tuple[Stretch, ...]:
    return tuple((0, start_s, end_s) for recording, start_s, end_s in stretches if recording == position)


def verdict_of(
    result: PredictionResult, position: int | None, quality: dict[str, Any] | None, doubts: Sequence[Doubt] = ()
) -> Verdict:
    """Return the verdict on one recording of a file; None, or of a file of one: on the file.

    Parameters
    ----------
    doubts : about this recording, see `decide`.
    """
    if position is None or not result.holds_several:
        return decide(result, quality, doubts)
    name = result.recording_ids[position]
    cards = [card for card in quality["cards"] if card["recording"] == name] if quality else []
    return decide(of_one(result, position), {**quality, "cards": cards} if quality else None, doubts)
