"""Who was erased stays erased: a small file for each, ``instance/erasures/<token>.json``, that outlives the database.

It is written before anything is deleted. A server that is killed afterwards goes on at its next start, and one that
starts with an older database, from a backup, erases those accounts again. It names nobody: an account is known again by
a hash of its number and of the moment at which it was made. Until the erasure is over, name and number are in it.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

from flask import current_app

from app.services.files import written_whole
from app.tables import User
from app.tables._columns import now

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Tombstone:
    """That an account is erased."""

    token: str
    account: str  # a hash; see `account_of`
    erased: str  # ISO 8601
    folders: tuple[str, ...]  # names that the server made up
    user_id: int | None = None  # None: it is over
    username: str | None = None


def account_of(user: User) -> str:
    """Return by what an account is known again, in an older database too."""
    return sha256(f"{user.id}\0{user.created.isoformat()}".encode()).hexdigest()


def write(user: User, folders: Sequence[str], again: Tombstone | None = None) -> Tombstone:
    """Keep that an account is to be erased; from here on it will be.

    Parameters
    ----------
    again : of an account that came back with an older database.
    """
    stone = Tombstone(
        again.token if again else uuid4().hex,
        account_of(user),
        again.erased if again else now().isoformat(timespec="seconds"),
        tuple(dict.fromkeys((*(again.folders if again else ()), *folders))),
        user.id,
        user.username,
    )
    _keep(stone)
    return stone


def finish(stone: Tombstone) -> None:
    """Keep that nothing is left to do, without who it was."""
    _keep(Tombstone(stone.token, stone.account, stone.erased, stone.folders))


def withdraw(stone: Tombstone) -> None:
    """Take one back: the account could not be deleted, and stays."""
    _path(stone.token).unlink(missing_ok=True)


def all_of_them() -> Iterator[Tombstone]:
    """Yield all tombstones."""
    for path in sorted(folder().glob("*.json")):
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            yield Tombstone(**{**document, "folders": tuple(document["folders"])})
        except (OSError, ValueError, TypeError, KeyError) as error:
            log.error("the tombstone %s cannot be read: %s", path, error)


def folder() -> Path:
    """Return where they lie; who restores a backup leaves what is there."""
    path = Path(current_app.config["INSTANCE"]) / "erasures"
    path.mkdir(mode=0o700, exist_ok=True)
    return path


def _path(token: str) -> Path:
    return folder() / f"{token}.json"


def _keep(stone: Tombstone) -> None:
    path = _path(stone.token)
    with written_whole(path) as draft, draft.open("w", encoding="utf-8") as file:
        json.dump({name: value for name, value in asdict(stone).items() if value is not None}, file)
        file.flush()
        os.fsync(file.fileno())
    if os.name == "posix":  # the name of the file, too, must outlast a loss of power
        number = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)
