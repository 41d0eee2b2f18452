"""The pages of an uploaded recording: what they show, to whom, and what they refuse."""

from __future__ import annotations

import csv
import html
import io
import json
import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from app.extensions import db
from app.services.datasets import library
from app.services.models import model_versions, reference_models
from app.tables import ModelVersion, StoredRecording
from tests import trained
from tests.bad_inputs import zipped
from tests.synthetic import ku_har_windows_csv
from tests.trained import Example, recording_csv, register_model

Json = {"Accept": "application/json"}


@pytest.fixture
def model(app: Flask, example_model: Example, tmp_path: Path) -> ModelVersion:
    return register_model(example_model, tmp_path)


def post(client: FlaskClient, content: bytes, name: str = "walk.csv", **options: Any) -> TestResponse:
    return client.post("/predictions/", data={"file": (io.BytesIO(content), name)}, **options)


def uploaded(client: FlaskClient, content: bytes | None = None, name: str = "walk.csv") -> str:
    """Upload a file and return the address of its page."""
    response = post(client, content or recording_csv(), name)
    assert response.status_code == 302
    return str(response.location)


def nothing_remains(app: Flask) -> bool:
    rows = db.session.scalar(select(func.count()).select_from(StoredRecording))
    return not rows and not list(Path(app.config["UPLOADS"]).iterdir())


def test_an_upload_leads_to_its_page_with_every_part_of_the_answer(
    user_client: FlaskClient, model: ModelVersion, example_model: Example
) -> None:
    page = user_client.get(uploaded(user_client, example_model.csv(), "arm.csv"))
    assert page.status_code == 200
    for words in (
        "arm.csv",
        "Timeline",
        'href="#bouts-title"',
        "Time per activity",
        "Window by window",
        "Second choice",
        "Correct?",
        " of ",
    ):
        assert words in page.text
    assert "recognised 91.0 % of the windows correctly" in page.text
    assert "people it was not trained on" in page.text
    assert page.text.count("<tr>") > 5


def test_the_page_has_the_quality_card_with_verdict_rates_gaps_and_units(
    user_client: FlaskClient, model: ModelVersion
) -> None:
    address = uploaded(user_client, recording_csv(60.0, gap_at_s=20.0, scale=1 / 9.80665))
    page = html.unescape(user_client.get(address).text)
    for words in ('data-verdict="usable"', "30.0 of 90.0 s are missing", "g, by the length of"):
        assert words in page
    assert re.search(r'class="gap" x="22[0-9.]+" width="33[0-9.]+"', page)
    assert "taken as g and converted to m/s²" in page
    response = user_client.get(address + "/quality.json")
    assert "walk-quality.json" in response.headers["Content-Disposition"]
    (card,) = response.json["cards"]
    assert (card["verdict"], card["streams"][0]["gaps"]) == ("usable", 1)


def test_a_good_recording_is_said_to_be_good(user_client: FlaskClient, model: ModelVersion) -> None:
    page = user_client.get(uploaded(user_client)).text
    assert 'data-verdict="pass"' in page
    assert "No problems were found in the signal." in page


def test_each_recording_of_a_file_has_its_card_and_single_windows_the_first_of_them(
    app: Flask, user_client: FlaskClient, model: ModelVersion, walking: ModelVersion
) -> None:
    content = zipped({"a.csv": recording_csv(12), "b.csv": recording_csv(12, gap_at_s=5.0)})
    address = uploaded(user_client, content, "two.zip")
    assert 'data-verdict="pass"' in user_client.get(address + "?part=0").text
    assert 'data-verdict="usable"' in user_client.get(address + "?part=1").text
    rows = uploaded(user_client, ku_har_windows_csv(60).encode(), "rows.csv")
    quality = user_client.get(rows + "/quality.json").json
    assert (quality["recordings"], len(quality["cards"])) == (60, 50)
    assert "one of 60 recordings" in user_client.get(rows).text


