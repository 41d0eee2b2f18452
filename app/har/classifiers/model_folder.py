"""A trained model on disk: manifest, arrays and, of some models, a network, each file with its hash; no pickle."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import warnings
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.har.errors import ModelIntegrityError

FORMAT = 3
LIBRARIES = ("numpy", "scipy", "scikit-learn", "tensorflow", "keras")
MANIFEST, ARRAYS, NETWORK = "manifest.json", "arrays.npz", "network.keras"


@dataclass(frozen=True)
class StoredNetwork:
    """A network on disk: its weights, and the shapes of its inputs by name, without the number of windows."""

    path: Path
    inputs: Mapping[str, tuple[int, ...]]

    def into(self, network: Any) -> Any:
        """Return a newly built network of the same layers with the stored weights."""
        network.load_weights(self.path)
        return network


def write(
    folder: Path,
    manifest: Mapping[str, Any],
    arrays: Mapping[str, NDArray[Any]],
    texts: Mapping[str, str],
    network: Any = None,
) -> None:
    """Write a new folder, whole or not at all.

    Parameters
    ----------
    manifest : with the name of the kind of model as ``model``, see `stored_models`.
    texts : further files, by name.
    network : keras.Model; default None, the model has none.
    """
    if folder.exists():
        raise FileExistsError(f"{folder} exists; a stored model is never overwritten")
    draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        np.savez_compressed(draft / ARRAYS, allow_pickle=False, **arrays)
        if network is not None:
            _save_network(network, draft / NETWORK)
        for name, content in texts.items():
            (draft / name).write_text(content, encoding="utf-8", newline="\n")
        document = {
            **manifest,
            "format": FORMAT,
            "libraries": _versions(),
            "files": {path.name: _digest(path.read_bytes()) for path in draft.iterdir()},
        }
        document["manifest_sha256"] = _digest_of(document)
        (draft / MANIFEST).write_text(json.dumps(document, indent=1, ensure_ascii=False), encoding="utf-8")
        draft.chmod(0o755)  # mkdtemp makes it private
        draft.rename(folder)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise


def _save_network(network: Any, path: Path) -> None:
    with warnings.catch_warnings():  # Keras hands TensorFlow's variables to NumPy 2 in the old way
        warnings.filterwarnings("ignore", "__array__ implementation doesn't accept a copy", DeprecationWarning)
        network.save(path)


def _versions() -> dict[str, str]:
    found = {}
    for name in LIBRARIES:
        with suppress(PackageNotFoundError):  # a model without a network is made where there is no TensorFlow, too
            found[name] = version(name)
    return found


def model_name(folder: Path) -> str:
    """Return the kind of model that a manifest, not verified, names: what reads the model verifies it."""
    return str(_parsed(folder / MANIFEST).get("model"))


def verify(folder: Path) -> dict[str, Any]:
    """Check every byte of a stored model, without loading it, and return its manifest.

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
    if found_format != FORMAT:
        raise ModelIntegrityError(
            f"{folder / MANIFEST} is of format {found_format}; this version reads {FORMAT}. Train the model again."
        )
    _compare(folder / MANIFEST, expected, _digest_of(manifest))
    for name in {ARRAYS, *files}:
        _compare(folder / name, files.get(name), _digest(_bytes(folder / name)))
    return manifest


def read(folder: Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Read manifest and arrays, after `verify`; the network is the model's to build, see `stored_network`."""
    manifest = verify(folder)
    with np.load(folder / ARRAYS, allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}
    return manifest, arrays


def stored_network(folder: Path) -> StoredNetwork:
    """Return what is read of a network on disk: no layer is made from it, so any Keras reads what any other wrote."""
    with zipfile.ZipFile(folder / NETWORK) as archive:
        layers = json.loads(archive.read("config.json"))["config"]["layers"]
    inputs = [layer["config"] for layer in layers if layer["class_name"] == "InputLayer"]
    return StoredNetwork(folder / NETWORK, {own["name"]: tuple(own["batch_shape"][1:]) for own in inputs})


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
