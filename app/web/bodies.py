"""Bodies of requests that waitress does not take in: from strangers, too large, or more than the disk has room for.

Waitress stores a whole body before the application sees anything of the request. Small ones stay in memory; for a large
one the application is asked when the headers are there. A body that is refused is read and thrown away, so that the
browser gets to the answer; the application then says what was wrong.
"""

from __future__ import annotations

import io
import logging
from pathlib import Path
from typing import Any
from weakref import WeakSet

from flask import Flask, abort, current_app, request
from flask.typing import ResponseReturnValue
from flask_login import current_user
from werkzeug.exceptions import HTTPException

from app.services import room
from app.services.errors import Busy, ServiceError
from app.web.access import enforce_access, takes_files
from app.web.spool import SpoolingRequest

log = logging.getLogger(__name__)

IN_MEMORY = 512 * 1024  # bytes; what waitress keeps there
ANSWER_WAITS = 256 * 2**20  # bytes of an answer that wait for a slow client; with more, a thread waits, too
THROWN_AWAY = 64 * 2**20  # of more, the connection is closed
EACH = 3  # bodies of one person on the way at once: one is read at a time, and some have lost their browser
MARK = "KINELAB_BODY"  # the name of a header, as waitress has them

_coming: WeakSet[Any] = WeakSet()  # requests whose bodies are taken; only the thread that reads connections looks


def init_app(app: Flask) -> None:
    """Answer requests whose body was refused, before anything else looks at them; keep large files enciphered."""
    app.request_class = SpoolingRequest
    app.before_request(_answer_refused)


def parser_class(app: Flask) -> type[Any]:
    """Return what waitress reads requests with, so that it asks an application about large bodies."""
    from waitress.parser import HTTPRequestParser, ParsingError  # commands need no server

    class Parser(HTTPRequestParser):
        headers: dict[str, str]
        chunked: bool
        content_length: int
        expect_continue: bool
        body_rcv: Any
        brings_file = False  # of somebody who may
        is_over = False
        owner = 0  # the number of their account
        announced = 0  # bytes

        def parse_header(self, header_plus: bytes) -> None:
            try:
                super().parse_header(header_plus)
            except ValueError as error:  # a length of 5,000 digits, an address in brackets: closed without an answer
                raise ParsingError("Bad request") from error
            self.headers.pop(MARK, None)
            is_large = self.chunked or self.content_length > IN_MEMORY
            if self.body_rcv is None or not is_large:
                return
            self.brings_file = _is_taken(app, self)
            if self.brings_file:
                return
            self.headers[MARK] = "refused"
            self.body_rcv.buf = _Nowhere()
            if self.chunked or self.expect_continue or self.content_length > THROWN_AWAY:
                self.body_rcv, self.expect_continue, self.content_length = None, False, 0  # complete without it
                self.headers["CONNECTION"] = "close"

        def close(self) -> None:
            super().close()
            self.is_over = True

    return Parser


class _Nowhere:
    """Takes the place of the buffer of a body."""

    def append(self, data: bytes) -> None:
        """Forget some bytes."""

    def __len__(self) -> int:
        return 0

    def getfile(self) -> io.BytesIO:
        return io.BytesIO()

    def close(self) -> None:
        """There is nothing to close."""


def _is_taken(app: Flask, parser: Any) -> bool:
    """Tell whether an application takes the body of a request of which the headers are there."""
    environ = {
        "REQUEST_METHOD": parser.command,
        "PATH_INFO": parser.path,
        "SCRIPT_NAME": "",
        "QUERY_STRING": parser.query,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_COOKIE": parser.headers.get("COOKIE", ""),
        "HTTP_AUTHORIZATION": parser.headers.get("AUTHORIZATION", ""),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
    }
    try:
        with app.request_context(environ):
            parser.announced = app.config["MAX_CONTENT_LENGTH"] if parser.chunked else parser.content_length
            others = [other for other in _coming if not other.is_over]
            to_come = sum(max(other.announced - other.body_bytes_received, 0) for other in others)
            if _refusal(parser.announced, to_come) is not None:
                return False
            parser.owner = current_user.id
            if sum(other.owner == parser.owner for other in others) >= EACH:
                return False
            _coming.add(parser)
            return True
    except (HTTPException, ServiceError):
        return False
    except Exception:
        log.exception("a body was refused because nobody could tell whose it is")
        return False


def _refusal(n_bytes: int, to_come: int = 0) -> ResponseReturnValue | None:
    """Return the answer to a request whose body is not taken, besides what is to come of others; None where it is."""
    if request.routing_exception is not None:
        raise request.routing_exception
    if (answer := enforce_access()) is not None:
        return answer  # type: ignore[no-any-return]
    if not takes_files(request.endpoint) or n_bytes > current_app.config["MAX_CONTENT_LENGTH"]:
        abort(413)
    room.require_upload(Path(current_app.config["UPLOADS"]), n_bytes + to_come)
    return None


def _answer_refused() -> ResponseReturnValue | None:
    if f"HTTP_{MARK}" not in request.environ:
        return None
    if (answer := _refusal(request.content_length or 0)) is not None:
        return answer
    raise Busy("The server could not take this file just now. Nothing was stored. Try again.")