def test_where_a_sensor_stopped_is_said_and_the_downloaded_windows_name_theirs(
    user_client: FlaskClient, model: ModelVersion
) -> None:
    header, *rows = recording_csv(30.0).decode().splitlines()
    rows[600:1050] = [row.rsplit(",", 3)[0] + ",,," for row in rows[600:1050]]  # no gyroscope from 12 to 21 s
    address = uploaded(user_client, "\n".join([header, *rows]).encode(), "hole.csv")
    page = " ".join(html.unescape(user_client.get(address).text).split())
    assert "Gyroscope: no samples from 12.0 to 21.0 s. Recognised from the accelerometer alone there" in page
    table = list(csv.DictReader(io.StringIO(user_client.get(address + "/windows.csv").text)))
    alone = [float(row["start_s"]) for row in table if row["listened_to"] == "accelerometer"]
    assert len(table) == 4 + 3 + 3
    assert alone == pytest.approx([12.0, 15.0, 18.0], abs=0.05)


def test_what_no_model_could_use_is_refused_with_the_reason(user_client: FlaskClient, model: ModelVersion) -> None:
    response = post(user_client, recording_csv(2.0))
    assert "No model could use it: the longest stretch of a sensor without a gap lasts 2.0 s" in (
        html.unescape(response.text)
    )


def test_a_recording_from_before_there_were_cards_is_shown_without(
    app: Flask, user_client: FlaskClient, model: ModelVersion
) -> None:
    address = uploaded(user_client)
    next(Path(app.config["UPLOADS"]).glob("*/quality.json")).unlink()
    assert user_client.get(address).status_code == 200
    assert user_client.get(address + "/quality.json").status_code == 404


def test_the_script_gets_the_address_as_json(user_client: FlaskClient, model: ModelVersion) -> None:
    response = post(user_client, recording_csv(), headers=Json)
    assert response.status_code == 200
    assert user_client.get(response.json["url"]).status_code == 200


@pytest.mark.parametrize("headers", [Json, {}], ids=["script", "form"])
def test_a_file_that_does_not_do_is_refused_with_the_reason_and_kept_until_that_is_dismissed(
    app: Flask, user_client: FlaskClient, model: ModelVersion, headers: dict[str, str]
) -> None:
    response = post(user_client, recording_csv(1.0), "phone <1>.csv", headers=headers)
    assert response.status_code == 422
    message = response.json["message"] if headers else response.text
    assert "Record for longer" in message
    assert ("phone <1>.csv" if headers else "phone &lt;1&gt;.csv") in message
    assert not nothing_remains(app)
    assert user_client.post("/predictions/attempts/dismiss").status_code == 302
    assert nothing_remains(app)


@pytest.mark.parametrize("data", [{}, {"file": (io.BytesIO(b""), "")}], ids=["no field", "no file"])
def test_a_form_without_a_file_says_so(user_client: FlaskClient, model: ModelVersion, data: dict[str, Any]) -> None:
    response = user_client.post("/predictions/", data=data)
    assert response.status_code == 422
    assert "Choose a file first." in response.text


@pytest.mark.parametrize("headers", [Json, {}], ids=["script", "form"])
def test_without_a_promoted_model_an_upload_is_refused(
    app: Flask, user_client: FlaskClient, headers: dict[str, str]
) -> None:
    response = post(user_client, recording_csv(), headers=headers)
    assert response.status_code == 409
    assert "train a model and make it the default first" in response.text
    assert nothing_remains(app)
    assert "data-no-model" in user_client.get("/").text


def test_the_home_page_lists_the_recordings_of_the_user_alone(
    user_client: FlaskClient, log_in: Callable[..., FlaskClient], model: ModelVersion
) -> None:
    assert 'class="empty-state"' in user_client.get("/").text
    uploaded(user_client, name="mine.csv")
    assert "mine.csv" in user_client.get("/").text
    assert "mine.csv" not in log_in("sam").get("/").text


ADDRESSES = (
    ("get", ""),
    ("get", "/timeline.json"),
    ("get", "/windows.csv"),
    ("get", "/result.json"),
    ("get", "/timeline.png"),
    ("post", "/again"),
    ("post", "/delete"),
)


