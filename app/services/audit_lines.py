"""How a line of the audit log lies in its file: whom it names, and what it says of them, is sealed.

So it is where the database is encrypted, under a key that is derived from the database's. Open stay when something was
done, what kind of thing, its outcome, a made-up name of who did it, by which a search need not open a million lines,
and the chain. Plain lines are read as they are.
"""

from __future__ import annotations

import base64
import hmac
import json
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from app.services.files import written_whole

OPEN = ("time", "action", "outcome")
CHAIN = ("number", "said", "chain", "erased")
SEALED, WHO = "sealed", "who"
WHO_BYTES = 8
BEGINS = b'"sealed":"'
NONCE_BYTES = 12

Document = dict[str, Any]


def as_line(document: Mapping[str, object]) -> str:
    """Write a document in one line of ASCII: whatever a name holds, it cannot begin another line."""
    return json.dumps(document, separators=(",", ":")).replace("\x7f", "\\u007f") + "\n"


def parsed(text: bytes) -> Document | None:
    """Return the document of a line as it lies there, None where it cannot be read."""
    try:
        line = json.loads(text)
    except ValueError:
        return None
    return line if isinstance(line, dict) else None


class Sealing:
    """Seals and opens lines; without the key of a database, they are left plain."""

    def __init__(self, database_key: bytes | None) -> None:
        self._cipher: Any = None
        self._key = b"" if database_key is None else hmac.digest(database_key, b"kinelab audit lines", "sha256")
        self.seals = database_key is not None
        if database_key is not None:
            from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

            self._cipher = ChaCha20Poly1305(self._key)

    def stored(self, line: Document) -> Document:
        """Return a line as it is written."""
        if self._cipher is None:
            return line
        kept = {name: value for name, value in line.items() if name not in (*OPEN, *CHAIN)}
        nonce = secrets.token_bytes(NONCE_BYTES)
        sealed = nonce + self._cipher.encrypt(nonce, as_line(kept).encode("ascii"), None)
        whole = {name: line[name] for name in OPEN if name in line}
        whole |= {WHO: self._who(line.get("actor")), SEALED: base64.b64encode(sealed).decode()}
        return whole | {name: line[name] for name in CHAIN if name in line}

    def _who(self, actor: object) -> str:
        return hmac.digest(self._key, f"who {actor}".encode("utf-8", "surrogatepass"), "sha256")[:WHO_BYTES].hex()

    def marks_of(self, actor: str) -> tuple[bytes, bytes]:
        """Return what a line of somebody has in it, sealed and plain; within a value, quotation marks are escaped."""
        return f'"{WHO}":"{self._who(actor)}",'.encode("ascii"), f'"actor":{json.dumps(actor)},'.encode("ascii")

    def named(self, text: bytes) -> bytes:
        """Return the part of a line that names somebody, opened; a plain line whole; of a damaged one nothing."""
        from cryptography.exceptions import InvalidTag

        if (at := text.find(BEGINS)) < 0:
            return text
        begins = at + len(BEGINS)
        try:
            sealed = base64.b64decode(text[begins : text.index(b'"', begins)], validate=True)
            return (
                bytes(self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], None)) if self._cipher else b""
            )
        except (ValueError, InvalidTag):
            return b""

    def read(self, text: bytes) -> Document | None:
        """Return the document of a line, opened; None where it cannot be read."""
        line = parsed(text)
        if line is None or SEALED not in line:
            return line
        if (kept := parsed(self.named(text))) is None or line.get(WHO) != self._who(kept.get("actor")):
            return None
        first = {name: line[name] for name in OPEN if name in line}
        return first | kept | {name: line[name] for name in CHAIN if name in line}

    def opened(self, text: bytes) -> bytes:
        """Return a line as it would be in a plain log; one that cannot be opened as it is."""
        line = self.read(text) if BEGINS in text else None
        return text if line is None else as_line(line).encode("ascii")


def is_sealed(path: Path) -> bool:
    """Tell by its first line whether a file was sealed: it is done with all of its lines or with none."""
    with path.open("rb") as file:
        return BEGINS in file.readline()


def rewrite(source: Path, before: Sealing, after: Sealing, target: Path | None = None) -> None:
    """Write a file of the log in another form, whole or not at all; what cannot be read stays as it is."""

    def lines() -> Iterator[bytes]:
        with source.open("rb") as file:
            for text in file:
                line = before.read(text)
                yield text if line is None else as_line(after.stored(line)).encode("ascii")

    with written_whole(target or source) as draft, draft.open("xb") as file:
        file.writelines(lines())
