"""Why a model answered so in a window, or in the windows of a bout, as plain numbers and words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from app.har.classifiers.elm_gru_am.classifier import ActivityClassifier
from app.har.explanations.bare import bare_windows
from app.har.explanations.cells import BANDS, Cell, Cells, CutWindows
from app.har.explanations.contributions import PACES, Contributions, Group, contributions, groups_of
from app.har.explanations.values import falls
from app.har.explanations.words import ABOUT_AS_USUAL, group_in_words, movement_in_words, sensor_in_words
from app.har.signals.cores import on_every_core
from app.har.types import FloatArray, IntArray
from app.har.windows import WindowSet

FOR, AGAINST = 5, 2  # groups of features that are named
NAMED = 0.1  # of the largest contribution: what adds less is not named
FLIPS = (1, 2, 4, 8)  # cells taken away together, to see what changes the answer
MOST_WINDOWS = 3  # of a bout
AT_ONCE = 4  # bouts: each becomes some sixty windows, of which more would not stay in a core's cache


@dataclass(frozen=True)
class Explainer:
    """A model, with what is needed to explain its answers."""

    model: ActivityClassifier

    @cached_property
    def cells(self) -> Cells:
        """Return how its windows are cut."""
        return Cells.of(self.model)

    @cached_property
    def groups(self) -> list[Group]:
        """Return the groups of features that its head reads."""
        return groups_of(self.model)

    def explain(self, windows: WindowSet) -> dict[str, Any]:
        """Explain what a model answers to windows of one bout, on average; of `MOST_WINDOWS` of them.

        Returns
        -------
        dict : ``answer`` and ``other``, the likeliest activities, with their probabilities; ``cells`` of the window
            that is ``shown``, each with what it adds to the log-odds of the answer; ``bands`` the same of all windows;
            ``features`` with what they add to how much likelier the answer is than the other; ``movement`` in words;
            ``change``: with which cells made neutral the answer is another, None where no few of them do that;
            ``in_short``, one line of words.
        """
        return self.explain_each([windows])[0]

    def explain_each(self, bouts: Sequence[WindowSet]) -> list[dict[str, Any]]:
        """Explain what a model answers to each of many bouts, see `explain`, on all cores; many cost less together."""
        some = [_some(windows) for windows in bouts]
        parts = [some[i : i + AT_ONCE] for i in range(0, len(some), AT_ONCE)]
        return [said for part in on_every_core(self._explained, parts) for said in part]

    def _explained(self, bouts: Sequence[WindowSet]) -> list[dict[str, Any]]:
        model, cells = self.model, self.cells
        X = np.concatenate([windows.X for windows in bouts])
        cut = cells.cut(X)
        all_ = bare_windows(model, cut.without_each())
        description = model.describer_(all_)
        p_of_all = model.recognise_described(all_, description).probabilities.reshape(len(X), len(cells) + 1, -1)
        p, whole = p_of_all[:, 0], description.whole[:: len(cells) + 1]
        sizes = [len(windows) for windows in bouts]
        rows = [slice(end - size, end) for size, end in zip(sizes, np.cumsum(sizes).tolist(), strict=True)]
        ranked = np.array([np.argsort(-p[own].mean(axis=0), kind="stable")[:2] for own in rows], np.int64)
        answers, others = np.repeat(ranked, sizes, axis=0).T
        values = falls(p_of_all, answers)
        shown = np.array([own.start + _most_typical(values[own]) for own in rows], np.int64)
        missing = model.layout.missing(X)
        found = contributions(model, self.groups, whole, missing, p, answers, others)
        changes = self._changes(cut.take(shown), values[shown], ranked[:, 0])
        return [
            self._in_words(X[at], p[own], int(at) - own.start, values[own], found.take(own), pair, change)
            for own, at, pair, change in zip(rows, shown.tolist(), ranked.tolist(), changes, strict=True)
        ]

    def _in_words(
        self,
        X: FloatArray,
        p: FloatArray,
        shown: int,
        values: FloatArray,
        found: Contributions,
        pair: Sequence[int],
        change: dict[str, Any] | None,
    ) -> dict[str, Any]:
        """Say what was found of one bout, see `explain`; ``X`` is the window that is shown."""
        model, cells, groups = self.model, self.cells, self.groups
        answer, other = pair
        added, levels = found.groups.mean(axis=0), found.levels.mean(axis=0)
        least = NAMED * np.abs(added).max()
        ranked = [i for i in np.argsort(-added).tolist() if abs(added[i]) >= least]
        named = [i for i in ranked if added[i] > 0][:FOR] + [i for i in ranked if added[i] < 0][-AGAINST:]
        by_band = values.mean(axis=0).reshape(-1, cells.n_moments).sum(axis=1)
        in_band = cells.list[:: cells.n_moments]
        movement = movement_in_words(X, model.channels, model.sampling_rate_hz, model.gravity)
        return {
            "answer": model.activities[answer],
            "other": model.activities[other],
            "probability": round(float(p[:, answer].mean()), 4),
            "other_probability": round(float(p[:, other].mean()), 4),
            "windows": len(p),
            "shown": shown,
            "cells": [
                {
                    "sensor": cell.sensor,
                    "band": cell.band,
                    "start_s": cell.start_s,
                    "end_s": cell.end_s,
                    "value": round(float(value), 3),
                }
                for cell, value in zip(cells.list, values[shown], strict=True)
            ],
            "bands": [
                {"words": f"{cell.band}, {sensor_in_words(cell.sensor)}", "value": round(float(value), 3)}
                for cell, value in zip(in_band, by_band, strict=True)
            ],
            "features": [
                {"words": group_in_words(groups[i], levels[i], model.gravity), "value": round(float(added[i]), 3)}
                for i in named
            ],
            "network": round(float(found.network.mean()), 3),
            "movement": movement,
            "change": change,
            "in_short": self._in_short(movement, in_band, by_band, levels),
        }

    def _in_short(self, movement: list[str], in_band: list[Cell], by_band: FloatArray, levels: FloatArray) -> str:
        """Say what was measured, and what the answer hangs on most of all: the tested values of cells decide."""
        best = int(by_band.argmax())
        if by_band[best] <= 0:
            return " ".join(movement)
        sensor, aspect = in_band[best].sensor, PACES[BANDS.index(in_band[best].band)][1]
        level_of = {(group.sensor, group.aspect): level for group, level in zip(self.groups, levels, strict=True)}
        level = float(level_of.get((sensor, aspect), 0))
        told_by = group_in_words(Group(sensor, aspect, np.empty(0, np.int64)), level, self.model.gravity)
        told_by = told_by.removesuffix(ABOUT_AS_USUAL)
        return " ".join([*movement, f"Told most by {told_by}."])

    def _changes(self, cut: CutWindows, values: FloatArray, answers: IntArray) -> list[dict[str, Any] | None]:
        """Take away the cells of each window that matter most, a few together, until its answer is another."""
        cells, order = self.cells, np.argsort(-values, axis=1, kind="stable")
        counts = np.array([count for count in FLIPS if count <= len(cells)])
        kept = np.argsort(order, axis=1)[:, None] >= counts[:, None]  # (n, n_counts, n_cells)
        # What speaks against the answer is never taken away: that could not change it
        helping = counts <= np.count_nonzero(values > 0, axis=1)[:, None]
        row, number = np.nonzero(helping)
        said: list[dict[str, Any] | None] = [None] * len(values)
        if not len(row):
            return said
        windows = bare_windows(self.model, cut.with_cells(row, kept[row, number]))
        p = self.model.recognise_described(windows, self.model.describer_(windows)).probabilities
        for i, count, of_count in zip(row.tolist(), counts[number].tolist(), p, strict=True):
            if said[i] is None and (other := int(of_count.argmax())) != answers[i]:
                said[i] = {
                    "answer": self.model.activities[other],
                    "probability": round(float(of_count[other]), 4),
                    "cells": sorted(order[i, :count].tolist()),
                }
        return said


def _some(windows: WindowSet) -> WindowSet:
    """Return a few windows, evenly over a bout."""
    if len(windows) <= MOST_WINDOWS:
        return windows
    edges = np.linspace(0, len(windows), 2 * MOST_WINDOWS + 1)[1::2]
    return windows.take(edges.astype(np.int64))


def _most_typical(values: FloatArray) -> int:
    """Return the window whose values are nearest to the average over all."""
    return int(np.square(values - values.mean(axis=0)).sum(axis=1).argmin())
