"""PAMAP2: 54 columns between spaces, three inertial units and a heart rate, 100 Hz; `subject101.dat`.

Format: Reiss & Stricker, Introducing a new benchmarked dataset for activity monitoring, ISWC 2012, and the set's
description: time in s, activity id, heart rate (about 9 Hz, NaN between), then 17 columns each of hand, chest, ankle:
temperature, acceleration ±16 g (taken), ±6 g (saturates, left alone), gyroscope, magnetometer, an orientation that is
invalid. m/s² with gravity, rad/s, µT.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from app.har.errors import HarError, UnreadableData
from app.har.problems import Problem, ProblemKind
from app.har.recordings.build import build_recording, raw_stream, read_each
from app.har.recordings.layout import Layout
from app.har.recordings.tables import Source, columns
from app.har.signals.types import UNLABELLED, Recording, Stream

APP = "PAMAP2"
N_COLUMNS = 54
DEVICES = {"hand": 3, "chest": 20, "ankle": 37}
SENSORS = {"accelerometer": (1, "m/s²"), "gyroscope": (7, "rad/s"), "magnetometer": (10, "µT")}
DESCRIPTION = f"PAMAP2: {N_COLUMNS} columns between spaces"
FILE = re.compile(r"subject(\d+)")
TRANSIENT = 0  # between two activities
ACTIVITIES = {
    1: "lying", 2: "sitting", 3: "standing", 4: "walking", 5: "running", 6: "cycling", 7: "Nordic walking",
    9: "watching TV", 10: "computer work", 11: "car driving", 12: "ascending stairs", 13: "descending stairs",
    16: "vacuum cleaning", 17: "ironing", 18: "folding laundry", 19: "house cleaning", 20: "playing soccer",
    24: "rope jumping",
}  # fmt: skip


def matches(layout: Layout) -> bool:
    """Tell whether there are 54 columns between spaces, with numbers and no header."""
    return layout.header is None and layout.separator == " " and layout.n_columns == N_COLUMNS and layout.numeric(0)


def read(sources: list[Source], upload: str) -> list[Recording]:
    """Read uploaded files, a recording each."""
    return read_each({source.name: source for source in sources}, lambda _, source: _read_one(source))


def _read_one(source: Source) -> Recording:
    import polars as pl

    wanted: dict[str, tuple[int, Any]] = {
        "time": (0, pl.Float64), "activity": (1, pl.Int64), "heart_rate": (2, pl.Float32)
    }  # fmt: skip
    places = {
        f"{device}.{sensor}": [first + offset + axis for axis in range(3)]
        for device, first in DEVICES.items()
        for sensor, (offset, _) in SENSORS.items()
    }
    wanted |= {f"column {place + 1}": (place, pl.Float32) for axes in places.values() for place in axes}
    frame = columns(source, wanted)
    codes, activities = _labels(frame["activity"].fill_null(TRANSIENT).to_numpy())
    parts: list[tuple[Stream, list[Problem]]] = []
    problems: list[Problem] = []
    for modality, axis_places in places.items():
        unit = f"{SENSORS[modality.partition('.')[2]][1]}, by the format"
        axes = [f"column {place + 1}" for place in axis_places]
        try:
            parts.append(raw_stream(source, frame, modality, "time", axes, codes, unit=unit, in_seconds=True))
        except HarError as error:
            problems.append(Problem(source.name, ProblemKind.UNREADABLE_SENSOR, str(error), f"read without {modality}"))
    if not parts:
        raise UnreadableData(problems[0].detail)
    heart = frame.filter(pl.col("heart_rate").is_finite())
    if len(heart) > 1:
        unit = "beats/min, by the format"
        parts.append(raw_stream(source, heart, "heart_rate", "time", ["heart_rate"], unit=unit, in_seconds=True))
    file = FILE.fullmatch(source.layout.stem)
    return build_recording(
        source.name,
        source.name,
        file.group(1) if file else source.name,
        parts,
        gravity="included",
        activities=activities,
        problems=problems,
        app=APP,
    )


def _labels(ids: np.ndarray[Any, Any]) -> tuple[np.ndarray[Any, np.dtype[np.int64]], tuple[str, ...]]:
    found = [number for number in np.unique(ids).tolist() if number != TRANSIENT]
    table = {number: code for code, number in enumerate(found)}
    codes = np.array([table.get(number, UNLABELLED) for number in [*found, TRANSIENT]], np.int64)
    order = np.searchsorted(found, ids)
    order[ids == TRANSIENT] = len(found)
    return codes[order], tuple(ACTIVITIES.get(number, f"activity {number}") for number in found)
