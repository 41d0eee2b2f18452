"""The pages of alarms: who sees what, what each may do, rules, notices, and messages that could not be sent."""

from __future__ import annotations

import io
import json
import re
import time
from collections.abc import Callable
from zipfile import ZipFile

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.extensions import db
from app.services import accounts, falls
from app.services.alarms import alarms, life, outbox, rules, targets
from app.services.care import people
from app.services.live import hub, sessions
from app.services.transaction import transaction
from app.tables import Alarm, Notice, NoticeTarget
from config import ROOT
from tests.web.test_care import agree

FALL = {"peak_g": 3.2, "score": 0.8, "method": "threshold"}


def id_of(name: str) -> int:
    return accounts.find(name).id


def fall_of(name: str, ago_s: float) -> Alarm:
    """Let somebody fall so long ago; after two seconds the countdown begins, after minutes the alarm is raised."""
    at = time.time() - ago_s
    alarm = alarms.notice(id_of(name), life.FALL, {**FALL, "time_s": at}, None, at)
    assert alarm is not None
    while alarms.tick(min(at := at + 40, time.time())) or at < time.time():
        pass
    return db.session.get_one(Alarm, alarm.id)


def address_of(name: str) -> NoticeTarget:
    """Give somebody an address for notices, as it is kept."""
    with transaction() as session:
        target = NoticeTarget(user_id=id_of(name), channel="mail", address={"to": f"{name}@example.org"})
        session.add(target)
    return target


def bar(client: FlaskClient) -> str:
    return re.sub(r"<[^>]+>", " ", re.search(r'<ul class="navbar-nav.*?</ul>', client.get("/account/").text, re.S)[0])


def test_a_person_stops_the_countdown_and_nobody_else_learns_of_it(
    user_client: FlaskClient, caregiver_client: FlaskClient
) -> None:
    agree(user_client)
    alarm = fall_of("ursula", 20)
    assert "1 open" in " ".join(bar(user_client).split())
    text = user_client.get(f"/alarms/{alarm.id}").text
    left = float(re.search(r'data-left="([\d.]+)"', text)[1])
    assert 60 < left <= 90
    assert "not a medical device" in text
    for client, status in ((caregiver_client, 404), (user_client, 302)):
        assert client.post(f"/alarms/{alarm.id}/cancel", data={"verdict": "false"}).status_code == status
    assert (alarm.state, alarm.verdict) == ("closed", "false")
    assert "false alarm" in user_client.get("/alarms/").text
    assert caregiver_client.get(f"/alarms/{alarm.id}").status_code == 404
    assert "fall" not in caregiver_client.get("/alarms/").text.split("honesty")[0]


def test_a_caregiver_looks_after_an_alarm_and_says_what_it_was(
    user_client: FlaskClient, caregiver_client: FlaskClient, log_in: Callable[..., FlaskClient]
) -> None:
    agree(user_client)
    alarm = fall_of("ursula", 200)
    page = f"/alarms/{alarm.id}"
    assert "ursula" in caregiver_client.get("/people").text
    assert f'href="{page}"' in caregiver_client.get("/people").text
    assert "I look after it" in caregiver_client.get(page).text
    assert "I’m fine" not in caregiver_client.get(page).text
    assert caregiver_client.post(f"{page}/acknowledge").status_code == 302
    late = user_client.post(f"{page}/acknowledge", follow_redirects=True)
    assert "cannot be" in late.text
    answer = {"verdict": "true", "why": "slipped <b>in</b> the bath"}
    assert "is closed" in caregiver_client.post(f"{page}/close", data=answer, follow_redirects=True).text
    text = user_client.get(page).text
    assert re.search(r"carla: Closed</strong> – slipped &lt;b&gt;in&lt;/b&gt; the bath", text)
    stranger = log_in("carlos", role="caregiver")
    for client in (stranger, log_in("olga"), log_in("adam", role="admin")):
        assert client.get(page).status_code == 404, "neither another caregiver, user nor administrator"
        assert client.post(f"{page}/close", data=answer).status_code == 404


def test_without_consent_a_caregiver_sees_nothing_and_after_it_ends_nothing_more(
    user_client: FlaskClient, caregiver_client: FlaskClient
) -> None:
    alarm = fall_of("ursula", 200)
    for page in ("/people", "/alarms/"):
        assert "ursula" not in caregiver_client.get(page).text
    assert "open" not in bar(caregiver_client)
    assert caregiver_client.post(f"/alarms/{alarm.id}/acknowledge").status_code == 404
    agree(user_client)
    assert "1 open" in " ".join(bar(caregiver_client).split())
    withdraw = re.search(r'action="(/caregivers/\d+/withdraw)"', user_client.get("/caregivers").text)[1]
    user_client.post(withdraw)
    for page in ("/people", "/alarms/"):
        assert "ursula" not in caregiver_client.get(page).text
    assert caregiver_client.get(f"/alarms/{alarm.id}").status_code == 404


