"""KU-HAR, windows of 3 s: the 20,750 × 1803 CSV, whose rows name an activity and no subject."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from app.har.datasets.rows import Matrix
from app.har.recordings.files import Member
from app.har.recordings.formats.ku_har_windows import (
    ACTIVITIES,
    CHUNK_BYTES,
    COLUMNS,
    DESCRIPTION,
    N_TIMESTEPS,
    RATE_HZ,
    Block,
    block,
    matches,
)
from app.har.recordings.parts import UNKNOWN_SUBJECT, Part, ahead, sorted_out
from app.har.recordings.tables import chunks
from app.har.signals.types import MOTION, SignalSet, channels_of
from app.har.types import Problem

FORMAT = "ku-har-windows"
TITLE = "KU-HAR, time-domain subsamples (windows of 3 s)"
SHOW_RECORDING = False

__all__ = ["FORMAT", "SHOW_RECORDING", "TITLE", "matches", "read"]


def read(members: list[Member]) -> Iterator[Part]:
    """Read the file block by block; each row is a recording of its own."""
    sources, skipped = sorted_out(members, matches, DESCRIPTION)
    yield Part(None, {}, skipped, 0.0)
    total, done, row = sum(source.member.size for source in sources) or 1, 0, 0
    nobody = (
        Problem(
            sources[0].name,
            "no subjects",
            "the rows don't say who was recorded",
            "one unknown subject; only the random protocol can be used",
        ),
    )
    for source in sources:
        for read in ahead(partial(block, source), chunks(source, CHUNK_BYTES), workers=1):
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
