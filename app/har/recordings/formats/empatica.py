"""Empatica E4: `ACC.csv`, `HR.csv`, `EDA.csv`, `TEMP.csv`, `IBI.csv`, …: first row the start, second row the rate.

Format: the info.txt of each export (support.empatica.com). Start in s since 1970, rate in Hz. ACC in 1/64 g with
gravity, HR in beats/min (starts some seconds later), EDA in µS, TEMP in °C; IBI has the start once, then the time since
it and the length of a beat in s. BVP and the tags of the button are no modality here and are left alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

from app.har.errors import HarError, UnreadableData, quote
from app.har.problems import Problem, ProblemKind
from app.har.recordings.build import build_recording, raw_stream, read_each
from app.har.recordings.layout import Layout, is_number
from app.har.recordings.tables import Source, columns
from app.har.signals.types import Gravity, Recording, Stream
from app.har.signals.units import STANDARD_GRAVITY

APP = "Empatica E4"
DESCRIPTION = "Empatica E4: first row start (Unix s), second row rate, ACC in 1/64 g"
EPOCH_S = (1e9, 4e9)  # 2001 to 2096
MAX_RATE_HZ = 256.0
KINDS = {
    "acc": "accelerometer", "hr": "heart_rate", "eda": "electrodermal_activity", "temp": "skin_temperature",
    "ibi": "ibi", "bvp": "bvp", "tags": "tags",
}  # fmt: skip
UNITS = {
    "accelerometer": "1/64 g", "heart_rate": "beats/min", "electrodermal_activity": "µS", "skin_temperature": "°C",
}  # fmt: skip


@dataclass(frozen=True)
class Channel:
    """One file: its kind, when it starts, and how fast it is."""

    source: Source
    kind: str
    start_utc_s: float
    rate_hz: float


def matches(layout: Layout) -> bool:
    """Tell whether the first row is a start, the same in each column, or that of the list of beats."""
    if layout.header or not layout.rows or layout.n_columns not in (1, 2, 3):
        return False
    first = [cell.strip() for cell in layout.rows[0]]
    if len(first) == 2:
        return first[1].upper() == "IBI" and _is_epoch(first[0])
    return len(set(first)) == 1 and _is_epoch(first[0])


def _is_epoch(cell: str) -> bool:
    return is_number(cell) and EPOCH_S[0] < _number(cell) < EPOCH_S[1]


def _number(cell: str) -> float:
    try:
        return float(cell.replace(",", "."))
    except ValueError:
        return float("nan")


def read(sources: list[Source], upload: str) -> list[Recording]:
    """Read uploaded files; those of one folder are one recording."""
    folders: dict[str, list[Source]] = defaultdict(list)
    for source in sources:
        folders[str(PurePosixPath(source.name).parent)].append(source)
    alone = PurePosixPath(sources[0].name).name if len(sources) == 1 else upload
    exports = {alone if folder == "." else folder: files for folder, files in folders.items()}
    return read_each(exports, lambda name, files: _read_export(files, name))


def _read_export(sources: Sequence[Source], name: str) -> Recording:
    channels: list[Channel] = []
    problems: list[Problem] = []
    for source in sources:
        kind = _kind(source.layout)
        if kind in ("tags", "bvp"):
            continue
        try:
            channels.append(_channel(source, kind))
        except HarError as error:
            problems.append(Problem(source.name, ProblemKind.UNREADABLE_FILE, str(error), "left out"))
    if any(channel.kind == "heart_rate" for channel in channels):
        channels = [channel for channel in channels if channel.kind != "ibi"]
    origin = min((channel.start_utc_s for channel in channels), default=0.0)
    parts: list[tuple[Stream, list[Problem]]] = []
    for channel in sorted(channels, key=lambda channel: list(KINDS.values()).index(channel.kind)):
        try:
            parts.append(_stream(channel, channel.start_utc_s - origin))
        except HarError as error:
            problems.append(Problem(channel.source.name, ProblemKind.UNREADABLE_FILE, str(error), "left out"))
    if not parts:
        detail = problems[-1].detail if problems else f"{name}: holds none of ACC, HR, EDA, TEMP, IBI."
        raise UnreadableData(detail)
    gravity: Gravity = "included" if any(stream.kind == "accelerometer" for stream, _ in parts) else "removed"
    return build_recording(name, name, name, parts, gravity=gravity, problems=problems, app=APP, origin_utc_s=origin)


def _kind(layout: Layout) -> str:
    """Return what a file holds: by its columns and its name, failing that by rate and size."""
    if layout.n_columns == 3:
        return "accelerometer"
    if layout.n_columns == 2:
        return "ibi"
    values = [_number(cell) for cell in layout.column(0)]
    if len(values) > 1 and values[1] > EPOCH_S[0]:
        return "tags"
    named = KINDS.get(layout.stem.partition("_")[0], "")
    named = "" if named in ("accelerometer", "ibi") else named  # which have more columns
    if named or len(values) < 3:
        return named or "tags"
    rate, size = values[1], float(np.median(values[2:]))
    if rate <= 1:
        return "heart_rate"
    return "bvp" if rate > 30 else "skin_temperature" if 20 < size < 45 else "electrodermal_activity"


def _channel(source: Source, kind: str) -> Channel:
    rows = source.layout.rows
    start = _number(rows[0][0])
    if kind == "ibi":
        return Channel(source, kind, start, 0.0)
    rate = {_number(cell) for cell in rows[1]} if len(rows) > 1 else set[float]()
    if len(rate) != 1 or not 0 < min(rate) <= MAX_RATE_HZ:
        found = ",".join(rows[1]) if len(rows) > 1 else "nothing"
        raise UnreadableData(
            f"{source.name}, line {source.line(1)}: expected the sampling rate in Hz, the same in each column, as an "
            f"Empatica E4 writes it; found {quote(repr(found[:60]))}."
        )
    return Channel(source, kind, start, min(rate))


def _stream(channel: Channel, after_s: float) -> tuple[Stream, list[Problem]]:
    import polars as pl

    source, kind = channel.source, channel.kind
    if kind == "ibi":
        frame = columns(source, {"time": (0, pl.Float64), "beat": (1, pl.Float32)}).slice(1)
        frame = frame.with_columns(pl.col("time") + after_s, (60.0 / pl.col("beat")).cast(pl.Float32).alias("beat"))
        unit = "s between beats, by the format"
        return raw_stream(source, frame, "heart_rate", "time", ["beat"], unit=unit, in_seconds=True)
    axes = ["x", "y", "z"] if kind == "accelerometer" else [kind]
    frame = columns(source, {axis: (place, pl.Float32) for place, axis in enumerate(axes)}).slice(2)
    time: NDArray[np.float64] = after_s + np.arange(len(frame)) / channel.rate_hz
    factor = STANDARD_GRAVITY / 64 if kind == "accelerometer" else 1.0
    return raw_stream(
        source,
        frame.with_columns(time=time),
        kind,
        "time",
        axes,
        unit=f"{UNITS[kind]}, by the format",
        factor=factor,
        in_seconds=True,
    )
