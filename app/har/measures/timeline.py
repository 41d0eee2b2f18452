"""What a person did by the world's clock, put together from several recordings so that no moment counts twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.har.measures.cut_points import CutPoints
from app.har.measures.slots import Slots
from app.har.types import IntArray, TimeArray
from app.har.vocabulary import (
    ANYTHING,
    CYCLING,
    LYING,
    NO_ANSWER,
    NOT_WORN,
    ON_FOOT,
    OTHER,
    RUNNING,
    SITTING,
    SITTING_OR_LYING,
    STAIRS,
    STAIRS_DOWN,
    STAIRS_UP,
    STANDING,
    STILL,
    WALKING,
    node_of,
)

NODES = (
    LYING, SITTING, SITTING_OR_LYING, STANDING, STILL, WALKING, STAIRS, STAIRS_UP, STAIRS_DOWN, ON_FOOT, RUNNING,
    CYCLING, OTHER, ANYTHING, NOT_WORN,
)  # fmt: skip
ANSWERED = NODES.index(ANYTHING)  # positions below are answers
UNSURE, OFF = ANSWERED, ANSWERED + 1
NOTHING = -1


def node_positions(names: Sequence[str]) -> IntArray:
    """Return which of `NODES` each answer is; a name that the shared vocabulary does not know is other movement."""
    found = [ANYTHING if name in NO_ANSWER else node_of(name) for name in names]
    return np.array([NODES.index(node) for node in found], np.int64)


@dataclass(frozen=True)
class Measured:
    """What is known of one recording, all of it by one clock: Unix seconds, where the recording tells the time."""

    start_s: TimeArray  # (n,) of stretches in the order of time that do not overlap
    end_s: TimeArray
    node: IntArray  # (n,) position in `NODES`
    steps: TimeArray | None = None  # (n_steps,) when; None where they cannot be counted
    stood_up: NDArray[np.float64] | None = None  # (n, 2) from when to when, from sitting; None where nobody can tell
    slots: Slots | None = None
    place: str = ""  # of the body, where that is known for sure
    cut_points: CutPoints | None = None
    without: str = ""  # why there is no intensity

    @property
    def answered_s(self) -> float:
        """For how long there is an answer."""
        known = self.node < ANSWERED
        return float((self.end_s - self.start_s)[known].sum())


@dataclass(frozen=True)
class Timeline:
    """Stretches in the order of time, none over another, of several recordings."""

    start_s: TimeArray  # (n,)
    end_s: TimeArray
    node: IntArray  # (n,) position in `NODES`
    source: IntArray  # (n,) which recording says so

    def stretches(self, nodes: Sequence[int]) -> tuple[TimeArray, TimeArray]:
        """Return start and end of the stretches that are of some nodes; those that touch are one."""
        those = np.isin(self.node, nodes)
        return joined(self.start_s[those], self.end_s[those], 0.0)

    def at(self, moments: TimeArray) -> IntArray:
        """Return in which stretch moments are, NOTHING where there is none; (n_moments,)."""
        if not len(self.start_s):
            return np.full(len(moments), NOTHING)
        place = np.searchsorted(self.start_s, moments, side="right") - 1
        inside = (place >= 0) & (moments < self.end_s[np.maximum(place, 0)])
        return np.asarray(np.where(inside, place, NOTHING), np.int64)


def together(measured: Sequence[Measured]) -> Timeline:
    """Put recordings together: where several are of one moment, an answer counts before none, and none before off.

    Of several answers it is that of the recording that has most of them, of equals the first.
    """
    order = sorted(range(len(measured)), key=lambda i: -measured[i].answered_s)
    edges = np.unique(np.concatenate([np.zeros(0), *(moments for m in measured for moments in (m.start_s, m.end_s))]))
    if len(edges) < 2:
        return Timeline(np.zeros(0), np.zeros(0), np.zeros(0, np.int64), np.zeros(0, np.int64))
    middle = (edges[:-1] + edges[1:]) / 2
    node: IntArray = np.full(len(middle), NOTHING)
    source: IntArray = np.full(len(middle), NOTHING)
    for kind in (OFF, UNSURE, None):  # what comes later counts before
        for i in reversed(order):
            those = measured[i].node < ANSWERED if kind is None else measured[i].node == kind
            own, covered = _painted(measured[i], those, middle)
            node, source = np.where(covered, own, node), np.where(covered, i, source)
    begins = np.append(True, (np.diff(node) != 0) | (np.diff(source) != 0))
    first = np.flatnonzero(begins)
    last = np.append(first[1:], len(node)) - 1
    there = node[first] != NOTHING
    first, last = first[there], last[there]
    return Timeline(edges[first], edges[last + 1], node[first], source[first])


def _painted(measured: Measured, those: NDArray[np.bool_], middle: TimeArray) -> tuple[IntArray, NDArray[np.bool_]]:
    """Return of which node some stretches of a recording are at moments, and at which of them there is one."""
    start, end, node = measured.start_s[those], measured.end_s[those], measured.node[those]
    if not len(start):
        return np.full(len(middle), NOTHING), np.zeros(len(middle), bool)
    place = np.maximum(np.searchsorted(start, middle, side="right") - 1, 0)
    covered = (start[place] <= middle) & (middle < end[place])
    return node[place], covered


def joined(start_s: TimeArray, end_s: TimeArray, gap_s: float) -> tuple[TimeArray, TimeArray]:
    """Return stretches in the order of time put together over gaps up to some length."""
    if not len(start_s):
        return start_s, end_s
    apart = np.flatnonzero(start_s[1:] - end_s[:-1] > gap_s + 1e-6)
    return start_s[np.append(0, apart + 1)], end_s[np.append(apart, len(end_s) - 1)]


def outside(
    start_s: TimeArray, end_s: TimeArray, windows: Sequence[tuple[float, float]]
) -> tuple[TimeArray, TimeArray]:
    """Return what of stretches lies outside some windows, in the order of time."""
    for first, last in windows:
        starts = np.concatenate((start_s, np.maximum(start_s, last)))
        ends = np.concatenate((np.minimum(end_s, first), end_s))
        left = np.flatnonzero(ends - starts > 1e-6)
        left = left[np.argsort(starts[left], kind="stable")]
        start_s, end_s = starts[left], ends[left]
    return start_s, end_s


def seconds_before(start_s: TimeArray, end_s: TimeArray, moments: TimeArray) -> TimeArray:
    """Return how many seconds of stretches, in the order of time and apart, lie before moments; (n_moments,)."""
    if not len(start_s):
        return np.zeros(len(moments))
    whole = np.append(0.0, np.cumsum(end_s - start_s))
    place = np.searchsorted(start_s, moments, side="right")
    begun = np.maximum(place - 1, 0)
    part = np.clip(moments - start_s[begun], 0.0, (end_s - start_s)[begun])
    return np.asarray(np.where(place > 0, whole[begun] + part, 0.0), np.float64)
