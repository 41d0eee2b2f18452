"""People with tokens of the API, and what belongs to one of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Flask
from werkzeug.test import TestResponse

from app.extensions import db
from app.services import consents
from app.services.api import tokens
from app.services.api.tokens import SCOPES_OF
from app.services.live import devices
from app.services.purposes import Purpose
from app.services.recordings import recordings
from app.services.subscriptions import subscriptions
from app.services.transaction import transaction
from app.tables import LiveSession, ModelVersion, Role, UploadAttempt, User
from app.web.api.v1 import description
from tests.corrected import correct, recorded
from tests.services.alarm_people import add_person, agree, raised

PATH = "/api/v1"


def person(name: str, role: Role = Role.USER) -> int:
    """Make an account that agreed that recordings are recognised and that devices stream, where its role has any."""
    user_id = add_person(name, role)
    if role is not Role.CAREGIVER:
        with transaction():
            for purpose in (Purpose.RECOGNITION, Purpose.LIVE):
                consents.add(purpose, user_id)
    return user_id


def token_of(user_id: int, *scopes: str, days: int = 1) -> str:
    """Make a token, for all that the role may do where no scope is named."""
    role = db.session.get_one(User, user_id).role
    return tokens.make(user_id, "test", list(scopes) or [each.value for each in SCOPES_OF[role]], days)[1]


def call(app: Flask, token: str, method: str, address: str, **options: Any) -> TestResponse:
    """Send a request as a program does, which has no cookie."""
    headers = {"Authorization": f"Bearer {token}", **options.pop("headers", {})}
    address = address if address.startswith("/") else f"{PATH}/{address}"
    return app.test_client().open(address, method=method, headers=headers, **options)


@dataclass(frozen=True)
class World:
    """An account of each kind, and the numbers of things that are ursula's, or everybody's."""

    app: Flask
    people: Mapping[str, int]
    things: Mapping[str, Any]

    def token(self, name: str, *scopes: str) -> str:
        return token_of(self.people[name], *scopes)


def world(app: Flask, model: ModelVersion) -> World:
    """Make ursula with everything of hers, another user, an administrator, and two caregivers: carla sees ursula."""
    roles = {
        "ursula": Role.USER,
        "vera": Role.USER,
        "adam": Role.ADMIN,
        "carla": Role.CAREGIVER,
        "cora": Role.CAREGIVER,
    }
    people = {name: person(name, role) for name, role in roles.items()}
    ursula = people["ursula"]
    agree(ursula, people["carla"])
    prediction = recorded(app, ursula, model)
    (recordings.folder_of(prediction.recording) / "quality.json").write_text('{"cards": []}')
    batch = correct(prediction, recordings.result_of(prediction), "Rowing")[0].batch
    device, _ = devices.make(ursula, "phone")
    with transaction() as session:
        live = LiveSession(device_id=device.id, user_id=ursula, key="k", folder="live-1", keeps=False, facts={})
        attempt = UploadAttempt(user_id=ursula, filename="x.csv", token="t", reason="no layout")
        session.add_all([live, attempt])
    things = {
        "recording_id": prediction.recording_id,
        "batch": batch,
        "device_id": device.id,
        "session_id": live.id,
        "upload_id": attempt.id,
        "alarm_id": raised(ursula).id,
        "subscription_id": subscriptions.add(ursula, "https://example.org/hook", ["result.ready"])[0].id,
        "model_id": model.id,
        "run_id": 1,
        "name": "small",
    }
    return World(app, people, things)


def operations(app: Flask) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield method, address and description of all that there is, what deletes last."""
    with app.test_request_context():
        paths = description.document()["paths"]
    found = [(method.upper(), path, about) for path, methods in paths.items() for method, about in methods.items()]
    yield from sorted(found, key=lambda one: (one[0] == "DELETE", "{batch}" not in one[1], one[0] != "GET"))


def body_of(about: dict[str, Any]) -> dict[str, Any]:
    """Return the least that an operation takes: it may be refused, but not for who asks."""
    content = about.get("requestBody", {}).get("content", {})
    if "multipart/form-data" in content:
        return {"data": {"place": "leg"}, "content_type": "multipart/form-data"}
    bodies = {
        "Closing": {"verdict": "true"},
        "NewDevice": {"name": "watch"},
        "NewSubscription": {"url": "https://example.org/other"},
        "NewRun": {"datasets": ["small"], "settings": {"models": []}},
        "NewCorrections": {"stretches": [{"start_s": 30, "end_s": 40, "activity": "Walk"}]},
    }
    if not content:
        return {}
    return {"json": bodies.get(content["application/json"]["schema"]["$ref"].rpartition("/")[2], {})}
