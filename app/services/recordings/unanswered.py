"""Where no activity can be named whatever the model says: nobody wore the device, or too little was recorded."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np

from app.har.signals.types import SignalSet

if TYPE_CHECKING:
    from app.services.recordings.quality import Quality

Stretch = tuple[int, float, float]  # position of the recording, and start and end in seconds on its clock
SHORTEST_S = 0.1  # of what is listed as too little


def too_little(signals: SignalSet, window_s: float, recording_ids: Sequence[str]) -> tuple[Stretch, ...]:
    """Return what was recorded but is too short for a window: between two gaps, or before one.

    What a recording holds after its last whole window is none of it: every recording ends with less than a window.

    Parameters
    ----------
    signals : that windows are cut from.
    window_s : length of a window.
    recording_ids : the recordings that have windows.
    """
    position = {name: i for i, name in enumerate(recording_ids)}
    of = np.array([position.get(name, -1) for name in signals.recording_ids], np.int64)[signals.recording]
    length_s = signals.length / signals.sampling_rate_hz
    whole = np.floor(length_s / window_s + 1e-6)
    start_s, end_s = signals.start_s + whole * window_s, signals.start_s + length_s
    last = np.array([end_s[of == i].max(initial=-np.inf) for i in range(len(recording_ids))] or [0.0])
    ends_it = (end_s == last[of]) & (whole > 0)
    listed = np.flatnonzero((of >= 0) & ~ends_it & (end_s - start_s >= SHORTEST_S))
    return tuple((int(of[i]), round(float(start_s[i]), 3), round(float(end_s[i]), 3)) for i in listed.tolist())


def not_worn(quality: Quality, recording_ids: Sequence[str]) -> tuple[Stretch, ...]:
    """Return when every device of a recording lay still for so long that nobody wore it, by its quality card."""
    found: list[Stretch] = []
    position = {name: i for i, name in enumerate(recording_ids)}
    for card in quality.cards:
        judged = [stream.unworn_spans for stream in card.streams if stream.worn is not None]
        if card.recording in position and judged:
            found += [(position[card.recording], start, end) for start, end in reduce(_both, judged)]
    return tuple(found)


def _both(one: Sequence[tuple[float, float]], other: Sequence[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """Return the stretches that lie in some of both."""
    pairs = ((max(a, c), min(b, d)) for a, b in one for c, d in other)
    return tuple((start, end) for start, end in pairs if start < end)