@pytest.mark.parametrize(
    ("action", "answers", "status"),
    [("cancel", {"verdict": "maybe"}, 422), ("close", {"verdict": "false", "why": "x" * 201}, 422),
     ("raise", {}, 404), ("cancel", {"verdict": "true"}, 302)],
)  # fmt: skip
def test_only_what_an_alarm_takes_is_taken(
    user_client: FlaskClient, action: str, answers: dict[str, str], status: int
) -> None:
    alarm = fall_of("ursula", 20)
    assert user_client.post(f"/alarms/{alarm.id}/{action}", data=answers).status_code == status


def test_a_rule_is_changed_and_what_cannot_be_is_said_at_its_field(user_client: FlaskClient) -> None:
    assert "Falls: reference-falls, trained on UMAFall" in user_client.get("/alarms/rules").text
    with user_client.application.app_context():
        falls.use("threshold")
    text = user_client.get("/alarms/rules").text
    assert "Usually 30; 5 to 300" in text
    assert "threshold method (impact, turn and stillness; untrained)" in text
    assert "from 0.50 on, as for everybody" in text
    fall_of("ursula", 20)
    user_client.post(f"/alarms/{alarms.live_of(id_of('ursula'))[0].id}/cancel", data={"verdict": "false"})
    assert "from 0.60 on; for others it is 0.50" in user_client.get("/alarms/rules").text
    answers = {"switched_on": "1", "countdown_s": "45"}
    assert user_client.post("/alarms/rules/fall", data=answers).status_code == 302
    assert rules.of(id_of("ursula"), "fall").number("countdown_s") == 45
    refused = user_client.post("/alarms/rules/fall", data={"countdown_s": "soon"})
    assert refused.status_code == 422
    assert re.search(r'id="fall-countdown_s"[^>]*value="soon"[^>]*aria-invalid="true"', refused.text)
    assert "Then count down must be a number from 5 to 300" in refused.text
    assert user_client.post("/alarms/rules/quiet", data={"zone": "Nowhere"}).status_code == 422
    assert user_client.post("/alarms/rules/nothing", data={}).status_code == 404


def test_a_test_goes_to_everybody_who_would_be_told(user_client: FlaskClient, caregiver_client: FlaskClient) -> None:
    test = "/alarms/rules/test"
    assert "Nobody would be told" in user_client.post(test, follow_redirects=True).text
    address_of("ursula")
    address_of("carla")
    assert "A test message is" in user_client.post(test, follow_redirects=True).text
    agree(user_client)
    assert "2 test messages are" in user_client.post(test, follow_redirects=True).text


def test_a_target_is_tested_switched_and_removed_by_its_owner_alone(
    user_client: FlaskClient, caregiver_client: FlaskClient
) -> None:
    target = address_of("carla")
    with transaction():
        target.last_error = "550 no such mailbox"
    page = caregiver_client.get("/alarms/notices").text
    assert "carla@example.org" in page
    assert "550 no such mailbox" in page
    for action in ("test", "off", "remove"):
        assert user_client.post(f"/alarms/notices/{target.id}/{action}").status_code == 404
    assert caregiver_client.post(f"/alarms/notices/{target.id}/test").status_code == 302
    assert db.session.query(Notice).one().target_id == target.id
    caregiver_client.post(f"/alarms/notices/{target.id}/off")
    assert not targets.list_of(id_of("carla"))[0].switched_on
    caregiver_client.post(f"/alarms/notices/{target.id}/remove")
    assert "You are told nowhere" in caregiver_client.get("/alarms/notices").text


def test_the_secret_of_a_webhook_is_shown_once(user_client: FlaskClient) -> None:
    refused = user_client.post("/alarms/notices/webhook", data={"url": "ftp://example.org"})
    assert refused.status_code == 422
    assert 'aria-invalid="true"' in refused.text
    added = user_client.post("/alarms/notices/webhook", data={"url": "https://example.org/hook"})
    secret = targets.list_of(id_of("ursula"))[0].address["secret"]
    assert secret in added.text
    page = user_client.get("/alarms/notices").text
    assert ("https://example.org/hook" in page, secret in page) == (True, False)
    with ZipFile(io.BytesIO(user_client.get("/account/everything.zip", buffered=True).data)) as archive:
        told = archive.read("kinelab/tables/where messages go.json").decode()
    assert ("https://example.org/hook" in told, secret in told) == (True, False)


