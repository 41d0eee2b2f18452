"""What a file holds, as far as a model asks for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from app.har.signals.types import Recording

DERIVED = "gravity"  # a sensor that Kinelab can make itself


@dataclass(frozen=True)
class Held:
    """What a file holds."""

    sensors: frozenset[str]  # kinds, whatever device they are of
    gravity: bool  # in the acceleration, or beside it

    @classmethod
    def of(cls, recordings: Iterable[Recording]) -> Held:
        """Look at recordings as they were read."""
        recordings = list(recordings)
        sensors = frozenset(stream.kind for recording in recordings for stream in recording.streams)
        return cls(sensors, any(recording.gravity != "removed" for recording in recordings) or DERIVED in sensors)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Held:
        """Read what `as_dict` made."""
        return cls(frozenset(values["sensors"]), bool(values["gravity"]))

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {"sensors": sorted(self.sensors), "gravity": self.gravity}

    @classmethod
    def of_quality(cls, quality: Mapping[str, Any]) -> Held:
        """Look at the stored quality cards of a file."""
        cards = quality["cards"]
        sensors = frozenset(str(stream["sensor"]) for card in cards for stream in card["streams"])
        return cls(sensors, any(card["gravity"] != "removed" for card in cards) or DERIVED in sensors)
