"""Delimited text: what it looks like (from its first lines) and how it is parsed.

The layout is decided from content: encoding, separator, decimal comma, header. Parsing is polars' and never fails on a
single bad cell: cells that are not what their column should be become null, and the importer lists the rows.
"""

from __future__ import annotations

import codecs
import csv
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from app.har.errors import UnreadableData
from app.har.recordings.files import GZIP, HEAD_BYTES, Member, in_memory, shown
from app.har.types import Problem

if TYPE_CHECKING:
    import polars as pl

NUMBER = re.compile(r"\s*[-+]?(\d+([.,]\d*)?|[.,]\d+)([eE][-+]?\d+)?\s*\Z")
NOT_A_NUMBER = ("nan", "inf", "-inf", "+inf", "infinity", "-infinity")
SEPARATORS = "\t;|,"
SAMPLE_LINES = 50
LEAD_LINES = 100  # of text before the table, at most
SURE_ROWS = 5  # of numbers, as many cells in each: a table begins there
MAX_COLUMNS = 4000
LEAD_LETTERS = 200
COMMENT = "#%/;!"
CHUNK_BYTES = 16 * 2**20
# A cell of a second header line that gives the units of the first
UNIT_CELL = re.compile(
    r"[(\[]?\s*(-|[nmµμu]?s|sec(onds?)?|m\s?[/·*]?\s?s\S*|m?g|rad\S*|(deg|°|dps)\S*|[µμu]T|Hz|%|°?C)\s*[)\]]?", re.I
)
# Separators of thousands, where the comma is the decimal one: nothing else has a dot there
THOUSANDS = re.compile(rb"(?<![\w.,-])-?[1-9]\d{0,2}(?:\.\d{3})+(?=[,;|\s]|\Z)")
CONTROL = bytes(set(range(32)) - set(b"\t\n\r\x0c"))  # never in text


@dataclass(frozen=True)
class Layout:
    """What the first lines of a text tell."""

    encoding: str
    separator: str
    decimal_comma: bool
    header: tuple[str, ...] | None
    n_columns: int
    rows: tuple[tuple[str, ...], ...]  # the first data rows
    first_data_line: int  # counted from 1
    table_line: int  # of the header, or of the first data row
    newline: str
    name: str = ""  # of the file; decides only where the content fits several layouts
    terminator: str = ""  # what ends each row besides the line end: ";" in some data sets
    aligned: bool = False  # columns set apart by several spaces
    lead: tuple[str, ...] = ()  # lines of text before the table: what a logger tells of itself
    thousands: bool = False  # set apart by dots

    def column(self, index: int) -> list[str]:
        """Return the sampled cells of one column."""
        return [row[index] for row in self.rows if index < len(row)]

    def numeric(self, index: int) -> bool:
        """Tell whether most sampled cells of a column are numbers."""
        cells = [cell for cell in self.column(index) if cell.strip()]
        return bool(cells) and sum(is_number(c) for c in cells) >= 0.5 * len(cells)

    def sparse(self, columns: Sequence[int]) -> bool:
        """Tell whether some columns are numbers together or blank together: many rows may be of other sensors."""
        cells = [[cell.strip().lower() for i, cell in enumerate(row) if i in columns] for row in self.rows]
        blank = [{cell in ("", "nan") for cell in own} for own in cells if own]
        numbers = all(cell == "" or is_number(cell) for own in cells for cell in own)
        return numbers and all(len(own) == 1 for own in blank) and {True} in blank

    @property
    def names(self) -> tuple[str, ...]:
        """Return the headings without quotes, spaces around them and capitals."""
        return tuple(name.strip().strip('"').strip().lower() for name in self.header or ())

    @property
    def stem(self) -> str:
        """Return the file's name without folders, extension and capitals."""
        return PurePosixPath(self.name.replace("\\", "/")).stem.lower()

    def describe(self) -> str:
        """Describe the layout for a message."""
        names = f"headed {shown(', '.join(self.header))[:120]}" if self.header else "without header"
        first = self.separator.join(self.rows[0])[:80] if self.rows else "no data row"
        return f"{self.n_columns} columns {names}, first row {first!r}"


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


