"""People who are neither trained on nor tested on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from app.har.errors import InvalidSetting
from app.har.signals.types import UNLABELLED, SignalSet


def without_people(signals: SignalSet, subjects: Sequence[str]) -> SignalSet:
    """Take the labels off what these subjects recorded, so that no window is cut from it.

    Raises
    ------
    InvalidSetting : one of them is not in the data.
    """
    if not subjects:
        return signals
    if unknown := sorted(set(subjects) - set(signals.subjects)):
        known = ", ".join(sorted(set(signals.subjects))[:20])
        raise InvalidSetting(
            f"There is no subject {', '.join(unknown)[:200]} in the data to leave out. Subjects: {known}.", "leave_out"
        )
    labels = np.array(signals.labels)
    theirs = np.isin(np.array(signals.subjects)[signals.recording], list(subjects))
    for first, length in zip(signals.first[theirs].tolist(), signals.length[theirs].tolist(), strict=True):
        labels[first : first + length] = UNLABELLED
    return replace(signals, labels=labels)
