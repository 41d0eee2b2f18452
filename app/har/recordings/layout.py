"""What delimited text looks like, told by its first lines: encoding, separator, decimals, header, where it begins."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import PurePosixPath

from app.har.errors import UnreadableData
from app.har.recordings.files import GZIP, HEAD_BYTES, shown

NUMBER = re.compile(r"\s*[-+]?(\d+([.,]\d*)?|[.,]\d+)([eE][-+]?\d+)?\s*\Z")
NOT_A_NUMBER = ("nan", "inf", "-inf", "+inf", "infinity", "-infinity")
SEPARATORS = "\t;|,"
SAMPLE_LINES = 50
LEAD_LINES = 100  # of text before the table, at most
SURE_ROWS = 5  # of numbers, as many cells in each: a table begins there
MAX_COLUMNS = 4000
LEAD_LETTERS = 200
COMMENT = "#%/;!"
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


def is_number(cell: str) -> bool:
    """Tell whether a cell is a number, the decimal comma and NaN included."""
    return bool(NUMBER.match(cell)) or cell.strip().lower() in NOT_A_NUMBER


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
