"""Requests that end: by a time of the whole and by a size, however slowly or much the other side answers."""

from __future__ import annotations

import time
from typing import Any

from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from requests.exceptions import ReadTimeout, RequestException

CONNECT_S, READ_S, WHOLE_S = 5.0, 5.0, 15.0
LARGEST = 512 * 1024
_PIECE = 16_384


class TooMuch(RequestException):
    """An answer is larger than any that is waited for."""


class Bounded(HTTPAdapter):
    """Reads an answer to its end before it gives it on."""

    def send(self, request: PreparedRequest, *args: Any, **options: Any) -> Response:
        """Send a request; its answer is in memory then."""
        until = time.monotonic() + WHOLE_S
        options |= {"stream": True, "timeout": (CONNECT_S, READ_S)}
        response: Response = super().send(request, *args, **options)
        content = b""
        with response:
            for piece in response.iter_content(_PIECE):
                content += piece
                if len(content) > LARGEST:
                    raise TooMuch(f"more than {LARGEST} bytes", response=response)
                if time.monotonic() > until:
                    raise ReadTimeout(f"more than {WHOLE_S:g} s", response=response)
        response._content = content
        return response
