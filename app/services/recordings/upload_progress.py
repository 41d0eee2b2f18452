"""How far the uploads that are being read have come. In memory: it means nothing once the request is over."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from app.har.progress import Event, OnEvent

_running: dict[tuple[int, str], Event | None] = {}


@contextmanager
def followed(user_id: int, token: str) -> Iterator[OnEvent]:
    """Keep the latest event of an upload while it lasts, under a token that the page has chosen."""
    key = (user_id, token)

    def keep(event: Event) -> None:
        _running[key] = event

    _running[key] = None
    try:
        yield keep
    finally:
        _running.pop(key, None)


def latest(user_id: int, token: str) -> Event | None:
    """Return the latest event of an upload of this user; None before the first, and when it is over."""
    return _running.get((user_id, token))


def is_running(user_id: int, token: str) -> bool:
    """Tell whether an upload of this user is being read, or waits for its turn."""
    return (user_id, token) in _running
