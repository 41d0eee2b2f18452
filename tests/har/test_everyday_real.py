"""The everyday model on real people of a data set that it did not learn from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from app.har.classifiers.everyday.classifier import EverydayClassifier
from app.har.classifiers.everyday.inputs import movement_and_gravity
from app.har.datasets.store import Store
from app.har.signals.types import SignalSet
from app.har.vocabulary import DEFAULT_LIMIT, OTHER, AnswerTree, node_of, path_of
from app.har.windows import WindowSet, make_windows

SETS = {
    "stm-har": "stm-har/stm-har.zip",
    "hapt": "hapt/HAPT Data Set.zip",
    "motion-sense": "motion-sense/motion-sense.zip",
}
LEVELS = ("Still", "On foot", "Running")


def signals_of(name: str, store: Store) -> SignalSet:
    signals = movement_and_gravity(store.signals)
    return replace(signals, subjects=tuple(f"{name}/{subject}" for subject in signals.subjects))


def of_vocabulary(windows: WindowSet, people: int) -> WindowSet:
    """Return the windows of some people, activities by the names of the vocabulary."""
    nodes = np.array([node_of(name) for name in windows.activities])[windows.y]
    some = np.unique(windows.subjects)[:people]
    known = np.unique(nodes[nodes != OTHER]).tolist()
    kept = np.flatnonzero(np.isin(windows.subjects, some) & (nodes != OTHER))
    return replace(windows.take(kept), y=np.array([known.index(n) for n in nodes[kept]]), activities=tuple(known))


def joined(parts: list[WindowSet]) -> WindowSet:
    activities = tuple(sorted({name for part in parts for name in part.activities}))
    renamed = [
        replace(part, y=np.array([activities.index(name) for name in part.activities])[part.y], activities=activities)
        for part in parts
    ]
    return WindowSet.joined(renamed)


@pytest.mark.slow
@pytest.mark.real_data
def test_people_of_a_data_set_that_was_not_learnt_from_are_understood(real_store: Callable[[str], Store]) -> None:
    hapt = of_vocabulary(make_windows(signals_of("hapt", real_store(SETS["hapt"])), 3.0), 6)
    stm = of_vocabulary(make_windows(signals_of("stm-har", real_store(SETS["stm-har"])), 3.0), 100)
    model = EverydayClassifier({"hapt": "trunk"}).fit(joined([hapt, stm]), seed=0)
    person = of_vocabulary(make_windows(signals_of("motion-sense", real_store(SETS["motion-sense"])), 3.0), 1)
    proba = model.recognise_all([person], "leg").probabilities
    truth = [person.activities[i] for i in person.y]
    tree = AnswerTree(model.activities)
    of_level = np.stack([proba[:, [level in path_of(a) for a in model.activities]].sum(axis=1) for level in LEVELS], 1)
    level = [next(level for level in LEVELS if level in path_of(name)) for name in truth]
    assert len(person) > 150
    assert np.mean([LEVELS[i] == right for i, right in zip(of_level.argmax(axis=1), level, strict=True)]) >= 0.95
    answers = [tree.nodes[i] for i in tree.answers(proba, DEFAULT_LIMIT)]
    assert np.mean([tree.agrees(node, name) for node, name in zip(answers, truth, strict=True)]) >= 0.95
