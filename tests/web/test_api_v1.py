"""The API: who may do what with whose, tokens, errors, parts of lists, requests that come twice."""

from __future__ import annotations

import base64
import io
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select, update

from app.extensions import db, limiter
from app.services import accounts
from app.services.api import kept_answers, tokens
from app.services.api.tokens import Scope
from app.services.identity import one_time, roles
from app.services.transaction import transaction
from app.tables import ApiToken, Dataset, KeptAnswer, ModelVersion, StoredRecording, User
from app.tables._columns import now
from app.web.access import access_of, scope_of
from app.web.api.v1.reading import ADDRESS_A_MINUTE
from tests import fhir, homes
from tests.api import PATH, World, body_of, call, operations, person, token_of, world
from tests.conftest import PASSWORD, logged_in
from tests.corrected import a_result, recorded
from tests.homes import at_home
from tests.services.alarm_people import add_person
from tests.trained import Example, recording_csv, register_model

OWN = {"recording_id", "batch", "device_id", "session_id", "upload_id", "alarm_id", "subscription_id"}
PROBLEM = "application/problem+json"


@pytest.fixture
def model(app: Flask, example_model: Example, tmp_path: Path) -> ModelVersion:
    return register_model(example_model, tmp_path)


@pytest.fixture
def here(app: Flask, model: ModelVersion) -> World:
    return world(app, model)


@pytest.fixture
def everything(finished_run: int, small: Dataset, here: World) -> World:
    """Return the world with a finished training and a data set, too."""
    return here


@pytest.fixture
def own(app: Flask) -> str:
    """Return a token of a user who has nothing yet."""
    return token_of(person("ursula"))


def cells(here: World) -> Iterator[tuple[str, str, dict[str, Any], set[str]]]:
    """Yield every operation with the address of ursula's things, and which of them it is about."""
    for method, path, about in operations(here.app):
        names = {parameter["name"] for parameter in about["parameters"] if parameter["in"] == "path"}
        address = path.format_map({name: here.things[name] for name in names})
        yield method, address, about, names & OWN


def test_every_operation_is_in_the_description_and_has_a_scope(app: Flask) -> None:
    rules = [rule for rule in app.url_map.iter_rules() if access_of(rule.endpoint) == "api"]
    described = {about["operationId"] for _, _, about in operations(app)}
    assert {rule.endpoint.removeprefix("api_v1.") for rule in rules} == described
    without = {rule.endpoint for rule in rules if scope_of(rule.endpoint) is None}
    assert without == {"api_v1.get_me"}
    public = {rule.endpoint for rule in app.url_map.iter_rules(None) if rule.endpoint.startswith("api_v1.")}
    assert public - {rule.endpoint for rule in rules} == {"api_v1.openapi", "api_v1.read"}


def test_nobody_does_anything_without_a_token_not_even_with_a_cookie(app: Flask, here: World) -> None:
    with_cookie = logged_in(app, "walter")
    over = token_of(here.people["ursula"])
    db.session.execute(update(ApiToken).values(expires=now() - timedelta(seconds=1)))
    db.session.commit()
    for method, address, about, _ in cells(here):
        for headers in ({}, {"Authorization": "Basic eDp5"}, {"Authorization": f"Bearer {over}"}):
            answer = with_cookie.open(address, method=method, headers=headers, **body_of(about))
            assert (answer.status_code, answer.mimetype) == (401, PROBLEM), (method, address)
            assert answer.headers["WWW-Authenticate"] == "Bearer"


ROLES = ("ursula", "vera", "adam", "carla", "cora")


@pytest.mark.parametrize("who", ROLES)
def test_every_role_gets_what_is_theirs_and_nothing_else(everything: World, who: str) -> None:
    """Role × operation × object: each cell has one answer that it must have, or must not have."""
    here, token = everything, everything.token(who)
    role = tokens.of_token(token).role
    seen = 0
    for method, address, about, things in cells(here):
        scopes = {scope for entry in about["security"] for names in entry.values() for scope in names}
        answer = call(here.app, token, method, address, **body_of(about))
        cell = f"{who} {method} {address}: {answer.status_code} {answer.text[:200]}"
        assert str(answer.status_code) in about["responses"], cell
        if scopes - {each.value for each in tokens.SCOPES_OF[role]}:
            assert answer.status_code == 403, cell
            assert "insufficient_scope" in answer.headers["WWW-Authenticate"], cell
        elif not things or who in ("ursula", "carla"):  # who agreed to be seen by carla
            assert answer.status_code not in {401, 403, 404}, cell
        else:
            assert answer.status_code == 404, cell
        seen += 1
    assert seen > 35
    left = db.session.scalar(select(func.count()).select_from(StoredRecording))
    assert left == (0 if who == "ursula" else 1)


