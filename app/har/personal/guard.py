"""A personal head is kept only where it does not hurt: on examples of the same person that it did not learn from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.har.personal.head import LEAST, Examples, PersonalHead, learn
from app.har.personal.prior import Prior


@dataclass(frozen=True)
class Report:
    """What the guard found."""

    kept: bool
    checked: int  # examples that a head which had not learnt from them was asked about; 0: too few for that
    right_before: float  # share of them; NaN where none was checked
    right_after: float


def guarded(prior: Prior, activities: Sequence[str], examples: Examples) -> tuple[PersonalHead | None, Report]:
    """Learn from a person's examples, and keep the head only where it does not hurt on examples left out.

    Each recording is left out in turn, or half of it where no other has the same activities. Of an activity with a
    single example nothing can be left out.
    """
    if not len(examples):
        return None, Report(False, 0, np.nan, np.nan)
    right: list[tuple[NDArray[np.bool_], NDArray[np.bool_]]] = []
    log_p = []
    for left_out in _left_out(examples):
        head = learn(prior, activities, examples.where(~left_out))
        asked = examples.where(left_out)
        after = head.adjust(asked.probabilities, asked.features)
        right.append((_right(activities, asked.probabilities, asked), _right(head.activities, after, asked)))
        log_p.append(_log_p(head.activities, after, asked) - _log_p(activities, asked.probabilities, asked))
    head = learn(prior, activities, examples)
    if not right:
        return head, Report(True, 0, np.nan, np.nan)
    before, after_ = (np.concatenate(part) for part in zip(*right, strict=True))
    kept = bool(after_.mean() >= before.mean() and np.concatenate(log_p).mean() >= 0)
    return head if kept else None, Report(kept, len(before), float(before.mean()), float(after_.mean()))


def _left_out(examples: Examples) -> Iterator[NDArray[np.bool_]]:
    """Yield which examples are left out, so that each of their activities has others left."""
    _, recording = np.unique(examples.recording, return_inverse=True)
    names, activity = np.unique(examples.activity, return_inverse=True)
    part = np.zeros(len(examples), np.int64)
    for number in range(len(names)):
        rows = np.flatnonzero(activity == number)
        found, first = np.unique(recording[rows], return_inverse=True)
        # With one recording, its halves in the order of time
        part[rows] = first if len(found) > 1 else (np.arange(len(rows)) >= (len(rows) + 1) // 2)
    lonely = np.bincount(activity)[activity] < 2
    for number in range(int(part.max()) + 1):
        left_out = (part == number) & ~lonely
        if left_out.any():
            yield left_out


def _right(activities: Sequence[str], probabilities: NDArray[np.floating], asked: Examples) -> NDArray[np.bool_]:
    return np.asarray(np.array(activities)[probabilities.argmax(axis=1)] == asked.activity)


def _log_p(activities: Sequence[str], probabilities: NDArray[np.floating], asked: Examples) -> NDArray[np.float64]:
    """Return the log probability of what a person says, (n,); one that a model does not know is as good as none."""
    position = {name: number for number, name in enumerate(activities)}
    of_truth = [
        p[position[name]] if name in position else 0 for p, name in zip(probabilities, asked.activity, strict=True)
    ]
    return np.log(np.maximum(np.array(of_truth, np.float64), LEAST))
