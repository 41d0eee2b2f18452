"""Training a detector of falls on recordings in which activities, falls among them, are labelled.

Nothing of how a data set was recorded is learnt: every impact that the stream's own rule finds in daily activities is
one that is no fall; of a fall, its hardest impact is the fall, and what else happens meanwhile is left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.har.errors import InsufficientData
from app.har.falls.features import NAMES, features
from app.har.falls.impacts import Impacts
from app.har.falls.trained import Opinion, TrainedFalls, fit, weighed
from app.har.signals.types import UNLABELLED, SignalSet
from app.har.types import FloatArray, IntArray, TimeArray

FALL = re.compile(r"\b(falls?|fell|falling)\b(?! asleep)", re.I)
NEVER, OTHER, FALLEN = -1, 0, 1  # what an impact is: left out, no fall, a fall
AFTER_S = 1.0  # a fall's impact may come this long after its label ends
FOLDS, LEAST_PEOPLE, LEAST_FALLS = 5, 3, 20
FALSE_ALARMS_AN_HOUR = 0.25  # that the limit may cost on the people left out
DETECTED_TOLD = 0.985


@dataclass(frozen=True)
class Examples:
    """Impacts, and the bouts of one activity that they lie in."""

    rows: FloatArray  # (n, n_features)
    kind: IntArray  # (n,) NEVER, OTHER or FALLEN
    bout: IntArray  # (n,)
    bout_person: NDArray[np.str_]  # (n_bouts,)
    bout_activity: NDArray[np.str_]  # (n_bouts,)
    bout_fall: NDArray[np.bool_]  # (n_bouts,)
    bout_s: TimeArray  # (n_bouts,) how long each lasts

    @property
    def hours(self) -> float:
        """Hours of other activities than falls."""
        return float(self.bout_s[~self.bout_fall].sum()) / 3600


@dataclass(frozen=True)
class _Samples:
    time_s: TimeArray
    values: FloatArray


def is_fall(activity: str) -> bool:
    """Tell whether an activity is a fall, by its name."""
    return bool(FALL.search(activity))


def examples(signals: SignalSet, falls: Collection[str] | None = None) -> Examples:
    """Find the impacts of a data set.

    Parameters
    ----------
    signals : acceleration with gravity at least.
    falls : the activities that are falls; default those whose names say so.

    Raises
    ------
    InsufficientData : there is no acceleration with gravity.
    """
    columns = [i for i, channel in enumerate(signals.channels) if channel.rpartition(".")[2].startswith("acc_")][:3]
    if len(columns) < 3 or signals.gravity != "included":
        raise InsufficientData("Falls are recognised by acceleration with gravity, which this data set does not have.")
    names = {name for name in signals.activities if is_fall(name)} if falls is None else set(falls)
    found = list(_bouts(signals, columns, names))
    rows = [np.stack([row for _, row in impacts]) for *_, impacts in found if impacts]
    kinds = [_kinds(fall, impacts) for _, _, fall, _, impacts in found]
    return Examples(
        np.concatenate(rows) if rows else np.zeros((0, len(NAMES)), np.float32),
        np.concatenate([np.zeros(0, np.int64), *kinds]),
        np.repeat(np.arange(len(found)), [len(kind) for kind in kinds]),
        np.array([person for person, *_ in found], dtype=np.str_),
        np.array([activity for _, activity, *_ in found], dtype=np.str_),
        np.array([fall for _, _, fall, *_ in found], dtype=bool),
        np.array([seconds for *_, seconds, _ in found], np.float64),
    )


def joined(parts: Sequence[Examples]) -> Examples:
    """Put the examples of several data sets together; their people are different ones."""
    first = np.cumsum([0, *(len(part.bout_fall) for part in parts)])
    return Examples(
        np.concatenate([part.rows for part in parts]),
        np.concatenate([part.kind for part in parts]),
        np.concatenate([part.bout + start for part, start in zip(parts, first.tolist(), strict=False)]),
        np.concatenate([[f"{i}/{person}" for person in part.bout_person] for i, part in enumerate(parts)]),
        np.concatenate([part.bout_activity for part in parts]),
        np.concatenate([part.bout_fall for part in parts]),
        np.concatenate([part.bout_s for part in parts]),
    )


def _bouts(
    signals: SignalSet, columns: list[int], falls: Collection[str]
) -> Iterator[tuple[str, str, bool, float, list[tuple[float, FloatArray]]]]:
    """Yield person, activity, whether it is a fall, seconds, and the impacts with their peaks, bout by bout."""
    rate = signals.sampling_rate_hz
    for first, n, recording in zip(
        signals.first.tolist(), signals.length.tolist(), signals.recording.tolist(), strict=True
    ):
        labels = np.asarray(signals.labels[first : first + n])
        time = np.arange(n) / rate
        stream = Impacts()
        acceleration = np.asarray(signals.signal[first : first + n, columns], np.float32)
        impacts = stream.step(_Samples(time, acceleration)) + stream.end()
        rows, peaks = features(impacts), [impact.peak_g for impact in impacts]
        at = np.array([impact.time_s for impact in impacts])
        starts = np.flatnonzero(np.diff(labels, prepend=labels[:1] - 1))
        taken = np.zeros(len(at), bool)
        for a, b in zip(starts.tolist(), [*starts[1:].tolist(), n], strict=True):
            if labels[a] == UNLABELLED:
                continue
            activity = signals.activities[int(labels[a])]
            fall = activity in falls
            inside = ~taken & (at >= a / rate - 0.01) & (at < b / rate + (AFTER_S if fall else 0))
            taken |= inside
            chosen = [(peaks[i], rows[i]) for i in np.flatnonzero(inside).tolist()]
            yield signals.subjects[recording], activity, fall, (b - a) / rate, chosen


def _kinds(fall: bool, impacts: list[tuple[float, FloatArray]]) -> IntArray:
    kinds = np.full(len(impacts), NEVER if fall else OTHER, np.int64)
    if fall and impacts:
        kinds[int(np.argmax([peak for peak, _ in impacts]))] = FALLEN
    return kinds


def train(
    found: Examples,
    facts: dict[str, Any],
    *,
    second: TrainedFalls | None = None,
    seed: int = 0,
    on_fold: Callable[[int, int], None] | None = None,
) -> TrainedFalls:
    """Learn a detector; its limit is chosen on people who were left out of the training, group by group.

    Parameters
    ----------
    second : a detector that never met these people; its opinions count beside the one learnt here.

    Raises
    ------
    InsufficientData : too few people or falls.
    """
    people = np.unique(found.bout_person)
    n_falls = int((found.kind == FALLEN).sum())
    if len(people) < LEAST_PEOPLE or n_falls < LEAST_FALLS or not (found.kind == OTHER).any():
        raise InsufficientData(
            f"At least {LEAST_PEOPLE} people, {LEAST_FALLS} falls and other activities with impacts are needed; found "
            f"{len(people)} people and {n_falls} falls."
        )
    others = () if second is None else second.opinions
    left_out = out_of_fold(found, min(FOLDS, len(people)), seed, on_fold)
    scores = weighed([left_out, *(opinion.scores(found.rows) for opinion in others)])
    limit = best_limit(found, scores)
    own = fitted(found, np.ones(len(found.kind), bool), seed)
    return TrainedFalls((own, *others), limit, {**facts, **outcome(found, scores, limit)})


def out_of_fold(
    found: Examples, folds: int, seed: int, on_fold: Callable[[int, int], None] | None = None
) -> NDArray[np.float64]:
    """Return the score of each impact by a detector that knew nobody of the person's group; (n,)."""
    order = np.random.default_rng(seed).permutation(np.unique(found.bout_person))
    person = found.bout_person[found.bout]
    scores = np.zeros(len(found.kind))
    for fold in range(folds):
        test = np.isin(person, order[fold::folds])
        if test.any():
            scores[test] = fitted(found, ~test, seed).scores(found.rows[test])
        if on_fold is not None:
            on_fold(fold + 1, folds)
    return scores


