"""Data sets by their path on the server: only from folders that its owner named, never what the server keeps."""

from __future__ import annotations

from html import unescape
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.har.recordings.reach import Reach
from app.services import database
from app.services.datasets import imports, library
from config import Config
from tests.synthetic import kinelab_csv
from tests.trained import Example, register_model


@pytest.fixture
def theirs(app: Flask, user_client: FlaskClient, walking_model: Example, tmp_path: Path) -> Path:
    """Return the file of a recording that a user uploaded."""
    register_model(walking_model, tmp_path, "walking")
    (tmp_path / "walk.csv").write_text(kinelab_csv())
    with (tmp_path / "walk.csv").open("rb") as file:
        data = {"file": (file, "walk.csv")}
        assert user_client.post("/predictions/", data=data).status_code == 302
    (source,) = Path(app.config["UPLOADS"]).glob("recording-*/source")
    return source


def add(client: FlaskClient, path: object) -> str:
    """Ask for a data set by its path; return what the page says once the import has ended."""
    response = client.post("/datasets/add", data={"name": "mine", "path": str(path)})
    if response.status_code == 302:
        assert imports.get(response.location.rpartition("/")[2]).done.wait(60)
        response = client.get(response.location, follow_redirects=True)
    return unescape(response.text)


def test_what_the_server_keeps_cannot_be_added_by_an_administrator(
    app: Flask, admin_client: FlaskClient, theirs: Path, tmp_path: Path
) -> None:
    home, key = app.config["HAR_HOME"], (app.config["INSTANCE"] / "secret_key")
    (tmp_path / "link").symlink_to(theirs)
    (tmp_path / "door").symlink_to(home)
    ways = [
        theirs, theirs.parent, key, home, tmp_path / "x" / ".." / "home" / "uploads", tmp_path / "link",
        tmp_path / "door" / "instance" / "secret_key", str(database.home_file()),
    ]  # fmt: skip
    for path in ways:
        page = add(admin_client, path)
        assert "This path is not in the folder that DATA_FOLDERS names" in page, path
        assert key.read_text() not in page
    assert library.list_datasets() == []


def test_a_folder_around_the_home_is_added_without_what_the_server_keeps(
    app: Flask, admin_client: FlaskClient, theirs: Path, tmp_path: Path
) -> None:
    (tmp_path / "run.csv").write_text(kinelab_csv("Run"))
    assert "“mine” was added" in add(admin_client, tmp_path)
    recordings = library.open_dataset(library.get("mine")).signals.recording_ids
    assert set(recordings) == {"run", "walk"}


def test_without_the_setting_no_path_is_read_and_the_page_says_how_to_allow_one(
    app: Flask, admin_client: FlaskClient, tmp_path: Path
) -> None:
    (tmp_path / "walk.csv").write_text(kinelab_csv())
    app.config["DATA_FOLDERS"] = ()
    page = " ".join(admin_client.get("/datasets/add").text.split())
    assert "No folder may be read yet" in page
    assert "DATA_FOLDERS=/data/recordings make run" in page
    assert "this setting of the server is empty" in add(admin_client, tmp_path / "walk.csv")
    assert "“mine” was added" in add(admin_client, Path(library.EXAMPLE_PATH))


def test_the_page_names_the_folders_that_may_be_read(app: Flask, admin_client: FlaskClient, tmp_path: Path) -> None:
    page = admin_client.get("/datasets/add").text
    assert str(tmp_path) in page
    assert "No folder may be read yet" not in page


def test_a_file_that_is_no_recording_is_not_quoted(app: Flask, admin_client: FlaskClient, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("the combination is 31-7-12\n" * 3)
    page = add(admin_client, tmp_path / "notes.txt")
    assert "notes.txt: in none of the layouts known here" in page
    assert "combination" not in page


def test_the_command_reads_any_path_but_what_the_server_keeps(app: Flask, tmp_path: Path, theirs: Path) -> None:
    app.config["DATA_FOLDERS"] = ()
    run = app.test_cli_runner().invoke
    for path in (theirs, app.config["INSTANCE"] / "secret_key"):
        refused = run(args=["datasets", "add", "mine", str(path)])
        assert refused.exit_code == 1
        assert "lies outside of the folders" in refused.output
    assert run(args=["datasets", "add", "mine", str(tmp_path / "walk.csv")]).exit_code == 0


def test_what_the_server_keeps_on_another_disk_is_out_of_reach_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A link in the home leads to a folder that lies in one that may be read."""
    (tmp_path / "disk" / "uploads").mkdir(parents=True)
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "uploads").symlink_to(tmp_path / "disk" / "uploads")
    source = tmp_path / "disk" / "uploads" / "recording-1" / "source"
    source.parent.mkdir()
    source.write_text("theirs")
    monkeypatch.setenv("HAR_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DATA_FOLDERS", str(tmp_path / "disk"))
    config = Config()
    reach = Reach(within=config.DATA_FOLDERS, outside=config.KEPT_FOLDERS)
    assert reach.allows(tmp_path / "disk")
    assert not reach.allows(source)
