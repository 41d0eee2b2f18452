"""What once ended in "Something went wrong here": answered in words, and what was stored then opens again."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.extensions import db
from app.services.datasets import library
from app.services.models import model_versions
from app.tables import Dataset, ModelVersion, Prediction, StoredRecording
from tests import homes
from tests.bad_inputs import zipped
from tests.exports import sensor_logger_json, walk
from tests.sealed import made_plain, text_of
from tests.synthetic import kinelab_csv
from tests.tables import labelled
from tests.trained import Example, register_model

HALF = "\\ud800"  # as JSON writes it
HUGE = 10**30


@pytest.fixture
def model(app: Flask, walking_model: Example, tmp_path: Path) -> int:
    return register_model(walking_model, tmp_path, "walking").id


def upload(client: FlaskClient, data: bytes, name: str, **more: Any) -> TestResponse:
    form = {"file": (io.BytesIO(data), name), **more}
    return client.post("/predictions/", data=form, content_type="multipart/form-data")


def pages_of(client: FlaskClient, address: str) -> dict[str, int]:
    """Return the statuses of a recording's page and of all that it offers."""
    ways = ["", "/windows.csv", "/bouts.csv", "/daily.csv", "/metrics.csv", "/windows.json", "/daily.json",
            "/result.json", "/quality.json", "/timeline.json", "/timeline.png", "/timeline.svg"]  # fmt: skip
    return {way: client.get(address + way).status_code for way in ways}


@pytest.mark.parametrize("digits", [4301, 20_000, 60_000])
@pytest.mark.parametrize("key", ["time", "x", "seconds_elapsed", "other"])
def test_a_number_of_thousands_of_digits_in_json_is_refused_in_words(
    user_client: FlaskClient, model: int, key: str, digits: int
) -> None:
    item = {"sensor": "Accelerometer", "time": 1, "seconds_elapsed": 0.1, "x": 1, "y": 2, "z": 3}
    text = json.dumps([item | {key: "NUMBER"}]).replace('"NUMBER"', "9" * digits)
    response = upload(user_client, text.encode(), "export.json")
    assert response.status_code == 422
    assert "export.json, line 1: expected Sensor Logger" in unescape(response.text)


@pytest.mark.parametrize("place", ["metadata key", "metadata", "sensor"])
def test_halves_of_characters_in_json_are_read_and_shown(user_client: FlaskClient, model: int, place: str) -> None:
    text = sensor_logger_json(walk(seconds=8.0))
    entries = json.loads(text)
    if place == "sensor":
        entries += [entry | {"sensor": "HALF"} for entry in entries if entry["sensor"] == "Accelerometer"]
    else:
        entries.append({"sensor": "Metadata", "HALF" if place == "metadata key" else "device name": "HALF"})
    response = upload(user_client, json.dumps(entries).replace("HALF", f"a{HALF}").encode(), "export.json")
    assert response.status_code == 302, unescape(response.text)
    assert set(pages_of(user_client, response.location).values()) == {200}


def test_a_recording_stored_with_halves_of_characters_opens(app: Flask, user_client: FlaskClient, model: int) -> None:
    address = upload(user_client, kinelab_csv("Walk").encode(), "walk.csv").location
    recording = db.session.get(StoredRecording, 1)
    folder = app.config["UPLOADS"] / recording.folder
    (folder / "quality.json").write_text(text_of(folder / "quality.json").replace("walk.csv", f"w{HALF}alk.csv"))
    homes.rewrite_json(Prediction.summary, lambda text: text.replace("Walk", f"W{HALF}alk"))
    homes.rewrite_json(StoredRecording.facts, lambda text: text.replace("acc_x", f"a{HALF}"))
    import numpy as np

    with np.load(made_plain(folder / "1.npz")) as stored:
        arrays = dict(stored)
    names = arrays["names"].tobytes().replace(b"walk.csv", f"w{HALF}alk.csv".encode())
    np.savez(folder / "1.npz", **{**arrays, "names": np.frombuffer(names, np.uint8)})
    with np.load(made_plain(folder / "stretches.npz")) as stored:
        arrays = dict(stored)
    np.savez(folder / "stretches.npz", **{**arrays, "recording_ids": np.array(["w\ud800alk.csv"])})
    assert set(pages_of(user_client, address).values()) == {200}
    assert user_client.get("/").status_code == 200
    assert user_client.get(address + "/timeline.json").json["signal"]


