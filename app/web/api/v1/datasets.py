"""Data sets, for administrators."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.services.api.tokens import Scope
from app.services.datasets import library
from app.web.api.v1 import shapes
from app.web.api.v1.operations import operation

if TYPE_CHECKING:
    from app.tables import Dataset

DATASETS = Scope.DATASETS_ADMIN


@operation("GET", "/datasets", DATASETS, shapes.Datasets)
def list_datasets() -> shapes.Datasets:
    """List the data sets."""
    return shapes.Datasets([_shown(row) for row in library.list_datasets()])


@operation("GET", "/datasets/<name>", DATASETS, shapes.Dataset)
def get_dataset(name: str) -> shapes.Dataset:
    """Get a data set."""
    return _shown(library.get(name))


@operation("DELETE", "/datasets/<name>", DATASETS, status=204)
def remove_dataset(name: str) -> tuple[str, int]:
    """Remove a data set; models trained on it stay."""
    library.remove(name)
    return "", 204


def _shown(row: Dataset) -> shapes.Dataset:
    return shapes.Dataset(row.name, row.source, row.fingerprint, row.created, row.summary)
