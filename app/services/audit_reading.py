"""Reading the audit log: a page of it at a time, or all of it as a file. Memory does not grow with the log."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import accumulate, chain, islice
from pathlib import Path
from typing import Any

from app.har.texts import cell
from app.services import audit, audit_chain
from app.services.paging import Page, page_of

LOOKED_THROUGH = 512 * 2**20  # bytes for one page, the newest first: two million lines
CHUNK_BYTES = 2**20
COLUMNS = ("time", "action", "outcome", "actor", "actor_id", "address", "object", "details")


@dataclass(frozen=True)
class AuditQuery:
    """What is looked for: everything that is empty counts as any."""

    action: str = ""
    actor: str = ""
    first: date | None = None  # in UTC, as the log is
    last: date | None = None

    @property
    def marks(self) -> tuple[bytes, ...]:
        """What every line that fits has in it; within a value, its quotation marks would be escaped."""
        wanted = {"action": self.action, "actor": self.actor}
        return tuple(f'"{name}":{json.dumps(value)},'.encode("ascii") for name, value in wanted.items() if value)

    def files(self) -> list[Path]:
        """Return the files that may hold such lines, the newest first."""
        return [
            path
            for path, day in audit.files().items()
            if (self.first is None or day >= self.first) and (self.last is None or day <= self.last)
        ]


def find(query: AuditQuery, number: int = 1, size: int = 50) -> tuple[Page[dict[str, Any]], bool]:
    """Return a page of the lines that fit, the newest first, and whether the log is too long to be looked through.

    In that case its older part is left out: days narrow it down.
    """
    all_files = query.files()
    sizes = accumulate(path.stat().st_size for path in all_files)
    files = [
        path for path, size in zip(all_files, sizes, strict=True) if size <= LOOKED_THROUGH or path == all_files[0]
    ]
    counts = [_count(path, query.marks) for path in files]

    def fetch(start: int, stop: int) -> Sequence[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        before = 0
        for path, count in zip(files, counts, strict=True):
            low, high = max(start - before, 0), min(stop - before, count)  # counted from the newest of this file
            if low < high:
                lines = islice(_lines(path, query.marks), count - high, count - low)
                found += [_read(line) for line in lines][::-1]
            before += count
        return found

    return page_of(sum(counts), number, size, fetch), len(files) < len(all_files)


def _count(path: Path, marks: tuple[bytes, ...]) -> int:
    found = re.compile(rb"[^\n]*".join(map(re.escape, marks)) or rb"\n")  # once in a line
    with path.open("rb") as file:
        whole_lines = iter(lambda: file.read(CHUNK_BYTES) + file.readline(), b"")
        return sum(len(found.findall(chunk)) for chunk in whole_lines)


def _lines(path: Path, marks: tuple[bytes, ...]) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from (line for line in file if all(mark in line for mark in marks))


def _read(line: bytes) -> dict[str, Any]:
    """Return a line's document; one that cannot be read, as a full disk may leave, is shown as it is."""
    try:
        document = json.loads(line)
        if isinstance(document, dict) and document.keys() >= set(COLUMNS):
            return document
    except ValueError:
        pass
    return dict.fromkeys(COLUMNS, "") | {"action": "damaged line", "details": {"text": line.decode("ascii", "replace")}}


def as_json_lines(query: AuditQuery) -> Iterator[bytes]:
    """Return the lines that fit, the oldest first."""
    return chain.from_iterable(_lines(path, query.marks) for path in reversed(query.files()))


def as_csv(query: AuditQuery) -> Iterator[str]:
    """Return the same as a table, whose cells no spreadsheet takes for a formula."""
    return _table(as_json_lines(query))


def _table(lines: Iterator[bytes]) -> Iterator[str]:
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(COLUMNS)
    for line in lines:
        document = _read(line)
        document["details"] = json.dumps(document["details"], sort_keys=True)
        table.writerow([cell(document[name]) for name in COLUMNS])
        if text.tell() > CHUNK_BYTES:
            yield text.getvalue()
            text.seek(0)
            text.truncate()
    yield text.getvalue()


def of_person(user_id: int, name: str) -> Iterator[dict[str, Any]]:
    """Yield the lines that name a person, or are of their data, the oldest first."""
    marks = json.dumps(name).encode("ascii"), f'"actor_id":{user_id},'.encode("ascii"), b'"about":['
    for path in reversed(list(audit.files())):
        with path.open("rb") as file:
            for text in file:
                if any(mark in text for mark in marks):
                    line = audit_chain.parsed(text)
                    if line is not None and audit_chain.names(line, user_id, name):
                        yield line


def looks_at(user_id: int, name: str, most: int = 200) -> list[dict[str, Any]]:
    """Return the lines by which others looked at what is of a person, or changed it, the newest first."""
    lines = deque(maxlen=most)  # type: deque[dict[str, Any]]
    for line in of_person(user_id, name):
        by_other = line.get("actor_id") != user_id and line["outcome"] == "done"
        if by_other and (user_id in line.get("about", ()) or (line.get("actor_id") and line["object"] == name)):
            lines.append(line)
    return list(lines)[::-1]
