"""The list of recordings on the first page: what it holds, how it is searched, and downloads of many."""

from __future__ import annotations

import csv
import io
import json
import re
import time
import zipfile
from datetime import datetime, timedelta, timezone
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, select
from werkzeug.test import TestResponse

from app.extensions import db
from app.services.models import model_versions, reference_models
from app.services.recordings import attempts, listing, many_results, pending, recordings, upload_progress
from app.tables import ModelVersion, Prediction, StoredRecording, UploadAttempt, User
from tests.sealed import text_of
from tests.trained import Example, recording_csv, register_model

AS_SCRIPT = {"Accept": "application/json"}
BROKEN = b"\x89PNG\r\n\x1a\n" + b"\x00" * 100


@pytest.fixture
def model(app: Flask, example_model: Example, tmp_path: Path) -> ModelVersion:
    return register_model(example_model, tmp_path)


def own_id(name: str = "ursula") -> int:
    return int(db.session.scalars(select(User.id).filter_by(username=name)).one())


def send(client: FlaskClient, *files: tuple[bytes, str], headers: Any = None, **more: str) -> TestResponse:
    data = {"file": [(io.BytesIO(content), name) for content, name in files], **more}
    return client.post("/predictions/", data=data, headers=headers)


def stored(client: FlaskClient, n: int, **columns: Any) -> list[int]:
    """Store rows of recordings without files, as lists show them."""
    made = []
    for i in range(n):
        recording = StoredRecording(
            **{"user_id": own_id(), "filename": f"walk {i}.csv", "folder": f"recording-{i}-{len(columns)}"} | columns,
            facts={"minutes": 2.0, "bytes": 1},
        )
        summary = {"minutes_per_activity": {"Walk": 1.5, "Sit": 0.5}}
        recording.predictions.append(Prediction(model_label="walking/1", summary=summary))
        db.session.add(recording)
        db.session.flush()
        made.append(recording.id)
    db.session.commit()
    return made


def names(client: FlaskClient, query: str = "") -> list[str]:
    page = unescape(client.get(f"/{query}").text)
    return re.findall(r'<a href="/predictions/\d+">(.*?)</a>', page.split('id="recording-list"')[-1])


def test_of_several_files_each_becomes_a_recording_and_a_refused_one_stays_with_its_reason(
    user_client: FlaskClient, model: ModelVersion
) -> None:
    sent = send(user_client, (recording_csv(), "walk.csv"), (BROKEN, "photo.csv"), (recording_csv(9), "run.csv"))
    assert sent.status_code == 302
    assert sent.location == "/#recordings"
    page = unescape(user_client.get("/").text)
    assert names(user_client) == ["run.csv", "walk.csv"]
    assert "failed</span> is binary" in page  # below the name, which is not said twice
    assert page.count('badge state-failed">failed') == 1
    (attempt,) = attempts.list_attempts(own_id())
    assert user_client.post(f"/predictions/attempts/{attempt.id}/dismiss").status_code == 302
    assert "photo.csv" not in user_client.get("/").text
    assert user_client.post(f"/predictions/attempts/{attempt.id}/dismiss").status_code == 404


def kept(app: Flask) -> list[str]:
    return sorted(path.name for path in Path(app.config["UPLOADS"]).rglob("*") if path.is_file())


def test_a_file_that_could_not_be_read_is_kept_for_a_day_and_can_be_tried_with_another_model(
    app: Flask, user_client: FlaskClient, admin_client: FlaskClient, model: ModelVersion
) -> None:
    assert send(user_client, (recording_csv(1.0), "short.csv")).status_code == 422
    assert kept(app) == ["pending.json", "source"]
    (attempt,) = attempts.list_attempts(own_id())
    assert attempt.file is not None
    assert attempt.file.until - attempt.created < timedelta(hours=24, seconds=60)
    page = unescape(user_client.get("/").text)
    assert "The file is kept until" in page
    assert f"/mappings/file/{attempt.file.token}" in page
    again = f"/predictions/attempts/{attempt.id}/again"
    assert admin_client.post(again, data={"version": "0"}).status_code == 404
    assert user_client.post(again, data={"version": "777"}).status_code == 404  # no such model: it stays
    refused = user_client.post(again, data={"version": str(model.id)}, follow_redirects=True)
    assert "could not be read this time either" in refused.text
    (anew,) = attempts.list_attempts(own_id())  # the old line and its file are gone
    assert anew.id != attempt.id
    assert kept(app) == ["pending.json", "source"]
    assert anew.file is not None
    anew.file.source.write_bytes(recording_csv())  # as if the other model could read it
    done = user_client.post(f"/predictions/attempts/{anew.id}/again", data={"version": "0"})
    assert re.fullmatch(r"/predictions/\d+", done.location)
    assert attempts.list_attempts(own_id()) == []
    assert names(user_client) == ["short.csv"]
    assert "pending.json" not in kept(app)
    assert user_client.post(again, data={"version": "0"}).status_code == 404


