"""What devices may send, and what they are told: POST /api/live, by the token of a device."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, request, request_started
from flask.testing import FlaskClient
from sqlalchemy import event, select
from werkzeug.test import TestResponse

from app.extensions import db
from app.services import accounts
from app.services.live import devices, sessions
from app.services.live.engine import engine
from app.tables import Device, User
from app.web.health import metrics
from tests.live import body, document

Reading = dict[str, Any]


def reading(**changes: Any) -> Reading:
    return {"name": "totalacceleration", "time": time.time_ns(), "values": {"x": 0, "y": 9.8, "z": 0}, **changes}


@pytest.fixture
def token(app: Flask, user_client: FlaskClient) -> str:
    return devices.make(user_id(), "phone")[1]


def user_id() -> int:
    return db.session.scalars(select(User.id)).one()


def post(app: Flask, token: str, message: bytes, path: str = "/api/live", **headers: str) -> TestResponse:
    """Send a message from a device that has no cookie."""
    return app.test_client().post(path, data=message, headers={"Authorization": f"Bearer {token}", **headers})


def test_a_device_that_streams_is_said_to(app: Flask, user_client: FlaskClient, token: str) -> None:
    assert "has sent nothing yet" in user_client.get("/live/devices").text
    assert post(app, token, body()).status_code == 200
    page = user_client.get("/live/devices").text
    assert ("streams now" in page, "Connect again" in page, "is void from then on" in page) == (True, True, True)


def test_a_message_is_taken_and_its_device_is_told_so(app: Flask, token: str) -> None:
    answer = post(app, token, body())
    assert (answer.status_code, answer.get_json()["received"], answer.get_json()["wait_s"]) == (200, 1, 0)
    assert post(app, token, body(messageId=1)).get_json()["received"] == 2
    [row] = sessions.running(user_id())
    files = list((Path(app.config["UPLOADS"]) / row.folder).iterdir())
    assert sum(path.stat().st_size for path in files) > 2 * 50 * 3 * 4


@pytest.mark.parametrize(
    ("message", "named"),
    [
        (b"", "JSON"),
        (b"\xff\xfe", "JSON"),
        (b"[" * 100_000, "JSON"),
        (b"3", "the message"),
        (body(messageId=None), "messageId"),
        (body(messageId="7"), "messageId"),
        (body(messageId=-1), "messageId"),
        (body(messageId=10**30), "messageId"),
        (body(sessionId=None), "sessionId"),
        (body(sessionId=""), "sessionId"),
        (body(sessionId="s" * 65), "sessionId"),
        (body(payload=None), "payload"),
        (body(payload={}), "payload"),
        (body(payload=[3]), "payload[0]"),
        (body(payload=[reading(time="noon")]), "time of totalacceleration"),
        (body(payload=[reading(values={"x": 1})]), "values of totalacceleration"),
        (body(payload=[reading(values={"x": [1], "y": 2, "z": 3})]), "values of totalacceleration"),
        (body(payload=[reading(time=time.time_ns() // 10**6)]), "time"),  # in ms
        (body(payload=[reading(time=10**30)]), "time"),
    ],
)
def test_a_message_that_is_none_is_refused_with_what_is_wrong(
    app: Flask, token: str, message: bytes, named: str
) -> None:
    answer = post(app, token, message)
    assert (answer.status_code, answer.mimetype) == (400, "application/json")
    assert answer.get_json()["message"].startswith(named) or named in answer.get_json()["message"]
    assert sessions.running(user_id()) == []
    assert post(app, token, body()).status_code == 200  # the next one is taken


@pytest.mark.parametrize(
    "payload",
    [
        [],
        [reading(name="orientation", values={"roll": 1})],
        [reading(values={"x": float("nan"), "y": 1, "z": 2})],
        [reading(time=None)],
        [reading(values={"x": 1e30, "y": 1, "z": 2})],
        [reading(), reading()],
    ],
)
def test_a_message_without_a_usable_sample_is_taken_and_counted(app: Flask, token: str, payload: list[Reading]) -> None:
    assert post(app, token, body(payload=payload)).get_json()["received"] == 1
    engine().tick()


def test_in_mid_session_a_device_gets_the_same_answers_and_flask_is_asked_for_what_is_refused_alone(
    app: Flask, token: str
) -> None:
    asked: list[str] = []

    def note(sender: Flask, **_: object) -> None:
        asked.append(request.path)

    with request_started.connected_to(note, app):
        first, second = (post(app, token, body(messageId=i)) for i in range(2))
        assert len(asked) == 1  # it began a session
        third = post(app, token, body(messageId=2, payload={}))
        halves = post(app, token, body(messageId=3, deviceId="\ud800"))
    assert len(asked) == 2
    assert [answer.status_code for answer in (first, second, third, halves)] == [200, 200, 400, 200]
    assert second.get_json() == {**first.get_json(), "received": 2}
    assert dict(second.headers) == {name: value for name, value in first.headers.items() if name != "Vary"}
    assert 'page="api.live",status="200"} 3.0' in metrics.text().decode()


def test_a_message_that_is_too_large_is_not_read(app: Flask, token: str) -> None:
    answer = post(app, token, json.dumps(document(payload=[reading()] * 8000)).encode())
    assert (answer.status_code, answer.mimetype) == (413, "application/json")
    assert "512 kB" in answer.get_json()["message"]


def test_a_wrong_token_is_refused_and_slowed_down_and_the_right_one_is_not(app: Flask, token: str) -> None:
    assert app.test_client().post("/api/live", data=body()).status_code == 401
    assert post(app, "", body()).status_code == 401
    assert post(app, token, body()).status_code == 200
    seen = [post(app, f"{token[:-1]}{i}{i}", body()).status_code for i in range(25)]
    assert (seen[0], seen[-1]) == (401, 429)
    assert post(app, token, body(messageId=1)).status_code == 200
    answer = app.test_client().post("/api/live", data=body(messageId=2), headers={"Authorization": token})
    assert answer.status_code == 200  # without the word before it


def test_a_token_ends_at_once_when_it_is_revoked_renewed_or_its_account_is_disabled(
    app: Flask, token: str, admin_client: FlaskClient
) -> None:
    owner = db.session.scalars(select(User).where(User.username == "ursula")).one()
    chief = db.session.scalars(select(User).where(User.username == "adam")).one()
    [device] = devices.list_devices(owner.id)
    assert post(app, token, body()).status_code == 200
    new = devices.renew(owner.id, device.id)
    assert post(app, token, body(messageId=1)).status_code == 401
    assert post(app, new, body(messageId=1)).status_code == 200
    accounts.set_disabled(chief.id, owner.id, disabled=True)
    assert post(app, new, body(messageId=2)).status_code == 401
    accounts.set_disabled(chief.id, owner.id, disabled=False)
    assert post(app, new, body(messageId=2)).status_code == 200
    devices.revoke(owner.id, device.id)
    assert post(app, new, body(messageId=3)).status_code == 401
    assert sessions.running(owner.id) == []


def test_no_token_is_stored_or_written_to_a_log(app: Flask, token: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for each in (token, f"{token}x"):
        post(app, each, body())
        post(app, each, b"no JSON")
    assert token not in caplog.text
    written = [path.read_bytes() for path in Path(app.config["HAR_HOME"]).rglob("*") if path.is_file()]
    assert not any(token.encode() in content for content in written)
    assert db.session.scalars(select(Device.token_hash)).one() != token


def test_a_batch_of_a_known_session_asks_the_database_nothing(app: Flask, token: str) -> None:
    post(app, token, body())
    asked: list[str] = []

    def note(*arguments: Any) -> None:
        asked.append(arguments[2])

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        assert post(app, token, body(messageId=1)).status_code == 200
    finally:
        event.remove(db.engine, "before_cursor_execute", note)
    assert asked == []


def test_a_device_that_sends_too_much_is_told_how_long_to_wait(app: Flask, token: str) -> None:
    answers = [post(app, token, body(messageId=i)) for i in range(50)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert answers[0].status_code == 200
    assert refused
    assert 0 < refused[0].get_json()["wait_s"] <= 10
    assert int(refused[0].headers["Retry-After"]) >= 1
    other = devices.make(user_id(), "watch")[1]
    assert post(app, other, body()).status_code == 200  # what one device may send is no matter of another


def test_a_token_that_two_phones_share_gives_two_sessions_and_a_warning(app: Flask, token: str) -> None:
    for message in range(2):
        for key in ("mine", "yours"):
            post(app, token, body(messageId=message, sessionId=key))
    engine().tick()
    assert len(sessions.running(user_id())) == 2
    assert "Two devices" in post(app, token, body(messageId=2, sessionId="mine")).get_json()["message"]
    assert all("Two devices" in one["health"]["message"] for one in sessions.state(user_id())["sessions"])


def test_a_person_may_have_only_so_many_sessions(app: Flask, token: str) -> None:
    seen = [post(app, token, body(sessionId=f"s{i}")).status_code for i in range(sessions.RUNNING_EACH + 1)]
    assert seen == [200] * sessions.RUNNING_EACH + [429]


def test_on_a_full_disk_what_comes_is_recognised_and_not_kept(app: Flask, token: str) -> None:
    app.config["DISK_RESERVE"] = 2**60
    answer = post(app, token, body())
    assert (answer.status_code, "disk is full" in answer.get_json()["message"]) == (200, True)
    [stream] = sessions.live().running()
    assert len(stream.taken()) == 1
    assert not stream.folder.exists()
    app.config["DISK_RESERVE"] = 0
    sessions.live()._room_at = -100.0
    assert post(app, token, body(messageId=1)).get_json()["message"] == ""
    assert stream.folder.exists()


def test_a_session_that_its_device_ended_does_not_begin_again_by_what_was_on_the_way(app: Flask, token: str) -> None:
    post(app, token, body())
    end: Callable[[], TestResponse] = lambda: post(app, token, b'{"sessionId": "walk"}', "/api/live/end")  # noqa: E731
    assert end().get_json() == {"ended": True}
    assert end().status_code == 404
    assert post(app, token, body(messageId=1)).get_json()["received"] == 0
    assert sessions.running(user_id()) == []


def test_a_session_that_was_ended_on_the_page_goes_on_as_another(app: Flask, token: str) -> None:
    post(app, token, body())
    [row] = sessions.running(user_id())
    sessions.end(user_id(), row.id)
    assert post(app, token, body(messageId=1)).get_json()["received"] == 1
    assert [other.key for other in sessions.running(user_id())] == ["walk~2"]


def test_the_address_takes_nothing_else(app: Flask, token: str) -> None:
    assert app.test_client().get("/api/live").status_code == 405
    assert post(app, token, b"[]", "/api/live/end").status_code == 422
    assert post(app, token, b'{"sessionId": 3}', "/api/live/end").status_code == 422
