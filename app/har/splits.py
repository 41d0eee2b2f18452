"""Division of windows into a part to train on and a part to test on."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold, train_test_split

from app.har.errors import InsufficientData
from app.har.types import IntArray, Protocol, Split, WindowSet

DRAWS = 64  # of people for a test part, of which the one nearest to the wanted share of every activity is taken


def split_windows(windows: WindowSet, protocol: Protocol, seed: int = 0, test_fraction: float = 0.2) -> Split:
    """Draw the test windows.

    Parameters
    ----------
    protocol
        ``random``: stratified by activity, windows of one recording may fall on both sides. ``subject``: no subject is
        on both sides, and where the data allow it every activity is.
    test_fraction
        Share of the windows to test on; by subject it is met as nearly as whole subjects allow.

    Raises
    ------
    InsufficientData
        When there is one activity, an activity of fewer than 2 windows, or (by subject) one subject.
    """
    if not 0 < test_fraction < 1:
        raise ValueError(f"test_fraction must lie between 0 and 1, found {test_fraction}")
    check_trainable(windows)
    if protocol == "subject":
        train, test = _by_subject(windows, seed, test_fraction)
    elif protocol == "random":
        train, test = _at_random(windows, seed, test_fraction)
    else:
        raise ValueError(f"protocol must be random or subject, found {protocol!r}")
    return Split(np.sort(train), np.sort(test), protocol, seed)


def fold_windows(windows: WindowSet, protocol: Protocol, n_folds: int, seed: int = 0) -> list[Split]:
    """Divide the windows into folds, each the test part once; by subject, a person is in one fold only.

    Raises
    ------
    InsufficientData
        When there are fewer subjects, or windows of an activity, than folds.
    """
    check_trainable(windows)
    if protocol == "subject":
        available, unit = len(set(windows.subjects)), "subjects"
        folds: Any = StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed)
    else:
        counts = np.bincount(windows.y)
        available, unit = int(counts[counts > 0].min()), "windows of the rarest activity"
        folds = StratifiedKFold(n_folds, shuffle=True, random_state=seed)
    if available < n_folds:
        raise InsufficientData(f"{n_folds} folds need at least as many {unit}; found {available}.")
    parts = folds.split(windows.X[:, 0, 0], windows.y, windows.subjects)
    return [Split(train, test, protocol, seed) for train, test in parts]


def split_inner(windows: WindowSet, seed: int, fraction: float = 0.15) -> tuple[IntArray, IntArray]:
    """Divide training windows into a part to fit and a part to hold out: whole subjects when there are at least 4.

    The held-out part decides when to stop, and how sure the model may be. An activity of a single window is only fitted.
    """
    if len(set(windows.subjects)) >= 4:
        fit, held_out = _by_subject(windows, seed, fraction)
        if set(windows.y[fit]) == set(windows.y):
            return np.sort(fit), np.sort(held_out)
    counts = np.bincount(windows.y)
    lone = counts[windows.y] < 2
    fit, held_out = _at_random(windows.take(~lone), seed, fraction)
    kept = np.flatnonzero(~lone)
    return np.sort(np.concatenate([kept[fit], np.flatnonzero(lone)])), np.sort(kept[held_out])


def check_trainable(windows: WindowSet) -> None:
    """Raise `InsufficientData` unless there are two activities of two windows each, all of them labelled."""
    if not len(windows):
        raise InsufficientData("There is no window to train on: every recording is shorter than one window or unlabelled.")
    if windows.y.min() < 0:
        raise InsufficientData(f"{(windows.y < 0).sum()} of {len(windows)} windows have no activity; leave them out.")
    counts = np.bincount(windows.y, minlength=len(windows.activities))
    present = np.flatnonzero(counts)
    if len(present) < 2:
        raise InsufficientData(
            f"A model needs at least 2 activities to tell apart; only {windows.activities[present[0]]!r} has windows."
        )
    rare = [f"{windows.activities[i]!r}" for i in present if counts[i] < 2]
    if rare:
        raise InsufficientData(f"Each activity needs at least 2 windows; only one was found of {', '.join(rare)}.")


def _at_random(windows: WindowSet, seed: int, fraction: float) -> tuple[IntArray, IntArray]:
    n_activities = len(set(windows.y.tolist()))
    n_test = min(max(round(fraction * len(windows)), n_activities), len(windows) - n_activities)
    train, test = train_test_split(
        np.arange(len(windows)), test_size=n_test, random_state=seed, stratify=windows.y
    )
    return train, test


def _by_subject(windows: WindowSet, seed: int, fraction: float) -> tuple[IntArray, IntArray]:
    """Draw whole subjects, many times, and keep the draw that is best balanced.

    scikit-learn's StratifiedGroupKFold draws the same folds whatever its seed once people differ in size, and puts
    a person who recorded most of an activity into a test part as readily as into training.
    """
    n_subjects = len(set(windows.subjects))
    if n_subjects < 2:
        raise InsufficientData(
            f"A split by subject needs at least 2 subjects; all windows are of {windows.subjects[0]!r}. "
            "Use the random protocol."
        )
    _, person = np.unique(windows.subjects, return_inverse=True)
    counts = np.zeros((n_subjects, len(windows.activities)))
    np.add.at(counts, (person, windows.y), 1)
    counts = counts[:, counts.any(axis=0)]
    rng = np.random.default_rng(seed)
    n_test = min(max(round(fraction * n_subjects), 1), n_subjects - 1)
    drawn = [rng.permutation(n_subjects)[:n_test] for _ in range(DRAWS)]

    def badness(people: IntArray) -> tuple[int, int, float]:
        share = counts[people].sum(axis=0) / counts.sum(axis=0)  # of each activity, in the test part
        return int((share == 1).sum()), int((share == 0).sum()), float(np.abs(share - fraction).sum())

    in_test = np.isin(person, min(drawn, key=badness))
    return np.flatnonzero(~in_test), np.flatnonzero(in_test)
