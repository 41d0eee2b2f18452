"""The pages of cohorts."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.services import audit, installation
from app.services.cohorts import cohorts
from app.services.cohorts.running import job_for
from tests.trained import Example, recording_csv, register_model

FORM = {"model": "lab/1", "workers": "1", "people": "folder", "place": "", "age": "", "zone": "UTC"}


@pytest.fixture
def people(app: Flask, example_model: Example, tmp_path: Path) -> Path:
    """Return a folder of one recording that an administrator may name, beside a model."""
    register_model(example_model, tmp_path / "registered", "lab")
    (tmp_path / "people" / "ursula").mkdir(parents=True)
    (tmp_path / "people" / "ursula" / "walk.csv").write_bytes(recording_csv(16))
    return tmp_path / "people"


def until_it_ended(client: FlaskClient, address: str) -> str:
    """Wait for the end of a run; return its page."""
    ends = time.monotonic() + 180
    while (state := client.get(f"{address}/progress").get_json())["status"] == "running":
        assert {"stage", "elapsed", "fraction"} <= set(state)
        assert time.monotonic() < ends
        time.sleep(0.1)
    return client.get(address).text


def test_a_cohort_is_followed_tried_again_taken_along_and_deleted(
    app: Flask, admin_client: FlaskClient, people: Path
) -> None:
    app.config["READ_TIMEOUT_S"] = 0.001  # so that the worker dies of each recording
    answer = admin_client.post("/cohorts/", data=FORM | {"folder": str(people)})
    address = answer.location
    assert (answer.status_code, address) == (302, "/cohorts/1")
    assert admin_client.post(f"{address}/delete", follow_redirects=True).text.count("Stop it first") == 1
    assert "runs at this moment" in admin_client.post("/cohorts/", data=FORM | {"folder": str(people)}).text
    page = until_it_ended(admin_client, address)
    assert page.count("the process that read it ended, 2 times") == 1
    assert (Path(app.config["INSTANCE"]) / "cohorts" / "1" / "run.log").read_text().count("Timeout (") == 2
    assert "Try these again" in page

    app.config["READ_TIMEOUT_S"] = 300
    (people / "ulf").mkdir()
    (people / "ulf" / "walk.csv").write_bytes(recording_csv(18))
    admin_client.post(f"{address}/go-on", data={"again": "1"})
    page = until_it_ended(admin_client, address)
    assert "ursula/walk.csv" in page
    assert "Try these again" not in page
    assert b"PAR1" in admin_client.get(f"{address}/files.parquet").data
    assert admin_client.get(f"{address}/bouts.csv").text.startswith("file,person,recording,start_s")
    assert "ulf/walk.csv,ulf" in admin_client.get(f"{address}/days.csv").text
    assert admin_client.get(f"{address}/people.svg").mimetype == "image/svg+xml"
    report = admin_client.get(f"{address}/report.html")
    assert "fewer than 5" in report.text
    assert "ursula" not in report.text
    assert admin_client.get(f"{address}/nothing.csv").status_code == 404

    assert "was deleted" in admin_client.post(f"{address}/delete", follow_redirects=True).text
    assert list(cohorts.root().glob("[0-9]*")) == []
    assert sorted(path.name for path in people.rglob("*.csv")) == ["walk.csv", "walk.csv"]
    log = "".join(path.read_text() for path in audit.files())
    assert [log.count(f'"{what}"') for what in ("cohort started", "cohort ended", "cohort deleted")] == [2, 2, 1]


def test_a_cohort_whose_server_went_away_is_interrupted_and_numbers_are_never_used_again(
    app: Flask, admin_client: FlaskClient, people: Path
) -> None:
    for _ in range(2):
        number = cohorts._next_number()
    home = cohorts.root() / str(number)
    home.mkdir()
    job = job_for(people, None, by_page=True)
    cohorts._write(home / cohorts.ASKED, {"job": job.as_dict(), "workers": 1, "created": "2026-01-01T00:00:00+00:00"})
    page = admin_client.get("/cohorts/2").text
    assert "interrupted" in page
    assert "Go on" in page or "Look for changes" in page
    admin_client.post("/cohorts/2/delete")
    assert cohorts._next_number() == 3
    installation._roots()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"folder": "/etc"}, "There is no such folder, or it may not be read."),
        ({"folder": "{people}/none"}, "There is no such folder, or it may not be read."),
        ({"workers": "9999"}, "as many as this machine has cores"),
        ({"people": "{trial}"}, "the pattern must have the word {subject}"),
        ({"zone": "Moon"}, "is not a known time zone"),
    ],
)
def test_what_is_wrong_is_said_at_the_form(
    admin_client: FlaskClient, people: Path, wrong: dict[str, str], message: str
) -> None:
    wrong = {name: text.replace("{people}", str(people)) for name, text in wrong.items()}
    answer = admin_client.post("/cohorts/", data=FORM | {"folder": str(people)} | wrong)
    assert message in answer.text
    assert answer.status_code in (400, 422)
    assert cohorts.list_cohorts() == []


def test_nobody_else_sees_cohorts(user_client: FlaskClient, client: FlaskClient) -> None:
    for address in ("/cohorts/", "/cohorts/1", "/cohorts/1/files.csv", "/cohorts/1/report.html"):
        assert user_client.get(address).status_code == 403
        assert client.get(address).status_code == 302
