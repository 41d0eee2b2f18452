"""Transitions that were found beside the answers: standing up, lying down; in one place for pages and measures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from app.har.signals.types import SignalSet
from app.har.vocabulary import normalised, rises, stands_up, transition_ends
from app.services.formatting import duration
from app.services.recordings.prediction_result import PredictionResult, Transition
from app.services.recordings.wall_clock import WallClock

if TYPE_CHECKING:
    from app.har.classifiers.transitions.finder import TransitionFinder


DRAWN = 600  # in one view: more would lie on each other
SIGNS = {1: "▲", -1: "▼", 0: "●"}  # it leads up, down, or to the same posture


@dataclass(frozen=True)
class Kind:
    """How often one transition was found, and how long it took."""

    sign: str
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


def looked_for(manifest: Mapping[str, Any]) -> list[str]:
    """Return the transitions that a model finds besides its answers, by its manifest, in words."""
    return [_words(name) for name in manifest.get("transitions_of") or () if transition_ends(name)]


def kinds(result: PredictionResult, recording_index: int | None = None) -> list[Kind] | None:
    """Return what was found in one recording, or in all; None where nothing was looked for."""
    if result.transitions is None:
        return None
    lengths: dict[str, list[float]] = {}
    for position, start_s, end_s, name in result.transitions:
        if recording_index in (None, position):
            lengths.setdefault(name, []).append(end_s - start_s)
    return [
        Kind(SIGNS[rises(name)], _words(name), len(own), sum(own) / len(own), min(own), max(own))
        for name, own in sorted(lengths.items())
    ]


def of_recording(result: PredictionResult, recording_index: int) -> list[dict[str, Any]]:
    """Return each that was found in one recording, in the order of time: ``start_s``, ``end_s``, ``sign``, ``name``."""
    return [
        {"start_s": start_s, "end_s": end_s, "sign": SIGNS[rises(name)], "name": _words(name)}
        for position, start_s, end_s, name in result.transitions or ()
        if position == recording_index
    ]


def drawn(
    result: PredictionResult, recording_index: int, clock: WallClock, start_s: float, end_s: float
) -> tuple[list[dict[str, Any]], bool]:
    """Return those in view with what is written of each, and whether some were left out because there are too many."""
    seen = [
        each for each in of_recording(result, recording_index) if each["end_s"] > start_s and each["start_s"] < end_s
    ]
    slots = {int(DRAWN * (each["start_s"] - start_s) / (end_s - start_s)): each for each in reversed(seen)}
    kept = seen if len(seen) <= DRAWN else list(slots.values())[::-1]
    for each in kept:
        span = clock.write_span(each["start_s"], each["end_s"])
        each["text"] = [each["name"], f"{span} ({duration(each['end_s'] - each['start_s'])})"]
    return kept, len(kept) < len(seen)


def stood_up(result: PredictionResult, recording_index: int) -> NDArray[np.float64] | None:
    """Return from when to when somebody stood up from sitting, (n, 2), by the clock of one recording.

    None where nothing was looked for.
    """
    if result.transitions is None:
        return None
    spans = [each[1:3] for each in result.transitions if each[0] == recording_index and stands_up(each[3])]
    return np.array(spans, np.float64).reshape(-1, 2)


def _words(name: str) -> str:
    return normalised(name).capitalize()
