"""Where bodies and answers lie that memory is too small for: in files without names, under keys that are kept nowhere.

Such a file is gone with the process; what was on the disk is not. Enciphered, it tells whoever looks there nothing.
"""

from __future__ import annotations

import io
import os
import secrets
from tempfile import TemporaryFile
from typing import IO, Any, cast

from flask import Request

IN_MEMORY = 500 * 1024  # bytes of an uploaded file
BUFFER_BYTES = 64 * 1024
BLOCK = 16  # bytes, of AES


class _Enciphered(io.RawIOBase):
    """A file without a name. Each place is written once, so that no part of the key stream serves twice."""

    def __init__(self) -> None:
        self._file = TemporaryFile(buffering=0)  # noqa: SIM115  `close` closes it
        self._key, self._at = secrets.token_bytes(32), 0

    def _ciphered(self, data: Any, at: int) -> bytes:
        from cryptography.hazmat.primitives.ciphers import Cipher
        from cryptography.hazmat.primitives.ciphers.algorithms import AES
        from cryptography.hazmat.primitives.ciphers.modes import CTR

        block, skipped = divmod(at, BLOCK)
        stream = Cipher(AES(self._key), CTR(block.to_bytes(BLOCK, "big"))).encryptor()
        stream.update(bytes(skipped))
        return stream.update(data)

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = os.pread(self._file.fileno(), len(buffer), self._at)
        buffer[: len(data)] = self._ciphered(data, self._at)
        self._at += len(data)
        return len(data)

    def write(self, data: Any) -> int:
        written = os.pwrite(self._file.fileno(), self._ciphered(data, self._at), self._at)
        self._at += written
        return written

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: os.fstat(self._file.fileno()).st_size}[whence]
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def close(self) -> None:
        self._file.close()
        super().close()


def spool(*_: object) -> IO[bytes]:
    """Return an empty file for bytes that nobody else is to read."""
    return cast("IO[bytes]", io.BufferedRandom(_Enciphered(), BUFFER_BYTES))


class SpoolingRequest(Request):
    """A request whose files, where they are large, lie enciphered."""

    def _get_file_stream(
        self,
        total_content_length: int | None,
        content_type: str | None,
        filename: str | None = None,
        content_length: int | None = None,
    ) -> IO[bytes]:
        return spool() if total_content_length is None or total_content_length > IN_MEMORY else io.BytesIO()
