"""Windows of several data sets, made fit to train one model on: labels of one depth, and sets that count evenly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from app.har.errors import InsufficientData
from app.har.evaluation.types import Split
from app.har.types import IntArray
from app.har.vocabulary import inner_nodes
from app.har.windows import WindowSet

FEWEST = 100  # windows of an activity that a data set may give, however few the others have


def with_flat_labels(windows: WindowSet) -> tuple[WindowSet, dict[str, dict[str, int]]]:
    """Leave out windows whose label holds others: a model of one answer can't learn *Stairs* beside *Stairs up*.

    Returns
    -------
    The other windows, their activities those that occur, and how many were left out, by data set and label.
    """
    names = np.array(windows.activities)
    present = [windows.activities[label] for label in np.unique(windows.y)]
    inner = inner_nodes(present)
    left_out = windows.take(np.isin(names[windows.y], list(inner)))
    kept = [i for i, name in enumerate(windows.activities) if name in present and name not in inner]
    rest = windows.take(np.isin(windows.y, kept))
    flat = replace(rest, y=np.searchsorted(kept, rest.y), activities=tuple(windows.activities[i] for i in kept))
    return flat, counted(left_out)


def counted(windows: WindowSet) -> dict[str, dict[str, int]]:
    """Return how many windows there are, by data set and activity."""
    counts: dict[str, dict[str, int]] = {}
    for dataset in np.unique(_datasets(windows)).tolist():
        labels, n = np.unique(windows.y[_datasets(windows) == dataset], return_counts=True)
        counts[dataset] = {windows.activities[label]: count for label, count in zip(labels, n.tolist(), strict=True)}
    return counts


def with_even_training(windows: WindowSet, splits: Sequence[Split], seed: int) -> list[Split]:
    """Let data sets count evenly in training, and the people of each: draw so many of the training windows.

    Of each activity, every data set gives as many windows as the middle one of those that have it (the lower of two),
    at least `FEWEST`, or all that it has; people give one in turn until there are enough. Tests are as they were.
    """
    return [replace(split, train=_draw_evenly(windows, split.train, seed)) for split in splits]


def _draw_evenly(windows: WindowSet, train: IntArray, seed: int) -> IntArray:
    if windows.datasets is None:
        return train
    order = np.random.default_rng(seed).permutation(train)
    kept = []
    for label in np.unique(windows.y[order]):
        own = order[windows.y[order] == label]
        datasets = windows.datasets[own]
        sizes = np.unique(datasets, return_counts=True)[1]
        most = max(int(np.sort(sizes)[(len(sizes) - 1) // 2]), FEWEST)
        for dataset in np.unique(datasets):
            cell = own[datasets == dataset]
            kept.append(cell[np.argsort(_turns(windows.subjects[cell]), kind="stable")[:most]])
    return np.sort(np.concatenate(kept))


def _turns(subjects: NDArray[np.str_]) -> IntArray:
    """Return of each window which of its person's it is, counted from 0."""
    turns = np.zeros(len(subjects), np.int64)
    for subject in np.unique(subjects):
        own = np.flatnonzero(subjects == subject)
        turns[own] = np.arange(len(own))
    return turns


def with_complete_sensors(windows: WindowSet) -> tuple[WindowSet, dict[str, dict[str, int]]]:
    """Keep the channels that every data set has in most of its windows, and the windows that have them all.

    Of the models that are compared here none learns from windows that lack a sensor.

    Returns
    -------
    The windows, and how many were left out, by data set and activity.

    Raises
    ------
    InsufficientData : no channel is in all data sets.
    """
    missing = np.isnan(windows.X[:, 0])  # (n_windows, n_channels); a sensor is missing all through a window
    if not missing.any():
        return windows, {}
    dataset = _datasets(windows)
    shares = np.stack([missing[dataset == name].mean(axis=0) for name in np.unique(dataset)])
    kept = np.flatnonzero((shares <= 0.5).all(axis=0))
    if not len(kept):
        raise InsufficientData("The data sets have no sensor in common. Choose others.")
    whole = ~missing[:, kept].any(axis=1)
    complete = windows.take(np.flatnonzero(whole))
    channels = tuple(windows.channels[i] for i in kept)
    return replace(complete, X=complete.X[:, :, kept], channels=channels), counted(windows.take(np.flatnonzero(~whole)))


def _datasets(windows: WindowSet) -> NDArray[np.str_]:
    """Return the data set of each window, "" where there is only one."""
    return np.full(len(windows), "") if windows.datasets is None else windows.datasets
