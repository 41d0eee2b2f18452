"""What delimited text looks like, detected from its first lines.

A chain of detectors, each returning a value object: `decode` (encoding and lines), `find_table` (text before it),
`find_separator`, `find_decimals`, `find_header`. `sniff` runs them all.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import PurePosixPath

from app.har.errors import UnreadableData, quote
from app.har.recordings.files import GZIP, HEAD_BYTES, shown

NUMBER = re.compile(r"\s*[-+]?(\d+([.,]\d*)?|[.,]\d+)([eE][-+]?\d+)?\s*\Z")
NOT_A_NUMBER = ("nan", "inf", "-inf", "+inf", "infinity", "-infinity")
BLANK = ("", "nan")
SEPARATORS = "\t;|,"
SAMPLE_LINES = 50
LEAD_LINES = 100  # most lines of text before a table
SURE_ROWS = 5  # rows of numbers, with equally many cells, that mark the beginning of a table
MAX_COLUMNS = 4000
MAX_HEADING = 1000  # letters
LEAD_LETTERS = 200  # of each of these lines are kept
COMMENT = "#%/;!"
# A cell of a second header line that gives the units of the first
UNIT_CELL = re.compile(
    r"[(\[]?\s*(-|[nmµμu]?s|sec(onds?)?|c?m\s?[/·*]?\s?\(?s\S*|m?g|rad\S*|(deg|°|dps)\S*|[µμu]T|m?V|local|gauss|Hz|%|°?C|"
    r"no[ _]units|u?n?itless|yyyy\S* \S+)\s*[)\]]?",
    re.I,
)
FORMAT_CELL = re.compile(r"cal|uncal|raw", re.I)  # of a header line that says how each signal was read
QUOTED = re.compile(r'"[^"\n]*"')
VECTOR = re.compile(r"[\[({][-+.\deE,;\s]{5,200}[\])}]")  # numbers in one cell
MAX_PLACES = 4  # cells of a line of places above the headings, each of which stands for several columns
# Separators of thousands, where the comma is the decimal one: nothing else has a dot there
THOUSANDS = re.compile(rb"(?<![\w.,-])-?[1-9]\d{0,2}(?:\.\d{3})+(?=[,;|\s]|\Z)")
CONTROL = bytes(set(range(32)) - set(b"\t\n\r\x0c"))  # never in text


@dataclass(frozen=True)
class Layout:
    """What the first lines of a file show of it."""

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
    lead: tuple[str, ...] = ()  # lines of text before the table, such as a logger's name and settings
    thousands: bool = False  # set apart by dots
    plain: bool = False  # known to hold only numbers below the headings of the first line, in each cell sampled

    def column(self, index: int) -> list[str]:
        """Return the sampled cells of one column."""
        return [row[index] for row in self.rows if index < len(row)]

    def numeric(self, index: int) -> bool:
        """Tell whether most sampled cells of a column are numbers."""
        cells = [cell for cell in self.column(index) if cell.strip()]
        return bool(cells) and sum(is_number(c) for c in cells) >= 0.5 * len(cells)

    def sparse(self, columns: Sequence[int]) -> bool:
        """Tell whether some columns are numbers together or blank together: many rows may be of other sensors."""
        if self.plain or self._with_blanks.isdisjoint(columns):
            return False  # as nearly all tables are
        rows = [[cell.strip().lower() for i, cell in enumerate(row) if i in columns] for row in self.rows]
        blank = [{cell in BLANK for cell in row} for row in rows if row]
        numbers = all(cell == "" or is_number(cell) for row in rows for cell in row)
        return numbers and all(len(states) == 1 for states in blank) and {True} in blank

    @cached_property
    def _with_blanks(self) -> frozenset[int]:
        """The columns in which a sampled cell holds nothing; most others begin with a digit or a sign."""
        doubtful = ((i, cell) for row in self.rows for i, cell in enumerate(row) if (cell[:1] or " ") in " nN")
        return frozenset(i for i, cell in doubtful if cell.strip().lower() in BLANK)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Return the headings without quotes, spaces around them and capitals."""
        return tuple(name.strip().strip('"').strip().lower() for name in self.header or ())

    @property
    def stem(self) -> str:
        """Return the file's name without folders, extension and capitals."""
        return PurePosixPath(self.name.replace("\\", "/")).stem.lower()

    def describe(self) -> str:
        """Describe the layout for a message."""
        names = f"headed {quote(shown(', '.join(self.header))[:120])}" if self.header else "without header"
        first = self.separator.join(self.rows[0])[:80] if self.rows else "no data row"
        return f"{self.n_columns} columns {names}, first row {quote(repr(first))}"


