"""What the API is, in OpenAPI 3.1, from its views; and the check that a request is as described.

SpecTree and pydantic are imported when the API is used for the first time: no page waits for them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import cache
from http import HTTPStatus
from threading import Lock
from typing import TYPE_CHECKING, Any

from flask import current_app

from app.services.api.tokens import Scope
from app.web.api.v1.registry import Operation, bp, operations
from app.web.problems import MEDIA_TYPE, NotAsDescribed

if TYPE_CHECKING:
    from spectree import SpecTree
    from werkzeug.routing import Rule


VERSION = "1.2.0"  # of the API: see docs/API.md
ABOUT = (
    "Activities from recordings of wearable sensors, without a person who clicks. Every request brings a token, made "
    "on the page “Access tokens”, as “Authorization: Bearer kinelab_…”. Errors are problems by RFC 9457. Lists are "
    "given a part at a time: “next” is the cursor of the part that follows. A POST with an Idempotency-Key is done "
    "once, however often it is sent within a day. A GET has an ETag. Too many requests get 429 with Retry-After."
)
SECURITY = "token"
Checked = Callable[..., Any]
_building = Lock()


def checked(endpoint: str) -> Checked:
    """Return a view that is called if the request is as described."""
    with _building:
        return _built()[1][endpoint]


@cache
def _built() -> tuple[SpecTree, dict[str, Checked]]:
    from spectree import Response, SpecTree
    from spectree.plugins.flask_plugin import FlaskPlugin

    views: dict[str, Checked] = {}

    class Ours(FlaskPlugin):
        def find_routes(self) -> Iterable[Rule]:
            return [rule for rule in current_app.url_map.iter_rules() if rule.endpoint in operations]

        def parse_func(self, route: Rule) -> Iterable[tuple[str, Checked]]:
            return [(method, views[route.endpoint]) for method in route.methods or ()]

    tree = SpecTree(
        backend=Ours,
        before=_refuse,
        title="Kinelab API",
        version=VERSION,
        description=ABOUT,
        naming_strategy=lambda model: model.__name__,
        nested_naming_strategy=lambda parent, child: child,
        validation_error_status=500,  # never sent: `_refuse` raises first
    )
    for endpoint, said in operations.items():
        gives = {f"HTTP_{status}": shape for status, shape in {said.status: said.gives, **said.also}.items()}
        views[endpoint] = tree.validate(
            resp=Response(**gives),
            tags=[said.view.__module__.rpartition(".")[2].replace("_", " ")],
            operation_id=endpoint.removeprefix(f"{bp.name}."),
        )(said.view)
    return tree, views


def _refuse(request: Any, response: Any, error: Any, instance: Any, adapter: Any) -> None:
    if error is not None:
        faults = error.errors(include_url=False, include_context=False, include_input=False)
        raise NotAsDescribed(
            [{"field": ".".join(map(str, fault["loc"])), "message": str(fault["msg"])} for fault in faults]
        )


@cache
def document() -> dict[str, Any]:
    """Return the description of the API as an OpenAPI document."""

    with _building:
        tree, _ = _built()
        found = tree.spec
    by_name = {endpoint.rpartition(".")[2]: said for endpoint, said in operations.items()}
    shapes = {name: schema for name, schema in found["components"]["schemas"].items() if "ValidationError" not in name}
    shapes["Problem"] = PROBLEM
    upload = shapes["Upload"]
    upload["properties"]["file"] = {"type": "string", "format": "binary", "title": "File"}
    upload["required"] = ["file"]
    paths = {path: dict(methods) for path, methods in sorted(found["paths"].items())}
    for methods in paths.values():
        for method, about in methods.items():
            _complete(about, method, by_name[about["operationId"]])
    return {
        "openapi": found["openapi"],
        "info": {**found["info"], "license": {"name": "MIT", "identifier": "MIT"}},
        "servers": [{"url": "/"}],
        "tags": [{"name": tag["name"]} for tag in found["tags"]],
        "security": [{SECURITY: []}],
        "paths": paths,
        "components": {
            "schemas": dict(sorted(shapes.items())),
            "securitySchemes": {
                SECURITY: {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "Scopes: "
                    + "; ".join(f"`{scope.value}`: {scope.in_words}" for scope in Scope)
                    + ".",
                }
            },
        },
    }


PROBLEM = {
    "type": "object",
    "title": "Problem",
    "description": "What was wrong (RFC 9457).",
    "required": ["type", "title", "status", "detail", "instance"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference", "description": "Where this kind is described."},
        "title": {"type": "string", "description": "The kind, in words."},
        "status": {"type": "integer", "description": "As the status of the answer."},
        "detail": {"type": "string", "description": "What was wrong this time, fit to be shown to a person."},
        "instance": {"type": "string", "format": "uri-reference", "description": "The address that was asked."},
        "errors": {
            "type": "array",
            "description": "Of 422: what is wrong where.",
            "items": {
                "type": "object",
                "required": ["field", "message"],
                "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
            },
        },
        "recording": {"type": "integer", "description": "Of 409 after an upload: the recording that it is already."},
    },
}


def _complete(about: dict[str, Any], method: str, said: Operation) -> None:
    """Say of an operation what all of its kind have in common."""
    about["security"] = [{SECURITY: [said.scope.value] if said.scope else []}]
    about["description"] = re.sub(r"\s*\n\s*", " ", about["description"]).strip()
    for parameter in about["parameters"]:
        if parameter["in"] == "path" and parameter["schema"]["type"] == "integer":
            parameter["schema"] = {"type": "integer", "minimum": 0, "maximum": 999_999_999}
    if said.media:
        binary = {"schema": {"type": "string", "format": "binary"}}
        given = about["responses"]["200"]["content"]["application/json"] if said.gives else binary
        about["responses"]["200"]["content"] = {said.media: given}
    if method == "get" and (said.gives or not said.media):
        about["parameters"].append(_header("If-None-Match", "An ETag: where nothing has changed since, 304 comes."))
        about["responses"]["304"] = {"description": "Nothing has changed."}
    if method == "post":
        about["parameters"].append(
            _header("Idempotency-Key", "Whatever you make up: sent again, it gets the same answer.", 64)
        )
    if said.takes:
        about["requestBody"]["required"] = True
    about["responses"].pop("500", None)
    for status in _problems(about, method, said):
        about["responses"][str(status)] = {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
    about["responses"] = dict(sorted(about["responses"].items()))


def _header(name: str, description: str, longest: int = 200) -> dict[str, Any]:
    shape = {"type": "string", "minLength": 1, "maxLength": longest, "pattern": r"^[ -~]+$"}
    return {"name": name, "in": "header", "required": False, "description": description, "schema": shape}


def _problems(about: dict[str, Any], method: str, said: Operation) -> Iterable[int]:
    """Return the errors that an operation can have, in the order of their numbers."""
    found = {401, 403, 429, 503}
    if said.takes or any(parameter["in"] == "path" for parameter in about["parameters"]):
        found.add(404)
    if any(parameter["in"] == "query" for parameter in about["parameters"]) or said.takes or method == "post":
        found.add(422)
    if method != "get":
        found |= {400, 409, 413, 507}
    if said.takes:
        found |= {415}
    return sorted(found)
