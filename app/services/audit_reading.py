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
from app.services.audit_lines import Sealing
from app.services.paging import Page, page_of

LOOKED_THROUGH = 768 * 2**20  # bytes for one page, the newest first: more than a million lines
CHUNK_BYTES = 2**20
Marks = tuple[tuple[bytes, ...], ...]
COLUMNS = ("time", "action", "outcome", "actor", "actor_id", "address", "object", "details")


@dataclass(frozen=True)
class AuditQuery:
    """What is looked for: everything that is empty counts as any."""

    action: str = ""
    actor: str = ""
    first: date | None = None  # in UTC, as the log is
    last: date | None = None

    def marks(self, form: Sealing) -> Marks:
        """Return of what every line that fits has something in it, in this order."""
        action = (f'"action":{json.dumps(self.action)},'.encode("ascii"),) if self.action else None
        return tuple(filter(None, (action, form.marks_of(self.actor) if self.actor else None)))

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
    form = audit.sealing()
    marks = query.marks(form)
    counts = [_count(path, marks) for path in files]

    def fetch(start: int, stop: int) -> Sequence[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        before = 0
        for path, count in zip(files, counts, strict=True):
            low, high = max(start - before, 0), min(stop - before, count)  # counted from the newest of this file
            if low < high:
                lines = islice(_lines(path, marks), count - high, count - low)
                found += [_read(form.opened(line)) for line in lines][::-1]
            before += count
        return found

    return page_of(sum(counts), number, size, fetch), len(files) < len(all_files)


def _count(path: Path, marks: Marks) -> int:
    found = _pattern(marks)
    with path.open("rb") as file:
        whole_lines = iter(lambda: file.read(CHUNK_BYTES) + file.readline(), b"")
        return sum(len(found.findall(chunk)) for chunk in whole_lines)


def _lines(path: Path, marks: Marks) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from filter(_pattern(marks).search, file)


def _pattern(marks: Marks) -> re.Pattern[bytes]:
    """Return what is found once in each line that fits."""
    choices = [b"|".join(map(re.escape, some)) for some in marks]
    return re.compile(rb"[^\n]*".join(b"(?:%b)" % choice for choice in choices) or rb"\n")


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
    form = audit.sealing()
    marks = query.marks(form)
    return map(form.opened, chain.from_iterable(_lines(path, marks) for path in reversed(query.files())))


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
    form = audit.sealing()
    for path in reversed(list(audit.files())):
        with path.open("rb") as file:
            for text in file:
                named = form.named(text)
                if any(mark in named for mark in marks):
                    line = form.read(text)
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