def test_a_token_does_only_what_it_was_made_for(everything: World) -> None:
    for scope in Scope:
        token = everything.token("adam", scope.value)
        for method, address, about, _ in cells(everything):
            [needed] = [names for entry in about["security"] for names in entry.values()]
            if needed and needed != [scope.value]:
                answer = call(everything.app, token, method, address, **body_of(about))
                assert answer.status_code == 403, (scope, method, address)


def test_a_list_holds_only_what_is_ones_own(everything: World) -> None:
    for who in ("vera", "adam"):
        for address in ("recordings", "uploads", "live/sessions", "live/devices", "alarms"):
            assert call(everything.app, everything.token(who), "GET", address).get_json()["items"] == []
    assert call(everything.app, everything.token("cora"), "GET", "alarms").get_json()["items"] == []
    assert len(call(everything.app, everything.token("carla"), "GET", "alarms").get_json()["items"]) == 1


def test_a_recording_is_uploaded_read_corrected_and_deleted(app: Flask, model: ModelVersion, own: str) -> None:
    data = {"file": (io.BytesIO(recording_csv()), "walk.csv"), "place": "leg", "follow": "mine"}
    made = call(app, own, "POST", "recordings", data=data)
    assert made.status_code == 201, made.text
    recording = made.get_json()
    assert (recording["filename"], recording["place"], recording["bytes"]) == ("walk.csv", "leg", len(recording_csv()))
    address = made.headers["Location"]
    assert call(app, own, "GET", address).get_json() == recording
    assert call(app, own, "GET", f"{address}/file").data == recording_csv()
    answers = call(app, own, "GET", f"{address}/answers").get_json()
    assert answers["summary"]["windows"] == recording["predictions"][0]["windows"]
    windows = call(app, own, "GET", f"{address}/windows").get_json()["items"]
    assert sum(each["activity"] != "missing" for each in windows) == answers["summary"]["windows"]
    bouts = call(app, own, "GET", f"{address}/bouts").get_json()["items"]
    assert bouts[0]["start_s"] == windows[0]["start_s"]
    assert sum(windows[0]["probabilities"].values()) == pytest.approx(1, abs=0.01)
    assert call(app, own, "GET", f"{address}/quality").get_json()["cards"]
    changed = call(app, own, "PATCH", address, json={"title": "To work"}).get_json()
    assert (changed["title"], changed["notes"]) == ("To work", "")
    stretch = {"start_s": bouts[0]["start_s"], "end_s": bouts[0]["end_s"], "activity": "Rowing"}
    said = call(app, own, "POST", f"{address}/corrections", json={"stretches": [stretch]})
    assert said.status_code == 201
    assert call(app, own, "GET", f"{address}/bouts").get_json()["items"][0]["activity"] == "Rowing"
    batch = said.get_json()["items"][0]["batch"]
    assert call(app, own, "DELETE", f"{address}/corrections/{batch}").status_code == 204
    assert call(app, own, "GET", f"{address}/corrections").get_json()["items"] == []
    again = {"file": (io.BytesIO(recording_csv()), "again.csv")}
    refused = call(app, own, "POST", "recordings", data=again)
    assert (refused.status_code, refused.get_json()["recording"]) == (409, recording["id"])
    assert call(app, own, "DELETE", address).status_code == 204
    assert call(app, own, "GET", address).status_code == 404


def test_a_file_that_cannot_be_read_is_refused_with_its_reason(app: Flask, model: ModelVersion, own: str) -> None:
    answer = call(app, own, "POST", "recordings", data={"file": (io.BytesIO(b"\0\1nothing"), "x.bin")})
    assert (answer.status_code, answer.mimetype) == (422, PROBLEM)
    [failed] = call(app, own, "GET", "uploads").get_json()["items"]
    assert (failed["status"], failed["reason"]) == ("failed", answer.get_json()["detail"])


def test_a_list_comes_in_parts_that_new_rows_do_not_move(app: Flask, here: World) -> None:
    from tests.corrected import recorded

    ursula, token = here.people["ursula"], here.token("ursula")
    version = db.session.get_one(ModelVersion, here.things["model_id"])
    for _ in range(4):
        recorded(app, ursula, version)
    first = call(app, token, "GET", "recordings?limit=2").get_json()
    recorded(app, ursula, version)
    second = call(app, token, "GET", f"recordings?limit=2&cursor={first['next']}").get_json()
    last = call(app, token, "GET", f"recordings?limit=2&cursor={second['next']}").get_json()
    ids = [one["id"] for part in (first, second, last) for one in part["items"]]
    assert (ids, last["next"]) == ([5, 4, 3, 2, 1], None)
    windows = call(app, token, "GET", "recordings/1/windows?limit=30").get_json()
    rest = call(app, token, "GET", f"recordings/1/windows?limit=30&cursor={windows['next']}").get_json()
    assert (len(windows["items"]), len(rest["items"]), rest["next"]) == (30, 10, None)


