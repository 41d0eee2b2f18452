"""What body and surroundings were like while each activity was recognised: heart rate, skin, loudness, light."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from app.har.types import FloatArray, TimeArray
from app.services.recordings import lanes
from app.services.recordings.prediction_result import PredictionResult
from app.services.recordings.recordings import folder_of
from app.services.recordings.timeline import sensor_title
from app.tables import StoredRecording

PERCENTILES = (10, 50, 90)
SHORTEST_S = 30.0  # of an activity, that has a usual value


@dataclass(frozen=True)
class Usual:
    """What a sensor measured during one activity."""

    activity: str
    low: float  # a tenth of the time it was lower
    median: float
    high: float  # a tenth of the time it was higher
    seconds: float  # in which it was measured


@dataclass(frozen=True)
class Beside:
    """What one sensor measured during each activity, the longest first."""

    sensor: str  # with its unit
    usual: tuple[Usual, ...]


def by_activity(recording: StoredRecording, result: PredictionResult, recording_index: int | None) -> list[Beside]:
    """Return what each sensor beside movement measured in one recording, by recognised activity; height is none."""
    if recording_index is None:
        return []
    found = []
    for channel, time_s, values in lanes.read(folder_of(recording), result.recording_ids[recording_index]):
        if channel.rpartition(".")[2] != lanes.HEIGHT:
            usual = sorted(_usual(result, recording_index, time_s, values), key=lambda own: -own.seconds)
            found.append(Beside(sensor_title(channel), tuple(usual)))
    return found


def _usual(result: PredictionResult, recording_index: int, time_s: TimeArray, values: FloatArray) -> Iterator[Usual]:
    if not len(time_s):
        return
    bouts = result.bout_columns(recording_index)
    step_s = float(np.median(np.diff(time_s))) if len(time_s) > 1 else 0.0
    place = np.searchsorted(bouts.start_s, time_s, side="right") - 1
    inside = (place >= 0) & (time_s < bouts.end_s[place]) & np.isfinite(values)
    answers, measured = bouts.activity[place[inside]], values[inside]
    for answer in np.unique(answers).tolist():
        own = measured[answers == answer]
        if len(own) * step_s >= SHORTEST_S:
            low, median, high = np.percentile(own, PERCENTILES).tolist()
            yield Usual(result.answer_names[answer], low, median, high, len(own) * step_s)
