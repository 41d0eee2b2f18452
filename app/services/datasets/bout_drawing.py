"""A bout's signal as lines in a picture of its own: drawn by the server, so that the next is there at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from app.har.labelling.stretches import span
from app.har.signals.types import MODALITY_CHANNELS, MODALITY_UNITS
from app.services.datasets.labelling import Desk, Shown
from app.services.formatting import sensor_name
from app.services.recordings.stored_signal import lowest_and_highest

if TYPE_CHECKING:
    from app.har.types import FloatArray

AROUND_S = 3.0  # of the signal before and after, where it goes on without a gap
WIDTH, HEIGHT = 1000, 150  # of a panel, in units of the picture
POINTS = 500  # of a line
LEAST = 0.5  # from the bottom to the top, in the sensor's unit: rest is not to look wild


@dataclass(frozen=True)
class Panel:
    """One sensor."""

    title: str
    lines: tuple[tuple[str, str], ...]  # the axis, "" for a sensor that has none; and points as SVG takes them
    low: float
    high: float


@dataclass(frozen=True)
class Drawn:
    """All sensors, and where the bout lies in them, in units of the picture."""

    panels: tuple[Panel, ...]
    left: float
    width: float


def draw(desk: Desk, shown: Shown) -> Drawn:
    """Draw a bout and what is around it."""
    signals = desk.store.signals
    own = span(signals, int(desk.choice.map.bouts.recording[shown.number]), shown.start_s, shown.end_s)
    stretch = int(np.searchsorted(signals.first, own.start, side="right")) - 1
    begin, end = int(signals.first[stretch]), int(signals.first[stretch] + signals.length[stretch])
    around = round(AROUND_S * signals.sampling_rate_hz)
    first, last = max(begin, own.start - around), min(end, own.stop + around)
    values = np.asarray(signals.signal[first:last], np.float32)
    panels = [
        _panel(modality, [(signals.channels[i], values[:, i]) for i in columns])
        for modality, columns in _sensors(signals.channels).items()
        if not np.isnan(values[:, columns]).all()
    ]
    each = WIDTH / max(last - first, 1)
    return Drawn(tuple(panels), round((own.start - first) * each, 1), round((own.stop - own.start) * each, 1))


def _sensors(channels: tuple[str, ...]) -> dict[str, list[int]]:
    """Return the columns of each sensor."""
    kind_of = {channel: kind for kind, own in MODALITY_CHANNELS.items() for channel in own}
    found: dict[str, list[int]] = {}
    for i, channel in enumerate(channels):
        device, dot, plain = channel.rpartition(".")
        found.setdefault(device + dot + kind_of[plain], []).append(i)
    return found


def _panel(modality: str, lines: list[tuple[str, FloatArray]]) -> Panel:
    low, high = (float(find(values)) for find, values in ((np.nanmin, _all(lines)), (np.nanmax, _all(lines))))
    middle, half = (low + high) / 2, max(high - low, LEAST) / 2
    low, high = middle - half, middle + half
    title = f"{sensor_name(modality).capitalize()}, {MODALITY_UNITS[modality.rpartition('.')[2]]}"
    return Panel(title, tuple((_axis(name), _points(values, low, high)) for name, values in lines), low, high)


def _all(lines: list[tuple[str, FloatArray]]) -> FloatArray:
    return np.concatenate([values for _, values in lines])


def _axis(channel: str) -> str:
    return channel[-1] if channel[-2:] in ("_x", "_y", "_z") else ""


def _points(values: FloatArray, low: float, high: float) -> str:
    """Write a line; few of many samples, the lowest and the highest of each stripe."""
    there = np.flatnonzero(~np.isnan(values))
    kept = there[lowest_and_highest(np.ascontiguousarray(values[there]), POINTS)]
    x = (kept + 0.5) * WIDTH / len(values)
    y = HEIGHT * (high - values[kept]) / (high - low)
    return " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x.tolist(), y.tolist(), strict=True))
