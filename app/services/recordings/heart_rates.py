"""The heart rate in each window of a result: measured once with the recording, summed up by answer when it is shown.

What is usual for the person in each activity, which alarms go by, is added up from the summaries.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TypeAlias

import numpy as np

from app.har.measures.heart_rate import of_windows
from app.har.signals.types import Recording
from app.har.types import FloatArray, TimeArray
from app.services.recordings.prediction_result import PredictionResult

Measured: TypeAlias = tuple[TimeArray, FloatArray]  # moments and beats/min


def measure(recordings: Iterable[Recording]) -> dict[str, Measured]:
    """Return the heart rates of the recordings that hold one, by id; of several devices, the first one's."""
    found = {}
    for recording in recordings:
        stream = next((stream for stream in recording.streams if stream.kind == "heart_rate"), None)
        if stream is not None:
            found[recording.recording_id] = (stream.time_s, stream.values[:, 0])
    return found


def with_heart_rates(result: PredictionResult, measured: Mapping[str, Measured]) -> PredictionResult:
    """Return a result that knows the heart rate of each of its windows; single windows have no common clock."""
    if not measured or result.layout == "windows":
        return result
    heart_rate = np.full(len(result), np.nan, np.float32)
    for position, name in enumerate(result.recording_ids):
        if name in measured:
            rows = result.positions(position)
            heart_rate[rows] = of_windows(*measured[name], result.start_s[rows], result.end_s[rows])
    return replace(result, heart_rate=heart_rate)
