"""On this phone only: a page that fetches a model once, keeps it with itself, and recognises without the server."""

from __future__ import annotations

import io
from typing import Any

from flask import abort, current_app, jsonify, render_template, send_file, url_for
from werkzeug.wrappers import Response

from app.har.exports.formats import SCRIPTS, WASM
from app.services.models import exports, model_versions
from app.services.recordings import example
from app.web.access import access
from app.web.live.routes import bp

OWN = ("page.js", "service_worker.js", *SCRIPTS)  # as they lie in static/here/; their addresses are below the page's
WORKER_POLICY = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'"


@bp.get("/here/")
@access("public")
def here_page() -> str:
    """Show the page; nothing on it is of a person, so that it can be kept where anybody opens it."""
    files = [url_for(".here_file", name=name) for name in OWN if name != "service_worker.js"]
    return render_template("live/here.html", files=files, runtime=url_for(".here_file", name=WASM))


@bp.get("/here/<path:name>")
@access("public")
def here_file(name: str) -> Response:
    """Send a script of the page, or the runtime; the worker alone may compile WebAssembly, and can send nothing."""
    path = f"{current_app.static_folder}/here/{name}"
    if name == WASM:
        return _runtime(path)
    if name not in OWN:
        abort(404)
    response = send_file(path, mimetype="text/javascript")
    if name == "worker.js":
        response.headers["Content-Security-Policy"] = WORKER_POLICY
    return response


def _runtime(path: str) -> Response:
    """Send what lies here compressed as it lies; every browser takes it so."""
    response = send_file(f"{path}.gz", mimetype="application/wasm")
    response.headers["Content-Encoding"] = "gzip"
    return response


@bp.get("/here/models")
@access("user")
def here_models() -> Response:
    """Return the models that were made for browsers, as the page's script needs them."""
    of_example = example.model_of_example()

    def as_sent(one: dict[str, Any]) -> dict[str, Any]:
        version = one.pop("version")
        address = url_for(".here_model", version_id=version.id, weights=one.pop("weights"), sha256=one.pop("sha256"))
        sample = url_for("predictions.example_csv") if of_example and version.id == of_example.id else ""
        return {"label": version.label, "address": address, "example": sample, **one}

    return jsonify([as_sent(one) for one in exports.for_browsers()])


@bp.get("/here/models/<int:version_id>/<weights>.onnx")
@access("user")
def here_model(version_id: int, weights: str) -> Response:
    """Send a model to a browser, which keeps it."""
    version = model_versions.get(version_id)
    content = io.BytesIO(exports.browsers_model(version, weights))
    name = f"{version.name}-{version.version}-{weights}.onnx"
    return send_file(content, mimetype="application/octet-stream", as_attachment=True, download_name=name)
