"""Labels that people gave to stretches of recordings, put into the signal that they are of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np

from app.har.errors import InsufficientData
from app.har.signals.types import UNLABELLED, SignalSet
from app.har.windows import label_segments


class Label(Protocol):
    """What somebody said of a stretch; its activity is "" where they had no name for it."""

    @property
    def recording(self) -> str: ...
    @property
    def start_s(self) -> float: ...
    @property
    def end_s(self) -> float: ...
    @property
    def activity(self) -> str: ...


def span(signals: SignalSet, recording: int, start_s: float, end_s: float) -> slice:
    """Return the samples of a recording between two moments, of the stretch that holds the first."""
    own = np.flatnonzero(signals.recording == recording)
    ends = signals.start_s[own] + signals.length[own] / signals.sampling_rate_hz
    held = np.flatnonzero((signals.start_s[own] <= start_s + 1e-6) & (ends > start_s))
    stretch = int(own[held[-1]] if len(held) else own[0])
    first, length = int(signals.first[stretch]), int(signals.length[stretch])
    begin, end = (
        int(np.clip(round((at - float(signals.start_s[stretch])) * signals.sampling_rate_hz), 0, length))
        for at in (start_s, end_s)
    )
    return slice(first + begin, first + end)


def labelled_signals(signals: SignalSet, said: Sequence[Label]) -> SignalSet:
    """Return the labelled stretches of a data set with what was said of them, the last word counting; nothing else.

    Raises
    ------
    InsufficientData : nothing that is labelled is in the data set.
    """
    place = {name: i for i, name in enumerate(signals.recording_ids)}
    names = tuple(dict.fromkeys([*signals.activities, *(label.activity for label in said if label.activity)]))
    labels = np.array(signals.labels)
    for label in said:
        if label.recording in place:
            own = span(signals, place[label.recording], label.start_s, label.end_s)
            labels[own] = names.index(label.activity) if label.activity else signals.labels[own]
    whole = replace(signals, labels=labels, activities=names)
    pieces = label_segments(whole)
    kept = np.flatnonzero(pieces.label != UNLABELLED)
    if not len(kept):
        raise InsufficientData("Nothing is labelled that is in the data set.")
    first, length, stretch = pieces.first[kept], pieces.length[kept], pieces.stretch[kept]
    used, recording = np.unique(signals.recording[stretch], return_inverse=True)
    rows = np.concatenate([np.arange(a, a + n) for a, n in zip(first.tolist(), length.tolist(), strict=True)])
    return replace(
        whole,
        signal=np.asarray(signals.signal[rows]),
        labels=labels[rows],
        recording_ids=tuple(signals.recording_ids[i] for i in used),
        subjects=tuple(signals.subjects[i] for i in used),
        first=np.cumsum(length) - length,
        length=length,
        recording=recording.astype(np.int64),
        start_s=signals.start_s[stretch] + (first - signals.first[stretch]) / signals.sampling_rate_hz,
    )
