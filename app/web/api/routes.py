"""Where devices send what their sensors say: JSON in and out, by the token of a device and without a session."""

from __future__ import annotations

import math

from flask import Blueprint, Response, jsonify, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from app.har.errors import HarError
from app.services.errors import Invalid, ServiceError
from app.services.live import asking, sessions, tokens
from app.services.live.tokens import KnownDevice
from app.web.access import access
from app.web.live_messages import LARGEST, REFUSED, answer_to

bp = Blueprint("api", __name__)
LARGEST_SMALL = 4096  # of one without samples
WAIT_S = 2.0  # before a device sends the same again, where nothing says how long


@bp.post("/live")
@access("token")
def live() -> ResponseReturnValue:
    """Take a batch of samples in."""
    if (error := request.environ.get(REFUSED)) is not None:
        raise error
    device = _device()
    return jsonify(answer_to(device, sessions.receive(device, _message(LARGEST))))


@bp.post("/live/end")
@access("token")
def end() -> ResponseReturnValue:
    """End a session, as its device wishes."""
    device = _device()
    document = sessions.document_of(_message(LARGEST_SMALL))
    key = document.get("sessionId") if isinstance(document, dict) else None
    if not isinstance(key, str):
        raise Invalid("sessionId: expected the name of a session.")
    sessions.end_of_device(device, key)
    return jsonify(ended=True)


@bp.post("/live/fine")
@access("token")
def fine() -> ResponseReturnValue:
    """Cancel what counts down: the person says on the phone that they are well."""
    return jsonify(cancelled=asking.fine(_device().user_id))


def _device() -> KnownDevice:
    """Return the device whose token a request brings."""
    token = tokens.in_header(request.headers.get("Authorization", ""))
    if token is None:
        raise tokens.WrongToken
    return tokens.of_token(token, request.remote_addr or "")


def _message(largest: int) -> bytes:
    request.max_content_length = largest
    return request.get_data(cache=False)


@bp.errorhandler(ServiceError)
@bp.errorhandler(HarError)
def refused(error: Exception) -> ResponseReturnValue:
    """Say why a message is not taken, and how long the device is to wait before it sends the same again."""
    status = error.status if isinstance(error, ServiceError) else 400
    wait_s = getattr(error, "wait_s", WAIT_S if status >= 500 else 0.0)
    answer: Response = jsonify(message=str(error), wait_s=round(wait_s, 2))
    if wait_s:
        answer.headers["Retry-After"] = str(math.ceil(wait_s))
    if status == 401:
        answer.headers["WWW-Authenticate"] = "Bearer"
    return answer, status


@bp.errorhandler(HTTPException)
def not_taken(error: HTTPException) -> ResponseReturnValue:
    """Say the same in JSON of what is no message at all: too large, broken off."""
    text = f"A message has at most {LARGEST // 1024} kB." if error.code == 413 else str(error.description)
    return jsonify(message=text, wait_s=0), error.code or 500
