"""What a view of the API is: its address, what it takes and gives, and the scope that it asks for.

A view says so once, in its decorator and by the types of its parameters; checking requests and describing the API both
read it from there (`description`). A parameter is named after where it comes from: ``query``, ``json`` or ``form``.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import Response, make_response, request
from werkzeug.exceptions import BadRequest, UnsupportedMediaType

from app.services.api import kept_answers
from app.services.api.kept_answers import Answer
from app.services.api.tokens import Scope
from app.web.api.v1 import description
from app.web.api.v1.registry import Operation, View, bp, operations
from app.web.bearer import bearer
from app.web.problems import NotAsDescribed


def operation(
    method: str,
    rule: str,
    scope: Scope | None,
    gives: type | None = None,
    status: int = 200,
    media: str = "",
    also: dict[int, type] | None = None,
) -> Callable[[View], View]:
    """Make a function an operation of the API.

    Parameters
    ----------
    scope : that its callers need; None: any token will do.
    gives : the shape of what it answers with ``status``; ``also`` has those of other statuses.
    media : the type of its answer where that is no plain JSON. With ``gives``, it is JSON by a standard that has a type
        of its own; without, it is a file, and the function returns a response.
    """

    def mark(view: View) -> View:
        endpoint, is_file = f"{bp.name}.{view.__name__}", bool(media) and gives is None
        said = operations[endpoint] = Operation(view, scope, gives, status, media, also or {})

        @wraps(view)
        def run(**values: Any) -> Response:
            work = view if is_file else description.checked(endpoint)
            if said.takes == "json":
                _require_an_object()
            elif said.takes == "form" and request.mimetype != "multipart/form-data":
                raise UnsupportedMediaType("Send it as multipart/form-data.")
            key = request.headers.get("Idempotency-Key") if method == "POST" else None
            response: Response = make_response(work(**values)) if key is None else _once(key, work, values)
            if media and not is_file:
                response.mimetype = media
            if method == "GET" and not is_file:
                response.add_etag()
                response.make_conditional(request)
            return response

        run.access = "api"  # type: ignore[attr-defined]
        run.scope = scope  # type: ignore[attr-defined]
        run.takes_files = said.takes == "form"  # type: ignore[attr-defined]
        bp.add_url_rule(rule, view.__name__, run, methods=[method])
        return view

    return mark


def _require_an_object() -> None:
    """Read a body in JSON; Flask keeps it."""
    if not request.is_json:
        raise UnsupportedMediaType("Send it as application/json.")
    try:
        body = request.get_json()
    except RecursionError as error:
        raise BadRequest("The body is nested too deeply.") from error
    if not isinstance(body, dict):
        raise NotAsDescribed([{"field": "", "message": "The body must be a JSON object."}])


def _once(key: str, work: View, values: dict[str, Any]) -> Response:
    """Do something that is done once, however often its program asks; what failed may be tried again."""
    user_id = bearer().id
    with kept_answers.once(user_id, key):
        asked = _hash_of_request()
        if (kept := kept_answers.find(user_id, key, asked)) is not None:
            headers = {"Idempotency-Replayed": "true"} | ({"Location": kept.location} if kept.location else {})
            mimetype = "application/json" if kept.body else None
            return Response(kept.body, kept.status, headers, mimetype=mimetype)
        response: Response = make_response(work(**values))
        location = response.headers.get("Location", "")
        kept_answers.keep(user_id, key, asked, Answer(response.status_code, location, response.get_data(as_text=True)))
    return response


def _hash_of_request() -> str:
    """Return the hash of what was sent, files included; how a program has separated the parts of a form is not in."""
    fields = sorted(request.form.items(multi=True)) or request.get_json(silent=True)
    asked = hashlib.sha256(json.dumps([request.method, request.full_path, fields]).encode())
    for name, file in sorted(request.files.items(multi=True)):
        asked.update(f"{name} {file.filename}".encode(errors="replace"))
        while part := file.stream.read(2**20):
            asked.update(part)
        file.stream.seek(0)
    return asked.hexdigest()


def cursor_of(number: int | None) -> str | None:
    """Return what is sent to go on from a row."""
    return None if number is None else base64.urlsafe_b64encode(b"%d" % number).decode().rstrip("=")


def number_of(cursor: str) -> int | None:
    """Read a cursor; "" is the beginning.

    Raises
    ------
    NotAsDescribed : it is none that was given.
    """
    if not cursor:
        return None
    try:
        text = base64.b64decode(cursor.encode() + b"=" * (-len(cursor) % 4), b"-_", validate=True)
        if not (text.isdigit() and len(text) < 10):
            raise ValueError(cursor)
    except ValueError as error:
        message = "This is no cursor that was given as “next”. Begin without one."
        raise NotAsDescribed([{"field": "cursor", "message": message}]) from error
    return int(text)
