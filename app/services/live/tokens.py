"""Whose a token is, in memory, so that a batch needs no query; whatever changes a device takes it out again."""

from __future__ import annotations

import hmac
import time
from dataclasses import dataclass
from hashlib import sha256
from threading import Lock

from flask import current_app
from sqlalchemy import select

from app.extensions import db
from app.services.errors import ServiceError
from app.tables import Device, User

REMEMBERED_S = 60.0  # for as long a token is taken without asking the database
FREE_MISTAKES, MISTAKE_S = 20, 3.0  # wrong tokens of one address that are looked up at once; then one each few seconds
MOST_ADDRESSES = 10_000
TOKENS = "live_tokens"  # in `app.extensions`


class WrongToken(ServiceError):
    """No device has this token, or not any more."""

    status = 401
    title = "Not a token of a device"

    def __init__(self) -> None:
        super().__init__("This token is of no device, or it was revoked. Connect the device anew on the page Devices.")


class TooManyTokens(ServiceError):
    """So many wrong tokens came from an address that no more are looked up for now."""

    status = 429
    title = "Too many attempts"
    wait_s = MISTAKE_S

    def __init__(self) -> None:
        super().__init__("Too many wrong tokens came from this address. Wait a few seconds and try again.")


@dataclass(frozen=True)
class KnownDevice:
    """A device as batches need it."""

    id: int
    user_id: int
    name: str
    place: str
    keeps: bool
    token_hash: str


class _Tokens:
    """What is known of tokens without the database."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.known: dict[str, tuple[KnownDevice, float]] = {}
        self.mistakes: dict[str, tuple[float, float]] = {}  # of each address: how many, when

    def forget(self, user_id: int, device_id: int | None = None) -> None:
        with self.lock:
            for key, (device, _) in list(self.known.items()):
                if device.user_id == user_id and device_id in (None, device.id):
                    del self.known[key]

    def count(self, address: str) -> None:
        """Count a wrong token."""
        at = time.monotonic()
        with self.lock:
            if len(self.mistakes) >= MOST_ADDRESSES:
                self.mistakes = {a: m for a, m in self.mistakes.items() if _left(m, at) > 0}
            self.mistakes[address] = _left(self.mistakes.get(address, (0.0, at)), at) + 1, at

    def blocked(self, address: str) -> bool:
        at = time.monotonic()
        with self.lock:
            return _left(self.mistakes.get(address, (0.0, at)), at) >= FREE_MISTAKES


def _left(mistakes: tuple[float, float], at: float) -> float:
    """Return how many mistakes still count; one is forgotten each few seconds."""
    n, last = mistakes
    return max(n - (at - last) / MISTAKE_S, 0.0)


def _tokens() -> _Tokens:
    tokens: _Tokens = current_app.extensions.setdefault(TOKENS, _Tokens())
    return tokens


def in_header(authorization: str) -> str | None:
    """Return the token that a header brings, None where there is none; some programs leave out the word before it."""
    kind, _, token = authorization.strip().rpartition(" ")
    return token if token and kind.strip().lower() in ("bearer", "") else None


def remembered(token: str) -> KnownDevice | None:
    """Return the device that a token is of, where it was asked for lately."""
    found = _tokens().known.get(hash_of(token))
    return found[0] if found is not None and time.monotonic() - found[1] < REMEMBERED_S else None


def of_token(token: str, address: str = "") -> KnownDevice:
    """Return the device that a token is of, from memory where it was asked for lately.

    Parameters
    ----------
    address : where it comes from. Wrong ones are counted there, and then looked up one each few seconds.

    Raises
    ------
    WrongToken : no device has it, or it is revoked, or the account is disabled.
    TooManyTokens : too many wrong ones came from there.
    """
    if (device_known := remembered(token)) is not None:
        return device_known
    tokens, hashed, at = _tokens(), hash_of(token), time.monotonic()
    if tokens.blocked(address):
        raise TooManyTokens
    query = select(Device).join(User, Device.user_id == User.id)
    query = query.where(Device.token_hash == hashed, Device.revoked.is_(None), User.disabled.is_(False))
    device = db.session.scalar(query)
    if device is None or not hmac.compare_digest(device.token_hash, hashed):
        tokens.count(address)
        raise WrongToken
    known = KnownDevice(device.id, device.user_id, device.name, device.place, device.keeps, hashed)
    with tokens.lock:
        tokens.known = {key: one for key, one in tokens.known.items() if at - one[1] < REMEMBERED_S}
        tokens.known[hashed] = known, at
    return known


def forget(user_id: int, device_id: int | None = None) -> None:
    """Ask the database again whose the tokens of a device are, or of all of a person's."""
    _tokens().forget(user_id, device_id)


def hash_of(token: str) -> str:
    """Return what the table holds of a token."""
    return sha256(token.encode(errors="replace")).hexdigest()
