"""What a server leaves that is killed in the middle of something, and what the next start makes of it."""

from __future__ import annotations

import io
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask

from app.services import installation
from app.services.files import link_or_copy, written_whole
from app.services.models import model_versions
from app.services.recordings import pending, recordings, uploads
from app.services.recordings.result_files import save_result
from app.tables import ModelVersion, Prediction, User
from tests import trained
from tests.sealed import text_of
from tests.services.test_uploads import guessed, kinds, receive
from tests.tables import labelled
from tests.trained import Example, recording_csv


class Killed(BaseException):
    """In place of a signal, after which nothing more is done."""


@pytest.fixture
def prediction(user: User, model: ModelVersion) -> Prediction:
    return uploads.store_and_recognise(user.id, "a.csv", io.BytesIO(recording_csv()))


def test_a_result_that_was_to_take_the_place_of_another_does_so_at_the_next_start(
    app: Flask, prediction: Prediction
) -> None:
    folder = recordings.folder_of(prediction.recording)
    other = replace(recordings.result_of(prediction), limit=0.9)
    save_result(folder / f"{prediction.id}.again.npz", other, None)
    installation.prepare()
    assert recordings.result_of(prediction).limit == prediction.summary["limit"] == 0.9
    assert [path.name for path in folder.glob("*again*")] == []


def test_results_and_drafts_without_a_row_go_at_the_next_start(app: Flask, prediction: Prediction) -> None:
    folder = recordings.folder_of(prediction.recording)
    before = sorted(folder.iterdir())
    for name in ("999.npz", "999.again.npz", ".draft-1234.npz"):
        shutil.copy(folder / f"{prediction.id}.npz", folder / name)
    recordings.remove_orphans()
    assert sorted(folder.iterdir()) == before


def test_a_waiting_file_stays_when_the_server_dies_while_it_becomes_a_recording(
    app: Flask, user: User, model: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = receive(user)
    mapping = guessed(waiting)

    def killed(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(recordings, "new_prediction", killed)
        patch.setattr(shutil, "rmtree", lambda *_, **__: None)  # nothing is tidied up
        with pytest.raises(Killed):
            uploads.confirm(waiting, mapping)
    assert kinds(app) == ["pending", "recording"]
    recordings.remove_orphans()
    pending.remove_confirmed()
    assert kinds(app) == ["pending"]
    assert text_of(waiting.source) == labelled()
    with monkeypatch.context() as patch:
        patch.setattr(pending, "cancel", killed)
        with pytest.raises(Killed):
            uploads.confirm(waiting, mapping)
    assert kinds(app) == ["pending", "recording"]
    recordings.remove_orphans()
    pending.remove_confirmed()
    assert kinds(app) == ["recording"]


def test_a_model_can_be_registered_again_when_the_server_dies_before_its_row_is_written(
    app: Flask, example_model: Example, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(example_model.model, folder := tmp_path / "trained")

    def begin_and_die() -> None:
        with model_versions.registered("lab", folder, {}):
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", lambda *_, **__: None)
        with pytest.raises(Killed):
            begin_and_die()
    assert model_versions.list_versions() == []
    version = model_versions.register("lab", folder, {})
    assert trained.load(version).name == "elm-gru-am"
    assert not folder.exists()


def test_a_file_is_written_whole_or_stays_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with written_whole(path) as draft:
        draft.write_text("whole")

    def half() -> None:
        with written_whole(path) as draft:
            draft.write_text("ha")
            raise OSError

    with pytest.raises(OSError, match=r"^$"):
        half()
    assert path.read_text() == "whole"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_system_without_links_gets_copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_text("x")

    def unable(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr("os.link", unable)
    link_or_copy(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b").read_text() == "x"
    with pytest.raises(FileNotFoundError):
        link_or_copy(tmp_path / "none", tmp_path / "c")
