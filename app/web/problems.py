"""Errors of the API, in one shape: RFC 9457, application/problem+json."""

from __future__ import annotations

import json
import math
from typing import Any
from urllib.parse import quote

from flask import Response, request

from app.services.api.kept_answers import WorkedOn
from app.services.errors import AlreadyThere, Invalid
from app.web.bearer import PATH, NotForThis

MEDIA_TYPE = "application/problem+json"
TITLES = {400: "Not readable", 401: "Not a valid token", 415: "Not in this format"}
KINDS = (  # status, kind, what to do
    (400, "Not readable", "The body is not what its type says, or a value cannot be."),
    (
        401,
        "Not a valid token",
        "The token is missing, unknown, revoked or over: make another on Access tokens.",
    ),
    (403, "Not allowed", "The token was not made for this, or the role of its account does not allow it."),
    (404, "Not found", "It does not exist, or is not yours: the two look the same on purpose."),
    (405, "Not possible here", "This address takes other methods; the header Allow names them."),
    (409, "Not possible now", "It clashes with what is there: a file that is there already, a training that runs."),
    (413, "Too large", "Send less, or ask an administrator to raise MAX_UPLOAD_MB."),
    (415, "Not in this format", "Send the type that the description names."),
    (
        422,
        "Not as described",
        "A value is wrong; “errors” says which; or a recording cannot be used: “detail” says why.",
    ),
    (429, "Too many requests", "Wait as long as Retry-After says."),
    (500, "Our mistake", "The server's log has it. Nothing that was stored is lost."),
    (503, "Too busy", "Wait as long as Retry-After says, and send the same again."),
    (507, "No room left", "Delete recordings, or ask an administrator for more room."),
)


class NotAsDescribed(Invalid):
    """A request that is not as the description of the API has it; each fault with the field that it is in."""

    title = "Not as described"

    def __init__(self, faults: list[dict[str, str]]) -> None:
        first = faults[0]
        super().__init__(f"{first['field']}: {first['message']}" if first["field"] else first["message"])
        self.faults = faults


def answer(title: str, message: str, status: int, error: Exception | None = None) -> Response:
    """Return an error as a program reads it."""
    document: dict[str, Any] = {
        "type": f"{PATH}/#problem-{status}",
        "title": TITLES.get(status, title),
        "status": status,
        "detail": message,
        "instance": quote(request.path, errors="replace"),
    }
    if isinstance(error, NotAsDescribed):
        document["errors"] = error.faults
    elif isinstance(error, Invalid) and error.field:
        document["errors"] = [{"field": error.field, "message": message}]
    elif isinstance(error, AlreadyThere):
        document["recording"] = error.recording_id
    response = Response(json.dumps(document), status, mimetype=MEDIA_TYPE)
    if status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, NotForThis):
        response.headers["WWW-Authenticate"] = f'Bearer error="insufficient_scope", scope="{error.scope.value}"'
    if isinstance(error, WorkedOn):
        response.headers["Retry-After"] = str(math.ceil(error.wait_s))
    return response
