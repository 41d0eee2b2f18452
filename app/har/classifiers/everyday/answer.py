"""From evidence to the probabilities of activities."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from app.har.classifiers.everyday.calibration import Calibration, Trial, probability
from app.har.classifiers.everyday.evidence import Evidence
from app.har.classifiers.everyday.posture import postures
from app.har.classifiers.everyday.wearing import Bools, Track
from app.har.types import FloatArray
from app.har.vocabulary import (
    ANYTHING,
    LYING,
    NOT_WORN,
    RUNNING,
    SITTING,
    STAIRS_DOWN,
    STAIRS_UP,
    STANDING,
    STILL,
    WALKING,
    AnswerTree,
)

ACTIVITIES = (STANDING, SITTING, LYING, WALKING, STAIRS_UP, STAIRS_DOWN, RUNNING, NOT_WORN)
GUESS = 0.5  # log-odds of walking against stairs, at most, where there is nothing to compare with
TABLE_SWAY = 0.0044  # m/s²: below the quietest hundredth of every data set of carried devices
TABLE_RMS = 0.0155  # m/s²: the same where the device has taken gravity out, and with it some of the sway
TABLE_SLOPE = 12.0  # of its logarithm
TABLE_ROTATION = 0.01  # rad/s: more than that, and a hand or a body turns it
TREE = AnswerTree(ACTIVITIES)
LIMITS = (0.9, 0.95)  # the calibration has seen what they are chosen by, which flatters: see ADR 10
TRUE_ON_AVERAGE, TRUE_EVERYWHERE = 0.98, 0.96  # of answers to data sets left out, each as recorded and as clips
TABLE_REACH = 2  # windows on either side whose median counts: a table stays one


def probabilities(track: Track, evidence: Evidence, calibration: Calibration) -> FloatArray:
    """Return (n, n_activities) in the order of ACTIVITIES."""
    answer = put_together(evidence, calibration, ~np.isnan(track.gravity[:, 0]), on_table(track))
    answer[np.isinf(track.movement_rms)] = 1 / len(ACTIVITIES)
    return answer


def put_together(
    evidence: Evidence, calibration: Calibration, sees_gravity: Bools, table: NDArray[np.float64]
) -> FloatArray:
    """Return the same of windows with acceleration, from what each question says of them.

    Parameters
    ----------
    sees_gravity, table : (n,) whether gravity is known, and how probable it is that nobody wears the device.
    """
    level = calibration.level * evidence.level
    level = np.exp(level - level.max(axis=1, keepdims=True))
    still, on_foot, running = (level / level.sum(axis=1, keepdims=True)).T
    odds = calibration.stairs(evidence.stairs, np.full(len(evidence.stairs), evidence.known), evidence.n_on_foot)
    guess = np.clip(calibration.stairs_raw(evidence.stairs_raw), -GUESS, GUESS)
    stairs = probability(np.where(np.isnan(odds), guess, odds))
    down = np.where(sees_gravity, calibration.down(evidence), calibration.down_without_gravity(evidence))
    posture = postures(evidence.tilt_deg, evidence.place)
    worn_still = (still * (1 - table))[:, None] * posture
    columns = [on_foot * (1 - stairs), on_foot * stairs * (1 - down), on_foot * stairs * down, running, still * table]
    answered: FloatArray = np.concatenate([worn_still, np.stack(columns, axis=1)], axis=1).astype(np.float32)
    return answered


def choose_limit(trials: Sequence[Trial], calibration: Calibration) -> float:
    """Return how probable an answer must be for enough of them to be true on data sets left out."""
    for limit in LIMITS:
        true = [share for trial in trials if (share := _share_true(trial, calibration, limit)) is not None]
        if true and np.mean(true) >= TRUE_ON_AVERAGE and min(true) >= TRUE_EVERYWHERE:
            return limit
    return LIMITS[-1]


def _share_true(trial: Trial, calibration: Calibration, limit: float) -> float | None:
    """Return the share of true answers to a data set left out; None where a trial is no recording as one uploads it."""
    if trial.kind not in ("recorded", "clip"):
        return None
    answer = TREE.answers(probabilities(trial.training.track, trial.evidence, calibration), limit)
    said = answer != TREE.nodes.index(ANYTHING)
    labels, label = np.unique(trial.training.node, return_inverse=True)
    true = np.array([[TREE.agrees(node, name) for name in labels] for node in TREE.nodes])
    true[TREE.nodes.index(NOT_WORN), labels == STILL] = True  # "stationary" does not say that somebody wears it
    return float(true[answer, label][said].mean()) if said.any() else None


def on_table(track: Track) -> NDArray[np.float64]:
    """Return the probability that nobody wears the device, (n,): it is quieter than any that was worn.

    A sensor may be louder than somebody who rests, and another be as quiet on a wrist as that one on a table. Noise is
    lost in means over some samples; breath and balance are not.
    """
    rms, sway = (_median_of_neighbours(values, track.runs) for values in (track.movement_rms, track.sway_rms))
    table = np.where(np.isnan(track.gravity[:, 0]), _below(rms, TABLE_RMS), _below(sway, TABLE_SWAY))
    return np.where(np.nan_to_num(track.rotation_rms) < TABLE_ROTATION, table, 0.0)


def _below(values: FloatArray, limit: float) -> NDArray[np.float64]:
    return probability(-TABLE_SLOPE * np.log(np.maximum(values, 1e-6) / limit))


def _median_of_neighbours(values: FloatArray, runs: NDArray[np.int64]) -> FloatArray:
    """Return the median over each window and its neighbours in its run."""
    n = len(values)
    columns = []
    for shift in range(-TABLE_REACH, TABLE_REACH + 1):
        at = np.clip(np.arange(n) + shift, 0, n - 1)
        columns.append(np.where(runs[at] == runs, values[at], values))
    return np.asarray(np.median(np.stack(columns, axis=1), axis=1), np.float32)
