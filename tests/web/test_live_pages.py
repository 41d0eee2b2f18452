"""Devices and live pages, as their owner and others see them."""

from __future__ import annotations

import re
from collections.abc import Callable

from flask import Flask
from flask.testing import FlaskClient

from app.extensions import db
from app.services.alarms import alarms, life
from app.tables import Device

TOKEN = re.compile(r"Bearer ([\w-]{20,})")


def add(client: FlaskClient, **answers: str) -> str:
    """Add a device; return its token, as its owner reads it on the page."""
    response = client.post("/live/devices", data={"name": "My phone", "place": "leg"} | answers)
    assert response.status_code == 200, response.text
    found = TOKEN.search(response.text)
    assert found is not None
    return found[1]


def fine(client: FlaskClient, token: str) -> tuple[int, dict[str, object]]:
    answer = client.post("/api/live/fine", json={}, headers={"Authorization": f"Bearer {token}"})
    return answer.status_code, answer.get_json()


def test_without_a_device_the_page_says_what_to_do(user_client: FlaskClient) -> None:
    page = user_client.get("/live/").text
    assert "No device yet" in page
    assert "/live/devices" in page


def test_a_token_is_shown_once_and_a_new_one_makes_it_void(user_client: FlaskClient, app: Flask) -> None:
    token = add(user_client)
    for address in ("/live/devices", "/live/"):
        assert token not in user_client.get(address).text
    assert fine(user_client, token) == (200, {"cancelled": False})
    another = TOKEN.search(user_client.post("/live/devices/1/connect").text)
    assert another is not None
    assert fine(user_client, token)[0] == 401
    assert fine(user_client, another[1])[0] == 200
    user_client.post("/live/devices/1/revoke")
    assert fine(user_client, another[1])[0] == 401
    assert "revoked" in user_client.get("/live/devices").text
    device = db.session.get(Device, 1)
    assert device is not None
    assert token not in device.token_hash


def test_what_is_wrong_with_a_device_is_said_beside_its_field(user_client: FlaskClient) -> None:
    response = user_client.post("/live/devices", data={"name": " ", "place": "leg"})
    assert response.status_code == 422
    assert "Give it a name" in response.text
    response = user_client.post("/live/devices", data={"name": "x", "place": "moon"})
    assert response.status_code == 422
    assert "moon" in response.text


def test_a_device_is_changed_by_its_owner_alone(log_in: Callable[..., FlaskClient]) -> None:
    ada, eve = log_in("ada"), log_in("eve")
    add(ada)
    for action in ("", "/connect", "/revoke"):
        assert eve.post(f"/live/devices/1{action}", data={"name": "mine"}).status_code == 404
    ada.post("/live/devices/1", data={"name": "Old phone", "place": "", "keeps": "y"})
    page = ada.get("/live/devices").text
    assert "Old phone" in page
    assert "kept as recordings" in page
    assert "Old phone" not in eve.get("/live/devices").text


def test_i_am_fine_on_the_phone_cancels_what_counts_down(log_in: Callable[..., FlaskClient], app: Flask) -> None:
    ada, eve = log_in("ada"), log_in("eve")
    token, others = add(ada), add(eve)
    device = db.session.get(Device, 1)
    assert device is not None
    fall = alarms.notice(device.user_id, life.FALL, {"peak_g": 4.2})
    assert fall is not None
    number = fall.id
    assert fine(eve, others) == (200, {"cancelled": False})
    assert fine(ada, token) == (200, {"cancelled": True})
    db.session.expire_all()
    assert alarms.get(device.user_id, number).state == life.CLOSED
    assert fine(ada, token) == (200, {"cancelled": False})


def test_the_phones_page_is_open_to_everybody_and_says_nothing_of_anybody(client: FlaskClient) -> None:
    page = client.get("/live/phone")
    assert page.status_code == 200
    assert "data-ingest" in page.text
