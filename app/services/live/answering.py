"""From what a model says of windows to what a person's page shows: the person's own head, depth, smoothing, colours.

A window is answered at once. What it says may change: a window that is said again replaces the one before. Bouts too
short to be believed go as they do of an upload, `SMOOTHED_AFTER_S` behind the newest window. Where much is said again,
as the person's walking was measured anew or the session ends, all that is remembered of it is smoothed anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from app.har.classifiers.types import ReferenceSource
from app.har.colours import MISSING, activity_colours
from app.har.height.answers import held_against
from app.har.height.heard import PressureHeard
from app.har.live.recogniser import LiveRecogniser, LiveWindow
from app.har.smoothing import FEWEST_WINDOWS, WINDOWS_UNKNOWN, smoothed
from app.har.types import FloatArray, TimeArray
from app.har.vocabulary import ANYTHING, NOT_WORN, UNFAMILIAR, AnswerTree, node_of
from app.services.recordings.answers_in_words import left_open

if TYPE_CHECKING:
    from app.services.personal.heads import Learnt

SMOOTHED_AFTER_S = 9.0  # behind the newest window, with as much on its other side to smooth by
SMOOTHED_OVER_S = 60.0
SMOOTH_EVERY_S = 6.0
SHOWN_S = 300.0  # of windows that a page gets when it opens
KEPT_S = 1200.0  # of windows that may be said again: the 400 that the recogniser measures by
COUNTED_S = 5.0  # one window says no more than so much about the time since the one before
HOUR_S = 3600.0  # from which a session is of daily life, see `everyday.prior`


@dataclass(frozen=True)
class Names:
    """What windows can be answered, of a model with what a person taught it."""

    activities: tuple[str, ...]
    limit: float

    @cached_property
    def tree(self) -> AnswerTree:
        return AnswerTree(self.activities)

    @cached_property
    def open(self) -> dict[str, str]:
        """What each answer leaves open."""
        return left_open(self.tree, self.limit)

    @cached_property
    def knows_not_worn(self) -> bool:
        """Whether the model tells by itself that a device is not worn."""
        return any(node_of(name) == NOT_WORN for name in self.activities)

    @cached_property
    def colours(self) -> dict[str, str]:
        others = (*self.tree.nodes[len(self.activities) :], UNFAMILIAR, NOT_WORN)
        return activity_colours(self.activities, tuple(name for name in others if name not in self.activities))


@dataclass
class Model:
    """The model that recognises live, and how it answers."""

    version_id: int
    label: str
    recogniser: LiveRecogniser
    limit: float
    prior: dict[str, float]
    _names: dict[tuple[str, ...], Names] = field(default_factory=dict)

    def names(self, activities: tuple[str, ...]) -> Names:
        """Return what windows can be answered; made once."""
        if activities not in self._names:
            self._names[activities] = Names(activities, self.limit)
        return self._names[activities]

    @property
    def shortest_s(self) -> float:
        """How long a bout must be to be believed; 0: nothing is smoothed."""
        classifier = self.recogniser.classifier
        window_s = classifier.window_length_s
        known = classifier.shortest_bout_s
        shortest = WINDOWS_UNKNOWN * window_s if known is None else known
        return shortest if shortest > FEWEST_WINDOWS * window_s else 0.0


@dataclass(slots=True)
class _Row:
    """A window as the model, or the person's head, has it."""

    start_s: float
    end_s: float
    proba: FloatArray  # (n_activities,)
    unfamiliar: bool
    unworn: bool
    on_grid: bool
    reference: ReferenceSource
    wearing: int
    by_height: bool = False  # air pressure says something of it


