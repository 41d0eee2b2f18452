"""MotionSense: `,attitude.roll,…,gravity.x,…,rotationRate.x,…,userAcceleration.x,…`, a CSV a trial, 50 Hz, no clock.

Format: Malekzadeh et al., Mobile sensor data anonymization, IoTDI 2019 (github.com/mmalekzadeh/motion-sense). An
iPhone's CoreMotion: gravity and userAcceleration in g, rotationRate in rad/s. Apple's sign (at rest acceleration points
down) is inverted, so that it is that of all other formats. The folder names the activity: `wlk_7/sub_3.csv`.
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
from app.har.recordings.parts import Part, read_each_file, read_one_file
from app.har.recordings.tables import Source, parse
from app.har.signals.types import Recording, Stream
from app.har.signals.units import STANDARD_GRAVITY

if TYPE_CHECKING:
    import polars as pl

APP = "MotionSense"
RATE_HZ = 50.0
SENSORS = {"gravity": "gravity", "linear_accelerometer": "useracceleration", "gyroscope": "rotationrate"}
AXES = {modality: tuple(f"{name}.{axis}" for axis in "xyz") for modality, name in SENSORS.items()}
DESCRIPTION = "MotionSense: columns attitude…, gravity.x, rotationRate.x, userAcceleration.x, …"
ACTIVITIES = {
    "dws": "downstairs", "ups": "upstairs", "sit": "sitting", "std": "standing", "wlk": "walking", "jog": "jogging",
}  # fmt: skip
FOLDER = re.compile(r"(dws|ups|sit|std|wlk|jog)_\d+")
SUBJECT = re.compile(r"sub_(\d+)")
FORMAT = "motion-sense"
TITLE = "MotionSense, a phone in the front pocket"
SHOW_RECORDING = True


def matches(layout: Layout) -> bool:
    """Tell whether the header has CoreMotion's gravity, rotation and user acceleration."""
    return {name for axes in AXES.values() for name in axes} <= set(layout.names)


def read(sources: list[Source], upload: str) -> list[Recording]:
    """Read uploaded files, a recording each."""
    return read_each({source.name: source for source in sources}, lambda _, source: _to_recording(source)[0])


def read_dataset(members: list[Member]) -> Iterator[Part]:
    """Read one recording a trial and person; the folder names the activity, the file the person."""
    yield from read_each_file(members, lambda member: read_one_file(member, matches, DESCRIPTION, _to_recording))


def _to_recording(source: Source) -> tuple[Recording, pl.DataFrame]:
    import polars as pl

    as_recorded = parse(source, {name or "number": pl.Float32 for name in source.layout.names})
    frame = as_recorded.with_columns(time=np.arange(len(as_recorded)) / RATE_HZ)
    sign = -STANDARD_GRAVITY
    total = [frame[g] + frame[a] for g, a in zip(AXES["gravity"], AXES["linear_accelerometer"], strict=True)]
    axes = ("gravity + userAcceleration x", "y", "z")
    frame = frame.with_columns(values.alias(name) for values, name in zip(total, axes, strict=True))
    in_g = "g, by the format"
    parts: list[tuple[Stream, list[Problem]]] = [
        raw_stream(source, frame, "accelerometer", "time", axes, unit=in_g, factor=sign, in_seconds=True)
    ]
    for modality, names in AXES.items():
        unit, factor = ("rad/s, by the format", 1.0) if modality == "gyroscope" else (in_g, sign)
        parts.append(raw_stream(source, frame, modality, "time", names, unit=unit, factor=factor, in_seconds=True))
    path = PurePosixPath(source.name)
    folder, subject = FOLDER.fullmatch(path.parent.name), SUBJECT.fullmatch(path.stem)
    problem = Problem(
        source.name,
        ProblemKind.AXES_INVERTED,
        "CoreMotion's acceleration has the opposite sign",
        "all three axes inverted",
    )
    recording = build_recording(
        source.name,
        f"{path.parent.name}/{path.stem}" if folder else source.name,
        subject.group(1) if subject else source.name,
        [parts[0], parts[3], parts[2], parts[1]],
        gravity="included",
        activity=ACTIVITIES[folder.group(1)] if folder else None,
        problems=[problem],
        app=APP,
    )
    return recording, as_recorded
