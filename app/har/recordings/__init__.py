"""The recordings that a user can upload, recognised by content."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from app.har.errors import UnreadableData, UnrecognisedData
from app.har.recordings import hhar, kinelab_csv, ku_har_raw, ku_har_windows, sp_sw_har
from app.har.recordings.files import open_files
from app.har.recordings.tables import Layout, Source, open_table
from app.har.types import OnEvent, Recording, ignore_event


class Importer(Protocol):
    """One recording layout; the modules beside this one."""

    DESCRIPTION: str

    def matches(self, layout: Layout) -> bool:
        """Tell whether a file of this layout is one of these."""
        ...

    def read(self, sources: list[Source]) -> list[Recording]:
        """Read all files of this layout in one upload."""
        ...


IMPORTERS: tuple[Importer, ...] = (kinelab_csv, ku_har_windows, ku_har_raw, hhar, sp_sw_har)


def read_upload(path: Path, name: str, on_event: OnEvent = ignore_event) -> list[Recording]:
    """Read the file that a person uploaded: one recording, windows, or a zip archive of such files.

    Parameters
    ----------
    path : where the server put it.
    name : what the person called it, for messages and recording ids.

    Raises
    ------
    UnrecognisedData : in no known layout; the message says what was found.
    UnreadableData : empty, binary, damaged, hostile.
    """
    on_event({"stage": "reading", "fraction": 0.0})
    with open_files(path, name) as members:
        groups: dict[int, list[Source]] = {}
        others: list[str] = []
        for member in members:
            try:
                source = open_table(member)
            except UnreadableData as error:
                if len(members) == 1:
                    raise
                others.append(str(error))
                continue
            importer = next((i for i, one in enumerate(IMPORTERS) if one.matches(source.layout)), None)
            if importer is None:
                others.append(f"{source.name}: {source.layout.describe()}")
            else:
                groups.setdefault(importer, []).append(source)
        if not groups:
            raise UnrecognisedData(
                f"{name}: in none of the layouts known here ({'; '.join(i.DESCRIPTION for i in IMPORTERS)}). "
                f"Found {others[0] if others else 'no file'}."
            )
        recordings = [recording for number, sources in groups.items() for recording in IMPORTERS[number].read(sources)]
    on_event({"stage": "reading", "fraction": 1.0})
    return recordings