def test_halves_of_characters_do_not_come_out_of_the_database(app: Flask, model: int) -> None:
    homes.rewrite_json(ModelVersion.metrics, lambda _: f'{{"W{HALF}alk": "{HALF}"}}')
    assert model_versions.get(model).metrics == {"W?alk": "?"}


@pytest.mark.parametrize("name", [".", "./.", "\\", "//"])
def test_an_archive_with_a_file_without_a_name_is_refused_in_words(
    user_client: FlaskClient, model: int, name: str
) -> None:
    data = zipped({"x" * len(name): "1"}).replace(b"x" * len(name), name.encode())
    response = upload(user_client, data, "walk.zip")
    assert response.status_code == 422
    assert "walk.zip" in response.text


def test_an_archive_with_a_file_whose_name_is_nothing_is_refused_in_words(user_client: FlaskClient, model: int) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(zipfile.ZipInfo(""), kinelab_csv())
    response = upload(user_client, out.getvalue(), "walk.zip")
    assert response.status_code == 422
    assert "without a name" in unescape(response.text)


def test_an_archive_whose_names_are_no_text_is_refused_in_words(user_client: FlaskClient, model: int) -> None:
    data = zipped({"wälk.csv": kinelab_csv()}).replace("ä".encode(), b"\xff\xfe")
    assert upload(user_client, data, "walk.zip").status_code == 422


@pytest.mark.parametrize("version", [str(HUGE), f"-{HUGE}", "9" * 5000, "１", "²", "0", "nan"])
def test_a_model_that_there_cannot_be_is_not_found(user_client: FlaskClient, model: int, version: str) -> None:
    response = upload(user_client, kinelab_csv().encode(), "walk.csv", version=version)
    assert response.status_code in {302, 404, 422}
    assert user_client.get("/predictions/").status_code == 302


def test_the_mapping_page_refuses_a_kind_of_sensor_that_there_is_not(user_client: FlaskClient, model: int) -> None:
    address = upload(user_client, labelled("Walk", 1, 9.0).encode(), "own.csv").location
    for action in ("check", "confirm"):
        data = {"columns-sensors-0-kind": "telepathy", "columns-sensors-0-unit": "g", "columns-time": "x", action: "1"}
        response = user_client.post(address, data=data)
        assert response.status_code == (200 if action == "check" else 422)
        assert "telepathy" in response.text


@pytest.mark.parametrize("field", ["window_length_s", "overlap", "low_pass_hz", "gap_s"])
@pytest.mark.parametrize("text", ["sNaN", "NaN", "-sNaN123", "Infinity", "1E+999999999"])
def test_what_is_no_number_is_refused_at_its_field(
    example: Flask, admin_client: FlaskClient, field: str, text: str
) -> None:
    data = {"dataset": "physiotherapy-example", "protocol": "subject", "models": ["naive-bayes"], "seed": "0",
            "window_length_s": "3", "overlap": "0", field: text}  # fmt: skip
    assert admin_client.post("/training/", data=data).status_code == 422


@pytest.mark.parametrize("text", ["sNaN", "NaN", "Infinity", "-1E+999999999"])
def test_what_is_no_number_is_no_limit_of_an_answer(admin_client: FlaskClient, model: int, text: str) -> None:
    assert admin_client.post(f"/models/{model}/limit", data={"answer_limit": text}).status_code == 422


@pytest.mark.parametrize("name", ["%00", "a%00b", "x" * 300, "x/" * 2000, "..%2f..%2fsecret_key", "%ed%a0%80", "."])
def test_a_file_of_a_run_that_there_cannot_be_is_not_found(
    admin_client: FlaskClient, finished_run: int, name: str
) -> None:
    assert admin_client.get(f"/training/{finished_run}/files/{name}").status_code in {404, 308}