def is_number(cell: str) -> bool:
    """Tell whether a cell is a number, the decimal comma and NaN included."""
    return bool(NUMBER.match(cell)) or cell.strip().lower() in NOT_A_NUMBER


def sniff(head: bytes, name: str, *, complete: bool = True) -> Layout:
    """Decide the layout of delimited text from its first bytes, by one detector after another.

    Parameters
    ----------
    head : the first bytes of the file.
    name : the file, for messages.
    complete : whether that is the whole file; otherwise its last line may be cut off.

    Raises
    ------
    UnreadableData : empty, binary, or not a table; the message says what was found.
    """
    text = decode(head, name, complete=complete)
    table = find_table(text.lines)
    if not table.lines:
        raise UnreadableData(f"{name}: holds no line of text, expected a CSV file with sensor readings.")
    separation = find_separator([line.text for line in table.lines])
    decimals = find_decimals(text.content, separation.separator)
    cells = _split(table.lines, separation, name)
    header = find_header(cells, name)
    rows = tuple(cells[header.n_lines :])
    if not rows:
        raise UnreadableData(
            f"{name}: holds a header ({quote(shown(', '.join(header.names or ()))[:120])}) and no data row."
        )
    first_data_line = table.lines[header.n_lines].number
    return Layout(
        encoding=text.encoding,
        separator=separation.separator,
        decimal_comma=decimals.comma,
        header=header.names,
        n_columns=_count_columns(header, rows, f"{name}, line {first_data_line}", name),
        rows=rows,
        first_data_line=first_data_line,
        table_line=table.lines[0].number,
        newline=text.newline,
        name=name,
        terminator=separation.terminator,
        aligned=separation.aligned,
        lead=tuple(shown(line.text.strip())[:LEAD_LETTERS] for line in table.lead),
        thousands=decimals.thousands,
    )


# --- encoding and lines


@dataclass(frozen=True)
class Line:
    """One line of a file."""

    number: int  # counted from 1
    text: str  # without its end


@dataclass(frozen=True)
class DecodedText:
    """The beginning of a file as text."""

    encoding: str
    newline: str
    content: str
    lines: tuple[Line, ...]  # that hold more than spaces; as many of the first as are looked at


def decode(head: bytes, name: str, *, complete: bool = True) -> DecodedText:
    """Decode the first bytes of a file and cut them into lines; see `sniff`."""
    if not head.strip():
        raise UnreadableData(f"{name}: is empty, expected a CSV file with sensor readings.")
    encoding = find_encoding(head, name)
    content = head.decode(encoding, errors="replace").lstrip("\ufeff")
    newline = "\n" if "\n" in content else "\r"
    lines = content.split(newline)
    if not complete:
        lines = lines[:-1]
        if not lines:
            raise UnreadableData(
                f"{name}, line 1: longer than {HEAD_BYTES:,} bytes, expected one row of readings a line."
            )
    filled = (Line(number, line.rstrip("\r")) for number, line in enumerate(lines, 1) if line.strip())
    return DecodedText(encoding, newline, content, tuple(islice(filled, SAMPLE_LINES + LEAD_LINES)))


def find_encoding(head: bytes, name: str) -> str:
    """Return the encoding of text: by its mark, by the zeros of UTF-16, else UTF-8 or Latin-1.

    Raises
    ------
    UnreadableData : compressed or binary.
    """
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
        raise UnreadableData(f"{name}: is binary (it starts with {quote(head[:8].hex(' '))}), expected CSV text.")
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        return "utf-8" if error.start >= len(head) - 4 else "latin-1"
    return "utf-8"


# --- where the table begins


@dataclass(frozen=True)
class TableLines:
    """The lines of text before a table, and the first lines of the table."""

    lead: tuple[Line, ...]
    lines: tuple[Line, ...]


def find_table(lines: Sequence[Line]) -> TableLines:
    """Separate the lines of text before a table from the table itself."""
    begin = _table_begin([line.text for line in lines])
    return TableLines(tuple(lines[:begin]), tuple(lines[begin : begin + SAMPLE_LINES]))


