"""Files that are not delimited text, but hold tables: workbooks, matrices and JSON, turned into CSV in memory."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
import zipfile
from array import array
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from tempfile import TemporaryFile
from typing import Any

from app.har.errors import HarError, UnreadableData, quote
from app.har.recordings import workbook_child
from app.har.recordings.alike import Known
from app.har.recordings.device_files import refuse_devices
from app.har.recordings.devices.registry import DeviceReader, reader_of, require_beginning
from app.har.recordings.files import HEAD_BYTES, WORKBOOK, Member, in_memory, is_document, shown
from app.har.recordings.hourly_files import join_hours
from app.har.recordings.importers import importer_of
from app.har.recordings.long_tables import as_wide
from app.har.recordings.matrices import holds_matrices, tables_of_matrices
from app.har.recordings.packed_cells import as_plain
from app.har.recordings.tables import Source, open_table

MAX_TABLES = 2_000  # of an upload
MAX_SENSORS = 100  # in a file of JSON
MAX_JSON_BYTES = 512 * 2**20
MAX_WORKBOOK_BYTES = 64 * 2**20
WORKBOOK_TIMEOUT_S = 60
WORKBOOK_OLD = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
ARCHIVE = b"PK\x03\x04"
DECODER = json.JSONDecoder()
BETWEEN_OBJECTS = re.compile(r"[\s,\[\]]*")
OBJECT_LETTERS = (4096, 65_536)  # a reading has some 150 letters
JSON_NUMBERS = (
    "seconds_elapsed", "x", "y", "z", "bpm",
    *(f"{name}{axis}" for name in ("rotationRate", "gravity", "acceleration") for axis in "XYZ"),
)  # fmt: skip
JSON_TEXT = "text"  # of a person's marks
MARKS = re.compile(r"annotations?\b.*", re.I)
MAX_EMPTY = 1024  # bytes of a file that may hold headings alone


def tables_in(member: Member) -> list[Member] | None:
    """Return the tables in a file that is not delimited text, None for one that may be.

    Raises
    ------
    UnreadableData : it is a workbook, JSON, or another device's file, and cannot be read; the message says what to do.
    """
    head = member.head(4096)
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if head.startswith(WORKBOOK_OLD) or (head.startswith(ARCHIVE) and _is_workbook(member)):
        return list(_sheets(member))
    if holds_matrices(head):
        return tables_of_matrices(member)
    refuse_devices(member.name, head)
    if start[:1] == b"[" or re.match(rb'\{\s*"', start):
        return _json_tables(member)
    return None


def sources_in(member: Member, known: Known | None = None) -> list[Source]:
    """Return the tables of a file: itself where it is delimited text, else those that it holds.

    Parameters
    ----------
    known : the headings of files that were looked at before.

    Raises
    ------
    UnreadableData : there is none.
    """
    tables = tables_in(member)
    return [open_source(table, known) for table in ([member] if tables is None else tables)]


def open_source(member: Member, known: Known | None = None) -> Source:
    """Look at a table's first lines; one in no known layout gets a column for each axis, and sensor, of its rows."""
    source = open_table(member, known)
    if importer_of(source.layout) is not None:
        return source
    plain = as_plain(source) or source
    return as_wide(plain) or plain


@dataclass(frozen=True)
class Tables:
    """The tables in some files, which were opened and looked at once, and the files that hold none."""

    sources: tuple[Source, ...]
    unread: tuple[tuple[str, HarError], ...]  # what is wrong with a file, by its name
    n_files: int
    devices: tuple[tuple[DeviceReader, Member], ...] = ()  # files as research devices write them

    @property
    def name(self) -> str:
        """A file that stands for all, for messages."""
        names = [source.name for source in self.sources] or [name for name, _ in self.unread]
        return names[0] if names else "the upload"


def open_tables(members: Sequence[Member]) -> Tables:
    """Open the tables in the files of an upload; documents among several files are passed over."""
    sources: list[Source] = []
    devices: list[tuple[DeviceReader, Member]] = []
    unread: list[tuple[str, HarError]] = []
    known = Known()
    for member in members:
        if len(members) > 1 and (is_document(member.name) or _is_without_marks(member)):
            continue
        try:
            member = _unpacked(member)
            if reader := reader_of(member):
                devices.append((reader, member))
            else:
                require_beginning(member)
                sources.extend(sources_in(member, known))
        except HarError as error:
            unread.append((member.name, error))
        if len(sources) > MAX_TABLES:
            raise UnreadableData(
                f"{member.name}: with this file there are more than {MAX_TABLES:,} tables, which are the most that are "
                "read at once. Upload fewer at a time; of many recordings an administrator can make a data set."
            )
    return Tables(tuple(join_hours(sources)), tuple(unread), len(members), tuple(devices))


def _unpacked(member: Member) -> Member:
    """Return a small file with its content, so that a member of an archive is decompressed once."""
    if member.size > HEAD_BYTES:
        return member
    with suppress(HarError):  # what is wrong with it is told by whoever reads it
        return in_memory(member.name, member.read())
    return member


def _is_without_marks(member: Member) -> bool:
    """Tell whether a file of a person's marks holds none; apps write it all the same."""
    if member.size > MAX_EMPTY or not MARKS.fullmatch(PurePosixPath(member.name).stem):
        return False
    return sum(bool(line.strip()) for line in member.read().splitlines()) < 2


def _is_workbook(member: Member) -> bool:
    try:
        with zipfile.ZipFile(io.BytesIO(member.read() if member.size <= MAX_WORKBOOK_BYTES else b"")) as archive:
            return WORKBOOK in archive.namelist()
    except zipfile.BadZipFile:
        return False


