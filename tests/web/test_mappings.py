"""From an upload in no known layout to its prediction, and the mappings kept from that."""

from __future__ import annotations

import io
import json
import os
import re
import time
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.extensions import db
from app.har.recordings.mappings.mapping import ColumnMapping
from app.services.recordings import pending
from app.tables import ModelVersion, SavedMapping, StoredRecording
from tests.bad_inputs import zipped
from tests.sealed import text_of
from tests.tables import ACC, GYRO, TIME, labelled, table
from tests.trained import Example, register_model


@pytest.fixture
def model(app: Flask, example_model: Example, tmp_path: Path) -> ModelVersion:
    return register_model(example_model, tmp_path)


def post(client: FlaskClient, content: str | bytes, name: str = "walk.csv", **options: Any) -> TestResponse:
    data = content.encode() if isinstance(content, str) else content
    return client.post("/predictions/", data={"file": (io.BytesIO(data), name)}, **options)


def waiting(client: FlaskClient, content: str | bytes | None = None, name: str = "walk.csv") -> str:
    """Upload a table in no known layout; return the address that asks what its columns are."""
    response = post(client, labelled() if content is None else content, name)
    assert response.status_code == 302
    assert response.location.startswith("/mappings/file/")
    return str(response.location)


def answers(page: str) -> dict[str, str]:
    """Return what a form would send as it stands: its chosen options, ticked boxes and texts."""
    found: dict[str, str] = {}
    for name, body in re.findall(r'<select[^>]* name="([^"]+)"[^>]*>(.*?)</select>', page, re.S):
        options = re.findall(r'<option( selected)? value="([^"]*)"', body)
        found[name] = unescape(next((value for chosen, value in options if chosen), options[0][1]))
    for tag in re.findall(r"<input[^>]+>", page):
        attributes = dict(re.findall(r'([\w-]+)="([^"]*)"', tag))
        if attributes.get("type") == "text":
            found[attributes["name"]] = unescape(attributes.get("value", ""))
        elif attributes.get("type") == "checkbox" and " checked" in tag:
            found[attributes["name"]] = "y"
    return found


def confirmed(client: FlaskClient, address: str, **changes: str) -> TestResponse:
    form = answers(client.get(address).text) | {key.replace("__", "-"): value for key, value in changes.items()}
    return client.post(address, data={**form, "confirm": "Read and recognise"})


def words(response: TestResponse) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", response.text)).split())


def uploads(app: Flask) -> list[str]:
    return sorted(path.name.partition("-")[0] for path in Path(app.config["UPLOADS"]).iterdir())


def test_a_guess_is_shown_with_its_reasons_and_confirmed(
    app: Flask, user_client: FlaskClient, model: ModelVersion
) -> None:
    address = waiting(user_client)
    page = user_client.get(address)
    assert page.status_code == 200
    text = words(page)
    for expected in (
        "What is in walk.csv?",
        "sample person movement millis",
        "values around 1: g with gravity",
        "by its name: ms, 50 rows",
        "deg/s",
        "12 s with gravity, subject p1, activities Walk",
        "50 Hz",
    ):
        assert expected in text
    response = confirmed(user_client, address)
    assert response.status_code == 302, words(response)
    assert re.fullmatch(r"/predictions/\d+", response.location)
    assert 'data-read-with="walk"' in user_client.get(response.location).text
    assert uploads(app) == ["recording"]


def test_a_second_press_shows_the_recording_of_the_first(
    app: Flask, user_client: FlaskClient, model: ModelVersion
) -> None:
    address = waiting(user_client)
    form = answers(user_client.get(address).text) | {"confirm": "Read and recognise"}
    first, second = (user_client.post(address, data=form) for _ in range(2))
    assert first.location == second.location == user_client.get(address).location
    assert uploads(app) == ["recording"]


def test_the_script_is_sent_to_the_same_page(user_client: FlaskClient, model: ModelVersion) -> None:
    response = post(user_client, labelled(), headers={"Accept": "application/json"})
    assert response.status_code == 200
    assert response.json["url"].startswith("/mappings/file/")


