"""The quality card of a recording as a page draws it: a strip for each sensor, with what is wrong shaded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.services.formatting import capitalise, percent, sensor_name

WIDTH, HEIGHT, MARGIN = 1000.0, 40.0, 2.0  # of a strip, in its own units
FINEST = 160  # parts of an outline
NARROWEST = 1.5  # a band that can still be seen
SHADINGS = {"gap": "gap", "unworn": "not worn", "clipped": "clipped at the end of the sensor's range"}


@dataclass(frozen=True)
class Band:
    """A shaded part of a strip."""

    x: float
    width: float


@dataclass(frozen=True)
class Strip:
    """One sensor over the recording: between the least and the most length of its vector, in SVG."""

    title: str
    scale: str  # the least and the most, with their unit
    description: str  # for those who cannot see it
    path: str
    stroke_width: float
    bands: Mapping[str, Sequence[Band]]  # by shading


@dataclass(frozen=True)
class ShownQuality:
    """The quality card of one recording, ready to be drawn."""

    card: Mapping[str, Any]  # har.recordings.quality.QualityCard.as_dict()
    recordings: int  # in the file
    strips: Sequence[Strip]
    shadings: Mapping[str, str]  # those that occur, and what each means
    from_s: float  # its first moment, on the recording's clock

    @property
    def wear_known(self) -> bool:
        """Whether any sensor shows if it was worn."""
        return any(stream["worn"] is not None for stream in self.card["streams"])

    @property
    def has_acceleration(self) -> bool:
        """Whether it makes sense to speak of gravity."""
        return any(stream["sensor"] == "accelerometer" for stream in self.card["streams"])


def shown_quality(quality: Mapping[str, Any], recording: str) -> ShownQuality:
    """Return the card of a recording, or the first, where a file holds too many for each to have one.

    Parameters
    ----------
    quality : services.recordings.quality.Quality.as_dict()
    """
    cards = quality["cards"]
    card = next((card for card in cards if card["recording"] == recording), cards[0])
    strips = _strips(card)
    occurring = {shading for strip in strips for shading, bands in strip.bands.items() if bands}
    shadings = {shading: meaning for shading, meaning in SHADINGS.items() if shading in occurring}
    from_s = min(stream["start_s"] for stream in card["streams"])
    return ShownQuality(card, quality["recordings"], strips, shadings, from_s)


def _strips(card: Mapping[str, Any]) -> list[Strip]:
    """Return a strip for each sensor that has an outline."""
    zero_s = min(stream["start_s"] for stream in card["streams"])
    length_s = card["duration_s"] or 1.0
    return [_strip(stream, zero_s, length_s) for stream in card["streams"] if stream["outline"]]


def _strip(stream: Mapping[str, Any], zero_s: float, length_s: float) -> Strip:
    outline = _halved(stream["outline"])
    low = min(least for least, _ in outline if least is not None)
    high = max(most for _, most in outline if most is not None)
    step_s = stream["duration_s"] / len(outline)
    first_s = stream["start_s"] - zero_s + step_s / 2
    name = sensor_name(stream["modality"])
    return Strip(
        title=capitalise(name),
        scale=f"{low:.1f} to {high:.1f} {stream['unit']}",
        description=f"{name} over the recording: {stream['gaps']} gaps, {percent(stream['clipped'], 2)} clipped",
        path="".join(
            f"M{WIDTH * (first_s + i * step_s) / length_s:.0f} {_y(least, low, high) + 0.4:.1f}"
            f"V{_y(most, low, high) - 0.4:.1f}"  # even a still sensor leaves a line
            for i, (least, most) in enumerate(outline)
            if least is not None and most is not None
        ),
        stroke_width=round(1.1 * WIDTH * step_s / length_s, 2),
        bands={kind: _bands(stream[f"{kind}_spans"], zero_s, length_s) for kind in SHADINGS},
    )


def _halved(outline: Sequence[tuple[float | None, float | None]]) -> list[tuple[float | None, float | None]]:
    """Return an outline of few parts as it is, of many in parts twice as long: a page has room for no more."""
    if len(outline) <= FINEST:
        return list(outline)
    pairs = [[part for part in outline[i : i + 2] if part[0] is not None] for i in range(0, len(outline), 2)]
    return [
        (min(least for least, _ in pair if least is not None), max(most for _, most in pair if most is not None))
        if pair
        else (None, None)
        for pair in pairs
    ]


def _y(value: float, low: float, high: float) -> float:
    """Return how far below the top of a strip a value is drawn."""
    return HEIGHT - MARGIN - (HEIGHT - 2 * MARGIN) * (value - low) / ((high - low) or 1.0)


def _bands(spans: Iterable[tuple[float, float]], zero_s: float, length_s: float) -> list[Band]:
    scale = WIDTH / length_s
    return [
        Band(round(scale * (start - zero_s), 2), max(NARROWEST, round(scale * (end - start), 2)))
        for start, end in spans
    ]
