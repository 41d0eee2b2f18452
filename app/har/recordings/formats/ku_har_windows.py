"""Windows in KU-HAR's subsample layout: a row is 300 samples of each channel, then class id, length, serial number.

The whole set is 20,750 rows, which name an activity and no subject.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from app.har.errors import UnreadableData
from app.har.problems import Problem, ProblemKind
from app.har.recordings.files import Member
from app.har.recordings.layout import Layout
from app.har.recordings.parts import UNKNOWN_SUBJECT, Matrix, Part, matching_files, prefetch_map
from app.har.recordings.tables import Chunk, Source, chunks, parse_chunk
from app.har.signals.types import MOTION, Recording, SignalSet, Stream, channels_of
from app.har.types import FloatArray, IntArray

APP = "KU-HAR windows"
RATE_HZ = 100.0
N_TIMESTEPS = 300
CHANNELS = ("accX", "accY", "accZ", "gyroX", "gyroY", "gyroZ")
TAIL = ("class", "length", "serial")
N_VALUES = N_TIMESTEPS * len(CHANNELS)
# Names for the columns, which the file itself lacks
COLUMNS = tuple(f"{channel}_{number}" for channel in CHANNELS for number in range(1, N_TIMESTEPS + 1)) + TAIL
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
                streams = (
                    Stream("accelerometer", time, x[:, :3], unit_found="m/s², by the format"),
                    Stream("gyroscope", time, x[:, 3:], unit_found="rad/s, by the format"),
                )
                recordings.append(
                    Recording(
                        f"row {row}",
                        source.name,
                        streams,
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
            yield Part(
                _signals(read, row),
                {"windows": Matrix(COLUMNS, read.rows)},
                read.problems + (nobody if row == 0 else ()),
                done / total,
            )
            row += len(read.X)


def _signals(block: Block, row: int) -> SignalSet:
    n = len(block.X)
    used = np.unique(block.label)
    first = np.arange(n, dtype=np.int64) * N_TIMESTEPS
    return SignalSet(
        signal=block.X.reshape(n * N_TIMESTEPS, -1),
        labels=np.repeat(np.searchsorted(used, block.label), N_TIMESTEPS).astype(np.int16),
        channels=tuple(channel for modality in MOTION for channel in channels_of(modality)),
        sampling_rate_hz=RATE_HZ,
        gravity="removed",
        activities=tuple(ACTIVITIES[label] for label in used),
        recording_ids=tuple(f"row {row + number + 1}" for number in range(n)),
        subjects=(UNKNOWN_SUBJECT,) * n,
        first=first,
        length=np.full(n, N_TIMESTEPS, np.int64),
        recording=np.arange(n, dtype=np.int64),
        start_s=np.zeros(n),
    )
