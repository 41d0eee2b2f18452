"""What is there after the first start, of a server or of a command; what a command leaves alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from flask import Flask, current_app
from sqlalchemy import text

from app.extensions import db
from app.services import installation
from app.services.datasets import library
from app.services.models import model_versions
from app.tables import TrainingRun
from app.tables.training_run import RunStatus
from tests import homes
from tests.conftest import ROOT
from tests.homes import DATABASE, EXAMPLE, at_home, where
from tests.tables import labelled
from tests.trained import recording_csv

REFERENCES = ["reference-everyday", "reference-ku-har", "reference-phone-watch", "reference-physiotherapy"]


def test_the_revision_read_from_file_names_is_the_one_alembic_finds(app: Flask) -> None:
    heads = ScriptDirectory(str(current_app.config["MIGRATIONS"])).get_heads()
    assert heads == [installation.latest_revision()] == [installation.revision()]


def test_a_database_of_an_older_revision_is_migrated_and_a_current_one_left_alone(app: Flask, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "flask_migrate", None)  # importing it would now fail
    installation.migrate()
    monkeypatch.undo()
    db.drop_all()
    with db.engine.begin() as connection:
        connection.execute(text("DELETE FROM alembic_version"))
    installation.migrate()
    assert installation.revision() == installation.latest_revision()


def test_the_first_command_in_a_new_home_finds_the_models_and_the_example(tmp_path: Path) -> None:
    (tmp_path / "arm.csv").write_bytes(recording_csv(16))
    with at_home(tmp_path / "home") as app:
        result = app.test_cli_runner().invoke(args=["predict", str(tmp_path / "arm.csv"), "--json"])
        assert result.exit_code == 0, result.stderr
        assert json.loads(result.stdout)["summary"]["model"] == "reference-everyday/1"
        assert sorted(version.name for version in model_versions.list_versions()) == REFERENCES
        assert [dataset.name for dataset in library.list_datasets()] == [EXAMPLE]


@pytest.mark.parametrize("command", ["map", "quality"])
def test_a_command_that_needs_nothing_stored_makes_no_database(tmp_path: Path, command: str) -> None:
    file = tmp_path / "arm.csv"
    file.write_text(labelled()) if command == "map" else file.write_bytes(recording_csv(16))
    with at_home(tmp_path / "home") as app:
        result = app.test_cli_runner().invoke(args=[command, str(file)])
        assert result.exit_code == 0, result.stderr
        assert not (tmp_path / "home" / DATABASE).exists()


def test_a_home_that_was_prepared_is_left_alone(
    started_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    homes.copied(started_home, home)
    for module in ("flask_migrate", "app.har.datasets.store", "app.har.classifiers.model_folder"):
        monkeypatch.setitem(sys.modules, module, None)  # importing it would now fail
    with at_home(home):
        before = states(home)
        installation.prepare_home()
        assert states(home) == before


def states(home: Path) -> dict[str, tuple[int, int]]:
    """Return size and time of change of what is stored in a home; locks, and SQLite's own two files, come and go."""
    passing = (".lock", ".sqlite-shm", ".sqlite-wal")
    stored = (path for path in home.rglob("*") if path.is_file() and path.suffix not in passing)
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in stored}


def test_a_command_leaves_alone_what_a_server_in_the_same_home_has_begun(app: Flask) -> None:
    run = TrainingRun(status=RunStatus.RUNNING, config={}, result={})
    db.session.add(run)
    db.session.commit()
    begun = [app.config["UPLOADS"] / f"{kind}-being-received" for kind in ("recording", "pending", "dataset")]
    begun.append(app.config["INSTANCE"] / "datasets" / "being-written")
    for folder in begun:
        folder.mkdir(parents=True)
        os.utime(folder, (1, 1))
    for arguments in (["models", "list"], ["datasets", "list"], ["users", "list"]):
        result = app.test_cli_runner().invoke(args=arguments)
        assert result.exit_code == 0, result.stderr
    assert [folder for folder in begun if not folder.exists()] == []
    db.session.expire_all()
    assert run.status == RunStatus.RUNNING
    installation.prepare()
    assert [folder for folder in begun if folder.exists()] == []
    assert run.status == RunStatus.INTERRUPTED


def test_commands_that_start_together_in_a_new_home_take_turns(tmp_path: Path) -> None:
    environment = os.environ | where(tmp_path)
    command = [sys.executable, "-m", "flask", "--app", "app", "models", "list", "--json"]
    processes = [
        subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    for process in processes:
        stdout, stderr = process.communicate(timeout=120)
        assert process.returncode == 0, stderr
        assert sorted(version["label"] for version in json.loads(stdout)) == [f"{name}/1" for name in REFERENCES]
        assert "WARNING" not in stderr
    with at_home(tmp_path):
        assert [dataset.name for dataset in library.list_datasets()] == [EXAMPLE]
