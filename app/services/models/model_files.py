"""The folder of a stored model: its manifest, and the model itself. No database."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.har.classifiers.model_folder import ASIDE
from app.har.errors import ModelIntegrityError

if TYPE_CHECKING:
    from app.har.classifiers.base import Recogniser

KEPT_LOADED = 2
_loaded: OrderedDict[bytes, Recogniser] = OrderedDict()  # by the content of their files
_loading = threading.Lock()


def load(folder: Path, label: str) -> Recogniser:
    """Return the model in a folder, from memory when these very bytes were used lately.

    Parameters
    ----------
    label : what people call it.

    Raises
    ------
    ModelIntegrityError
        Its files are missing or were changed.
    """
    manifest(folder)  # a clear message when the files are gone
    content = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if path.name.startswith(ASIDE):  # its digest is in the manifest, and recognition never reads it
            continue
        content.update(path.name.encode() + hashlib.sha256(path.read_bytes()).digest())
    with _loading:
        if (key := content.digest()) not in _loaded:
            _loaded[key] = _load(folder, label)
            while len(_loaded) > KEPT_LOADED:
                _loaded.popitem(last=False)
        _loaded.move_to_end(key)
        return _loaded[key]


def _load(folder: Path, label: str) -> Recogniser:
    from app.har.classifiers.stored_models import load_model

    try:
        return load_model(folder)
    except ModelIntegrityError as error:  # to people, the model has a label and no place on the server
        raise ModelIntegrityError(str(error).replace(str(folder), label)) from error


def provenance(folder: Path) -> dict[str, Any]:
    """Return what a model is, and was trained and tested on, by its manifest; what that lacks is left out."""
    try:
        known = manifest(folder)
    except ModelIntegrityError:
        return {}
    wanted = ("model", "data", "split", "activities", "channels", "gravity", "answer_limit", "transfer")
    return {key: known[key] for key in wanted if key in known}


def manifest(folder: Path) -> dict[str, Any]:
    """Return the manifest of the model in a folder.

    Raises
    ------
    ModelIntegrityError : there is none, or not the one that was written with the model.
    """
    label = f"{folder.parent.name}/{folder.name}"
    try:
        content = (folder / "manifest.json").read_bytes()
    except OSError as error:
        raise ModelIntegrityError(
            f"The model {label} has no manifest.json: its files were moved or deleted. "
            "Train it again, or make another model the default."
        ) from error
    try:
        return _verified(content)
    except ModelIntegrityError as error:
        raise ModelIntegrityError(
            f"The manifest of {label} is damaged. Restore the file, or train it again."
        ) from error


@lru_cache(maxsize=64)
def _verified(content: bytes) -> dict[str, Any]:
    from app.har.classifiers.model_folder import manifest_of

    return manifest_of(content)
