"""Whether a whole window is like any activity that was learnt, or rather like what people do besides.

Three scores, each in multiples of what known activities of data sets left out stay below; the largest counts:
the distance to the nearest examples of each activity; on foot, the same of how a window differs from what is usual in
the wearing; and the share of trees that take it for one of the other movements that training data hold.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass, replace

import numpy as np
from numpy.typing import NDArray

from app.har.classifiers.everyday.calibration import Trial
from app.har.classifiers.everyday.evidence import Evidence
from app.har.classifiers.everyday.forest import Forest, fit_forest
from app.har.classifiers.everyday.reference import median
from app.har.classifiers.everyday.training import LEVELS, Columns, Training, sessions
from app.har.classifiers.everyday.wearing import Bools, Track, positions_of, runs_among, smoothed
from app.har.errors import InsufficientData
from app.har.types import FloatArray, IntArray
from app.har.vocabulary import ON_FOOT, RUNNING, STAIRS, STILL, WALKING

KINDS = (STILL, WALKING, STAIRS, RUNNING, ON_FOOT)  # the first that a window is of
EXAMPLES = 60  # of each data set and kind
OWN_EXAMPLES = 150  # the same, of windows on foot against their wearing
NEIGHBOURS = 5
OWN_SHARE = 0.9  # of the examples of a kind that are nearer to the others of it than 1
KNOWN_SHARE = 0.95  # of the windows of data sets left out that are not called novel
REACH = 2
ROWS = 2048
DEAD_RMS = 1e-3  # m/s²: every sensor has more noise
RESTLESS = 0.5  # how much of a wearing's own restlessness its contrasts are measured in, once it is well known
KNOWN_AFTER = 10  # steps from a window to the next: half known
MOST = 6.0  # of a contrast: one feature alone makes nothing novel
TREES, LEAF, DRAWN = 60, 3, 200
MOST_OTHERS = 600  # windows of other movements, of a data set


@dataclass(frozen=True)
class Neighbours:
    """Examples of each kind of activity, and how far apart those are."""

    examples: NDArray[np.float16]  # (n_examples, n_columns), scaled
    kind: NDArray[np.int8]  # (n_examples,)
    spread: FloatArray  # (n_kinds,) distance at which OWN_SHARE of a kind's own examples are

    def distance(self, rows: FloatArray) -> FloatArray:
        """Return the distance to the nearest kind, (n,), in multiples of its spread."""
        parts = [self._distance(rows[i : i + ROWS]) for i in range(0, len(rows), ROWS)]
        return np.concatenate(parts) if parts else np.zeros(0, np.float32)

    def _distance(self, rows: FloatArray) -> FloatArray:
        apart = _distances(rows, self.examples.astype(np.float32))
        of_kinds = [
            np.partition(apart[:, self.kind == kind], NEIGHBOURS - 1, axis=1)[:, :NEIGHBOURS].mean(axis=1)
            / self.spread[kind]
            for kind in np.unique(self.kind)
        ]
        return np.asarray(np.min(of_kinds, axis=0), np.float32)


@dataclass(frozen=True)
class Limits:
    """Scores above which a window is novel."""

    level: float = 1.0
    own: float = 1.0
    other: float = 1.0


@dataclass(frozen=True)
class Novelty:
    """What known activities look like, in themselves and against a person's own walking, and what others do."""

    centre: FloatArray  # (n_columns,)
    scale: FloatArray
    level: Neighbours
    restlessness: FloatArray  # (n_own_columns,) usual step from a window on foot to the next
    own: Neighbours | None
    other: Forest | None
    limits: Limits = Limits()

    def __call__(self, track: Track, columns: Columns, evidence: Evidence) -> FloatArray:
        """Return how unlike any activity windows are, (n,); above 1 is novel. Neighbours in time are averaged.

        Rest is known however quiet it is, though no example may be as quiet; a sensor that gives nothing does not rest.
        """
        unlike = self.scores(track, columns, evidence) / np.array([astuple(self.limits)]).T
        unlike[0] = np.where(_rests(track, evidence), np.minimum(unlike[0], 1), unlike[0])
        return np.asarray(unlike.max(axis=0), np.float32)

    def scores(self, track: Track, columns: Columns, evidence: Evidence) -> NDArray[np.float64]:
        """Return the scores of windows by `Limits`, (3, n); 0 where a score says nothing."""
        rows = track.features[:, columns.level]
        level = smoothed(self.level.distance((rows - self.centre) / self.scale), track.runs, REACH)
        other = np.zeros(len(track))
        if self.other is not None:
            other = smoothed(self.other.predict_proba(rows)[:, 1], track.runs, REACH)
        return np.stack([level, self._own(track, columns, evidence), other])

    def _own(self, track: Track, columns: Columns, evidence: Evidence) -> FloatArray:
        found = np.zeros(len(track), np.float32)
        if self.own is None:
            return found
        for of_wearing in positions_of(evidence.wearing):
            rows = of_wearing[evidence.on_foot[of_wearing]]
            usual = evidence.usual[evidence.wearing[of_wearing[0]], columns.own]
            if len(rows) and not np.isnan(usual).any():
                values = track.features[np.ix_(rows, columns.own)]
                runs = runs_among(track.runs, evidence.wearing, rows)
                contrast = _contrasts(values, runs, usual, self.restlessness)
                found[rows] = smoothed(self.own.distance(contrast), runs, REACH)
        return found


