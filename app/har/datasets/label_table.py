"""A separate table of who did what when: recording, start, end, label, subject; of these what there is."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import PurePosixPath

from app.har.errors import UnreadableData, quote
from app.har.recordings.date_times import date_time_seconds
from app.har.recordings.files import Member
from app.har.recordings.layout import Layout
from app.har.recordings.tables import Source, open_table

HEADINGS: Mapping[str, str] = {
    "recording": r"recording|recording_id|file|file_?name|path",
    "start": r"start|start_s|start_time|begin|from|onset",
    "end": r"end|end_s|end_time|stop|to|offset",
    "label": r"label|activity|class|annotation",
    "subject": r"subject|subject_id|user|participant|person",
}
EXPECTED = "a header with recording and label or subject, and start and end where labels change within a recording"
NUMBER = re.compile(r"[-+]?\d+([.,]\d*)?([eE][-+]?\d+)?")
MAX_BYTES = 64 * 2**20


@dataclass(frozen=True)
class Row:
    """One line: that a recording, or a stretch of it, is of a label and a subject."""

    line: int = field(compare=False)
    label: str
    subject: str
    start: float | None  # in seconds, or in the file's own unit of time; None: the whole recording
    end: float | None
    dated: bool = False  # start and end were dates or times as text: in seconds


def headings(layout: Layout) -> dict[str, int]:
    """Return the columns that a table of labels has, by what they hold."""
    found: dict[str, int] = {}
    for index, name in enumerate(layout.header or ()):
        for key, pattern in HEADINGS.items():
            if re.fullmatch(pattern, name.strip().strip('"').lower().replace(" ", "_")):
                found.setdefault(key, index)
    return found


def is_label_table(layout: Layout) -> bool:
    """Tell whether a file looks like such a table."""
    found = headings(layout)
    return "recording" in found and bool({"label", "subject"} & set(found))


def read_label_table(member: Member, recordings: Iterable[str]) -> dict[str, list[Row]]:
    """Read the rows by recording, in order of time.

    Parameters
    ----------
    recordings : the names that there are; a row may leave out folders and suffix where that is clear. One that names a
        folder is of all files in it.

    Raises
    ------
    UnreadableData : no such table, an unknown recording, an interval that is none or overlaps another; with the line.
    """
    if member.size > MAX_BYTES:
        raise UnreadableData(
            f"{member.name}: expected a table of labels of at most {MAX_BYTES:,} bytes, found {member.size:,}."
        )
    source = open_table(member)
    columns = headings(source.layout)
    if not is_label_table(source.layout) or ("start" in columns) != ("end" in columns):
        raise UnreadableData(f"{member.name}: expected {EXPECTED}; found {source.layout.describe()}.")
    recordings = list(recordings)
    known, folders = _names(recordings), _folders(recordings)
    found: dict[str, list[Row]] = {}
    for line, cells in _lines(source):
        text = {key: cells[index].strip() if index < len(cells) else "" for key, index in columns.items()}
        where = f"{member.name}, line {line}"
        named = _recordings(text["recording"], known, folders, where)
        start, end = (_moment(text.get(key, ""), key, where) for key in ("start", "end"))
        dated = not NUMBER.fullmatch(text.get("start", "0"))
        if (start is None) != (end is None) or (start is not None and end is not None and end <= start):
            times = quote(f"{text['start']!r} and {text['end']!r}")
            raise UnreadableData(f"{where}: expected a start and a later end, found {times}.")
        if "label" in columns and not text["label"] and start is not None:
            raise UnreadableData(f"{where}: expected a label, found nothing.")
        row = Row(line, text.get("label", ""), text.get("subject", ""), start, end, dated)
        for recording in named:
            found.setdefault(recording, []).append(row)
    return {recording: _in_order(rows, member.name, recording) for recording, rows in found.items()}


def _lines(source: Source) -> Iterable[tuple[int, list[str]]]:
    layout = source.layout
    text = source.member.read().decode(layout.encoding, errors="replace").lstrip("\ufeff").replace("\r\n", "\n")
    reader = csv.reader(text.replace("\r", "\n").split("\n"), delimiter=layout.separator)
    try:
        for cells in reader:
            if reader.line_num >= layout.first_data_line and any(cell.strip() for cell in cells):
                yield reader.line_num, cells
    except csv.Error as error:
        raise UnreadableData(f"{source.name}, line {reader.line_num}: is not delimited text ({error}).") from error


def _names(recordings: Iterable[str]) -> dict[str, str | None]:
    """Return recordings by every way to write them; None where that could be several."""
    names: dict[str, str | None] = {}
    for recording in recordings:
        path = PurePosixPath(recording)
        for name in {recording, str(path.with_suffix("")), path.name, path.stem}:
            names[name] = recording if names.get(name, recording) == recording else None
    return names | {recording: recording for recording in recordings}


def _folders(recordings: Iterable[str]) -> dict[str, list[str]]:
    """Return the recordings in each folder, by its path and, where only one has it, by its name."""
    inside: dict[str, list[str]] = {}
    for recording in recordings:
        for folder in PurePosixPath(recording).parents[:-1]:
            inside.setdefault(str(folder), []).append(recording)
    by_name = Counter(PurePosixPath(folder).name for folder in inside)
    names = {PurePosixPath(folder).name: own for folder, own in inside.items()}
    return {name: own for name, own in names.items() if by_name[name] == 1} | inside


def _recordings(
    name: str, known: Mapping[str, str | None], folders: Mapping[str, list[str]], where: str
) -> Sequence[str]:
    name = name.replace("\\", "/").removeprefix("./").rstrip("/")
    recording = known.get(name)
    if recording is not None:
        return [recording]
    if name in folders:
        return folders[name]
    some = ", ".join([text for text, own in known.items() if own == text][:3])
    expected = "a name that only one file has" if name in known else f"one of the recordings, such as {some}"
    raise UnreadableData(f"{where}: expected {expected}, found {quote(repr(name[:100]))}.")


def _moment(text: str, key: str, where: str) -> float | None:
    import polars as pl

    if not text:
        return None
    if NUMBER.fullmatch(text):
        return float(text.replace(",", "."))
    seconds = date_time_seconds(pl.Series([text]))[0]
    if seconds is None:
        raise UnreadableData(
            f"{where}: expected a number or a date and time as the {key}, found {quote(repr(text[:60]))}."
        )
    return float(seconds)


def _in_order(rows: Sequence[Row], table: str, recording: str) -> list[Row]:
    ordered = sorted(rows, key=lambda row: (row.start is not None, row.start or 0.0))
    for before, row in pairwise(ordered):
        if before.end is None or row.start is None:
            raise UnreadableData(
                f"{table}, line {row.line}: expected one line for the whole of {recording}, found two."
            )
        if row.start < before.end:
            raise UnreadableData(
                f"{table}, line {row.line}: expected intervals of {recording} that do not overlap, found one from "
                f"{row.start:g} while line {before.line} lasts to {before.end:g}."
            )
    subjects = {row.subject for row in rows if row.subject}
    if len(subjects) > 1:
        line = next(row.line for row in rows if row.subject and row.subject != rows[0].subject)
        found = quote(", ".join(sorted(subjects)[:5]))
        raise UnreadableData(f"{table}, line {line}: expected one subject for {recording}, found {found}.")
    return ordered
