"""The description of the API, for programs and for people; and how much one token may ask for."""

from __future__ import annotations

import json
from functools import cache
from hashlib import sha256
from typing import Any

from flask import Response, current_app, render_template, request

from app.extensions import limiter
from app.services.api.tokens import Scope
from app.web import problems
from app.web.access import access
from app.web.api.v1 import description
from app.web.api.v1.registry import bp

ADDRESS_A_MINUTE = 60  # wrong tokens from one address that are looked up


def _token() -> str:
    """Return what tells tokens apart, without being one."""
    sent = request.headers.get("Authorization", "")
    return sha256(sent.encode(errors="replace")).hexdigest() if sent else request.remote_addr or ""


def _address() -> str:
    return f"wrong tokens {request.remote_addr}"


limiter.limit(lambda: f"{current_app.config['API_REQUESTS_A_MINUTE']} per minute", key_func=_token)(bp)
limiter.limit(
    f"{ADDRESS_A_MINUTE} per minute", key_func=_address, deduct_when=lambda response: response.status_code == 401
)(bp)


@bp.get("/openapi.json")
@access("public")
def openapi() -> Response:
    """Send the description of the API in OpenAPI 3.1."""
    response = Response(_text(), mimetype="application/json")
    response.add_etag()
    return response.make_conditional(request)  # type: ignore[return-value]


@cache
def _text() -> str:
    return json.dumps(description.document(), indent=1)


@bp.get("/")
@access("public")
def read() -> str:
    """Show the description of the API to people."""
    document = description.document()
    return render_template(
        "api/read.html",
        api=document,
        operations=_by_tag(document),
        shapes=document["components"]["schemas"],
        scopes=list(Scope),
        type_of=type_of,
        problems=problems.KINDS,
        limit=current_app.config["API_REQUESTS_A_MINUTE"],
    )


def _by_tag(document: dict[str, Any]) -> dict[str, list[tuple[str, str, dict[str, Any]]]]:
    found: dict[str, list[tuple[str, str, dict[str, Any]]]] = {}
    for path, methods in document["paths"].items():
        for method, about in methods.items():
            found.setdefault(about["tags"][0], []).append((method.upper(), path, about))
    return dict(sorted(found.items()))


def type_of(schema: dict[str, Any]) -> str:
    """Say what a value is: text, whole number 1 to 100, list of Window, one of leg, trunk."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " or ".join(type_of(each) for each in schema["anyOf"])
    if "enum" in schema:
        return f"one of {', '.join(repr(each) if not each else str(each) for each in schema['enum'])}"
    kind = schema.get("type", "anything")
    if kind == "array":
        return f"list of {type_of(schema['items'])}"
    words = {"string": schema.get("format", "text"), "integer": "whole number", "number": "number", "null": "nothing"}
    words |= {"boolean": "true or false", "object": "object"}
    word: str = words.get(kind, kind)
    low, high = schema.get("minimum"), schema.get("maximum")
    return word + (f" {low} to {high}" if low is not None and high is not None else "")
