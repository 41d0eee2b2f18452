"""The models that come with the program are there at the first start, and only as they were released."""

from __future__ import annotations

import json
import logging
import shutil
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask import Flask

from app.har.datasets.loaders import EMBEDDED_EXAMPLE
from app.har.datasets.store import build_store, open_store
from app.har.errors import ModelIntegrityError
from app.har.evaluation.scores import evaluate
from app.har.windows import make_windows
from app.services.errors import Conflict, NotFound
from app.services.models import model_versions, reference_models
from config import ROOT
from tests import trained

NAMES = ["reference-everyday", "reference-ku-har", "reference-phone-watch", "reference-physiotherapy"]


@pytest.fixture
def released(app: Flask, tmp_path: Path) -> Path:
    """Return a copy of the models, that may be changed."""
    folder = tmp_path / "reference_models"
    shutil.copytree(ROOT / "reference_models", folder)
    app.config["REFERENCE_MODELS"] = folder
    return folder


def test_at_the_first_start_they_are_added_and_one_is_promoted(app: Flask) -> None:
    reference_models.add_new()
    assert sorted(version.label for version in model_versions.list_versions()) == [f"{name}/1" for name in NAMES]
    promoted = model_versions.promoted()
    assert promoted is not None
    assert promoted.name == "reference-everyday"
    for version in model_versions.list_versions():
        files = [*model_versions.directory(version).iterdir()]
        assert sum(file.stat().st_size for file in files) < 4 * 2**20
        unseen = "data sets it was not trained on" if version.name == NAMES[0] else "people it was not trained on"
        assert unseen in model_versions.accuracy_in_words(version)
        card = model_versions.card(version)
        assert card is not None
        assert f"{version.metrics['accuracy']['value']:.3f}" in card.read_text(encoding="utf-8")
    reference_models.add_new()
    assert len(model_versions.list_versions()) == 4


def test_the_general_model_takes_the_place_of_the_first_default_before_it(app: Flask, released: Path) -> None:
    shutil.move(released / "reference-everyday", released.parent / "later")
    reference_models.add_new()
    model_versions.promote("reference-ku-har")
    shutil.move(released.parent / "later", released / "reference-everyday")
    reference_models.add_new()
    assert [version.name for version in model_versions.list_versions() if version.promoted] == ["reference-everyday"]


def test_a_start_that_was_cut_off_adds_nothing_twice(app: Flask) -> None:
    reference_models.add_new()
    for version in model_versions.list_versions():
        (model_versions.directory(version).parent / reference_models.MARK).unlink()
    reference_models.add_new()
    assert sorted(version.label for version in model_versions.list_versions()) == [f"{name}/1" for name in NAMES]


def test_one_that_was_deleted_stays_deleted_and_a_promotion_stays(app: Flask) -> None:
    reference_models.add_new()
    model_versions.promote("reference-physiotherapy")
    model_versions.delete("reference-ku-har/1")
    reference_models.add_new()
    assert [version.name for version in model_versions.list_versions() if version.promoted] == [
        "reference-physiotherapy"
    ]
    assert len(model_versions.list_versions()) == 3


def test_a_newer_release_becomes_the_next_version_and_keeps_its_place(app: Flask, released: Path) -> None:
    from app.har.classifiers.model_folder import _digest_of

    reference_models.add_new()
    path = released / "reference-everyday" / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    del manifest["manifest_sha256"]
    manifest["split"]["seed"] = 1
    path.write_text(json.dumps(manifest | {"manifest_sha256": _digest_of(manifest)}), encoding="utf-8")
    reference_models.add_new()
    promoted = model_versions.promoted()
    assert promoted is not None
    assert promoted.label == "reference-everyday/2"
    assert len(model_versions.list_versions()) == 5


def test_a_model_that_is_brought_back_twice_at_once_is_there_once(
    app: Flask, released: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reference_models.add_new()
    model_versions.delete("reference-ku-har")
    copy = shutil.copytree

    def slowly(*arguments: Any, **options: Any) -> Any:
        time.sleep(0.3)
        return copy(*arguments, **options)

    monkeypatch.setattr(shutil, "copytree", slowly)

    def press(_: int) -> str:
        with app.app_context():
            try:
                return reference_models.restore("reference-ku-har").label
            except Conflict:
                return "was not deleted"

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(press, range(4))) == ["reference-ku-har/2", *["was not deleted"] * 3]
    assert [v.label for v in model_versions.list_versions() if v.name == "reference-ku-har"] == ["reference-ku-har/2"]


