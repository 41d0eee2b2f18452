"""Answers to requests with an Idempotency-Key: whoever did not hear one sends the request again and gets it.

An answer may hold the name of a file, or the token of a device: it is kept sealed under its person's key. Which
requests are being worked on is known in memory: what a server was doing when it died is done anew.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from threading import Lock

from sqlalchemy import delete, select

from app.extensions import db
from app.services import keys, sealing
from app.services.errors import Conflict, Invalid
from app.services.transaction import transaction
from app.tables import KeptAnswer
from app.tables._columns import now

KEY_LENGTH = 64
KEPT_FOR = timedelta(hours=24)
MOST_BYTES = 64 * 1024  # of one answer

_worked_on: set[tuple[int, str]] = set()
_lock = Lock()


class WorkedOn(Conflict):
    """The first request with this key is not answered yet."""

    wait_s = 2.0


@dataclass(frozen=True)
class Answer:
    """What is sent to a program."""

    status: int
    location: str
    body: str


@contextmanager
def once(user_id: int, key: str) -> Iterator[None]:
    """Let nobody work on a request with the same key meanwhile.

    Raises
    ------
    Invalid : the key is too long or cannot be printed.
    WorkedOn : somebody does.
    """
    if not (0 < len(key) <= KEY_LENGTH and key.isascii() and key.isprintable()):
        raise Invalid(f"An Idempotency-Key has 1 to {KEY_LENGTH} printable characters.", "Idempotency-Key")
    with _lock:
        if (user_id, key) in _worked_on:
            raise WorkedOn("The first request with this Idempotency-Key is being worked on. Ask again in a moment.")
        _worked_on.add((user_id, key))
    try:
        yield
    finally:
        with _lock:
            _worked_on.discard((user_id, key))


def find(user_id: int, key: str, asked: str) -> Answer | None:
    """Return what was answered to a request; None where it is new, or was answered too long ago.

    Parameters
    ----------
    asked : hash of what was sent.

    Raises
    ------
    Invalid : the key was sent with another request.
    """
    row = db.session.scalar(select(KeptAnswer).filter_by(user_id=user_id, key=key))
    if row is None or row.created < now() - KEPT_FOR:
        return None
    if row.asked != asked:
        raise Invalid("This Idempotency-Key was sent with another request. Make a new one.", "Idempotency-Key")
    return Answer(row.status, row.location, _opened(row.body))


def _opened(body: str) -> str:
    if body.startswith("{"):  # an earlier build kept it plain
        return body
    return sealing.opened_bytes(base64.b64decode(body)).decode()


def keep(user_id: int, key: str, asked: str, answer: Answer) -> None:
    """Keep an answer for a day; those that are older go."""
    if len(body := answer.body.encode()) > MOST_BYTES:
        return
    sealed = base64.b64encode(sealing.sealed_bytes(body, keys.of(user_id))).decode()
    with transaction() as session:
        same = (KeptAnswer.user_id == user_id) & (KeptAnswer.key == key)
        session.execute(delete(KeptAnswer).where((KeptAnswer.created < now() - KEPT_FOR) | same))
        kept = {"status": answer.status, "location": answer.location, "body": sealed}
        session.add(KeptAnswer(user_id=user_id, key=key, asked=asked, **kept))
