"""An everyday model that expects activities as in daily life: what is stored, shown and asked anew."""

from __future__ import annotations

import io
import re

import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.services.errors import Invalid
from app.services.models import model_versions, reference_models
from app.services.recordings import recordings, uploads
from app.tables import Prediction, User
from tests import everyday, synthetic

CHOSEN = re.compile(r'<input checked[^>]*name="prior"[^>]*value="([^"]*)"')


@pytest.fixture(autouse=True)
def released(app: Flask) -> None:
    reference_models.add_new()


def walk(minutes: float = 61) -> bytes:
    values = everyday.signal("Stairs up", 5, int(20 * minutes)).reshape(-1, 9)
    samples = np.column_stack([np.arange(len(values)) / 50, values[:, :3] + values[:, 6:], values[:, 3:6]])
    return synthetic.text(samples, "time_s,acc_x,acc_y,acc_z,gyro_x,gyro_y,gyro_z").encode()


def test_it_acts_on_new_results_and_on_those_that_are_asked_again(user: User) -> None:
    first = uploads.receive(user.id, "a.csv", io.BytesIO(walk()))
    assert isinstance(first, Prediction)
    before = recordings.result_of(first)
    assert (before.prior, first.summary["prior"]) == ({}, {})
    version = model_versions.set_prior("reference-everyday", "daily life")
    assert sum(version.prior.values()) == pytest.approx(1, abs=1e-3)
    assert recordings.result_of(first).prior == {}  # results keep what they were made with
    again = recordings.repredict(user.id, first.recording_id, version.id)
    after = recordings.result_of(again)
    assert again.id == first.id
    assert after.prior == version.prior == again.summary["prior"]
    stairs = [before.activities.index(name) for name in ("Stairs up", "Stairs down")]
    running = before.activities.index("Running")
    for column in (*stairs, running):
        assert (after.proba[:, column] <= before.proba[:, column] + 1e-6).all()
    assert not np.allclose(after.proba, before.proba)
    model_versions.set_prior("reference-everyday", "balanced")
    assert np.allclose(recordings.result_of(recordings.repredict(user.id, first.recording_id)).proba, before.proba)


def test_a_short_recording_is_of_what_somebody_chose_to_record(user: User) -> None:
    balanced = recordings.result_of(uploads.store_and_recognise(user.id, "a.csv", io.BytesIO(walk(1))))
    model_versions.set_prior("reference-everyday", "daily life")
    result = recordings.result_of(uploads.store_and_recognise(user.id, "a.csv", io.BytesIO(walk(1))))
    assert result.prior == {}
    np.testing.assert_array_equal(result.proba, balanced.proba)


def test_the_page_of_a_recording_says_what_was_expected(user_client: FlaskClient) -> None:
    model_versions.set_prior("reference-everyday", "daily life")
    data = {"file": (io.BytesIO(walk()), "a.csv")}
    page = user_client.post("/predictions/", data=data, follow_redirects=True).text
    assert "Activities were expected as in daily life: still 76.0 %" in page


@pytest.mark.parametrize(
    ("model", "prior", "message"),
    [
        ("reference-everyday", "as at sea", "A prior is one of balanced, daily life; found 'as at sea'"),
        ("reference-ku-har", "daily life", "is no everyday model"),
    ],
)
def test_another_prior_or_model_is_refused(app: Flask, model: str, prior: str, message: str) -> None:
    with pytest.raises(Invalid, match=message):
        model_versions.set_prior(model, prior)
    assert model_versions.get(model).prior == {}


def test_an_administrator_chooses_it_on_the_page_of_an_everyday_model_alone(admin_client: FlaskClient) -> None:
    version = model_versions.get("reference-everyday")
    url = f"/models/{version.id}"
    assert CHOSEN.findall(admin_client.get(url).text) == ["balanced"]
    page = admin_client.post(f"{url}/prior", data={"prior": "daily life"}, follow_redirects=True).text
    assert "reference-everyday/1 expects activities as in daily life from now on." in page
    assert CHOSEN.findall(page) == ["daily life"]
    page = admin_client.post(f"{url}/prior", data={"prior": "x"}, follow_redirects=True).text
    assert "A prior is one of balanced, daily life; found &#39;x&#39;." in page
    assert "prior-title" not in admin_client.get(f"/models/{model_versions.get('reference-ku-har').id}").text
