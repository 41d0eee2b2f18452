"""What body and surroundings were like while each activity was recognised: heart rate, skin, loudness, light."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.har.types import FloatArray, TimeArray
from app.services.recordings import lanes
from app.services.recordings.bouts import Bouts
from app.services.recordings.prediction_result import PredictionResult
from app.services.recordings.recordings import folder_of
from app.services.recordings.timeline import sensor_title
from app.tables import StoredRecording

PERCENTILES = (10, 50, 90)
SHORTEST_S = 30.0  # of an activity, that has a usual value


@dataclass(frozen=True)
class Usual:
    """What a sensor measured during one activity."""

    low: float  # a tenth of the time it was lower
    median: float
    high: float  # a tenth of the time it was higher
    seconds: float  # in which it was measured


@dataclass(frozen=True)
class Beside:
    """What each sensor measured during each activity, the longest first; None where that was too short."""

    sensors: tuple[str, ...]  # with their units
    rows: tuple[tuple[str, tuple[Usual | None, ...]], ...]  # an activity, and a value a sensor


def by_activity(recording: StoredRecording, result: PredictionResult, recording_index: int | None) -> Beside | None:
    """Return what sensors beside movement measured in one recording, by answer; height is none of them.

    None where there is nothing to tell.
    """
    if recording_index is None:
        return None
    held = lanes.read(folder_of(recording), result.recording_ids[recording_index])
    held = [lane for lane in held if lane[0].rpartition(".")[2] != lanes.HEIGHT]
    bouts = result.bout_columns(recording_index)
    usual = [_usual(bouts, len(result.answer_names), time_s, values) for _, time_s, values in held]
    seconds = [max((own.seconds for own in found if own), default=0.0) for found in zip(*usual, strict=True)]
    order = [answer for answer in np.argsort(seconds)[::-1].tolist() if seconds[answer]]
    if not order:
        return None
    rows = tuple((result.answer_names[answer], tuple(own[answer] for own in usual)) for answer in order)
    return Beside(tuple(sensor_title(channel) for channel, _, _ in held), rows)


def _usual(bouts: Bouts, n_answers: int, time_s: TimeArray, values: FloatArray) -> Sequence[Usual | None]:
    """Return what was measured during each answer."""
    step_s = float(np.median(np.diff(time_s))) if len(time_s) > 1 else 0.0
    place = np.searchsorted(bouts.start_s, time_s, side="right") - 1
    inside = (place >= 0) & (time_s < bouts.end_s[place]) & np.isfinite(values)
    answers, measured = bouts.activity[place[inside]], values[inside]
    found: list[Usual | None] = [None] * n_answers
    for answer in np.unique(answers).tolist():
        own = measured[answers == answer]
        if len(own) * step_s >= SHORTEST_S:
            low, median, high = np.percentile(own, PERCENTILES).tolist()
            found[answer] = Usual(low, median, high, len(own) * step_s)
    return found