def is_number(cell: str) -> bool:
    """Tell whether a cell is a number, the decimal comma and NaN included."""
    return bool(NUMBER.match(cell)) or cell.strip().lower() in NOT_A_NUMBER


def open_table(member: Member) -> Source:
    """Look at a file's first lines.

    Raises
    ------
    UnreadableData : empty, binary, or not a table.
    """
    if member.size > HEAD_BYTES:
        return Source(member, sniff(member.head(), member.name, complete=False))
    data = member.read()  # kept, so that a small member of an archive is decompressed once
    return Source(in_memory(member.name, data), sniff(data, member.name))


def sniff(head: bytes, name: str, *, complete: bool = True) -> Layout:
    """Decide the layout of delimited text from its first bytes."""
    if not head.strip():
        raise UnreadableData(f"{name}: is empty, expected a CSV file with sensor readings.")
    encoding = _encoding(head, name)
    text = head.decode(encoding, errors="replace").lstrip("\ufeff")
    newline = "\n" if "\n" in text else "\r"
    lines = text.split(newline)
    if not complete:
        lines = lines[:-1]
        if not lines:
            raise UnreadableData(
                f"{name}, line 1: longer than {HEAD_BYTES:,} bytes, expected one row of readings a line."
            )
    filled = ((n, line.rstrip("\r")) for n, line in enumerate(lines, 1) if line.strip())
    numbered = list(islice(filled, SAMPLE_LINES + LEAD_LINES))
    begin = _table_begin([line for _, line in numbered])
    lead, numbered = numbered[:begin], numbered[begin : begin + SAMPLE_LINES]
    if not numbered:
        raise UnreadableData(f"{name}: holds no line of text, expected a CSV file with sensor readings.")
    terminator = ";" if all(line.rstrip(" ").endswith(";") for _, line in numbered) else ""
    if terminator and _separator([line.rstrip("; ") for _, line in numbered]) in (";", " "):
        terminator = ""  # a last column without values
    if terminator:
        numbered = [(n, line.rstrip("; ")) for n, line in numbered]
    separator = _separator([line for _, line in numbered])
    decimal_comma, thousands = _decimals(text, separator)
    aligned = separator == " " and any("  " in line or line != line.strip() for _, line in numbered)
    if aligned:
        numbered = [(n, " ".join(line.split())) for n, line in numbered]
    try:
        cells = [tuple(row) for row in csv.reader([line for _, line in numbered], delimiter=separator)]
    except csv.Error as error:
        raise UnreadableData(f"{name}: is not delimited text ({error}), expected a CSV file.") from error
    header = None if any(is_number(cell) for cell in cells[0]) else tuple(cell.strip() for cell in cells[0])
    begin = 1 if header else 0
    if header and len(cells) > 1 and _are_units(cells[1]) and len(cells[1]) == len(header):
        header = tuple(f"{name} ({unit.strip(' ()[]')})" for name, unit in zip(header, cells[1], strict=True))
        begin = 2
    rows = tuple(cells[begin:])
    if not rows:
        raise UnreadableData(f"{name}: holds a header ({shown(', '.join(header or ()))[:120]}) and no data row.")
    width = Counter(len(row) for row in rows).most_common(1)[0][0]
    if header and width > len(header) and any(cell.strip() for row in rows for cell in row[len(header) :]):
        line = numbered[begin][0]
        raise UnreadableData(
            f"{name}, line {line}: has {width} cells, the header {len(header)}; expected a cell for each heading. "
            "With decimal commas, separate the columns by semicolons."
        )
    if max(width, len(header or ())) > MAX_COLUMNS:
        raise UnreadableData(
            f"{name}: has {max(width, len(header or ())):,} columns; at most {MAX_COLUMNS:,} are read."
        )
    return Layout(
        encoding=encoding,
        separator=separator,
        decimal_comma=decimal_comma,
        header=header,
        n_columns=max(len(header or ()), width),
        rows=rows,
        first_data_line=numbered[begin][0],
        table_line=numbered[0][0],
        newline=newline,
        name=name,
        terminator=terminator,
        aligned=aligned,
        lead=tuple(shown(line.strip())[:LEAD_LETTERS] for _, line in lead),
        thousands=thousands,
    )


