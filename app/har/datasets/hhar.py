"""HHAR: phones and watches of several people, accelerometer and gyroscope in files of their own."""

from __future__ import annotations

from collections.abc import Iterator

from app.har.datasets.base import Part
from app.har.errors import UnreadableData
from app.har.recordings.files import Member
from app.har.recordings.hhar import DESCRIPTION, matches, read_pairs, read_table
from app.har.recordings.tables import open_table
from app.har.types import Problem

FORMAT = "hhar"
TITLE = "HHAR, phones and watches"
SHOW_RECORDING = False  # the file's own columns name user and device

__all__ = ["FORMAT", "SHOW_RECORDING", "TITLE", "matches", "read"]


def read(members: list[Member]) -> Iterator[Part]:
    """Read one recording a user and device."""
    tables = []
    total = sum(member.size for member in members) or 1
    done = 0
    for member in members:
        done += member.size
        try:
            source = open_table(member)
            if matches(source.layout):
                tables.append(read_table(source))
                yield Part(None, fraction=0.5 * done / total)
                continue
            problem = Problem(
                member.name, "other layout", f"{source.layout.describe()}; expected {DESCRIPTION}", "file skipped"
            )
        except UnreadableData as error:
            problem = Problem(member.name, "unreadable file", str(error), "file skipped")
        yield Part(None, {}, (problem,), 0.5 * done / total)
    rows = sum(len(table.frame) for table in tables) or 1
    done = 0
    for recording, frames in read_pairs(tables):
        done += sum(len(frame) for frame in frames.values())
        yield Part(recording, frames, fraction=0.5 + 0.5 * done / rows)
