"""Windows in KU-HAR's subsample layout: a row is 300 samples of each channel, then class id, length, serial number.

The whole set is 20,750 rows, which name an activity and no subject.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from app.har.errors import HarError, UnreadableData, UnusableRecording
from app.har.problems import Problem, ProblemKind
from app.har.recordings.files import Member
from app.har.recordings.layout import Layout
from app.har.recordings.parts import UNKNOWN_SUBJECT, Matrix, Part, matching_files, prefetch_map
from app.har.recordings.tables import Chunk, Source, chunks, parse_chunk
from app.har.signals.normalisation import (
    DatasetUnits,
    convert_units,
    infer_dataset_units,
    require_plausible_magnitudes,
)
from app.har.signals.types import MOTION, Recording, SignalSet, Stream, channels_of
from app.har.types import FloatArray, IntArray, TimeArray

APP = "KU-HAR windows"
RATE_HZ = 100.0
N_TIMESTEPS = 300
CHANNELS = ("accX", "accY", "accZ", "gyroX", "gyroY", "gyroZ")
TAIL = ("class", "length", "serial")
N_VALUES = N_TIMESTEPS * len(CHANNELS)
# Names for the columns, which the file itself lacks
COLUMNS = tuple(f"{channel}_{number}" for channel in CHANNELS for number in range(1, N_TIMESTEPS + 1)) + TAIL
SAMPLED_BYTES, SAMPLED_ROWS = 16 * 2**20, 50  # so many windows of each part decide on the units
CHUNK_BYTES = 64 * 2**20  # smaller ones cost polars more time on 1,803 columns
DESCRIPTION = f"KU-HAR subsamples: {N_VALUES + len(TAIL)} columns without header"
# The names of the set's class folders, by class id
ACTIVITIES = (
    "Stand",
    "Sit",
    "Talk-sit",
    "Talk-stand",
    "Stand-sit",
    "Lay",
    "Lay-stand",
    "Pick",
    "Jump",
    "Push-up",
    "Sit-up",
    "Walk",
    "Walk-backwards",
    "Walk-circle",
    "Run",
    "Stair-up",
    "Stair-down",
    "Table-tennis",
)
FORMAT = "ku-har-windows"
TITLE = "KU-HAR, time-domain subsamples (windows of 3 s)"
SHOW_RECORDING = False


def matches(layout: Layout) -> bool:
    """Tell whether a layout is that of the subsample file."""
    return layout.n_columns == N_VALUES + len(TAIL)


@dataclass(frozen=True)
class Block:
    """Consecutive rows of the file, the unusable ones taken out."""

    rows: FloatArray  # (n, 1803) as recorded
    X: FloatArray  # (n, 300, 6)
    label: IntArray  # (n,) class id
    problems: tuple[Problem, ...]
    size: int  # bytes of text


def block(source: Source, chunk: Chunk) -> Block:
    """Parse a chunk of the file."""
    import polars as pl

    schema: dict[str, Any] = dict.fromkeys(COLUMNS, pl.Float32)
    rows = parse_chunk(source, schema, chunk).to_numpy(order="c")
    label = rows[:, N_VALUES]
    good = (
        np.isfinite(rows[:, : N_VALUES + 1].sum(axis=1)) & (label >= 0) & (label < len(ACTIVITIES)) & (label % 1 == 0)
    )
    problems = []
    if not good.all():
        bad = np.flatnonzero(~good)
        problems.append(
            Problem(
                source.name,
                ProblemKind.CORRUPT_ROWS,
                f"{len(bad):,} of {len(good):,} rows, the first in line "
                f"{source.line(chunk.first_line + int(bad[0]))}: expected {N_VALUES} numbers and a class id of 0 to "
                f"{len(ACTIVITIES) - 1}",
                "rows dropped",
            )
        )
        if good.mean() < 0.5:
            raise UnreadableData(f"{source.name}: {problems[0].detail}.")
        rows = rows[good]
    x = np.ascontiguousarray(rows[:, :N_VALUES].reshape(-1, len(CHANNELS), N_TIMESTEPS).transpose(0, 2, 1))
    return Block(rows, x, rows[:, N_VALUES].astype(np.int64), tuple(problems), len(chunk.text))


def read(sources: list[Source], upload: str) -> list[Recording]:
    """Read uploaded windows, a recording each."""
    time = np.arange(N_TIMESTEPS) / RATE_HZ
    recordings = []
    for source in sources:
        row = 0
        for part in (block(source, chunk) for chunk in chunks(source, CHUNK_BYTES)):
            for x, label in zip(part.X, part.label.tolist(), strict=True):
                row += 1
                recordings.append(
                    Recording(
                        f"row {row}",
                        source.name,
                        _streams(time, x),
                        "removed",
                        activity=ACTIVITIES[label],
                        problems=part.problems if row == 1 else (),
                        app=APP,
                    )
                )
    return recordings


def read_dataset(members: list[Member]) -> Iterator[Part]:
    """Read the file block by block; each row is a recording of its own."""
    sources, skipped = matching_files(members, matches, DESCRIPTION)
    yield Part(None, {}, skipped, 0.0)
    units = infer_dataset_units(_samples(sources))
    total, done, row = sum(source.member.size for source in sources) or 1, 0, 0
    nobody = (
        Problem(
            sources[0].name,
            ProblemKind.NO_SUBJECT,
            "the rows don't say who was recorded",
            "one unknown subject; only the random protocol can be used",
        ),
    )
    for source in sources:
        for read in prefetch_map(partial(block, source), chunks(source, CHUNK_BYTES), workers=1):
            done += read.size
            part = _part(read, row, units)
            yield replace(part, problems=part.problems + (nobody if row == 0 else ()), fraction=done / total)
            row += len(read.X)


def _part(block: Block, row: int, units: DatasetUnits) -> Part:
    """Return the windows from a row on, in the core's units; none if their units are others than any known here."""
    name = f"rows {row + 1:,} to {row + len(block.X):,}"
    recording = convert_units(_one_after_another(block, name), units)
    problems = block.problems + recording.problems
    try:
        require_plausible_magnitudes(recording, recording.gravity)
    except UnusableRecording as error:
        return Part(None, {}, (*problems, Problem(name, ProblemKind.UNUSABLE_RECORDING, str(error), "left out")))
    return Part(_signals(block, recording, row), {"windows": Matrix(COLUMNS, block.rows)}, problems)


