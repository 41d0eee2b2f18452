"""Files about a person, sealed under that person's key: whoever has the disk, and not the key, reads nothing in them.

A sealed file is a head (mark, the key's name, a salt) and chunks of 64 KiB, each sealed by ChaCha20-Poly1305 under a
key of this file alone, with its number and whether it is the last as nonce: the STREAM construction, as age uses it
(ADR 17). A chunk can be read without the others; what is changed, cut off, moved or put together anew is noticed.

The head names its key, so that reading needs no more than the path. What an earlier build stored plain is read as it
is.
"""

from __future__ import annotations

import hashlib
import hmac
import io
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

MARK = b"KLSEAL1\n"
NAME_BYTES, SALT_BYTES, KEY_BYTES, TAG_BYTES = 16, 16, 32, 16
HEAD_BYTES = len(MARK) + NAME_BYTES + SALT_BYTES
CHUNK = 2**16  # bytes, unsealed
SEALED_CHUNK = CHUNK + TAG_BYTES
AT_ONCE = 16  # chunks that are read from the disk together
COPY_BYTES = 2**20


class Broken(OSError):
    """A sealed file is damaged, cut off, or was changed."""


class KeyGone(OSError):
    """A file is sealed under a key that is not here (any more): what is in it can never be read."""


@dataclass(frozen=True)
class Key:
    """A person's key, and the name by which sealed files call it."""

    name: bytes
    secret: bytes = field(repr=False)

    @classmethod
    def new(cls) -> Key:
        """Make one."""
        return cls(secrets.token_bytes(NAME_BYTES), secrets.token_bytes(KEY_BYTES))

    def as_dict(self) -> dict[str, str]:
        """Return plain values, for a reader."""
        return {"name": self.name.hex(), "secret": self.secret.hex()}

    @classmethod
    def from_dict(cls, values: dict[str, str]) -> Key:
        """Read what `as_dict` made."""
        return cls(bytes.fromhex(values["name"]), bytes.fromhex(values["secret"]))


_known: dict[bytes, Key] = {}  # by name, in this process
look_up: list[Callable[[bytes], Key | None]] = []  # where else keys are; a server's `keys` puts itself here


def remember(key: Key) -> Key:
    """Know a key from here on."""
    _known[key.name] = key
    return key


def forget(name: bytes) -> None:
    """Know a key no longer."""
    _known.pop(name, None)


def only(document: dict[str, str] | None) -> Key | None:
    """Know this key and no other: a reader has strangers' files in its hands."""
    _known.clear()
    return remember(Key.from_dict(document)) if document else None


def _key_of(name: bytes) -> Key:
    if (key := _known.get(name)) is not None:
        return key
    for found in (look(name) for look in look_up):
        if found is not None:
            return remember(found)
    raise KeyGone("the key that this file is sealed under is not here: it was deleted with its person, or is missing")


def _cipher(key: Key, salt: bytes) -> ChaCha20Poly1305:
    """Return the cipher of one file: a key of its own (HKDF-SHA256, RFC 5869, of one block), used for nothing else."""
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    extracted = hmac.digest(salt, key.secret, "sha256")
    return ChaCha20Poly1305(hmac.digest(extracted, MARK + b"\x01", "sha256"))


