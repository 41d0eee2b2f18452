"""What data of a person are used for, and what pages call it."""

from __future__ import annotations

from enum import Enum


class Purpose(str, Enum):
    """What data of a person are used for."""

    RECOGNITION = "recognition"
    LIVE = "live recording"
    TRAINING = "training"
    FEDERATION = "federation"
    CAREGIVER = "caregiver"

    @property
    def in_words(self) -> str:
        """Return what pages call it."""
        return _TITLES[self]


_TITLES = {
    Purpose.RECOGNITION: "Recognise my recordings",
    Purpose.LIVE: "Keep live streams as recordings",
    Purpose.TRAINING: "Train models on my corrections",
    Purpose.FEDERATION: "Share sums with other sites",
    Purpose.CAREGIVER: "Let a caregiver see me",
}
