"""STMicroelectronics' examples: three columns in mg without header, 26 Hz; `walking/walking_01_26Hz_4g_mg.csv`.

Format: github.com/STMicroelectronics/stm32ai-modelzoo (a board at the wrist, in the hand, over the arm or in a pocket)
and `datalogs/<activity>.txt` of STMems_Machine_Learning_Core, whose header is `A_X [mg]`, `A_Y [mg]`, `A_Z [mg]`. No
clock, no gyroscope, no person; gravity included, clipped at ±4 g. The name says activity, rate and unit; the logs' are
in the set's documentation, so that a log elsewhere, which may have been taken at any rate, is not read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from app.har.problems import Problem, ProblemKind
from app.har.recordings.build import build_recording, raw_stream, read_each
from app.har.recordings.files import Member
from app.har.recordings.layout import Layout
from app.har.recordings.parts import UNKNOWN_SUBJECT, Part, read_each_file, read_one_file
from app.har.recordings.tables import Source, parse
from app.har.signals.types import Recording
from app.har.signals.units import STANDARD_GRAVITY

if TYPE_CHECKING:
    import polars as pl

APP = "STM examples"
AXES = ("a_x [mg]", "a_y [mg]", "a_z [mg]")
FILE = re.compile(r"([a-z]+)_\d+_(\d+)hz_\d+g_mg", re.I)
LOG_RATE_HZ = 26.0
LOG_FOLDER = "datalogs"
DESCRIPTION = "STM examples: 3 columns of mg in files named <activity>_<number>_26Hz_4g_mg"
FORMAT = "stm-har"
TITLE = "STM examples, a board in several places"
SHOW_RECORDING = True


def matches(layout: Layout) -> bool:
    """Tell whether a file's name says activity, rate and unit, and its rows are three numbers."""
    return bool(FILE.fullmatch(layout.stem)) and layout.header is None and _is_vector(layout)


def _matches_in_set(layout: Layout) -> bool:
    """Tell whether a file is one of the set's, its logs included."""
    log = layout.names == AXES and PurePosixPath(layout.name).parent.name.lower() == LOG_FOLDER
    return matches(layout) or (log and _is_vector(layout))


def _is_vector(layout: Layout) -> bool:
    return layout.n_columns == len(AXES) and all(map(layout.numeric, range(len(AXES))))


def read(sources: list[Source], upload: str) -> list[Recording]:
    """Read uploaded files, a recording each; the name says the activity."""
    return read_each({source.name: source for source in sources}, lambda _, source: _to_recording(source)[0])


def read_dataset(members: list[Member]) -> Iterator[Part]:
    """Read one recording a file, all of nobody known."""
    yield from read_each_file(
        members, lambda member: read_one_file(member, _matches_in_set, DESCRIPTION, _to_recording)
    )


def _to_recording(source: Source) -> tuple[Recording, pl.DataFrame]:
    import polars as pl

    path = PurePosixPath(source.name)
    file = FILE.fullmatch(path.stem)
    rate = float(file.group(2)) if file else LOG_RATE_HZ
    frame = parse(source, dict.fromkeys(AXES, pl.Float32))
    timed = frame.with_columns(time=np.arange(len(frame)) / rate)
    unit, factor = ("mg, by the format", 1e-3 * STANDARD_GRAVITY)
    part = raw_stream(source, timed, "accelerometer", "time", AXES, unit=unit, factor=factor, in_seconds=True)
    folder = path.parent.parent.name if path.parent.name.lower() == LOG_FOLDER else path.parent.name
    nobody = Problem(source.name, ProblemKind.NO_SUBJECT, "no file says who it is of", f"subject {UNKNOWN_SUBJECT!r}")
    recording = build_recording(
        source.name,
        f"{folder}/{path.stem}" if folder else path.stem,
        UNKNOWN_SUBJECT,
        [part],
        gravity="included",
        activity=file.group(1) if file else path.stem,
        problems=[nobody],
        app=APP,
    )
    return recording, frame
