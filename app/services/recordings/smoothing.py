"""Windows alone or smoothed: which a person sees is their choice, made on stored results; see `app.har.smoothing`."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from app.har.smoothing import FEWEST_WINDOWS, SAME_MOMENT_S, WINDOWS_UNKNOWN, smoothed
from app.services.recordings import heights
from app.services.recordings.prediction_result import PredictionResult


def shortest_s(result: PredictionResult) -> float:
    """Return how long a bout must be to be believed, in seconds; 0 where nothing can be smoothed.

    As long as those that the model learnt from; two windows, where an earlier build did not keep how long they were.
    Rows of single windows do not follow each other.
    """
    if result.layout == "windows" or not len(result):
        return 0.0
    window_s = float(np.median(result.end_s - result.start_s))
    known = WINDOWS_UNKNOWN * window_s if result.shortest_bout_s is None else result.shortest_bout_s
    return known if known > FEWEST_WINDOWS * window_s else 0.0


def as_chosen(result: PredictionResult, smooth: bool | None = None) -> PredictionResult:
    """Return windows smoothed, or alone; None is the default: smoothed, by a model that brings how long bouts are.

    What height says of windows comes before, so that bouts follow it.
    """
    result = heights.held_against(result)
    wanted = result.shortest_bout_s is not None if smooth is None else smooth
    seconds = shortest_s(result) if wanted else 0.0
    if not seconds:
        return result
    begins = np.zeros(len(result), bool)
    for wearing in result.wearings:
        if wearing.recording in result.recording_ids:
            of_it = result.recording_index == result.recording_ids.index(wearing.recording)
            begins |= of_it & (np.abs(result.start_s - wearing.start_s) < SAME_MOMENT_S)
    proba, unfamiliar = smoothed(
        result.proba,
        result.unfamiliar,
        result.activities,
        result.recording_index,
        result.start_s,
        result.end_s,
        begins,
        result.not_worn,
        seconds,
    )
    return replace(result, proba=proba, unfamiliar=unfamiliar, smoothed_s=round(seconds, 2))