def fitted(found: Examples, chosen: NDArray[np.bool_], seed: int) -> Opinion:
    """Learn from some of the impacts, (n,)."""
    rows = chosen & (found.kind != NEVER)
    return fit(found.rows[rows], found.kind[rows], seed=seed)


def best_limit(found: Examples, scores: NDArray[np.float64]) -> float:
    """Return the limit at which falls missed and false alarms cost least together.

    A missed fall costs what `FALSE_ALARMS_AN_HOUR` times the hours watched, shared among 1.5 % of the falls, do: at the
    aim, both cost the same. Of equal limits, the middle.
    """
    best = np.zeros(len(found.bout_fall))
    np.maximum.at(best, found.bout, scores)
    falls, alarms = np.sort(best[found.bout_fall]), np.sort(scores[found.kind == OTHER])
    limits = np.unique(np.concatenate([falls, alarms, [0.0, 1.0]]))
    limits = (limits[1:] + limits[:-1]) / 2
    missed = np.searchsorted(falls, limits) / max(len(falls), 1) / (1 - DETECTED_TOLD)
    false = (len(alarms) - np.searchsorted(alarms, limits)) / max(found.hours, 1e-9) / FALSE_ALARMS_AN_HOUR
    cost = missed + false
    least = np.flatnonzero(cost <= cost.min() + 1e-9)
    return float(np.median(limits[least]))


def outcome(found: Examples, scores: NDArray[np.float64], limit: float) -> dict[str, Any]:
    """Return how well a limit does on these impacts."""
    best = np.zeros(len(found.bout_fall))
    np.maximum.at(best, found.bout, scores)
    told = best >= limit
    return {
        "falls": int(found.bout_fall.sum()),
        "people": len(np.unique(found.bout_person)),
        "hours": round(found.hours, 3),
        "sensitivity": round(float(told[found.bout_fall].mean()), 4),
        "specificity": round(float(1 - told[~found.bout_fall].mean()), 4),
        "false_alarms_an_hour": round(float((scores[found.kind == OTHER] >= limit).sum() / found.hours), 3),
    }
