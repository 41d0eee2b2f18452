"""Whether what is said to have moved the everyday model's answers did: parts are replaced by those of other windows.

Nothing is made up for this test: what takes the place of a part are the same features of real windows of the people
who are tested, of every answer to the question evenly, or an angle of gravity that is not known.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.har.classifiers.everyday.answer import TREE, probabilities
from app.har.classifiers.everyday.classifier import EverydayClassifier
from app.har.classifiers.everyday.evidence import Evidence, gather
from app.har.classifiers.everyday.training import LEVELS
from app.har.classifiers.everyday.wearing import Track
from app.har.explanations.faithfulness import (
    AT_MOST,
    ENOUGH,
    FEWEST,
    PER_ACTIVITY,
    area,
    evenly,
    interval,
    passes,
)
from app.har.explanations.question_words import part_in_words
from app.har.explanations.questions import CLIMBS, LEVEL, POSTURE, WAY, WAY_WALKING, WORN, Part, Questioned
from app.har.explanations.values import log_odds as sureness
from app.har.types import FloatArray, IntArray
from app.har.vocabulary import ANYTHING, OTHER, STAIRS, STAIRS_DOWN, STAIRS_UP, WALKING, agree, node_of, path_of
from app.har.windows import WindowSet

REPLACED_BY = 3  # windows of each answer to a question
TOLD_BY, PAIRS, OFTEN, LOOKED_AT = 3, 6, 3, 20
CLASSES = {
    LEVEL: LEVELS,
    CLIMBS: (WALKING, STAIRS),
    WAY: (STAIRS_UP, STAIRS_DOWN),
    WAY_WALKING: (STAIRS_UP, STAIRS_DOWN),
}


@dataclass(frozen=True)
class Examined:
    """Windows of people whom a model has not learnt from, as it answered them."""

    model: EverydayClassifier
    track: Track
    evidence: Evidence
    nodes: FloatArray  # (n, n_nodes) probabilities
    answers: IntArray  # (n,) position of the node that is answered
    truth: NDArray[np.str_]  # (n,) node of the label

    @classmethod
    def of(cls, model: EverydayClassifier, windows: WindowSet) -> Examined:
        """Let a model answer the windows of whole recordings."""
        truth = np.array([*(node_of(name) for name in windows.activities), OTHER])[windows.y]  # -1: no label
        return cls.of_track(model, model.track(windows), truth)

    @classmethod
    def of_track(cls, model: EverydayClassifier, track: Track, truth: NDArray[np.str_]) -> Examined:
        """Do the same of windows that were described already."""
        evidence = gather(track, model.columns, model.questions_)
        proba = probabilities(track, evidence, model.calibration_)
        answers = np.asarray(TREE.answers(proba, model.answer_limit_), np.int64)
        return cls(model, track, evidence, TREE.probabilities(proba), answers, truth)

    def asked(self, rows: IntArray) -> Questioned:
        """Return what was asked of some of them."""
        return Questioned.of(self.model, self.track, self.evidence, rows, self.track.features_of)

    def sample(self, per_answer: int | None = None, seed: int = 0) -> IntArray:
        """Return so many windows of each answer, of as many people as possible."""
        said = np.flatnonzero(self.answers != TREE.nodes.index(ANYTHING))
        if per_answer is None:
            per_answer = max(FEWEST, min(PER_ACTIVITY, AT_MOST // max(1, len(np.unique(self.answers[said])))))
        return said[evenly(self.answers[said], self.track.subjects[said], per_answer, seed)]

    def below(self, node: str) -> IntArray:
        """Return the windows whose label is a node or one below it."""
        names = [name for name in np.unique(self.truth).tolist() if node in path_of(name)]
        return np.flatnonzero(np.isin(self.truth, names))

    def replacements(self, seed: int = 0) -> dict[str, FloatArray]:
        """Return for each question the features of a few windows of each of its answers, as it compares them."""
        random, found = np.random.default_rng(seed), {}
        for question, classes in CLASSES.items():
            drawn: list[FloatArray] = []
            for node in classes:
                rows = random.permutation(self.below(node))[: 10 * REPLACED_BY]
                asked = self.asked(np.sort(rows)).asked.get(question) if len(rows) else None
                if asked is not None:
                    own = np.unique(asked.of, return_index=True)[1]
                    drawn.append(asked.values[random.permutation(own)[:REPLACED_BY]])
            if drawn:
                found[question] = np.nan_to_num(np.concatenate(drawn))
        return found


def gains(
    tested: Examined, rows: IntArray, rankings: Mapping[str, Any], seed: int = 0, orders: int = 1
) -> dict[str, NDArray[np.float64]]:
    """Return by how much each ranking of the parts beats random orders: (n, 2), deletion and insertion.

    Parameters
    ----------
    rankings : from a `Questioned` and the answers to values of its parts, (n, n_parts).
    """
    random, replaced = np.random.default_rng(seed), tested.replacements(seed)
    found: dict[str, NDArray[np.float64]] = {name: np.zeros((len(rows), 2)) for name in rankings}
    answers = tested.answers[rows]
    for answer in np.unique(answers).tolist():
        places = np.flatnonzero(answers == answer)
        asked, targets = tested.asked(rows[places]), answers[places]
        among = np.flatnonzero(asked.matter(answer))
        areas = [
            area(curves(asked, replaced, answer, among, random.random((len(places), len(asked.parts)))))
            for _ in range(orders)
        ]
        by_chance = np.mean(areas, axis=0)
        for name, ranking in rankings.items():
            own = area(curves(asked, replaced, answer, among, ranking(asked, targets)))
            found[name][places] = np.stack([by_chance[0] - own[0], own[1] - by_chance[1]], axis=1)
    return found


def curves(
    asked: Questioned, replaced: Mapping[str, FloatArray], answer: int, among: IntArray, values: NDArray[np.floating]
) -> FloatArray:
    """Return an answer's probability as the best parts are replaced, and put back: (2, n, n_parts + 1)."""
    rank = np.argsort(np.argsort(-values[:, among], axis=1, kind="stable"), axis=1)
    count = np.arange(len(among) + 1)[:, None]
    kept = np.ones((2, len(asked), len(count), len(asked.parts)), bool)
    kept[0][:, :, among] = rank[:, None] >= count
    kept[1][:, :, among] = rank[:, None] < count
    return np.stack([_with_parts(asked, replaced, each)[:, :, answer] for each in kept])


