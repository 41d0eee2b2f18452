"""The air pressure of a live session, and what it says of windows once what comes after them is known."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from app.har.height.answers import UNKNOWN, Told, of_windows
from app.har.height.climbs import find_climbs
from app.har.height.rate import heights
from app.har.types import TimeArray

KEPT_S = 1260.0  # as long as windows may be said again, and before them
BEFORE_S = 60.0  # that climbs and noise are told by


class PressureHeard:
    """What was heard of a session's air pressure in the last twenty minutes."""

    def __init__(self) -> None:
        self._time_s = np.zeros(0)
        self._hpa = np.zeros(0)

    def add(self, time_s: TimeArray, hpa: NDArray[np.floating]) -> None:
        """Take in samples, which may be late."""
        time_s, hpa = np.concatenate([self._time_s, time_s]), np.concatenate([self._hpa, hpa])
        time_s, once = np.unique(time_s, return_index=True)
        kept = time_s > time_s[-1] - KEPT_S if len(time_s) else np.zeros(0, bool)
        self._time_s, self._hpa = time_s[kept], hpa[once][kept]

    def told(self, start_s: TimeArray, end_s: TimeArray) -> Told:
        """Return what height says of each window, by what was heard until now; (n_windows,)."""
        since = np.searchsorted(self._time_s, start_s.min() - BEFORE_S)
        measured = heights(self._time_s[since:], self._hpa[since:]) if len(self._time_s) > since else None
        if measured is None:
            return np.full(len(start_s), UNKNOWN, np.int8)
        return of_windows(measured, find_climbs(measured), start_s, end_s)
