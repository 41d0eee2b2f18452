"""The everyday model beside others: what it reads of their windows, and its answers in their activities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from app.har.classifiers.everyday.answer import ACTIVITIES, TREE
from app.har.evaluation.types import Split
from app.har.signals.types import SignalSet
from app.har.training.pooled import counted
from app.har.types import FloatArray, IntArray
from app.har.vocabulary import ANYTHING, NOT_WORN, node_of, path_of
from app.har.windows import WindowSet, make_windows

FEWEST = 2  # windows of an activity that can be learnt


@dataclass(frozen=True)
class EverydayRows:
    """Windows as the everyday model reads them."""

    learnt: WindowSet  # of all its data sets: also such as other models cannot learn from
    tested: WindowSet  # (n_windows of the others,), each of the same moments

    @classmethod
    def of(cls, signals: SignalSet, others: WindowSet, overlap: float) -> EverydayRows:
        """Cut the signals, movement, rotation and gravity at 50 Hz, beside the windows of other models."""
        learnt, _ = with_everyday_labels(make_windows(signals, others.window_length_s, overlap))
        enough = np.bincount(learnt.y, minlength=len(learnt.activities)) >= FEWEST
        return cls(learnt.take(enough[learnt.y]), beside(signals, others))

    def to_learn(self, split: Split, others: WindowSet) -> WindowSet:
        """Return what may be learnt in a split: nothing of whom, or of what, it is tested on."""
        if split.dataset:
            return self.learnt.take(np.asarray(self.learnt.datasets != split.dataset))
        if split.protocol == "subject":
            return self.learnt.take(~np.isin(self.learnt.subjects, np.unique(others.subjects[split.test])))
        return self.tested.take(split.train)


def beside(signals: SignalSet, others: WindowSet) -> WindowSet:
    """Cut signals where other windows begin, which were cut from the same recordings at another rate.

    Both begin each stretch with the same sample; at its end, a window may begin a sample earlier than the other.
    """
    n = round(others.window_length_s * signals.sampling_rate_hz)
    recording = {name: number for number, name in enumerate(signals.recording_ids)}
    first_of = np.searchsorted(signals.recording, np.arange(len(recording) + 1))  # stretches follow their recordings
    stretch = np.empty(len(others), np.int64)
    for name in np.unique(others.recordings).tolist():
        rows = others.recordings == name
        first, last = first_of[recording[name]], first_of[recording[name] + 1]
        started = np.searchsorted(signals.start_s[first:last], others.start_s[rows] + 1e-6, side="right")
        stretch[rows] = first + started - 1
    within = np.round((others.start_s - signals.start_s[stretch]) * signals.sampling_rate_hz).astype(np.int64)
    start: IntArray = signals.first[stretch] + np.clip(within, 0, signals.length[stretch] - n)
    return replace(
        others,
        X=np.asarray(signals.signal[start[:, None] + np.arange(n)], np.float32),
        channels=signals.channels,
        sampling_rate_hz=signals.sampling_rate_hz,
        gravity=signals.gravity,
    )


def with_everyday_labels(windows: WindowSet) -> tuple[WindowSet, dict[str, dict[str, int]]]:
    """Keep the windows whose label the everyday model knows; return also how many were left out, by data set."""
    known = [i for i, name in enumerate(windows.activities) if _below(name)]
    kept = windows.take(np.isin(windows.y, known))
    activities = tuple(windows.activities[i] for i in known)
    left_out = counted(windows.take(~np.isin(windows.y, known)))
    return replace(kept, y=np.searchsorted(known, kept.y), activities=activities), left_out


def in_activities(proba: FloatArray, activities: Sequence[str]) -> FloatArray:
    """Return answers of the everyday model as probabilities of the activities of others, (n, n_activities).

    Somebody wore the device: what is left to *not worn* is shared out.
    """
    columns = np.stack([proba[:, _below(name)].sum(axis=1) for name in activities], axis=1) + 1e-9
    return np.asarray(columns / columns.sum(axis=1, keepdims=True), np.float32)


def depth_and_truth(proba: FloatArray, labels: Sequence[str], limit: float) -> dict[str, Any]:
    """Return how many answers are one activity or a group, and how many of those given are true, as shares.

    Parameters
    ----------
    proba : (n, n_activities) as the everyday model answers.
    labels : (n,) the activity of each window.
    limit : how probable an answer must be.
    """
    answer = TREE.answers(proba, limit)
    names, label = np.unique(np.array(labels), return_inverse=True)
    true = np.array([[TREE.agrees(node, name) for name in names] for node in TREE.nodes])[answer, label]
    said = answer != TREE.nodes.index(ANYTHING)
    activity = answer < len(ACTIVITIES)
    return {
        "windows": len(answer),
        "true": float(true[said].mean()) if said.any() else None,
        "activity": float(activity.mean()),
        "group": float((said & ~activity).mean()),
    }


def places_of(data: Mapping[str, Any]) -> dict[str, str]:
    """Return where the devices of data sets were worn, by what a run says of its data."""
    return {one["dataset"].partition(":")[0]: one["place"] for one in data.get("datasets", [data]) if one.get("place")}


def _below(name: str) -> list[int]:
    """Return the positions of the everyday activities that an activity, by its shared name, is or holds."""
    node = node_of(name)
    return [i for i, activity in enumerate(ACTIVITIES) if node in path_of(activity) and activity != NOT_WORN]
