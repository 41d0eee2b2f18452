"""Whether the files of a stored data set are as they were written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import BadZipFile

from app.har.datasets.rows import RowTable
from app.har.errors import UnreadableData
from app.har.signals.types import SignalSet

if TYPE_CHECKING:
    from app.har.datasets.store import Summary

DAMAGE = (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError, BadZipFile, EOFError)


@contextmanager
def intact(folder: Path) -> Iterator[None]:
    """Say that a stored data set is damaged, where what is read of it is not what was written.

    Raises
    ------
    UnreadableData : whatever went wrong in the block.
    """
    try:
        yield
    except DAMAGE as error:
        what = f"is not a stored data set, or a damaged one ({type(error).__name__})"
        raise UnreadableData(f"{folder.name}: {what}. Add the data set again.") from error


def check(summary: Summary, signals: SignalSet, tables: Mapping[str, RowTable]) -> None:
    """Raise an error of `DAMAGE` where a manifest cannot be of its files."""
    texts = (*signals.activities, *signals.recording_ids, *signals.subjects, *signals.channels, summary.format_title)
    index = (signals.first, signals.length, signals.recording, signals.start_s)
    sound = (
        all(isinstance(text, str) for text in texts)
        and len(signals.recording_ids) == len(signals.subjects) > int(signals.recording.max())
        and len({column.shape for column in index}) == 1
        and all(isinstance(count, int) for count in summary.activities.values())
        and signals.sampling_rate_hz > 0
        and tables
    )
    if not sound:
        raise ValueError("the manifest does not fit the files")
    for table in tables.values():
        table.check()