def test_how_often_falls_are_recognised_is_said_of_what_watches(app: Flask, user_client: FlaskClient) -> None:
    app.config["REFERENCE_MODELS"] = ROOT / "reference_models"
    row = json.loads((ROOT / "reference_models/falls/reference-falls/measured.json").read_text("utf-8"))
    page = user_client.get("/alarms/").text
    assert "reference-falls" in page
    assert f"{100 * float(row['sisfall, adults']['sensitivity'][:6]):.0f}\N{NO-BREAK SPACE}% (" in page
    falls.use("threshold")
    assert len(rows := falls.measured()) == len(falls.MEASURED)
    page = user_client.get("/alarms/").text
    assert "threshold method" in page
    assert all(each.told in page and each.an_hour in page for each in rows)


def test_a_browser_subscribes_and_a_wrong_subscription_is_refused_in_json(app: Flask, user_client: FlaskClient) -> None:
    app.config["VAPID_CONTACT"] = "mailto:lab@university.edu"
    assert re.search(r'data-key="[\w-]{80,}"', user_client.get("/alarms/notices").text)
    refused = user_client.post(
        "/alarms/notices/push", data={"endpoint": "https://push.example.com/1"}, headers={"Accept": "application/json"}
    )
    assert refused.status_code == 422
    assert "p256dh" in refused.json["message"]


def test_the_service_worker_comes_from_the_root(client: FlaskClient) -> None:
    response = client.get("/service-worker.js")
    assert response.mimetype in {"text/javascript", "application/javascript"}
    assert response.headers["Cache-Control"] == "no-cache"
    assert "showNotification" in response.text


def test_an_administrator_sends_a_dead_letter_again_and_sees_not_of_whom_it_tells(
    user_client: FlaskClient, caregiver_client: FlaskClient, admin_client: FlaskClient
) -> None:
    agree(user_client)
    address_of("carla")
    fall_of("ursula", 200)
    with transaction():
        notice = db.session.query(Notice).first()
        notice.state, notice.error = outbox.DEAD, "550 no such mailbox"
    text = admin_client.get("/alarms/outbox").text
    assert ("carla" in text, "550 no such mailbox" in text, "ursula" in text) == (True, True, False)
    address = f"/alarms/outbox/{notice.id}"
    assert user_client.post(f"{address}/again").status_code == 403
    admin_client.post(f"{address}/again")
    assert db.session.get_one(Notice, notice.id).state == outbox.WAITING
    assert admin_client.post(f"{address}/forget").status_code == 404


def window(answer: str, at: float) -> dict[str, object]:
    return {"start_s": at - 3, "end_s": at, "answer": answer, "open": "", "colour": "#123456", "confidence": 0.9}


def test_a_caregivers_page_is_sent_what_a_person_does_and_since_when_until_they_take_it_back(
    user_client: FlaskClient, caregiver_client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    agree(user_client)
    ursula, carla = id_of("ursula"), id_of("carla")
    windows = [window("Lying", 100.0), window("Walking", 101.0), window("Walking", 102.0)]
    running = [{"session": 7, "health": {"last_heard_s": time.time()}, "windows": windows}]
    monkeypatch.setattr(sessions, "state", lambda user_id: {"sessions": running if user_id == ursula else []})
    expected = {"id": ursula, "connected": True, "answer": "Walking", "open": "", "colour": "#123456", "since_s": 98.0}
    [state] = people.states(carla)
    assert state.pop("quiet_s") == pytest.approx(0, abs=5)
    assert state == expected

    told: list[hub.Event] = []
    stop = people.subscribe(carla, told.append)
    for second, answer in ((103, "Walking"), (104, "Sitting"), (105, "Sitting"), (104, "Walking")):
        hub.publish(ursula, "window", {"session": 7, "windows": [window(answer, float(second))]})
    assert [event.data for event in told] == [expected | {"answer": "Sitting", "since_s": 101.0, "quiet_s": 0.0}]
    hub.publish(ursula, "window", {"session": 7, "windows": [window("Sitting", 115.0)]})
    assert len(told) == 2, "every ten seconds it is told that the device is still heard"
    told.clear()
    fall_of("ursula", 20)
    assert told == [], "the countdown is the person's own business"
    alarms.tick(time.time() + 100)
    assert [(event.kind, event.data["state"]) for event in told] == [("alarm", "raised")]
    told.clear()
    hub.publish(ursula, "ended", {"session": 7})
    nothing = {"answer": "", "open": "", "colour": "", "since_s": 0.0, "quiet_s": 0.0}
    assert told[0].data == {"id": ursula, "connected": False, **nothing}

    withdraw = re.search(r'action="(/caregivers/\d+/withdraw)"', user_client.get("/caregivers").text)[1]
    user_client.post(withdraw)
    assert (told[-1].kind, told[-1].data) == ("people", {"id": ursula, "sees": False})
    told.clear()
    hub.publish(ursula, "window", {"session": 7, "windows": [window("Sitting", 200.0)]})
    assert told == []
    stop()
    hub.publish(carla, "people", {"id": ursula, "sees": True})
    assert told == []
