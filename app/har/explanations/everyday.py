"""Why the everyday model answered so in the windows of a bout: which questions it asked, and what each was told by."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from app.har.classifiers.everyday.answer import TREE, probabilities
from app.har.classifiers.everyday.classifier import EverydayClassifier
from app.har.classifiers.everyday.evidence import Evidence
from app.har.classifiers.everyday.training import LEVELS
from app.har.classifiers.everyday.wearing import Track
from app.har.classifiers.types import WalkingReference
from app.har.explanations.question_words import TITLES, measured_in_words
from app.har.explanations.questions import (
    CLIMBS,
    LEVEL,
    POSTURE,
    WAY,
    WAY_WALKING,
    WORN,
    Questioned,
    questions_of,
)
from app.har.types import FloatArray, IntArray
from app.har.vocabulary import (
    ANYTHING,
    LYING,
    NOT_WORN,
    SITTING,
    STAIRS_DOWN,
    STAIRS_UP,
    STANDING,
    WALKING,
)
from app.har.windows import WindowSet

MOST_WINDOWS = 3  # of a bout
NAMED, OF_QUESTION = 0.1, 4  # of the largest value; parts of a question
TAKEN = (1, 2, 4, 8)  # parts that say nothing together, to see what changes the answer
REACH = 2  # neighbours on either side that count


@dataclass(frozen=True)
class Answered:
    """All windows of whole recordings, as the everyday model answered them; their features are not kept."""

    model: EverydayClassifier
    track: Track
    evidence: Evidence
    proba: FloatArray  # (n, n_activities)

    @classmethod
    def of(
        cls,
        model: EverydayClassifier,
        batches: Iterable[WindowSet],
        place: str = "",
        walking: WalkingReference | None = None,
    ) -> Answered:
        """Let a model answer, see `EverydayClassifier.recognise_all`."""
        track, evidence = model.evidence(batches, place, walking)
        proba = probabilities(track, evidence, model.calibration_)
        return cls(model, replace(track, features=track.features[:0].copy(), described=None), evidence, proba)

    def around(self, chosen: IntArray) -> IntArray:
        """Return the positions of windows and of the neighbours that count with them."""
        feet, n = np.flatnonzero(self.evidence.on_foot), len(self.track)
        near = np.clip(chosen[:, None] + np.arange(-1, 2), 0, n - 1).ravel()
        at = np.searchsorted(feet, chosen)[:, None] + np.arange(-REACH, REACH + 1)
        on_foot = feet[np.clip(at, 0, len(feet) - 1).ravel()] if len(feet) else feet
        around: IntArray = np.unique(np.concatenate([near, on_foot])).astype(np.int64)
        return around

    def explain(self, chosen: IntArray, windows: WindowSet, limit: float) -> dict[str, Any]:
        """Explain the answer to some windows of a bout, on average.

        Parameters
        ----------
        chosen : positions of the windows.
        windows : those at `around`.
        limit : how probable an answer must be.

        Returns
        -------
        dict : ``answer``, the deepest node that is sure enough or else the likeliest activity, and ``probability``;
            ``other``, another activity; ``questions`` with ``title``, ``answer``, ``probability``, and what it was
            ``told_by``, each with how much less sure the model would be without; ``change``: what changes the answer;
            ``in_short``, one line of words.
        """
        return self.explain_each([chosen], windows, limit)[0]

    def explain_each(self, bouts: Sequence[IntArray], windows: WindowSet, limit: float) -> list[dict[str, Any]]:
        """Explain the answers to some windows of each of many bouts, see `explain`; described once for all.

        Parameters
        ----------
        windows : those at `around` all of them together.
        """
        described, at = self.model.track(windows), self.around(np.concatenate(bouts))

        def features(rows: IntArray) -> FloatArray:
            return described.features[np.searchsorted(at, rows)]

        asked = Questioned.of(self.model, self.track, self.evidence, np.concatenate(bouts), features)
        ends = np.cumsum([len(chosen) for chosen in bouts]).tolist()
        return [
            self._explained(asked.take(slice(end - len(chosen), end)), limit)
            for chosen, end in zip(bouts, ends, strict=True)
        ]

    def _explained(self, asked: Questioned, limit: float) -> dict[str, Any]:
        nodes = asked.nodes.mean(axis=0)
        target = _target(nodes, limit)
        values = asked.values(np.full(len(asked), target)).mean(axis=0)
        named = values * asked.matter(target)
        wanted = questions_of(TREE.nodes[target])
        questions = [
            _question(question, asked, named)
            for question in (LEVEL, WORN, POSTURE, CLIMBS, WAY, WAY_WALKING)
            if question in wanted and any(part.question == question for part in asked.parts)
        ]
        questions = [question for question in questions if question["told_by"]]
        other = next(i for i in np.argsort(-nodes[: len(TREE.activities)]).tolist() if i != target)
        return {
            "answer": TREE.nodes[target],
            "probability": round(float(nodes[target]), 4),
            "other": TREE.nodes[other],
            "other_probability": round(float(nodes[other]), 4),
            "windows": len(asked),
            "questions": questions,
            "change": _change(asked, named, target, limit),
            "in_short": _in_short(questions),
        }


def _target(nodes: FloatArray, limit: float) -> int:
    """Return the deepest node that is sure enough; where none is, the likeliest activity."""
    sure = _sure(nodes, limit)
    return sure if TREE.nodes[sure] != ANYTHING else int(nodes[: len(TREE.activities)].argmax())


def _question(question: str, asked: Questioned, values: FloatArray) -> dict[str, Any]:
    own = [i for i, part in enumerate(asked.parts) if part.question == question]
    ranked = [i for i in sorted(own, key=lambda i: -values[i]) if abs(values[i]) >= NAMED * np.abs(values).max()]
    answer, probability = _answer_to(question, asked)
    return {
        "title": TITLES[question],
        "answer": answer,
        "probability": round(probability, 4),
        "against": _against(question, asked),
        "told_by": [
            {"words": measured_in_words(asked.parts[i], asked), "value": round(float(values[i]), 3)}
            for i in ranked[:OF_QUESTION]
        ],
    }


def _in_short(questions: list[dict[str, Any]]) -> str:
    """Say which question the answer hangs on most of all, and what it was told by."""
    if not questions:
        return ""
    most = max(questions, key=lambda question: float(question["told_by"][0]["value"]))
    return f"{most['title']} {most['answer']}, told most by {most['told_by'][0]['words']}."


def _answer_to(question: str, asked: Questioned) -> tuple[str, float]:
    """Return what a question was answered by itself, and how probable that is."""
    nodes = dict(zip(TREE.nodes, asked.nodes.mean(axis=0).tolist(), strict=True))
    among: dict[str, tuple[str, ...]] = {
        LEVEL: LEVELS,
        WORN: (NOT_WORN, "worn"),
        POSTURE: (STANDING, SITTING, LYING),
        CLIMBS: (WALKING, "Stairs"),
    }
    names = among.get(question, (STAIRS_UP, STAIRS_DOWN))
    p = {name: nodes.get(name, 0.0) for name in names}
    if question == LEVEL:
        p["Still"] = nodes["Still"] + nodes[NOT_WORN]
    if question == WORN:
        p["worn"] = nodes["Still"]
    best = max(p, key=lambda name: p[name])
    return best, p[best] / max(sum(p.values()), 1e-9)


def _against(question: str, asked: Questioned) -> str:
    if question == CLIMBS:
        known = bool(np.all(asked.evidence.known))
        return (
            "Measured against known walking." if known else "Measured against what is usual on foot in this recording."
        )
    if question == WAY:
        return "Measured against the other stairs of this recording."
    return "Measured against known walking." if question == WAY_WALKING else ""


def _change(asked: Questioned, values: FloatArray, target: int, limit: float) -> dict[str, Any] | None:
    """Let the parts that matter most say nothing, a few together, until the answer is another."""
    order = np.argsort(-values, kind="stable")
    for count in TAKEN:
        if count > np.count_nonzero(values > 0):
            return None
        taken = np.zeros((len(asked), 1, len(asked.parts)), bool)
        taken[:, :, order[:count]] = True
        nodes = asked.without(taken)[:, 0].mean(axis=0)
        if (other := _sure(nodes, limit)) != target and nodes[target] < limit:
            return {
                "answer": TREE.nodes[other],
                "probability": round(float(nodes[other]), 4),
                "parts": [measured_in_words(asked.parts[i], asked) for i in order[:count].tolist()],
            }
    return None


def _sure(nodes: FloatArray, limit: float) -> int:
    """Return the deepest node that is sure enough, the root where none is."""
    likely = [i for i in np.flatnonzero(nodes >= limit).tolist() if TREE.nodes[i] != ANYTHING]
    root = TREE.nodes.index(ANYTHING)
    return min(likely, key=lambda i: (len(TREE.members(TREE.nodes[i])), i)) if likely else root
