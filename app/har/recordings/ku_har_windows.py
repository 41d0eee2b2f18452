"""Windows in KU-HAR's subsample layout: a row is 300 samples of each channel, then class id, length, serial number."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from app.har.errors import UnreadableData
from app.har.recordings.tables import Layout, Source, parse
from app.har.types import FloatArray, IntArray, Problem, Recording, Stream

if TYPE_CHECKING:
    import polars as pl

RATE_HZ = 100.0
N_TIMESTEPS = 300
CHANNELS = ("accX", "accY", "accZ", "gyroX", "gyroY", "gyroZ")
TAIL = ("class", "length", "serial")
N_VALUES = N_TIMESTEPS * len(CHANNELS)
CHUNK_BYTES = 64 * 2**20
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


def matches(layout: Layout) -> bool:
    """Tell whether a layout is that of the subsample file."""
    return layout.n_columns == N_VALUES + len(TAIL)


def column_names() -> list[str]:
    """Return the names of the columns, which the file itself lacks."""
    return [f"{channel}_{number}" for channel in CHANNELS for number in range(1, N_TIMESTEPS + 1)] + list(TAIL)


@dataclass(frozen=True)
class Block:
    """Consecutive rows of the file, the unusable ones taken out."""

    X: FloatArray  # (n, 300, 6)
    label: IntArray  # (n,) class id
    serial: IntArray  # (n,)
    frame: pl.DataFrame  # the n rows as recorded
    problems: tuple[Problem, ...]
    size: int  # bytes of text


def read_blocks(source: Source) -> Iterator[Block]:
    """Read the file some tens of megabytes at a time."""
    import polars as pl

    schema: dict[str, Any] = dict.fromkeys(column_names(), pl.Float32)
    row = 0
    with source.member.opener() as file:
        rest = b""
        while data := file.read(CHUNK_BYTES):
            cut = data.rfind(b"\n") + 1
            part, rest = (rest + data[:cut], data[cut:]) if cut else (b"", rest + data)
            if len(rest) > CHUNK_BYTES:
                raise UnreadableData(
                    f"{source.name}: a line longer than {CHUNK_BYTES:,} bytes, expected {DESCRIPTION}."
                )
            if part:
                block = _block(source, parse(source, schema, part, first=row == 0), row, len(part))
                row += block[1]
                yield block[0]
        if rest.strip():
            yield _block(source, parse(source, schema, rest, first=row == 0), row, len(rest))[0]


def _block(source: Source, frame: pl.DataFrame, first_row: int, size: int) -> tuple[Block, int]:
    matrix = frame.to_numpy(order="c")  # (n, 1803) float32
    label = matrix[:, N_VALUES]
    good = (
        np.isfinite(matrix[:, : N_VALUES + 1].sum(axis=1)) & (label >= 0) & (label < len(ACTIVITIES)) & (label % 1 == 0)
    )
    problems = []
    if not good.all():
        bad = np.flatnonzero(~good)
        problems.append(
            Problem(
                source.name,
                "corrupt rows",
                f"{len(bad):,} of {len(good):,} rows, the first in line "
                f"{source.line(first_row + int(bad[0]))}: expected {N_VALUES} numbers and a class id of 0 to "
                f"{len(ACTIVITIES) - 1}",
                "rows dropped",
            )
        )
        if good.mean() < 0.5:
            raise UnreadableData(f"{source.name}: {problems[0].detail}.")
        frame, matrix = frame.filter(good), matrix[good]
    x = np.ascontiguousarray(matrix[:, :N_VALUES].reshape(-1, len(CHANNELS), N_TIMESTEPS).transpose(0, 2, 1))
    serial = np.nan_to_num(matrix[:, N_VALUES + 2]).astype(np.int64)
    return Block(x, matrix[:, N_VALUES].astype(np.int64), serial, frame, tuple(problems), size), len(good)


def read(sources: list[Source]) -> list[Recording]:
    """Read uploaded windows, a recording each."""
    time = np.arange(N_TIMESTEPS) / RATE_HZ
    recordings = []
    for source in sources:
        row = 0
        for block in read_blocks(source):
            for x, label in zip(block.X, block.label.tolist(), strict=True):
                row += 1
                streams = (Stream("accelerometer", time, x[:, :3]), Stream("gyroscope", time, x[:, 3:]))
                recordings.append(
                    Recording(
                        f"row {row}",
                        source.name,
                        streams,
                        "removed",
                        activity=ACTIVITIES[label],
                        problems=block.problems if row == 1 else (),
                    )
                )
    return recordings
