"""The installation's key, and the keys of people, which it wraps.

The installation's key is a file outside of what is stored, an environment variable, or derived from a passphrase. The
database knows it by a fingerprint. Each person has a key of their own, random, in the database, wrapped by it: their
files are sealed under that (`sealing`). Whoever deletes the row has erased the files, wherever copies of them are.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import os
import re
import secrets
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock
from flask import current_app, has_app_context
from sqlalchemy import delete, func, select
from sqlalchemy.exc import IntegrityError

from app.extensions import db
from app.services import audit, database, sealing
from app.services.audit import Action
from app.services.errors import Conflict, Invalid, NotFound, ServiceError
from app.services.files import written_whole
from app.services.sealing import KEY_BYTES, NAME_BYTES, Key
from app.services.transaction import transaction
from app.tables import InstallationKey, PersonKey, User
from app.tables._columns import now

log = logging.getLogger(__name__)

TEXT_BEGINS = "KINELAB-"
CHECK_BYTES = 3
GROUP = 6  # letters
NONCE_BYTES = 12
SALT_BYTES = 16
SCRYPT_N = 2**17  # half a second and 128 MiB
SHORTEST_PASSPHRASE = 12  # letters
KEYS, NEW = "installation_keys", "installation_key_made"  # in `app.extensions`
IN_CONTAINER = (Path("/.dockerenv"), Path("/run/.containerenv"))  # that Docker and Podman make
FILE_BEGINS = """\
# Keys of Kinelab: without the one that an installation uses, everything that is stored about people in it is lost.
# Keep a copy where neither this disk nor its backups are. One key a line; the database knows which is whose.
"""


class NoKey(ServiceError):
    """The key of this installation is not where it should be."""

    status = 500
    title = "The key is not here"


@dataclass(frozen=True)
class Source:
    """Where the installation's key comes from."""

    kind: str  # "variable", "passphrase" or "file"
    path: Path | None = None

    def __str__(self) -> str:
        if self.kind == "file":
            return f"the file {self.path}"
        return "the environment variable " + ("ENCRYPTION_KEY" if self.kind == "variable" else "ENCRYPTION_PASSPHRASE")


@dataclass(frozen=True)
class State:
    """What is known of this installation's key, for a page or a command."""

    source: Source
    fingerprint: str
    people: int  # whose keys it wraps
    unreadable: int  # of these, keys that it does not open
    beside_data: bool  # whether it lies where a copy of the disk's data takes it along
    database: str  # "encrypted", "plain" or "elsewhere"


def source() -> Source:
    """Return where the installation's key comes from, as the settings say."""
    config = current_app.config
    if config["ENCRYPTION_KEY"]:
        return Source("variable")
    if config["ENCRYPTION_PASSPHRASE"]:
        return Source("passphrase")
    return Source("file", config["ENCRYPTION_KEY_FILE"])


# --- keys as text


def as_text(key: bytes) -> str:
    """Return a key as a person can write it down: letters and digits in groups, with a check."""
    letters = base64.b32encode(key + hashlib.sha256(key).digest()[:CHECK_BYTES]).decode().rstrip("=")
    return TEXT_BEGINS + "-".join(letters[i : i + GROUP] for i in range(0, len(letters), GROUP))


def from_text(text: str) -> bytes:
    """Read a key that somebody wrote down.

    Raises
    ------
    Invalid : it is none, or a letter is wrong.
    """
    letters = text.strip().upper().removeprefix(TEXT_BEGINS).replace("-", "")
    try:
        data = base64.b32decode(letters + "=" * (-len(letters) % 8))
    except ValueError:
        data = b""
    key, check = data[:KEY_BYTES], data[KEY_BYTES:]
    if len(key) != KEY_BYTES or not hmac.compare_digest(check, hashlib.sha256(key).digest()[:CHECK_BYTES]):
        raise Invalid(
            f"A key begins with {TEXT_BEGINS} and has {len(as_text(bytes(KEY_BYTES)))} letters; one is wrong."
        )
    return key


def random_key() -> bytes:
    """Return a new key of an installation, which nothing uses so far."""
    return secrets.token_bytes(KEY_BYTES)


