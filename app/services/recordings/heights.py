"""What air pressure says of a result: measured once with the recording, held against answers whenever they are shown.

The stored probabilities stay the model's own: a personal model learns from those.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from app.har.height import answers
from app.har.height.climbs import Climb, find_climbs, pushed
from app.har.height.rate import Heights, heights
from app.har.signals.types import Recording
from app.services.recordings.prediction_result import Climbed, PredictionResult


@dataclass(frozen=True)
class Measured:
    """Height over the time of a recording, its climbs, and whether a lift was felt to push in each."""

    heights: Heights
    climbs: tuple[tuple[Climb, bool | None], ...]


def measure(recordings: Iterable[Recording]) -> dict[str, Measured]:
    """Return the heights of the recordings that hold air pressure, by id."""
    found = {}
    for recording in recordings:
        pressure = next((stream for stream in recording.streams if stream.kind == "pressure"), None)
        moving = next((stream for stream in recording.streams if stream.kind == "accelerometer"), None)
        if pressure is None or (measured := heights(pressure.time_s, pressure.values[:, 0])) is None:
            continue
        felt = [(climb, pushed(climb, moving) if moving else None) for climb in find_climbs(measured)]
        found[recording.recording_id] = Measured(measured, tuple(felt))
    return found


def with_heights(result: PredictionResult, measured: Mapping[str, Measured]) -> PredictionResult:
    """Return a result that knows what height says of each of its windows; single windows have no course."""
    if not measured or result.layout == "windows":
        return result
    height = np.full(len(result), answers.UNKNOWN, np.int8)
    climbs: list[Climbed] = []
    for position, name in enumerate(result.recording_ids):
        if (own := measured.get(name)) is None:
            continue
        rows = result.positions(position)
        only = [climb for climb, _ in own.climbs]
        height[rows] = answers.of_windows(own.heights, only, result.start_s[rows], result.end_s[rows])
        climbs += [(position, climb.start_s, climb.end_s, round(climb.metres, 2), felt) for climb, felt in own.climbs]
    return replace(result, height=height, climbs=tuple(climbs))


def held_against(result: PredictionResult) -> PredictionResult:
    """Return a result whose answers agree with height, where it says something; twice is once."""
    if not result.height_used:
        return result
    return replace(result, proba=answers.held_against(result.proba, result.activities, result.height))


def without(result: PredictionResult) -> PredictionResult:
    """Return a stored result as if air pressure had not been recorded."""
    return replace(result, height=np.zeros(0, np.int8), climbs=())