def _sheets(member: Member) -> Iterator[Member]:
    """Yield the sheets of an Excel workbook, old (.xls) or new (.xlsx), as CSV; read in a process of its own."""
    if member.size > MAX_WORKBOOK_BYTES:
        raise UnreadableData(
            f"{member.name}: is a workbook of {member.size:,} bytes; at most {MAX_WORKBOOK_BYTES:,} are read. "
            "Export CSV instead."
        )
    command = [sys.executable, str(Path(workbook_child.__file__))]
    with TemporaryFile() as answer:  # the child limits its size
        try:
            subprocess.run(
                command,
                input=member.read(),
                stdout=answer,
                stderr=subprocess.DEVNULL,
                timeout=WORKBOOK_TIMEOUT_S,
                check=True,
            )
        except subprocess.SubprocessError as error:
            raise UnreadableData(
                f"{member.name}: is a spreadsheet that cannot be read; it is damaged or asks for too much memory or "
                "time. Export CSV instead."
            ) from error
        answer.seek(0)
        sheets: dict[str, str] = json.load(answer)
    for name, text in sheets.items():
        if "," in text.partition("\n")[0]:
            yield in_memory(f"{member.name}/{shown(name)}", text.encode())


@dataclass
class _Sensor:
    """What was read of one sensor: time in whole ns, and numbers by name."""

    time: array[int] = field(default_factory=lambda: array("q"))
    numbers: dict[str, array[float]] = field(default_factory=lambda: {name: array("d") for name in JSON_NUMBERS})
    text: list[str] = field(default_factory=list)  # empty where it holds none


def _json_tables(member: Member) -> list[Member]:
    """Return the sensors of a JSON export of Sensor Logger, a list of objects, one at a time."""
    if member.size > MAX_JSON_BYTES:
        raise UnreadableData(
            f"{member.name}: is JSON of {member.size:,} bytes; at most {MAX_JSON_BYTES:,} are read. Export CSV instead."
        )
    sensors: dict[str, _Sensor] = {}
    metadata: dict[str, str] = {}
    for number, item in enumerate(_objects(member)):
        sensor = item.get("sensor")
        if not isinstance(sensor, str):
            raise UnreadableData(
                f'{member.name}: entry {number + 1} has no "sensor"; expected Sensor Logger\'s JSON, a list of '
                'objects with "sensor", "time", "seconds_elapsed", "x", "y", "z".'
            )
        if sensor.lower() == "metadata":
            metadata = {shown(k): shown(str(v)) for k, v in item.items() if isinstance(v, str | int | float)}
        else:
            _add(sensors.setdefault(shown(sensor), _Sensor()), item)
            if len(sensors) > MAX_SENSORS:
                raise UnreadableData(f"{member.name}: holds more than {MAX_SENSORS} sensors; at most these are read.")
    tables = [in_memory(f"{member.name}/{name}.csv", _as_csv(own)) for name, own in sensors.items()]
    if metadata:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([metadata.keys(), metadata.values()])
        tables.append(in_memory(f"{member.name}/Metadata.csv", text.getvalue().encode()))
    if not tables:
        raise UnreadableData(f"{member.name}: is JSON without readings; expected Sensor Logger's list of objects.")
    return tables


def _objects(member: Member) -> Iterator[dict[str, Any]]:
    """Yield the objects of a list, or of lists in a list as older versions wrote them, each parsed by itself."""
    text = member.read().decode("utf-8-sig", errors="replace")
    place = BETWEEN_OBJECTS.match(text).end()  # type: ignore[union-attr]
    while place < len(text):
        item, length = _object_at(text, place)
        if item is None:
            line = text.count("\n", 0, place) + 1
            raise UnreadableData(
                f"{member.name}, line {line}: expected Sensor Logger's JSON, a list of objects; found "
                f"{quote(repr(text[place : place + 60]))}."
            )
        yield item
        place = BETWEEN_OBJECTS.match(text, place + length).end()  # type: ignore[union-attr]


def _object_at(text: str, place: int) -> tuple[dict[str, Any] | None, int]:
    """Parse one small object; None where there is none, or it is damaged, too large or too deep."""
    for letters in OBJECT_LETTERS:
        try:
            item, length = DECODER.raw_decode(text[place : place + letters])
        except (ValueError, RecursionError):  # it is no JSON, or a number has more digits than Python reads
            continue
        return (item, length) if isinstance(item, dict) else (None, 0)
    return None, 0


def _add(sensor: _Sensor, item: dict[str, Any]) -> None:
    try:
        time = int(item.get("time", ""))
    except (TypeError, ValueError, OverflowError):
        time = -1
    sensor.time.append(time if -(2**63) <= time < 2**63 else -1)
    if isinstance(text := item.get(JSON_TEXT), str):
        sensor.text += [""] * (len(sensor.time) - 1 - len(sensor.text)) + [text]
    for name, column in sensor.numbers.items():
        try:
            column.append(float(item.get(name, "nan")))
        except (TypeError, ValueError, OverflowError):
            column.append(float("nan"))


def _as_csv(sensor: _Sensor) -> bytes:
    import polars as pl

    time = pl.Series("time", sensor.time)
    numbers = {name: pl.Series(column) for name, column in sensor.numbers.items()}
    held = {name: column for name, column in numbers.items() if column.is_not_nan().any()}
    texts = sensor.text + [""] * (len(time) - len(sensor.text))
    held |= {JSON_TEXT: pl.Series(texts)} if sensor.text else {}
    return pl.DataFrame({"time": time.set(time < 0, None)} | held).write_csv().encode()
