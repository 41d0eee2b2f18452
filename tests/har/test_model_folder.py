"""A stored model of any kind: with a network or without, read by the code of the model that it is."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from app.har.classifiers import model_folder, stored_models
from app.har.errors import ModelIntegrityError


def write(folder: Path, name: str = "counting") -> Path:
    model_folder.write(folder, {"model": name, "threshold": 3}, {"centres": np.arange(6.0)}, {"card.md": "A card.\n"})
    return folder


def test_a_model_without_a_network_is_stored_and_read(tmp_path: Path) -> None:
    folder = write(tmp_path / "model")
    assert {path.name for path in folder.iterdir()} == {"manifest.json", "arrays.npz", "card.md"}
    manifest, arrays = model_folder.read(folder)
    assert manifest["threshold"] == 3
    np.testing.assert_array_equal(arrays["centres"], np.arange(6.0))
    (folder / "card.md").write_text("Another card.\n", encoding="utf-8")
    with pytest.raises(ModelIntegrityError, match=r"card\.md was changed"):
        model_folder.verify(folder)


def test_a_file_that_the_manifest_does_not_name_is_not_read(tmp_path: Path) -> None:
    folder = write(tmp_path / "model")
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    del manifest["manifest_sha256"], manifest["files"]["arrays.npz"]
    manifest["manifest_sha256"] = model_folder._digest_of(manifest)
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(ModelIntegrityError, match=r"arrays\.npz was changed"):
        model_folder.read(folder)


def test_a_model_is_read_by_the_code_of_its_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write(tmp_path / "model")
    with pytest.raises(ModelIntegrityError, match="of a model 'counting'; this version reads elm-gru-am"):
        stored_models.load_model(folder)
    monkeypatch.setitem(stored_models.READERS, "counting", "the.module.of.counting")
    readers = {"the.module.of.counting": SimpleNamespace(load_model=lambda path: ("counted", path))}
    monkeypatch.setattr(stored_models, "import_module", readers.__getitem__)
    assert stored_models.load_model(folder) == ("counted", folder)


@pytest.mark.parametrize("content", ["{", "[]", '{"model": ["elm-gru-am"]}'])
def test_what_is_no_manifest_is_refused(tmp_path: Path, content: str) -> None:
    folder = write(tmp_path / "model")
    (folder / "manifest.json").write_text(content, encoding="utf-8")
    with pytest.raises(ModelIntegrityError, match=r"manifest\.json is"):
        stored_models.load_model(folder)
