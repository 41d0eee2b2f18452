"""Tables whose cells hold more than one number, or a number and a letter, turned into plain ones.

Some apps write a sensor's axes into one cell, `[0.12, -0.3, 9.81]`, some end each number with a letter, `9.81g`. What
comes out has a heading for each axis, `accelerometer_x`, and numbers alone.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from app.har.errors import UnreadableData
from app.har.recordings.files import Member, in_memory
from app.har.recordings.layout import Layout
from app.har.recordings.tables import Source, open_table, parse

if TYPE_CHECKING:
    import polars as pl

MAX_BYTES = 512 * 2**20
MOSTLY = 0.9  # share of the first filled cells that must be so
FEWEST_CELLS = 3
SPACE, NUMBER = r"\s{0,4}", r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
BETWEEN = rf"(?:{SPACE}[,;]{SPACE}|\s{{1,4}})"
VECTOR = re.compile(rf"{SPACE}[\[({{]{SPACE}({NUMBER}){BETWEEN}({NUMBER}){BETWEEN}({NUMBER}){SPACE}[\])}}]{SPACE}")
MARKED = re.compile(rf"{SPACE}([-+]?\d+\.\d+)\s?([A-Za-z]){SPACE}")
AXES = "xyz"


def as_plain(source: Source) -> Source | None:
    """Return a table with packed cells as one of numbers, None where no column is packed.

    Raises
    ------
    UnreadableData : it is too large.
    """
    vectors, marked = _packed(source.layout)
    if not vectors and not marked:
        return None
    if source.member.size > MAX_BYTES:
        raise UnreadableData(
            f"{source.name}: has several numbers in a cell, or letters after them, in {source.member.size:,} bytes; at "
            f"most {MAX_BYTES:,} are read of these. Export a column for each axis, with numbers alone."
        )
    return open_table(_plain(source, vectors, marked))


def _packed(layout: Layout) -> tuple[set[int], set[int]]:
    """Return the columns of vectors, and those in which the same letter follows each number."""
    vectors, marked = set(), set()
    for place in range(layout.n_columns):
        cells = [cell for cell in layout.column(place) if cell.strip()]
        if len(cells) < FEWEST_CELLS or layout.numeric(place):
            continue
        if sum(VECTOR.fullmatch(cell) is not None for cell in cells) >= MOSTLY * len(cells):
            vectors.add(place)
        letters = [found[2] for cell in cells if (found := MARKED.fullmatch(cell))]
        if len(letters) >= MOSTLY * len(cells) and len(set(letters)) == 1:
            marked.add(place)
    return vectors, marked


def _plain(source: Source, vectors: set[int], marked: set[int]) -> Member:
    """Write the table anew, below the lines that stood above it, so that each row keeps its line."""
    import polars as pl

    layout = source.layout
    names = [name.strip() or f"column {i + 1}" for i, name in enumerate(layout.header or [""] * layout.n_columns)]
    names += [f"column {i + 1}" for i in range(len(names), layout.n_columns)]
    unique = [f"{name}_{i}" if name in names[:i] else name for i, name in enumerate(names)]
    types: dict[str, Any] = dict.fromkeys(unique, pl.String)
    columns: list[pl.Expr] = []
    for i, name in enumerate(unique):
        if i in vectors:
            columns += [
                pl.col(name).str.extract(f"^{VECTOR.pattern}$", axis).alias(_of_axis(name, AXES[axis - 1]))
                for axis in (1, 2, 3)
            ]
        else:
            columns.append(pl.col(name).str.extract(f"^{MARKED.pattern}$", 1) if i in marked else pl.col(name))
    text = parse(source, types).select(columns).write_csv(separator=";", include_header=layout.header is not None)
    return in_memory(source.name, "\n".join([*layout.lead, text]).encode())


def _of_axis(name: str, axis: str) -> str:
    """Return the heading of an axis; a unit in brackets stays at the end."""
    stem, bracket, unit = name.partition("(")
    return f"{stem.strip()}_{axis}" + (f" ({unit}" if bracket else "")