def _with_parts(asked: Questioned, replaced: Mapping[str, FloatArray], kept: NDArray[np.bool_]) -> FloatArray:
    """Return probabilities of nodes, (n, q, n_nodes), with some parts kept, (n, q, n_parts), and others replaced."""
    n, q, _ = kept.shape
    told = {}
    for question, own in asked.asked.items():
        others = replaced.get(question)
        positions = [i for i, part in enumerate(asked.parts) if part.question == question]
        if others is None or kept[:, :, positions].all():
            continue
        of_part = np.ones((n, q, int(own.group.max()) + 1), bool)
        of_part[:, :, [asked.parts[i].number for i in positions]] = kept[:, :, positions]
        there = of_part[own.of][:, :, own.group]  # (n_rows, q, n_columns)
        p = [
            own.forest.predict_proba(np.where(there, np.nan_to_num(own.values)[:, None], other).reshape(-1, len(other)))
            for other in others
        ]
        mean = np.mean(p, axis=0).reshape(len(own.of), q, -1)
        of_windows = own.told(mean)
        told[question] = of_windows.reshape(n * q, *of_windows.shape[2:])
    place = {part.question: position for position, part in enumerate(asked.parts)}
    level, worn = (kept[:, :, place[name]].ravel() for name in (POSTURE, WORN))
    proba = asked.proba(np.repeat(np.arange(n), q), told, level, worn)
    return TREE.probabilities(proba).reshape(n, q, -1)


def replaced_values(asked: Questioned, replaced: Mapping[str, FloatArray], answers: IntArray) -> NDArray[np.float64]:
    """Return how much less sure of its answer the model is with each part replaced by those of other windows."""
    n, n_parts = len(asked), len(asked.parts)
    kept = np.concatenate([np.ones((1, n_parts), bool), ~np.eye(n_parts, dtype=bool)])
    p = _with_parts(asked, replaced, np.repeat(kept[None], n, axis=0))[np.arange(n), :, answers]
    return np.asarray(sureness(p[:, :1]) - sureness(p[:, 1:]), np.float64)


