"""Whether the labels of a data set last for a window at all."""

from __future__ import annotations

from app.har.errors import InsufficientData, Unlabelled
from app.har.problems import Problem, ProblemKind
from app.har.signals.types import UNLABELLED, SignalSet
from app.har.windows import label_segments

SUMMARY_WINDOW_S = 3.0  # of the windows that a data set's page counts
SHORTEST_WINDOW_S = 0.5  # that a model is trained on, see `TrainConfig`


def short_labels(signals: SignalSet, name: str) -> list[Problem]:
    """List that no activity lasts for a window of the usual length.

    Raises
    ------
    Unlabelled : there is no activity at all.
    InsufficientData : none lasts for the shortest window.
    """
    runs = label_segments(signals)
    n, length = len(signals.recording_ids), runs.length[runs.label != UNLABELLED]
    if not len(length):
        which = "its recording names no activity" if n == 1 else f"none of its {n:,} recordings names an activity"
        raise Unlabelled(
            f"{name}: {which}, so no model could be trained on it. Describe where the labels are: in a column, in the "
            "names of folders or files, or in a table of labels; or say that there are none yet, and label on the site."
        )
    longest_s = float(length.max()) / signals.sampling_rate_hz
    found = f"the longest stretch of one activity without a gap lasts {longest_s:.2g} s"
    if longest_s < SHORTEST_WINDOW_S:
        raise InsufficientData(
            f"{name}: {found}, too short for any window, so no model could be trained on it. Check that labels "
            "and samples are by one clock, and in which unit each counts."
        )
    if longest_s >= SUMMARY_WINDOW_S:
        return []
    return [Problem(name, ProblemKind.SHORT_LABELS, found, f"a training needs windows of at most {longest_s:.2g} s")]
