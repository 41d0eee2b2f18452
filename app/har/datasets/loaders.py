"""The data sets that can be added, recognised by content."""

from __future__ import annotations

from pathlib import Path

from app.har.datasets import embedded_example
from app.har.errors import UnreadableData, UnrecognisedData
from app.har.recordings.files import Member
from app.har.recordings.formats import (
    hapt,
    hhar,
    kinelab_csv,
    ku_har_raw,
    ku_har_windows,
    motion_sense,
    oxford_walk,
    sisfall,
    sp_sw_har,
    stm_har,
    wisdm_watch,
)
from app.har.recordings.parts import FormatLoader, Loader, Part
from app.har.recordings.tables import open_table

EMBEDDED_EXAMPLE = embedded_example.PATH
LOADERS: tuple[FormatLoader, ...] = (
    ku_har_raw,
    ku_har_windows,
    hhar,
    sp_sw_har,
    hapt,
    motion_sense,
    wisdm_watch,
    oxford_walk,
    stm_har,
    sisfall,
    kinelab_csv,
)
LOOKED_AT = 20  # files of a data set that are tried before it is called unknown

__all__ = ["EMBEDDED_EXAMPLE", "LOADERS", "Loader", "Part", "actual_path", "recognise"]


def actual_path(path: Path) -> Path:
    """Return where the bytes of a data set are: the path itself, or that of the example inside its package."""
    return embedded_example.data_path() if path == EMBEDDED_EXAMPLE else path


def recognise(members: list[Member], name: str) -> Loader:
    """Return the loader for these files, from the content of the first of them, or of some together.

    Raises
    ------
    UnrecognisedData : none; the message says what was found.
    UnreadableData : there is only one file, and it is damaged.
    """
    if not members:
        raise UnrecognisedData(f"{name}: holds no file, expected CSV recordings.")
    if hapt.is_set(members):
        return hapt
    found: list[str] = []
    for member in members[:LOOKED_AT]:
        if embedded_example.is_example(member):
            return embedded_example
        try:
            layout = open_table(member).layout
        except UnreadableData as error:
            if len(members) == 1:
                raise
            found.append(str(error))
            continue
        for loader in LOADERS:
            if loader is not hapt and loader.matches(layout):
                return loader
        found.append(f"{member.name}: {layout.describe()}")
    raise UnrecognisedData(
        f"{name}: in none of the layouts known here ({'; '.join(loader.TITLE for loader in LOADERS)}). "
        f"Found {found[0]}."
    )