@pytest.mark.parametrize(
    ("address", "field"),
    [
        ("recordings?limit=0", "limit"),
        ("recordings?limit=many", "limit"),
        ("recordings?limt=5", "limt"),
        ("recordings?cursor=%00", "cursor"),
        ("recordings?cursor=x", "cursor"),
        ("recordings?tz=Moon", "tz"),
    ],
)
def test_what_is_asked_wrongly_is_named(app: Flask, own: str, address: str, field: str) -> None:
    answer = call(app, own, "GET", address)
    assert (answer.status_code, answer.mimetype) == (422, PROBLEM)
    document = answer.get_json()
    assert document["errors"][0]["field"] == field
    assert set(document) >= {"type", "title", "status", "detail", "instance"}


def test_every_error_has_the_same_shape(app: Flask, own: str) -> None:
    device = {"content_type": "application/json"}
    statuses = {
        404: call(app, own, "GET", "nothing"),
        405: call(app, own, "PUT", "recordings"),
        415: call(app, own, "POST", "live/devices", data="name=x"),
        400: call(app, own, "POST", "live/devices", data=b"{", **device),
        422: call(app, own, "POST", "live/devices", data=b"[]", **device),
    }
    for status, answer in statuses.items():
        assert (answer.status_code, answer.mimetype) == (status, PROBLEM)
        assert answer.get_json()["status"] == status
    deep = call(app, own, "POST", "live/devices", data=b"[" * 100_000, **device)
    assert (deep.status_code, deep.mimetype) == (400, PROBLEM)


