"""A personal head is kept only where it does not hurt: on examples of the same person that it did not learn from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.har.personal.head import LEAST, WEIGHING, Examples, PersonalHead, Weighing, learn, meant
from app.har.personal.prior import Prior

HALF = 0.5  # of the strength of a head


@dataclass(frozen=True)
class Report:
    """What the guard found."""

    kept: bool
    checked: int  # examples that a head which had not learnt from them was asked about; 0: too few for that
    right_before: float  # share of them; NaN where none was checked
    right_after: float


def guarded(
    prior: Prior,
    activities: Sequence[str],
    examples: Examples,
    weighing: Weighing = WEIGHING,
) -> tuple[PersonalHead | None, Report]:
    """Learn from a person's examples, and keep the head only where it does not hurt on examples left out.

    Each recording is left out in turn, or half of it where no other has the same activities. Of an activity with a
    single example nothing can be left out. A head must make the truth no less probable, in the mean over bouts; where
    it makes no more windows right, clearly more probable. One that does not is tried again at half its strength.
    """
    if not len(examples):
        return None, Report(False, 0, np.nan, np.nan)
    folds = list(_left_out(examples))
    if not folds:
        return learn(prior, activities, examples, 1.0, weighing), Report(True, 0, np.nan, np.nan)
    checked = sum(int(fold.sum()) for fold in folds)
    for strength in (1.0, HALF):
        before, after, gain = _asked(prior, activities, examples, folds, strength, weighing)
        if gain.mean() >= 0 and (after > before or (after == before and _is_clear(gain))):
            return learn(prior, activities, examples, strength, weighing), Report(True, checked, before, after)
    return None, Report(False, checked, before, after)


def _asked(
    prior: Prior,
    activities: Sequence[str],
    examples: Examples,
    folds: Sequence[NDArray[np.bool_]],
    strength: float,
    weighing: Weighing,
) -> tuple[float, float, NDArray[np.float64]]:
    """Return of examples left out the share that is right before and after, and the gains in log probability.

    A gain is that of a bout, since windows of one are alike; where there is a single bout, that of a window.
    """
    rows = []
    for left_out in folds:
        head = learn(prior, activities, examples.where(~left_out), strength, weighing)
        asked = examples.where(left_out)
        adjusted = head.adjust(asked.probabilities, asked.features)
        true_before, true = (meant(activities, names, asked.activity) for names in (activities, head.activities))
        gain = _log_p(true, adjusted) - _log_p(true_before, asked.probabilities)
        rows.append([_right(true_before, asked.probabilities), _right(true, adjusted), gain])
    before, after, gains = (np.concatenate(column) for column in zip(*rows, strict=True))
    bout = np.concatenate([examples.bouts()[left_out] for left_out in folds])
    found, bout = np.unique(bout, return_inverse=True)
    if len(found) > 1:
        gains = np.bincount(bout, gains) / np.bincount(bout)
    return float(before.mean()), float(after.mean()), gains


def _is_clear(gains: NDArray[np.float64]) -> bool:
    """Say whether gains are more than their standard error, in the mean; a single one says nothing."""
    return len(gains) > 1 and bool(gains.mean() > gains.std(ddof=1) / np.sqrt(len(gains)))


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


def _right(true: NDArray[np.bool_], probabilities: NDArray[np.floating]) -> NDArray[np.bool_]:
    return np.asarray(true[np.arange(len(true)), probabilities.argmax(axis=1)])


def _log_p(true: NDArray[np.bool_], probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the log probability of what a person says, (n,); one that a model does not know is as good as none."""
    return np.asarray(np.log(np.maximum((true * probabilities).sum(axis=1), LEAST)))
