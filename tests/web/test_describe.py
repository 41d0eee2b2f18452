"""Recordings of a lab's own become a data set: the administrator says where labels and subjects are told."""

from __future__ import annotations

import io
import re
import time
from collections.abc import Callable
from html import unescape
from pathlib import Path

import pytest
from filelock import FileLock
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.har.datasets.description import Description
from app.services.datasets import imports, library
from app.services.errors import NotFound
from tests.bad_inputs import zipped
from tests.synthetic import kinelab_csv
from tests.tables import labelled
from tests.web.test_mappings import answers, words

EVIL = "<img src=x onerror=alert(1)>"


def own_files() -> dict[str, bytes | str]:
    """Return recordings of two people and two activities, in no layout known here, a folder an activity."""
    return {f"{a}/{n}_1.csv": labelled("Walk", n, 6 + len(a)) for a in ("Stroll", "March") for n in (1, 2)}


def send(client: FlaskClient, files: dict[str, bytes | str], **more: str) -> TestResponse:
    data = {"name": "own", "file": (io.BytesIO(zipped(files)), "own.zip"), **more}
    response = client.post("/datasets/add", data=data, content_type="multipart/form-data")
    response.request.environ["wsgi.input"].close()
    return response


def asked(client: FlaskClient, files: dict[str, bytes | str] | None = None, **more: str) -> str:
    """Send files and return the address at which they are to be described."""
    progress = send(client, own_files() if files is None else files, **more).location
    job = imports.get(progress.rpartition("/")[2])
    assert job.done.wait(60)
    response = client.get(progress)
    assert response.status_code == 302, words(response)
    assert response.location == f"{progress}/describe"
    return str(response.location)


def described(client: FlaskClient, address: str, **changes: str) -> TestResponse:
    """Answer the form as it stands but for some changes; return what comes when the work is done."""
    page = client.get(address).text
    form = chosen(page) | {key.replace("__", "-"): value for key, value in changes.items()}
    response = client.post(address, data={**form, "submit": "Add data set"})
    if response.status_code == 302:
        assert imports.get(address.split("/")[3]).done.wait(60)
        response = client.get(response.location)
    return response


def chosen(page: str) -> dict[str, str]:
    radios = re.findall(r"<input[^>]*type=\"radio\"[^>]*>", page)
    ticked = {re.search(r'name="(\w+)"', r)[1]: re.search(r'value="(\w+)"', r)[1] for r in radios if " checked" in r}  # type: ignore[index]
    return answers(page) | ticked


def left(app: Flask) -> list[str]:
    stores = [path.name for path in (Path(app.config["INSTANCE"]) / "datasets").glob("*") if path.is_dir()]
    return stores + [path.name for path in Path(app.config["UPLOADS"]).iterdir()]


def test_unknown_files_are_surveyed_guessed_described_and_added(app: Flask, admin_client: FlaskClient) -> None:
    address = asked(admin_client)
    page = admin_client.get(address)
    text = words(page)
    for expected in (
        "Describe “own”",
        "own.zip: 4 files in 2 folders",
        "4 × in no known layout: sample, person, movement",
        ": g with gravity",
        "Stroll: 2 files",
        "March/1_1.csv",
    ):
        assert expected in text
    assert "data-needs-description" in admin_client.get("/datasets/").text
    response = described(admin_client, address, label_from="folder")
    assert response.location == "/datasets/own"
    text = words(admin_client.get("/datasets/own"))
    assert "Own recordings" in text
    assert "Stroll" in text
    summary = library.get("own").summary
    assert (summary["recordings"], summary["subjects"], set(summary["activities"])) == (4, 2, {"Stroll", "March"})
    assert len(left(app)) == 1
    assert admin_client.get(address).status_code == 404


def test_the_preview_follows_the_answers(app: Flask, admin_client: FlaskClient) -> None:
    address = asked(admin_client)
    form = chosen(admin_client.get(address).text)

    def found(**changes: str) -> str:
        page = admin_client.post(address, data={**form, **changes, "check": "1"})
        assert page.status_code == 200
        return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", page.text.partition('id="found"')[2])))

    assert "March/1_1.csv March from the file" in found(label_from="folder", subject_from="column")
    assert "March/1_1.csv March 1 " in found(label_from="folder", subject_from="name", pattern="{subject}_{trial}")
    assert "March/1_1.csv March P7 " in found(label_from="folder", subject_from="one", subject_value="P7")
    nothing = found(label_from="name", pattern="{label}-{trial}")
    assert "4 files will be left out" in nothing
    assert "its name is not like {label}-{trial}" in nothing
    assert "expected a pattern with {subject} in it" in found(subject_from="name", pattern="{label}_{trial}")
    assert "subject.value: expected the subject's name" in found(subject_from="one", subject_value="")
    assert "label.table: expected the name of a file" in found(label_from="table")
    assert library.list_datasets() == []


def test_a_table_of_intervals_is_offered_and_its_faults_are_told_by_line(app: Flask, admin_client: FlaskClient) -> None:
    table = "recording,start,end,label,subject\nx/a,0,4,Rest,P1\nx/a,4,8,Walk,P1\n"
    address = asked(admin_client, {"x/a.csv": labelled(), "labels.csv": table + "x/b,0,1,Walk,P2\n"})
    assert chosen(admin_client.get(address).text)["label_from"] == "table"
    response = described(admin_client, address)
    assert response.status_code == 422
    assert "labels.csv, line 4: expected one of the recordings, such as x/a.csv, found 'x/b'" in words(response)
    admin_client.post(address.replace("describe", "cancel"))
    assert left(app) == []
    address = asked(admin_client, {"x/a.csv": labelled(), "labels.csv": table})
    assert "x/a.csv Rest, Walk in 2 intervals P1" in words(admin_client.get(address))
    assert described(admin_client, address).location == "/datasets/own"
    assert set(library.get("own").summary["activities"]) == {"Rest", "Walk"}