def test_what_has_not_changed_is_not_sent_again(app: Flask, here: World) -> None:
    token = here.token("ursula")
    first = call(app, token, "GET", "recordings/1")
    again = call(app, token, "GET", "recordings/1", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    call(app, token, "PATCH", "recordings/1", json={"title": "new"})
    assert call(app, token, "GET", "recordings/1", headers={"If-None-Match": first.headers["ETag"]}).status_code == 200


def test_a_request_that_comes_twice_is_done_once(app: Flask, own: str) -> None:
    def add(name: str, key: str = "k") -> Any:
        return call(app, own, "POST", "live/devices", json={"name": name}, headers={"Idempotency-Key": key})

    first, again = add("watch"), add("watch")
    assert (again.status_code, again.data) == (201, first.data)
    assert again.headers["Idempotency-Replayed"] == "true"
    kept = db.session.scalars(select(KeptAnswer)).one()
    assert kept_answers.find(kept.user_id, "k", kept.asked).body == first.text  # type: ignore[union-attr]
    held = base64.b64decode(kept.body) + kept.location.encode()
    assert not any(part in held for part in (b"watch", first.get_json()["token"].encode()))
    assert add("other").status_code == 422  # the same key for something else
    assert add("", "two").status_code == 422
    assert add("watch", "two").status_code == 201  # what failed may be tried again
    assert len(call(app, own, "GET", "live/devices").get_json()["items"]) == 2
    db.session.execute(update(KeptAnswer).values(created=now() - kept_answers.KEPT_FOR - timedelta(hours=1)))
    db.session.commit()
    assert "Idempotency-Replayed" not in add("watch").headers
    assert db.session.scalar(select(func.count()).select_from(KeptAnswer)) == 1


def test_a_file_that_is_sent_twice_becomes_one_recording(app: Flask, model: ModelVersion, own: str) -> None:
    def send(content: bytes) -> Any:
        data = {"file": (io.BytesIO(content), "walk.csv"), "only_new": "false"}
        return call(app, own, "POST", "recordings", data=data, headers={"Idempotency-Key": "k"})

    first, again = send(recording_csv()), send(recording_csv())
    assert (first.status_code, again.status_code) == (201, 201)
    assert (again.data, again.headers["Location"]) == (first.data, first.headers["Location"])
    assert send(recording_csv() + b"\n").status_code == 422
    assert db.session.scalar(select(func.count()).select_from(StoredRecording)) == 1


def test_the_second_of_two_at_the_same_moment_is_asked_to_wait(app: Flask, own: str) -> None:
    user_id = tokens.of_token(own).id
    with kept_answers.once(user_id, "k"):
        answer = call(app, own, "POST", "live/devices", json={"name": "x"}, headers={"Idempotency-Key": "k"})
    assert (answer.status_code, answer.headers["Retry-After"]) == (409, "2")


def test_too_many_requests_are_told_when_to_come_again(tmp_path: Path, migrated_home: Path) -> None:
    homes.copied(migrated_home, tmp_path / "limited")
    with at_home(tmp_path / "limited", TESTING=True, RATELIMIT_ENABLED=True, API_REQUESTS_A_MINUTE=3) as app:
        try:
            own, other = (token_of(person(name)) for name in ("ursula", "vera"))
            statuses = [call(app, own, "GET", "me").status_code for _ in range(3)]
            refused = call(app, own, "GET", "me")
            assert (statuses, refused.status_code, refused.mimetype) == ([200] * 3, 429, PROBLEM)
            assert 0 < int(refused.headers["Retry-After"]) <= 61
            assert call(app, other, "GET", "me").status_code == 200
            wrong = [call(app, f"{i}", "GET", "me").status_code for i in range(ADDRESS_A_MINUTE + 2)]
            assert (wrong[0], wrong[-1]) == (401, 429)
        finally:
            limiter.reset()


def test_a_token_is_shown_once_and_is_nowhere_else(app: Flask) -> None:
    client = logged_in(app, "ursula")
    form = {"name": "Export", "scopes": ["recordings:read", "alarms"], "days": "30", "password": PASSWORD}
    page = client.post("/account/tokens", data=form)
    [text] = set(re.findall(r"kinelab_[\w-]{43}", page.text))
    me = call(app, text, "GET", "me").get_json()
    assert (me["username"], me["token"]["scopes"]) == ("ursula", ["alarms", "recordings:read"])
    assert text not in client.get("/account/tokens").text
    with db.engine.connect() as connection:
        assert text not in homes.everything_in(connection)
    row = db.session.scalars(select(ApiToken)).one()
    assert row.last_used is not None
    assert timedelta(0) <= row.created - (row.expires - timedelta(days=30)) < timedelta(seconds=1)
    client.post(f"/account/tokens/{row.id}/revoke")
    assert call(app, text, "GET", "me").status_code == 401


@pytest.mark.parametrize(
    "changes",
    [
        {"password": "wrong"},
        {"name": " "},
        {"name": "\u202e\u200b"},  # which nobody would see in the list
        {"scopes": []},
        {"scopes": ["datasets:admin"]},  # no scope of a user
        {"days": "4000"},
    ],
)
def test_no_token_is_made_of_wrong_answers(app: Flask, changes: dict[str, Any]) -> None:
    form = {"name": "Export", "scopes": ["alarms"], "days": "30", "password": PASSWORD, **changes}
    assert logged_in(app, "ursula").post("/account/tokens", data=form).status_code == 422
    assert db.session.scalars(select(ApiToken)).all() == []


def test_a_token_of_somebody_else_cannot_be_revoked(app: Flask, own: str) -> None:
    client = logged_in(app, "vera")
    assert client.post("/account/tokens/1/revoke").status_code == 404
    assert call(app, own, "GET", "me").status_code == 200


@pytest.mark.parametrize("way", ["changed", "reset"])
def test_a_new_password_revokes_the_tokens_of_its_owner_alone_and_the_page_says_so(
    app: Flask, own: str, way: str
) -> None:
    client, vera = logged_in(app, "vera"), accounts.find("vera")
    hers = [token_of(vera.id), token_of(vera.id, "alarms")]
    assert [call(app, each, "GET", "me").status_code for each in hers] == [200, 200]
    new = {"password": "another good password", "password_again": "another good password"}
    address = "/password" if way == "changed" else f"/reset/{one_time.open_reset(vera.id)}"
    assert "access tokens will be revoked" in client.get(address).text
    assert client.post(address, data=new | {"current": PASSWORD}).status_code == 302
    assert [call(app, each, "GET", "me").status_code for each in hers] == [401, 401]
    assert call(app, own, "GET", "me").status_code == 200


def test_what_an_account_may_no_longer_do_its_tokens_may_not_either(app: Flask) -> None:
    chief, adam = add_person("chief", role=tokens.Role.ADMIN), add_person("adam", role=tokens.Role.ADMIN)
    token = token_of(adam)
    assert call(app, token, "GET", "datasets").status_code == 200
    roles.set_role(chief, adam, "user")
    assert call(app, token, "GET", "datasets").status_code == 403
    accounts.set_disabled(chief, adam, True)
    assert call(app, token, "GET", "me").status_code == 401


def test_what_a_command_changed_is_known_within_seconds(app: Flask, own: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert call(app, own, "GET", "me").status_code == 200
    db.session.execute(update(User).values(disabled=True))
    db.session.commit()
    at = time.monotonic() + tokens.REMEMBERED_S + 1
    monkeypatch.setattr(tokens.time, "monotonic", lambda: at)
    assert call(app, own, "GET", "me").status_code == 401


def test_the_description_can_be_read_without_a_network(app: Flask) -> None:
    document = app.test_client().get(f"{PATH}/openapi.json")
    assert document.get_json()["openapi"] == "3.1.0"
    page = app.test_client().get(f"{PATH}/").text
    for _, path, about in operations(app):
        assert path in page
        assert f'id="{about["operationId"]}"' in page
    assert "<script>" not in page
    references = set(page.split('href="#')[1:])
    assert {one.split('"')[0] for one in references} - {"content"} <= {one.split('"')[0] for one in page.split('id="')}


def test_activities_are_given_as_other_systems_want_them(here: World) -> None:
    token, address = here.token("ursula", "recordings:read"), f"recordings/{here.things['recording_id']}/answers"
    answer = call(here.app, token, "GET", f"{address}/fhir?tz=Europe/Berlin")
    assert answer.mimetype == "application/fhir+json"
    observations = fhir.resources(fhir.check(answer.text), "Observation")
    assert "corrected" in {each["status"] for each in observations}
    assert observations[0]["effectivePeriod"]["start"] == "2025-11-24T17:00:00.000+01:00"
    same = {"headers": {"If-None-Match": answer.headers["ETag"]}}
    assert call(here.app, token, "GET", f"{address}/fhir?tz=Europe/Berlin", **same).status_code == 304
    [first, *_] = call(here.app, token, "GET", f"{address}/omh").get_json()["items"]
    interval = first["body"]["effective_time_frame"]["time_interval"]
    assert interval["start_date_time"] == "2025-11-24T16:00:00.000+00:00"
    for query, field in (("tz=Mars", "tz"), ("smooth=perhaps", "smooth")):
        refused = call(here.app, token, "GET", f"{address}/fhir?{query}")
        assert (refused.status_code, refused.mimetype) == (422, PROBLEM)
        assert field in refused.get_json()["errors"][0]["field"]


def test_all_activities_are_given_part_by_part_or_those_of_a_day(here: World, model: ModelVersion) -> None:
    ursula, token = here.people["ursula"], here.token("ursula", "recordings:read")
    recorded(here.app, ursula, model)
    address, found = "fhir/everything?limit=1&tz=Asia/Tokyo", []
    while address:
        answer = call(here.app, token, "GET", address)
        assert (answer.status_code, answer.mimetype) == (200, "application/fhir+json")
        links = {each["relation"]: each["url"] for each in fhir.check(answer.text)["link"]}
        assert links["self"].startswith("http")
        found += fhir.resources(answer.get_json(), "Observation")
        address = links.get("next", "").partition("localhost")[2]
    assert len({each["id"] for each in found}) == len(found) > 6
    with transaction():
        db.session.execute(update(StoredRecording).values(recorded=datetime(2025, 11, 24, 16, tzinfo=timezone.utc)))
    of_a_day = call(here.app, token, "GET", "fhir/everything?tz=Asia/Tokyo&date=2025-11-25").text
    assert len(fhir.resources(fhir.check(of_a_day), "Observation")) == len(found)
    another = call(here.app, token, "GET", "fhir/everything?tz=UTC&date=2025-11-25").text
    assert fhir.resources(fhir.check(another), "Observation") == []
    for query, field in (
        ("date=tomorrow", "date"),
        ("date=0001-01-01", "date"),
        ("tz=Mars", "tz"),
        ("limit=99", "limit"),
    ):
        refused = call(here.app, token, "GET", f"fhir/everything?{query}")
        assert (refused.status_code, refused.mimetype) == (422, PROBLEM)
        assert field in refused.get_json()["errors"][0]["field"]


def test_other_systems_get_nothing_of_a_recording_without_a_time_of_day(app: Flask, model: ModelVersion) -> None:
    user_id = person("ursula")
    prediction = recorded(app, user_id, model, replace(a_result(model), origin_utc_s=(None,)))
    for standard in ("fhir", "omh"):
        refused = call(app, token_of(user_id), "GET", f"recordings/{prediction.recording_id}/answers/{standard}")
        assert (refused.status_code, refused.mimetype) == (422, PROBLEM)
        assert "does not tell the time of day" in refused.get_json()["detail"]
