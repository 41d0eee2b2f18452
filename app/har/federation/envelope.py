"""Files that sites exchange: a document, numbers, and the signature of the site; nothing in them is executed.

A first line names format and version; then the length of the document (8 bytes), the document (JSON), the numbers as
they are, and an Ed25519 signature (RFC 8032) of the SHA-512 of all of it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.har.errors import UnreadableData

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

MAGIC = b"kinelab federation 1\n"
SIGNED = b"kinelab federation file, version 1\x00"  # before what is signed: no signature is one of anything else
LENGTH_BYTES, SIGNATURE_BYTES = 8, 64
LONGEST_DOCUMENT = 8 * 2**20
# The y of every point of Ed25519 whose order is 8 or less, also written as y + p: 0, 1, p - 1, and two of order 8
_P = 2**255 - 19
_OF_ORDER_8 = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
WEAK = {0, 1, _P - 1, _P, _P + 1, _OF_ORDER_8, _P - _OF_ORDER_8}


@dataclass(frozen=True)
class Sealed:
    """The content of a file whose signature holds."""

    document: dict[str, Any]
    payload: memoryview
    signer: str  # the public key, 64 hexadecimal digits
    digest: str  # SHA-256 of the whole file


def public_key(key: Ed25519PrivateKey) -> str:
    """Return the public half of a site's key, 64 hexadecimal digits."""
    return key.public_key().public_bytes_raw().hex()


def is_weak(key: str) -> bool:
    """Tell whether a public key is one of the few with which anybody can sign (points of small order)."""
    return int.from_bytes(bytes.fromhex(key), "little") % 2**255 in WEAK  # without the sign of x


def sealed(document: Mapping[str, Any], payload: bytes, key: Ed25519PrivateKey) -> bytes:
    """Return a document and numbers as a signed file."""
    text = json.dumps({**document, "signer": public_key(key), "payload_bytes": len(payload)}).encode()
    content = b"".join([MAGIC, len(text).to_bytes(LENGTH_BYTES, "big"), text, payload])
    return content + key.sign(_signed(content))


def opened(content: bytes, name: str) -> Sealed:
    """Return what is in a signed file, once its signature has been checked; whose key it is, the caller must know.

    Parameters
    ----------
    name : of the file, for messages.

    Raises
    ------
    UnreadableData : it is no such file, of another version, cut off, or was changed.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    document, start = _document(content[: len(MAGIC) + LENGTH_BYTES + LONGEST_DOCUMENT], name)
    end = start + document["payload_bytes"]
    if end + SIGNATURE_BYTES != len(content):
        raise UnreadableData(f"{name} is cut off or has something added: expected {end + SIGNATURE_BYTES:,} bytes.")
    try:
        if is_weak(document["signer"]):
            raise UnreadableData(f"{name} is signed with a key with which anybody can sign.")
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(document["signer"]))
        key.verify(content[end:], _signed(content[:end]))
    except (InvalidSignature, ValueError) as error:
        raise UnreadableData(f"{name} was changed after the site had signed it.") from error
    return Sealed(document, memoryview(content)[start:end], document["signer"], hashlib.sha256(content).hexdigest())


def document_of(path: Path) -> dict[str, Any]:
    """Return the document of a file whose signature was checked before; the numbers are not read."""
    with path.open("rb") as file:
        return _document(file.read(len(MAGIC) + LENGTH_BYTES + LONGEST_DOCUMENT), path.name)[0]


def _document(beginning: bytes, name: str) -> tuple[dict[str, Any], int]:
    """Return the document, and where the numbers begin."""
    if not beginning.startswith(MAGIC):
        first = beginning.partition(b"\n")[0][:40]
        is_text = first.isascii() and first.decode().strip().isprintable()
        raise UnreadableData(
            f"{name} is no file of a federation that this version reads: expected the first line "
            f"{MAGIC.decode().strip()!r}, found {repr(first.decode()) if is_text else 'no text'}."
        )
    start = len(MAGIC) + LENGTH_BYTES
    length = int.from_bytes(beginning[len(MAGIC) : start], "big")
    try:
        document = json.loads(beginning[start : start + length]) if length <= LONGEST_DOCUMENT else None
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict) or not (
        isinstance(document.get("signer"), str)
        and type(document.get("payload_bytes")) is int
        and document["payload_bytes"] >= 0
    ):
        raise UnreadableData(f"{name} has no document that can be read.")
    return document, start + length


def _signed(content: bytes) -> bytes:
    return SIGNED + hashlib.sha512(content).digest()
