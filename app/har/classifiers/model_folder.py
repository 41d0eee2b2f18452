"""A trained model on disk: manifest and arrays, each file with its hash; no pickle."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.har.errors import ModelIntegrityError

FORMAT, READABLE = 4, (3, 4)  # 3 kept a network of Keras beside the arrays
LIBRARIES = ("numpy", "scipy", "scikit-learn", "tensorflow", "keras")
MANIFEST, ARRAYS = "manifest.json", "arrays.npz"
ASIDE = "kept-"  # begins the names of files that recognition never reads; they may be large


def write(
    folder: Path,
    manifest: Mapping[str, Any],
    arrays: Mapping[str, NDArray[Any]],
    texts: Mapping[str, str],
    aside: Mapping[str, Mapping[str, NDArray[Any]]] | None = None,
) -> None:
    """Write a new folder, whole or not at all.

    Parameters
    ----------
    manifest : with the name of the kind of model as ``model``, see `stored_models`.
    texts : further files, by name.
    aside : further arrays, by the name of their file, which begins with `ASIDE`; default none.
    """
    if folder.exists():
        raise FileExistsError(f"{folder} exists; a stored model is never overwritten")
    draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        np.savez_compressed(draft / ARRAYS, allow_pickle=False, **arrays)
        for name, further in (aside or {}).items():
            np.savez(draft / name, allow_pickle=False, **further)
        for name, content in texts.items():
            (draft / name).write_text(content, encoding="utf-8", newline="\n")
        document = {
            **manifest,
            "format": FORMAT,
            "libraries": library_versions(),
            "files": {path.name: _digest(path.read_bytes()) for path in draft.iterdir()},
        }
        document["manifest_sha256"] = _digest_of(document)
        (draft / MANIFEST).write_text(json.dumps(document, indent=1, ensure_ascii=False), encoding="utf-8")
        draft.chmod(0o755)  # mkdtemp makes it private
        draft.rename(folder)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise


def library_versions() -> dict[str, str]:
    """Return the versions of what computes, of as much of it as is installed."""
    found = {}
    for name in LIBRARIES:
        with suppress(PackageNotFoundError):  # not every model needs TensorFlow
            found[name] = version(name)
    return found


def model_name(folder: Path) -> str:
    """Return the kind of model that a manifest, not verified, names: what reads the model verifies it."""
    return str(_parsed(folder / MANIFEST).get("model"))


def manifest_of(content: bytes) -> dict[str, Any]:
    """Return the manifest that is in these bytes, without a look at the other files of the model.

    Raises
    ------
    ModelIntegrityError : it is not one, or was changed.
    """
    try:
        document = json.loads(content)
        expected = document["manifest_sha256"]
        found = _digest_of({key: value for key, value in document.items() if key != "manifest_sha256"})
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ModelIntegrityError("This is not the manifest of a model.") from error
    if found != expected:
        raise ModelIntegrityError("This manifest was changed after the model was saved.")
    return dict(document)


def verify(folder: Path, aside: bool = True) -> dict[str, Any]:
    """Check every byte of a stored model, without loading it, and return its manifest.

    ``aside=False`` passes over the files that recognition never reads.

    Raises
    ------
    ModelIntegrityError : a file is missing, was changed, or is of another format; the message names the file.
    """
    try:
        manifest = _parsed(folder / MANIFEST)
        expected = manifest.pop("manifest_sha256")
        files, found_format = dict(manifest["files"]), manifest["format"]
    except (ValueError, KeyError, TypeError) as error:
        raise _not_a_manifest(folder / MANIFEST) from error
    if found_format not in READABLE:
        readable = " and ".join(map(str, READABLE))
        raise ModelIntegrityError(
            f"{folder / MANIFEST} is of format {found_format}; this version reads {readable}. Train the model again."
        )
    _compare(folder / MANIFEST, expected, _digest_of(manifest))
    for name in {ARRAYS, *(name for name in files if aside or not name.startswith(ASIDE))}:
        _compare(folder / name, files.get(name), _digest(_bytes(folder / name)))
    return manifest


def read(folder: Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Read manifest and arrays, after `verify`."""
    manifest = verify(folder, aside=False)
    with np.load(folder / ARRAYS, allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}
    return manifest, arrays


def read_aside(folder: Path, manifest: Mapping[str, Any], name: str) -> dict[str, NDArray[Any]]:
    """Read a file of further arrays.

    Raises
    ------
    ModelIntegrityError : it is missing or was changed.
    """
    content = _bytes(folder / name)
    _compare(folder / name, manifest["files"].get(name), _digest(content))
    with np.load(io.BytesIO(content), allow_pickle=False) as stored:
        return {key: stored[key] for key in stored.files}


def _parsed(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(_bytes(path))
    except ValueError as error:
        raise _not_a_manifest(path) from error
    if not isinstance(document, dict):
        raise _not_a_manifest(path)
    return document


def _not_a_manifest(path: Path) -> ModelIntegrityError:
    return ModelIntegrityError(f"{path} is not the manifest of a model.")


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelIntegrityError(f"{path} cannot be read: {error.strerror}. Train the model again.") from error


def _compare(path: Path, expected: str | None, found: str) -> None:
    if found != expected:
        raise ModelIntegrityError(
            f"{path} was changed after the model was saved: expected sha256 {str(expected)[:12]}…, "
            f"found {found[:12]}…. Restore the file, or train the model again."
        )


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _digest_of(document: Mapping[str, Any]) -> str:
    return _digest(json.dumps(document, sort_keys=True).encode())
