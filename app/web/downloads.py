"""What downloads share: their names, and the time zone of the person who asks for them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timezone, tzinfo
from pathlib import PurePath

from flask import Response, request

from app.services.datasets import exports
from app.services.errors import Busy, ServiceError
from app.services.recordings.wall_clock import time_zone


def reader_zone() -> tzinfo:
    """Return the time zone asked for, else that of the browser, which ``kinelab.js`` tells in a cookie, else UTC."""
    if name := request.args.get("tz"):
        return time_zone(name)
    try:
        return time_zone(request.cookies.get("__Host-tz") or request.cookies.get("tz", "UTC"))
    except ServiceError:
        return timezone.utc


def download_name(filename: str, what: str, extension: str) -> str:
    """Name a download after the upload, with nothing in it that a file system or a shell takes for more than a name."""
    stem = re.sub(r"[^\w .()+-]+", "_", PurePath(filename).stem)[:120].strip(" .")
    return f"{stem or 'recording'}-{what}.{extension}"


def attachment(body: str | bytes | Iterator[str], name: str, mimetype: str) -> Response:
    """Return a body as a file with a name."""
    return named(Response(body, mimetype=mimetype), name)


def named(response: Response, name: str) -> Response:
    """Give a response the name of a file that a browser keeps."""
    response.headers.set("Content-Disposition", "attachment", filename=name)
    return response


def one_of_few(response: Response) -> Response:
    """Let a response that is made while it is sent take one of the places for such, until it is closed.

    Nothing that can fail comes between the two, or the place would be lost until the next start.

    Raises
    ------
    Busy : all places are taken.
    """
    try:
        response.call_on_close(exports.begin())
    except Busy:
        response.close()  # before the page that says so is made: what streams has begun to hold its context
        raise
    return response