def test_the_next_file_of_the_layout_is_read_at_once_and_may_be_read_differently(
    app: Flask, user_client: FlaskClient, model: ModelVersion
) -> None:
    assert confirmed(user_client, waiting(user_client), name="our watch").status_code == 302
    second = post(user_client, labelled(subject=2), "second.csv")
    assert re.fullmatch(r"/predictions/\d+", second.location)
    page = user_client.get(second.location)
    assert 'data-read-with="our watch"' in page.text
    again = user_client.post(re.search(r'action="(/mappings/recording/\d+)"', page.text)[1])  # type: ignore[index]
    assert again.location.startswith("/mappings/file/")
    form = answers(user_client.get(again.location).text)
    assert form["columns-sensors-0-unit"] == "g"
    third = confirmed(user_client, again.location, **{"columns__sensors__0__flip_x": "y"})
    assert third.status_code == 302
    assert user_client.get(second.location).status_code == 404, "the new reading takes the old one's place"
    (stored,) = [r for r in db.session.query(StoredRecording) if r.filename == "second.csv"]
    assert stored.facts["mapping"]["document"]["sensors"]["accelerometer"]["signs"] == [-1, 1, 1]
    assert uploads(app) == ["recording", "recording"]


def test_another_model_recognises_a_mapped_recording_again(
    user_client: FlaskClient, model: ModelVersion, example_model: Example, tmp_path: Path
) -> None:
    location = confirmed(user_client, waiting(user_client)).location
    other = register_model(example_model, tmp_path / "b", "clinic", promote=False)
    response = user_client.post(f"{location}/again", data={"version": other.id})
    assert "prediction=" in response.location
    assert "clinic/1" in user_client.get(response.location).text


def test_a_correction_is_checked_before_anything_is_read(
    app: Flask, user_client: FlaskClient, model: ModelVersion
) -> None:
    address = waiting(user_client)
    form = answers(user_client.get(address).text) | {"columns-sensors-0-unit": "m/s²"}
    page = user_client.post(address, data={**form, "check": "1"})
    assert page.status_code == 200
    assert "Accelerometer: with gravity the mean should be about 9.8 m/s², found 1: is the unit right?" in words(page)
    assert answers(page.text)["columns-sensors-0-unit"] == "m/s²"
    assert uploads(app) == ["pending"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"columns__sensors__0__unit": "deg/s"},
            "sensors.accelerometer.unit: expected one of m/s², g, mg, cm/s², found 'deg/s'",
        ),
        ({"columns__sensors__0__x": "gone"}, "expected one of its columns"),
        ({"columns__sensors__0__x": ""}, "sensors.accelerometer.columns: expected 3 names of columns"),
        (
            {"columns__sensors__0__scale": "many"},
            "sensors.accelerometer.scale: expected a number above 0, found 'many'",
        ),
        ({"columns__sensors__0__device": "My <b>"}, "a device's name in small letters"),
        ({"columns__sensors__1__kind": "accelerometer", "columns__sensors__1__unit": "g"}, "each sensor once"),
        ({"columns__time": ""}, "time: expected either"),
        ({"columns__time": "person"}, "a column that nothing else uses"),
        ({"columns__time": "", "columns__rate_hz": "x"}, "time.rate_hz: expected a number"),
        ({"columns__sensors__0__kind": "", "columns__sensors__1__kind": ""}, "sensors: expected at least one"),
        ({"name": "x" * 81}, "1 to 80 characters"),
    ],
)
def test_a_wrong_answer_is_refused_by_its_name_and_the_file_goes_on_waiting(
    app: Flask, user_client: FlaskClient, model: ModelVersion, changes: dict[str, str], message: str
) -> None:
    address = waiting(user_client)
    response = confirmed(user_client, address, **changes)
    assert response.status_code == 422
    assert message in words(response)
    assert uploads(app) == ["pending"]
    assert db.session.query(SavedMapping).count() == 0


def test_without_a_column_of_time_the_person_types_the_rate(user_client: FlaskClient, model: ModelVersion) -> None:
    address = waiting(user_client, table("ax,ay,az", [ACC]))
    page = user_client.get(address)
    assert "enter the number of rows per second" in words(page)
    assert "time: expected either" in words(page)
    response = confirmed(user_client, address, **{"columns__rate_hz": "50", "columns__sensors__0__flip_y": "y"})
    assert response.status_code == 302


def test_a_table_without_header_is_offered_the_saved_mapping_but_not_read_unasked(
    user_client: FlaskClient, model: ModelVersion
) -> None:
    content = table("", [TIME, ACC])
    assert (
        confirmed(user_client, waiting(user_client, content), **{"columns__sensors__0__flip_z": "y"}).status_code == 302
    )
    form = answers(user_client.get(waiting(user_client, content)).text)
    assert form["columns-sensors-0-flip_z"] == "y"