def _from_lines(text: str) -> list[bytes]:
    """Return the keys in a file, or in a variable, in their order; what follows a # is for people."""
    words = re.sub(r"#.*", "", text).replace(",", " ").split()
    return [from_text(word) for word in words]


def fingerprint(key: bytes) -> str:
    """Return by what the database knows a key; it tells nothing of it."""
    return hmac.digest(key, b"kinelab fingerprint", "sha256")[:8].hex()


def _derived(passphrase: str, salt: bytes) -> bytes:
    """Return the key of a passphrase; what it takes, each guess takes."""
    if len(passphrase) < SHORTEST_PASSPHRASE:
        raise NoKey(f"ENCRYPTION_PASSPHRASE must have at least {SHORTEST_PASSPHRASE} letters.")
    return hashlib.scrypt(passphrase.encode(), salt=salt, n=SCRYPT_N, r=8, p=1, maxmem=2**28, dklen=KEY_BYTES)


# --- the installation's key


def prepare() -> None:
    """At start, before anything is stored: make the key of a new installation, and one for each person without."""
    if not is_made():
        _make()
    _installation()
    database.keep_only(
        database.home_file(), lambda: db.session.get_one(InstallationKey, 1, populate_existing=True).fingerprint
    )
    lacking = select(User.id).outerjoin(PersonKey, PersonKey.user_id == User.id).where(PersonKey.name.is_(None))
    if without := db.session.scalars(lacking).all():
        with transaction():
            for user_id in without:
                give(user_id)


def new_key() -> str | None:
    """Return, once, the key that this process has made for a new installation, as text."""
    key: bytes | None = current_app.extensions.pop(NEW, None)
    return None if key is None else as_text(key)


def prepare_database() -> None:
    """Before the first table of a new home is made: let its database be encrypted, under the installation's key.

    Where SQLCipher cannot be loaded, it becomes plain, and that is said. One that is there stays what it is.
    """
    path = database.home_file()
    if not database.lacks_key():
        return
    try:
        database.cipher()
    except database.Unopened as error:
        log.warning("The database is made plain: %s Everything else about people is sealed.", error)
        return
    key, salt = _chosen()
    database.new_key(path, key, fingerprint(key), salt)
    database.forget(path)


def _make() -> None:
    """Write down by its fingerprint which key is that of an installation that has had none."""
    key, salt = _chosen()
    with transaction() as session:
        session.add(InstallationKey(id=1, fingerprint=fingerprint(key), salt=salt))


def _chosen() -> tuple[bytes, bytes | None]:
    """Choose or make the key of an installation, with its salt; it is on the disk before it is used."""
    for name, salt in database.wrapped_by(database.home_file()):  # what was chosen when its database was made
        if (key := find(name, salt)) is not None:
            return key, salt
    where = source()
    if where.kind == "passphrase":
        salt = secrets.token_bytes(SALT_BYTES)
        return _derived(current_app.config["ENCRYPTION_PASSPHRASE"], salt), salt
    brought = _at_hand(where, None) if where.path is None or _is_own(where.path) else []
    if not brought and where.path is None:
        raise NoKey(f"There is no key in {where}.")
    key = brought[-1] if where.path is None or brought else _added(where.path)
    if not brought:
        current_app.extensions[NEW] = key
    return key, None


def _is_own(path: Path) -> bool:
    """Tell whether a file was named for this installation: the usual one may hold the keys of others."""
    return path.exists() and not current_app.config["ENCRYPTION_USUAL_FILE"]


def _added(path: Path) -> bytes:
    """Make a key and put it into the file of keys, whole or not at all."""
    if current_app.config["ENCRYPTION_USUAL_FILE"] and _goes_before_data(path):
        raise NoKey(
            f"In this container, {path} goes with the container, while the data stay: nobody could read them. "
            "Set ENCRYPTION_KEY_FILE to a file on a volume of its own, or ENCRYPTION_KEY (flask keys new makes one)."
        )
    key = random_key()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with FileLock(f"{path}.lock"):
            before = path.read_text(encoding="utf-8") if path.exists() else FILE_BEGINS
            line = f"{as_text(key)}  # {fingerprint(key)}, made {now():%Y-%m-%d} for {current_app.config['HAR_HOME']}\n"
            with written_whole(path) as draft, draft.open("x", encoding="utf-8") as file:
                file.write(before.rstrip("\n") + "\n" + line)
                file.flush()
                os.fsync(file.fileno())
    except OSError as error:
        raise NoKey(
            f"The key of this installation cannot be written to {path} ({error.strerror}). Set ENCRYPTION_KEY_FILE to "
            "a file that can be written, outside of HAR_HOME, and that lasts."
        ) from error
    return key


