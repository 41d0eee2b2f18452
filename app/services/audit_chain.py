"""The chain of the audit log: each line holds on to the one before it, so that no line is changed or gone unnoticed.

``chain`` of a line is a keyed hash over the line and over the ``chain`` of the line before. What names a person is in
it by ``said``, a hash with a salt of its own: when the person is erased, the names and the salt go from their lines,
and the chain still holds (`without`). Lines that grew too old leave an anchor: a line that says where the chain of what
is left begins. ``head.json`` knows the last line, so that none is cut off at the end.
"""

from __future__ import annotations

import hmac
import json
import os
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from app.services.audit_lines import Document, parsed
from app.services.files import written_whole

START = "0" * 64  # before the first line
PERSONAL = ("actor", "actor_id", "address", "object", "about", "details")
ANCHOR = "old lines deleted"  # the action of a line that says where the rest of the chain begins
ERASED = "(erased)"
HEAD, KEY = "head.json", "key"
Read = Callable[[bytes], "Document | None"]
TAIL_BYTES = 64 * 1024  # many times the longest line
SHOWN = 20  # broken lines that are named


@dataclass(frozen=True)
class Link:
    """Where the chain ends: the number of its last line, that line's hash, and the file and its size."""

    number: int = 0
    chain: str = START
    file: str = ""
    size: int = 0


@dataclass(frozen=True)
class Broken:
    """A line at which the chain does not hold."""

    file: str
    line: int  # counted from 1
    why: str

    def __str__(self) -> str:
        return f"{self.file}, line {self.line}: {self.why}"


@dataclass
class Verdict:
    """What came of looking at the whole log."""

    lines: int = 0  # of the chain
    before: int = 0  # lines of an earlier build, which had no chain
    number: int = 0  # of the last line
    chain: str = START
    n_broken: int = 0
    broken: list[Broken] = field(default_factory=list)  # the first of them

    def add(self, file: str, line: int, why: str) -> None:
        self.n_broken += 1
        if len(self.broken) < SHOWN:
            self.broken.append(Broken(file, line, why))


def key_of(folder: Path) -> bytes:
    """Return the key of an installation's log, made when it is first needed."""
    path = folder / KEY
    try:
        with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="ascii") as file:
            file.write(secrets.token_hex(32))
    except FileExistsError:
        pass
    return path.read_text(encoding="ascii").encode()


def linked(key: bytes, document: Mapping[str, Any], before: Link) -> Document:
    """Return a line's document as the next of the chain."""
    line = {**document, "number": before.number + 1, "salt": secrets.token_hex(8)}
    line["said"] = _said(line)
    return {**line, "chain": _chain(key, line, before.chain)}


def without(key: bytes, line: Document, user_id: int, name: str) -> Document:
    """Return a line without what it says of a person: their name and number, and the address from which it came."""
    bare = {each: value for each, value in line.items() if each not in ("salt", "erased")}
    for own in ("actor", "object"):
        bare[own] = ERASED if line.get(own) == name else line.get(own)
    bare["actor_id"] = None if line.get("actor_id") == user_id else line.get("actor_id")
    bare["address"] = ""
    if "about" in line:
        bare["about"] = [number for number in line["about"] if number != user_id]
    details = line.get("details") or {}
    bare["details"] = {own: ERASED if value == name else value for own, value in details.items()}
    if "chain" in line:
        bare["erased"] = _erased(key, bare)
    return bare


def names(line: Document, user_id: int, name: str) -> bool:
    """Tell whether a line names a person."""
    texts = (line.get("actor"), line.get("object"), *(line.get("details") or {}).values())
    return name in texts or line.get("actor_id") == user_id or user_id in line.get("about", ())


def _mac(key: bytes, *parts: object) -> str:
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return hmac.new(key, text.encode(), sha256).hexdigest()


def _said(line: Mapping[str, Any]) -> str:
    personal = {name: line[name] for name in PERSONAL if name in line}
    return _mac(str(line["salt"]).encode(), personal)


def _chain(key: bytes, line: Mapping[str, Any], before: str) -> str:
    return _mac(key, before, *(line[name] for name in ("time", "action", "outcome", "number", "said")))


