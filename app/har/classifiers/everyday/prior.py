"""How often activities are met: as often as each other, as the model is calibrated, or as in daily life."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from app.har.classifiers.everyday.answer import ACTIVITIES
from app.har.types import FloatArray
from app.har.vocabulary import NOT_WORN, RUNNING, STAIRS_DOWN, STAIRS_UP, STILL, WALKING, path_of
from app.har.windows import WindowSet

# What each question is calibrated for: its answers are met alike. One of three is still, on foot or running, and of
# what is on foot half is walking. Postures, and whether anybody wears the device, are told by geometry and by noise.
BALANCED: Mapping[str, float] = {STILL: 1 / 3, WALKING: 1 / 6, STAIRS_UP: 1 / 12, STAIRS_DOWN: 1 / 12, RUNNING: 1 / 3}

# Waking time of 1,587 Finnish adults with an accelerometer at the waist (Husu et al. 2016, PMC5009485):
# 59 % sitting or lying, 17 % standing still, 24 % moving, of which vigorously less than 1 %. Stairs are 4 % of what is
# on foot: an assumption, ten flights of ten steps up, and down again, of 5,000 steps (Althoff et al. 2017, Nature 547).
DAILY_LIFE: Mapping[str, float] = {
    STILL: 0.76,
    WALKING: 0.2255,
    STAIRS_UP: 0.0047,
    STAIRS_DOWN: 0.0047,
    RUNNING: 0.0051,
}

SHORTEST_S = 3600.0  # of a recording of daily life; what somebody switches on for minutes is what they wanted to record


def of_recordings(shares: Mapping[str, float], proba: FloatArray, windows: WindowSet) -> tuple[FloatArray, bool]:
    """Return probabilities as `as_in`, of the recordings that last for an hour, and whether there are any.

    Parameters
    ----------
    proba : (n, n_activities) of these windows.
    """
    _, number, count = np.unique(windows.recordings, return_inverse=True, return_counts=True)
    long = (count * windows.window_length_s >= SHORTEST_S)[number]
    return np.where(long[:, None], as_in(shares, proba), proba), bool(long.any())


def as_in(shares: Mapping[str, float], proba: FloatArray) -> FloatArray:
    """Return probabilities of balanced activities as those where activities are met with other shares.

    By Bayes' rule, each is multiplied by how much more often the activity is met, and all are made to sum to 1 again.
    The limit that an answer must reach stays what it is: it asks how probable an answer is, whatever is usual.

    Parameters
    ----------
    shares : by the nodes of `BALANCED`; they sum to 1.
    proba : (n, n_activities) in the order of `answer.ACTIVITIES`.
    """
    weights = np.array([shares[node] / BALANCED[node] for node in map(_node, ACTIVITIES)], np.float64)
    weighted = proba * weights
    return np.asarray(weighted / weighted.sum(axis=1, keepdims=True), np.float32)


def _node(activity: str) -> str:
    """Return the node whose share an activity has; a device that nobody wears does not move either."""
    return STILL if activity == NOT_WORN else next(node for node in path_of(activity) if node in BALANCED)
