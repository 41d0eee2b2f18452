"""A stream that only a passphrase opens: chunks of 1 MiB under ChaCha20-Poly1305, its key from Argon2id.

Each chunk has its number and whether it is the last as nonce (the STREAM construction): what is changed, moved or cut
off is noticed. The key is one file's alone, as its salt is.
"""

from __future__ import annotations

import io
import os
from typing import IO, Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from app.services.errors import Invalid

MARK = b"KLBACKUP1\n"
SALT_BYTES, TAG_BYTES = 16, 16
CHUNK = 2**20  # bytes, unsealed
ITERATIONS, LANES, MEMORY_KIB = 3, 4, 64 * 1024  # RFC 9106, section 4, second recommendation


def _cipher(passphrase: str, salt: bytes) -> ChaCha20Poly1305:
    """Return the cipher of one backup."""
    derivation = Argon2id(salt=salt, length=32, iterations=ITERATIONS, lanes=LANES, memory_cost=MEMORY_KIB)
    return ChaCha20Poly1305(derivation.derive(passphrase.encode()))


def _nonce(number: int, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([last])


class Writer:
    """Seals what is written; only `finish` makes it whole."""

    def __init__(self, file: IO[bytes], passphrase: str) -> None:
        salt = os.urandom(SALT_BYTES)
        self._file, self._head, self._cipher = file, MARK + salt, _cipher(passphrase, salt)
        self._rest, self._number = bytearray(), 0
        file.write(self._head)

    def write(self, data: bytes) -> int:
        """Take some bytes; a chunk is written once it is known not to be the last."""
        self._rest += data
        while len(self._rest) > CHUNK:
            self._seal(bytes(self._rest[:CHUNK]), last=False)
            del self._rest[:CHUNK]
        return len(data)

    def finish(self) -> None:
        """Seal what is left as the last chunk."""
        self._seal(bytes(self._rest), last=True)

    def _seal(self, chunk: bytes, *, last: bool) -> None:
        self._file.write(self._cipher.encrypt(_nonce(self._number, last), chunk, self._head))
        self._number += 1


class Reader(io.RawIOBase):
    """Reads what a `Writer` sealed, from its beginning to its end.

    Raises
    ------
    Invalid : it is no backup, the passphrase is another, or it is damaged.
    """

    def __init__(self, file: IO[bytes], passphrase: str) -> None:
        super().__init__()
        self._file = file
        self._head = file.read(len(MARK) + SALT_BYTES)
        if not self._head.startswith(MARK) or len(self._head) < len(MARK) + SALT_BYTES:
            raise Invalid("This is no backup of Kinelab: it does not begin as one.")
        self._cipher = _cipher(passphrase, self._head[len(MARK) :])
        self._chunk, self._place, self._number = b"", 0, 0
        self._next: bytes | None = file.read(CHUNK + TAG_BYTES)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self._place == len(self._chunk) and self._next is not None:
            self._open_next(self._next)
        part = self._chunk[self._place : self._place + len(buffer)]
        buffer[: len(part)] = part
        self._place += len(part)
        return len(part)

    def _open_next(self, sealed: bytes) -> None:
        following = self._file.read(CHUNK + TAG_BYTES)
        try:
            self._chunk = self._cipher.decrypt(_nonce(self._number, not following), sealed, self._head)
        except InvalidTag:
            if not self._number:
                raise Invalid("The passphrase is not the one of this backup, or it is damaged.") from None
            raise Invalid(f"This backup is damaged or cut off, {self._number:,} MB from its beginning.") from None
        self._next = following or None
        self._place, self._number = 0, self._number + 1