@pytest.mark.parametrize("path", ["{tmp}/" + "x" * 300, "{tmp}/" + "x/" * 450, "{tmp}/a\x00b", "{tmp}/" + "💥" * 200])
def test_a_path_that_there_cannot_be_is_no_data_set(admin_client: FlaskClient, tmp_path: Path, path: str) -> None:
    response = admin_client.post("/datasets/add", data={"name": "mine", "path": path.format(tmp=tmp_path)})
    assert response.status_code == 422


def truncated(text: str) -> str:
    return text[: len(text) // 2]


DAMAGES: list[Callable[[str], str]] = [
    truncated,
    lambda text: "",
    lambda text: "[]",
    lambda text: "null",
    lambda text: "{}",
    lambda text: "\udcff".encode("utf-8", "surrogateescape").decode("latin-1"),
    lambda text: text.replace("1", "7"),
    lambda text: "[" * 100_000,
    lambda text: text.replace('"', "'"),
    lambda text: json.dumps(dict.fromkeys(json.loads(text), 5) | {"version": 1}),
    lambda text: json.dumps({key: value for key, value in json.loads(text).items() if key != "summary"}),
    lambda text: text.replace('"text"', '"float"'),
]
DATASET_PAGES = ["", "/distribution.png", "/preview.json?activity=Walk", "/recording.csv?recording=x", "?sort=time_s"]


@pytest.mark.parametrize("damage", DAMAGES, ids=range(len(DAMAGES)))
def test_a_data_set_with_a_damaged_manifest_says_so(
    app: Flask, admin_client: FlaskClient, small: Dataset, damage: Callable[[str], str]
) -> None:
    folder = library.store_folder(small)
    (folder / "distribution.png").unlink(missing_ok=True)
    manifest = folder / "manifest.json"
    whole = manifest.read_text()
    manifest.write_text(damage(whole))
    library._open.cache_clear()
    statuses = {page: admin_client.get(f"/datasets/small{page}").status_code for page in DATASET_PAGES}
    assert 500 not in statuses.values(), statuses
    if damage(whole) != whole:
        assert statuses[""] == 422
    for page in ("/datasets/", "/training/", "/"):
        assert admin_client.get(page).status_code == 200
    training = {"dataset": "small", "models": ["naive-bayes"], "protocol": "subject", "seed": 0,
                "window_length_s": 3, "overlap": 0}  # fmt: skip
    assert admin_client.post("/training/", data=training).status_code in {302, 422}


@pytest.mark.parametrize("file", ["signal.f32", "labels.i16", "stretches.npz", "table-0.rows"])
def test_a_data_set_whose_files_are_cut_off_says_so(admin_client: FlaskClient, small: Dataset, file: str) -> None:
    path = library.store_folder(small) / file
    path.write_bytes(path.read_bytes()[:100])
    library._open.cache_clear()
    statuses = {page: admin_client.get(f"/datasets/small{page}").status_code for page in DATASET_PAGES}
    assert 500 not in statuses.values(), statuses
    assert statuses[""] == 422


@pytest.mark.parametrize("damage", DAMAGES, ids=range(len(DAMAGES)))
def test_a_model_with_a_damaged_manifest_says_so(
    app: Flask, admin_client: FlaskClient, model: int, damage: Callable[[str], str]
) -> None:
    path = model_versions.directory(model_versions.get(model)) / "manifest.json"
    path.write_text(damage(path.read_text()))
    answers = {page: admin_client.get(page).status_code for page in ("/", "/models/", f"/models/{model}", "/training/")}
    answers["upload"] = upload(admin_client, kinelab_csv().encode(), "walk.csv").status_code
    answers["limit"] = admin_client.post(f"/models/{model}/limit", data={"answer_limit": "60"}).status_code
    assert 500 not in answers.values(), answers
