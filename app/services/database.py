"""How the file of the database is opened, plain or encrypted (SQLCipher); everything that opens one comes here.

Its first bytes tell which: there is no setting that could disagree. An encrypted one has a key of its own, random. It
lies beside it in `database_key`, wrapped by the installation's key; while that is changed, by the one before and by the
one after, so that whichever of the two a killed change leaves opens it (`rewrapped`). A database that is not there yet
is made encrypted where such a file lies in wait for it (`keys.prepare_database`).

Whoever opens and closes a file of SQLite by other means takes away the locks that this process holds on it. So the
first bytes are looked at once, before the first connection, and again only when another file is in that place.
"""

from __future__ import annotations

import hmac
import json
import os
import secrets
import sqlite3
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, cast

from filelock import FileLock, Timeout
from flask import current_app
from sqlalchemy import Engine, event

from app.extensions import db
from app.services import postgresql
from app.services.errors import Conflict, ServiceError
from app.services.files import DRAFT, written_whole

PLAIN = b"SQLite format 3\0"
NAME = "kinelab.sqlite"  # in `instance/`
KEY_FILE = "database_key"  # beside the database
LIBRARY = "sqlcipher3>=0.6.4"
KEY_BYTES, NONCE_BYTES = 32, 12
KNOWN = "database_keys"  # in `app.extensions`, by file: which one it was, and its key

look_up: list[Callable[[str, bytes | None], bytes | None]] = []
"""What finds an installation's key by its fingerprint and salt (`keys`)."""

_looking = threading.Lock()
_looking_for_library = threading.Lock()


class Unopened(ServiceError):
    """The database is encrypted, and something that opens it is missing."""

    status = 500
    title = "The database cannot be opened"


def connect(path: Path | str, key: bytes | None = None, **options: Any) -> sqlite3.Connection:
    """Open a database as what it is; SQLCipher's connections do what the standard library's do.

    Parameters
    ----------
    key : of a file that is to be made encrypted; else what lies beside it says.

    Raises
    ------
    Unopened : the key is not here, or is another's.
    """
    if key is None:
        key = key_of(Path(path))
    if key is None:
        plain: sqlite3.Connection = sqlite3.connect(path, **options)
        return plain
    connection = cast(sqlite3.Connection, cipher().connect(os.fspath(path), **options))
    try:
        connection.execute(f'PRAGMA key = "{as_raw(key)}"')
        connection.execute("SELECT count(*) FROM sqlite_master")
    except cipher().DatabaseError as error:
        connection.close()
        if "not a database" in str(error):
            raise Unopened(f"{path} is damaged, or {KEY_FILE} beside it belongs to another database.") from error
        raise
    return connection


def as_raw(key: bytes) -> str:
    """Return a key as SQLCipher takes it without deriving another one from it for each connection."""
    return f"x'{key.hex()}'"


def cipher() -> Any:
    """Return the library that opens encrypted databases.

    Raises
    ------
    Unopened : it is not installed, or another library's SQLite answers in its place.
    """
    try:
        with _looking_for_library:
            return _cipher()
    except ImportError as error:
        raise Unopened(f'This needs a library that is not installed here: pip install "{LIBRARY}".') from error


@cache
def _cipher() -> Any:
    """Load the library so that it finds its own functions first.

    TensorFlow has an SQLite, too, and offers its functions to all that is loaded after it: SQLCipher would call those,
    which know nothing of keys.
    """
    own_first = getattr(os, "RTLD_DEEPBIND", 0)
    usual = sys.getdlopenflags() if own_first else 0
    if own_first:
        sys.setdlopenflags(usual | own_first)
    try:
        from sqlcipher3 import dbapi2
    finally:
        if own_first:
            sys.setdlopenflags(usual)
    with closing(dbapi2.connect(":memory:")) as connection:
        if not connection.execute("PRAGMA cipher_version").fetchone():
            raise Unopened("Another library's SQLite answers in place of SQLCipher: nothing would be encrypted.")
    return dbapi2