def _nonce(number: int, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([last])


class _Writer(io.RawIOBase):
    """Seals what is written, one byte after the other; only `finish` makes the file whole."""

    def __init__(self, file: IO[bytes], key: Key) -> None:
        super().__init__()
        salt = secrets.token_bytes(SALT_BYTES)
        self._file, self._cipher = file, _cipher(key, salt)
        self._head = MARK + key.name + salt
        self._rest = bytearray()
        self._number = 0
        file.write(self._head)

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        view = memoryview(data)
        if not view.nbytes:  # which cannot be cast
            return 0
        view, place = view.cast("B"), 0
        if self._rest:
            place = min(CHUNK - len(self._rest), len(view))
            self._rest += view[:place]
            if place < len(view):  # a chunk is written once it is known not to be the last
                self._seal(self._rest, last=False)
                self._rest = bytearray()
        while len(view) - place > CHUNK:
            self._seal(view[place : place + CHUNK], last=False)
            place += CHUNK
        self._rest += view[place:]
        return len(view)

    def finish(self) -> None:
        """Seal what is left as the last chunk."""
        self._seal(self._rest, last=True)
        self._rest = bytearray()

    def _seal(self, chunk: bytearray | memoryview, *, last: bool) -> None:
        self._file.write(self._cipher.encrypt(_nonce(self._number, last), chunk, self._head))
        self._number += 1


class _Reader(io.RawIOBase):
    """Reads a sealed file from any place."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__()
        self._file = file
        self._head = file.read(HEAD_BYTES)
        self._sealed = file.seek(0, os.SEEK_END) - HEAD_BYTES
        self._chunks = -(-self._sealed // SEALED_CHUNK)
        self.size = self._sealed - TAG_BYTES * self._chunks
        if len(self._head) < HEAD_BYTES or self.size < 0 or self._sealed < TAG_BYTES:
            raise Broken("this file was cut off")
        key = _key_of(self._head[len(MARK) : len(MARK) + NAME_BYTES])
        self._cipher = _cipher(key, self._head[-SALT_BYTES:])
        self._place = 0
        self._at, self._chunk = self._chunks - 1, b""
        self._chunk = self._opened(self._read_sealed(self._at, 1), self._at)  # the last: nothing is cut off

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self.size}[whence]
        if start + offset < 0:
            raise OSError("before the beginning of a file")
        self._place = start + offset
        return self._place

    def tell(self) -> int:
        return self._place

    def readall(self) -> bytes:
        parts = []
        while part := self.read(AT_ONCE * CHUNK):
            parts.append(part)
        return b"".join(parts)

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer)
        if not view.nbytes:
            return 0
        view = view.cast("B")
        n = max(min(len(view), self.size - self._place), 0)
        done = 0
        while done < n:
            number, skipped = divmod(self._place + done, CHUNK)
            if number != self._at:
                wanted = -(-(skipped + n - done) // CHUNK)
                done += self._read_chunks(number, min(wanted, AT_ONCE), skipped, view[done:n])
                continue
            part = self._chunk[skipped : skipped + n - done]
            view[done : done + len(part)] = part
            done += len(part)
        self._place += n
        return n

    def close(self) -> None:
        super().close()
        self._file.close()

    def _read_chunks(self, first: int, count: int, skipped: int, view: memoryview) -> int:
        """Open some chunks into a buffer; the last of them is kept, as what comes next may be in it, too."""
        sealed, done = self._read_sealed(first, count), 0
        for i in range(count):
            chunk = self._opened(sealed[i * SEALED_CHUNK : (i + 1) * SEALED_CHUNK], first + i)
            part = memoryview(chunk)[skipped : skipped + len(view) - done]
            view[done : done + len(part)] = part
            done, skipped = done + len(part), 0
            self._at, self._chunk = first + i, chunk
        return done

    def _read_sealed(self, first: int, count: int) -> memoryview:
        self._file.seek(HEAD_BYTES + first * SEALED_CHUNK)
        return memoryview(self._file.read(count * SEALED_CHUNK))

    def _opened(self, sealed: memoryview, number: int) -> bytes:
        from cryptography.exceptions import InvalidTag

        try:
            return self._cipher.decrypt(_nonce(number, number == self._chunks - 1), sealed, self._head)
        except InvalidTag:
            raise Broken("this file is damaged, or was changed") from None


def is_sealed(path: Path) -> bool:
    """Tell whether a file is sealed; one that is not there raises FileNotFoundError."""
    with path.open("rb") as file:
        return file.read(len(MARK)) == MARK


def opened(path: Path) -> IO[bytes]:
    """Open a file for reading, from any place, sealed or not.

    Raises
    ------
    Broken, KeyGone : it cannot be unsealed.
    OSError : it cannot be read.
    """
    file = path.open("rb", buffering=0)
    try:
        mark = file.read(len(MARK))
        file.seek(0)
        if mark != MARK:
            return cast(IO[bytes], io.BufferedReader(file))
        return cast(IO[bytes], io.BufferedReader(_Reader(file), CHUNK))
    except BaseException:
        file.close()
        raise


@contextmanager
def created(path: Path, key: Key | None) -> Iterator[IO[bytes]]:
    """Write a file anew; it is whole only when the block ends well.

    Parameters
    ----------
    key : under which it is sealed; None: it is not about a person, and stays plain.
    """
    with path.open("wb") as file:
        if key is None:
            yield file
            return
        writer = _Writer(file, key)
        yield cast(IO[bytes], writer)
        writer.finish()


def size(path: Path) -> int:
    """Return the bytes of what is in a file, without reading more than its mark."""
    with path.open("rb") as file:
        n = file.seek(0, os.SEEK_END)
        file.seek(0)
        if file.read(len(MARK)) != MARK:
            return n
    sealed = n - HEAD_BYTES
    return max(sealed - TAG_BYTES * -(-sealed // SEALED_CHUNK), 0)


def sealed_bytes(data: bytes, key: Key) -> bytes:
    """Return a few bytes as a sealed file would hold them."""
    if len(data) <= CHUNK:
        salt = secrets.token_bytes(SALT_BYTES)
        head = MARK + key.name + salt
        return head + _cipher(key, salt).encrypt(_nonce(0, last=True), data, head)
    file = io.BytesIO()
    writer = _Writer(file, key)
    writer.write(data)
    writer.finish()
    return file.getvalue()


def opened_bytes(data: bytes) -> bytes:
    """Return what `sealed_bytes` sealed."""
    if not data.startswith(MARK):
        return data
    with _Reader(io.BytesIO(data)) as reader:
        return reader.readall()


def fingerprint(path: Path) -> str:
    """Return the SHA-256 of what is in a file."""
    digest = hashlib.sha256()
    with opened(path) as file:
        while piece := file.read(COPY_BYTES):
            digest.update(piece)
    return digest.hexdigest()