def _decimals(head: str, separator: str) -> tuple[bool, bool]:
    """Tell whether the comma is the decimal one, and whether dots then set thousands apart.

    All of the head counts: the first rows may be whole numbers.
    """
    if separator == ",":
        return False, False
    begin, end = rf"(?m)(?:^|{re.escape(separator)})\s*", rf"(?:[eE][-+]?\d+)?\s*(?:{re.escape(separator)}|$)"
    dotted = re.compile(rf"{begin}(-?\d*\.\d[\d.,]*){end}")
    if not re.search(rf"{begin}-?\d+(?:\.\d{{3}})*,\d+{end}", head):
        return not dotted.search(head), False  # where neither is seen either is read
    dots = dotted.findall(head)
    return True, bool(dots) and all(THOUSANDS.match(number.encode()) for number in dots)


def _are_units(cells: Sequence[str]) -> bool:
    told = [cell for cell in cells if cell.strip()]
    return len(told) > 1 and all(UNIT_CELL.fullmatch(cell.strip()) for cell in told)


def layout_problems(source: Source) -> list[Problem]:
    """Tell of text before a table, and of thousands that were set apart."""
    layout, problems = source.layout, []
    if lead := layout.lead:
        what = "header" if layout.header else "first row"
        where = f"{len(lead)} line{'s' if len(lead) > 1 else ''} before the {what}, which begin {lead[0]!r}"
        problems.append(Problem(source.name, "text before the table", where, f"read from line {layout.table_line} on"))
    if layout.thousands:
        detail = "decimal commas, and dots in numbers such as 1.000"
        problems.append(Problem(source.name, "thousands set apart", detail, "read as 1000"))
    return problems