def _goes_before_data(path: Path) -> bool:
    """Tell whether a container's own disk is to hold the key, and a volume the data."""
    if not any(mark.exists() for mark in IN_CONTAINER):
        return False
    folder = next(parent for parent in path.parents if parent.exists())
    home: Path = current_app.config["HAR_HOME"]
    return folder.stat().st_dev != home.stat().st_dev


def _at_hand(where: Source, salt: bytes | None) -> list[bytes]:
    """Return the keys that the settings lead to."""
    config = current_app.config
    try:
        if where.kind == "passphrase":
            return [_derived(config["ENCRYPTION_PASSPHRASE"], salt)] if salt else []
        if where.path is None:
            return _from_lines(config["ENCRYPTION_KEY"])
        return _from_lines(where.path.read_text(encoding="utf-8")) if where.path.exists() else []
    except Invalid as error:
        raise NoKey(f"In {where} is something else than keys. {error}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise NoKey(f"{str(where).capitalize()} cannot be read ({error}).") from error


def _installation() -> bytes:
    """Return the key that the database is wrapped by at this moment: another process may have changed it."""
    row = db.session.get(InstallationKey, 1, populate_existing=True)
    if row is None:
        raise NoKey("This installation has no key yet: start it once, or run flask keys check.")
    if (key := find(row.fingerprint, row.salt)) is None:
        raise NoKey(
            f"The key {row.fingerprint}, under which everything about people is sealed here, is not in {source()}. "
            "Put it back, or set ENCRYPTION_KEY to the copy that you wrote down (flask keys export). Without it, what "
            "is stored about people cannot be read by anybody, nor restored."
        )
    return key


def find(wanted: str, salt: bytes | None) -> bytes | None:
    """Return the key with a fingerprint, where the settings lead to it."""
    known: dict[str, bytes] = current_app.extensions.setdefault(KEYS, {})
    if wanted not in known:
        known.update((fingerprint(key), key) for key in _at_hand(source(), salt))
    return known.get(wanted)


database.look_up.append(find)


def for_database() -> tuple[bytes, str, bytes | None]:
    """Return what the key of an encrypted database is wrapped by: a key, its fingerprint and its salt."""
    key = _installation()
    return key, fingerprint(key), db.session.get_one(InstallationKey, 1).salt


# --- the keys of people


def _wrapping(key: bytes) -> Any:
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    return ChaCha20Poly1305(hmac.digest(key, b"kinelab person keys", "sha256"))


def _wrapped(installation: bytes, key: Key) -> bytes:
    nonce = secrets.token_bytes(NONCE_BYTES)
    sealed: bytes = _wrapping(installation).encrypt(nonce, key.secret, key.name)
    return nonce + sealed


def _unwrapped(installation: bytes, row: PersonKey) -> Key:
    from cryptography.exceptions import InvalidTag

    name = bytes.fromhex(row.name)
    try:
        secret = _wrapping(installation).decrypt(row.wrapped[:NONCE_BYTES], row.wrapped[NONCE_BYTES:], name)
    except InvalidTag:
        raise sealing.Broken("the key of a person is damaged, or wrapped by another key") from None
    return Key(name, secret)


def give(user_id: int) -> None:
    """Within a transaction: give a person who has none a key."""
    key = Key.new()
    db.session.add(PersonKey(name=key.name.hex(), user_id=user_id, wrapped=_wrapped(_installation(), key)))


def of(user_id: int) -> Key:
    """Return a person's key; one who has none gets one. Not within a transaction, which might still fail.

    Raises
    ------
    NoKey : the installation's key is not here.
    NotFound : nor is the person.
    """
    row = db.session.scalar(select(PersonKey).filter_by(user_id=user_id))
    if row is None:
        try:
            with transaction():
                give(user_id)
        except IntegrityError:  # of two at the same moment, one gives it; or the account was deleted meanwhile
            pass
        row = db.session.scalar(select(PersonKey).filter_by(user_id=user_id))
        if row is None:
            raise NotFound("There is no such account.")
    return sealing.remember(_unwrapped(_installation(), row))


def destroy(user_id: int) -> None:
    """Within a transaction: make all files about a person unreadable for ever, wherever copies of them are."""
    for name in db.session.scalars(select(PersonKey.name).filter_by(user_id=user_id)).all():
        db.session.execute(delete(PersonKey).filter_by(name=name))
        sealing.forget(bytes.fromhex(name))


def _look_up(name: bytes) -> Key | None:
    if len(name) != NAME_BYTES or not has_app_context():
        return None
    row = db.session.get(PersonKey, name.hex())
    return None if row is None else _unwrapped(_installation(), row)


sealing.look_up.append(_look_up)


# --- what administrators do


def rotate(passphrase: str = "") -> str:
    """Wrap everybody's key by another key of the installation, in one transaction; return the other as text.

    Files stay as they are: they are sealed under people's keys. The key before stays where it is, for backups that
    were made with it.

    Parameters
    ----------
    passphrase : the new one, where the key is derived from one.

    Raises
    ------
    Conflict : there is no other key to change to.
    """
    prepare()
    before, where, salt = _installation(), source(), None
    if where.kind == "passphrase":
        if not passphrase:
            raise Conflict("The key is derived from a passphrase: a new one is needed.")
        salt = secrets.token_bytes(SALT_BYTES)
        after = _derived(passphrase, salt)
    elif where.path is not None:
        after = _added(where.path)
    else:
        others = [key for key in _at_hand(where, None) if key != before]
        if not others:
            raise Conflict(
                "ENCRYPTION_KEY holds one key. Add another after it, with a comma between (flask keys new makes one), "
                "start Kinelab with both, and run this again; afterwards the first may go."
            )
        after = others[-1]
    audit.record(Action.KEY_CHANGED, fingerprint(after), outcome="begun", before=fingerprint(before))
    with database.rewrapped(database.home_file(), after, fingerprint(after), salt), transaction() as session:
        row = session.get_one(InstallationKey, 1, populate_existing=True)
        if row.fingerprint != fingerprint(before):
            raise Conflict("Somebody else has just changed the key.")
        for person in session.scalars(select(PersonKey)):
            person.wrapped = _wrapped(after, _unwrapped(before, person))
        row.fingerprint, row.salt, row.created = fingerprint(after), salt, now()
    current_app.extensions.setdefault(KEYS, {})[fingerprint(after)] = after
    audit.record(Action.KEY_CHANGED, fingerprint(after), before=fingerprint(before))
    return as_text(after)


def export() -> str:
    """Return the installation's key as text, for a copy on paper or in a safe."""
    key = _installation()
    audit.record(Action.KEY_EXPORTED, fingerprint(key))
    return as_text(key)


def is_made() -> bool:
    """Tell whether this installation has had a first start."""
    return db.session.get(InstallationKey, 1) is not None


def state() -> State:
    """Return what is known of the key."""
    where, key = source(), _installation()
    unreadable = sum(not _opens(key, row) for row in db.session.scalars(select(PersonKey)))
    return State(where, fingerprint(key), _count(PersonKey), unreadable, is_beside_data(where), database.kind())


def _opens(key: bytes, row: PersonKey) -> bool:
    with suppress(sealing.Broken):
        return bool(_unwrapped(key, row))
    return False


def is_beside_data(where: Source) -> bool:
    """Tell whether whoever copies the data has the key as well."""
    kept: Iterable[Path] = current_app.config["KEPT_FOLDERS"]
    return where.path is not None and any(where.path.resolve().is_relative_to(folder) for folder in kept)


def _count(table: type[PersonKey]) -> int:
    return db.session.scalar(select(func.count()).select_from(table)) or 0
