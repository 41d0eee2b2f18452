"""Everything that is kept of a person, as a zip that is made while it is sent: for reading, and for other programs."""

from __future__ import annotations

import csv
import io
import json
import logging
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from enum import Enum
from html import escape
from pathlib import Path, PurePath
from typing import Any

from flask import current_app
from sqlalchemy import select

from app.extensions import db
from app.har.live import journal
from app.har.texts import cell
from app.services import accounts, audit, audit_reading, sealing
from app.services.audit import Action
from app.services.audit_lines import as_line
from app.services.datasets import exports
from app.services.live.streams import ENDING
from app.services.personal import head_files
from app.services.privacy import belongings
from app.services.recordings import pending, recordings, slot_files
from app.tables import LiveSession, StoredRecording

log = logging.getLogger(__name__)

PART_BYTES = 2**20
FOLDER = "kinelab"
Files = Iterator[tuple[str, Iterable[bytes]]]


def zipped(user_id: int) -> Iterator[bytes]:
    """Yield a zip archive of all that is kept of a person: a bounded part is in memory at a time."""
    user = accounts.get(user_id)
    audit.record(Action.EXPORTED, user.username)
    return exports.zipped(_files(user_id, user.username), FOLDER)


def _files(user_id: int, username: str) -> Files:
    said: dict[str, int] = {}
    for name, kept in belongings.TABLES.items():
        rows = list(_rows(name, user_id))
        said[kept.title] = len(rows)
        yield f"tables/{_file_name(kept.title)}.json", [json.dumps(rows, ensure_ascii=False, indent=1).encode()]
        yield f"tables/{_file_name(kept.title)}.csv", [_as_csv(rows).encode()]
    lines = list(audit_reading.of_person(user_id, username))
    said["lines of the audit log"] = len(lines)
    yield "audit.jsonl", [as_line(line).encode() for line in lines]
    names: list[str] = []
    damaged: set[str] = set()
    for name, content in _kept_files(user_id):
        names.append(name)
        yield name, _as_far(name, content, damaged)
    yield "index.html", [_index(username, said, names, damaged).encode()]


def _as_far(name: str, content: Iterable[bytes], damaged: set[str]) -> Iterator[bytes]:
    """Yield a file as far as it can be read: one that is damaged, or gone meanwhile, keeps nobody from the others."""
    try:
        yield from content
    except OSError as error:
        log.warning("%s is not whole in what is exported: %s", name, error)
        damaged.add(name)


def _rows(name: str, user_id: int) -> Iterator[dict[str, Any]]:
    """Yield the rows of a table that are a person's, without what nobody is shown."""
    table = belongings.table(name)
    hidden = belongings.TABLES[name].hidden
    shown = [column for column in table.columns if column.name not in hidden]
    for row in db.session.execute(select(*shown).where(belongings.theirs(name, user_id)).order_by(*table.primary_key)):
        yield {column.name: _plain(_open(column.name, value, hidden)) for column, value in zip(shown, row, strict=True)}


def _open(column: str, value: Any, hidden: Sequence[str]) -> Any:
    """Return a value without the parts of it that nobody is shown."""
    if not isinstance(value, dict):
        return value
    return {part: each for part, each in value.items() if f"{column}.{part}" not in hidden}


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    return value.isoformat() if isinstance(value, datetime) else value


def _as_csv(rows: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    table = csv.writer(text)
    for number, row in enumerate(rows):
        if not number:
            table.writerow(row)
        table.writerow([cell(json.dumps(v) if isinstance(v, (dict, list)) else v) for v in row.values()])
    return text.getvalue()


def _kept_files(user_id: int) -> Files:
    """Yield the files: recordings as they were uploaded and what was recognised, journals, waiting uploads, models."""
    uploads = Path(current_app.config["UPLOADS"])
    own = select(StoredRecording.id).filter_by(user_id=user_id).order_by(StoredRecording.id)
    for number in db.session.scalars(own).all():  # one at a time: there may be thousands
        recording = db.session.get_one(StoredRecording, number)
        folder = f"recordings/{number}"
        if (source := recordings.uploaded_file(recording)).is_file():
            yield f"{folder}/{_file_name(recording.filename)}", _parts(source)
        if (slots := recordings.folder_of(recording) / slot_files.FILE).is_file():
            yield f"{folder}/{slots.name}", _parts(slots)
        for prediction in recording.predictions:
            yield from _results(f"{folder}/result-{prediction.id}", recordings.result_file(prediction))
        db.session.expunge(recording)
    for row in db.session.scalars(select(LiveSession).filter_by(user_id=user_id)).all():
        for path in _in(uploads / row.folder):
            is_journal = path.suffix == ENDING
            parts = journal.plain_records(path, sealing.opened_bytes) if is_journal else _parts(path)
            yield f"live sessions/{row.id}/{path.name}", parts
    for upload in pending.list_kept(user_id):
        yield f"waiting/{upload.token[:8]}-{_file_name(upload.filename)}", _parts(upload.source)
    for path in _in(head_files.folder_of(user_id)):
        yield f"personal models/{path.name}", _parts(path)


def _results(name: str, path: Path) -> Files:
    from datetime import timezone

    from app.services.recordings import result_tables
    from app.services.recordings.result_files import DAMAGED, load_result

    try:
        result = load_result(path)
    except DAMAGED:
        if path.is_file():
            yield f"{name}.npz", _parts(path)
        return
    yield f"{name}.csv", (text.encode() for text in result_tables.windows_csv(result, timezone.utc))
    yield f"{name}.json", [json.dumps(result_tables.document(result), default=str).encode()]


def _in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*") if path.is_file())


def _parts(path: Path) -> Iterator[bytes]:
    with sealing.opened(path) as file:
        yield from iter(lambda: file.read(PART_BYTES), b"")


def _file_name(text: str) -> str:
    """Return a name that no program takes for a path."""
    name = "".join(c if c.isalnum() or c in " .-_()+" else "_" for c in PurePath(text.replace("\\", "/")).name)
    return name.strip(" .")[-120:] or "file"


def _index(username: str, said: dict[str, int], names: list[str], damaged: set[str]) -> str:
    def link(name: str) -> str:
        return f'<a href="{escape(name.replace("%", "%25"), quote=True)}">{escape(name)}</a>'

    tables = "".join(
        f"<tr><th scope=row>{escape(title)}</th><td>{number}</td><td>{_link_of(title, link)}</td></tr>"
        for title, number in said.items()
    )
    lack = " (damaged: as far as it can be read)"
    files = "".join(f"<li>{link(name)}{lack if name in damaged else ''}</li>" for name in names)
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<title>Kinelab: everything about {escape(username)}</title>"
        "<style>body{font:1rem/1.5 system-ui;max-width:50rem;margin:2rem auto;padding:0 1rem}"
        "th{text-align:left;padding-right:2rem}</style>"
        f"<h1>Everything about {escape(username)}</h1>"
        "<p>Each table is there twice, as CSV for spreadsheets and as JSON for programs. Times are in UTC. Passwords, "
        "keys and tokens are left out; they are kept as hashes only. Recordings are as they were uploaded.</p>"
        f"<h2>Tables</h2><table><thead><tr><th>What</th><th>Rows</th><th>Files</th></tr></thead>{tables}</table>"
        f"<h2>Files</h2><ul>{files or '<li>none</li>'}</ul></html>"
    )


def _link_of(title: str, link: Any) -> str:
    if title == "lines of the audit log":
        return str(link("audit.jsonl"))
    return " ".join(link(f"tables/{_file_name(title)}.{kind}") for kind in ("csv", "json"))
