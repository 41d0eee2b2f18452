"""Explanations of a model that was stored before they were tested: tested later, on the people held out, and kept."""

from __future__ import annotations

import json
import time

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.har.explanations import about
from app.services.datasets import library
from app.services.errors import Invalid
from app.services.models import explained, model_versions
from app.tables import ModelVersion
from tests import homes, trained


@pytest.fixture
def untested(example: Flask, model: ModelVersion) -> ModelVersion:
    """Return the model of the example as an earlier build stored it."""
    (model_versions.directory(model) / about.FILE).unlink()
    return model


def test_the_page_tests_explanations_of_an_earlier_model_on_the_people_held_out(
    untested: ModelVersion, admin_client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(about, "AT_MOST", 1)  # five windows of each activity
    monkeypatch.setattr(about, "ENOUGH", 20)
    assert "Test explanations" in admin_client.get(f"/models/{untested.id}").text
    before = trained.load(untested)
    address = admin_client.post(f"/models/{untested.id}/explain").headers["Location"]
    while admin_client.get(f"{address}/progress").json["status"] == "running":  # type: ignore[index]
        time.sleep(0.05)
    assert admin_client.get(address).headers["Location"] == f"/models/{untested.id}#explained-title"
    found = explained.of(untested)
    assert found.measured is not None
    assert found.measured["test"]["people"] == model_versions.provenance(untested)["split"]["test_subjects"]
    assert found.measured["told_by"]
    page = admin_client.get(f"/models/{untested.id}").text
    assert "Test explanations" not in page
    assert found.tested in page
    assert trained.load(untested) is before  # its own files are as they were
    kept = model_versions.measured_file(untested)
    document = json.loads(kept.read_text(encoding="utf-8"))
    kept.write_text(json.dumps({**document, "manifest_sha256": "of another"}), encoding="utf-8")
    assert explained.of(untested).measured is None
    model_versions.register("next", model_versions.directory(untested), {})
    model_versions.promote("next")
    model_versions.delete(untested.id)
    assert not kept.exists()


def test_without_people_held_out_nothing_is_tested(untested: ModelVersion, app: Flask) -> None:
    library.remove(homes.EXAMPLE)
    with pytest.raises(Invalid, match="is not on this server"):
        explained.measure(untested.id)
    trained.change_protocol(untested, "random")
    run = app.test_cli_runner().invoke(args=["models", "explain", untested.label])
    assert run.exit_code == 1
    assert "nobody on whom" in run.stderr