def test_a_refused_file_goes_with_its_line_after_a_day_and_by_a_mapping(
    app: Flask, user_client: FlaskClient, model: ModelVersion
) -> None:
    for _ in range(pending.KEPT_FILES + 2):
        send(user_client, (recording_csv(1.0), "short.csv"))
    shown = attempts.list_attempts(own_id())
    assert [attempt.file is not None for attempt in shown] == [True] * pending.KEPT_FILES + [False] * 2
    assert pending.list_pending(own_id()) == []  # none of them waits for its columns
    user_client.post(f"/predictions/attempts/{shown[0].id}/dismiss")
    assert kept(app).count("source") == pending.KEPT_FILES - 1
    file = shown[1].file
    assert file is not None
    assert user_client.get(f"/mappings/file/{file.token}").status_code == 200
    assert user_client.post(f"/mappings/file/{file.token}/cancel").status_code == 302
    assert [attempt.id for attempt in attempts.list_attempts(own_id())] == [attempt.id for attempt in shown[1:]]
    for folder in Path(app.config["UPLOADS"]).glob("pending-*"):
        note = json.loads(text_of(folder / pending.NOTE))
        (folder / pending.NOTE).write_text(json.dumps(note | {"created": time.time() - 90_000}))
    page = user_client.get("/").text
    assert kept(app) == []
    assert "Record for longer" in page  # the reason stays until it is dismissed
    assert "Try again" not in page


def test_recordings_are_found_by_what_was_answered_whatever_a_model_calls_it(user_client: FlaskClient) -> None:
    ids = stored(user_client, 4)
    answers = [{"Walk": 1.0}, {"Stair-up": 1.0, "Sit": 1.0}, {"On foot": 1.0, "Unfamiliar": 2.0}, {"Rowing": 1.0}]
    for recording_id, minutes in zip(ids, answers, strict=True):
        (prediction,) = db.session.get_one(StoredRecording, recording_id).predictions
        prediction.summary = {"minutes_per_activity": minutes}
    db.session.commit()
    offered = ["Still", "Sitting or lying", "Sitting", "On foot", "Walking", "Stairs", "Stairs up", "Other movement"]
    assert listing.activities_of(own_id()) == [*offered, "Rowing", "Unfamiliar"]
    found = {
        activity: sorted(name[-5] for name in names(user_client, f"?activity={activity}"))
        for activity in ("Walking", "On foot", "Still", "Unfamiliar", "Rowing", "Other movement", "Cycling", "")
    }
    assert found == {
        "Walking": ["0"], "On foot": ["0", "1", "2"], "Still": ["1"], "Unfamiliar": ["2"], "Rowing": ["3"],
        "Other movement": ["3"], "Cycling": [], "": ["0", "1", "2", "3"],
    }  # fmt: skip
    (newer,) = stored(user_client, 1, filename="walk 9.csv")
    db.session.add(Prediction(recording_id=newer, model_label="b/1", summary={"minutes_per_activity": {"Run": 1.0}}))
    db.session.commit()
    assert names(user_client, "?activity=Running") == ["walk 9.csv"]  # by the newest result alone
    assert "walk 9.csv" not in names(user_client, "?activity=Walking")


def test_nobody_sees_or_dismisses_what_failed_for_somebody_else(
    user_client: FlaskClient, admin_client: FlaskClient, model: ModelVersion
) -> None:
    assert send(user_client, (BROKEN, "photo.csv")).status_code == 422
    (attempt,) = attempts.list_attempts(own_id())
    assert "photo.csv" not in admin_client.get("/").text
    assert admin_client.post(f"/predictions/attempts/{attempt.id}/dismiss").status_code == 404
    assert attempts.list_attempts(own_id()) == [attempt]
    assert user_client.post("/predictions/attempts/dismiss").status_code == 302
    assert attempts.list_attempts(own_id()) == []


