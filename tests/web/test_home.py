"""The first page, for everybody who may stand before it."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from html import unescape

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.extensions import db
from app.har.recordings.devices.registry import DEVICES
from app.har.recordings.importers import IMPORTERS
from app.services import accounts
from app.services.known_formats import AFTER_A_QUESTION, HOW_TO_EXPORT, recording_formats
from app.services.models import reference_models
from app.tables import Dataset, ModelVersion, TrainingRun
from app.tables.training_run import RunStatus
from app.web import template_tools
from tests.conftest import PASSWORD


def test_before_the_set_up_the_first_page_says_where_to_start(client: FlaskClient) -> None:
    text = client.get("/").text
    assert "Not set up yet" in text
    assert "printed in the terminal" in text


def test_after_the_set_up_the_first_page_offers_to_log_in(client: FlaskClient) -> None:
    accounts.register("adam", PASSWORD, "", "adam@example.org", "", "admin")
    text = client.get("/").text
    assert "Not set up yet" not in text
    assert 'href="/login"' in text
    assert 'href="/register"' in text


def test_the_bar_on_top_shows_each_person_their_pages(
    client: FlaskClient, user_client: FlaskClient, caregiver_client: FlaskClient, admin_client: FlaskClient
) -> None:
    def bar(client: FlaskClient) -> list[str]:
        return re.findall(r'class="nav-link[^"]*" href="([^"]+)"', client.get("/", follow_redirects=True).text)

    assert bar(client) == ["/login", "/register"]
    assert bar(user_client) == ["/", "/days/", "/live/", "/alarms/"]
    assert bar(caregiver_client) == ["/people", "/alarms/"]
    assert bar(admin_client) == [
        "/", "/days/", "/live/", "/alarms/", "/datasets/", "/training/", "/models/", "/cohorts/", "/sites/",
        "/admin/users",
        "/admin/audit",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("address", "entry", "mark"), [("/models/", "/models/", "page"), ("/datasets/add", "/datasets/", "true")]
)
def test_the_bar_marks_the_page_and_the_section_it_is_in(
    admin_client: FlaskClient, address: str, entry: str, mark: str
) -> None:
    text = admin_client.get(address).text
    assert re.findall(r'<a class="nav-link active" href="([^"]+)" aria-current="(\w+)"', text) == [(entry, mark)]


def test_a_user_sees_uploads_and_nothing_of_administration(user_client: FlaskClient) -> None:
    text = user_client.get("/").text
    assert "Welcome, ursula" in text
    assert "Your recordings" in text
    assert "View users" not in text
    assert "ENCRYPTION_KEY" not in text


def test_an_administrator_sees_where_the_key_is_and_what_to_do_with_it(admin_client: FlaskClient) -> None:
    text = admin_client.get("/").text
    assert "the environment variable ENCRYPTION_KEY" in text
    assert "flask keys export" in text
    assert "beside the data" not in text


def next_step(client: FlaskClient) -> list[str]:
    return re.findall(r'class="overview-card next" aria-labelledby="overview-(\w+)"', client.get("/").text)


def test_an_administrator_sees_what_to_do_next(admin_client: FlaskClient) -> None:
    assert next_step(admin_client) == ["datasets"]

    db.session.add(Dataset(name="lab", folder="lab", source="lab.zip", fingerprint="f"))
    db.session.commit()
    assert next_step(admin_client) == ["training"]

    version = ModelVersion(name="lab", version=1, metrics={}, promoted=False)
    run = TrainingRun(status=RunStatus.FINISHED, config={"dataset": "lab"}, result={})
    db.session.add_all([version, run])
    db.session.commit()
    assert next_step(admin_client) == ["models"]

    version.promoted = True
    db.session.commit()
    assert next_step(admin_client) == []
    assert "Default: lab/1." in admin_client.get("/").text

    db.session.delete(run)  # what users get came with the program: nobody has to train
    db.session.commit()
    assert next_step(admin_client) == []
    assert "Upload a recording below, or add a data set" in admin_client.get("/").text


def test_a_training_that_runs_can_be_watched_from_the_first_page(admin_client: FlaskClient) -> None:
    run = TrainingRun(config={"dataset": "lab"}, result={})
    db.session.add(run)
    db.session.commit()
    text = admin_client.get("/").text
    assert "A training run is in progress." in text
    assert f'href="/training/{run.id}"' in text


def test_plotly_comes_from_its_package_under_an_address_of_its_version(app: Flask, client: FlaskClient) -> None:
    with app.test_request_context():
        address = app.url_for("home.plotly_js")
    assert re.fullmatch(r"/plotly\.min\.js\?version=[\d.]+", address)
    response = client.get(address)
    assert response.mimetype in {"text/javascript", "application/javascript"}
    assert len(response.data) > 1_000_000
    assert response.cache_control.max_age == 31_536_000


@pytest.mark.parametrize(
    ("filter_name", "value", "text"),
    [
        ("duration", None, "–"),
        ("duration", 0, "0 s"),
        ("duration", 3.24, "3.2 s"),
        ("duration", 9.99, "10 s"),
        ("duration", 59.4, "59 s"),
        ("duration", 59.6, "1 min 00 s"),
        ("duration", 245, "4 min 05 s"),
        ("duration", 3599.6, "1 h 00 min"),
        ("duration", 3720, "1 h 02 min"),
        ("duration", 360000, "100 h 00 min"),
        ("percent", 0.953, "95.3 %"),
        ("percent", 1, "100.0 %"),
        ("percent", None, "–"),
        ("thousands", 20750, "20,750"),
        ("thousands", 0, "0"),
        ("thousands", None, "–"),
        ("moment", None, "–"),
        ("stopwatch", 63, "0:01:03"),
        ("stopwatch", 3600.25, "1:00:00.2"),
        ("capitalise", "", ""),
        ("capitalise", "m/s² of SisFall", "M/s² of SisFall"),
        ("sensor_name", "watch.heart_rate", "watch heart rate"),
    ],
)
def test_figures_read_as_people_write_them(app: Flask, filter_name: str, value: object, text: str) -> None:
    assert app.jinja_env.filters[filter_name](value) == text


def test_a_moment_is_written_in_utc_for_the_browser_to_convert() -> None:
    value = datetime(2024, 2, 9, 13, 5, 59, tzinfo=timezone.utc)
    assert template_tools.moment(value) == (
        '<time class="moment" datetime="2024-02-09T13:05:59+00:00">09 Feb 2024, 13:05 UTC</time>'
    )


def test_apps_and_watches_come_first_each_with_how_to_export_from_it() -> None:
    formats = recording_formats()
    own = [known.name for known in formats if known.export]
    assert own == [*HOW_TO_EXPORT, *AFTER_A_QUESTION]
    assert [known.name for known in formats][: len(own)] == own
    assert set(HOW_TO_EXPORT) <= {importer.APP for importer in (*IMPORTERS, *DEVICES)}


def test_the_upload_box_names_every_format_that_can_be_read(user_client: FlaskClient, app: Flask) -> None:
    reference_models.add_new()
    page = unescape(user_client.get("/").text)
    for importer in IMPORTERS:
        assert f"<dt>{importer.APP}</dt>" in page
        assert f"<dd>{importer.DESCRIPTION.partition(': ')[2]}</dd>" in page
