"""Division of windows into a part to train on and a part to test on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from app.har.errors import InsufficientData
from app.har.evaluation.types import Protocol, Split
from app.har.types import IntArray
from app.har.windows import WindowSet

DRAWS = 64  # divisions of the people, of which the one nearest to the wanted share of every activity is taken


def split_windows(windows: WindowSet, protocol: Protocol, seed: int = 0, test_fraction: float = 0.2) -> Split:
    """Draw the test windows.

    Parameters
    ----------
    protocol : ``random``: stratified by activity, windows of one recording may fall on both sides. ``subject``: no
        subject is on both sides, and every activity is, where the data allow it.
    seed : for the draw; default 0.
    test_fraction : share of the windows to test on; by subject it is met as nearly as whole subjects allow. Default
        0.2.

    Raises
    ------
    InsufficientData : there is one activity, an activity of fewer than 2 windows, or (by subject) one subject.
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
    """Divide the windows into folds, each the test part once; drawn as `split_windows` draws.

    Raises
    ------
    InsufficientData : as `split_windows`, and when there are more folds than subjects (or, at random, than windows of
        an activity).
    """
    from sklearn.model_selection import StratifiedKFold

    check_trainable(windows)
    if n_folds < 2:
        raise ValueError(f"at least 2 folds are needed, found {n_folds}")
    everything = np.arange(len(windows))
    if protocol == "subject":
        n_subjects = len(set(windows.subjects))
        if n_subjects < n_folds:
            raise InsufficientData(f"{n_folds} folds by subject need at least as many subjects; found {n_subjects}.")
        sizes = [len(part) for part in np.array_split(np.arange(n_subjects), n_folds)]
        person, parts = _draw_people(windows, seed, sizes)
        tests = [np.flatnonzero(np.isin(person, people)) for people in parts]
    elif protocol == "random":
        fewest = np.bincount(windows.y)[np.unique(windows.y)].min()
        if fewest < n_folds:
            raise InsufficientData(f"{n_folds} folds need {n_folds} windows of each activity; one has only {fewest}.")
        drawn = StratifiedKFold(n_folds, shuffle=True, random_state=seed).split(everything, windows.y)
        tests = [test for _, test in drawn]
    else:
        raise ValueError(f"protocol must be random or subject, found {protocol!r}")
    return [Split(np.setdiff1d(everything, test), test, protocol, seed) for test in tests]


def leave_datasets_out(windows: WindowSet) -> list[Split]:
    """Leave each data set out in turn, to test on: what to expect of a device and of people that no set contained.

    Windows of an activity of which the other data sets have fewer than two are in neither part: it can't be learnt.

    Raises
    ------
    InsufficientData : there are not several data sets, or the others teach nothing that one of them could test.
    """
    if windows.datasets is None or len(names := np.unique(windows.datasets)) < 2:
        raise InsufficientData("To leave data sets out, at least two are needed. Choose several, or split by subject.")
    splits = []
    for name in names.tolist():
        tested = windows.datasets == name
        known = np.bincount(windows.y[~tested], minlength=len(windows.activities))[windows.y] >= 2
        train, test = np.flatnonzero(~tested & known), np.flatnonzero(tested & known)
        try:
            check_trainable(windows.take(train))
        except InsufficientData as error:
            raise InsufficientData(f"Without {name}: {error}") from error
        if not len(test):
            raise InsufficientData(f"The other data sets have no activity of {name}, so nothing can be tested on it.")
        splits.append(Split(train, test, "dataset", 0, name))
    return splits


def split_inner(windows: WindowSet, seed: int, fraction: float = 0.15) -> tuple[IntArray, IntArray]:
    """Divide training windows into a part to fit and a part to hold out: whole subjects when there are at least 4.

    The held-out part decides how to combine a model's parts and how confident it may be. An activity of a single
    window is only fitted.
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
        raise InsufficientData("There is no window to train on: all recordings are too short, or unlabelled.")
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
        raise InsufficientData(
            f"Each activity needs at least 2 windows; only one was found of {', '.join(rare)}. "
            "Shorter or overlapping windows give more."
        )


def _at_random(windows: WindowSet, seed: int, fraction: float) -> tuple[IntArray, IntArray]:
    from sklearn.model_selection import train_test_split

    n_activities = len(set(windows.y.tolist()))
    n_test = min(max(round(fraction * len(windows)), n_activities), len(windows) - n_activities)
    train, test = train_test_split(np.arange(len(windows)), test_size=n_test, random_state=seed, stratify=windows.y)
    return train, test


def _by_subject(windows: WindowSet, seed: int, fraction: float) -> tuple[IntArray, IntArray]:
    n_subjects = len(set(windows.subjects))
    if n_subjects < 2:
        raise InsufficientData(
            f"A split by subject needs at least 2 subjects; all windows are of {str(windows.subjects[0])!r}. "
            "Use the random protocol."
        )
    n_test = min(max(round(fraction * n_subjects), 1), n_subjects - 1)
    person, (in_test, _) = _draw_people(windows, seed, [n_test, n_subjects - n_test])
    return np.flatnonzero(~np.isin(person, in_test)), np.flatnonzero(np.isin(person, in_test))


def _draw_people(windows: WindowSet, seed: int, sizes: list[int]) -> tuple[IntArray, list[IntArray]]:
    """Divide subjects into parts of these sizes, many times, and return each window's person and the best division.

    scikit-learn's StratifiedGroupKFold draws the same folds whatever its seed once people differ in size, and puts
    a person who recorded most of an activity into a test part as readily as into training.
    """
    names, person = np.unique(windows.subjects, return_inverse=True)
    counts: NDArray[np.float64] = np.zeros((len(names), len(windows.activities)))
    np.add.at(counts, (person, windows.y), 1)
    counts = counts[:, counts.any(axis=0)]
    share_wanted = np.array(sizes)[:, None] / len(names)
    rng = np.random.default_rng(seed)
    divisions = [np.split(rng.permutation(len(names)), np.cumsum(sizes)[:-1]) for _ in range(DRAWS)]

    def badness(parts: list[IntArray]) -> tuple[int, int, float]:
        share = np.array([counts[people].sum(axis=0) for people in parts]) / counts.sum(axis=0)  # (parts, activities)
        whole = int((share == 1).sum())  # an activity that one part has all of cannot be both learnt and tested
        return whole, int((share == 0).sum()), float(np.abs(share - share_wanted).sum())

    return person, min(divisions, key=badness)
