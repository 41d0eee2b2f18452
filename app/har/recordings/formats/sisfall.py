"""SisFall: nine columns of whole numbers, rows that end in `;`, 200 Hz, no clock; `D01_SA01_R01.txt`.

Format: Sucerquia et al., SisFall: A fall and movement dataset, Sensors 17 (2017), and the set's Readme: two
accelerometers and a gyroscope at the waist, in bits. Value = bits · 2 · range / 2^resolution: ADXL345 13 bits ±16 g,
ITG3200 16 bits ±2000 °/s, MMA8451Q 14 bits ±8 g. The ADXL345 is taken as the accelerometer; the MMA8451Q measures the
same movement within half the range, so falls saturate it, and is left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from app.har.recordings.build import build_recording, raw_stream, read_each
from app.har.recordings.files import Member
from app.har.recordings.layout import Layout
from app.har.recordings.parts import Part, read_each_file, read_one_file
from app.har.recordings.tables import Source, columns
from app.har.signals.types import Recording
from app.har.signals.units import ROTATION, STANDARD_GRAVITY

if TYPE_CHECKING:
    import polars as pl

APP = "SisFall"
FORMAT = "sisfall"
TITLE = "SisFall, falls and daily activities, a sensor at the waist"
SHOW_RECORDING = True
RATE_HZ = 200.0
ACCELERATION_PER_BIT = 2 * 16 / 2**13 * STANDARD_GRAVITY
ROTATION_PER_BIT = 2 * 2000 / 2**16 * ROTATION["deg/s"]
N_COLUMNS = 9
DESCRIPTION = "SisFall: 9 columns of whole numbers, rows ending in ;"
FILE = re.compile(r"([DF]\d\d)_(S[AE]\d\d)_R\d\d", re.I)
ACTIVITIES = {
    "D01": "Walking slowly", "D02": "Walking quickly", "D03": "Jogging slowly", "D04": "Jogging quickly",
    "D05": "Walking upstairs and downstairs slowly", "D06": "Walking upstairs and downstairs quickly",
    "D07": "Slowly sitting in a half height chair and up", "D08": "Quickly sitting in a half height chair and up",
    "D09": "Slowly sitting in a low height chair and up", "D10": "Quickly sitting in a low height chair and up",
    "D11": "Trying to get up and collapsing into a chair", "D12": "Sitting, lying slowly and sitting again",
    "D13": "Sitting, lying quickly and sitting again", "D14": "Lying, turning to the side and back",
    "D15": "Standing, bending at the knees and up", "D16": "Standing, bending without the knees and up",
    "D17": "Getting into a car and out", "D18": "Stumbling while walking", "D19": "Gently jumping",
    "F01": "Fall forward while walking, slip", "F02": "Fall backward while walking, slip",
    "F03": "Lateral fall while walking, slip", "F04": "Fall forward while walking, trip",
    "F05": "Fall forward while jogging, trip", "F06": "Vertical fall while walking, fainting",
    "F07": "Fall while walking, hands on a table, fainting", "F08": "Fall forward when trying to get up",
    "F09": "Lateral fall when trying to get up", "F10": "Fall forward when trying to sit down",
    "F11": "Fall backward when trying to sit down", "F12": "Lateral fall when trying to sit down",
    "F13": "Fall forward while sitting, fainting", "F14": "Fall backward while sitting, fainting",
    "F15": "Lateral fall while sitting, fainting",
}  # fmt: skip


def matches(layout: Layout) -> bool:
    """Tell whether there are nine columns of whole numbers, each row closed by a semicolon."""
    whole = (cell.strip().lstrip("-").isdecimal() for row in layout.rows[:10] for cell in row)
    return layout.terminator == ";" and layout.n_columns == N_COLUMNS and layout.header is None and all(whole)


def read(sources: list[Source], upload: str) -> list[Recording]:
    """Read uploaded files, a recording each; the name says activity and subject."""
    return read_each({source.name: source for source in sources}, lambda _, source: _read_one(source)[0])


def read_dataset(members: list[Member]) -> Iterator[Part]:
    """Read one recording a file, whose name says activity and subject."""
    yield from read_each_file(members, lambda member: read_one_file(member, matches, DESCRIPTION, _read_one))


def _read_one(source: Source) -> tuple[Recording, pl.DataFrame]:
    import polars as pl

    names = [f"{sensor} {axis}" for sensor in ("ADXL345", "ITG3200") for axis in "xyz"]
    # A space stands before short numbers, which integers would not parse
    frame = columns(source, {name: (place, pl.Float32) for place, name in enumerate(names)})
    frame = frame.with_columns(pl.Series("time", np.arange(len(frame)) / RATE_HZ))
    parts = [
        raw_stream(
            source, frame, "accelerometer", "time", names[:3], in_seconds=True,
            unit="codes of 1/256 g, by the format", factor=ACCELERATION_PER_BIT,
        ),
        raw_stream(
            source, frame, "gyroscope", "time", names[3:], in_seconds=True,
            unit="codes of 0.061 deg/s, by the format", factor=ROTATION_PER_BIT,
        ),
    ]  # fmt: skip
    file = FILE.fullmatch(PurePosixPath(source.name).stem)
    recording = build_recording(
        source.name,
        source.name,
        file.group(2).upper() if file else source.name,
        parts,
        gravity="included",
        activity=ACTIVITIES.get(file.group(1).upper()) if file else None,
        app=APP,
    )
    return recording, frame