@dataclass(frozen=True)
class Gains:
    """What a test gave: of one model, or of several that each left out what it is tested on."""

    gain: NDArray[np.float64]  # (n, 2)
    answers: NDArray[np.str_]  # (n,) names of nodes
    people: NDArray[np.str_]

    @classmethod
    def of(cls, tested: Examined, seed: int = 0) -> Gains:
        """Test what is shown of a model."""
        rows = tested.sample(seed=seed)
        gain = gains(tested, rows, {"ours": Questioned.values}, seed)["ours"]
        return cls(gain, np.array(TREE.nodes)[tested.answers[rows]], tested.track.subjects[rows])

    @classmethod
    def joined(cls, parts: list[Gains]) -> Gains:
        """Put several tests in one."""
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("gain", "answers", "people")))

    def as_dict(self, seed: int = 0) -> dict[str, Any]:
        """Return what `faithfulness.measured` does."""
        about = {"windows": len(self.gain), "people": len(np.unique(self.people))}
        if len(self.gain) < ENOUGH:
            return {"passed": False, **about}
        of_all = interval(self.gain, self.people, seed)
        return {
            "passed": passes([of_all["deletion"][0], of_all["insertion"][0]]),
            **about,
            **of_all,
            "answers": {
                name: [round(float(x), 4) for x in self.gain[self.answers == name].mean(axis=0)]
                for name in np.unique(self.answers).tolist()
                if np.count_nonzero(self.answers == name) >= FEWEST
            },
        }


def about_questions(tests: Sequence[Examined], seed: int = 0) -> dict[str, Any]:
    """Return what `about.about` does of the everyday model; of models that each left out what they are tested on."""
    told: dict[str, dict[Part, list[float]]] = {}
    wrong: dict[tuple[str, str], dict[Part, list[float]]] = {}
    of_pair: Counter[tuple[str, str]] = Counter()
    of_true: Counter[str] = Counter()
    for tested in tests:
        said = np.array(TREE.nodes)[tested.answers]
        right = np.array([agree(*pair) for pair in zip(said.tolist(), tested.truth.tolist(), strict=True)], bool)
        answered = (said != ANYTHING) & (tested.truth != OTHER)
        of_true.update(tested.truth.tolist())
        for rows, found, keys in (
            (np.flatnonzero(answered & right), told, said.tolist()),
            (np.flatnonzero(answered & ~right), wrong, list(zip(tested.truth.tolist(), said.tolist(), strict=True))),
        ):
            if found is wrong:
                of_pair.update(keys[row] for row in rows.tolist())
            kinds = np.unique([str(keys[row]) for row in rows.tolist()], return_inverse=True)[1]
            some = rows[evenly(kinds, tested.track.subjects[rows], LOOKED_AT, seed)] if len(rows) else rows
            if not len(some):
                continue
            asked, answers = tested.asked(some), tested.answers[some]
            for row, answer, values in zip(some.tolist(), answers.tolist(), asked.values(answers), strict=True):
                for part, value, matters in zip(asked.parts, values.tolist(), asked.matter(answer), strict=True):
                    if matters:
                        found.setdefault(keys[row], {}).setdefault(part, []).append(value)
    confused = [
        {"was": was, "said": said, "windows": n, "share": n / of_true[was], "by": _most(wrong[was, said], 2)}
        for (was, said), n in of_pair.most_common(PAIRS)
        if n >= OFTEN
    ]
    return {
        "test": Gains.joined([Gains.of(tested, seed) for tested in tests]).as_dict(seed),
        "told_by": {node: _most(told[node], TOLD_BY) for node in TREE.nodes if node in told},
        "confused": confused,
    }


def _most(values: Mapping[Part, list[float]], n: int) -> list[str]:
    """Return the parts that add most, in words."""
    most = max(len(each) for each in values.values())
    mean = {part: sum(each) / most for part, each in values.items()}
    best = sorted(mean, key=lambda part: -mean[part])[:n]
    return [part_in_words(part) for part in best if mean[part] > 0]
