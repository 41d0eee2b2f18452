"""Programs are told of corrections and erasures: signed, once or under the same number, whatever happens on the way."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from app.extensions import db
from app.services.alarms import outbox, sending, targets
from app.services.alarms.outbox import DEAD, EVENTS, SENT, WAITING
from app.services.errors import Conflict, Invalid, NotFound
from app.services.personal import corrections
from app.services.privacy import erasing
from app.services.recordings import recordings
from app.services.subscriptions import events, standard_webhooks, subscriptions
from app.services.subscriptions.events import EventType
from app.services.transaction import transaction
from app.tables import ModelVersion, NoticeTarget, Prediction
from tests.api import call, person, token_of
from tests.corrected import correct, recorded
from tests.fhir import resources
from tests.hooks import served
from tests.services.alarm_people import notices, raised

ALL = [event.value for event in EventType]


@dataclass
class Told:
    """A person whose program is told of everything, at a port where perhaps nobody is."""

    user_id: int
    target: NoticeTarget
    secret: str
    port: int
    prediction: Prediction

    def correct(self, name: str = "Rowing") -> None:
        correct(self.prediction, recordings.result_of(self.prediction), name)


@pytest.fixture
def told(app: Flask, model: ModelVersion) -> Iterator[Told]:
    user_id = person("ursula")
    prediction = recorded(app, user_id, model)
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    app.config["WEBHOOK_HOSTS"] = (f"127.0.0.1:{port}",)
    target, secret = subscriptions.add(user_id, f"http://127.0.0.1:{port}/hook", ALL)
    yield Told(user_id, target, secret, port, prediction)
    db.session.rollback()


def send_all(later_s: float = 0.0) -> None:
    while sending.send_next(EVENTS, lambda: time.time() + later_s):
        pass


def read(secret: str, headers: dict[str, str], body: bytes) -> dict[str, Any]:
    """Read a message as a receiver does that knows the standard and not our code."""
    key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    assert 24 <= len(key) <= 64
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < 60
    message: dict[str, Any] = json.loads(body)
    assert set(message) == {"type", "timestamp", "data"}
    return message


def messages(told: Told, server: Any) -> list[dict[str, Any]]:
    return [read(told.secret, headers, body) for headers, body in server.got]


def test_a_correction_and_an_erasure_arrive_and_what_they_name_can_be_read(app: Flask, told: Told) -> None:
    app.config["SITE_URL"] = "https://kinelab.example"
    token, number = token_of(told.user_id, "recordings:read"), told.prediction.recording_id
    with served(port=told.port) as server:
        told.correct()
        send_all()
        [corrected] = messages(told, server)
        assert (corrected["type"], corrected["data"]["status"]) == ("result.corrected", "corrected")
        address = corrected["data"]["fhir"].removeprefix("https://kinelab.example")
        bundle = call(app, token, "GET", address).json
        assert "corrected" in {each["status"] for each in resources(bundle, "Observation")}
        assert resources(bundle, "Patient")[0]["id"] == corrected["data"]["person"]
        source = resources(bundle, "Provenance")[0]["entity"][0]["what"]["identifier"]["value"]
        assert source == f"urn:uuid:{corrected['data']['recording']}"
        recordings.delete(told.user_id, number)
        send_all()
        erased = messages(told, server)[1]
        assert erased["type"] == "recording.erased"
        assert erased["data"] == {
            "person": corrected["data"]["person"],
            "recording": corrected["data"]["recording"],
            "number": number,
            "status": "entered-in-error",
        }
        assert call(app, token, "GET", address).status_code == 404
        erasing.erase(told.user_id)
        send_all()
        last = messages(told, server)[2]
        assert last["type"] == "person.erased"
        assert last["data"] == {"person": corrected["data"]["person"], "status": "entered-in-error"}
    said = b"".join(body for _, body in server.got)  # type: ignore[attr-defined]
    assert not any(word in said for word in (b"Rowing", b"ursula", b"walk.csv"))


def test_a_result_is_told_when_it_is_there(app: Flask, told: Told, model: ModelVersion) -> None:
    with served(port=told.port) as server:
        prediction = recorded(app, told.user_id, model)
        send_all()
        [ready] = messages(told, server)
    assert (ready["type"], ready["data"]["status"]) == ("result.ready", "final")
    assert ready["data"]["fhir"] == f"/api/v1/recordings/{prediction.recording_id}/answers/fhir"


def test_what_is_taken_back_is_told_too(told: Told) -> None:
    with served(port=told.port) as server:
        told.correct()
        send_all()
        batch = corrections.of_recording(told.prediction.recording)[0].batch
        corrections.undo(told.user_id, told.prediction.recording_id, batch)
        send_all()
        assert [each["type"] for each in messages(told, server)] == ["result.corrected"] * 2


def test_a_program_that_was_down_is_told_when_it_is_up_also_by_another_server(told: Told) -> None:
    told.correct()
    send_all()  # nobody listens
    db.session.expire_all()
    assert "does not answer" in told.target.last_error
    [waiting] = notices(WAITING)
    assert waiting.tries == 1
    with served(503, told.port) as server:
        send_all(60)
        assert len(server.got) == 1  # type: ignore[attr-defined]
    db.session.remove()  # all that is known is in the table
    with served(port=told.port) as server:
        send_all(600)
        send_all(1200)
        [message] = messages(told, server)
    assert message["type"] == "result.corrected"
    assert subscriptions.list_of(told.user_id)[0].last_error == ""


def test_what_comes_twice_after_a_death_has_the_same_number(told: Told) -> None:
    told.correct()
    with served(port=told.port) as server:
        claimed = outbox.claim(EVENTS, time.time())
        assert claimed is not None
        notice = outbox.get(claimed)
        standard_webhooks.send(notice.target.address, events.of(notice))  # and the server dies
        send_all()
        assert len(server.got) == 1  # type: ignore[attr-defined]
        send_all(outbox.STALE_S + 1)
        first, second = (headers["webhook-id"] for headers, _ in server.got)  # type: ignore[attr-defined]
    assert first == second


def test_that_somebody_was_erased_is_told_although_nothing_else_of_them_is_left(told: Told) -> None:
    told.correct()
    erasing.erase(told.user_id)
    send_all()  # nobody listens
    [notice] = notices()
    target = notice.target
    assert (notice.event, notice.state, notice.about) == ("person.erased", WAITING, "")
    assert (target.user_id, set(notice.facts)) == (None, {"id", "person"})
    with served(port=told.port) as server:
        send_all(60)
        assert [each["type"] for each in messages(told, server)] == ["person.erased"]
    assert notices() == []
    assert db.session.scalars(select(NoticeTarget)).all() == []


def test_what_cannot_be_told_of_somebody_erased_is_given_up(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "MAX_TRIES", 2)
    erasing.erase(told.user_id)
    send_all()
    assert len(notices(WAITING)) == 1
    send_all(60)
    assert notices() == []
    assert db.session.scalars(select(NoticeTarget)).all() == []


def test_a_program_that_fails_for_ever_leaves_a_dead_letter_and_one_that_is_gone_is_switched_off(told: Told) -> None:
    told.correct()
    with served(410, told.port):
        send_all()
    assert [each.state for each in notices()] == [DEAD]
    db.session.expire_all()
    assert not told.target.switched_on
    told.correct("Swimming")
    assert [each.state for each in notices()] == [DEAD]  # of what happens now it is told nothing


def test_the_same_is_told_once_while_it_waits_and_nothing_but_the_erasure_of_what_is_erased(told: Told) -> None:
    for name in ("Rowing", "Swimming", "Climbing"):
        told.correct(name)
    assert [each.event for each in notices(WAITING)] == ["result.corrected"]
    recordings.delete(told.user_id, told.prediction.recording_id)
    assert [each.event for each in notices(WAITING)] == ["recording.erased"]


def test_only_what_was_asked_for_of_ones_own_recordings_is_told(app: Flask, told: Told, model: ModelVersion) -> None:
    subscriptions.remove(told.user_id, told.target.id)
    other = person("otto")
    subscriptions.add(other, f"http://127.0.0.1:{told.port}/hook", ["recording.erased"])
    told.correct()
    correct(theirs := recorded(app, other, model), recordings.result_of(theirs), "Rowing")
    assert notices() == []
    raised(other)  # an alarm goes to no program of this kind
    assert notices() == []
    with pytest.raises(NotFound):
        subscriptions.remove(told.user_id, subscriptions.list_of(other)[0].id)


def test_a_transaction_that_fails_tells_nothing(told: Told) -> None:
    def fails() -> None:
        with transaction():
            events.put(EventType.READY, told.user_id, told.prediction.recording_id)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fails()
    assert notices() == []


def test_a_program_inside_is_told_nothing_unless_an_administrator_allows_it(app: Flask, told: Told) -> None:
    app.config["WEBHOOK_HOSTS"] = ()
    with pytest.raises(Invalid, match="https"):
        subscriptions.add(told.user_id, "http://127.0.0.1/", ALL)
    with pytest.raises(Invalid, match="Choose"):
        subscriptions.add(told.user_id, "https://example.org/", ["everything"])
    subscriptions.add(told.user_id, "https://localhost/hook", ALL)
    subscriptions.remove(told.user_id, told.target.id)
    told.correct()
    send_all()
    [letter] = outbox.dead()
    assert "not on the public internet" in letter.error


def test_a_test_tells_of_nothing_and_is_sent_only_so_often(told: Told) -> None:
    subscriptions.switch(told.user_id, told.target.id, False)
    with served(port=told.port) as server:
        subscriptions.test(told.user_id, told.target.id)
        send_all()
        [message] = messages(told, server)
    assert (message["type"], message["data"]) == ("test", {"text": "Nothing has happened."})
    assert [each.state for each in notices()] == [SENT]
    for _ in range(targets.TESTS_AN_HOUR - 1):
        subscriptions.test(told.user_id, told.target.id)
    with pytest.raises(Conflict):
        subscriptions.test(told.user_id, told.target.id)
