"""The quality cards of the recordings in a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from app.har.recordings.quality import QualityCard
    from app.har.signals.types import Recording

MAX_CARDS = 50  # a file of single windows holds twenty thousand recordings


@dataclass(frozen=True)
class Quality:
    """The quality cards of a file's recordings, of the first MAX_CARDS of them."""

    cards: tuple[QualityCard, ...]
    recordings: int  # in the file

    @property
    def blocking_reasons(self) -> list[str]:
        """Why recordings are of no use to any model, each reason once."""
        return sorted({reason for card in self.cards if card.verdict == "unusable" for reason in card.reasons})

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"recordings": self.recordings, "cards": [card.as_dict() for card in self.cards]}


def assess_quality(recordings: Sequence[Recording], gap_s: float) -> Quality:
    """Examine the recordings of a file.

    Parameters
    ----------
    recordings : in the units of the core.
    gap_s : holes up to this long are not gaps.
    """
    from app.har.recordings.quality import card

    cards = tuple(card(recording, gap_s) for recording in islice(recordings, MAX_CARDS))
    return Quality(cards, len(recordings))
