"""The pages of the second factor, from the picture with its key to an administrator who switches it off."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta, timezone

import pytest
from flask import Flask
from flask.testing import FlaskClient
from pyotp import TOTP

from app.services import accounts
from app.services.identity import second_factor
from tests.conftest import PASSWORD


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[], datetime]:
    """Let a minute pass at each call; return the moment."""
    moments = [datetime.now(timezone.utc)]
    monkeypatch.setattr(second_factor, "now", lambda: moments[0])

    def pass_on() -> datetime:
        moments[0] += timedelta(minutes=1)
        return moments[0]

    return pass_on


def switch_on(client: FlaskClient, clock: Callable[[], datetime]) -> tuple[TOTP, list[str]]:
    """Do as the page says; return what the app then holds, and the recovery codes."""
    page = client.get("/account/second-factor").text
    key = re.search(r'text-break">([A-Z2-7 ]+)<', page)[1].replace(" ", "")
    assert 'src="data:image/svg+xml' in page
    app = TOTP(key)
    answers = {"code": app.at(clock()), "password": PASSWORD}
    assert client.post("/account/second-factor", data=answers | {"password": "wrong"}).status_code == 422
    assert client.post("/account/second-factor", data=answers | {"code": "12345x"}).status_code == 422
    assert key in client.get("/account/second-factor").text.replace(" ", ""), "a mistake keeps the key"
    page = client.post("/account/second-factor", data=answers).text
    codes = re.findall(r"<li>([a-z2-7]{4}(?:-[a-z2-7]{4}){5})</li>", page)
    assert len(codes) == 10
    return app, codes


def test_logging_in_asks_for_a_code_where_the_second_factor_is_on(
    app: Flask, user_client: FlaskClient, clock: Callable[[], datetime]
) -> None:
    totp, codes = switch_on(user_client, clock)
    assert user_client.get("/password").status_code == 200, "this session goes on"
    assert "10 unused recovery codes" in user_client.get("/account/second-factor").text

    client = app.test_client()
    answers = {"username": "ursula", "password": PASSWORD}
    response = client.post("/login?next=/mappings/", data=answers)
    assert response.location == "/login/code?next=/mappings/"
    assert client.get("/mappings/").status_code == 302, "the password alone opens nothing"
    assert client.get("/account/second-factor").status_code == 302
    assert client.post("/login/code", data={"code": "12345x"}).status_code == 422
    response = client.post("/login/code?next=/mappings/", data={"code": totp.at(clock())})
    assert response.location == "/mappings/"
    assert client.get("/mappings/").status_code == 200

    client = app.test_client()
    client.post("/login", data=answers)
    assert client.post("/login/code", data={"code": codes[3]}).location == "/"
    assert "9 unused recovery codes" in client.get("/account/second-factor").text


def test_a_code_without_the_password_before_it_is_worth_nothing(
    client: FlaskClient, user_client: FlaskClient, clock: Callable[[], datetime]
) -> None:
    totp, _ = switch_on(user_client, clock)
    response = client.post("/login/code", data={"code": totp.at(clock())})
    assert response.location == "/login"
    assert client.get("/password").status_code == 302


def test_the_owner_makes_new_codes_and_switches_it_off_with_the_password(
    app: Flask, user_client: FlaskClient, clock: Callable[[], datetime]
) -> None:
    _, codes = switch_on(user_client, clock)
    for action in ("codes", "off"):
        address = f"/account/second-factor/{action}"
        assert user_client.post(address).status_code == 422
        assert user_client.post(address, data={"password": "wrong"}).status_code == 422
    page = user_client.post("/account/second-factor/codes", data={"password": PASSWORD}).text
    assert codes[0] not in page
    response = user_client.post("/account/second-factor/off", data={"password": PASSWORD}, follow_redirects=True)
    assert "The second factor is off." in response.text
    client = app.test_client()
    assert client.post("/login", data={"username": "ursula", "password": PASSWORD}).location == "/"


def test_an_administrator_switches_it_off_for_who_has_lost_it(
    app: Flask, admin_client: FlaskClient, user_client: FlaskClient, clock: Callable[[], datetime]
) -> None:
    switch_on(user_client, clock)
    number = accounts.find("ursula").id
    assert "Switch the second factor off" in admin_client.get(f"/admin/users/{number}").text
    address = f"/admin/users/{number}/second-factor"
    assert admin_client.post(address, data={"password": "wrong"}).status_code == 422
    assert accounts.find("ursula").second_factor
    assert "is off" in admin_client.post(address, data={"password": PASSWORD}, follow_redirects=True).text
    assert app.test_client().post("/login", data={"username": "ursula", "password": PASSWORD}).location == "/"


def test_a_reset_password_does_not_replace_the_second_factor(
    app: Flask, user_client: FlaskClient, clock: Callable[[], datetime]
) -> None:
    from app.services.identity import one_time

    switch_on(user_client, clock)
    client, new = app.test_client(), "another good password"
    token = one_time.open_reset(accounts.find("ursula").id)
    client.post(f"/reset/{token}", data={"password": new, "password_again": new})
    assert client.post("/login", data={"username": "ursula", "password": new}).location == "/login/code"