def test_a_saved_mapping_that_fails_asks_again_and_says_why(user_client: FlaskClient, model: ModelVersion) -> None:
    assert confirmed(user_client, waiting(user_client)).status_code == 302
    page = user_client.get(waiting(user_client, labelled(seconds=1.0), "short.csv"))
    assert "Record for longer" in words(page)


def test_all_files_of_a_zip_that_share_a_layout_are_read(user_client: FlaskClient, model: ModelVersion) -> None:
    content = zipped(
        {
            "readme.txt": "read me",
            "a.csv": labelled(),
            "b.csv": labelled(subject=2),
            "odd.csv": table("t,x", [TIME, TIME]),
        }
    )
    address = waiting(user_client, content, "phone.zip")
    assert "2 files share these columns: a.csv, b.csv" in words(user_client.get(address))
    location = confirmed(user_client, address).location
    assert "a.csv" in user_client.get(location).text
    assert "b.csv" in user_client.get(location).text


def test_a_zip_of_a_file_for_each_sensor_is_read_as_one_recording_and_so_is_the_next(
    user_client: FlaskClient, model: ModelVersion
) -> None:
    def phone(seconds: int) -> bytes:
        return zipped({
            "walk/accel.csv": table("t,x,y,z", [TIME[: 50 * seconds], ACC[: 50 * seconds]]),
            "walk/gyro.csv": table("t,x,y,z", [TIME[: 50 * seconds], GYRO[: 50 * seconds]]),
        })  # fmt: skip

    address = waiting(user_client, phone(8), "phone.zip")
    page = user_client.get(address)
    text = words(page)
    assert "walk/accel.csv" in text
    assert "walk/gyro.csv" in text
    assert "The files in one folder are read as one recording" in text
    assert re.search(r"8.0 s with gravity.*accelerometer 400 .*gyroscope 400", text)
    form = answers(page.text)
    assert [form[f"columns-sensors-{n}-file"] for n in (0, 1)] == ["accel", "gyro"]
    refused = confirmed(user_client, address, **{"columns__sensors__1__file": ""})
    assert "sensors.gyroscope.file: expected a part of its file's name" in words(refused)
    assert confirmed(user_client, address, name="our phone").status_code == 302
    (stored,) = db.session.query(StoredRecording)
    assert stored.facts["mapping"]["document"]["sensors"]["gyroscope"]["file"] == "gyro"
    again = post(user_client, phone(6), "second.zip")
    assert re.fullmatch(r"/predictions/\d+", again.location)


def test_files_whose_names_tell_nothing_can_be_said_to_hold_a_sensor_each(
    user_client: FlaskClient, model: ModelVersion
) -> None:
    files = {"one.csv": table("t,x,y,z", [TIME, ACC]), "two.csv": table("t,x,y,z", [TIME, GYRO])}
    address = waiting(user_client, zipped(files), "phone.zip")
    two = {"kind": "gyroscope", "x": "x", "y": "y", "z": "z", "unit": "rad/s", "file": "two"}
    changes = {f"columns__sensors__1__{key}": value for key, value in two.items()}
    response = confirmed(user_client, address, columns__sensors__0__file="one", **changes)
    assert response.status_code == 302, words(response)
    (stored,) = db.session.query(StoredRecording)
    assert stored.facts["recordings"] == 1
    assert stored.facts["channels"][:6] == ["acc_x", "acc_y", "acc_z", "gyro_x", "gyro_y", "gyro_z"]


def test_a_cancelled_file_is_gone(app: Flask, user_client: FlaskClient, model: ModelVersion) -> None:
    address = waiting(user_client)
    assert "data-waiting" in user_client.get("/").text
    assert user_client.post(f"{address}/cancel").location == "/"
    assert uploads(app) == []
    assert user_client.get(address).status_code == 404
    assert "data-waiting" not in user_client.get("/").text


def test_a_waiting_file_is_its_owners_alone_and_goes_after_a_day(
    app: Flask, user_client: FlaskClient, model: ModelVersion
) -> None:
    address = waiting(user_client)
    (folder,) = Path(app.config["UPLOADS"]).iterdir()
    assert folder.stat().st_mode & 0o077 == 0
    note = json.loads(text_of(folder / "pending.json"))
    (folder / "pending.json").write_text(json.dumps(note | {"created": time.time() - 90_000}))
    half = Path(app.config["UPLOADS"]) / "pending-half"
    half.mkdir()
    os.utime(half, (1, 1))
    pending.sweep()
    assert uploads(app) == []
    assert user_client.get(address).status_code == 404


