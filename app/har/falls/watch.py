"""Watches one stream for falls: its impacts, each decided about by one method."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from app.har.falls import threshold as three_limits
from app.har.falls.impacts import Impact, Impacts, Sampled
from app.har.types import FloatArray, TimeArray

REFRACTORY_S = 10.0  # further impacts so soon after a fall are of the same one
THRESHOLD, TRAINED = "threshold", "trained"


@dataclass(frozen=True)
class FallCandidate:
    """What may be a fall. Research software, not a medical device."""

    time_s: float  # of the impact, Unix seconds of the device's clock
    peak_g: float
    score: float  # 0 to 1, at least the limit of what watched
    method: str  # THRESHOLD or TRAINED


class Detector(Protocol):
    """A trained method: scores impacts, from 0 to 1."""

    @property
    def limit(self) -> float: ...
    def score(self, impacts: list[Impact]) -> list[float]: ...


@dataclass(frozen=True)
class _Samples:
    time_s: TimeArray
    values: FloatArray


class FallWatch:
    """Watches one session; a fall is told of about four seconds after its impact.

    Parameters
    ----------
    detector : a trained one; without it the threshold method decides.
    threshold : the score from which an impact counts as a fall, for a person whose false alarms raised it; default
        what the method brings.
    """

    def __init__(self, detector: Detector | None = None, threshold: float | None = None) -> None:
        self.method = THRESHOLD if detector is None else TRAINED
        default = three_limits.LIMIT if detector is None else detector.limit
        self.threshold = default if threshold is None else threshold
        self._detector = detector
        self._impacts = Impacts()
        self._last_s = -np.inf

    def step(self, sensors: Mapping[str, Sampled]) -> list[FallCandidate]:
        """Take in a batch and return the falls that are now certain enough.

        Nothing can be said of acceleration without gravity alone: a posture does not show in it.
        """
        samples = with_gravity(sensors)
        if samples is None or not len(samples.time_s):
            return []
        return self._judged(self._impacts.step(samples))

    def end(self) -> list[FallCandidate]:
        """Return what the end of the stream leaves to be told."""
        return self._judged(self._impacts.end())

    def _judged(self, impacts: list[Impact]) -> list[FallCandidate]:
        if not impacts:
            return []
        scores = [three_limits.score(i) for i in impacts] if self._detector is None else self._detector.score(impacts)
        found = []
        for impact, score in zip(impacts, scores, strict=True):
            apart = abs(impact.time_s - self._last_s) >= REFRACTORY_S  # also where the clock was set back
            if score >= self.threshold and apart:
                found.append(FallCandidate(impact.time_s, impact.peak_g, score, self.method))
                self._last_s = impact.time_s
        return found


def with_gravity(sensors: Mapping[str, Sampled]) -> Sampled | None:
    """Return acceleration with gravity, put together where a device sends it in two; None where it sends no gravity."""
    if "acceleration" in sensors:
        return sensors["acceleration"]
    movement, gravity = sensors.get("movement"), sensors.get("gravity")
    if movement is None or gravity is None or not len(gravity.time_s):
        return None
    order = np.argsort(gravity.time_s)
    time, values = gravity.time_s[order], gravity.values[order]
    pull = np.stack([np.interp(movement.time_s, time, axis) for axis in values.T], axis=1)
    return _Samples(movement.time_s, (movement.values + pull).astype(np.float32))
