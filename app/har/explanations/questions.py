"""What the everyday model asked of some windows, and what each group of features said to each question.

The model is a few small models, one a question: each is trees, and what is said is a mean over trees and over
neighbours in time. So what a group of features said is exact: on the way from the root of a tree to a leaf each step
moves the answer, and each step looks at one feature; the steps add up to the answer.

References
----------
Saabas (2014), Interpreting random forests, https://blog.datadive.net/interpreting-random-forests.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.har.classifiers.everyday.answer import TREE, on_table, put_together
from app.har.classifiers.everyday.classifier import EverydayClassifier
from app.har.classifiers.everyday.evidence import (
    DIRECTION_REACH,
    STAIRS_REACH,
    Evidence,
    log_odds,
    log_of,
    runs_among,
)
from app.har.classifiers.everyday.features import AMPLITUDE, BAND_EDGES_HZ
from app.har.classifiers.everyday.forest import Forest
from app.har.classifiers.everyday.training import Columns
from app.har.classifiers.everyday.wearing import Bools, Track
from app.har.explanations.values import log_odds as sureness
from app.har.types import FloatArray, IntArray
from app.har.vocabulary import NOT_WORN, ON_FOOT, STAIRS, STILL, path_of

LEVEL, CLIMBS, WAY, WAY_WALKING, POSTURE, WORN = "level", "climbs", "way", "way by walking", "posture", "worn"
SLOW_HZ, FAST_HZ = 0.8, 3.5  # posture and sway lie below, steps between, impacts above
STRENGTH, SLOW, PACE, FAST, RHYTHM, SHAPE, AXES = "strength", "slow", "pace", "fast", "rhythm", "shape", "axes"

Odds = NDArray[np.float64]
Features = Callable[[IntArray], FloatArray]  # positions of windows to their features, (n, n_features)


@dataclass(frozen=True)
class Part:
    """What one question looks at that says one thing: features, the angle of gravity, or how quiet a sensor is."""

    question: str
    source: str = ""  # of features: "acc", "gyro", "vertical", "turn"
    aspect: str = ""
    number: int = 0  # among the parts of its question


@dataclass(frozen=True)
class Asked:
    """One question, as trees were asked it: of each window that is explained, and of the neighbours that count."""

    forest: Forest
    group: IntArray  # (n_columns,) number of the part that each column is of
    values: FloatArray  # (n_rows, n_columns), against the person's own where the question is
    usual: FloatArray  # (n_rows, n_columns) what that is; 0 where nothing is compared
    of: IntArray  # (n_rows,) which of the windows that are explained
    weight: Odds  # (n_rows,) sums to 1 over each of them
    n_windows: int  # that are explained; one that was not asked this has no rows

    def take(self, windows: slice) -> Asked:
        """Return what was asked of some of the windows that are explained."""
        here = np.flatnonzero((self.of >= windows.start) & (self.of < windows.stop))
        n = windows.stop - windows.start
        return replace(
            self,
            values=self.values[here],
            usual=self.usual[here],
            of=self.of[here] - windows.start,
            weight=self.weight[here],
            n_windows=n,
        )

    @property
    def lacking(self) -> NDArray[np.bool_]:
        """Return of which columns nothing is known in any row: their sensor is missing."""
        return np.asarray(np.isnan(self.values).all(axis=0))

    @cached_property
    def by_part(self) -> tuple[Odds, Odds]:
        """Return the answers, (n_rows, n_classes), and what each part adds to them, (n_rows, n_parts, n_classes)."""
        start, added = self.forest.said_by(self.values, self.group)
        return start + added.sum(axis=1), added

    def told(self, p: FloatArray | Odds) -> Odds:
        """Return what rows' probabilities, (n_rows, …, n_classes), tell of each window that is explained.

        That is the mean log probability of three classes, the mean log-odds of two; NaN of a window without rows.
        """
        flat = np.asarray(p, np.float32).reshape(-1, p.shape[-1])
        told = log_of(flat) if p.shape[-1] > 2 else log_odds(flat)
        told = told.reshape(*p.shape[:-1], -1) if p.shape[-1] > 2 else told.reshape(p.shape[:-1])
        weighted = told * self.weight.reshape(-1, *(1,) * (told.ndim - 1))
        found = np.full((self.n_windows, *told.shape[1:]), np.nan)
        found[np.unique(self.of)] = 0
        np.add.at(found, self.of, weighted)
        return found


@dataclass(frozen=True)
class Questioned:
    """Windows that are explained, with all that the model asked of them."""

    model: EverydayClassifier
    parts: list[Part]
    evidence: Evidence  # of the windows that are explained
    asked: dict[str, Asked]
    sees_gravity: Bools  # (n,)
    table: Odds  # (n,) how probable it is that nobody wears the device

    @classmethod
    def of(
        cls, model: EverydayClassifier, track: Track, evidence: Evidence, chosen: IntArray, features: Features
    ) -> Questioned:
        """Ask again what the answers to some windows of a track hang on.

        Parameters
        ----------
        track, evidence : of all windows of whole recordings; no features are needed.
        chosen : positions of those that are explained.
        """
        columns, questions, runs = model.columns, model.questions_, track.runs
        asked, parts = {}, []
        gravity = ~np.isnan(track.gravity[:, 0])
        feet = np.flatnonzero(evidence.on_foot)
        known = evidence.usual if np.all(evidence.known) else ()
        everything = columns.everything
        against = (
            (LEVEL, questions.level, columns.level, None, 1, np.arange(len(track))),
            (CLIMBS, questions.contrast, columns.contrast, evidence.usual, STAIRS_REACH, feet),
            (WAY, questions.direction, everything, evidence.usual_stairs, DIRECTION_REACH, feet),
            (WAY_WALKING, questions.direction_from_walking, everything, known, DIRECTION_REACH, feet[gravity[feet]]),
        )
        for question, forest, among, usual, reach, rows in against:
            own, group = _parts(question, np.array(columns.names)[among].tolist())
            if usual is not None:
                there = np.array([not np.isnan(each[0]) for each in usual], bool)
                rows = rows[there[evidence.wearing[rows]]] if len(usual) else rows[:0]
                together = runs_among(runs, evidence.wearing, rows)
            else:
                together = runs
            of, row = _around(chosen, rows, together, reach)
            if forest is None or not len(row):
                continue
            values = features(row)[:, among]
            compared = np.zeros_like(values) if usual is None else np.stack(usual)[evidence.wearing[row]][:, among]
            values = np.asarray(values - compared, np.float32)
            weight = _weights(forest, values, of, alike=usual is None)
            asked[question] = Asked(forest, group, values, compared, of, weight, len(chosen))
            parts += [part for part in own if not _lacks(asked[question], part)]
        parts += [Part(POSTURE), Part(WORN)]
        here = _taken(evidence, chosen)
        return cls(model, parts, here, asked, gravity[chosen], on_table(track)[chosen])

    def __len__(self) -> int:
        return len(self.table)

    def take(self, windows: slice) -> Questioned:
        """Return the same of some of the windows; what was worked out of all of them is not worked out again."""
        index = np.arange(windows.start, windows.stop)
        asked = {question: own for question, each in self.asked.items() if len((own := each.take(windows)).of)}
        parts = [part for part in self.parts if part.question in (*asked, POSTURE, WORN)]
        parts = [part for part in parts if part.question not in asked or not _lacks(asked[part.question], part)]
        evidence = _taken(self.evidence, index)
        found = Questioned(self.model, parts, evidence, asked, self.sees_gravity[index], self.table[index])
        vars(found)["told"] = {question: self.told[question][index] for question in asked}
        for question, own in asked.items():
            rows = np.flatnonzero((self.asked[question].of >= windows.start) & (self.asked[question].of < windows.stop))
            p, added = self.asked[question].by_part
            vars(own)["by_part"] = p[rows], added[rows]
        return found

    def columns_of(self, question: str) -> list[str]:
        """Return the names of the features that a question looks at."""
        return _columns_of(self.model.columns, question)

    @cached_property
    def told(self) -> dict[str, Odds]:
        """Return what each question says of the windows, (n, …); see `Asked.told`."""
        return {question: asked.told(asked.by_part[0]) for question, asked in self.asked.items()}

    def proba(
        self, index: IntArray, told: Mapping[str, Odds], level: Bools | None = None, worn: Bools | None = None
    ) -> FloatArray:
        """Return probabilities of the activities, (q, n_activities), where some questions had said something else.

        Parameters
        ----------
        index : (q,) of which of the windows.
        told : (q, …) of each question that is not to say what it did.
        level, worn : (q,) whether the angle of gravity is known, and how quiet the sensors are; default always.
        """
        said = {question: told.get(question, own[index]) for question, own in self.told.items()}
        evidence = _taken(self.evidence, index)
        changed: dict[str, Any] = {
            field: np.where(np.isnan(getattr(evidence, field)), np.nan, said[question])
            for question, field in ((CLIMBS, "stairs"), (WAY, "down"), (WAY_WALKING, "down_from_walking"))
            if question in said
        }
        if LEVEL in said:
            changed["level"] = said[LEVEL]
        if level is not None:
            changed["tilt_deg"] = np.where(level, evidence.tilt_deg, np.nan)
        table = self.table[index] if worn is None else np.where(worn, self.table[index], 0)
        found = replace(evidence, **changed)
        return put_together(found, self.model.calibration_, self.sees_gravity[index], table)

    def without(self, taken: Bools) -> FloatArray:
        """Return probabilities of all nodes, (n, q, n_nodes), had some parts said nothing.

        Parameters
        ----------
        taken : (n, q, n_parts)
        """
        n, q, _ = taken.shape
        told = {}
        for question, asked in self.asked.items():
            p, added = asked.by_part
            gone = np.zeros((n, q, added.shape[1]))
            for position, part in enumerate(self.parts):
                if part.question == question:
                    gone[:, :, part.number] = taken[:, :, position]
            left = p[:, None] - np.einsum("rqg,rgc->rqc", gone[asked.of], added)
            of_windows = asked.told(np.clip(left, 0, 1))
            told[question] = of_windows.reshape(n * q, *of_windows.shape[2:])
        by_name = {part.question: position for position, part in enumerate(self.parts)}
        level, worn = (~taken[:, :, by_name[name]].ravel() for name in (POSTURE, WORN))
        proba = self.proba(np.repeat(np.arange(n), q), told, level, worn)
        return TREE.probabilities(proba).reshape(n, q, -1)

    @cached_property
    def nodes(self) -> FloatArray:
        """Return the probabilities of all nodes, (n, n_nodes), as answered."""
        return TREE.probabilities(self.proba(np.arange(len(self)), {}))

    def values(self, targets: IntArray) -> Odds:
        """Return how much less sure of a node, (n,), the model would be had each part said nothing, (n, n_parts)."""
        n, n_parts = len(self), len(self.parts)
        p = self.without(np.repeat(np.eye(n_parts, dtype=bool)[None], n, axis=0))
        rows = np.arange(n)
        whole = sureness(self.nodes[rows, targets])
        return np.asarray(whole[:, None] - sureness(p[rows, :, targets]), np.float64)

    def matter(self, target: int) -> Bools:
        """Return which parts an answer can hang on, (n_parts,)."""
        wanted = questions_of(TREE.nodes[target])
        return np.array([part.question in wanted for part in self.parts])


@lru_cache(maxsize=16)
def _columns_of(columns: Columns, question: str) -> list[str]:
    among = {LEVEL: columns.level, CLIMBS: columns.contrast}.get(question, columns.everything)
    return [name for name, there in zip(columns.names, among.tolist(), strict=True) if there]


def questions_of(node: str) -> set[str]:
    """Return the questions that an answer of a node needs."""
    path, found = path_of(node), {LEVEL}
    if ON_FOOT in path[1:]:
        found.add(CLIMBS)
    if STAIRS in path[1:]:
        found |= {WAY, WAY_WALKING}
    if STILL in path or node == NOT_WORN:
        found.add(WORN)
    if STILL in path[1:]:
        found.add(POSTURE)
    return found


def aspect_of(name: str) -> str:
    """Return what a feature says, by its name; see `features.describe`."""
    _, kind, rest = name.split(".", 2) if name.count(".") > 1 else (*name.split("."), "")
    last = rest.rpartition(".")[2]
    for word in ("band", "share"):
        if (number := last.removeprefix(word)).isdigit() and last != number:
            hz = float(np.sqrt(BAND_EDGES_HZ[int(number)] * BAND_EDGES_HZ[int(number) + 1]))
            return SLOW if hz < SLOW_HZ else PACE if hz < FAST_HZ else FAST
    if kind == AMPLITUDE:
        return STRENGTH
    if kind == "gait" or last.startswith(("lag", "entropy")):
        return RHYTHM
    if last in ("jerk/sd", "centroid"):
        return FAST
    return AXES if "axis" in last or last in ("v/h", "h2/h1", "wv/wh") or rest.startswith("vh.") else SHAPE


def _parts(question: str, names: list[str]) -> tuple[list[Part], IntArray]:
    """Return the parts of a question, and which of them each of its columns is of."""
    keys = [(name.partition(".")[0], aspect_of(name)) for name in names]
    every = list(dict.fromkeys(keys))
    parts = [Part(question, *key, number) for number, key in enumerate(every)]
    return parts, np.array([every.index(key) for key in keys], np.int64)


def _lacks(asked: Asked, part: Part) -> bool:
    """Tell whether nothing is known of a part in any window."""
    return bool(asked.lacking[asked.group == part.number].all())


def _around(chosen: IntArray, rows: IntArray, runs: IntArray, reach: int) -> tuple[IntArray, IntArray]:
    """Return of which chosen window, and which window, each is that counts: those around it in its run.

    Parameters
    ----------
    rows, runs : the windows that were asked, in order, and the run of each; a chosen one that was not has none.
    """
    if not len(rows):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    at = np.minimum(np.searchsorted(rows, chosen), len(rows) - 1)
    there = rows[at] == chosen
    of, found = [], []
    for shift in (0, *(sign * step for step in range(1, reach + 1) for sign in (-1, 1))):
        beside = np.clip(at + shift, 0, len(rows) - 1)
        same = np.flatnonzero(there & (beside == at + shift) & (runs[beside] == runs[at]))
        of.append(same)
        found.append(rows[beside[same]])
    return np.concatenate(of).astype(np.int64), np.concatenate(found).astype(np.int64)


def _weights(forest: Forest, values: FloatArray, of: IntArray, alike: bool) -> Odds:
    """Return how much each row counts: the same, or as far as it agrees with its window; see `wearing`."""
    weight = np.ones(len(of))
    if alike:
        root = np.exp(log_of(forest.predict_proba(values)) / 2)
        root /= np.linalg.norm(root, axis=1, keepdims=True)
        own = root[np.unique(of, return_index=True)[1]]  # the first row of each is the window itself
        weight = (root * own[np.searchsorted(np.unique(of), of)]).sum(axis=1) ** 2
    return np.asarray(weight / np.bincount(of, weight)[of], np.float64)


def _taken(evidence: Evidence, index: IntArray) -> Evidence:
    """Return what is said of some windows."""
    arrays: dict[str, Any] = {
        name: value[index] for name, value in vars(evidence).items() if isinstance(value, np.ndarray)
    }
    return replace(evidence, **arrays)
