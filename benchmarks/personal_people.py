"""People who calibrate a model on some recordings and are tested on others, and what one would do otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from app.har.classifiers.everyday.classifier import WINDOW_S, EverydayClassifier
from app.har.classifiers.everyday.looks import looks
from app.har.classifiers.everyday.wearing import Track
from app.har.personal.head import Examples
from app.har.personal.space import CLIP, Space
from app.har.types import FloatArray, IntArray
from app.har.vocabulary import OTHER, shared_node
from app.har.windows import make_windows
from benchmarks.bench_everyday import place_as_said
from benchmarks.everyday_data import signals_of

NEW = "Kicking"  # of WISDM: the model knows nothing of it
MOST = 20  # windows of an activity that calibrate
FIRST_PART, GAP = 0.4, 2  # of an activity with one recording: the share that calibrates, and windows left out after it
FEWEST = 6  # windows of such an activity
STEPS, RATES = 100, (0.03, 0.1, 0.3, 1.0)  # of gradient descent


@dataclass(frozen=True)
class Person:
    """Somebody's windows to calibrate with, the first of each activity first, and those that test."""

    examples: Examples
    tested: Examples
    scaled: FloatArray  # (n, n_features) of the examples: what other methods look at
    tested_scaled: FloatArray

    def first(self, n: int, without: str = "") -> NDArray[np.bool_]:
        """Return which examples are among the first n of their activity, and not of one."""
        return np.asarray(first_of(self.examples, n) & (self.examples.activity != without))


def first_of(examples: Examples, n: int) -> NDArray[np.bool_]:
    """Return which examples are among the first n of their activity."""
    kept = np.zeros(len(examples), bool)
    for name in np.unique(examples.activity):
        kept[np.flatnonzero(examples.activity == name)[:n]] = True
    return kept