@pytest.mark.parametrize("role", ["user", "admin"])
@pytest.mark.parametrize(("method", "address"), ADDRESSES)
def test_somebody_elses_recording_is_not_found(
    user_client: FlaskClient,
    log_in: Callable[..., FlaskClient],
    model: ModelVersion,
    method: str,
    address: str,
    role: str,
) -> None:
    url = uploaded(user_client)
    stranger = log_in("stranger", role=role)
    response = getattr(stranger, method)(url + address, data={"version": model.id} if method == "post" else None)
    assert response.status_code == 404
    assert "walk.csv" not in response.text
    assert user_client.get(url).status_code == 200


def test_the_name_of_a_file_is_shown_as_text(user_client: FlaskClient, model: ModelVersion) -> None:
    url = uploaded(user_client, name='<img src=x onerror="alert(1)">.csv')
    for page in (user_client.get(url), user_client.get("/")):
        assert "<img src=x" not in page.text
        assert "&lt;img src=x" in page.text


def test_a_long_recording_is_shown_a_page_at_a_time(user_client: FlaskClient, model: ModelVersion) -> None:
    url = uploaded(user_client, recording_csv(330))
    first, second = user_client.get(url), user_client.get(url + "?page=2")
    assert "0:00:00 – 0:00:03" in first.text
    assert "0:05:00" not in first.text.partition('id="windows"')[2].replace("0:05:00</td>", "")
    assert "0:01:00 – 0:01:03" in second.text.partition('id="windows"')[2]
    assert "0:05:27 – 0:05:30" in user_client.get(url + "?page=999").text  # the nearest page that is there
    assert "0:00:00 – 0:00:03" in user_client.get(url + "?page=x").text


def test_the_timeline_gets_signal_bouts_and_colours(user_client: FlaskClient, model: ModelVersion) -> None:
    activities = trained.load(model).activities
    url = uploaded(user_client, recording_csv(60, activities=[activities[0], activities[1]]))
    assert [t["channel"] for t in user_client.get(url + "/timeline.json").json["signal"]] == ["magnitude"] * 2
    data = user_client.get(url + "/timeline.json?axes=1").json
    assert data["layout"] == "timeline"
    assert [t["channel"] for t in data["signal"]] == ["acc_x", "acc_y", "acc_z", "gyro_x", "gyro_y", "gyro_z"]
    assert [b["activity"] for b in data["labelled"]] == list(activities[:2])
    assert {b["activity"] for b in data["recognised"]} <= set(data["colours"])
    assert all(colour.startswith("#") for colour in data["colours"].values())
    closer = user_client.get(url + "/timeline.json?from=3&to=5").json
    assert closer["range_s"] == [3.0, 5.0]
    assert len(closer["signal"][0]["values"]) == pytest.approx(100, abs=2)


def test_the_downloads_agree_with_each_other(user_client: FlaskClient, model: ModelVersion) -> None:
    url = uploaded(user_client, recording_csv(60), "my walk.csv")
    table, document = user_client.get(url + "/windows.csv"), user_client.get(url + "/result.json")
    rows = list(csv.DictReader(io.StringIO(table.text)))
    windows = json.loads(document.data)["windows"]
    assert len(rows) == len(windows) == 20
    assert [row["activity"] for row in rows] == [window["activity"] for window in windows]
    for column in ("confidence", "deepest_confidence"):  # empty where there is no answer
        assert [row[column] for row in rows] == ["" if w[column] is None else str(w[column]) for w in windows]
    assert 'filename="my walk-windows.csv"' in table.headers["Content-Disposition"]
    assert set(document.json) == {"file", "verdict", "windows", "bouts", "summary"}


