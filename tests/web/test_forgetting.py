"""A person is forgotten by command and on the page: a new version, a certificate and a line in the audit log."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.extensions import db
from app.har.classifiers.elm_gru_am.head_sums import HeadRows, as_kept
from app.har.classifiers.elm_gru_am.persistence import load_model, save_model
from app.services.models import background, forgetting, model_versions
from app.tables import ModelVersion
from tests.services.test_audit import lines
from tests.trained import FIGURES, Example, register_model


@pytest.fixture
def version(app: Flask, example_model: Example, tmp_path: Path) -> ModelVersion:
    """Return a version that kept its sums, of rows of three people."""
    model = load_model(example_model.model)
    rng = np.random.default_rng(0)
    X = as_kept(rng.normal(size=(90, sum(map(len, model.window_columns_)))).astype(np.float32))
    model.head_rows_ = HeadRows(X, rng.integers(0, len(model.activities), 90), np.repeat(["01", "=02", "<b>3"], 30))
    patterns = list(model.elm_.betas)
    model.config = replace(model.config, elm_nodes=40)
    model.elm_ = model.new_elm(model.elm_.seed)
    model.elm_.partial_fit(X, model.head_rows_.y, len(model.activities))
    for present in patterns[:2]:
        model.elm_.solve(present)
    extra = {"data": {"dataset": "physiotherapy"}, "split": {"protocol": "subject"}}
    save_model(model, tmp_path / "saved", extra=extra, texts={"model_card.md": "# A card\n"})
    return model_versions.register("lab", tmp_path / "saved", FIGURES)


def test_the_page_of_a_training_tells_its_model_from_what_was_made_of_it_later(
    version: ModelVersion, finished_run: int, admin_client: FlaskClient
) -> None:
    version.training_run_id = finished_run
    db.session.commit()
    forgetting.forget(version.id, "01")
    page = " ".join(admin_client.get(f"/training/{finished_run}").text.split())
    assert page.count("Stored as model <a") == 1
    assert page.count("Made of it later, without 1 person; the figures below are not its own: model <a") == 1


def ended(client: FlaskClient, address: str) -> TestResponse:
    """Wait until somebody is forgotten; return where the page then leads."""
    while client.get(f"{address}/progress").json["status"] == "running":  # type: ignore[index]
        time.sleep(0.05)
    return client.get(address)


def test_on_the_page_a_new_version_forgets_and_shows_its_certificate(
    app: Flask, version: ModelVersion, admin_client: FlaskClient, user_client: FlaskClient
) -> None:
    page = admin_client.get(f"/models/{version.id}").text
    assert "Forget a person" in page
    assert '<option value="&lt;b&gt;3">&lt;b&gt;3</option>' in page
    answer = admin_client.post(f"/models/{version.id}/forget", data={"subject": "=02"})
    answer = ended(admin_client, answer.headers["Location"])
    made = model_versions.get("lab/2")
    assert answer.headers["Location"] == f"/models/{made.id}#forgotten-title"
    assert forgetting.people_of(made) == {"01": 30, "<b>3": 30}
    assert forgetting.people_of(model_versions.get("lab/1")) == {"01": 30, "=02": 30, "<b>3": 30}
    page = admin_client.get(f"/models/{made.id}").text
    assert "Delete lab/2" not in page
    for words in (
        "=02, taken out of lab/1",
        "30 of 90",
        "lab/1</a> still knows",
        "Delete lab/1",
        "The network was trained with this person",
        "lab/2 is lab/1 without",
    ):
        assert words in page
    (certificate,) = json.loads(admin_client.get(f"/models/{made.id}/forgotten").text)
    assert certificate["difference_to_solving_from_scratch"] <= 1e-8
    card = user_client.get(f"/models/{made.id}/card").text
    assert "Forgotten" in card
    assert "=02" not in card  # any user reads it
    for refused in (user_client.get(f"/models/{made.id}/forgotten"), user_client.post(f"/models/{made.id}/forget")):
        assert refused.status_code == 403
    (line,) = [line for line in lines(app) if line["action"] == "model forgot a person"]
    assert (line["object"], line["details"]["subject"], line["actor"]) == ("lab/2", "=02", "adam")


def test_whom_a_model_does_not_know_it_cannot_forget(
    version: ModelVersion, example_model: Example, admin_client: FlaskClient, tmp_path: Path
) -> None:
    page = admin_client.post(f"/models/{version.id}/forget", data={"subject": "x"}, follow_redirects=True).text
    assert "lab/1 cannot forget a subject &#39;x&#39;. It can forget" in page
    other = register_model(example_model, tmp_path, "other", promote=False)
    assert "Forget a person" not in admin_client.get(f"/models/{other.id}").text
    page = admin_client.post(f"/models/{other.id}/forget", data={"subject": "01"}, follow_redirects=True).text
    assert "other/1 can forget nobody: it did not keep" in page
    assert len(model_versions.list_versions()) == 2


def test_by_command_too(app: Flask, version: ModelVersion) -> None:
    run = app.test_cli_runner().invoke
    certificate = json.loads(run(args=["models", "forget", "lab", "--subject", "01", "--json"]).stdout)
    assert (certificate["label"], certificate["model"], certificate["rows"]) == ("lab/2", "lab/1", 30)
    shown = json.loads(run(args=["models", "people", "lab/1", "--json"]).stdout)
    assert [(one["subject"], one["windows"]) for one in shown] == [("01", 30), ("<b>3", 30), ("=02", 30)]
    assert "when left out" in run(args=["models", "people", "lab/1"]).stdout
    text = run(args=["models", "forget", "lab/2", "--subject", "=02"]).stdout
    assert "no difference" in text
    assert text.startswith("lab/3 is lab/2 without subject =02: 30 rows.")
    assert "flask train --leave-out =02" in text
    refused = run(args=["models", "forget", "lab/3", "--subject", "<b>3"])
    assert refused.exit_code == 1
    assert "nothing would be left" in refused.stderr
    assert model_versions.get("lab").version == 3


def test_while_it_takes_the_page_says_how_long_and_no_second_one_begins(
    version: ModelVersion, admin_client: FlaskClient, user_client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_end = threading.Event()

    def forget(*_: object) -> None:
        may_end.wait(30)
        raise MemoryError

    monkeypatch.setattr(background, "SOON_S", 0.0)
    monkeypatch.setattr(forgetting, "forget", forget)
    address = admin_client.post(f"/models/{version.id}/forget", data={"subject": "01"}).headers["Location"]
    try:
        page = admin_client.get(address).text
        assert "Forgetting 01" in page
        assert f'data-progress-url="{address}/progress"' in page
        assert admin_client.get(f"{address}/progress").json["status"] == "running"  # type: ignore[index]
        again = admin_client.post(f"/models/{version.id}/forget", data={"subject": "01"}, follow_redirects=True)
        assert "A model is forgetting somebody at this moment" in again.text
        assert user_client.get(address).status_code == 403
        assert admin_client.get("/models/forgetting/other").status_code == 404
    finally:
        may_end.set()
    assert ended(admin_client, address).headers["Location"] == f"/models/{version.id}#forget-title"
    assert "No version was made" in admin_client.get(f"/models/{version.id}").text
