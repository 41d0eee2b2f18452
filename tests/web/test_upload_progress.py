"""How far an upload is, for the page that waits for it."""

from __future__ import annotations

import io
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from app.extensions import db
from app.services.recordings import upload_progress, uploads
from app.tables import ModelVersion, User
from tests.trained import Example, recording_csv, register_model

TOKEN = "0123456789abcdef"
NOTHING = {"stage": None, "fraction": None}


@pytest.fixture
def model(app: Flask, example_model: Example, tmp_path: Any) -> ModelVersion:
    return register_model(example_model, tmp_path)


def own_id() -> int:
    return int(db.session.scalars(select(User.id).order_by(User.id.desc())).first() or 0)


def test_the_page_learns_the_stage_while_the_file_is_read(app: Flask, user_client: FlaskClient) -> None:
    assert user_client.get(f"/predictions/progress/{TOKEN}").json == NOTHING
    with upload_progress.followed(own_id(), TOKEN) as on_event:
        assert user_client.get(f"/predictions/progress/{TOKEN}").json == NOTHING
        on_event({"stage": "recognising", "fraction": 0.25})
        answer = user_client.get(f"/predictions/progress/{TOKEN}").json
        assert answer == {"stage": "Recognising the activities", "fraction": 0.25}
        assert upload_progress.latest(own_id() + 1, TOKEN) is None
    assert user_client.get(f"/predictions/progress/{TOKEN}").json == NOTHING


def test_an_upload_tells_its_stages_in_order(app: Flask, user_client: FlaskClient, model: ModelVersion) -> None:
    events: list[dict[str, Any]] = []
    uploads.receive(own_id(), "walk.csv", io.BytesIO(recording_csv()), model.id, events.append)
    assert list(dict.fromkeys(event["stage"] for event in events)) == ["reading", "resampling", "recognising"]
    for stage in ("reading", "resampling", "recognising"):
        fractions = [event["fraction"] for event in events if event["stage"] == stage]
        assert fractions == sorted(fractions)
        assert fractions[-1] == (0.0 if stage == "resampling" else 1.0)  # counts recordings, and there is one


def test_a_followed_upload_leads_to_its_page_and_leaves_no_trace(user_client: FlaskClient, model: ModelVersion) -> None:
    data = {"file": (io.BytesIO(recording_csv()), "walk.csv")}
    assert user_client.post(f"/predictions/?follow={TOKEN}", data=data).status_code == 302
    assert user_client.get(f"/predictions/progress/{TOKEN}").json == NOTHING
