"""Delimited text in a known layout, parsed.

Parsing is polars' and never fails on a single bad cell: cells that are not what their column should be become null, and
the importer lists the rows.
"""

from __future__ import annotations

import codecs
import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from mmap import MAP_ANONYMOUS, MAP_PRIVATE, mmap
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from app.har.errors import HarError, UnreadableData, quote
from app.har.problems import Problem, ProblemKind
from app.har.recordings.alike import Known
from app.har.recordings.files import HEAD_BYTES, Member, in_memory
from app.har.recordings.layout import THOUSANDS, Layout, sniff

if TYPE_CHECKING:
    import polars as pl

CHUNK_BYTES = 4 * 2**20
PARSED_AT_ONCE = 4  # parts: polars' threads have enough to do while one is planned and another is put in its place
MOVED = 2**18  # numbers at a time
T = TypeVar("T")


@dataclass(frozen=True)
class Source:
    """A file whose layout was recognised as delimited text."""

    member: Member
    layout: Layout

    @property
    def name(self) -> str:
        return self.member.name

    def line(self, row: int) -> int:
        """Return the line number, from 1, of a data row."""
        return self.layout.first_data_line + row


@dataclass(frozen=True)
class Chunk:
    """Consecutive lines of a file."""

    text: bytes
    first_line: int  # lines before it
    heading: bytes = b""  # that was put in front of it


def open_table(member: Member, known: Known | None = None) -> Source:
    """Look at a file's first lines.

    Parameters
    ----------
    known : the headings of files that were looked at before, to which those of a small file are added.

    Raises
    ------
    UnreadableData : empty, binary, or not a table.
    """
    if member.size > HEAD_BYTES:
        return Source(member, sniff(member.head(), member.name, complete=False))
    data = member.read()  # kept, so that a small member of an archive is decompressed once
    return Source(in_memory(member.name, data), (known or Known()).sniff(data, member.name))


def layout_problems(source: Source) -> list[Problem]:
    """Tell of text before a table, and of thousands that were set apart."""
    layout, problems = source.layout, []
    if lead := layout.lead:
        what = "header" if layout.header else "first row"
        where = f"{len(lead)} line{'s' if len(lead) > 1 else ''} before the {what}, which begin {quote(repr(lead[0]))}"
        problems.append(
            Problem(source.name, ProblemKind.TEXT_BEFORE_TABLE, where, f"read from line {layout.table_line} on")
        )
    if layout.thousands:
        detail = "decimal commas, and dots in numbers such as 1.000"
        problems.append(Problem(source.name, ProblemKind.GROUPED_THOUSANDS, detail, "read as 1000"))
    return problems


def chunks(source: Source, size: int = 0, heading: bytes = b"") -> Iterator[Chunk]:
    """Cut a file into parts of UTF-8 text, at line ends outside quotes, so that a day's recording needs no more memory.

    Parameters
    ----------
    size : bytes read at a time; default CHUNK_BYTES.
    heading : a line that is put in front of each part.

    Raises
    ------
    UnreadableData : damaged, or a line longer than that.
    """
    layout, member, size = source.layout, source.member, size or CHUNK_BYTES
    newline = b"\r" if layout.newline == "\r" else b"\n"
    decoder = None
    if layout.encoding not in ("utf-8", "utf-8-sig"):
        decoder = codecs.getincrementaldecoder(layout.encoding)("replace")
    rest, lines = b"", 0
    for data in member.parts(size):
        data = decoder.decode(data).encode() if decoder else data
        data = data if rest or lines else data.removeprefix(codecs.BOM_UTF8)
        cut = _rows_end(rest, data, newline) or (data.rfind(newline) + 1 if len(rest) > size else 0)
        if cut:
            text = b"".join((heading, rest, memoryview(data)[:cut]))
            yield Chunk(_utf8(text), lines, heading)
            lines += _count(text, newline) - _count(heading, newline)
        rest = data[cut:] if cut else rest + data
        if len(rest) > 2 * max(size, HEAD_BYTES):
            raise UnreadableData(
                f"{source.name}, line {lines + 1}: over {len(rest):,} bytes long, expected one row of readings a line."
            )
    if rest.strip():
        yield Chunk(_utf8(heading + rest), lines, heading)


