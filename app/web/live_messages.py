"""Messages of phones in mid-session, answered before Flask looks at them.

Nearly all that a server of a hundred phones is asked is the next second of a session that runs. Of a session that runs,
by a token that is remembered, there is nothing left for Flask to decide; its routing, hooks and headers would cost
twice what taking the message costs. Whatever else a message is, and whatever is wrong with it, is Flask's. See ADR 21.
"""

from __future__ import annotations

import io
import time
from collections.abc import Iterable
from typing import Any

import orjson
from flask import Flask

from app.har.errors import HarError
from app.services.errors import ServiceError
from app.services.live import asking, sessions, tokens
from app.web import bodies
from app.web.health import metrics

PATH, ENDPOINT = "/api/live", "api.live"
LARGEST = 512 * 1024  # bytes of a message
REFUSED = "kinelab.refused"  # in the environment of a request: why its message is not taken, for Flask to say


class LiveMessages:
    """Stands before an application.

    Parameters
    ----------
    headers : of every answer.
    """

    def __init__(self, app: Flask, headers: Iterable[tuple[str, str]]) -> None:
        self._app, self._flask = app, app.wsgi_app
        self._headers = [("Content-Type", "application/json"), *headers]
        self._only_tls = app.config["OWN_TLS"]

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"] != PATH or environ["REQUEST_METHOD"] != "POST":
            return self._flask(environ, start_response)
        began_s = time.perf_counter()
        with self._app.app_context():
            if (answer := self._answer(environ)) is not None:
                metrics.count(ENDPOINT, "POST", 200, time.perf_counter() - began_s)
        if answer is None:
            return self._flask(environ, start_response)
        start_response("200 OK", [*self._headers, ("Content-Length", str(len(answer)))])
        return [answer]

    def _answer(self, environ: dict[str, Any]) -> bytes | None:
        """Take a message in; return what its device is told, or None where Flask is to look at it."""
        length = environ.get("CONTENT_LENGTH") or ""
        if (
            not (length.isdecimal() and int(length) <= LARGEST)
            or f"HTTP_{bodies.MARK}" in environ
            or (self._only_tls and environ["wsgi.url_scheme"] != "https")
        ):
            return None
        token = tokens.in_header(environ.get("HTTP_AUTHORIZATION", ""))
        if token is None or (device := tokens.remembered(token)) is None:
            return None
        message = environ["wsgi.input"].read(int(length))
        environ["wsgi.input"] = io.BytesIO(message)
        try:
            ack = sessions.go_on(device, message)
        except (ServiceError, HarError) as error:
            environ[REFUSED] = error
            return None
        return None if ack is None else orjson.dumps(answer_to(device, ack), option=orjson.OPT_APPEND_NEWLINE)


def answer_to(device: tokens.KnownDevice, ack: sessions.Ack) -> dict[str, Any]:
    """Return what a device is told of a message that was taken."""
    return {
        "alarm": asking.of(device.user_id),
        "answer": ack.answer,
        "message": ack.message,
        "received": ack.received,
        "session": ack.session,
        "wait_s": 0,
    }
