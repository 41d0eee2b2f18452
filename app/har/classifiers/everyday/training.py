"""Rows to learn each question from: drawn evenly over data sets, activities and people, against their references."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from app.har.classifiers.everyday.features import AMPLITUDE
from app.har.classifiers.everyday.forest import Forest, fit_forest
from app.har.classifiers.everyday.reference import median
from app.har.classifiers.everyday.wearing import FEWEST, Bools, Track, find_wearings
from app.har.types import FloatArray, IntArray
from app.har.vocabulary import ON_FOOT, RUNNING, STAIRS, STAIRS_DOWN, STAIRS_UP, STILL, WALKING, path_of

LEVELS = (STILL, ON_FOOT, RUNNING)
PLACES = ("leg", "trunk", "wrist", "hand or bag")
STAIRS_SHARES = (None, 0.0, 0.1, 0.2, 0.35, 0.5)  # of the sessions composed; None: as recorded
ROWS = {"level": 500, "stairs": 900, "direction": 600, "place": 600}  # of a data set and class
WITHOUT = 0.5  # share of the rows that are learnt again without a sensor
TREES = {"level": 100, "contrast": 120, "raw": 60, "direction": 80, "place": 60}
LEAF = {"level": 3, "contrast": 3, "raw": 5, "direction": 3, "place": 5}
SLOW_BAND = re.compile(r"(band|share)[012]$")  # below .8 Hz: how straight the way was, not whether it was stairs


@dataclass(frozen=True)
class Columns:
    """Which features each question looks at, (n_features,) each."""

    names: tuple[str, ...]

    def _of(self, *sources: str) -> Bools:
        return np.array([name.partition(".")[0] in sources for name in self.names])

    @cached_property
    def level(self) -> Bools:
        """Movement, its amplitude too: what every device has."""
        return self._of("acc")

    @cached_property
    def contrast(self) -> Bools:
        """Movement and rotation against the person's own."""
        slow = np.array([SLOW_BAND.search(name) is not None for name in self.names])
        return np.asarray(self._of("acc", "gyro") & ~slow)

    @cached_property
    def raw(self) -> Bools:
        """Movement without its amplitude, whose meaning turns round between pocket and waist."""
        amplitude = np.array([name.split(".")[1] == AMPLITUDE for name in self.names])
        return np.asarray(self._of("acc") & ~amplitude)

    @cached_property
    def everything(self) -> Bools:
        return np.ones(len(self.names), bool)

    def sensor(self, source: str, among: Bools) -> Bools:
        """Return which of some columns need a sensor."""
        needs = {"gyro": ("gyro", "turn"), "gravity": ("vertical", "turn")}[source]
        return np.asarray(self._of(*needs)[among])


@dataclass(frozen=True)
class Training:
    """Labelled windows of several data sets."""

    track: Track
    node: NDArray[np.str_]  # (n,) of the shared vocabulary
    dataset: NDArray[np.str_]

    def take(self, index: NDArray[np.generic]) -> Training:
        """Return the windows at these positions."""
        arrays = {name: getattr(self, name)[index] for name in ("node", "dataset")}
        return replace(self, track=self.track.take(index), **arrays)

    def is_below(self, node: str) -> Bools:
        """Return which windows are of a node or one below it."""
        below = [name for name in np.unique(self.node) if node in path_of(name)]
        return np.isin(self.node, below)

    @cached_property
    def on_foot(self) -> Bools:
        """Return which windows are on foot, whichever way."""
        return self.is_below(ON_FOOT)

    @cached_property
    def stairs(self) -> Bools:
        """Return which windows are of stairs."""
        return self.is_below(STAIRS)

    @cached_property
    def wearing(self) -> IntArray:
        """Return the number of the wearing of each window."""
        return find_wearings(self.track, self.on_foot)


@dataclass(frozen=True)
class Questions:
    """One small model a question; None where the training data hold fewer than two answers to it."""

    level: Forest | None  # still, on foot or running?
    contrast: Forest | None  # walking or stairs, against what is usual in this wearing?
    raw: Forest | None  # the same without anything to compare with
    direction: Forest | None  # up or down, against the stairs of this wearing?
    direction_from_walking: Forest | None  # up or down, against walking?
    place: Forest | None  # where is it worn, by its walking?


def fit_questions(training: Training, columns: Columns, seed: int) -> Questions:
    """Learn all questions from these windows."""
    rng = np.random.default_rng(seed)

    def fit(name: str, draw: Draw, among: Bools, n_classes: int, without: tuple[str, ...] = ()) -> Forest | None:
        rows, y, dataset = draw
        if len(np.unique(y)) < 2:
            return None
        weights = _even(y, dataset)
        for sensor in without:  # or "there is no gyroscope" would itself be learnt
            again = rng.random(len(rows)) < WITHOUT
            lacking = rows[again]
            lacking[:, columns.sensor(sensor, among)] = 0
            rows, y = np.concatenate([rows, lacking]), np.concatenate([y, y[again]])
            weights = np.concatenate([weights, weights[again]])
        kind = name if name in TREES else name.partition("_")[0]
        return fit_forest(rows, y, weights, n_classes, n_trees=TREES[kind], leaf=LEAF[kind], seed=seed)

    features = training.track.features
    gyro, both = ("gyro",), ("gyro", "gravity")
    level = _drawn(training, _levels(training), features[:, columns.level], ROWS["level"], rng)
    raw = _drawn(training, _stairs(training), features[:, columns.raw], ROWS["stairs"], rng)
    contrast = _contrasts(training, features[:, columns.contrast], rng)
    direction = _directions(training, features, rng, STAIRS)
    from_walking = _directions(training, features, rng, WALKING)
    place = _drawn(training, _places(training), features[:, columns.contrast], ROWS["place"], rng)
    return Questions(
        level=fit("level", level, columns.level, len(LEVELS)),
        contrast=fit("contrast", contrast, columns.contrast, 2, gyro),
        raw=fit("raw", raw, columns.raw, 2),
        direction=fit("direction", direction, columns.everything, 2, both),
        direction_from_walking=fit("direction_from_walking", from_walking, columns.everything, 2, both),
        place=fit("place", place, columns.contrast, len(PLACES), gyro),
    )


