"""HHAR: phones and watches of several people, accelerometer and gyroscope in files of their own."""

from __future__ import annotations

from collections.abc import Iterator

from app.har.recordings.files import Member
from app.har.recordings.formats.hhar import DESCRIPTION, matches, read_pairs, read_table
from app.har.recordings.parts import Part, sorted_out

FORMAT = "hhar"
TITLE = "HHAR, phones and watches"
SHOW_RECORDING = False  # the file's own columns name user and device

__all__ = ["FORMAT", "SHOW_RECORDING", "TITLE", "matches", "read"]


def read(members: list[Member]) -> Iterator[Part]:
    """Read one recording a user and device."""
    sources, skipped = sorted_out(members, matches, DESCRIPTION)
    yield Part(None, {}, skipped, 0.0)
    tables = []
    for number, source in enumerate(sources, 1):
        tables.append(read_table(source))
        yield Part(None, fraction=0.5 * number / len(sources))
    rows = sum(len(table.frame) for table in tables) or 1
    done = 0
    for recording, frames in read_pairs(tables):
        done += sum(len(frame) for frame in frames.values())
        yield Part(recording, frames, fraction=0.5 + 0.5 * done / rows)
