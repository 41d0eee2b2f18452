"""What a person says of stretches of a recording, laid over what a model answered there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from app.har.vocabulary import normalised, shared_node
from app.services.recordings.prediction_result import PredictionResult, Said

MOST_PAIRS = 5  # of changes that are listed


@lru_cache(maxsize=1024)
def as_called(activities: tuple[str, ...], name: str) -> str:
    """Return what a model calls an activity: *Walk* for *Walking*; the name itself where it does not know it."""
    same = [known for known in activities if normalised(known) == normalised(name)]
    node = shared_node(name)
    of_node = [known for known in activities if node and shared_node(known) == node]
    return (same or (of_node if len(of_node) == 1 else []) or [name])[0]


def names_of(result: PredictionResult, stretches: Iterable[Said]) -> NDArray[np.object_]:
    """Return what a person says of each window, as the model calls it; (n,), None of most. The last word counts."""
    names = np.full(len(result), None, object)
    for stretch in stretches:
        names[result.windows_of(stretch)] = as_called(result.activities, stretch[-1])
    return names


def with_activities(result: PredictionResult, names: Iterable[str]) -> PredictionResult:
    """Return a result that knows further activities; until something is learnt of them, none is probable."""
    new = tuple(name for name in dict.fromkeys(names) if name not in result.activities)
    if not new:
        return result
    proba = np.concatenate((result.proba, np.zeros((len(result), len(new)), result.proba.dtype)), axis=1)
    return replace(result, activities=result.activities + new, proba=proba)


def overlaid(result: PredictionResult, stretches: Sequence[Said]) -> PredictionResult:
    """Return a result that answers what the person says where they said something.

    A group, such as *Still*, is the answer where the model has several activities of it; each is then as likely.
    """
    if not stretches:
        return result
    names = names_of(result, stretches)
    spoken = {name for name in names if name is not None}
    result = with_activities(result, sorted(spoken - set(result.tree.nodes)))
    proba, place = result.proba.copy(), {name: i for i, name in enumerate(result.activities)}
    for name in spoken:
        members = [place[member] for member in result.tree.members(name)]
        rows = names == name
        proba[rows] = 0.0
        # Of a group of two, each would be as probable as the lowest limit
        proba[np.ix_(rows, members)] = 1.0 if len(members) == 1 else min(1 / len(members), result.limit - 1e-3)
    there = np.asarray(names != None, bool)  # noqa: E711  of each window
    return replace(result, proba=proba, unfamiliar=result.unfamiliar & ~there, said=tuple(stretches))


@dataclass(frozen=True)
class Moved:
    """How other answers changed: those of windows of which the person said nothing."""

    windows: int
    changed: int
    pairs: tuple[tuple[str, str, float], ...]  # from, to, minutes; those of most minutes

    @property
    def share(self) -> float:
        return self.changed / self.windows if self.windows else 0.0


def moved(before: PredictionResult, after: PredictionResult, recording_index: int | None) -> Moved:
    """Compare the answers to the same windows before and after a person corrected some of them."""
    was, now = (np.array(result.answer_names, object)[result.answers] for result in (before, after))
    other = ~after.corrected
    if recording_index is not None:
        other &= after.recording_index == recording_index
    changed = np.flatnonzero(other & (was != now))
    minutes: dict[tuple[str, str], float] = {}
    for i in changed.tolist():
        pair = was[i], now[i]
        minutes[pair] = minutes.get(pair, 0.0) + float(after.end_s[i] - after.start_s[i]) / 60
    most = sorted(minutes.items(), key=lambda entry: -entry[1])[:MOST_PAIRS]
    pairs = tuple((a, b, total) for (a, b), total in most)
    return Moved(int(other.sum()), len(changed), pairs)
