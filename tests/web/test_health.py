"""The health page and the metrics: what they say, to whom, and that they say nothing of anybody."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text

from app.extensions import db
from app.services import accounts, room
from app.services.errors import NoRoom
from app.services.live import engine
from app.tables import StoredRecording, TrainingRun
from app.tables.training_run import RunStatus
from tests import postgresql
from tests.conftest import PASSWORD

TOKEN = "a token of twenty letters"


def metrics(client: FlaskClient, **headers: str) -> dict[tuple[str, ...], float]:
    """Return what Prometheus would read, by name and the values of labels, in the order of their names."""
    answer = client.get("/metrics", headers=headers)
    assert answer.status_code == 200, answer.text
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_a_server_that_works_is_live_and_ready(client: FlaskClient) -> None:
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json) == (200, {"live": True, "ready": True, "problems": {}})
    assert answer.headers["Cache-Control"] == "no-store"
    assert client.get("/healthz/live").text == "live\n"


def full(*_: object) -> None:
    raise NoRoom


def spoil_disk(app: Flask, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(room, "require", full)


def spoil_engine(app: Flask, patch: pytest.MonkeyPatch) -> None:
    engine.engine().beat = time.monotonic() - 61


def spoil_version(app: Flask, patch: pytest.MonkeyPatch) -> None:
    db.session.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    db.session.commit()


def spoil_database(app: Flask, patch: pytest.MonkeyPatch) -> None:
    db.session.remove()
    db.engine.dispose()
    postgresql.forget(app.config["HAR_HOME"])
    (app.config["INSTANCE"] / "kinelab.sqlite").write_bytes(b"no database at all, but as long as a header is" * 9)


@pytest.mark.parametrize(
    ("spoil", "what", "why"),
    [
        (spoil_disk, "disk", "reserve"),
        (spoil_engine, "engine", "not recognised"),
        (spoil_version, "database", "another version"),
        (spoil_database, "database", "does not answer"),
    ],
)
def test_a_server_that_does_not_work_says_what_is_wrong_and_is_live(
    spoil: Callable[[Flask, pytest.MonkeyPatch], None],
    what: str,
    why: str,
    app: Flask,
    client: FlaskClient,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spoil(app, monkeypatch)
    for _ in range(2):
        answer = client.get("/healthz")
        assert answer.status_code == 503
        assert answer.json["ready"] is False
        assert list(answer.json["problems"]) == [what]
        assert why in answer.json["problems"][what]
    assert client.get("/healthz/live").status_code == 200
    found = metrics(client)
    assert (found["kinelab_ready", what], sum(found["kinelab_ready", each] for each in ("database", "disk"))) in (
        (0.0, 1.0),
        (0.0, 2.0),
    )
    assert "refus" not in "".join(path.read_text() for path in app.config["INSTANCE"].glob("audit/*.jsonl"))


def test_metrics_say_how_much_there_is_and_how_long_it_takes(app: Flask, user_client: FlaskClient) -> None:
    db.session.add(TrainingRun(status=RunStatus.FAILED, config={}, result={}))
    db.session.commit()
    user_client.get("/")
    user_client.get("/no/such/page")
    found = metrics(user_client)
    assert found["kinelab_requests_total", "GET", "home.index", "200"] == 1
    assert found["kinelab_requests_total", "GET", "none", "404"] == 1
    assert found["kinelab_request_seconds_count", "home.index"] == 1
    assert 0 < found["kinelab_request_seconds_sum", "home.index"] < 30
    assert found["kinelab_trainings", "failed"] == 1
    assert found["kinelab_messages", "waiting"] == 0
    assert found["kinelab_live_sessions",] == 0
    assert found["kinelab_disk_free_bytes", "uploads"] > 0
    assert found["kinelab_database_bytes",] > 100_000
    assert found["kinelab_last_backup_timestamp_seconds",] == 0
    assert found["process_resident_memory_bytes",] > 10**6


def test_neither_page_names_anybody(app: Flask, client: FlaskClient) -> None:
    accounts.register("wilhelmina", PASSWORD, "+44 20 7946 0999", "w@hidden.example", "7 Quiet Lane")
    user = accounts.find("wilhelmina")
    recording = StoredRecording(user_id=user.id, filename="diary.csv", folder="recording-secret", facts={})
    db.session.add(recording)
    db.session.commit()
    client.post("/login", data={"username": "wilhelmina", "password": PASSWORD})
    client.get(f"/predictions/{recording.id}")
    client.get("/no/such/wilhelmina")
    said = client.get("/healthz").text + client.get("/metrics").text
    assert not re.search("wilhelmina|hidden|0999|Quiet|diary|secret|127.0.0.1", said)


@pytest.mark.parametrize(
    ("settings", "request_", "status"),
    [
        ({}, {}, 200),
        ({}, {"base_url": "http://[::1]:5000", "environ_base": {"REMOTE_ADDR": "::1"}}, 200),
        ({}, {"environ_base": {"REMOTE_ADDR": "192.0.2.7"}}, 403),
        ({}, {"headers": {"X-Forwarded-For": "192.0.2.7"}}, 403),
        ({}, {"headers": {"Via": "1.1 Caddy"}}, 403),
        ({}, {"base_url": "http://kinelab.example.org"}, 403),
        ({"SESSION_COOKIE_SECURE": True}, {}, 403),
        ({"SESSION_COOKIE_SECURE": True, "PROXIES": 1}, {}, 200),
        ({"METRICS_TOKEN": TOKEN}, {}, 403),
        ({"METRICS_TOKEN": TOKEN}, {"headers": {"Authorization": "Bearer another token"}}, 403),
        ({"METRICS_TOKEN": TOKEN}, {"headers": {"Authorization": "Bearer ä"}}, 403),
        (
            {"METRICS_TOKEN": TOKEN},
            {"headers": {"Authorization": f"Bearer {TOKEN}"}, "environ_base": {"REMOTE_ADDR": "192.0.2.7"}},
            200,
        ),
    ],
)
def test_metrics_are_for_programs_of_this_machine_or_with_the_token(
    app: Flask, client: FlaskClient, settings: dict[str, object], request_: dict[str, object], status: int
) -> None:
    app.config.update(settings)
    assert client.get("/metrics", **request_).status_code == status
