"""The page that recognises on a phone: what it is made of, and that its worker may do what no other script may."""

from __future__ import annotations

import gzip

from flask import Flask
from flask.testing import FlaskClient

POLICY = "Content-Security-Policy"


def test_the_worker_alone_may_compile_a_program_and_can_send_nothing(client: FlaskClient) -> None:
    worker = client.get("/live/here/worker.js")
    assert worker.headers[POLICY] == "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'"
    for other in ("/live/here/", "/live/here/page.js", "/static/here/worker.js"):
        assert "wasm" not in client.get(other).headers[POLICY]


def test_the_runtime_comes_as_it_lies_compressed(client: FlaskClient) -> None:
    answer = client.get("/live/here/onnxruntime/ort-wasm-simd-threaded.wasm")
    assert (answer.mimetype, answer.headers["Content-Encoding"]) == ("application/wasm", "gzip")
    assert gzip.decompress(answer.data).startswith(b"\0asm")


def test_anybody_may_open_the_page_but_models_are_for_users(
    app: Flask, client: FlaskClient, user_client: FlaskClient, caregiver_client: FlaskClient
) -> None:
    assert client.get("/live/here/").status_code == 200
    assert client.get("/live/here/onnxruntime/README.md").status_code == 404
    assert client.get("/live/here/models", headers={"Accept": "application/json"}).status_code == 401
    assert caregiver_client.get("/live/here/models").status_code == 403
    assert user_client.get("/live/here/models").json == []
    assert user_client.get("/live/here/models/1/float32.onnx").status_code == 404
    assert "On this phone only" in user_client.get("/live/").text