@pytest.mark.parametrize(("extension", "start"), [("png", b"\x89PNG"), ("svg", b"<?xml")])
def test_the_timeline_can_be_taken_away_as_a_picture(
    user_client: FlaskClient, model: ModelVersion, extension: str, start: bytes
) -> None:
    response = user_client.get(f"{uploaded(user_client)}/timeline.{extension}")
    assert response.status_code == 200
    assert response.data.startswith(start)
    assert user_client.get(f"{uploaded(user_client)}/timeline.pdf").status_code == 404


def test_a_deleted_recording_is_gone_from_everywhere(app: Flask, user_client: FlaskClient, model: ModelVersion) -> None:
    url = uploaded(user_client)
    assert user_client.get(f"{url}/delete").status_code == 405
    response = user_client.post(f"{url}/delete", follow_redirects=True)
    assert "were deleted" in response.text
    assert user_client.get(url).status_code == 404
    assert nothing_remains(app)


def test_another_version_recognises_the_same_recording_again(
    user_client: FlaskClient, model: ModelVersion, example_model: Example, tmp_path: Path
) -> None:
    url = uploaded(user_client)
    other = register_model(example_model, tmp_path / "other", "clinic", promote=False)
    assert "clinic/1" in user_client.get(url).text
    page = user_client.post(f"{url}/again", data={"version": other.id}, follow_redirects=True)
    assert "Recognised by <strong>clinic/1</strong>" in page.text
    assert "physiotherapy-example/1" in page.text
    refused = user_client.post(f"{url}/again", data={"version": 4711}, follow_redirects=True)
    assert "Choose a model and a place from the lists" in refused.text


def test_the_model_can_be_chosen_where_there_are_several(
    app: Flask, user_client: FlaskClient, model: ModelVersion, example_model: Example, tmp_path: Path
) -> None:
    assert "Recognise with" not in user_client.get("/").text
    other = register_model(example_model, tmp_path / "other", "clinic", promote=False)
    home = user_client.get("/").text
    assert "Recognise with" in home
    assert '<option selected value="0">Automatic, usually physiotherapy-example/1</option>' in home
    about = re.findall(rf'<option value="{model.id}">(.*?)</option>', home)
    assert about == ["Shoulder exercises (watch on the wrist) – physiotherapy-example/1"]
    file = (io.BytesIO(recording_csv()), "walk.csv")
    page = user_client.post("/predictions/", data={"file": file, "version": other.id}, follow_redirects=True)
    assert "Recognised by <strong>clinic/1</strong>" in page.text
    file = (io.BytesIO(recording_csv()), "walk.csv")
    page = user_client.post("/predictions/", data={"file": file, "version": "0"}, follow_redirects=True)
    assert "Recognised by <strong>physiotherapy-example/1</strong>" in page.text


@pytest.mark.parametrize(("version", "status"), [("4711", 404), ("x", 422)])
def test_a_model_that_does_not_exist_is_refused(
    app: Flask, user_client: FlaskClient, model: ModelVersion, version: str, status: int
) -> None:
    file = (io.BytesIO(recording_csv()), "walk.csv")
    assert user_client.post("/predictions/", data={"file": file, "version": version}).status_code == status
    assert nothing_remains(app)


def test_a_result_stays_when_its_model_is_deleted(
    user_client: FlaskClient, model: ModelVersion, example_model: Example, tmp_path: Path
) -> None:
    url = uploaded(user_client)
    register_model(example_model, tmp_path / "new")
    model_versions.delete(model.id)
    page = user_client.get(url)
    assert page.status_code == 200
    assert "has since been deleted" in page.text


def test_the_example_can_be_tried_with_one_press_or_downloaded(
    app: Flask, user_client: FlaskClient, model: ModelVersion
) -> None:
    library.ensure_embedded_example()
    assert 'action="/predictions/example"' in user_client.get("/").text
    page = user_client.post("/predictions/example", follow_redirects=True)
    assert page.status_code == 200
    assert "Window by window" in page.text
    text = user_client.get("/predictions/example.csv").text
    assert text.startswith("time_s,acc_x,acc_y,acc_z,gyro_x,gyro_y,gyro_z,activity\n")
    rows = [line.split(",") for line in text.splitlines()[1:]]
    assert all(float(after[0]) > float(before[0]) for before, after in pairwise(rows))
    assert len({row[-1] for row in rows}) > 3


