"""A data set in Kinelab's own layout: ``<subject>/<recording>.csv``, as it is read back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from app.har.datasets.exports.names import distinct
from app.har.recordings.formats.kinelab_csv import write_csv
from app.har.signals.types import SignalSet
from app.har.texts import file_name


def files(signals: SignalSet, without: str | None = None) -> Iterator[tuple[str, Iterable[bytes]]]:
    """Yield the name and the content of each recording's file, but for those of one subject.

    A recording keeps its name, except for what a file's name can't have.
    """
    folders, names = distinct(signals.subjects, file_name), distinct(signals.recording_ids, file_name)
    for name, subject in zip(signals.recording_ids, signals.subjects, strict=True):
        if subject == without:
            continue
        yield f"{folders[subject]}/{names[name]}.csv", (part.encode() for part in write_csv(signals, name))