def _table_begin(lines: list[str]) -> int:
    """Return how many lines of text come before a table: its header, or the first of a run of rows of numbers.

    None, where the first line may itself be the header or a row, whole or damaged.
    """
    if len(lines) <= SURE_ROWS:
        return 0
    separator = _separator(lines[len(lines) // 2 :])  # of the second half, which is hardly text before the table
    first = _without_padding(_rough_cells(lines[0], separator))
    if _are_headings(first) or all(map(is_number, first)):
        return 0
    rough = [_rough_cells(line, separator) for line in lines]
    cells, width = list(map(_without_padding, rough)), Counter(map(len, rough[len(lines) // 2 :])).most_common(1)[0][0]
    if width < 2 or (len(first) == width and not _is_comment(first)):
        return 0
    rows = [len(row) == width and 2 * sum(map(is_number, row)) >= width for row in cells]
    begin = next((i for i in range(len(rows) - SURE_ROWS + 1) if all(rows[i : i + SURE_ROWS])), 0)
    return _header_above(cells, begin, width)


def _rough_cells(line: str, separator: str) -> list[str]:
    return line.split() if separator == " " else line.split(separator)


def _without_padding(row: list[str]) -> list[str]:
    """Return a row's cells: one, where a spreadsheet padded a line of text with empty ones."""
    return row if any(map(str.strip, row[1:])) else row[:1]


def _header_above(cells: Sequence[Sequence[str]], begin: int, width: int) -> int:
    """Return where the header above the first rows of numbers begins; where they begin if there is none."""
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


# --- separator and decimals


@dataclass(frozen=True)
class Separation:
    """How the cells of a line are set apart."""

    separator: str
    terminator: str = ""  # what ends each row besides the line end
    aligned: bool = False  # columns set apart by several spaces

    def plain(self, line: str) -> str:
        """Return a line without its terminator, and with one space between cells where spaces separate them."""
        line = line.rstrip("; ") if self.terminator else line
        return " ".join(line.split()) if self.aligned else line


def find_separator(lines: Sequence[str]) -> Separation:
    """Find what stands between the cells of a table's lines, and what ends them all."""
    bare = [line.rstrip("; ") for line in lines]
    ended = all(line.rstrip(" ").endswith(";") for line in lines)
    if ended and _separator(bare) not in (";", " "):  # otherwise the last column is without values
        return Separation(_separator(bare), terminator=";")
    separator = _separator(lines)
    return Separation(separator, aligned=separator == " " and any("  " in s or s != s.strip() for s in lines))


def _separator(lines: Sequence[str]) -> str:
    """Return what most lines hold equally often outside quotes; of several, what sets most numbers apart.

    A single one in the remark of each row separates nothing, whatever stands in the header.
    """
    plain = [VECTOR.sub("", QUOTED.sub('""', line) if '"' in line else line) for line in lines]
    found = []
    for candidate in SEPARATORS:
        ((count, agreeing),) = Counter(line.count(candidate) for line in plain).most_common(1)
        if count and agreeing >= 0.6 * len(lines):
            found.append(candidate)
    if len(found) > 1:
        found.sort(key=lambda own: -sum(is_number(cell) for line in plain for cell in line.split(own)))
    if found:
        return found[0]
    if plain and plain[0].count(",") > 1 and sum("," in line for line in plain) == len(plain):
        return ","  # each row has another number of them: they are in a remark, too
    return " " if sum(" " in line.strip() for line in lines) > 0.6 * len(lines) else ","


@dataclass(frozen=True)
class Decimals:
    """How numbers are written."""

    comma: bool  # the comma is the decimal sign
    thousands: bool = False  # set apart by dots


def find_decimals(content: str, separator: str) -> Decimals:
    """Find whether the comma is the decimal sign, and whether dots then set thousands apart.

    All of the beginning of the file counts: the first rows may be whole numbers.
    """
    if separator == ",":
        return Decimals(comma=False)
    # A bounded number of spaces: else a run of blank lines, or of separators, would cost the square of its length
    spaces, set_apart = r"[ \t\r]{0,20}", re.escape(separator)
    begin, end = rf"(?m)(?:^|{set_apart}){spaces}", rf"(?:[eE][-+]?\d+)?{spaces}(?:{set_apart}|$)"
    dotted = re.compile(rf"{begin}(-?\d*\.\d[\d.,]*){end}")
    if not re.search(rf"{begin}-?\d+(?:\.\d{{3}})*,\d+{end}", content):
        return Decimals(comma=not dotted.search(content))  # where neither is seen either is read
    dots = dotted.findall(content)
    return Decimals(comma=True, thousands=bool(dots) and all(THOUSANDS.match(number.encode()) for number in dots))


# --- cells and header


def _split(lines: Sequence[Line], separation: Separation, name: str) -> list[tuple[str, ...]]:
    plain = [separation.plain(line.text) for line in lines]
    try:
        return [tuple(row) for row in csv.reader(plain, delimiter=separation.separator)]
    except csv.Error as error:
        raise UnreadableData(f"{name}: is not delimited text ({error}), expected a CSV file.") from error


@dataclass(frozen=True)
class Header:
    """The headings of a table."""

    names: tuple[str, ...] | None  # with their units, where a second line gives them; None: there is no header
    n_lines: int  # that they take


def find_header(cells: Sequence[Sequence[str]], name: str = "the table") -> Header:
    """Find the headings in the first lines of a table: a line without a number, perhaps with one of units below.

    Raises
    ------
    UnreadableData : a heading is too long to be one; the patterns that read headings are for short ones.
    """
    if any(map(is_number, cells[0])):
        return Header(None, 0)
    names, used = _named(cells)
    if (longest := max(map(len, names), default=0)) > MAX_HEADING:
        raise UnreadableData(f"{name}: a heading of {longest:,} letters; at most {MAX_HEADING:,} are read.")
    while names and used < len(cells) and len(cells[used]) == len(names):
        if _are_units(cells[used]):
            units = [unit.strip().strip("[]").replace("(s", "s").strip("()") for unit in cells[used]]
            told = (f"{name} ({unit})" if unit else name for name, unit in zip(names, units, strict=True))
            return Header(tuple(told), used + 1)
        if not all(FORMAT_CELL.fullmatch(cell.strip()) for cell in cells[used] if cell.strip()):
            break
        used += 1
    return Header(names, used) if names else Header(names, 0)


def _named(cells: Sequence[Sequence[str]]) -> tuple[tuple[str, ...], int]:
    """Return the headings and how many lines they take: two, where the first says for several columns what they share.

    That is a place or a device, in the first of its columns or in each.
    """
    first = tuple(cell.strip() for cell in cells[0])
    if len(cells) < 3 or len(cells[1]) < len(first) or len(first) < 4:
        return first, 1
    second = [cell.strip() for cell in cells[1]]
    shared = {cell for cell in first if cell}
    headings = [cell for cell in second if cell]
    are_places = first[0] and 1 <= len(shared) <= MAX_PLACES and 3 * len(shared) <= len(first)
    if not are_places or 2 * len(headings) < len(second) or any(map(is_number, second)):
        return first, 1
    if not any(map(is_number, cells[2])) and not (len(cells) > 3 and any(map(is_number, cells[-1]))):
        return first, 1
    places, place = [""] * len(second), ""
    for column, cell in enumerate(first):
        place = cell or place
        places[column] = place if second[column] else ""
    return tuple(f"{place} {own}".strip() for place, own in zip(places, second, strict=True)), 2


def _are_units(cells: Sequence[str]) -> bool:
    """Tell whether a line under the headings gives their units: more than half are known, and nothing is a number."""
    filled = [cell.strip() for cell in cells if cell.strip()]
    known = sum(UNIT_CELL.fullmatch(cell) is not None for cell in filled)
    return len(filled) > 1 and 2 * known > len(filled) and not any(map(is_number, filled))


def _count_columns(header: Header, rows: Sequence[Sequence[str]], first_row: str, name: str) -> int:
    """Return the number of columns: of most rows, or of the header where that has more.

    Raises
    ------
    UnreadableData : cells without a heading, or too many columns.
    """
    headings = len(header.names or ())
    width = Counter(len(row) for row in rows).most_common(1)[0][0]
    if headings and width > headings and any(cell.strip() for row in rows for cell in row[headings:]):
        advice = "With decimal commas, separate the columns by semicolons."
        if header.names and not any(map(is_number, rows[0])):
            advice = "If a title or a row of places stands above the headings, delete that line."
        raise UnreadableData(
            f"{first_row}: has {width} cells, the header {headings}; expected a cell for each heading. {advice}"
        )
    if max(width, headings) > MAX_COLUMNS:
        raise UnreadableData(f"{name}: has {max(width, headings):,} columns; at most {MAX_COLUMNS:,} are read.")
    return max(width, headings)