def test_a_known_layout_is_described_when_the_administrator_asks_for_it(admin_client: FlaskClient) -> None:
    files: dict[str, bytes | str] = {
        f"P{n}/{a}.csv": kinelab_csv(None, n, 6 + len(a)) for a in ("Walk", "Run") for n in (1, 2)
    }
    address = asked(admin_client, files, describe="y")
    assert "What the columns are" not in words(admin_client.get(address))
    response = described(admin_client, address, label_from="name", subject_from="name", pattern="{subject}/{label}")
    assert response.location == "/datasets/own"
    summary = library.get("own").summary
    assert (summary["subjects"], set(summary["activities"])) == (2, {"Walk", "Run"})


def test_recordings_without_activities_ask_where_these_are(app: Flask, admin_client: FlaskClient) -> None:
    files: dict[str, bytes | str] = {f"P{n}.csv": kinelab_csv(None, n) for n in (1, 2)}
    address = asked(admin_client, files)
    page = words(admin_client.get(address))
    assert "none of its 2 recordings names an activity, so no model could be trained on it." in page
    by_folder = {"label_from": "folder", "subject_from": "one", "subject_value": "P"}
    described(admin_client, address, **by_folder)
    page = words(admin_client.get(address))
    assert page.count("none of its 2 recordings names an activity") == 1
    assert "No file gets an activity this way" in page
    assert library.list_datasets() == []
    described(admin_client, address, label_from="name", pattern="{label}", subject_from="one", subject_value="P")
    assert set(library.get("own").summary["activities"]) == {"P1", "P2"}


def test_what_fails_in_mid_work_asks_again_and_leaves_nothing_half_written(
    app: Flask, admin_client: FlaskClient
) -> None:
    address = asked(admin_client)
    response = described(admin_client, address, **{"columns__sensors__0__x": "movement"})
    assert response.status_code in (302, 422)
    page = admin_client.get(address)
    assert page.status_code == 200
    assert "movement" in words(page)
    assert [name for name in left(app) if not name.startswith("dataset-")] == []
    assert library.list_datasets() == []
    assert described(admin_client, address, **{"columns__sensors__0__x": "x_acc"}).location == "/datasets/own"


def test_a_second_press_on_add_begins_nothing_more(app: Flask, admin_client: FlaskClient) -> None:
    address = asked(admin_client)
    form = chosen(admin_client.get(address).text) | {"label_from": "folder", "submit": "Add data set"}
    job = imports.get(address.split("/")[3])
    with FileLock(app.config["INSTANCE"] / "datasets" / "conversion.lock"):
        assert admin_client.post(address, data=form).status_code == 302
        assert job.description is not None
        with pytest.raises(NotFound, match="no longer need a description"):
            imports.start_described(job, job.description)
        with pytest.raises(NotFound, match="no longer need a description"):
            imports.cancel(job)
    assert job.done.wait(60)
    assert [dataset.name for dataset in library.list_datasets()] == ["own"]


def test_the_description_can_be_saved_for_the_command_line(admin_client: FlaskClient) -> None:
    address = asked(admin_client)
    form = chosen(admin_client.get(address).text)
    saved = admin_client.post(address, data={**form, "label_from": "folder", "yaml": "Save as YAML"})
    assert "attachment" in saved.headers["Content-Disposition"]
    description = Description.from_yaml(saved.text, "own.yaml")
    assert (description.label.kind, description.subject.kind) == ("folder", "column")
    assert description.columns is not None


def test_somebody_elses_files_are_not_found(
    app: Flask, admin_client: FlaskClient, log_in: Callable[..., FlaskClient]
) -> None:
    address = asked(admin_client)
    other = log_in("other", role="admin")
    for response in (
        other.get(address),
        other.post(address, data={}),
        other.post(address.replace("describe", "cancel")),
    ):
        assert response.status_code == 404
    assert "data-needs-description" not in other.get("/datasets/").text
    assert log_in("user").get(address).status_code == 403
    assert admin_client.post(address.replace("describe", "cancel")).location == "/datasets/"
    assert left(app) == []
    assert admin_client.get(address).status_code == 404


def test_files_that_wait_for_more_than_a_day_are_deleted(
    app: Flask, admin_client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = asked(admin_client)
    monkeypatch.setattr(imports, "MAX_WAIT_S", -1.0)
    send(admin_client, {"a.txt": "Dear colleague"}, name="other")
    time.sleep(0.1)
    assert admin_client.get(address).status_code == 404
    assert not [name for name in left(app) if address.split("/")[3] in name]


def test_files_that_are_no_recordings_are_refused_as_before(app: Flask, admin_client: FlaskClient) -> None:
    response = send(admin_client, {"a.csv": "day,rain,sun\n1,2,3\n", "b.jpg": b"\xff\xd8\xff" * 100}, describe="y")
    if response.status_code == 302:
        response = admin_client.get(response.location)
    assert response.status_code == 422
    assert "own.zip" in words(response)
    assert left(app) == []


def test_hostile_names_are_shown_as_text(admin_client: FlaskClient) -> None:
    files: dict[str, bytes | str] = {f"{EVIL}/=cmd()_{n}.csv": labelled().replace("person", EVIL) for n in (1, 2)}
    page = admin_client.get(asked(admin_client, files)).text
    assert "<img" not in page.partition("</header>")[2]
    assert "&lt;img src=x" in page
