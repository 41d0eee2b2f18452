"""A person's recordings of their own walking on the home page, and whether they are a measure for an upload."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from app.extensions import db
from app.services.recordings import known_walking, recordings
from app.services.recordings.recognise import KnownWalking
from app.tables import ModelVersion, StoredRecording, User
from tests.long_recording import store, unsure_day
from tests.trained import Example, recording_csv, register_model

TICKED = re.compile(r'<input checked[^>]*name="use_walking"')


@pytest.fixture
def model(app: Flask, example_model: Example, tmp_path: Path) -> ModelVersion:
    return register_model(example_model, tmp_path)


@pytest.fixture
def own(app: Flask, user_client: FlaskClient) -> StoredRecording:
    """Return a recording of the logged-in user, of which their place is known."""
    user = db.session.scalars(select(User).where(User.username == "ursula")).one()
    recording = store(app, user.id, None, unsure_day()).recording
    recording.place = "leg"
    db.session.commit()
    return recording


@pytest.mark.usefixtures("model")
def test_recordings_of_walking_are_on_the_home_page_of_their_owner_and_the_forms_ask_whether_to_use_them(
    own: StoredRecording, user_client: FlaskClient, log_in: Callable[..., FlaskClient]
) -> None:
    page = f"/predictions/{own.id}"
    for address in ("/", page):
        without = user_client.get(address).text
        assert "known-walking" not in without
        assert "use_walking" not in without
    known_walking.mark(own, walking=True)
    home = user_client.get("/").text
    table = home.partition('id="known-walking"')[2].partition("</table>")[0]
    for words in ("In a trouser pocket", "day.csv", "Stop using it", f"{page}/walking"):
        assert words in table
    assert "Your walking is known with the device in a trouser pocket." in home
    assert TICKED.search(home)
    assert TICKED.search(user_client.get(page).text)
    for role in ("user", "admin"):
        other = log_in(f"other-{role}", role=role).get("/").text
        assert "known-walking" not in other
        assert "use_walking" not in other
    user_client.post(f"{page}/walking", data={"walking": "0"})
    assert "known-walking" not in user_client.get("/").text


def test_who_takes_the_tick_away_is_not_measured_against_their_walking(
    model: ModelVersion, own: StoredRecording, user_client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    known_walking.mark(own, walking=True)
    asked_for: list[str] = []
    walking_of = recordings.walking_of

    def look(user_id: int, place: str, of: StoredRecording | None = None) -> KnownWalking | None:
        asked_for.append(place)
        return walking_of(user_id, place, of)

    monkeypatch.setattr(recordings, "walking_of", look)
    for ticked, places in (({}, []), ({"use_walking": "y"}, ["leg"])):
        form = {"file": (io.BytesIO(recording_csv()), "arm.csv"), "place": "leg", **ticked}
        url = user_client.post("/predictions/", data=form).location
        assert asked_for == places
    for ticked, places in (({}, ["leg"]), ({"use_walking": "y"}, ["leg", "leg"])):
        user_client.post(f"{url}/again", data={"version": model.id, "place": "leg", **ticked})
        assert asked_for == places


def test_nobody_marks_a_recording_without_logging_in(own: StoredRecording, client: FlaskClient) -> None:
    answer = client.post(f"/predictions/{own.id}/walking", data={"walking": "1"})
    assert answer.status_code == 302
    assert answer.location.startswith("/login")
    assert not known_walking.is_walking(own)
