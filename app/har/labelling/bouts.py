"""Stretches that a person labels with one press: windows that follow each other and are alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.har.types import IntArray, TimeArray

LONGEST = 2  # windows: what is longer takes longer to look at, and shows little more
CHANGE = 1.2  # of the mean squared distance of any two windows: neighbours farther apart are of two bouts
ROUNDING_S = 0.01
AT_ONCE = 65_536  # windows that are compared with the next


@dataclass(frozen=True)
class Bouts:
    """Bout i is of recording ``recording[i]``, and of the windows from ``first[i]`` on, ``windows[i]`` of them."""

    recording: IntArray  # (n,) place in the data set
    start_s: TimeArray  # (n,) on the recording's own clock
    end_s: TimeArray
    first: IntArray
    windows: IntArray

    def __len__(self) -> int:
        return len(self.recording)

    def numbers(self) -> IntArray:
        """Return which bout each window is of."""
        return np.repeat(np.arange(len(self)), self.windows)

    def mean(self, rows: NDArray[np.float16]) -> NDArray[np.float16]:
        """Return the mean of what the windows of each bout have, (n, d)."""
        sums = np.add.reduceat(rows, self.first, axis=0)
        return np.asarray(sums / self.windows[:, None].astype(np.float16), np.float16)


def cut_bouts(coordinates: NDArray[np.float16], recording: IntArray, start_s: TimeArray, window_s: float) -> Bouts:
    """Put windows that follow each other together as long as they are alike.

    Parameters
    ----------
    coordinates : (n, d) in which their mean squared distance from 0 is 1, so that of two of them is 2.
    recording, start_s : (n,) in the order of time.
    """
    follows = (np.diff(recording) == 0) & (np.abs(np.diff(start_s) - window_s) < ROUNDING_S)
    squares = [
        np.square(np.diff(coordinates[at : at + AT_ONCE + 1].astype(np.float32), axis=0)).sum(axis=1)
        for at in range(0, len(coordinates) - 1, AT_ONCE)
    ]
    alike = np.concatenate(squares or [np.zeros(0)]) < 2 * CHANGE
    first, held = [], LONGEST
    for i, joined in enumerate(np.concatenate(([False], follows & alike)).tolist()):
        if joined and held < LONGEST:
            held += 1
        else:
            first.append(i)
            held = 1
    begins = np.array(first, np.int64)
    counts = np.diff(np.append(begins, len(coordinates)))
    return Bouts(
        recording[begins],
        start_s[begins],
        np.asarray(start_s[begins + counts - 1] + window_s, np.float64),
        begins,
        counts.astype(np.int64),
    )