def test_there_is_no_example_where_its_data_set_was_removed(user_client: FlaskClient, model: ModelVersion) -> None:
    response = user_client.get("/predictions/example.csv")
    assert response.status_code == 404
    assert "An administrator has removed the example" in response.text


def test_a_missing_sensor_is_told_at_the_top_and_has_no_weight(user_client: FlaskClient, model: ModelVersion) -> None:
    page = user_client.get(post(user_client, recording_csv(channels=range(3))).location)
    assert "The gyroscope is missing; the model was trained on accelerometer and gyroscope" in page.text
    assert re.search(r"Gyroscope</th>\s*<td[^>]*>.*?0\.0 %\s*<span[^>]*>\(ignored in 100\.0 %", page.text, re.DOTALL)


def test_the_everyday_model_says_how_long_each_sensor_was_used_and_misses_no_gyroscope(
    user_client: FlaskClient, app: Flask
) -> None:
    reference_models.add_new()
    page = user_client.get(post(user_client, recording_csv(seconds=30.0, channels=range(3))).location).text
    assert "gyroscope is missing" not in page
    assert "How much of the time each sensor was used:" in page
    used = page.partition('id="sensors"')[2].partition("</table>")[0]
    assert re.findall(r"\d+\.\d %", re.sub('width: [^;"]*', "", used)) == ["100.0 %", "0.0 %", "100.0 %"]
    assert "ignored" not in used
    assert "deepest guess of reference-everyday/1 was right in" in page


@pytest.fixture
def walking(app: Flask, walking_model: Example, tmp_path: Path) -> ModelVersion:
    return register_model(walking_model, tmp_path, "walking")


def test_where_the_device_was_worn_is_asked_and_kept(user_client: FlaskClient, model: ModelVersion) -> None:
    assert "Where was the device worn?" in user_client.get("/").text
    for place in ("wrist", "hand or bag", ""):
        response = user_client.post(
            "/predictions/", data={"file": (io.BytesIO(recording_csv()), "a.csv"), "place": place}
        )
        assert response.status_code == 302
        recording = db.session.get(StoredRecording, int(response.location.rpartition("/")[2]))
        assert recording is not None
        assert recording.place == (place or None)
    refused = user_client.post("/predictions/", data={"file": (io.BytesIO(recording_csv()), "a.csv"), "place": "moon"})
    assert refused.status_code == 422


def test_a_recording_can_be_answered_anew_when_the_limit_of_its_model_changes(
    user_client: FlaskClient, model: ModelVersion, example_model: Example
) -> None:
    url = uploaded(user_client, example_model.csv())
    model_versions.set_limit(model.id, 0.99)
    page = user_client.get(url).text
    assert "at least 80 % probable" in page
    assert "physiotherapy-example/1, limit 99 %" in page
    again = user_client.post(url + "/again", data={"version": model.id}, follow_redirects=True).text
    assert "at least 99 % probable" in again


def test_where_the_device_was_worn_can_be_said_afterwards(user_client: FlaskClient, model: ModelVersion) -> None:
    url = uploaded(user_client)
    recording = db.session.get(StoredRecording, int(url.rpartition("/")[2]))
    assert recording is not None
    said = user_client.post(url + "/again", data={"version": model.id, "place": "wrist"}, follow_redirects=True).text
    assert "You said that the device was worn on the wrist." in said
    assert '<option selected value="wrist">' in said
    assert (recording.place, len(recording.predictions)) == ("wrist", 1)
    assert user_client.get(url + "/result.json").json["summary"]["place"] == "wrist"
    user_client.post(url + "/again", data={"version": model.id})  # says nothing of the place
    assert recording.place == "wrist"
    refused = user_client.post(url + "/again", data={"version": model.id, "place": "moon"}, follow_redirects=True).text
    assert "Choose a model and a place from the lists" in refused