def fit_novelty(training: Training, others: Training, columns: Columns, trials: Sequence[Trial], seed: int) -> Novelty:
    """Draw examples, and set the limits to what known activities of data sets left out stay below.

    Each data set counts the same, and each score calls as many of them novel.

    Parameters
    ----------
    others : windows of movements that are none of the activities; may be empty.
    trials : of what was left out, see `fit_calibration`.
    """
    novelty = _examples(training, others, columns, seed)
    by_people = len(np.unique(training.dataset)) < 2
    scores = []
    for trial in trials:
        if trial.kind == "recorded":
            rest, besides = (_without(part, trial.training, by_people) for part in (training, others))
            track = trial.training.track
            of_set = _examples(rest, besides, columns, seed).scores(track, columns, trial.evidence)
            of_set[0, _rests(track, trial.evidence)] = 0
            scores.append(of_set)
    return replace(novelty, limits=_limits(scores))


def _limits(scores: Sequence[NDArray[np.float64]]) -> Limits:
    """Return limits that, on average over data sets, KNOWN_SHARE of windows stay below all of.

    Parameters
    ----------
    scores : (3, n) of each data set.
    """
    if not scores:
        return Limits()
    fewest, most = KNOWN_SHARE, 1.0
    limits = np.ones(3)
    for _ in range(20):
        share = (fewest + most) / 2
        limits = np.mean([np.quantile(of_set, share, axis=1) for of_set in scores], axis=0)
        called = np.mean([(of_set > limits[:, None]).any(axis=0).mean() for of_set in scores])
        fewest, most = (fewest, share) if called < 1 - KNOWN_SHARE else (share, most)
    return Limits(*np.maximum(limits, 1e-3).tolist())


def _without(training: Training, left_out: Training, by_people: bool) -> Training:
    """Return the windows that are not of the data sets, or else of the people, that were left out."""
    if by_people:
        same = np.isin(training.track.subjects, np.unique(left_out.track.subjects))
    else:
        same = np.isin(training.dataset, np.unique(left_out.dataset))
    return training.take(np.flatnonzero(~same))


def _rests(track: Track, evidence: Evidence) -> Bools:
    still = evidence.level.argmax(axis=1) == LEVELS.index(STILL)
    return np.asarray(still & (track.movement_rms >= DEAD_RMS))


def _examples(training: Training, others: Training, columns: Columns, seed: int) -> Novelty:
    rng = np.random.default_rng(seed)
    kind = _kinds(training)
    index = _drawn(kind, training.dataset, EXAMPLES, rng)
    if not len(index):
        raise InsufficientData(f"The everyday model needs more than {NEIGHBOURS} windows of an activity.")
    values = training.track.features[np.ix_(index, columns.level)]
    centre, scale = values.mean(axis=0), values.std(axis=0) + 1e-3
    level = _neighbours((values - centre) / scale, kind[index], len(KINDS))
    restlessness, own = _own_examples(training, columns, rng)
    return Novelty(centre, scale, level, restlessness, own, _other_forest(training, others, columns, kind, rng, seed))


def _neighbours(examples: FloatArray, kind: IntArray, n_kinds: int) -> Neighbours:
    spread = np.ones(n_kinds, np.float32)
    for number in np.unique(kind):
        own = examples[kind == number]
        apart = np.sort(_distances(own, own), axis=1)[:, 1 : NEIGHBOURS + 1].mean(axis=1)
        spread[number] = max(float(np.quantile(apart, OWN_SHARE)), 1e-3)
    return Neighbours(examples.astype(np.float16), kind.astype(np.int8), spread)


