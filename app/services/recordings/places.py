"""Where a device is worn, as models know it and as people say it."""

from __future__ import annotations

from collections.abc import Mapping

PLACES: Mapping[str, str] = {  # that a person may say
    "leg": "in a trouser pocket",
    "trunk": "at the waist or on the trunk",
    "wrist": "on the wrist",
    "hand or bag": "in the hand or in a bag",
}
_GUESSED: Mapping[str, str] = {"table": "on a table", "leg": "on the leg"}  # a model cannot see the pocket


def place_in_words(place: str, known: bool = True) -> str:
    """Write where a device was worn; ``known`` is False where a model guessed it."""
    return PLACES[place] if known and place in PLACES else _GUESSED.get(place, PLACES.get(place, place))
