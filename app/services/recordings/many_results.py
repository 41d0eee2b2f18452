"""The results of many recordings in one download, made while it is sent: one recording is in memory at a time."""

from __future__ import annotations

import io
import logging
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path
from typing import TYPE_CHECKING

from app.extensions import db
from app.har.texts import to_csv
from app.services import keys
from app.services.personal import corrections, view
from app.services.personal.heads import Learnt
from app.services.recordings import recordings, result_tables
from app.services.recordings.prediction_result import PredictionResult
from app.services.recordings.result_files import DAMAGED, load_result
from app.tables import Correction, StoredRecording

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)

MOST = 500  # recordings in one download
UNREADABLE = "The stored result of this recording cannot be read."
TABLES: Mapping[str, str] = {  # by name: what a page calls it
    "bouts": "Bouts: from when to when which activity",
    "windows": "Windows: one line every few seconds",
    "daily": "Minutes per day and hour",
}
_MAKERS: Mapping[str, Callable[[PredictionResult, tzinfo], pd.DataFrame]] = {
    "bouts": result_tables.bouts,
    "windows": result_tables.windows,
    "daily": result_tables.days,
}


@dataclass(frozen=True)
class Source:
    """A recording and what was recognised in it last."""

    filename: str
    title: str
    path: Path  # of the result
    said: tuple[Correction, ...]  # what its owner corrected
    learnt: Mapping[str, Learnt]  # what the model learnt from that
    member: str  # the name of its file in an archive

    @classmethod
    def of_all(cls, members: Iterable[tuple[StoredRecording, str]]) -> list[Source]:
        """Take what is needed of rows, each with the name of its file; what a model learnt is looked up once."""
        known: dict[int | None, Mapping[str, Learnt]] = {}
        return [cls._of(recording, member, known) for recording, member in members]

    @classmethod
    def _of(cls, recording: StoredRecording, member: str, known: dict[int | None, Mapping[str, Learnt]]) -> Source:
        prediction = recordings.get_prediction(recording)
        keys.of(recording.user_id)  # known from here on: results are read after the request
        said = tuple(corrections.of_recording(recording))
        for correction in said:  # they are read after the session has ended
            db.session.expunge(correction)
        version_id = prediction.model_version_id
        if version_id not in known:
            known[version_id] = view.learnt_by(prediction)
        path = recordings.result_file(prediction)
        return cls(recording.filename, recording.title, path, said, known[version_id], member)

    def table(self, name: str, zone: tzinfo) -> pd.DataFrame | None:
        """Return one of `TABLES` with the name of the file before it; None where the stored result is damaged."""
        try:
            table = _MAKERS[name](view.as_owner_sees(load_result(self.path), self.said, self.learnt), zone)
        except DAMAGED as error:
            log.warning("the result %s cannot be read: %s", self.path, error)
            return None
        table.insert(0, "file", self.filename)
        table.insert(1, "name", self.title)
        return table


def as_csv(sources: Sequence[Source], name: str, zone: tzinfo) -> Iterator[str]:
    """Yield one table with the rows of all recordings; without what differs from model to model.

    Last comes a row for each recording whose stored result is damaged.
    """
    import pandas as pd

    columns: list[str] = []
    damaged: list[Source] = []
    for source in sources:
        if (table := source.table(name, zone)) is None:
            damaged.append(source)
            continue
        header = not columns
        columns = [column for column in table.columns if not column.startswith("p_")]
        yield to_csv(table[columns], header=header)
    if damaged:
        rows = pd.DataFrame({"file": [source.filename for source in damaged]})
        rows["name"] = [source.title for source in damaged]
        rows["activity"] = UNREADABLE
        yield to_csv(rows.reindex(columns=columns or rows.columns), header=not columns)


def as_zip(sources: Sequence[Source], name: str, zone: tzinfo) -> Iterator[bytes]:
    """Yield a zip archive with a table a recording."""
    written = _Written()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        for source in sources:
            table = source.table(name, zone)
            text = f"{UNREADABLE}\r\n" if table is None else to_csv(table)
            archive.writestr(source.member, text)
            yield written.taken()
    yield written.taken()


class _Written(io.RawIOBase):
    """A file that is only written to, and emptied on the way."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self._parts.append(bytes(data))
        return len(data)

    def taken(self) -> bytes:
        """Return what was written since it was taken last."""
        parts, self._parts = self._parts, []
        return b"".join(parts)
