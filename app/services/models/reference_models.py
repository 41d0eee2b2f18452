"""Models that come with the program, so that a recording can be recognised before anything was trained here."""

from __future__ import annotations

import json
import logging
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock
from flask import current_app

from app.har.errors import ModelIntegrityError
from app.services import audit
from app.services.audit import Action
from app.services.errors import Conflict, NotFound
from app.services.files import DRAFT
from app.services.models import model_versions
from app.tables import ModelVersion

FIRST = "reference-everyday"  # the default model until an administrator promotes another
SUPERSEDED = "reference-ku-har"  # the default before there was one for any phone
MARK = ".reference"  # in a model's folder in the store: the manifest of the version last taken over

log = logging.getLogger(__name__)


def add_new() -> None:
    """Take over the reference models that are not known here yet; one deleted by a person stays deleted.

    A model whose files were changed is left out, with a warning that names the file.
    """
    for folder, manifest in _released():
        mark = Path(current_app.config["MODEL_STORE"]) / folder.name / MARK
        if mark.exists() and mark.read_text(encoding="utf-8") == manifest:
            continue
        from app.har.classifiers import model_folder  # a start that finds nothing new need not wait for it

        try:
            model_folder.verify(folder)
        except ModelIntegrityError as error:
            log.warning("left out a reference model: %s", error)
            continue
        if not _is_there(folder.name, manifest):  # a start that was cut off may have come as far as that
            _make_default_where_due(_take_over(folder, manifest))
        mark.write_text(manifest, encoding="utf-8")


def deleted() -> list[str]:
    """Return the names of the reference models that somebody deleted here."""
    return [folder.name for folder, manifest in _released() if not _is_there(folder.name, manifest)]


def restore(name: str) -> ModelVersion:
    """Take a reference model over once more that was deleted here; the default model stays as it is, if there is one.

    Raises
    ------
    NotFound : no model of this name comes with the program.
    Conflict : it is there.
    ModelIntegrityError : its files were changed.
    """
    with FileLock(Path(current_app.config["INSTANCE"]) / "restoring.lock"):  # of two presses, and of a shell
        version = _restored(name)
    audit.record(Action.MODEL_RESTORED, version.label)
    return version


def _restored(name: str) -> ModelVersion:
    from app.har.classifiers import model_folder

    found = [(folder, manifest) for folder, manifest in _released() if folder.name == name]
    if not found:
        raise NotFound(f"No model {name[:64]!r} comes with Kinelab.")
    ((folder, manifest),) = found
    if _is_there(name, manifest):
        raise Conflict(f"{name} was not deleted.")
    model_folder.verify(folder)
    version = _take_over(folder, manifest)
    if model_versions.promoted() is None:
        model_versions.promote(version.id)
    return version


def _released() -> Iterator[tuple[Path, str]]:
    """Yield the folders of the models that come with the program, and their manifests."""
    for path in sorted(Path(current_app.config["REFERENCE_MODELS"]).glob("*/manifest.json")):
        yield path.parent, path.read_text(encoding="utf-8")


def _is_there(name: str, manifest: str) -> bool:
    """Say whether a version of this name has the very manifest."""
    versions = (version for version in model_versions.list_versions() if version.name == name)
    paths = (model_versions.directory(version) / "manifest.json" for version in versions)
    return any(path.is_file() and path.read_text(encoding="utf-8") == manifest for path in paths)


def _take_over(folder: Path, manifest: str) -> ModelVersion:
    with tempfile.TemporaryDirectory(dir=current_app.config["MODEL_STORE"], prefix=DRAFT) as draft:
        copy = shutil.copytree(folder, Path(draft) / "model", copy_function=shutil.copyfile)
        copy.chmod(0o700)  # not as open as what is installed
        version = model_versions.register(folder.name, copy, json.loads(manifest)["metrics"])
    model_versions.set_notes(version.id, "Came with Kinelab; see its model card for intended use.")
    log.info("added reference model %s", version.label)
    return version


def _make_default_where_due(version: ModelVersion) -> None:
    """Let a newer version replace an older default, and the first model the one before it; else a person decides."""
    promoted = model_versions.promoted()
    replaced = (None, SUPERSEDED, FIRST) if version.name == FIRST else (version.name,)
    if (promoted.name if promoted else None) in replaced:
        model_versions.promote(version.id)