def _utf8(text: bytes) -> bytes:
    """Return text as UTF-8: the head of a file in Latin-1 may have been plain."""
    try:
        if not text.isascii():
            text.decode()
    except UnicodeDecodeError:
        return text.decode(errors="as-latin-1").encode()
    return text


def _as_latin_1(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.object[error.start : error.end].decode("latin-1"), error.end


codecs.register_error("as-latin-1", _as_latin_1)


def _rows_end(rest: bytes, data: bytes, newline: bytes) -> int:
    """Return where, in what was read after a rest, the last whole row ends; a line end inside quotes ends none.

    A single quote is a fault: its other half is not waited for for long.
    """
    end = data.rfind(newline) + 1
    if b'"' not in rest and b'"' not in data:  # found in a tenth of the time that counting takes
        return end
    quotes = rest.count(b'"') + data.count(b'"', 0, end)
    while end and quotes % 2:
        before = data.rfind(newline, 0, max(data.rfind(b'"', 0, end), 0)) + 1
        quotes -= data.count(b'"', before, end)
        end = before
    return end


def _count(text: bytes, newline: bytes) -> int:
    """Count the line ends; where there are many, `bytes.count` takes several times as long."""
    return int(np.count_nonzero(np.frombuffer(text, np.uint8) == newline[0]))


def parse(
    source: Source, schema: Mapping[str, Any], keep: Sequence[str] = (), together: Sequence[Sequence[str]] = ()
) -> pl.DataFrame:
    """Parse delimited text into the columns of a schema, in file order; what does not fit becomes null.

    Parameters
    ----------
    schema : polars type by column name, one for each column of the file.
    keep : the columns wanted; default all.
    together : columns of one type of number that are wanted as one array, which need not be copied then.
    """
    import polars as pl

    keep = list(keep or schema)
    found = chunks(source, heading=_numbered(source, len(schema)))
    parts = _parsed_ahead(lambda chunk: (parse_chunk(source, schema, chunk), len(chunk.text)), found)
    first = next(parts, None)
    if first is None:
        return pl.DataFrame(schema=dict(schema)).select(keep)
    frame, size = first
    if (second := next(parts, None)) is None:
        return pl.DataFrame([frame[name] for name in keep]).rechunk()
    rows = 1 + int(1.02 * len(frame) * source.member.size / size)  # as many to a byte as in the first part
    grouped = {name for names in together for name in names}
    groups = [
        _Columns(names, schema[names[0]], rows) for names in (*together, *([n] for n in keep if n not in grouped))
    ]
    for frame, _ in chain([first, second], parts):
        for group in groups:
            group.add(frame)
    columns = {column.name: column for group in groups for column in group.finish()}
    return pl.DataFrame([columns[name] for name in keep])


class _Columns:
    """Columns of one type, put together from the parts of a file; numbers in one array, so that none is there twice.

    Memory that is asked for and not yet written to takes no room.
    """

    def __init__(self, names: Sequence[str], dtype: Any, rows: int) -> None:
        import polars as pl

        self._names, self._rows, self._filled = list(names), rows, 0
        number = {pl.Float32: np.float32, pl.Float64: np.float64}.get(dtype)
        self._numbers = None if number is None else _untouched(len(names), rows, number)
        self._parts: list[pl.DataFrame] = []  # in place of the array, where a cell is empty or no number

    def add(self, part: pl.DataFrame) -> None:
        """Take the next rows of these columns."""
        own = [part[name] for name in self._names]
        if self._numbers is None or any(column.null_count() for column in own):
            self._to_parts()
            self._parts.append(part.select(self._names))
            return
        end = self._filled + len(part)
        if end > self._rows:
            self._rows = max(end, self._rows * 5 // 4)
            grown = _untouched(len(own), self._rows, self._numbers.dtype)
            grown[:, : self._filled] = self._numbers[:, : self._filled]
            self._numbers = grown
        for row, column in zip(self._numbers, own, strict=True):
            row[self._filled : end] = column.to_numpy()
        self._filled = end

    def finish(self) -> list[pl.Series]:
        """Return the columns, each in one piece."""
        import polars as pl

        self._to_parts()
        if len(self._parts) == 1:
            return self._parts[0].rechunk().get_columns()
        # A column after the other, so that no more than one is in memory twice
        return [pl.concat([part.drop_in_place(name) for part in self._parts], rechunk=True) for name in self._names]

    def _to_parts(self) -> None:
        """Make the array a part, its columns one behind the other: as such polars takes it and gives it uncopied."""
        import polars as pl

        if self._numbers is None:
            return
        flat, n, self._numbers = self._numbers.reshape(-1), self._filled, None
        for place in range(1, len(self._names)):
            for first in range(0, n, MOVED):
                last, before = min(first + MOVED, n), place * self._rows
                flat[place * n + first : place * n + last] = flat[before + first : before + last]
        columns = flat[: len(self._names) * n].reshape(len(self._names), n)
        self._parts.append(pl.DataFrame(dict(zip(self._names, columns, strict=True))))


def _untouched(n_columns: int, rows: int, dtype: DTypeLike) -> NDArray[Any]:
    """Return an array in memory of its own, in small pages: to find room for large ones may take as long as parsing."""
    size = n_columns * rows * np.dtype(dtype).itemsize
    numbers: NDArray[Any] = np.frombuffer(mmap(-1, size, flags=MAP_PRIVATE | MAP_ANONYMOUS), dtype)
    return numbers.reshape(n_columns, rows)


def parsed_together(
    sources: Sequence[Source], parse_one: Callable[[Source], pl.DataFrame]
) -> Callable[[Source], pl.DataFrame]:
    """Return what parses any of some files; small ones of numbers under one heading are parsed as one text.

    Parameters
    ----------
    parse_one : parses a file; its rows depend on nothing but its heading and their own lines.
    """
    batch_of = {id(source): batch for batch in _batches(sources) for source in batch}
    parsed: dict[int, pl.DataFrame] = {}

    def parse_next(source: Source) -> pl.DataFrame:
        if batch := batch_of.get(id(source)):
            for own in batch:
                del batch_of[id(own)]
            with suppress(HarError):  # then each for itself, so that the faulty one is named
                parsed.update(_parsed_as_one(batch, parse_one))
        frame = parsed.pop(id(source), None)
        return parse_one(source) if frame is None else frame

    return parse_next


def _batches(sources: Sequence[Source]) -> Iterator[list[Source]]:
    """Yield small files of numbers under one heading, as many together as are parsed at a time."""
    batch: list[Source] = []
    for source in (source for source in sources if source.layout.plain):
        size = sum(own.member.size for own in batch) + source.member.size
        if batch and (size > CHUNK_BYTES or source.layout.header != batch[0].layout.header):
            yield batch
            batch = []
        batch.append(source)
    yield batch


def _parsed_as_one(batch: Sequence[Source], parse_one: Callable[[Source], pl.DataFrame]) -> dict[int, pl.DataFrame]:
    """Parse files as one; return the rows of each by its id, nothing where a row does not come from one line."""
    parts = [source.member.read().partition(b"\n") for source in batch]
    rows = [text if text.endswith(b"\n") else text + b"\n" for _, _, text in parts]
    counts = [text.count(b"\n") for text in rows]
    text = b"".join([parts[0][0], b"\n", *rows])
    frame = parse_one(replace(batch[0], member=in_memory(batch[0].name, text)))
    ends = np.cumsum(counts).tolist()
    if len(frame) != ends[-1]:
        return {}
    return {id(own): frame.slice(end - n, n) for own, end, n in zip(batch, ends, counts, strict=True)}


def _parsed_ahead(work: Callable[[Chunk], T], found: Iterator[Chunk]) -> Iterator[T]:
    """Parse some parts of a file while the next is read; one that is all there is needs no second thread."""
    first = next(found, None)
    if first is None:
        return
    second = next(found, None)
    if second is None:
        yield work(first)
        return
    with ThreadPoolExecutor(PARSED_AT_ONCE) as pool:
        pending: deque[Future[T]] = deque()
        for chunk in chain([first, second], found):
            pending.append(
                pool.submit(copy_context().run, work, chunk)
            )  # so that messages quote there what they do here
            if len(pending) > PARSED_AT_ONCE:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


def parse_chunk(source: Source, schema: Mapping[str, Any], chunk: Chunk) -> pl.DataFrame:
    """Parse a part of a file, as `parse` does the whole."""
    import polars as pl

    layout, raw = source.layout, chunk.text
    nul = raw.find(0)
    if nul >= 0 and not layout.encoding.startswith("utf-16"):
        line = chunk.first_line + raw.count(b"\n", len(chunk.heading), nul) + 1
        raise UnreadableData(f"{source.name}, line {line}: holds NUL bytes, expected CSV text; the file is damaged.")
    raw = _plain(raw, layout)
    separator = layout.separator.encode()
    if separator != b" " and not layout.plain and any(cell[:1] == " " for row in layout.rows for cell in row):
        # Spaces before a separator from the first of them on: else a run of them would cost the square of its length
        raw = re.sub(b"(?:(?<! ) +)?" + re.escape(separator) + b" *", separator, raw)
    start = _line_start(raw, layout, chunk)
    if start or not chunk.heading:
        raw = _numbered(source, len(schema)) + raw[start:]
    read = partial(
        pl.read_csv,
        raw,
        schema={str(i): dtype for i, dtype in enumerate(schema.values())},
        separator=layout.separator,
        decimal_comma=layout.decimal_comma,
        # in columns of numbers these are errors, which become null below
        null_values=["null", "NULL", "None", "NA"] if {pl.String, pl.Categorical} & {*schema.values()} else None,
        raise_if_empty=False,
    )
    failures = (pl.exceptions.PolarsError, pl.exceptions.PanicException)  # it panics at a quote that stays open
    try:
        try:
            frame = read()
        except failures:  # a third slower, so only where something is wrong
            frame = read(ignore_errors=True, truncate_ragged_lines=True)
    except failures as error:
        raise UnreadableData(
            f"{source.name}: cannot be parsed as CSV ({quote(str(error).splitlines()[0])})."
        ) from error
    frame.columns = list(schema)
    return frame


def _numbered(source: Source, width: int) -> bytes:
    """Return headings of our own: else the first row of a part, which may be damaged, would tell how many columns."""
    return source.layout.separator.encode().join(b"%d" % i for i in range(width)) + b"\n"


def _line_start(text: bytes, layout: Layout, chunk: Chunk) -> int:
    """Return where the first data line of a part begins, 0 where its text begins with it, or with the heading."""
    start = 0
    if chunk.heading and layout.first_data_line - 1 > chunk.first_line:
        start = text.find(b"\n") + 1
    for _ in range(layout.first_data_line - 1 - chunk.first_line):
        start = text.find(b"\n", start) + 1 or len(text)
    return start


def _plain(raw: bytes, layout: Layout) -> bytes:
    """Return a row a line, one separator between cells."""
    if layout.newline == "\r":
        raw = raw.replace(b"\r", b"\n")
    if layout.terminator:
        raw = re.sub(rb";[;\s]*", b"\n", raw)  # two rows on one line are among the faults of such files
    if layout.thousands:
        raw = THOUSANDS.sub(lambda number: number[0].replace(b".", b""), raw)
    if layout.aligned:
        raw = re.sub(rb"(?m)^ +| +(?=\r?$)", b"", re.sub(rb" {2,}", b" ", raw))
    return raw


def columns(source: Source, wanted: Mapping[str, tuple[int, Any]]) -> pl.DataFrame:
    """Parse some columns of a file.

    Parameters
    ----------
    wanted : position in the file and polars type by the name that the column gets.
    """
    import polars as pl

    width = source.layout.n_columns
    if missing := [name for name, (index, _) in wanted.items() if index >= width]:
        raise UnreadableData(f"{source.name}: has {width} column(s), none for {', '.join(missing)}.")
    place = {index: (name, dtype) for name, (index, dtype) in wanted.items()}
    schema = dict(place.get(i, (f"unused {i}", pl.String)) for i in range(width))
    return parse(source, schema, list(wanted))


def text_at(source: Source, row: int) -> str:
    """Return a data row's text, shortened, for a message."""
    index = source.line(row) - 1
    for chunk in chunks(source):
        lines = _plain(chunk.text, source.layout).removesuffix(b"\n").split(b"\n")
        if index < len(lines):
            return lines[index].decode(errors="replace").strip()[:80]
        index -= len(lines)
    return ""


def renamed(source: Source, name: str) -> Source:
    """Return the same file under another name."""
    return replace(source, member=replace(source.member, name=name))