Draw = tuple[FloatArray, IntArray, NDArray[np.str_]]  # rows, class and data set of each


def _levels(training: Training) -> IntArray:
    return np.select([training.is_below(node) for node in LEVELS], list(range(len(LEVELS))), -1)


def _stairs(training: Training) -> IntArray:
    return np.where(training.stairs, 1, np.where(training.node == WALKING, 0, -1))


def _places(training: Training) -> IntArray:
    known = np.select([training.track.place == place for place in PLACES], list(range(len(PLACES))), -1)
    return np.where(training.node == WALKING, known, -1)


def _drawn(training: Training, y: IntArray, rows: FloatArray, most: int, rng: np.random.Generator) -> Draw:
    """Draw rows of each data set and class, of people and activities evenly; a class below 0 is left out."""
    index = [
        _some(np.flatnonzero((training.dataset == dataset) & (y == number)), training, most, rng)
        for dataset in np.unique(training.dataset)
        for number in range(int(y.max()) + 1)
    ]
    drawn = np.concatenate([np.empty(0, np.int64), *index])
    return rows[drawn], y[drawn], training.dataset[drawn]


def _some(index: IntArray, training: Training, most: int, rng: np.random.Generator) -> IntArray:
    if len(index) <= most:
        return index
    keys = np.char.add(training.wearing[index].astype(str), training.node[index])
    _, group, count = np.unique(keys, return_inverse=True, return_counts=True)
    weight = 1 / np.sqrt(count[group])
    return np.asarray(rng.choice(index, most, replace=False, p=weight / weight.sum()))


def _even(y: IntArray, dataset: NDArray[np.str_]) -> FloatArray:
    """Return weights with which each class counts the same, and within it each data set."""
    weights = np.ones(len(y), np.float32)
    for number in np.unique(y):
        datasets = np.unique(dataset[y == number])
        for name in datasets:
            rows = (y == number) & (dataset == name)
            weights[rows] = 1 / (len(datasets) * rows.sum())
    return np.asarray(weights / weights.mean())


def _contrasts(training: Training, values: FloatArray, rng: np.random.Generator) -> Draw:
    """Compose sessions of a wearing with some share of stairs, and describe each window against their median."""
    rows, y, dataset = [], [], []
    for name in np.unique(training.dataset):
        of_set = training.dataset == name
        sessions = [
            session
            for number in np.unique(training.wearing[of_set & training.on_foot])
            for session in _sessions(training, training.wearing == number, rng)
        ]
        if not sessions:
            continue
        contrast = np.concatenate([values[index] - median(values[index]) for index in sessions])
        stairs = training.stairs[np.concatenate(sessions)].astype(np.int64)
        for number in (0, 1):
            of_class = np.flatnonzero(stairs == number)
            drawn = rng.choice(of_class, min(ROWS["stairs"], len(of_class)), replace=False)
            rows.append(contrast[drawn])
            y.append(stairs[drawn])
            dataset.append(np.full(len(drawn), name))
    if not rows:
        return values[:0], np.empty(0, np.int64), training.dataset[:0]
    return np.concatenate(rows), np.concatenate(y), np.concatenate(dataset)


def _sessions(training: Training, of_wearing: Bools, rng: np.random.Generator) -> Iterator[IntArray]:
    walking = np.flatnonzero(of_wearing & (training.node == WALKING))
    stairs = np.flatnonzero(of_wearing & training.stairs)
    for share in STAIRS_SHARES:
        index = _composed(walking, stairs, share, rng)
        if len(index) >= FEWEST - 1:
            yield index


def _composed(walking: IntArray, stairs: IntArray, share: float | None, rng: np.random.Generator) -> IntArray:
    """Return windows with a share of stairs, in one piece, and as much walking as there is."""
    if share is None:
        return np.concatenate([walking, stairs])
    if share == 0:
        return walking
    if len(walking) < FEWEST - 1 or len(stairs) < 2:
        return np.empty(0, np.int64)
    n = max(1, round(share / (1 - share) * len(walking)))
    if n >= len(stairs):
        return np.concatenate([walking[: max(FEWEST - 1, round((1 - share) / share * len(stairs)))], stairs])
    first = rng.integers(0, len(stairs) - n + 1)
    return np.concatenate([walking, stairs[first : first + n]])


def _directions(training: Training, values: FloatArray, rng: np.random.Generator, reference: str) -> Draw:
    """Describe stairs up and down against the stairs, or the walking, of the same wearing."""
    y = np.select([training.node == STAIRS_UP, training.node == STAIRS_DOWN], [0, 1], -1)
    compared = training.is_below(reference)
    contrast = np.full(values.shape, np.nan, np.float32)
    for number in np.unique(training.wearing[y >= 0]):
        of_wearing = training.wearing == number
        index = np.flatnonzero(of_wearing & (y >= 0))
        usual = np.flatnonzero(of_wearing & compared)
        if len(usual) < FEWEST or (reference == STAIRS and len(set(y[index].tolist())) < 2):
            y[index] = -1
            continue
        contrast[index] = values[index] - median(values[usual])
    return _drawn(training, y, contrast, ROWS["direction"], rng)