class Answering:
    """Answers the windows of one session.

    ``put_back`` tells after each answer whether the device's clock was put back: nothing of before is known any more.
    """

    def __init__(self, model: Model, learnt: Learnt | None = None) -> None:
        self.model = model
        self.head = learnt.head if learnt is not None and learnt.switched_on else None
        self.strange: Sequence[str] = learnt.report["unfamiliar"] if learnt is not None else ()
        activities = model.recogniser.activities
        self.names = model.names(activities if self.head is None else self.head.activities)
        self.put_back = False
        self._rows: dict[float, _Row] = {}
        self._told: dict[float, str] = {}
        self._smoothed_to = -np.inf
        self._pressure = PressureHeard()

    def hear_pressure(self, time_s: TimeArray, hpa: FloatArray) -> None:
        """Take in air pressure: what it says of windows is said with what is smoothed, as it knows what came after."""
        self._pressure.add(time_s, hpa)

    def answer(self, windows: Sequence[LiveWindow], lasted_s: float, at_end: bool = False) -> list[dict[str, Any]]:
        """Return what a page shows of new windows, and of earlier ones of which something else is said now.

        Parameters
        ----------
        lasted_s : how long the session has lasted.
        at_end : no window will come any more.
        """
        if not windows and not (at_end and self._rows):
            return []
        self._take(windows, lasted_s, at_end)
        newest = max(self._rows)
        said = self._in_words([self._rows[window.start_s] for window in windows], smooth=False)
        again = at_end or any(start <= self._smoothed_to for start in said)  # measured anew: it is smoothed anew, too
        if again or newest - self._smoothed_to >= SMOOTHED_AFTER_S + SMOOTH_EVERY_S:
            self._told |= {start: told["answer"] for start, told in said.items()}
            to_s = newest if at_end else newest - SMOOTHED_AFTER_S
            said |= self._smooth(-np.inf if again else self._smoothed_to, to_s, again)
            self._forget(newest)
        self._told |= {start: told["answer"] for start, told in said.items()}
        return [said[start] for start in sorted(said)]

    def _take(self, windows: Sequence[LiveWindow], lasted_s: float, at_end: bool) -> None:
        self.put_back = False
        if not windows:
            return
        proba, unfamiliar = self._personal(windows, lasted_s)
        unknown = [window.start_s for window in windows if window.start_s not in self._rows]
        if unknown and self._rows and not at_end and max(self._rows) - max(unknown) > SHOWN_S:
            self.put_back, self._rows, self._told, self._smoothed_to = True, {}, {}, -np.inf
            self._pressure = PressureHeard()
        for one, own, strange in zip(windows, proba, unfamiliar, strict=True):
            self._rows[one.start_s] = _Row(
                one.start_s, one.end_s, own, bool(strange), one.unworn, one.on_grid, one.reference, one.wearing
            )

    def _forget(self, newest: float) -> None:
        """Forget windows that will not be said again: those on the upload's grid as the recogniser does."""
        kept = {True: newest - KEPT_S, False: newest - SHOWN_S}
        self._rows = {start: row for start, row in self._rows.items() if start > kept[row.on_grid]}
        self._told = {start: told for start, told in self._told.items() if start in self._rows}

    def _personal(self, windows: Sequence[LiveWindow], lasted_s: float) -> tuple[FloatArray, Any]:
        """Return probabilities as the person's head has them, and which windows are unfamiliar."""
        proba = np.stack([window.probabilities for window in windows])
        unfamiliar = np.array([window.unfamiliar for window in windows])
        if self.model.prior and lasted_s >= HOUR_S:
            from app.har.classifiers.everyday.prior import as_in

            proba = as_in(self.model.prior, proba)
        if self.head is None:
            return proba, unfamiliar
        features = np.stack([window.features for window in windows])
        if features.shape[1] != self.head.n_features:  # of another model
            wide = np.zeros((len(proba), len(self.names.activities)), proba.dtype)
            wide[:, : proba.shape[1]] = proba
            return wide, unfamiliar
        adjusted = self.head.adjust(proba, features)
        likeliest = adjusted.argmax(axis=1)
        taught = np.isin(np.array(self.head.activities)[likeliest], self.strange)
        return adjusted, unfamiliar & ~(taught & self.head.alike(features)[np.arange(len(features)), likeliest])

    def _smooth(self, from_s: float, to_s: float, again: bool) -> dict[float, dict[str, Any]]:
        """Return what is otherwise of windows between two moments once bouts too short to be believed are left out.

        What an upload has are windows one after the other; those between take the answer of the one that their middle
        is in, as the person's walking is not measured in them.
        """
        self._smoothed_to = to_s
        ripe = [row for start, row in sorted(self._rows.items()) if from_s < start <= to_s]
        oldest = from_s - SMOOTHED_OVER_S
        grid = [row for start, row in sorted(self._rows.items()) if row.on_grid and start > oldest]
        if not grid or not ripe:
            return {}
        grid = self._held_against_height(grid)
        final = self._without_short_bouts(grid) if again or _differ(grid) else grid
        starts = np.array([row.start_s for row in final])
        rows = []
        for own in ripe:
            middle = (own.start_s + own.end_s) / 2
            around = final[max(int(np.searchsorted(starts, middle, side="right")) - 1, 0)]
            if around.start_s <= middle < around.end_s:
                rows.append(replace(around, start_s=own.start_s, end_s=own.end_s))
        told = self._in_words(rows, smooth=True)
        return {at: one for at, one in told.items() if one["answer"] != self._told.get(at)}

    def _held_against_height(self, grid: list[_Row]) -> list[_Row]:
        """Return windows whose answers agree with height, as those of an upload, before bouts are made of them."""
        start_s, end_s = (np.array([getattr(row, name) for row in grid]) for name in ("start_s", "end_s"))
        told = self._pressure.told(start_s, end_s)
        if not told.any():
            return grid
        proba = held_against(np.stack([row.proba for row in grid]), self.names.activities, told)
        return [replace(row, proba=own, by_height=bool(said)) for row, own, said in zip(grid, proba, told, strict=True)]

    def _without_short_bouts(self, grid: list[_Row]) -> list[_Row]:
        """Return windows that follow each other, smoothed as those of an upload."""
        if not self.model.shortest_s:
            return grid
        proba, unfamiliar = smoothed(
            np.stack([row.proba for row in grid]),
            np.array([row.unfamiliar for row in grid]),
            self.names.activities,
            np.zeros(len(grid), np.int64),
            np.array([row.start_s for row in grid]),
            np.array([row.end_s for row in grid]),
            np.diff([row.wearing for row in grid], prepend=grid[0].wearing) != 0,
            np.array([row.unworn for row in grid]),
            self.model.shortest_s,
        )
        return [replace(row, proba=proba[i], unfamiliar=bool(unfamiliar[i])) for i, row in enumerate(grid)]

    def _in_words(self, rows: Sequence[_Row], smooth: bool) -> dict[float, dict[str, Any]]:
        """Return what a page shows of windows, by their start."""
        if not rows:
            return {}
        names, proba = self.names, np.stack([row.proba for row in rows])
        of_nodes = names.tree.probabilities(proba)
        deepest = names.tree.deepest(of_nodes, names.limit).tolist()
        found = {}
        for i, (row, position, leaf) in enumerate(zip(rows, deepest, proba.argmax(axis=1).tolist(), strict=True)):
            answer = names.tree.nodes[position]
            if row.unfamiliar:
                answer = UNFAMILIAR
            if row.unworn and not names.knows_not_worn:
                answer = NOT_WORN
            found[row.start_s] = {
                "start_s": row.start_s,
                "end_s": row.end_s,
                "answer": answer,
                "open": names.open.get(answer, ""),
                "activity": names.activities[leaf],
                "confidence": round(float(of_nodes[i, position]), 4) if answer not in (ANYTHING, UNFAMILIAR) else None,
                "colour": names.colours.get(answer, MISSING),
                "unfamiliar": row.unfamiliar,
                "unworn": row.unworn,
                "reference": row.reference,
                "smoothed": smooth,
                "by_height": row.by_height,
            }
        return found


def _differ(rows: Sequence[_Row]) -> bool:
    """Tell whether there is more than one bout: of most minutes there is nothing to smooth."""
    return len({(int(row.proba.argmax()), row.unfamiliar, row.unworn) for row in rows}) > 1