@pytest.mark.parametrize("file", ["network.keras", "arrays.npz", "manifest.json", "model_card.md"])
def test_one_with_a_changed_byte_is_left_out_and_said(
    app: Flask, released: Path, caplog: pytest.LogCaptureFixture, file: str
) -> None:
    flip(released / "reference-ku-har" / file)
    with caplog.at_level(logging.WARNING):
        reference_models.add_new()
    assert sorted(version.name for version in model_versions.list_versions()) == [
        name for name in NAMES if name != "reference-ku-har"
    ]
    assert file in caplog.text


@pytest.mark.parametrize("file", ["network.keras", "arrays.npz", "model_card.md"])
def test_one_that_is_changed_later_is_refused(app: Flask, file: str) -> None:
    reference_models.add_new()
    version = model_versions.get("reference-ku-har")
    flip(model_versions.directory(version) / file)
    with pytest.raises(ModelIntegrityError, match=f"{file} was changed"):
        trained.load(version)


def test_its_figures_are_those_of_the_embedded_example(app: Flask, tmp_path: Path) -> None:
    reference_models.add_new()
    version = model_versions.get("reference-physiotherapy")
    build_store(EMBEDDED_EXAMPLE, tmp_path / "store")
    windows = make_windows(open_store(tmp_path / "store").signals)
    people = model_versions.provenance(version)["split"]["subjects"]
    assert not set(people["train"]) & set(people["test"])
    test = windows.take(np.isin(windows.subjects, people["test"]))
    found = evaluate(test, trained.load(version).predict_proba(test), fit_seconds=0, predict_seconds=1)
    assert found.accuracy.value == pytest.approx(version.metrics["accuracy"]["value"], abs=0.005)
    assert found.f1.value == pytest.approx(version.metrics["f1"]["value"], abs=0.005)


def test_a_network_that_another_keras_wrote_is_read(released: Path) -> None:
    """Keras 3.15 writes settings that 3.12, the last for Python 3.10, does not know."""
    from app.har.classifiers.elm_gru_am.persistence import load_model
    from app.har.classifiers.model_folder import _digest, _digest_of

    folder = released / "reference-physiotherapy"
    before = load_model(folder).network_.arrays
    with zipfile.ZipFile(folder / "network.keras") as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    assert b'"GlorotUniform", "config": {' in files["config.json"]
    unknown = b'"GlorotUniform", "config": {"of_the_future": 1, '
    files["config.json"] = files["config.json"].replace(b'"GlorotUniform", "config": {', unknown)
    with zipfile.ZipFile(folder / "network.keras", "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    del manifest["manifest_sha256"]
    manifest["files"]["network.keras"] = _digest((folder / "network.keras").read_bytes())
    manifest["manifest_sha256"] = _digest_of(manifest)
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    after = load_model(folder).network_.arrays
    assert before.keys() == after.keys()
    for name, array in before.items():
        np.testing.assert_array_equal(after[name], array)


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_one_that_was_deleted_comes_back_as_a_new_version_and_the_default_stays(app: Flask, released: Path) -> None:
    reference_models.add_new()
    assert reference_models.deleted() == []
    model_versions.promote("reference-ku-har")
    model_versions.delete("reference-everyday/1")
    assert reference_models.deleted() == ["reference-everyday"]
    assert reference_models.restore("reference-everyday").label == "reference-everyday/2"
    assert trained.load(model_versions.get("reference-everyday")).name == "everyday"
    default = model_versions.promoted()
    assert default is not None
    assert default.label == "reference-ku-har/1"
    assert reference_models.deleted() == []
    with pytest.raises(Conflict, match="was not deleted"):
        reference_models.restore("reference-everyday")
    with pytest.raises(NotFound, match="comes with Kinelab"):
        reference_models.restore("../reference-everyday")


def test_one_whose_files_were_changed_is_not_restored(app: Flask, released: Path) -> None:
    reference_models.add_new()
    model_versions.delete("reference-ku-har/1")
    (released / "reference-ku-har" / "model_card.md").write_text("# Better than all others\n")
    with pytest.raises(ModelIntegrityError, match=r"model_card\.md"):
        reference_models.restore("reference-ku-har")
    assert reference_models.deleted() == ["reference-ku-har"]