def test_an_upload_is_seen_while_it_is_read_and_as_cut_off_when_the_server_has_died(
    app: Flask, user_client: FlaskClient
) -> None:
    user_id = own_id()
    with upload_progress.followed(user_id, "abc") as on_event, attempts.noted(user_id, "day.csv", "abc"):
        on_event({"stage": "recognising", "fraction": 0.5})
        page = user_client.get("/").text
        assert 'badge state-running">being read' in page
        (running,) = user_client.get("/predictions/running.json").get_json()["running"]
        assert (running["stage"], running["fraction"]) == ("Recognising the activities", 0.5)
        attempt_id = running["id"]
        assert user_client.post(f"/predictions/attempts/{attempt_id}/dismiss").status_code == 409
    assert user_client.get("/predictions/running.json").get_json() == {"running": []}
    assert attempts.list_attempts(user_id) == []
    db.session.add(UploadAttempt(user_id=user_id, filename="night.csv", token="of a server that died"))
    db.session.commit()
    assert "Reading this file was cut off" in unescape(user_client.get("/").text)


def test_an_unexpected_error_leaves_a_line_too(
    app: Flask, user_client: FlaskClient, model: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.services.recordings.quota.require", lambda *_: 1 / 0)
    assert send(user_client, (recording_csv(), "walk.csv")).status_code == 500
    (attempt,) = attempts.list_attempts(own_id())
    assert attempt.reason == attempts.FAULT


def test_the_same_file_is_noticed_and_stored_again_only_if_that_is_wanted(
    user_client: FlaskClient, admin_client: FlaskClient, model: ModelVersion
) -> None:
    first = send(user_client, (recording_csv(), "walk.csv"), only_new="y")
    assert first.status_code == 302
    again = send(user_client, (recording_csv(), "other name.csv"), headers=AS_SCRIPT, only_new="y")
    assert again.status_code == 409
    assert again.get_json()["known"] == first.location
    assert re.match(r"You uploaded this file on \d\d \w+ \d{4}, as “walk.csv”\.", again.get_json()["message"])
    page = send(user_client, (recording_csv(), "other name.csv"), only_new="y")
    assert page.status_code == 409
    assert f'href="{first.location}">Open the recording</a>' in page.text
    assert attempts.list_attempts(own_id()) == []  # it is asked about, and did not fail
    assert send(admin_client, (recording_csv(), "walk.csv"), only_new="y").status_code == 302  # another person's
    assert send(user_client, (recording_csv(), "walk.csv")).status_code == 302
    assert names(user_client) == ["walk.csv", "walk.csv"]


def test_a_recording_of_an_earlier_build_is_noticed_too(user_client: FlaskClient, model: ModelVersion) -> None:
    send(user_client, (recording_csv(), "walk.csv"))
    old = db.session.scalars(select(StoredRecording)).one()
    known, old.fingerprint = old.fingerprint, None
    db.session.commit()
    assert send(user_client, (recording_csv(), "walk.csv"), headers=AS_SCRIPT, only_new="y").status_code == 409
    db.session.refresh(old)
    assert old.fingerprint == known


def test_a_recording_gets_a_name_and_notes_which_the_search_finds(
    user_client: FlaskClient, admin_client: FlaskClient
) -> None:
    first, _ = stored(user_client, 2)
    address = f"/predictions/{first}/describe"
    assert "walk 0.csv" in user_client.get(address).text
    sent = user_client.post(address, data={"title": " Left wrist, 5 % ", "notes": "the knee\r\nhurt"})
    assert sent.location == f"/#recording-{first}"
    assert names(user_client) == ["walk 1.csv", "Left wrist, 5 %"]
    for search in ("knee", "WRIST", "5+%25", "walk+0", "left+hurt"):
        assert names(user_client, f"?search={search}") == ["Left wrist, 5 %"], search
    assert names(user_client, "?search=%25") == ["Left wrist, 5 %"]  # a sign like others
    assert names(user_client, "?search=nothing") == []
    assert "No recording matches" in user_client.get("/?search=nothing").text
    assert user_client.post(address, data={"title": "x" * 121}).status_code == 422
    assert admin_client.get(address).status_code == 404
    assert admin_client.post(address, data={"title": "mine"}).status_code == 404
    user_client.post(address, data={"title": "", "notes": ""})
    assert names(user_client) == ["walk 1.csv", "walk 0.csv"]
    user_client.post(address, data={"title": "Übung auf der Straße"})
    for search in ("übung", "U\u0308bung", "STRASSE"):
        assert names(user_client, f"?search={search}") == ["Übung auf der Straße"], search


def test_the_list_is_filtered_by_day_and_model_and_sorted(user_client: FlaskClient) -> None:
    (may,) = stored(user_client, 1, filename="May.csv", recorded=datetime(2026, 5, 3, 23, 30, tzinfo=timezone.utc))
    (june,) = stored(
        user_client, 1, filename="june.csv", folder="j", recorded=datetime(2026, 6, 1, tzinfo=timezone.utc)
    )
    (undated,) = stored(user_client, 1, filename="undated.csv", folder="u")
    assert names(user_client) == ["undated.csv", "june.csv", "May.csv"]
    assert names(user_client, "?sort=name") == ["june.csv", "May.csv", "undated.csv"]
    assert names(user_client, "?sort=recorded") == ["undated.csv", "june.csv", "May.csv"]  # by its upload, today
    assert names(user_client, "?first=2026-05-01&last=2026-05-03") == ["May.csv"]
    assert names(user_client, "?first=2026-05-04&last=2026-06-01") == ["june.csv"]
    assert names(user_client, "?first=2026-05-04&last=2026-05-04&tz=Europe/Berlin") == ["May.csv"]
    assert names(user_client, "?model=walking/1") == ["undated.csv", "june.csv", "May.csv"]
    assert names(user_client, "?model=other/1") == []
    assert names(user_client, "?first=9999-12-31&last=0001-01-01&sort=x") == names(user_client)
    assert len({may, june, undated}) == 3


def test_a_recording_knows_when_it_begins_also_one_of_an_earlier_build(
    app: Flask, user_client: FlaskClient, model: ModelVersion
) -> None:
    lines = recording_csv().decode().splitlines()
    moments = [f"{1_700_000_000 + float(line.split(',', 1)[0]):.3f},{line.split(',', 1)[1]}" for line in lines[1:]]
    send(user_client, ("\n".join([lines[0], *moments, ""]).encode(), "dated.csv"))
    recording = db.session.scalars(select(StoredRecording)).one()
    assert recording.recorded == datetime(2023, 11, 14, 22, 13, 20, tzinfo=timezone.utc)
    assert '<time class="moment" datetime="2023-11-14T22:13:20+00:00">' in user_client.get("/").text
    recording.recorded = None
    recording.facts = {key: value for key, value in recording.facts.items() if key != recordings.DATED}
    db.session.commit()
    recordings.date_earlier()
    db.session.refresh(recording)
    assert recording.recorded == datetime(2023, 11, 14, 22, 13, 20, tzinfo=timezone.utc)


def test_the_results_of_many_recordings_are_one_download(
    user_client: FlaskClient, admin_client: FlaskClient, model: ModelVersion
) -> None:
    send(user_client, (recording_csv(), "=walk.csv"), (recording_csv(9), "../run.csv"))
    first, second = sorted(db.session.scalars(select(StoredRecording.id)))
    user_client.post(f"/predictions/{first}/describe", data={"title": "Morning"})
    for table in ("bouts", "windows", "daily"):
        answer = user_client.get(f"/predictions/download?id={first}&id={second}&table={table}")
        archive = zipfile.ZipFile(io.BytesIO(answer.data))
        assert [name.split("-")[0] for name in archive.namelist()] == [str(second), str(first)]
        assert not any("/" in name or "=" in name for name in archive.namelist())
    answer = user_client.get(f"/predictions/download?id={first}&id={second}&table=windows&form=csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert {(row["file"], row["name"]) for row in rows} == {("'=walk.csv", "Morning"), ("../run.csv", "")}
    assert len(rows) == 4 + 3
    assert user_client.get("/predictions/download?all=1&search=run&form=csv").text.count("run.csv") >= 1
    assert "Morning" not in user_client.get("/predictions/download?all=1&search=run&form=csv").text
    nothing = user_client.get("/predictions/download", follow_redirects=True)
    assert "Tick the recordings to download first" in nothing.text
    others = admin_client.get(f"/predictions/download?id={first}", follow_redirects=True)
    assert "Tick the recordings" in others.text
    assert user_client.get("/predictions/download?id=1&table=x").status_code == 422


def test_a_damaged_result_does_not_end_a_download_of_many(user_client: FlaskClient, model: ModelVersion) -> None:
    send(user_client, (recording_csv(), "walk.csv"), (recording_csv(9), "run.csv"))
    newest = db.session.scalars(select(Prediction).order_by(Prediction.id.desc())).first()
    assert newest
    path = recordings.folder_of(newest.recording) / f"{newest.id}.npz"
    whole = path.read_bytes()
    path.write_bytes(b"damaged")
    archive = zipfile.ZipFile(io.BytesIO(user_client.get("/predictions/download?all=1").data))
    texts = [archive.read(name).decode() for name in archive.namelist()]
    assert "cannot be read" in texts[0]
    assert texts[1].startswith("file,name,recording")
    rows = list(csv.DictReader(io.StringIO(user_client.get("/predictions/download?all=1&form=csv").text)))
    assert [row["file"] for row in rows[-2:]] == ["walk.csv", "run.csv"]
    assert rows[-1]["activity"] == many_results.UNREADABLE
    for content in (b"", _with_a_broken_member(whole)):
        path.write_bytes(content)
        answer = user_client.get(f"/predictions/download?id={newest.recording_id}&form=csv")
        assert answer.text == f"file,name,activity\r\nrun.csv,,{many_results.UNREADABLE}\r\n"


def _with_a_broken_member(archive: bytes) -> bytes:
    """Return an archive whose first member cannot be unpacked, though all says that it is there."""
    begin = 30 + sum(int.from_bytes(archive[at : at + 2], "little") for at in (26, 28))
    return archive[:begin] + b"\xff" * 8 + archive[begin + 8 :]


def test_the_list_needs_as_many_queries_for_500_recordings_as_for_two(app: Flask, user_client: FlaskClient) -> None:
    reference_models.add_new()
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    def queries() -> int:
        statements.clear()
        assert user_client.get("/").status_code == 200
        return len(statements)

    stored(user_client, 2)
    user_client.get("/")
    event.listen(db.engine, "before_cursor_execute", note)
    try:
        few = queries()
        store_many(498)
        assert queries() == few
    finally:
        event.remove(db.engine, "before_cursor_execute", note)
    assert f">{500}<" in user_client.get("/").text
    assert len(names(user_client)) == listing.ROWS_A_PAGE
    assert len(names(user_client, "?page=20")) == listing.ROWS_A_PAGE
    assert names(user_client, "?page=999") == names(user_client, "?page=20")


def store_many(n: int) -> None:
    user_id = own_id()
    for i in range(n):
        recording = StoredRecording(
            user_id=user_id, filename=f"{i}.csv", folder=f"recording-many-{i}", facts={"minutes": 2.0, "bytes": 1}
        )
        recording.predictions.append(
            Prediction(model_label="walking/1", summary={"minutes_per_activity": {"Walk": 2.0}})
        )
        db.session.add(recording)
    db.session.commit()


def test_a_model_that_cannot_read_a_file_cannot_be_chosen_for_it(user_client: FlaskClient, model: ModelVersion) -> None:
    reference_models.add_new()
    everyday = model_versions.get("reference-everyday")
    reason = "it needs the accelerometer; the file holds only gyroscope"
    gyroscope = (recording_csv(channels=[3, 4, 5]), "gyro.csv")
    answer = send(user_client, gyroscope, headers=AS_SCRIPT, version=str(everyday.id))
    assert answer.status_code == 422
    assert answer.get_json()["unfit"] == {str(everyday.id): reason}
    disabled = rf'<option disabled value="{everyday.id}">[^<]*: cannot read this file, {reason}</option>'
    page = send(user_client, gyroscope, version=str(everyday.id))
    assert re.search(disabled, page.text)
    assert re.search(rf'<option value="{model.id}">', page.text)
    read = send(user_client, gyroscope, version=str(model.id))
    assert re.search(disabled, user_client.get(read.location).text)


def test_ordinary_users_are_not_told_names_of_settings(
    app: Flask, user_client: FlaskClient, admin_client: FlaskClient, model: ModelVersion
) -> None:
    app.config["USER_QUOTA"] = 1000
    refused = send(user_client, (recording_csv(), "walk.csv"), headers=AS_SCRIPT).get_json()["message"]
    assert "ask an administrator for more room" in refused
    assert "USER_QUOTA" not in refused
    message = send(admin_client, (recording_csv(), "walk.csv"), headers=AS_SCRIPT).get_json()["message"]
    assert "USER_QUOTA_MB" in message


def test_a_damaged_file_of_a_device_can_be_dismissed_alone(user_client: FlaskClient, model: ModelVersion) -> None:
    send(user_client, (b"   \x00" * 500, "wrist.cwa"))
    page = user_client.get("/").text
    assert "begins with the letters MD; found the bytes 20 20" in page
    assert "The file is deleted by" in page
    assert "Try again" not in page
    assert "Say what its columns are" not in page