def split(label: NDArray[np.str_], recordings: NDArray[np.str_]) -> tuple[IntArray, IntArray]:
    """Return the windows of one person that calibrate and those that test; neither is of a recording of the other.

    The first half of the recordings of an activity calibrate. Of an activity with a single recording, a first part
    does, and after a gap the rest tests; one that is too short for that is left out.
    """
    calibrate, test = [], []
    for name in np.unique(label[label != ""]):
        rows = np.flatnonzero(label == name)
        found = list(dict.fromkeys(recordings[rows].tolist()))
        if len(found) > 1:
            first = np.isin(recordings[rows], found[: len(found) // 2])
            calibrate.append(rows[first][:MOST])
            test.append(rows[~first])
        elif len(rows) >= FEWEST:
            n = int(len(rows) * FIRST_PART)
            calibrate.append(rows[:n][:MOST])
            test.append(rows[min(n + GAP, len(rows) - 1) :])
    none = [np.empty(0, np.int64)]
    return np.sort(np.concatenate(calibrate or none)), np.sort(np.concatenate(test or none))


def people_of(model: EverydayClassifier, track: Track, label: NDArray[np.str_]) -> list[Person]:
    """Let a model recognise what each person calibrates with, and what tests it, as two uploads.

    Parameters
    ----------
    track : the windows of a data set, with where they were worn.
    label : (n,) "" where a window has none that counts.
    """
    found = []
    for subject in dict.fromkeys(track.subjects.tolist()):
        rows = np.flatnonzero(track.subjects == subject)
        parts = [rows[part] for part in split(label[rows], track.recordings[rows])]
        if len(np.unique(label[parts[0]])) < 2:
            continue
        (examples, scaled), (tested, tested_scaled) = (_asked(model, track.take(part), label[part]) for part in parts)
        found.append(Person(examples, tested, scaled, tested_scaled))
    return found


def _asked(model: EverydayClassifier, track: Track, label: NDArray[np.str_]) -> tuple[Examples, FloatArray]:
    recognition = model.recognise_track(track)
    examples = Examples(
        recognition.features, recognition.probabilities, label, track.recordings, np.zeros(len(label), np.int64)
    )
    return examples, scaled_looks(space_of(model), track)


def scaled_looks(space: Space, track: Track) -> FloatArray:
    """Return all features that a head's space is made of, scaled."""
    scaled = np.nan_to_num((looks(track) - space.centre) / space.scale)
    return np.asarray(np.clip(scaled, -CLIP, CLIP), np.float32)


def space_of(model: EverydayClassifier) -> Space:
    """Return the space of a model, which was just fitted."""
    if model.space_ is None:
        raise ValueError("nobody in the training data has two activities")
    return model.space_


def of_data_set(model: EverydayClassifier, name: str) -> tuple[Track, NDArray[np.str_]]:
    """Return the windows of a data set, with where they were worn, and their activities; NEW has no other name."""
    windows = make_windows(signals_of(name), WINDOW_S)
    names = [shared_node(activity) or "" for activity in windows.activities]
    label = np.array([NEW if own == NEW else node for own, node in zip(windows.activities, names, strict=True)])
    kept = ~np.isin(label, ["", OTHER])[windows.y]
    windows = windows.take(kept)
    return replace(model.track(windows), place=place_as_said(windows)), label[windows.y]


def nearest_centroid(person: Person, kept: NDArray[np.bool_]) -> NDArray[np.str_]:
    """Return the activity whose examples' mean is nearest to each tested window."""
    examples, rows = person.examples.activity[kept], person.scaled[kept]
    names = np.unique(examples)
    centroids = np.stack([rows[examples == name].mean(axis=0) for name in names])
    apart = (person.tested_scaled**2).sum(axis=1)[:, None] - 2 * person.tested_scaled @ centroids.T
    return np.asarray(names[(apart + (centroids**2).sum(axis=1)).argmin(axis=1)], np.str_)


@dataclass(frozen=True)
class Softmax:
    """A softmax layer on scaled features, learnt from the training data."""

    activities: tuple[str, ...]
    weights: NDArray[np.float64]  # (n_activities, n_features + 1)

    @classmethod
    def learnt(cls, rows: FloatArray, label: NDArray[np.str_]) -> Softmax:
        """Learn from the training data; activities count alike."""
        model = LogisticRegression(C=0.01, class_weight="balanced", max_iter=60).fit(rows, label)
        return cls(tuple(model.classes_.tolist()), np.column_stack([model.coef_, model.intercept_]))

    def tuned(self, person: Person, kept: NDArray[np.bool_], rate: float) -> NDArray[np.str_]:
        """Return the answers to the tested windows after gradient descent on the examples."""
        examples = person.examples.activity[kept]
        new = [name for name in np.unique(examples) if name not in self.activities]
        names = np.array([*self.activities, *new])
        weights = np.vstack([self.weights, np.zeros((len(new), self.weights.shape[1]))])
        x, target = _with_one(person.scaled[kept]), (examples[:, None] == names).astype(np.float64)
        for _ in range(STEPS):
            weights += rate / x.shape[1] * (target - _shares(x @ weights.T)).T @ x / len(x) * len(names)
        return np.asarray(names[(_with_one(person.tested_scaled) @ weights.T).argmax(axis=1)], np.str_)


def _with_one(rows: FloatArray) -> NDArray[np.float64]:
    return np.column_stack([rows.astype(np.float64), np.ones(len(rows))])


def _shares(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    p = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(p / p.sum(axis=1, keepdims=True))


def training_rows(model: EverydayClassifier, names: Sequence[str]) -> tuple[FloatArray, NDArray[np.str_]]:
    """Return the scaled features and the activities of the data sets that a model learnt from."""
    parts = [of_data_set(model, name) for name in names]
    rows = np.concatenate([scaled_looks(space_of(model), track) for track, _ in parts])
    return rows, np.concatenate([label for _, label in parts])
