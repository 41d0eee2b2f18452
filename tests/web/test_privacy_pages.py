"""What people see and do about their own data: download everything, see who looked, agree and take back, be erased."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import timedelta
from unittest.mock import Mock
from zipfile import ZipFile

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import update

from app.extensions import db
from app.services import accounts, audit, consents, keys, sealing
from app.services.datasets import exports
from app.services.errors import NoRoom
from app.services.privacy import retention
from app.services.purposes import Purpose
from app.services.recordings import recordings, slot_files
from app.tables import StoredRecording
from app.tables._columns import now
from tests.conftest import PASSWORD
from tests.services.test_audit import lines
from tests.services.test_erasing import furnish, traces

Clients = Callable[..., FlaskClient]


def test_everything_about_a_person_comes_as_one_zip(app: Flask, log_in: Clients) -> None:
    client, other = log_in("ursula"), log_in("otto")
    user = furnish(app, accounts.find("ursula"))
    furnish(app, accounts.find("otto"))
    own = db.session.query(StoredRecording).filter_by(user_id=user.id).order_by(StoredRecording.id).first()
    with sealing.created(recordings.folder_of(own) / slot_files.FILE, keys.of(user.id)) as file:
        file.write(b"slots of ursula")
    answer = client.get("/account/everything.zip", buffered=True)
    assert answer.headers["Content-Disposition"].endswith("everything-about-me.zip")
    with ZipFile(io.BytesIO(answer.data)) as archive:
        names = {name.removeprefix("kinelab/") for name in archive.namelist()}
        tables = {name: json.loads(archive.read(f"kinelab/{name}")) for name in names if name.startswith("tables/")
                  and name.endswith(".json")}  # fmt: skip
        first = tables["tables/recordings.json"][0]["id"]
        assert archive.read(f"kinelab/recordings/{first}/walk.csv") == b"samples of ursula"
        assert archive.read(f"kinelab/recordings/{first}/slots.npz") == b"slots of ursula"
        page = archive.read("kinelab/index.html").decode()
        lines = archive.read("kinelab/audit.jsonl").decode().splitlines()
        whole = b"".join(archive.read(name) for name in archive.namelist())
    assert tables["tables/account.json"][0]["email"] == "ursula@example.org"
    assert "password_hash" not in tables["tables/account.json"][0]
    assert [len(tables[f"tables/{name}.json"]) for name in ("recordings", "caregivers", "consents")] == [2, 1, 1]
    assert {json.loads(line)["actor"] for line in lines} >= {"ursula"}
    assert all(f'href="{name}"' in page for name in names - {"index.html"} if " " not in name)
    assert b"otto" not in whole
    assert other.get("/account/data").status_code == 200


def test_a_download_that_fails_before_it_begins_keeps_no_place_and_one_too_many_is_refused_in_words(
    app: Flask, log_in: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = log_in("ursula")
    with monkeypatch.context() as patch:
        patch.setattr(audit, "record", Mock(side_effect=NoRoom))
        for _ in range(exports.MOST_AT_ONCE):
            assert client.get("/account/everything.zip").status_code == 507
    others = [exports.begin() for _ in range(exports.MOST_AT_ONCE)]
    refused = [client.get(f"/account/{name}") for name in ("everything.zip", "activities.json")]
    for give_back in others:
        give_back()
    assert [answer.status_code for answer in refused] == [503, 503]
    assert client.get("/account/everything.zip").mimetype == "application/zip"


def test_a_damaged_file_keeps_nobody_from_the_rest_of_what_is_theirs(app: Flask, log_in: Clients) -> None:
    client = log_in("ursula")
    user = furnish(app, accounts.find("ursula"))
    first, second = db.session.query(StoredRecording).filter_by(user_id=user.id).order_by(StoredRecording.id)
    path = recordings.uploaded_file(first)
    with sealing.created(path, keys.of(user.id)) as file:
        file.write(b"samples")
    path.write_bytes(path.read_bytes()[:-1])
    with ZipFile(io.BytesIO(client.get("/account/everything.zip", buffered=True).data)) as archive:
        assert archive.testzip() is None
        page = archive.read("kinelab/index.html").decode()
        assert archive.read(f"kinelab/recordings/{second.id}/{second.filename}")
    assert page.count("(damaged: as far as it can be read)") == 1


def test_agreeing_twice_and_taking_back_what_was_not_given_leaves_no_line(app: Flask, log_in: Clients) -> None:
    client = log_in("ursula")
    for action, version in (("withdraw", 0), ("give", 1), ("give", 1), ("withdraw", 0), ("withdraw", 0)):
        client.post(f"/account/consents/federation/{action}", data={"version": version})
    said = [line["action"] for line in lines(app) if line["object"] == Purpose.FEDERATION.value]
    assert said == ["consent given", "consent withdrawn"]


def test_a_person_sees_who_looked(app: Flask, log_in: Clients, admin_client: FlaskClient) -> None:
    client, number = log_in("ursula"), accounts.find("ursula").id
    assert "Nobody but you" in client.get("/account/looked").text
    admin_client.get(f"/admin/users/{number}")
    admin_client.get(f"/admin/users/{number}")
    admin_client.post(f"/admin/users/{number}/state", data={"state": "enabled"})  # which logs them out
    client.post("/login", data={"username": "ursula", "password": PASSWORD})
    text = client.get("/account/looked").text
    assert text.count('<td data-label="Who">adam</td>') == 2
    assert "Looked at" in text
    assert "Account changed" in text
    assert "Nobody but you" in admin_client.get("/account/looked").text


def test_each_consent_is_taken_back_and_given_on_its_page(app: Flask, log_in: Clients) -> None:
    client, number = log_in("ursula"), accounts.find("ursula").id
    for purpose in (Purpose.RECOGNITION, Purpose.LIVE, Purpose.FEDERATION):
        address = f"/account/consents/{purpose.name.lower()}"
        for action, holds in (("give", True), ("withdraw", False), ("give", True)):
            client.post(f"{address}/{action}", data={"version": consents.version_of(purpose)})
            db.session.expire_all()
            assert consents.holds(purpose, number) is holds
        client.post(f"{address}/give", data={"version": 99})
    text = client.get("/account/consents").text
    assert "The text has changed" in text
    assert text.count("<strong>You agreed</strong>") == 3
    assert text.count("taken back") == 3


def test_who_erases_themselves_is_told_what_goes_and_is_gone(app: Flask, log_in: Clients) -> None:
    client = log_in("ursula")
    user = furnish(app, accounts.find("ursula"))
    number = user.id
    assert "Erase me" in client.get("/account/delete").text
    assert client.post("/account/delete", data={"password": "wrong"}).status_code == 422
    assert client.post("/account/delete", data={"password": PASSWORD}).status_code == 302
    assert traces(app, number, "ursula") == []
    text = log_in("adam", role="admin").get("/admin/retention").text
    assert "Erasure 1" in text
    assert "nothing is left" in text
    assert "ursula" not in text


def test_a_recording_that_its_owner_deletes_meanwhile_holds_up_nothing(
    app: Flask, log_in: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    log_in("ursula")
    user = furnish(app, accounts.find("ursula"))
    db.session.execute(update(StoredRecording).values(created=now() - timedelta(days=40)))
    db.session.commit()
    retention.change({"recordings": 30})
    delete = recordings.delete

    def too_late(user_id: int, number: int) -> None:
        delete(user_id, number)
        delete(user_id, number)

    monkeypatch.setattr(recordings, "delete", too_late)
    assert retention.apply() == {"recordings": 2}
    assert db.session.query(StoredRecording).filter_by(user_id=user.id).count() == 0


def test_retention_is_previewed_before_it_is_kept_and_then_applied(
    app: Flask, log_in: Clients, admin_client: FlaskClient
) -> None:
    log_in("ursula")
    user = furnish(app, accounts.find("ursula"))
    old = db.session.query(StoredRecording).filter_by(user_id=user.id).first()
    assert old is not None
    old.created = now() - timedelta(days=40)
    db.session.commit()
    days = {"recordings": "30", "live": "", "alarms": "90"}
    text = admin_client.get("/admin/retention", query_string=days).text
    assert "nothing is changed yet" in text
    assert "1 of 1 person" in text
    assert retention.rules() == {}
    assert retention.apply() == {}
    assert admin_client.post("/admin/retention", data=days | {"alarms": "-1"}).status_code == 422
    assert admin_client.post("/admin/retention", data=days).status_code == 302
    assert retention.rules() == {"recordings": 30, "alarms": 90}
    assert retention.apply() == {"recordings": 1}
    assert db.session.query(StoredRecording).filter_by(user_id=user.id).count() == 1
    assert retention.apply() == {}
