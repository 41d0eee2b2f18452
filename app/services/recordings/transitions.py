"""Transitions that were found beside the answers: standing up, lying down; in one place for pages and measures."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from app.har.signals.types import SignalSet
from app.har.vocabulary import normalised, stands_up
from app.services.recordings.prediction_result import PredictionResult, Transition

if TYPE_CHECKING:
    from app.har.classifiers.transitions.finder import TransitionFinder


@dataclass(frozen=True)
class Kind:
    """How often one transition was found, and how long it took."""

    name: str
    count: int
    mean_s: float
    shortest_s: float
    longest_s: float


def with_transitions(result: PredictionResult, signals: SignalSet, finder: TransitionFinder | None) -> PredictionResult:
    """Return a result with the transitions that are found in its signals; single windows have no course."""
    if finder is None or result.layout == "windows":
        return result
    found = finder.transitions(signals)
    place = {name: i for i, name in enumerate(result.recording_ids)}
    rows: list[Transition] = []
    columns = (found.recording, found.start_s, found.end_s, found.activity)
    for recording, start_s, end_s, activity in zip(*(column.tolist() for column in columns), strict=True):
        if (position := place.get(signals.recording_ids[recording])) is not None:
            rows.append((position, round(start_s, 3), round(end_s, 3), finder.activities[activity]))
    return replace(result, transitions=tuple(rows))


def kinds(result: PredictionResult, recording_index: int | None = None) -> list[Kind] | None:
    """Return what was found in one recording, or in all; None where nothing was looked for."""
    if result.transitions is None:
        return None
    lengths: dict[str, list[float]] = {}
    for position, start_s, end_s, name in result.transitions:
        if recording_index in (None, position):
            lengths.setdefault(name, []).append(end_s - start_s)
    return [
        Kind(normalised(name).capitalize(), len(own), sum(own) / len(own), min(own), max(own))
        for name, own in sorted(lengths.items())
    ]


def stood_up(result: PredictionResult, recording_index: int) -> NDArray[np.float64] | None:
    """Return from when to when somebody stood up from sitting, (n, 2), by the clock of one recording.

    None where nothing was looked for.
    """
    if result.transitions is None:
        return None
    spans = [each[1:3] for each in result.transitions if each[0] == recording_index and stands_up(each[3])]
    return np.array(spans, np.float64).reshape(-1, 2)
