"""Kinelab's own layout: `time_s,acc_x,acc_y,acc_z,gyro_x,gyro_y,gyro_z[,activity]` in seconds, m/s² and rad/s.

Where several devices are worn, their names stand before those of the channels: `watch.acc_x`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from app.har.recordings.build import build_recording, label_codes, raw_stream, read_each
from app.har.recordings.tables import Layout, Source, parse
from app.har.types import MODALITY_CHANNELS, MODALITY_UNITS, UNLABELLED, FloatArray, Recording, SignalSet

if TYPE_CHECKING:
    import polars as pl

APP = "Kinelab"
TIME, ACTIVITY = "time_s", "activity"
DESCRIPTION = "Kinelab CSV: header time_s,acc_x,acc_y,acc_z,gyro_x,gyro_y,gyro_z[,activity]"
CHUNK_ROWS = 20_000


def matches(layout: Layout) -> bool:
    """Tell whether the header names a time and all axes of at least one sensor."""
    names = _names(layout)
    return TIME in names and bool(_sensors(names))


def _names(layout: Layout) -> list[str]:
    return [name.strip().strip('"').lower() for name in layout.header or ()]


def _sensors(names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return the columns of each sensor whose axes are all there, by modality: `watch.accelerometer`."""
    devices = dict.fromkeys(device + dot for device, dot, _ in (name.rpartition(".") for name in names))
    found = {
        device + modality: tuple(device + axis for axis in axes)
        for device in devices
        for modality, axes in MODALITY_CHANNELS.items()
    }
    return {modality: columns for modality, columns in found.items() if set(columns) <= set(names)}


def _unit(modality: str) -> str:
    return MODALITY_UNITS[modality.rpartition(".")[2]]


def read_frame(source: Source, *, known_only: bool = False) -> pl.DataFrame:
    """Parse the columns; those unknown here stay text, or are left out."""
    import polars as pl

    names = _names(source.layout)
    known: dict[str, Any] = {
        TIME: pl.Float64,
        **{axis: pl.Float32 for axes in _sensors(names).values() for axis in axes},
    }
    known |= {ACTIVITY: pl.Categorical} if ACTIVITY in names else {}
    names = [name if names.index(name) == i else f"{name}_{i}" for i, name in enumerate(names)]
    names += [f"column_{i}" for i in range(len(names), source.layout.n_columns)]
    return parse(source, {name: known.get(name, pl.String) for name in names}, list(known) if known_only else ())


def to_recording(source: Source, frame: pl.DataFrame, recording_id: str, subject: str) -> Recording:
    """Make a recording of the parsed columns; gravity is told from the signal."""
    labels, activities = label_codes(frame[ACTIVITY]) if ACTIVITY in frame.columns else (None, ())
    parts, names = [], _names(source.layout)
    for modality, axes in _sensors(frame.columns).items():
        unit, sparse = f"{_unit(modality)}, by the format", source.layout.sparse([names.index(axis) for axis in axes])
        parts.append(raw_stream(source, frame, modality, TIME, axes, labels, unit=unit, sparse=sparse))
        frame = frame.drop(axes)  # a day of it need not be in memory twice
    return build_recording(source.name, recording_id, subject, parts, activities=activities, app=APP)


def read(sources: list[Source], upload: str) -> list[Recording]:
    """Read uploaded files, a recording each."""
    return read_each(
        {source.name: source for source in sources},
        lambda name, source: to_recording(source, read_frame(source, known_only=True), name, name),
    )


def write_csv(signals: SignalSet, recording_id: str) -> Iterator[str]:
    """Yield a recording of a signal set as text in this layout.

    Raises
    ------
    KeyError : no such recording.
    """
    if recording_id not in signals.recording_ids:
        raise KeyError(f"no recording {recording_id!r}")
    number = signals.recording_ids.index(recording_id)
    labelled = bool(signals.activities)
    yield ",".join([TIME, *signals.channels, *([ACTIVITY] if labelled else [])]) + "\n"
    for stretch in np.flatnonzero(signals.recording == number):
        first, length = int(signals.first[stretch]), int(signals.length[stretch])
        for offset in range(0, length, CHUNK_ROWS):
            rows = slice(first + offset, first + min(offset + CHUNK_ROWS, length))
            time = signals.start_s[stretch] + (offset + np.arange(rows.stop - rows.start)) / signals.sampling_rate_hz
            names = [_name(signals.activities, code) for code in signals.labels[rows].tolist()] if labelled else None
            yield "".join(_lines(time.tolist(), np.asarray(signals.signal[rows]), names))


def _name(activities: Sequence[str], code: int) -> str:
    name = "" if code == UNLABELLED else activities[code]
    return '"' + name.replace('"', '""') + '"' if set(name) & set(',"\n\r') else name


def _lines(time: list[float], values: FloatArray, names: list[str] | None) -> Iterator[str]:
    for row, (t, cells) in enumerate(zip(time, values.astype(str), strict=True)):
        yield f"{t:.6f},{','.join(cells)}" + (f",{names[row]}\n" if names else "\n")
