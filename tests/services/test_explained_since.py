"""Explanations of a model that was stored before they were tested: tested later, on the people held out, and kept."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.har.explanations import about
from app.har.signals.types import SignalSet
from app.har.training import held_out
from app.services.datasets import library
from app.services.errors import Invalid
from app.services.models import explained, model_files, model_versions
from app.services.transaction import transaction
from app.tables import Dataset, ModelVersion
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


@pytest.mark.parametrize(
    "otherwise",
    [
        lambda signals: replace(signals, subjects=(*signals.subjects[1:], signals.subjects[0])),
        lambda signals: replace(signals, sampling_rate_hz=2 * signals.sampling_rate_hz),
        lambda signals: replace(signals, gravity="removed"),
    ],
)
def test_the_same_files_described_otherwise_do_not_pass_for_people_held_out(
    untested: ModelVersion, otherwise: Callable[[SignalSet], SignalSet]
) -> None:
    manifest = model_files.manifest(model_versions.directory(untested))
    signals = library.open_dataset(library.get(homes.EXAMPLE)).signals
    assert held_out.of_model(manifest, signals)
    assert held_out.of_model(manifest, otherwise(signals)) is None
    assert held_out.of_model({**manifest, "config": {**manifest["config"], "leave_out": ["nobody"]}}, signals) is None


def test_of_the_same_files_read_twice_that_of_the_name_is_taken(example: Flask) -> None:
    one = library.get(homes.EXAMPLE)
    with transaction() as session:
        session.add(Dataset(name="a-first", folder="?", source="", fingerprint=one.fingerprint, summary={}))
    assert library.of_fingerprint(one.fingerprint, f"{one.name}:watch") == one
