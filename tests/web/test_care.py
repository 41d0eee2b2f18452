"""Caregivers: who agrees to be seen, what a caregiver's account may become, and what ends."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.extensions import db
from app.services import accounts, audit_reading
from app.services.audit import Action
from app.services.audit_reading import AuditQuery
from app.services.care import codes, consents
from app.services.errors import Conflict, NotFound
from app.services.identity import roles
from app.services.live import hub
from app.tables import Alarm, AlarmStep, CareConsent, Device, Notice, NoticeTarget, User
from tests.conftest import PASSWORD


def account(name: str) -> User:
    return accounts.find(name)


def agree(client: FlaskClient, caregiver: str = "carla") -> None:
    """Let the person of a client agree as the pages have it."""
    code = codes.code_of(account(caregiver))
    page = client.get("/caregivers", query_string={"code": code.lower().replace("-", " ")}).text
    fields = dict(re.findall(r'<input type="hidden" name="(code|version)" value="([^"]+)">', page))
    assert client.post("/caregivers", data=fields).status_code == 302


def recorded(*actions: Action) -> list[tuple[str, dict[str, object]]]:
    pages, _ = audit_reading.find(AuditQuery(), 1)
    names = {action.value for action in actions}
    return [(entry["actor"], entry["details"]) for entry in reversed(pages.items) if entry["action"] in names]


def test_a_person_reads_what_a_caregiver_sees_agrees_and_takes_it_back(
    user_client: FlaskClient, caregiver_client: FlaskClient
) -> None:
    assert "Nobody yet" in caregiver_client.get("/people").text
    assert "Nobody. Only you see" in user_client.get("/caregivers").text
    code = re.search(r'class="care-code">([^<]+)<', caregiver_client.get("/people").text)[1]

    text = user_client.get("/caregivers", query_string={"code": code}).text
    assert "Let carla see you?" in text
    assert "no medical device" in text
    agree(user_client)
    assert "ursula" in caregiver_client.get("/people").text

    page = user_client.get("/caregivers").text
    withdraw = re.search(r'action="(/caregivers/\d+/withdraw)"', page)[1]
    assert "carla sees nothing of you any more" in user_client.post(withdraw, follow_redirects=True).text
    assert "ursula" not in caregiver_client.get("/people").text
    assert user_client.post(withdraw).status_code == 404
    history = user_client.get("/caregivers").text
    assert re.search(r"carla: agreed to version 1 of the text .*, ended ", history)
    assert recorded(Action.CARE_AGREED, Action.CARE_ENDED) == [
        ("ursula", {"caregiver": "carla", "version": 1}),
        ("ursula", {"caregiver": "carla"}),
    ]


def test_one_persons_consents_are_no_business_of_anothers(
    log_in: Callable[..., FlaskClient], user_client: FlaskClient, caregiver_client: FlaskClient
) -> None:
    agree(user_client)
    [consent] = consents.history(account("ursula").id)
    other = log_in("olga")
    assert other.post(f"/caregivers/{consent.id}/withdraw").status_code == 404
    assert consents.holds(account("ursula").id, account("carla").id)


@pytest.mark.parametrize("entered", ["carla", "ursula", "adam", "nobody", "0" * 10, "ÄÖ\x00²", "x" * 5000])
def test_a_name_finds_nobody_whether_there_is_such_an_account_or_not(
    user_client: FlaskClient, caregiver_client: FlaskClient, admin_client: FlaskClient, entered: str
) -> None:
    response = user_client.get("/caregivers", query_string={"code": entered})
    assert response.status_code == 404
    assert "This is no caregiver’s code." in response.text
    assert user_client.post("/caregivers", data={"code": entered, "version": 1}).status_code in {302, 422}
    assert not consents.history(account("ursula").id)


def test_a_code_ends_after_days_with_the_role_and_with_the_account(
    app: Flask, caregiver_client: FlaskClient, admin_client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    carla, adam = account("carla"), account("adam")
    code, today = codes.code_of(carla), codes.now()
    for days, works in ((0, True), (codes.DAYS - 1, True), (codes.DAYS, False), (-1, False)):
        monkeypatch.setattr(codes, "now", lambda days=days: today + timedelta(days=days))
        if works:
            assert codes.caregiver_of(code) is carla
        else:
            with pytest.raises(NotFound):
                codes.caregiver_of(code)
    monkeypatch.undo()
    accounts.set_disabled(adam.id, carla.id, True)
    with pytest.raises(NotFound):
        codes.caregiver_of(code)
    accounts.set_disabled(adam.id, carla.id, False)
    roles.set_role(adam.id, carla.id, "user")
    with pytest.raises(NotFound):
        codes.caregiver_of(code)


def test_nobody_agrees_to_another_text_than_they_read(user_client: FlaskClient, caregiver_client: FlaskClient) -> None:
    with pytest.raises(Conflict, match="text has changed"):
        consents.give(account("ursula").id, codes.code_of(account("carla")), max(consents.TEXTS) + 1)
    assert not consents.history(account("ursula").id)


def test_who_agrees_twice_has_agreed_once(user_client: FlaskClient, caregiver_client: FlaskClient) -> None:
    agree(user_client)
    agree(user_client)
    assert len(consents.history(account("ursula").id)) == 1


def test_what_waits_for_a_caregiver_goes_when_consent_ends_and_pages_are_told(
    user_client: FlaskClient, caregiver_client: FlaskClient, log_in: Callable[..., FlaskClient]
) -> None:
    other = log_in("olga")
    agree(user_client)
    agree(other)
    ursula, olga, carla = (account(name).id for name in ("ursula", "olga", "carla"))
    target = NoticeTarget(user_id=carla, channel="email", address={})
    own = NoticeTarget(user_id=ursula, channel="email", address={})
    alarms = [Alarm(user_id=person, kind="fall", state="raised") for person in (ursula, olga)]
    steps = [AlarmStep(alarm=alarm, before="", after="raised", why="") for alarm in alarms]
    notices = [Notice(target=target, step=step) for step in steps] + [Notice(target=own, step=steps[0])]
    db.session.add_all([*steps, *notices])
    db.session.commit()
    waited = [notice.id for notice in notices]
    told: list[hub.Event] = []
    hub.subscribe(carla, told.append)
    consents.withdraw(ursula, consents.history(ursula)[0].id)
    assert [event.data for event in told] == [{"id": ursula, "sees": False}]
    assert {notice.id for notice in db.session.query(Notice)} == {waited[1], waited[2]}


def test_a_caregivers_consents_end_with_their_role_and_do_not_come_back(
    user_client: FlaskClient, caregiver_client: FlaskClient, admin_client: FlaskClient
) -> None:
    agree(user_client)
    ursula, carla = account("ursula").id, account("carla").id
    change = f"/admin/users/{carla}/role"
    for role, words in (("user", "a user"), ("caregiver", "a caregiver")):
        answer = admin_client.post(change, data={"role": role, "password": PASSWORD}, follow_redirects=True)
        assert f"carla is now {words}." in answer.text
        assert not consents.holds(ursula, carla)
    assert caregiver_client.get("/people").status_code == 302, "logged out"
    [consent] = consents.history(ursula)
    assert consent.withdrawn


def test_what_a_person_agreed_to_ends_when_they_become_a_caregiver(
    user_client: FlaskClient, caregiver_client: FlaskClient, admin_client: FlaskClient
) -> None:
    agree(user_client)
    roles.set_role(account("adam").id, account("ursula").id, "caregiver")
    assert not consents.people_of(account("carla").id)


def test_no_caregiver_is_made_of_an_account_with_recordings_or_devices(
    user_client: FlaskClient, admin_client: FlaskClient
) -> None:
    ursula = account("ursula").id
    db.session.add(Device(user_id=ursula, name="phone", token_hash="x"))
    db.session.commit()
    answer = admin_client.post(f"/admin/users/{ursula}/role", data={"role": "caregiver", "password": PASSWORD})
    assert answer.status_code == 409
    assert "Invite the caregiver with another account" in answer.text
    assert not account("ursula").is_caregiver
    assert user_client.get("/caregivers").status_code == 200, "still logged in"


def test_a_disabled_account_neither_sees_nor_is_seen(
    user_client: FlaskClient, caregiver_client: FlaskClient, admin_client: FlaskClient
) -> None:
    agree(user_client)
    ursula, carla, adam = (account(name).id for name in ("ursula", "carla", "adam"))
    for one in (ursula, carla):
        accounts.set_disabled(adam, one, True)
        assert (consents.holds(ursula, carla), consents.people_of(carla), consents.caregivers_of(ursula)) == (
            False, [], [],
        )  # fmt: skip
        accounts.set_disabled(adam, one, False)
        assert consents.holds(ursula, carla)


def test_with_an_account_go_its_consents_and_open_pages_are_told(
    user_client: FlaskClient, caregiver_client: FlaskClient, admin_client: FlaskClient
) -> None:
    agree(user_client)
    ursula, carla = account("ursula").id, account("carla").id
    told: list[hub.Event] = []
    hub.subscribe(carla, told.append)
    user_client.post("/account/delete", data={"password": PASSWORD})
    assert [event.data for event in told] == [{"id": ursula, "sees": False}]
    assert db.session.query(CareConsent).count() == 0
    assert caregiver_client.get("/people").status_code == 200


def test_an_invitation_makes_a_caregiver_who_starts_at_the_people(app: Flask, admin_client: FlaskClient) -> None:
    page = admin_client.post("/admin/invitations", data={"role": "caregiver", "password": PASSWORD}).text
    address = re.search(r"<textarea[^>]*>http://localhost(/[^<]+)</textarea>", page)[1]
    client = app.test_client()
    assert "people who agree to it" in client.get(address).text
    answers = {"username": "eve", "password": PASSWORD, "password_again": PASSWORD, "email": "eve@example.org"}
    assert "Your code" in client.post(address, data=answers, follow_redirects=True).text