def _table_begin(lines: list[str]) -> int:
    """Return how many lines of text come before a table: its header, or the first of a run of rows of numbers.

    None, where the first line may itself be the header or a row, whole or damaged.
    """
    if len(lines) <= SURE_ROWS:
        return 0
    separator = _separator(lines[len(lines) // 2 :])
    cells = [line.split() if separator == " " else line.split(separator) for line in lines]
    width = Counter(len(row) for row in cells[len(lines) // 2 :]).most_common(1)[0][0]
    cells = [row if any(map(str.strip, row[1:])) else row[:1] for row in cells]  # a spreadsheet pads lines of text
    first = cells[0]
    if width < 2 or _are_headings(first) or all(map(is_number, first)):
        return 0
    if len(first) == width and not _is_comment(first):
        return 0
    rows = [len(row) == width and 2 * sum(map(is_number, row)) >= width for row in cells]
    begin = next((i for i in range(len(rows) - SURE_ROWS + 1) if all(rows[i : i + SURE_ROWS])), 0)
    header = begin
    while header and len(cells[header - 1]) == width and not any(map(is_number, cells[header - 1])):
        if header < begin and _is_comment(cells[header - 1]):
            break
        header -= 1
    if header == begin and begin and _are_headings(cells[begin - 1]):
        return begin - 1  # though there is not one for each column
    return header


def _is_comment(cells: Sequence[str]) -> bool:
    return cells[0].strip()[:1] in tuple(COMMENT)


def _are_headings(cells: Sequence[str]) -> bool:
    return len(cells) >= 3 and not any(map(is_number, cells)) and not _is_comment(cells)


def _encoding(head: bytes, name: str) -> str:
    for mark, encoding in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if head.startswith(mark):
            return encoding
    even, odd = head[::2].count(0) / len(head), head[1::2].count(0) / len(head)
    if max(even, odd) > 0.2 and min(even, odd) < 0.02:  # text with every other byte zero
        return "utf-16-le" if odd > even else "utf-16-be"
    strange = len(head) - len(head.translate(None, CONTROL))
    if head.startswith(GZIP):
        raise UnreadableData(f"{name}: is packed by gzip; unpack it first.")
    if strange > 0.01 * len(head) or head.startswith((b"%PDF", b"SQLite format")):
        raise UnreadableData(f"{name}: is binary (it starts with {head[:8].hex(' ')}), expected CSV text.")
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        return "utf-8" if error.start >= len(head) - 4 else "latin-1"
    return "utf-8"


def _separator(lines: list[str]) -> str:
    for candidate in SEPARATORS:
        counts = Counter(line.count(candidate) for line in lines)
        ((count, agreeing),) = counts.most_common(1)
        if count and agreeing >= 0.6 * len(lines):
            return candidate
    return " " if sum(" " in line.strip() for line in lines) > 0.6 * len(lines) else ","


def chunks(source: Source, size: int = 0) -> Iterator[Chunk]:
    """Cut a file into parts of UTF-8 text, at line ends outside quotes, so that a day's recording needs no more memory.

    Parameters
    ----------
    size : bytes read at a time; default CHUNK_BYTES.

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
            text = b"".join((rest, memoryview(data)[:cut]))
            yield Chunk(_utf8(text), lines)
            lines += _count(text, newline)
        rest = data[cut:] if cut else rest + data
        if len(rest) > 2 * max(size, HEAD_BYTES):
            raise UnreadableData(
                f"{source.name}, line {lines + 1}: over {len(rest):,} bytes long, expected one row of readings a line."
            )
    if rest.strip():
        yield Chunk(_utf8(rest), lines)


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
    before = rest.count(b'"')
    while end and (before + data.count(b'"', 0, end)) % 2:
        end = data.rfind(newline, 0, max(data.rfind(b'"', 0, end), 0)) + 1
    return end


def _count(text: bytes, newline: bytes) -> int:
    """Count the line ends; where there are many, `bytes.count` takes several times as long."""
    return int(np.count_nonzero(np.frombuffer(text, np.uint8) == newline[0]))


def parse(source: Source, schema: Mapping[str, Any], keep: Sequence[str] = ()) -> pl.DataFrame:
    """Parse delimited text into the columns of a schema, in file order; what does not fit becomes null.

    Parameters
    ----------
    schema : polars type by column name, one for each column of the file.
    keep : the columns wanted; default all.
    """
    import polars as pl

    keep = list(keep or schema)
    parts = [parse_chunk(source, schema, chunk).select(keep) for chunk in chunks(source)]
    if not parts:
        return pl.DataFrame(schema=dict(schema)).select(keep)
    # A column after the other, so that no more than one is in memory twice
    return pl.DataFrame([pl.concat([part.drop_in_place(name) for part in parts], rechunk=True) for name in keep])


def parse_chunk(source: Source, schema: Mapping[str, Any], chunk: Chunk) -> pl.DataFrame:
    """Parse a part of a file, as `parse` does the whole."""
    import polars as pl

    layout, raw = source.layout, chunk.text
    nul = raw.find(0)
    if nul >= 0 and not layout.encoding.startswith("utf-16"):
        line = chunk.first_line + raw.count(b"\n", 0, nul) + 1
        raise UnreadableData(f"{source.name}, line {line}: holds NUL bytes, expected CSV text; the file is damaged.")
    raw = _plain(raw, layout)
    separator = layout.separator.encode()
    if separator != b" " and any(cell[:1] == " " for row in layout.rows for cell in row):
        raw = re.sub(b" *" + re.escape(separator) + b" *", separator, raw)
    read = partial(
        pl.read_csv,
        # a heading of our own: else the first row of a part, which may be a damaged one, would decide how many columns
        separator.join(b"%d" % i for i in range(len(schema))) + b"\n" + raw[_line_start(raw, layout, chunk) :],
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
        raise UnreadableData(f"{source.name}: cannot be parsed as CSV ({str(error).splitlines()[0]}).") from error
    return frame.rename(dict(zip(frame.columns, schema, strict=True)))


def _line_start(text: bytes, layout: Layout, chunk: Chunk) -> int:
    """Return where the first data line of a part begins."""
    start = 0
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
