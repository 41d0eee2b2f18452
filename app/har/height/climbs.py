"""Stretches in which somebody goes up or down for good: on stairs, in a lift, up a hill.

Rates: a flight of stairs is climbed at 0.15 to 0.4 m/s of height, up to 0.8 by those who run; most lifts go at 0.6 m/s
and faster. What pressure does besides is no climb: a gust comes and goes, a door changes it within a second, and
weather takes an hour for what a floor is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.har.height.rate import STEP_S, SURE_MS, Heights, Numbers
from app.har.signals.types import Stream

SLOPE_MS = 0.1  # below it, nobody climbs
ERRORS = 4  # of a noisy sensor, within which nothing is a climb
LEAST_M = 1.5  # of height: nine steps. Getting up, or lifting a phone to the ear, is less
SHORTEST_S = 4.0  # what is over sooner was a gust: even a sudden change looks as long, seen through a rate's seconds
PAUSE_S = 4.0  # a landing between two flights
AROUND_S = 6.0  # before and after a climb, whose heights it has to join
STAYS = 0.6  # part of the height that is still there then
JUMP_S, JUMP = 2, 0.7  # that most of a climb takes no less than: a door is no stairs
PUSH_S = 3.0  # around each end of a ride, in which a lift pushes
PUSH = 0.25  # part of its speed that these pushes must add up to
GRAVITY_MS2 = (8.0, 12.0)  # a median length of acceleration that holds it


@dataclass(frozen=True)
class Climb:
    """A stretch in which height is gained or lost for good."""

    start_s: float
    end_s: float
    metres: float  # below 0: lost

    @property
    def rate_ms(self) -> float:
        """How fast it went, on average; always above 0."""
        return abs(self.metres) / (self.end_s - self.start_s)


def find_climbs(heights: Heights) -> list[Climb]:
    """Return the climbs of a recording, in order."""
    least_ms = np.maximum(SLOPE_MS, ERRORS * heights.error_ms)
    way = np.where(np.abs(heights.climb_ms) > least_ms, np.sign(heights.climb_ms), 0.0)
    runs = _joined(_runs(way), PAUSE_S)
    return [climb for first, last, sign in runs if (climb := _climb(heights, first, last, sign))]


def _runs(way: Numbers) -> list[tuple[int, int, float]]:
    """Return the stretches of one way, up or down: first, last and which."""
    edges = np.flatnonzero(np.diff(way, prepend=0.0, append=0.0))
    return [(a, b - 1, float(way[a])) for a, b in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True) if way[a]]


def _joined(runs: list[tuple[int, int, float]], pause_s: float) -> list[tuple[int, int, float]]:
    """Return stretches of one way as one where a pause between them is short."""
    kept: list[tuple[int, int, float]] = []
    for first, last, sign in runs:
        if kept and kept[-1][2] == sign and (first - kept[-1][1] - 1) * STEP_S <= pause_s:
            kept[-1] = (kept[-1][0], last, sign)
        else:
            kept.append((first, last, sign))
    return kept


def _climb(heights: Heights, first: int, last: int, sign: float) -> Climb | None:
    """Return the climb that a stretch is, None where it is none.

    A steady climb between two levels, seen through a line of some seconds, has half its rate at its very ends.
    """
    rate, height = np.abs(heights.climb_ms[first : last + 1]), heights.height_m
    fast = np.flatnonzero(rate >= np.quantile(rate, 0.75) / 2)
    first, last = first + int(fast[0]), first + int(fast[-1])
    around = round(AROUND_S / STEP_S)
    before, after = height[max(first - around, 0) : first + 1], height[last : last + around + 1]
    if np.isnan(height[first : last + 1]).any() or (last - first) * STEP_S < SHORTEST_S:
        return None
    inside = sign * (height[last] - height[first])
    metres = sign * (np.nanmedian(after) - np.nanmedian(before))
    noise = float(heights.error_ms[first : last + 1].max()) / SURE_MS
    if metres < LEAST_M * max(1.0, noise) or metres < STAYS * inside:
        return None
    steps = round(JUMP_S / STEP_S)
    seen = height[max(first - steps, 0) : last + steps + 1]
    if last - first > 2 * steps and np.abs(seen[steps:] - seen[:-steps]).max() > JUMP * max(metres, inside):
        return None
    return Climb(float(heights.time_s[first]), float(heights.time_s[last]), float(sign * max(metres, inside)))


def pushed(climb: Climb, acceleration: Stream) -> bool | None:
    """Tell whether a lift carried somebody who stood still: it pushes one way to start, the other way to stop.

    The length of acceleration with gravity, in someone who stands, is gravity and what the lift adds; over its start,
    this adds up to its speed. A vehicle on a slope pushes forward, not up. None where acceleration cannot tell.

    Parameters
    ----------
    acceleration : (n, 3) of a device that the person has on them.
    """
    ends = (climb.start_s, climb.end_s)
    first, last = np.searchsorted(acceleration.time_s, (ends[0] - PUSH_S, ends[1] + PUSH_S))
    time_s, length = acceleration.time_s[first:last], np.linalg.norm(acceleration.values[first:last], axis=1)
    if len(length) < 2 or time_s[0] > ends[0] or time_s[-1] < ends[1]:
        return None
    usual = float(np.median(length))
    if not GRAVITY_MS2[0] < usual < GRAVITY_MS2[1]:
        return None
    way, speed_ms = np.sign(climb.metres), climb.rate_ms
    gained = [_added_up(time_s, length - usual, end) for end in ends]
    return bool(way * gained[0] > PUSH * speed_ms and -way * gained[1] > PUSH * speed_ms)


def _added_up(time_s: NDArray[np.float64], push_ms2: NDArray[np.floating], around_s: float) -> float:
    """Return the speed that a push adds around a moment (m/s)."""
    near = np.abs(time_s - around_s) <= PUSH_S
    return float(push_ms2[near].mean()) * 2 * PUSH_S if near.any() else 0.0
