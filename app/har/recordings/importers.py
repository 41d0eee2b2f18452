"""The layouts of recordings that can be uploaded, recognised by content: the registry of `formats`."""

from __future__ import annotations

from typing import Protocol

from app.har.recordings.formats import (
    actigraph,
    aware,
    capture24,
    empatica,
    hapt,
    hhar,
    kinelab_csv,
    ku_har_raw,
    ku_har_windows,
    motion_sense,
    oxford_walk,
    pamap2,
    phyphox,
    physics_toolbox,
    polar,
    sensor_logger,
    sisfall,
    sp_sw_har,
    stm_har,
    uci_har_windows,
    wisdm,
)
from app.har.recordings.layout import Layout
from app.har.recordings.tables import Source
from app.har.signals.types import Recording


class Importer(Protocol):
    """One recording layout; the modules in `formats`."""

    APP: str
    DESCRIPTION: str

    def matches(self, layout: Layout) -> bool:
        """Tell whether a file of this layout is one of these, or belongs to them."""
        ...

    def read(self, sources: list[Source], upload: str) -> list[Recording]:
        """Read all files of this layout in one upload, which the person calls by that name."""
        ...


IMPORTERS: tuple[Importer, ...] = (
    kinelab_csv,
    sensor_logger,
    phyphox,
    physics_toolbox,
    aware,
    hhar,
    sp_sw_har,
    ku_har_windows,
    ku_har_raw,
    hapt,
    uci_har_windows,
    motion_sense,
    sisfall,
    wisdm,
    pamap2,
    empatica,
    oxford_walk,
    stm_har,
    actigraph,
    capture24,
    polar,
)


def importer_of(layout: Layout) -> Importer | None:
    """Return the importer of files of a layout, None where none knows it."""
    return next((importer for importer in IMPORTERS if importer.matches(layout)), None)
