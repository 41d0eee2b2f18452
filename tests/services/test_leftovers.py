"""Folders without a row, at the start of a server: what is whole is set aside, what was deleted goes."""

from __future__ import annotations

import io
import os
import shutil
import time
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import delete

from app.services import accounts, installation, leftovers
from app.services.datasets import library
from app.services.models import model_versions, runs
from app.services.recordings import recordings, uploads
from app.services.recordings.example import example_file
from app.services.transaction import transaction
from app.tables import Dataset, ModelVersion, Prediction, StoredRecording, TrainingRun
from app.tables._columns import now
from tests.conftest import PASSWORD
from tests.services.test_audit import lines


@pytest.fixture
def recording(deployed: Flask) -> StoredRecording:
    """Return a stored recording of a user."""
    user = accounts.register("ada", PASSWORD, "", "ada@example.org", "")
    name, text = example_file()
    return uploads.store_and_recognise(user.id, name, io.BytesIO(text.encode())).recording


def forget(table: type) -> None:
    """Delete the rows of a table, as an older database would lack them."""
    with transaction() as session:
        session.execute(delete(table))


def aside(root: Path) -> list[Path]:
    return sorted((root / leftovers.ASIDE).glob("*"))


def test_a_recording_that_an_older_database_does_not_know_is_set_aside_whole(
    app: Flask, recording: StoredRecording
) -> None:
    folder = recordings.folder_of(recording)
    held = sorted(path.name for path in folder.iterdir())
    forget(Prediction)
    forget(StoredRecording)
    installation.prepare()
    assert not folder.exists()
    (kept,) = aside(folder.parent)
    assert folder.name in kept.name
    assert sorted(path.name for path in kept.iterdir()) == held
    (line,) = [line for line in lines(app) if line["action"] == "leftover"]
    assert (line["object"], line["actor"], line["details"]["days"]) == (folder.name, "(server)", 30)


def test_what_was_set_aside_can_be_put_back(app: Flask, recording: StoredRecording) -> None:
    folder, number = recordings.folder_of(recording), recording.id
    hidden = folder.rename(folder.with_name("elsewhere"))
    hidden.rename(folder)
    leftovers.set_aside(folder, folder.parent)
    aside(folder.parent)[0].rename(folder)
    installation.prepare()
    assert folder.exists()
    assert recordings.result_of(recordings.get_prediction(recordings.get(recording.user_id, number)))


def test_an_upload_that_died_in_mid_way_is_deleted(app: Flask) -> None:
    folder = Path(app.config["UPLOADS"]) / "recording-0123"
    folder.mkdir()
    (folder / "source").write_bytes(b"half")
    (folder / "draft-1.npz").write_bytes(b"half")
    installation.prepare()
    assert not folder.exists()
    assert aside(folder.parent) == []


def test_a_recording_that_its_owner_deleted_is_not_kept(app: Flask, recording: StoredRecording, monkeypatch) -> None:
    folder = recordings.folder_of(recording)
    monkeypatch.setattr(shutil, "rmtree", lambda *_, **__: None)  # the server dies at this moment
    recordings.delete(recording.user_id, recording.id)
    monkeypatch.undo()
    assert len(list(folder.parent.glob("*"))) == 1
    installation.prepare()
    assert [path for path in folder.parent.glob("*") if path.name != leftovers.ASIDE] == []
    assert aside(folder.parent) == []


def test_a_model_without_a_row_is_set_aside(deployed: Flask) -> None:
    version = model_versions.get("physiotherapy-example")
    folder, store = model_versions.directory(version), Path(deployed.config["MODEL_STORE"])
    forget(ModelVersion)
    installation.prepare()
    assert not folder.exists()
    assert [path.name[11:-9] for path in aside(store)] == ["physiotherapy-example-1"]
    assert (aside(store)[0] / "manifest.json").exists()
    assert {version.name for version in model_versions.list_versions()} >= {"reference-everyday"}


def test_a_run_without_a_row_is_set_aside(deployed: Flask) -> None:
    root = runs.root()
    with transaction() as session:
        session.execute(delete(ModelVersion))
        session.execute(delete(TrainingRun))
    installation.prepare()
    assert not (root / "1").exists()
    assert [path.name[11:-9] for path in aside(root)] == ["1"]


def test_a_data_set_without_a_row_is_set_aside_and_a_draft_deleted(example: Flask) -> None:
    folder = library.store_folder(library.get("physiotherapy-example"))
    draft = library.root() / ".0123.abc"
    draft.mkdir()
    forget(Dataset)
    library.sweep_leftovers()
    assert (folder.exists(), draft.exists()) == (False, False)
    assert [path.name[11:-9] for path in aside(library.root())] == [folder.name]
    library.sweep_leftovers()
    assert len(aside(library.root())) == 1, "what was set aside is no draft"


def test_what_was_set_aside_goes_after_its_time_and_the_log_says_so(app: Flask) -> None:
    root = Path(app.config["UPLOADS"])
    days = [now().date() - timedelta(days=age) for age in (1, 29, 31)]
    for day in days:
        (root / leftovers.ASIDE / f"{day}-recording-1-0000").mkdir(parents=True)
    (root / leftovers.ASIDE / "notes").mkdir()
    installation.prepare()
    assert [path.name[:10] for path in aside(root)] == [str(days[1]), str(days[0]), "notes"]
    (line,) = [line for line in lines(app) if line["action"] == "leftover"]
    assert line["details"] == {"deleted": True}


def test_drafts_of_models_and_sums_go_when_nobody_can_be_writing_them_any_more(app: Flask) -> None:
    store, federation = Path(app.config["MODEL_STORE"]), Path(app.config["INSTANCE"]) / "federation"
    folders = [store / ".draft-joint", store / "lab" / ".draft-forgetting"]
    files = [federation / "received" / ".draft-sums", federation / "rounds" / ".draft-secrets.json"]
    files.append(Path(app.config["INSTANCE"]) / ".draft-written-whole")
    for folder in (*folders, *(file.parent for file in files)):
        folder.mkdir(parents=True, exist_ok=True)
    for file in (*files, *(folder / "arrays.npz" for folder in folders)):
        file.write_bytes(b"half")
    installation.prepare()
    assert all(path.exists() for path in (*folders, *files)), "somebody may be writing them"
    for path in (*folders, *files):
        os.utime(path, (time.time() - 90_000,) * 2)
    installation.prepare()
    assert all(folder.exists() for folder in folders), "something in them is new"
    for folder in folders:
        os.utime(folder / "arrays.npz", (time.time() - 90_000,) * 2)
    installation.prepare()
    assert not any(path.exists() for path in (*folders, *files))
