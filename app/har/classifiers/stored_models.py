"""Which code reads a stored model: the one of the model that its manifest names."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from app.har.classifiers import model_folder
from app.har.classifiers.catalogue import DEPLOYABLE_MODEL, EVERYDAY_MODEL
from app.har.errors import ModelIntegrityError

if TYPE_CHECKING:
    from app.har.classifiers.base import Recogniser

# By the manifest's "model": the module whose `load_model` reads it. Imported when it is needed: none loads another's.
READERS = {
    DEPLOYABLE_MODEL: "app.har.classifiers.elm_gru_am.persistence",
    EVERYDAY_MODEL: "app.har.classifiers.everyday.persistence",
}


def load_model(folder: Path) -> Recogniser:
    """Read a stored model of any kind.

    Raises
    ------
    ModelIntegrityError : a file is missing, was changed, or is of another format, or the kind of model is not known.
    """
    name = model_folder.model_name(folder)
    if name not in READERS:
        raise ModelIntegrityError(
            f"{folder / model_folder.MANIFEST} is of a model {name!r}; this version reads {', '.join(READERS)}. "
            "Use a newer version, or train the model again."
        )
    model: Recogniser = import_module(READERS[name]).load_model(folder)
    return model