def take_alone(connection: sqlite3.Connection) -> None:
    """Bring what is in the files beside the database into it, and keep everybody else out until the connection ends."""
    try:
        connection.execute("PRAGMA busy_timeout=1000")
        connection.execute("PRAGMA journal_mode=DELETE")  # which nobody else may have it open for
        connection.execute("PRAGMA locking_mode=EXCLUSIVE")
        connection.execute("BEGIN EXCLUSIVE")
        connection.execute("COMMIT")
        mode = connection.execute("PRAGMA journal_mode").fetchone()[0]
    except connection.OperationalError as error:
        if "is locked" not in str(error):
            raise
        mode = "wal"
    if mode != "delete":
        raise Conflict("Another program has the database open. Stop it first; nothing was changed.")


def is_error(error: BaseException | None) -> bool:
    """Tell whether an error is SQLite's, in whichever library."""
    loaded = sys.modules.get("sqlcipher3.dbapi2")
    return isinstance(error, sqlite3.Error) or (loaded is not None and isinstance(error, loaded.Error))


def listen(engine: Engine) -> None:
    """Let an engine open its database as what it is at that moment: restoring a backup may change it."""

    @event.listens_for(engine, "do_connect")
    def do_connect(dialect: Any, record: Any, arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
        connection = connect(*arguments, **options)
        dialect.dbapi = sqlite3 if isinstance(connection, sqlite3.Connection) else cipher()  # whose errors are caught
        return connection


def home_file() -> Path:
    """Return the file of this home's database; what DATABASE_URL names instead is another program's to encrypt."""
    return Path(current_app.config["INSTANCE"]) / NAME


def is_homes() -> bool:
    """Tell whether the database is this home's own file."""
    engine = db.engine
    return engine.dialect.name == "sqlite" and Path(str(engine.url.database)).resolve() == home_file().resolve()


def kind() -> str:
    """Return "encrypted", "plain", or "elsewhere", which is another program's to encrypt."""
    if not is_homes():
        return "elsewhere"
    return "plain" if key_of(home_file()) is None else "encrypted"


def is_to_be_made(path: Path) -> bool:
    """Tell whether a database is not there yet, or was killed before its first byte."""
    return not path.exists() or not path.stat().st_size


def lacks_key() -> bool:
    """Tell whether a key is to be made: for a database that is not there yet; beside a server's, for the audit log."""
    if postgresql.is_used():
        return not home_file().with_name(KEY_FILE).exists()
    return is_homes() and is_to_be_made(home_file())


def draft() -> Path:
    """Return what is written while this home's database is encrypted, or made plain again."""
    return home_file().with_name(f"{DRAFT}{NAME}")


def sweep() -> None:
    """Delete what a change that was killed has left, plain perhaps; within the lock of what prepares the home."""
    for path in home_file().parent.glob(f"{draft().name}*"):
        path.unlink(missing_ok=True)


def key_of(path: Path) -> bytes | None:
    """Return what opens a database, None where it is plain.

    Raises
    ------
    Unopened : it is encrypted, and the key is not here.
    """
    known: dict[Path, tuple[tuple[int, int] | None, bytes | None]] = current_app.extensions.setdefault(KNOWN, {})
    with _looking:  # a second thread's look would take the first one's locks away
        place = path.resolve()
        try:
            status = path.stat()
            file = status.st_dev, status.st_ino
        except FileNotFoundError:  # who asked makes it, and has it open when it is asked for again
            file = None
        before, key = known.get(place, (file, None))
        if file is None or place not in known or before not in (None, file):
            key = None if is_plain(path) else _unwrapped(path)
        known[place] = file, key
        return key


def forget(path: Path) -> None:
    """Look again at a file that was put in the place of another: its number may be that of one before."""
    with _looking:
        current_app.extensions.get(KNOWN, {}).pop(path.resolve(), None)


def is_plain(path: Path) -> bool:
    """Tell by its first bytes what a database is that nobody has open; one that is not there becomes what it can."""
    begins = b""
    with suppress(FileNotFoundError), path.open("rb") as file:
        begins = file.read(len(PLAIN))
    return begins == PLAIN or not (begins or path.with_name(KEY_FILE).exists())


# --- the file of its key


def wrapped_by(path: Path) -> list[tuple[str, bytes | None]]:
    """Return the fingerprint and the salt of each installation's key that opens a database; none of a plain one."""
    if not path.with_name(KEY_FILE).exists():
        return []
    return [(wrap["fingerprint"], bytes.fromhex(wrap["salt"]) or None) for wrap in _wraps(path)]


def new_key(path: Path, installation: bytes, fingerprint: str, salt: bytes | None) -> bytes:
    """Make a key for a database that is to be encrypted; it is on the disk, wrapped, before it is used."""
    key = secrets.token_bytes(KEY_BYTES)
    _write(path, [_wrapped(key, installation, fingerprint, salt)])
    return key


@contextmanager
def rewrapped(path: Path, installation: bytes, fingerprint: str, salt: bytes | None) -> Iterator[None]:
    """Let another key of the installation open a database as well, and after the block, if all went well, alone."""
    key = key_of(path)
    if key is None:
        yield
        return
    try:
        lock = _changing(path)
    except Timeout:
        raise Conflict("Somebody else is changing the key at this moment.") from None
    with lock:
        _write(path, [*_wraps(path), _wrapped(key, installation, fingerprint, salt)])
        yield
        _keep(path, fingerprint)


def keep_only(path: Path, fingerprint: Callable[[], str]) -> None:
    """After a change of the key that was killed: only the one of that fingerprint opens the database from here on."""
    if key_of(path) is not None and len(_wraps(path)) > 1:
        try:
            with _changing(path):
                _keep(path, fingerprint())
        except Timeout:  # it is being changed at this moment
            return


def _changing(path: Path) -> AbstractContextManager[object]:
    return FileLock(f"{path.with_name(KEY_FILE)}.lock").acquire(timeout=0)


def _keep(path: Path, fingerprint: str) -> None:
    if kept := [wrap for wrap in _wraps(path) if wrap["fingerprint"] == fingerprint]:
        _write(path, kept[-1:])


def _wraps(path: Path) -> list[dict[str, str]]:
    file = path.with_name(KEY_FILE)
    try:
        wraps: list[dict[str, str]] = json.loads(file.read_text(encoding="ascii"))
    except FileNotFoundError:
        raise Unopened(
            f"{path} is encrypted, or damaged, and {KEY_FILE}, by which it is opened, is not beside it. Put it back, "
            "or restore a backup."
        ) from None
    except ValueError:
        raise Unopened(f"{file} is damaged. Put it back from a copy, or restore a backup.") from None
    return wraps


def _write(path: Path, wraps: list[dict[str, str]]) -> None:
    target = path.with_name(KEY_FILE)
    with written_whole(target) as draft, draft.open("x", encoding="ascii") as file:
        json.dump(wraps, file)
        file.flush()
        os.fsync(file.fileno())
    sync_folder(target.parent)


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on the disk."""
    if os.name == "posix":
        opened = os.open(folder, os.O_RDONLY)
        os.fsync(opened)
        os.close(opened)


def _wrapping(installation: bytes) -> Any:
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    return ChaCha20Poly1305(hmac.digest(installation, b"kinelab database key", "sha256"))


def _wrapped(key: bytes, installation: bytes, fingerprint: str, salt: bytes | None) -> dict[str, str]:
    nonce = secrets.token_bytes(NONCE_BYTES)
    sealed = nonce + _wrapping(installation).encrypt(nonce, key, None)
    return {"fingerprint": fingerprint, "salt": (salt or b"").hex(), "wrapped": sealed.hex()}


def _unwrapped(path: Path) -> bytes:
    from cryptography.exceptions import InvalidTag

    cipher()  # what is not installed is said first
    wraps = _wraps(path)
    for wrap in wraps:
        for find in look_up:
            installation = find(wrap["fingerprint"], bytes.fromhex(wrap["salt"]) or None)
            if installation is not None:
                sealed = bytes.fromhex(wrap["wrapped"])
                try:
                    return cast(
                        bytes, _wrapping(installation).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], None)
                    )
                except InvalidTag:
                    raise Unopened(f"{path.with_name(KEY_FILE)} is damaged. Put it back from a copy.") from None
    names = " or ".join(wrap["fingerprint"] for wrap in wraps)
    raise Unopened(
        f"The database is encrypted under the key {names} of this installation, which is not where the settings say. "
        "Put it back, or set ENCRYPTION_KEY to the copy that you wrote down (flask keys export)."
    )
