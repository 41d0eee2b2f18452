"""The file formats that pages list, taken from the registries of the core, so that no list lacks one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class KnownFormat:
    """One format: the app or data set that writes it, and what its files look like."""

    name: str
    details: str


def recording_formats() -> list[KnownFormat]:
    """Return the formats of recordings that can be uploaded."""
    from app.har.recordings.importers import IMPORTERS  # modules that no start needs

    return [KnownFormat(importer.APP, _details(importer.DESCRIPTION)) for importer in IMPORTERS]


def dataset_formats() -> list[KnownFormat]:
    """Return the formats of data sets that can be added without a description."""
    from app.har.datasets.loaders import LOADERS

    return [KnownFormat(loader.TITLE, _details(loader.DESCRIPTION)) for loader in LOADERS]


def _details(description: str) -> str:
    """Return what follows the name in a description such as ``phyphox: columns …``."""
    return description.partition(": ")[2] or description