def test_a_sixth_waiting_file_takes_the_place_of_the_oldest(
    app: Flask, user_client: FlaskClient, model: ModelVersion
) -> None:
    addresses = [waiting(user_client, name=f"{number}.csv") for number in range(6)]
    assert uploads(app) == ["pending"] * 5
    assert [user_client.get(address).status_code for address in addresses] == [404] + [200] * 5


def test_nothing_of_another_users_can_be_reached(
    user_client: FlaskClient, log_in: Callable[..., FlaskClient], model: ModelVersion
) -> None:
    recording = confirmed(user_client, waiting(user_client)).location
    user_client.post("/mappings/1/delete")
    address = waiting(user_client)
    saved = SavedMapping(user_id=1, name="mine", fingerprint="x", document={})
    db.session.add(saved)
    db.session.commit()
    for role in ("user", "admin"):
        stranger = log_in(f"stranger-{role}", role=role)
        form = answers(user_client.get(address).text)
        asked = [
            stranger.get(address),
            stranger.post(address, data={**form, "confirm": "1"}),
            stranger.post(f"{address}/cancel"),
            stranger.get(f"/mappings/{saved.id}.yaml"),
            stranger.post(f"/mappings/{saved.id}/rename", data={"name": "yours"}),
            stranger.post(f"/mappings/{saved.id}/delete"),
            stranger.post(recording.replace("predictions", "mappings/recording")),
        ]
        assert {response.status_code for response in asked} == {404}
        assert "mine" not in stranger.get("/mappings/").text
        assert "walk.csv" not in stranger.get("/").text
    assert user_client.get(address).status_code == 200


def test_saved_mappings_are_listed_renamed_downloaded_and_deleted(
    user_client: FlaskClient, model: ModelVersion
) -> None:
    assert 'class="empty-state"' in user_client.get("/mappings/").text
    confirmed(user_client, waiting(user_client), name="our watch")
    page = user_client.get("/mappings/")
    assert 'value="our watch"' in page.text
    assert "accelerometer from x_acc, y_acc, z_acc in g" in words(page)
    user_client.post("/mappings/1/rename", data={"name": "the <b>watch</b>"})
    assert 'value="the &lt;b&gt;watch&lt;/b&gt;"' in user_client.get("/mappings/").text
    download = user_client.get("/mappings/1.yaml")
    assert "attachment" in download.headers["Content-Disposition"]
    assert ColumnMapping.from_yaml(download.text, "m.yaml").time == "millis"
    user_client.post("/mappings/1/rename", data={"name": " "})
    assert "A mapping's name must have 1 to 80 characters." in words(user_client.get("/mappings/"))
    user_client.post("/mappings/1/delete")
    assert 'class="empty-state"' in user_client.get("/mappings/").text
    assert post(user_client, labelled()).location.startswith("/mappings/file/")


def test_a_name_is_one_layouts(user_client: FlaskClient, model: ModelVersion) -> None:
    confirmed(user_client, waiting(user_client), name="ours")
    response = confirmed(user_client, waiting(user_client, table("t,ax,ay,az", [TIME, ACC])), name="ours")
    assert response.status_code == 422
    assert "for files with other columns" in words(response)


def test_hostile_names_and_cells_are_shown_as_text(user_client: FlaskClient, model: ModelVersion) -> None:
    evil = '<img src=x onerror="alert(1)">'
    header, *lines = labelled().splitlines()
    content = "\n".join([header.replace("person", "=cmd|' /C calc'!A1").replace("movement", evil), *lines]).replace(
        "Walk", "<b>Walk"
    )
    page = user_client.get(waiting(user_client, content, f"{evil}.csv"))
    assert "<img" not in page.text.partition("</header>")[2]
    assert "<b>Walk" not in page.text
    assert "&lt;img src=x" in page.text


def test_a_known_layout_is_never_asked_about(
    user_client: FlaskClient, model: ModelVersion, example_model: Example
) -> None:
    assert re.fullmatch(r"/predictions/\d+", post(user_client, example_model.csv()).location)
    recording = post(user_client, example_model.csv()).location
    assert user_client.post(recording.replace("predictions", "mappings/recording")).status_code == 409