def _erased(key: bytes, line: Mapping[str, Any]) -> str:
    return _mac(key, {name: value for name, value in line.items() if name != "erased"})


# --- the end of the chain


def read_head(folder: Path) -> Link | None:
    """Return where the chain ended when the last line was written whole."""
    try:
        return Link(**json.loads((folder / HEAD).read_text(encoding="ascii")))
    except (OSError, ValueError, TypeError):
        return None


def write_head(folder: Path, head: Link) -> None:
    with written_whole(folder / HEAD) as draft:
        draft.write_text(json.dumps(vars(head)), encoding="ascii")


def end_of(folder: Path, newest: Path | None) -> Link:
    """Return where the chain ends, also where a writer died before it could say so."""
    head = read_head(folder) or Link()
    if newest is None:
        return head
    size = newest.stat().st_size
    if (newest.name, size) == (head.file, head.size):
        return head
    with newest.open("rb") as file:
        file.seek(max(0, size - TAIL_BYTES))
        for text in reversed(file.read().split(b"\n")):
            line = parsed(text)
            if line is not None and line.get("number", 0) > head.number and "chain" in line:
                return Link(line["number"], line["chain"], newest.name, size)
    return head


# --- looking at all of it


def verify(key: bytes, files: Iterable[Path], head: Link | None, read: Read = parsed) -> Verdict:
    """Look at each line of the log, the oldest first, for one that is not as it was written.

    Parameters
    ----------
    read : returns a line's document, opened if it was sealed; None where it cannot be read.
    """
    files = list(files)
    anchors = {a["details"].get("up_to"): a["details"].get("chain") for a in _anchors(files, read)}
    verdict, last = Verdict(), None  # type: tuple[Verdict, Document | None]
    place = ("", 0)
    for path in files:
        with path.open("rb") as file:
            for number, text in enumerate(file, start=1):
                place = path.name, number
                last = _look_at(key, text, read, last, anchors, verdict, place)
    if last is not None:
        verdict.number, verdict.chain = last["number"], last["chain"]
    if head is None and last is not None:
        verdict.add(HEAD, 1, "it is missing, so that nobody knows how many lines there were")
    if head is not None and head.number > verdict.number:
        missing = head.number - verdict.number
        verdict.add(*place, f"after it, {missing} {'line is' if missing == 1 else 'lines are'} missing at the end")
    return verdict


def _look_at(
    key: bytes,
    text: bytes,
    read: Read,
    last: Document | None,
    anchors: Mapping[object, object],
    verdict: Verdict,
    place: tuple[str, int],
) -> Document | None:
    """Look at one line; return the last line of the chain."""
    if not text.strip():
        return last
    line = read(text)
    if line is None or not {"time", "action", "outcome", "details"} <= line.keys():
        verdict.add(*place, "it cannot be read")
        return last
    if not {"number", "chain", "said"} <= line.keys():
        if last is None:
            verdict.before += 1
        else:
            verdict.add(*place, "it is not of the chain")
        return last
    verdict.lines += 1
    number, before = line["number"], last["chain"] if last else None
    if last is None:
        before = START if number == 1 else anchors.get(number - 1)
        if before is None:
            verdict.add(*place, "the lines before it are missing, and no line says that they were deleted")
    elif number != last["number"] + 1:
        verdict.add(*place, f"line {number} of the chain follows line {last['number']}")
        return line
    if not _holds(key, line) or (before is not None and line["chain"] != _chain(key, line, str(before))):
        verdict.add(*place, "it was changed, or another one stood before it")
    return line


def _holds(key: bytes, line: Document) -> bool:
    if "erased" in line:
        return hmac.compare_digest(str(line["erased"]), _erased(key, line))
    return "salt" in line and hmac.compare_digest(str(line["said"]), _said(line))


def _anchors(files: Iterable[Path], read: Read) -> Iterator[Document]:
    mark = f'"action":"{ANCHOR}"'.encode()
    for path in files:
        with path.open("rb") as file:
            for text in file:
                if mark in text and (line := read(text)) is not None and isinstance(line.get("details"), dict):
                    yield line
