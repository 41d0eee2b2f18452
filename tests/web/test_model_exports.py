"""Exports of a model on its page: made with progress, shown, downloaded, deleted, or refused with the reason."""

from __future__ import annotations

import io
import threading
import time
import zipfile

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.har.exports import needs
from app.services.models import background, exports, model_versions, reference_models
from app.tables import ModelVersion
from tests.services.test_audit import lines
from tests.services.test_model_exports import version as version  # a fixture


def test_a_model_is_exported_on_its_page_and_taken_along(
    app: Flask, version: ModelVersion, admin_client: FlaskClient, user_client: FlaskClient
) -> None:
    page = f"/models/{version.id}"
    assert "Take it along" in admin_client.get(page).text
    address = admin_client.post(f"{page}/exports", data={"kind": "browser int8"}).headers["Location"]
    while admin_client.get(f"{address}/progress").json["status"] == "running":  # type: ignore[index]
        time.sleep(0.05)
    shown = admin_client.get(address, follow_redirects=True).text
    assert "reference-physiotherapy/1 as Browser, int8: made, tried, and ready to take along." in shown
    assert "nobody held out is here" in shown
    assert "of 96 windows" in shown
    archive = f"{page}/exports/browser/int8"
    answer = admin_client.get(archive)
    assert answer.headers["Content-Disposition"].endswith("reference-physiotherapy-1-browser-int8.zip")
    assert answer.data == exports.artefact(version, "browser", "int8").read_bytes()
    with zipfile.ZipFile(io.BytesIO(answer.data)) as opened:
        names, model = opened.namelist(), opened.read("model.onnx")
    assert {"index.html", "worker.js", "onnxruntime/ort-wasm-simd-threaded.wasm", "onnxruntime/LICENSE"} <= set(names)
    model_versions.set_limit(version.id, 0.6)
    (offered,) = user_client.get("/live/here/models").json  # type: ignore[misc]
    assert offered["description"]["output"]["limit"] == 0.6
    assert set(offered["colours"]) >= {"Pendulum", "Uncertain", "Unfamiliar"}
    assert user_client.get(offered["address"]).data == model
    for refused in (user_client.get(archive), user_client.post(f"{archive}/delete"), user_client.get(address)):
        assert refused.status_code == 403
    assert "can be made again" in admin_client.post(f"{archive}/delete", follow_redirects=True).text
    assert admin_client.get(archive).status_code == 404
    done = [line["details"] for line in lines(app) if line["action"] in ("model exported", "model changed")]
    assert user_client.get("/live/here/models").json == []
    assert done[0] == {"format": "browser", "weights": "int8"}
    assert done[2]["change"] == "export deleted"


def test_while_one_is_made_the_page_says_how_far_it_is_and_no_second_one_begins(
    version: ModelVersion, admin_client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_end = threading.Event()

    def make(*arguments: object) -> None:
        arguments[-1]({"stage": "Comparing", "fraction": 0.9})  # type: ignore[operator]
        may_end.wait(30)
        raise MemoryError

    monkeypatch.setattr(background, "SOON_S", 0.05)
    monkeypatch.setattr(exports, "make", make)
    address = admin_client.post(f"/models/{version.id}/exports", data={"kind": "c int8"}).headers["Location"]
    try:
        page = admin_client.get(address).text
        assert "Exporting reference-physiotherapy/1 as C, int8" in page
        assert 'style="width: 90%"' in page
        again = admin_client.post(f"/models/{version.id}/exports", data={"kind": "c int8"}, follow_redirects=True)
        assert "A model is being exported at this moment" in again.text
        assert admin_client.get("/models/exporting/other").status_code == 404
    finally:
        may_end.set()
    while admin_client.get(f"{address}/progress").json["status"] == "running":  # type: ignore[index]
        time.sleep(0.05)
    assert "Nothing was made, because of an unexpected error" in admin_client.get(address, follow_redirects=True).text


def test_what_cannot_be_made_is_said_with_its_reason(
    app: Flask, admin_client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    reference_models.add_new()
    everyday, ku_har = (model_versions.get(f"reference-{name}").id for name in ("everyday", "ku-har"))
    shown = admin_client.get(f"/models/{everyday}").text
    assert "they look at a whole recording before they answer" in shown
    assert 'name="kind"' not in shown
    refused = admin_client.post(f"/models/{everyday}/exports", data={"kind": "c int8"}, follow_redirects=True).text
    assert "Models of the kind everyday can&#39;t be exported" in refused
    refused = admin_client.post(f"/models/{ku_har}/exports", data={"kind": "exe"}, follow_redirects=True).text
    assert "A format is one of c" in refused
    monkeypatch.setattr(needs, "find_spec", lambda _: None)
    monkeypatch.setattr(needs, "c_compiler", lambda: None)
    shown = admin_client.get(f"/models/{ku_har}").text
    assert "apt install gcc libc6-dev" in shown
    assert "pip install onnx onnxruntime" in shown
    assert 'name="kind"' not in shown
    monkeypatch.undo()
    monkeypatch.setitem(app.config, "DISK_RESERVE", 2**60)
    refused = admin_client.post(f"/models/{ku_har}/exports", data={"kind": "c int8"}, follow_redirects=True).text
    assert "disk is full" in refused
    assert not list(model_versions.exports_folder(model_versions.get(ku_har)).iterdir())
