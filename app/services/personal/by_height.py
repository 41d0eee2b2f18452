"""What air pressure did to the answers that a person sees, in numbers and words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.har.height.answers import LIKELY
from app.har.vocabulary import ON_FOOT, STILL, node_of, path_of
from app.services.personal.said import Moved, moved
from app.services.personal.view import View, as_owner_sees
from app.services.recordings import recordings
from app.services.recordings.heights import without
from app.services.recordings.prediction_result import PredictionResult
from app.services.recordings.smoothing import as_chosen
from app.tables import Prediction

LIFT_MS = 0.5  # of somebody who stands still; slower are escalators


@dataclass(frozen=True)
class Ride:
    """A climb of somebody who stood still."""

    recording: int  # position in `recording_ids`
    start_s: float
    end_s: float
    words: str  # "lift, up 21 m"


@dataclass(frozen=True)
class Used:
    """What height did to the answers of a result, in numbers and words."""

    up_m: float  # on foot
    down_m: float
    rides: tuple[Ride, ...]
    moved: Moved


def of(
    prediction: Prediction, view: View, smooth: bool | None, personal: bool, recording_index: int | None
) -> Used | None:
    """Return what height did to a result as shown, None where it was not measured; see `view_of`."""
    if not len(view.result.height):
        return None
    stored = without(recordings.result_of(prediction))
    otherwise = as_owner_sees(stored, view.said, view.learnt, smooth) if personal else as_chosen(stored, smooth)
    return used(view.result, otherwise, recording_index)


def used(result: PredictionResult, otherwise: PredictionResult, recording_index: int | None = None) -> Used:
    """Return what height did.

    Parameters
    ----------
    result : as shown.
    otherwise : the same without height.
    """
    on_foot, still = (_probability(result, node) for node in (ON_FOOT, STILL))
    middle = (result.start_s + result.end_s) / 2
    up_m = down_m = 0.0
    rides = []
    for position, start_s, end_s, metres, felt in result.climbs:
        inside = (result.recording_index == position) & (middle >= start_s) & (middle < end_s)
        if recording_index not in (None, position) or not inside.any():
            continue
        if on_foot[inside].mean() >= LIKELY:
            up_m, down_m = up_m + max(metres, 0.0), down_m + max(-metres, 0.0)
        elif still[inside].mean() >= LIKELY:
            rides.append(Ride(position, start_s, end_s, _ride(metres, end_s - start_s, felt)))
    return Used(up_m, down_m, tuple(rides), moved(otherwise, result, recording_index))


def _ride(metres: float, seconds: float, felt: bool | None) -> str:
    way = f"{'up' if metres > 0 else 'down'} {abs(metres):.0f} m"
    fast = abs(metres) / seconds >= LIFT_MS
    if felt or (felt is None and fast):
        return f"lift, {way}"
    return f"carried {way}, by a vehicle or an escalator: no lift was felt to push"


def _probability(result: PredictionResult, node: str) -> NDArray[np.float32]:
    """Return how probable a node is in each window; (n_windows,)."""
    below = [i for i, name in enumerate(result.activities) if node in path_of(node_of(name))]
    return np.asarray(result.proba[:, below].sum(axis=1), np.float32)