def _samples(sources: Iterable[Source]) -> Iterator[Recording]:
    """Yield some windows from each part of the files: those of one activity stand together."""
    for source in sources:
        with suppress(HarError):  # which is raised when all is read
            for chunk in chunks(source, SAMPLED_BYTES):
                lines = chunk.text.split(b"\n", SAMPLED_ROWS)[:SAMPLED_ROWS]
                some = Chunk(b"\n".join(lines) + b"\n", chunk.first_line)
                yield _one_after_another(block(source, some), source.name)


def _one_after_another(block: Block, name: str) -> Recording:
    """Return windows as if they followed each other, which the lengths of vectors depend on little."""
    values = block.X.reshape(-1, len(CHANNELS))
    return Recording(name, UNKNOWN_SUBJECT, _streams(np.arange(len(values)) / RATE_HZ, values), "removed", app=APP)


def _streams(time: TimeArray, values: FloatArray) -> tuple[Stream, Stream]:
    return (
        Stream("accelerometer", time, values[:, :3], unit_found="m/s², by the format"),
        Stream("gyroscope", time, values[:, 3:], unit_found="rad/s, by the format"),
    )


def _signals(block: Block, recording: Recording, row: int) -> SignalSet:
    n = len(block.X)
    used = np.unique(block.label)
    first = np.arange(n, dtype=np.int64) * N_TIMESTEPS
    return SignalSet(
        signal=np.concatenate([stream.values for stream in recording.streams], axis=1),
        labels=np.repeat(np.searchsorted(used, block.label), N_TIMESTEPS).astype(np.int16),
        channels=tuple(channel for modality in MOTION for channel in channels_of(modality)),
        sampling_rate_hz=RATE_HZ,
        gravity=recording.gravity,
        activities=tuple(ACTIVITIES[label] for label in used),
        recording_ids=tuple(f"row {row + number + 1}" for number in range(n)),
        subjects=(UNKNOWN_SUBJECT,) * n,
        first=first,
        length=np.full(n, N_TIMESTEPS, np.int64),
        recording=np.arange(n, dtype=np.int64),
        start_s=np.zeros(n),
    )
