"""Scores of bouts instead of windows: one long bout that is found in pieces is one right and several wrong events.

Truth and answers are compared each tenth of a second where the truth is known and a window was answered; both are cut
into events there. F1 by overlap is that of action segmentation (Lea et al. 2017, CVPR): a found event is right if it
shares so much of its union with a true one of the same name that no other took. The kinds of errors are those of Ward,
Lukowicz, Gellersen 2011 (ACM TIST 2): inserted events are in no true one of their name, deleted ones were not found at
all, fragmented ones were found as several, and merged ones were found together with another.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.har.signals.types import UNLABELLED, SignalSet
from app.har.windows import label_segments

STEP_S = 0.1
OVERLAPS = (0.25, 0.5)

Names = NDArray[np.str_]


@dataclass(frozen=True)
class Truth:
    """Stretches of one label, as columns, in the order of recordings and time."""

    recording: Names
    start_s: NDArray[np.float64]
    end_s: NDArray[np.float64]
    name: Names  # "" where nobody said

    @classmethod
    def of(cls, signals: SignalSet, names: dict[str, str]) -> Truth:
        """Return the labels of signals by other names; what has none is ""."""
        segments = label_segments(signals)
        start = signals.start_s[segments.stretch] + (
            (segments.first - signals.first[segments.stretch]) / signals.sampling_rate_hz
        )
        labels = np.array([*(names.get(name, "") for name in signals.activities), ""])
        return cls(
            np.array(signals.recording_ids)[signals.recording[segments.stretch]],
            start,
            start + segments.length / signals.sampling_rate_hz,
            np.where(segments.label == UNLABELLED, "", labels[segments.label]),
        )


def event_scores(
    truth: Truth, recordings: Names, start_s: NDArray[Any], length_s: float, found: Names
) -> dict[str, Any]:
    """Return the scores of windows' answers, all recordings together."""
    counts = dict.fromkeys(("true events", "found", "inserted", "deleted", "fragmented", "merged"), 0)
    matched = dict.fromkeys(OVERLAPS, 0)
    for true, answered in _in_time(truth, recordings, start_s, length_s, found):
        true_events, found_events = _events(true), _events(answered)
        shared, union = _overlap(true_events, found_events)
        for overlap in OVERLAPS:
            matched[overlap] += _matched(shared / union, overlap)
        meet = shared > 0
        counts["true events"] += len(true_events[0])
        counts["found"] += len(found_events[0])
        counts["inserted"] += int((~meet.any(axis=0)).sum())
        counts["deleted"] += int((~meet.any(axis=1)).sum())
        counts["fragmented"] += int((meet.sum(axis=1) > 1).sum())
        counts["merged"] += int(meet[:, meet.sum(axis=0) > 1].any(axis=1).sum())
    both = max(counts["true events"] + counts["found"], 1)
    return {**{f"event F1 at {overlap:g}": round(2 * n / both, 4) for overlap, n in matched.items()}, **counts}


def _in_time(
    truth: Truth, recordings: Names, start_s: NDArray[Any], length_s: float, found: Names
) -> Iterator[tuple[Names, Names]]:
    """Yield, for each recording, truth and answer each tenth of a second where there are both."""
    for name in np.unique(recordings).tolist():
        rows = np.flatnonzero(recordings == name)
        rows = rows[np.argsort(start_s[rows], kind="stable")]
        start, true, answered = start_s[rows], [], []
        for i in np.flatnonzero((truth.recording == name) & (truth.name != "")).tolist():
            moments = np.arange(truth.start_s[i] + STEP_S / 2, truth.end_s[i], STEP_S)
            window = np.maximum(np.searchsorted(start, moments, side="right") - 1, 0)
            inside = (moments >= start[window]) & (moments < start[window] + length_s)
            true.append(np.full(int(inside.sum()), truth.name[i], "U32"))
            answered.append(found[rows[window[inside]]])
        if true and sum(map(len, true)):
            yield np.concatenate(true), np.concatenate(answered)


def _events(names: Names) -> tuple[NDArray[np.int64], NDArray[np.int64], Names]:
    """Return begin, end and name of each event."""
    change = np.flatnonzero(names[1:] != names[:-1]) + 1
    begin = np.append(0, change)
    return begin, np.append(change, len(names)), names[begin]


def _overlap(true: tuple[Any, Any, Any], found: tuple[Any, Any, Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return how much each true event shares with each found one of its name, and their union; (n_true, n_found)."""
    shared = np.minimum(true[1][:, None], found[1]) - np.maximum(true[0][:, None], found[0])
    union = np.maximum(true[1][:, None], found[1]) - np.minimum(true[0][:, None], found[0])
    return np.where(true[2][:, None] == found[2], np.maximum(shared, 0), 0), union


def _matched(share: NDArray[Any], overlap: float) -> int:
    """Return how many found events share so much with a true one that no earlier one took."""
    free = np.ones(len(share), bool)
    for column in share.T:
        best = int(np.where(free, column, 0).argmax())
        if free[best] and column[best] >= overlap:
            free[best] = False
    return int((~free).sum())
