"""What is recorded beside movement, on disk: heart rate, skin, air pressure, loudness, light, as ``lanes.npz``.

Air pressure is drawn as height. Loudness is a number of decibels; no importer reads a sound.
Uploads of earlier versions have none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from app.har.height.rate import height_from_start
from app.har.signals.types import Recording, channels_of
from app.har.texts import whole_characters
from app.har.types import FloatArray, TimeArray
from app.services import sealing
from app.services.recordings.stored_signal import lowest_and_highest
from app.services.sealing import Key

Lane: TypeAlias = tuple[str, str, TimeArray, FloatArray]  # recording, modality, its moments and values
KINDS = ("heart_rate", "electrodermal_activity", "skin_temperature", "pressure", "sound_level", "light")
HEIGHT = "height"  # the channel that air pressure is drawn as
FILE = "lanes.npz"
BREAK = 5  # steps without a sample, after which a line is broken


def beside(recordings: Iterable[Recording], channels: Sequence[str]) -> Iterator[Lane]:
    """Yield what recordings hold of these kinds, where a model with such channels does not read it."""
    for recording in recordings:
        for stream in recording.streams:
            if stream.kind in KINDS and not set(stream.channels) & set(channels):
                yield recording.recording_id, stream.modality, stream.time_s, stream.values[:, 0].astype(np.float32)


def save(folder: Path, lanes: Sequence[Lane], key: Key | None) -> None:
    """Write them into the folder of an upload."""
    columns: dict[str, Any] = {}
    for i, (_, _, time_s, values) in enumerate(lanes):
        columns |= {f"time_{i}": time_s, f"value_{i}": values}
    names = np.array([[recording, modality] for recording, modality, _, _ in lanes], np.str_)
    with sealing.created(folder / FILE, key) as file:
        np.savez_compressed(file, names=names, **columns)


def view(folder: Path, recording_id: str, start_s: float, end_s: float, points: int) -> list[dict[str, Any]]:
    """Return what to draw of one recording: ``channel``, ``time_s`` and ``values``, as `StoredSignal.view` does."""
    return [
        {"channel": channel, **_line(time_s, values, start_s, end_s, points)}
        for channel, time_s, values in read(folder, recording_id)
    ]


def read(folder: Path, recording_id: str) -> list[tuple[str, TimeArray, FloatArray]]:
    """Return what one recording holds: channels, their moments and values; height for air pressure."""
    if not (folder / FILE).exists():
        return []
    found = []
    with sealing.opened(folder / FILE) as file, np.load(file, allow_pickle=False) as stored:
        for i, (recording, modality) in enumerate(stored["names"]):
            if whole_characters(str(recording)) != recording_id:
                continue
            (channel,), values = channels_of(str(modality)), stored[f"value_{i}"]
            if channel.rpartition(".")[2] == "pressure":
                channel, values = channel.replace("pressure", HEIGHT), height_from_start(values)
            found.append((channel, stored[f"time_{i}"], values))
    return found


def _line(time_s: TimeArray, values: FloatArray, start_s: float, end_s: float, points: int) -> dict[str, Any]:
    """Return a thinned line between two moments, with a break where it stops for several of its steps."""
    first, last = np.searchsorted(time_s, (start_s, end_s)).tolist()
    seen = slice(max(first - 1, 0), last + 1)  # on to what lies just outside
    apart = BREAK * float(np.median(np.diff(time_s))) if len(time_s) > 1 else np.inf
    run = np.append(0, np.cumsum(np.diff(time_s[seen]) > apart))[: len(time_s[seen])]
    time_s, values = time_s[seen], np.ascontiguousarray(values[seen])
    kept = lowest_and_highest(values, points)
    breaks = np.flatnonzero(np.diff(run[kept])) + 1
    drawn = np.insert(values[kept].astype(np.float64), breaks, np.nan).round(3).tolist()
    return {
        "time_s": np.insert(time_s[kept], breaks, time_s[kept][breaks]).round(3).tolist(),
        "values": [None if value != value else value for value in drawn],
    }
