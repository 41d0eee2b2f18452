"""Bad files, uploaded to be recognised or as a data set: refused in words and forgotten, or read with their problems.

All cases share an application and its people, for each must leave nothing behind that the next could see.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from jinja2 import FileSystemBytecodeCache
from sqlalchemy import func, select

from app.extensions import db
from app.services.datasets import imports, library
from app.tables import StoredRecording
from tests.bad_inputs import BAD_INPUTS, BadInput
from tests.conftest import application, logged_in
from tests.trained import Example, register_model

every_case = pytest.mark.parametrize("case", BAD_INPUTS, ids=lambda case: case.title)


@pytest.fixture(scope="module")
def site(
    tmp_path_factory: pytest.TempPathFactory, migrated_home: Path, compiled_templates: FileSystemBytecodeCache
) -> Iterator[Flask]:
    with application(tmp_path_factory.mktemp("site") / "home", migrated_home, compiled_templates) as app:
        yield app


@pytest.fixture(scope="module")
def user(site: Flask, walking_model: Example, tmp_path_factory: pytest.TempPathFactory) -> FlaskClient:
    register_model(walking_model, tmp_path_factory.mktemp("model"), "walking")
    return logged_in(site, "ursula")


@pytest.fixture(scope="module")
def admin(site: Flask) -> FlaskClient:
    return logged_in(site, "adam", role="admin")


@every_case
def test_a_bad_recording_is_refused_in_words_or_read_with_its_problems_listed(
    site: Flask, user: FlaskClient, case: BadInput
) -> None:
    response = user.post("/predictions/", data={"file": (io.BytesIO(case.build()), case.name)})
    if case.message:
        assert response.status_code == 422
        assert case.message in unescape(response.text)
        assert "<script>alert" not in response.text
    else:
        assert response.status_code == 302, unescape(response.text)
        page = user.get(response.location)
        assert page.status_code == 200
        assert case.problem == "-" or case.problem.capitalize() in page.text
        assert user.post(f"{response.location}/delete").status_code == 302
    assert db.session.scalar(select(func.count()).select_from(StoredRecording)) == 0
    kept = [{path.name for path in folder.iterdir()} for folder in Path(site.config["UPLOADS"]).iterdir()]
    assert kept in ([], [{"source", "pending.json"}])  # for a day, or until the reason is dismissed
    assert user.post("/predictions/attempts/dismiss").status_code == 302
    assert not list(Path(site.config["UPLOADS"]).iterdir())


@every_case
def test_a_bad_data_set_is_refused_with_its_reason_or_added_with_its_problems(
    site: Flask, admin: FlaskClient, case: BadInput
) -> None:
    form = {"name": "mine", "file": (io.BytesIO(case.build()), case.name)}
    response = admin.post("/datasets/add", data=form, content_type="multipart/form-data")
    if response.status_code == 302:
        assert imports.get(response.location.rpartition("/")[2]).done.wait(120)
        response = admin.get(response.location)
    if case.message:
        assert response.status_code == 422
        assert case.message in unescape(response.text)
        assert 'name="file"' in response.text
    elif response.location.endswith("/describe"):
        assert "names no activity, so no model could be trained on it" in unescape(admin.get(response.location).text)
        assert admin.post(response.location.replace("/describe", "/cancel")).status_code == 302
    else:
        assert response.location == "/datasets/mine"
        assert admin.get("/datasets/mine").status_code == 200
        page = admin.get("/datasets/mine/problems")
        assert page.status_code == 200
        assert case.problem == "-" or case.problem.lower() in unescape(page.text).lower()
        assert admin.post("/datasets/mine/remove").status_code == 302
    assert library.list_datasets() == []
    assert [path for path in (site.config["INSTANCE"] / "datasets").glob("*") if path.is_dir()] == []
    assert list(site.config["UPLOADS"].iterdir()) == []
