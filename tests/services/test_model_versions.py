"""The store of model versions: exactly one promoted, no half state, no number given twice."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import numpy as np
import pytest
from flask import Flask
from sqlalchemy import Executable, delete, func, select, update

from app.extensions import db
from app.har.classifiers.model_folder import _digest_of
from app.har.errors import ModelIntegrityError
from app.har.vocabulary import DEFAULT_LIMIT
from app.har.windows import make_windows
from app.services.errors import Conflict, Invalid, NotFound
from app.services.models import model_versions
from app.tables import ModelVersion
from tests import trained
from tests.trained import FIGURES, Example, register_model


def a_folder(parent: Path, text: str = "{}") -> Path:
    """Make what looks like a saved model to everything that does not load it."""
    folder = parent / "saved"
    folder.mkdir(parents=True)
    manifest = json.loads(text)
    (folder / "manifest.json").write_text(json.dumps(manifest | {"manifest_sha256": _digest_of(manifest)}))
    return folder


def three_versions(parent: Path) -> list[ModelVersion]:
    return [model_versions.register("lab", a_folder(parent / str(i)), FIGURES) for i in range(3)]


def test_versions_of_a_name_are_numbered_and_their_files_are_in_the_store(app: Flask, tmp_path: Path) -> None:
    first, second, third = three_versions(tmp_path)
    assert [v.label for v in (first, second, third)] == ["lab/1", "lab/2", "lab/3"]
    assert model_versions.directory(second) == Path(app.config["MODEL_STORE"]) / "lab" / "2"
    assert (model_versions.directory(second) / "manifest.json").exists()
    assert not (tmp_path / "1" / "saved").exists()
    assert [v.label for v in model_versions.list_versions()] == ["lab/3", "lab/2", "lab/1"]


def test_a_version_is_found_by_id_by_label_and_by_name_alone(app: Flask, tmp_path: Path) -> None:
    first, _, third = three_versions(tmp_path)
    assert model_versions.get(first.id) is first
    assert model_versions.get("lab/1") is first
    assert model_versions.get("lab") is third


@pytest.mark.parametrize("key", ["lab/9", "lab/x", "lab/-1", "clinic", "", "../lab", 4711])
def test_a_version_that_does_not_exist_is_not_found_and_the_known_ones_are_named(
    app: Flask, tmp_path: Path, key: int | str
) -> None:
    three_versions(tmp_path)
    with pytest.raises(NotFound, match="lab/2"):
        model_versions.get(key)


def test_the_limit_of_a_versions_answers_is_the_administrators_else_the_models_else_the_usual(
    app: Flask, tmp_path: Path
) -> None:
    usual = model_versions.register("lab", a_folder(tmp_path / "a"), FIGURES)
    careful = model_versions.register("lab", a_folder(tmp_path / "b", '{"answer_limit": 0.9}'), FIGURES)
    assert [model_versions.limit_of(version) for version in (usual, careful)] == [DEFAULT_LIMIT, 0.9]
    assert model_versions.limit_of(model_versions.set_limit("lab/2", 0.6)) == 0.6
    assert model_versions.as_dict(careful)["answer_limit"] == 0.6
    assert model_versions.limit_of(model_versions.set_limit(careful.id, None)) == 0.9


@pytest.mark.parametrize("limit", [0.0, 0.49, 1.0, 80.0, -1.0, float("nan")])
def test_a_limit_at_which_two_answers_could_hold_or_none_is_refused(app: Flask, tmp_path: Path, limit: float) -> None:
    version = model_versions.register("lab", a_folder(tmp_path / "a"), FIGURES)
    with pytest.raises(Invalid, match="from 50 % to 99 %"):
        model_versions.set_limit("lab", limit)
    assert version.answer_limit is None


def test_exactly_one_version_is_promoted(app: Flask, tmp_path: Path) -> None:
    first, _, third = three_versions(tmp_path)
    assert model_versions.promoted() is None
    model_versions.promote(first.id)
    model_versions.promote("lab/3")
    db.session.expire_all()
    assert model_versions.promoted() is third
    assert db.session.scalar(select(func.count()).where(ModelVersion.promoted)) == 1
    model_versions.promote("lab/3")
    assert model_versions.promoted() is third


def test_the_history_says_which_model_replaced_which_and_keeps_those_that_were_deleted(
    app: Flask, tmp_path: Path
) -> None:
    three_versions(tmp_path)
    for label in ("lab/1", "lab/2", "lab/2", "lab/1"):
        model_versions.promote(label)
    model_versions.delete("lab/2")
    history = [(row.label, row.replaced, row.made_by) for row in model_versions.promotions()]
    assert history == [("lab/1", "lab/2", None), ("lab/2", "lab/1", None), ("lab/1", "", None)]
    assert len(model_versions.promotions(limit=1)) == 1


def test_the_promoted_version_cannot_be_deleted_and_others_take_their_files_along(app: Flask, tmp_path: Path) -> None:
    first, second, _ = three_versions(tmp_path)
    model_versions.promote(first.id)
    with pytest.raises(Conflict, match="is the default model"):
        model_versions.delete(first.id)
    folder = model_versions.directory(second)
    model_versions.delete(second.id)
    assert not folder.exists()
    assert [v.label for v in model_versions.list_versions()] == ["lab/3", "lab/1"]


def test_a_version_that_is_promoted_or_deleted_at_the_same_moment_leaves_a_default_model(
    app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, _ = three_versions(tmp_path)
    model_versions.promote(first.id)
    get = model_versions.get

    def meanwhile(*statements: Executable) -> None:
        def read_then_changed(key: int | str) -> ModelVersion:
            version = get(key)
            db.session.expunge(version)
            db.session.rollback()  # ends the reading, as SQLite wants before another may write
            with db.engine.connect() as other:
                for statement in statements:
                    other.execute(statement)
                other.commit()
            return version

        monkeypatch.setattr(model_versions, "get", read_then_changed)

    meanwhile(delete(ModelVersion).where(ModelVersion.id == second.id))
    with pytest.raises(NotFound, match="deleted at this moment"):
        model_versions.promote(second.id)
    assert model_versions.promoted() is first
    meanwhile(update(ModelVersion).values(promoted=False), update(ModelVersion).filter_by(id=3).values(promoted=True))
    with pytest.raises(Conflict, match="is the default model"):
        model_versions.delete("lab/3")
    assert model_versions.directory(get("lab/3")).exists()


def test_the_number_of_a_deleted_version_is_not_given_again(app: Flask, tmp_path: Path) -> None:
    *_, third = three_versions(tmp_path)
    model_versions.delete(third.id)
    assert model_versions.register("lab", a_folder(tmp_path / "again"), FIGURES).label == "lab/4"


@pytest.mark.parametrize("name", ["", "Lab", "a/b", "..", "lab ward", "-lab", "x" * 65])
def test_a_name_that_would_not_do_as_a_directory_is_refused(app: Flask, tmp_path: Path, name: str) -> None:
    folder = a_folder(tmp_path)
    with pytest.raises(Invalid, match="lower-case letters"):
        model_versions.register(name, folder, FIGURES)
    assert folder.exists()
    assert not list(Path(app.config["MODEL_STORE"]).iterdir())


def test_a_registration_that_fails_leaves_no_row_and_the_files_where_they_were(app: Flask, tmp_path: Path) -> None:
    folder = a_folder(tmp_path)
    with pytest.raises(Exception, match=r"(?i)foreign key"):
        model_versions.register("lab", folder, FIGURES, training_run_id=4711)
    assert (folder / "manifest.json").exists()
    assert model_versions.list_versions() == []
    with pytest.raises(FileNotFoundError):
        model_versions.register("lab", tmp_path / "nowhere", FIGURES)
    assert model_versions.list_versions() == []
    assert model_versions.register("lab", folder, FIGURES).label.startswith("lab/")


def test_notes_are_kept_and_have_a_limit(app: Flask, tmp_path: Path) -> None:
    first, *_ = three_versions(tmp_path)
    assert model_versions.set_notes(first.id, "  for the gait lab ").notes == "for the gait lab"
    with pytest.raises(Invalid, match="4,000"):
        model_versions.set_notes(first.id, "x" * 4001)


def test_what_is_known_of_a_version_includes_its_manifest_and_metrics(app: Flask, tmp_path: Path) -> None:
    folder = a_folder(tmp_path, json.dumps({"activities": ["Walk"]}))
    info = model_versions.info(model_versions.register("lab", folder, FIGURES))
    assert info["label"] == "lab/1"
    assert info["manifest"]["activities"] == ["Walk"]
    assert info["metrics"] == FIGURES


def test_a_version_whose_files_are_gone_says_what_to_do(app: Flask, tmp_path: Path) -> None:
    first, *_ = three_versions(tmp_path)
    (model_versions.directory(first) / "manifest.json").unlink()
    for use in (trained.load, model_versions.info):
        with pytest.raises(ModelIntegrityError, match=r"lab/1.*Train it again"):
            use(first)


@pytest.mark.parametrize(
    ("protocol", "words"),
    [
        ("subject", "people it was not trained on"),
        ("dataset", "people of data sets it was not trained on"),
        ("random", "expect less for anyone else"),
    ],
)
def test_the_accuracy_is_told_with_its_interval_and_what_it_was_measured_on(
    app: Flask, example_model: Example, tmp_path: Path, protocol: str, words: str
) -> None:
    version = register_model(example_model, tmp_path)
    trained.change_protocol(version, protocol)
    sentence = model_versions.accuracy_in_words(version)
    assert "91.0 %" in sentence
    assert "88.0 % to 94.0 %" in sentence
    assert words in sentence


def test_a_model_without_a_record_of_its_test_says_so(app: Flask, tmp_path: Path) -> None:
    version = model_versions.register("lab", a_folder(tmp_path), {})
    assert "no record" in model_versions.accuracy_in_words(version)


def test_a_loaded_model_stays_in_memory_and_predicts(app: Flask, example_model: Example, tmp_path: Path) -> None:
    version = register_model(example_model, tmp_path)
    loaded: list[object] = []
    threads = [threading.Thread(target=_load, args=(app, version.id, loaded)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(loaded) == 3
    assert len(set(map(id, loaded))) == 1
    classifier = trained.load(version)
    assert classifier is loaded[0]
    windows = make_windows(example_model.store.signals).take(np.arange(5))
    np.testing.assert_allclose(classifier.predict_proba(windows).sum(axis=1), 1, atol=1e-5)


def _load(app: Flask, version_id: int, loaded: list[object]) -> None:
    with app.app_context():
        loaded.append(trained.load(model_versions.get(version_id)))


def test_a_changed_byte_is_refused_even_after_the_model_was_used(
    app: Flask, example_model: Example, tmp_path: Path
) -> None:
    version = register_model(example_model, tmp_path)
    trained.load(version)
    arrays = next(model_versions.directory(version).glob("*.npz"))
    content = bytearray(arrays.read_bytes())
    content[len(content) // 2] ^= 1
    arrays.write_bytes(bytes(content))
    with pytest.raises(ModelIntegrityError, match=arrays.name):
        trained.load(version)
