"""Guessing passwords is slow, and nobody is locked out by it.

Wrong passwords are counted in the database by the name that was entered, whether there is such an account or not, and
by the address that they came from. After the first few, each further password waits before it is looked at: half a
second, then twice as long each time, up to ``LONGEST_S``. The right one gets in after that wait. A browser in which the
account was open before has a signed mark of that, and does not wait for what others do: only its own mistakes count.

Who waits holds a thread of the server, so only ``PLACES`` may wait at once; the others are asked to come again.
"""

from __future__ import annotations

import hmac
import secrets
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from hashlib import sha256
from ipaddress import IPv6Address, ip_address
from threading import Lock
from time import sleep

from flask import current_app
from itsdangerous import BadData, URLSafeTimedSerializer
from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError

from app.extensions import db
from app.services import audit
from app.services.audit import Action
from app.services.errors import Invalid, ServiceError
from app.services.transaction import rows_changed, transaction
from app.tables import FailedAttempts
from app.tables._columns import now

FREE = 5  # wrong passwords at an account, or in a browser that is known, that cost no time
FREE_AT_ADDRESS = 30  # a clinic may have one address
FIRST_S, LONGEST_S = 0.5, 15.0
FORGOTTEN_AFTER = timedelta(hours=1)  # without a further mistake
PLACES, PLACES_AT_ACCOUNT = 4, 2  # of all, and at one account from one address
DEVICE_DAYS = 180
_KNOWN_ACCOUNTS = 10  # that one browser is known to; a lab's machine has several

_waiting: Counter[tuple[str, str]] = Counter()
_places = Lock()


class TooManyAttempts(ServiceError):
    """So many attempts wait already that this one cannot."""

    status = 429
    title = "Too many attempts"
    retry_after_s = int(LONGEST_S)

    def __init__(self) -> None:
        super().__init__(f"There have been too many attempts. Wait {self.retry_after_s} seconds and try again.")


@contextmanager
def attempt(name: str, address: str = "", device: str = "") -> Iterator[None]:
    """Let an attempt at an account through, later where many have failed. The block raises `Invalid` if it fails.

    ``name`` is what the person entered, in its canonical form, ``device`` the mark of their browser. Without an
    ``address``, only attempts at the same name count.
    """
    account, own = _key("account", name), _key("device", _read(device)[0])
    machine = _key("address", _network(address)) if address else account
    failures = _failures(account, machine, own)
    known = knows(device, name) and failures[own] < FREE
    if not known:
        wait = max(_wait_s(failures[account] - FREE), _wait_s(failures[machine] - FREE_AT_ADDRESS))
        if wait:
            _wait(wait, (account, machine))
    try:
        yield
    except Invalid:
        _count(*({own} if known else {account, machine}))
        raise
    if known and failures[own]:
        with transaction() as session:
            session.execute(delete(FailedAttempts).where(FailedAttempts.key == own))


def _wait_s(beyond: int) -> float:
    """Return how long to wait after so many failures beyond those that are free."""
    return 0.0 if beyond < 0 else min(FIRST_S * 2 ** min(beyond, 10), LONGEST_S)


def _wait(seconds: float, pair: tuple[str, str]) -> None:
    global _waiting
    with _places:
        if _waiting.total() >= PLACES or _waiting[pair] >= PLACES_AT_ACCOUNT:
            audit.record(Action.REFUSAL, outcome="refused", reason="too many attempts at an account")
            raise TooManyAttempts
        _waiting[pair] += 1
    try:
        db.session.rollback()  # nobody needs the connection meanwhile
        sleep(seconds)
    finally:
        with _places:
            _waiting[pair] -= 1
            _waiting += Counter()  # what is zero goes


def failures_of(name: str) -> int:
    """Return how many attempts at a name have failed lately."""
    return _failures(key := _key("account", name))[key]


def forget(name: str) -> None:
    """Within a transaction: forget how many attempts at a name have failed; its account goes."""
    keys = _key("account", name), _key("account", f"{name} logged in")
    db.session.execute(delete(FailedAttempts).where(FailedAttempts.key.in_(keys)))


def count_failure(name: str) -> None:
    """Count a failed attempt at a name, for what is limited in another way than by waiting."""
    _count(_key("account", name))


def _failures(*keys: str) -> Counter[str]:
    wanted = FailedAttempts.key.in_(keys), FailedAttempts.last > now() - FORGOTTEN_AFTER
    rows = db.session.scalars(select(FailedAttempts).where(*wanted))
    return Counter({row.key: row.failures for row in rows})


def _count(*keys: str) -> None:
    with transaction() as session:
        session.execute(delete(FailedAttempts).where(FailedAttempts.last < now() - FORGOTTEN_AFTER))
    for key in keys:
        again = update(FailedAttempts).where(FailedAttempts.key == key)
        again = again.values(failures=FailedAttempts.failures + 1, last=now())
        try:
            with transaction() as session:
                if not rows_changed(again):
                    session.add(FailedAttempts(key=key, failures=1, last=now()))
        except IntegrityError:  # another attempt was the first between the two
            with transaction():
                rows_changed(again)


def mark(device: str, name: str) -> str:
    """Return the mark of a browser in which an account is open now, with what it was known for before."""
    number, names = _read(device)
    others = [other for other in names if other != _key("known", name)]
    return str(_serializer().dumps([number, [_key("known", name), *others][:_KNOWN_ACCOUNTS]]))


def knows(device: str, name: str) -> bool:
    """Tell whether an account was open in a browser before, by the browser's mark."""
    return _key("known", name) in _read(device)[1]


def _read(device: str) -> tuple[str, list[str]]:
    try:
        number, names = _serializer().loads(device, max_age=DEVICE_DAYS * 86400)
    except (BadData, ValueError, TypeError):
        return secrets.token_hex(16), []
    return number, names


def _serializer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(current_app.config["SECRET_KEY"], salt="known browser")


def _network(address: str) -> str:
    """Return what one machine cannot change: of an IPv6 address the first half."""
    try:
        ip = ip_address(address)
    except ValueError:
        return address
    return str(int(ip) >> 64) if isinstance(ip, IPv6Address) else address


def _key(kind: str, text: str) -> str:
    return hmac.new(current_app.config["SECRET_KEY"].encode(), f"{kind}\0{text}".encode(), sha256).hexdigest()
