"""Bouts of sitting, and breaks: from what was answered, not from how much somebody moves.

*Sedentary* is what was answered sitting, lying, or sitting or lying, outside the rest window of a night. Terms after
Tremblay et al. (Sedentary Behavior Research Network), Int J Behav Nutr Phys Act 14: 75, 2017. What is not known, no
answer, *still*, not worn or no signal, ends no bout while it lasts for GAP_S at most; standing or moving ends it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.har.measures.timeline import NODES, Timeline, joined, outside, seconds_before
from app.har.types import IntArray, TimeArray
from app.har.vocabulary import ANYTHING, LYING, NOT_WORN, SITTING, SITTING_OR_LYING, STILL

GAP_S = 60.0
SEDENTARY = tuple(NODES.index(node) for node in (LYING, SITTING, SITTING_OR_LYING))
_UNKNOWN = tuple(NODES.index(node) for node in (STILL, ANYTHING, NOT_WORN))
UPRIGHT = tuple(i for i in range(len(NODES)) if i not in (*SEDENTARY, *_UNKNOWN))


@dataclass(frozen=True)
class Sitting:
    """Sedentary stretches, the bouts that they make, and which of these somebody ended by standing or moving."""

    start_s: TimeArray  # (n,) of stretches
    end_s: TimeArray
    bout: IntArray  # (n,) of which bout each is a part
    bout_start_s: TimeArray  # (n_bouts,)
    bout_end_s: TimeArray
    broken: NDArray[np.bool_]  # (n_bouts,)


def sitting_of(timeline: Timeline, rest: list[tuple[float, float]]) -> Sitting:
    """Return the sedentary stretches and bouts outside the rest windows of nights."""
    start, end = outside(*timeline.stretches(SEDENTARY), rest)
    up_start, up_end = outside(*timeline.stretches(UPRIGHT), rest)
    if not len(start):
        nothing = np.zeros(0)
        return Sitting(nothing, nothing, np.zeros(0, np.int64), nothing, nothing, np.zeros(0, bool))
    up_between = np.diff(seconds_before(up_start, up_end, np.stack((end[:-1], start[1:]), axis=1).ravel()))[::2]
    ends_it = (up_between > 1e-6) | (start[1:] - end[:-1] > GAP_S)
    bout = np.append(0, np.cumsum(ends_it))
    bout_start, bout_end = start[np.append(True, ends_it)], end[np.append(ends_it, True)]
    following = np.append(up_start, np.inf)[np.searchsorted(up_start, bout_end - 1e-6)]
    return Sitting(start, end, bout, bout_start, bout_end, following - bout_end <= GAP_S)


def lying_blocks(timeline: Timeline, gap_s: float) -> tuple[TimeArray, TimeArray]:
    """Return the stretches that were answered lying, put together over short gaps."""
    return joined(*timeline.stretches((NODES.index(LYING),)), gap_s)