def _own_examples(
    training: Training, columns: Columns, rng: np.random.Generator
) -> tuple[FloatArray, Neighbours | None]:
    """Draw windows on foot as they differ from the usual of sessions that hold between none and half of stairs."""
    values, runs = training.track.features[:, columns.own], training.track.runs
    feet = np.flatnonzero(training.on_foot)
    restlessness = _step(values[feet], runs_among(runs, training.wearing, feet))[0] + 1e-3
    rows: list[FloatArray] = []
    of: list[IntArray] = []
    for session in _all_sessions(training, rng):
        in_time = np.sort(session)
        own, usual = values[in_time], median(values[in_time])
        rows.append(_contrasts(own, runs_among(runs, training.wearing, in_time), usual, restlessness))
        of.append(in_time)
    if not rows:
        return restlessness, None
    contrasts, position = np.concatenate(rows), np.concatenate(of)
    stairs = training.stairs[position].astype(np.int64)
    index = _drawn(stairs, training.dataset[position], OWN_EXAMPLES, rng)
    return restlessness, _neighbours(contrasts[index], stairs[index], 2) if len(index) else None


def _all_sessions(training: Training, rng: np.random.Generator) -> Iterator[IntArray]:
    for number in np.unique(training.wearing[training.on_foot]):
        yield from sessions(training, training.wearing == number, rng)


def _contrasts(values: FloatArray, runs: IntArray, usual: FloatArray, restlessness: FloatArray) -> FloatArray:
    """Return windows against what is usual, in units of how much windows change from one to the next.

    What changes much in this wearing, at a wrist or in a hand, says little there; steps do not depend on how much of
    which activity the wearing holds.
    """
    step, count = _step(values, runs)
    weight = RESTLESS * count / (count + KNOWN_AFTER)
    unit = np.exp(weight * np.log(step + 0.1 * restlessness) + (1 - weight) * np.log(restlessness))
    return np.asarray(np.clip((values - usual) / unit, -MOST, MOST), np.float32)


def _step(values: FloatArray, runs: IntArray) -> tuple[FloatArray, int]:
    """Return the median step of each feature from a window to the next in its run, and the number of steps."""
    steps = np.abs(np.diff(values, axis=0))[runs[1:] == runs[:-1]]
    return (np.median(steps, axis=0) if len(steps) else np.zeros(values.shape[1], np.float32)), len(steps)


def _other_forest(
    training: Training, others: Training, columns: Columns, kind: IntArray, rng: np.random.Generator, seed: int
) -> Forest | None:
    """Learn known activities against others; the known ones count as much as the others in all."""
    besides = _drawn(np.zeros(len(others.node), np.int64), others.dataset, MOST_OTHERS, rng)
    if not len(besides):
        return None
    index = _drawn(kind, training.dataset, DRAWN, rng)
    keys = np.char.add(training.dataset[index], kind[index].astype(str))
    _, group, count = np.unique(keys, return_inverse=True, return_counts=True)
    parts = (training.track.features[index], others.track.features[besides])
    weights = [1 / count[group], np.ones(len(besides))]
    return fit_forest(
        np.concatenate(parts)[:, columns.level],
        np.repeat([0, 1], [len(index), len(besides)]),
        np.concatenate([part / part.sum() for part in weights]).astype(np.float32) * (len(index) + len(besides)),
        2,
        n_trees=TREES,
        leaf=LEAF,
        seed=seed,
    )


def _drawn(kind: IntArray, dataset: NDArray[np.str_], most: int, rng: np.random.Generator) -> IntArray:
    """Draw positions of each data set and kind; a kind below 0 is left out, and one of too few windows."""
    index = [
        rng.choice(rows, min(most, len(rows)), replace=False)
        for name in np.unique(dataset)
        for number in range(int(kind.max(initial=-1)) + 1)
        if len(rows := np.flatnonzero((kind == number) & (dataset == name))) > NEIGHBOURS
    ]
    return np.concatenate([np.empty(0, np.int64), *index])


def _kinds(training: Training) -> IntArray:
    of_kinds = [training.is_below(kind) if kind != WALKING else training.node == WALKING for kind in KINDS]
    return np.select(of_kinds, list(range(len(KINDS))), -1)


def _distances(a: FloatArray, b: FloatArray) -> FloatArray:
    squared = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1) - 2 * a @ b.T
    return np.asarray(np.sqrt(np.maximum(squared, 0)))
