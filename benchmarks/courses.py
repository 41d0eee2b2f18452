"""What a model says of recordings with courses, by people it has not learnt from, in true and in shuffled order.

Of the people for testing, it is what a model says that learnt from all others; of the others, what models say that
each learnt from two thirds of them (cross-fitting). A shuffled course is one person's signal put together anew:
activities in random order, each for a time that is drawn (log-uniformly), so that nothing is left of a protocol's
order. The signal is shuffled, not the scores: windows with a change in them are scored as such.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.har.classifiers.elm_gru_am.classifier import ActivityClassifier
from app.har.recordings.formats.hapt import TRANSITIONS
from app.har.signals.types import UNLABELLED, SignalSet
from app.har.smoothing import bout_lengths, shortest_bout
from app.har.windows import WindowSet, label_segments, make_windows
from benchmarks.bench_smoothing import _store
from benchmarks.data import SETS
from benchmarks.event_scores import Truth

TEST = {"hapt": ("2", "4", "9", "10", "12", "13", "18", "20", "24")}  # of UCI HAR; elsewhere 30 % at random
EPOCHS, FOLDS, TEST_SHARE = 3, 3, 0.3
DRAWS = ("shuffled", "shuffled again")
MINUTES = {"hapt": 8.0, "sp-sw-har": 5.0}  # of a shuffled course
LASTS_S = {"hapt": (3.0, 90.0), "sp-sw-har": (1.0, 30.0)}


@dataclass(frozen=True)
class Course:
    """Scores of windows in the order of time, and what is true of them."""

    proba: NDArray[np.float32]  # (n, n_activities)
    features: NDArray[np.float16]  # (n, n_features), only comparable within a recording: each fold has its own model
    y: NDArray[np.int64]
    recordings: NDArray[np.str_]
    subjects: NDArray[np.str_]
    start_s: NDArray[np.float64]
    length_s: float
    truth: Truth

    @property
    def stretch(self) -> NDArray[np.int64]:
        """Return which windows follow each other."""
        gap = np.diff(self.start_s)
        apart = (self.recordings[1:] != self.recordings[:-1]) | (gap > 1.5 * self.length_s) | (gap <= 0)
        return np.concatenate([[0], np.cumsum(apart)])

    def of(self, people: Sequence[str]) -> Course:
        """Return those of some people."""
        rows = np.isin(self.subjects, people)
        names = ("proba", "features", "y", "recordings", "subjects", "start_s")
        return replace(self, **{name: getattr(self, name)[rows] for name in names})


@dataclass(frozen=True)
class Courses:
    """Those of a data set, by order."""

    activities: tuple[str, ...]
    by_order: dict[str, Course]
    learning: tuple[str, ...]  # people
    choosing: tuple[str, ...]
    test: tuple[str, ...]
    shortest_s: float  # of bouts that the people for learning and choosing show
    day_s: float  # processor time to recognise as many windows as 3 s have in a day


def courses_of(name: str, seed: int = 0) -> Courses:
    """Train and recognise: four models."""
    rng = np.random.default_rng(seed)
    signals = without_labels(_store(name), TRANSITIONS)
    people = sorted(set(signals.subjects))
    drawn = rng.permutation(people)[: round(TEST_SHARE * len(people))].tolist()
    given = [who for who in people if "".join(filter(str.isdigit, who)).lstrip("0") in TEST.get(name, ())]
    test = given or drawn
    others = rng.permutation([who for who in people if who not in test])
    folds = [others[i::FOLDS].tolist() for i in range(FOLDS)]
    orders = {"true order": signals}
    orders |= {draw: shuffled(signals, rng, 60 * MINUTES[name], LASTS_S[name]) for draw in DRAWS}
    windows = make_windows(signals, SETS[name][1], SETS[name][2])
    parts: dict[str, list[Course]] = {order: [] for order in orders}
    for fold in [*folds, test]:
        known = np.isin(windows.subjects, [who for who in others if who not in fold])
        model = ActivityClassifier().fit(windows.take(known), seed=seed, epochs=EPOCHS)
        for order, of_order in orders.items():
            began = time.process_time()
            parts[order].append(_recognised(model, of_order, fold))
            day_s = (time.process_time() - began) * 28_800 / len(parts[order][-1].y)
    learnt = [rec for rec, who in zip(signals.recording_ids, signals.subjects, strict=True) if who not in test]
    return Courses(
        model.activities,
        {order: _joined(of_order) for order, of_order in parts.items()},
        tuple(who for fold in folds[1:] for who in fold),
        tuple(folds[0]),
        tuple(test),
        shortest_bout(bout_lengths(signals, learnt)),
        day_s,
    )


def _recognised(model: ActivityClassifier, signals: SignalSet, people: Sequence[str]) -> Course:
    windows = make_windows(signals, model.window_length_s, by_label=False)
    windows = windows.take(np.isin(windows.subjects, people))
    found = model.recognise_all(_batches(windows))
    return Course(
        found.probabilities,
        found.features,
        windows.y,
        windows.recordings,
        windows.subjects,
        windows.start_s,
        windows.window_length_s,
        Truth.of(signals, {name: name for name in signals.activities}),
    )


def _batches(windows: WindowSet) -> list[WindowSet]:
    return [windows.take(slice(i, i + 1024)) for i in range(0, len(windows), 1024)]


def _joined(parts: Sequence[Course]) -> Course:
    names = ("proba", "features", "y", "recordings", "subjects", "start_s")
    whole: dict[str, Any] = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    return replace(parts[0], **whole)


def without_labels(signals: SignalSet, names: Sequence[str]) -> SignalSet:
    """Take labels away; the signal stays."""
    kept = [name for name in signals.activities if name not in names]
    codes = [kept.index(name) if name in kept else UNLABELLED for name in signals.activities]
    return replace(signals, labels=np.array([*codes, UNLABELLED], np.int16)[signals.labels], activities=tuple(kept))


def shuffled(signals: SignalSet, rng: np.random.Generator, seconds: float, lasts_s: tuple[float, float]) -> SignalSet:
    """Return one course of each person, of what was labelled, cut and put together in random order."""
    bouts, rate = label_segments(signals), signals.sampling_rate_hz
    person = np.array(signals.subjects)[signals.recording[bouts.stretch]]
    found, labels, who = [], [], []
    for one in np.unique(person).tolist():
        rows = np.flatnonzero((person == one) & (bouts.label != UNLABELLED))
        material = {
            label: np.concatenate(
                [np.arange(bouts.length[i]) + bouts.first[i] for i in rng.permutation(rows[bouts.label[rows] == label])]
            )
            for label in np.unique(bouts.label[rows]).tolist()
        }
        at, label, course = dict.fromkeys(material, 0), -1, []
        while len(material) > 1 and sum(map(len, course)) < seconds * rate:
            label = int(rng.choice([other for other in material if other != label]))
            n = round(rate * np.exp(rng.uniform(*np.log(lasts_s))))
            course.append(material[label][(at[label] + np.arange(n)) % len(material[label])])
            at[label] += n
            labels.append(np.full(n, label, np.int16))
        if course:
            found.append(np.concatenate(course))
            who.append(one)
    length = np.array([len(samples) for samples in found])
    return replace(
        signals,
        signal=signals.signal[np.concatenate(found)],
        labels=np.concatenate(labels),
        recording_ids=tuple(who),
        subjects=tuple(who),
        first=np.cumsum(length) - length,
        length=length,
        recording=np.arange(len(who)),
        start_s=np.zeros(len(who)),
        datasets=(),
    )
