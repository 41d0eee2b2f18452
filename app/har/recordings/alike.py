"""Small files that look alike, as the trials of a study do: looked at closely once, and parsed together.

Most of what a small file costs does not depend on its length. Whatever is not certain to come out the same goes the
usual way, file by file.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from app.har.recordings.layout import COMMENT, LEAD_LINES, SAMPLE_LINES, Layout, is_number, sniff

MAX_HEADINGS = 100  # remembered
NUMBERS = b"0123456789.+-eE,\n"  # nothing but these below the headings of a plain file
OTHER_MARKS = b'";\t|'  # in headings that may be read in several ways
FEWEST_COLUMNS = 3


@dataclass
class Known:
    """The headings that were seen in an upload, each with the layout of its first file."""

    layouts: dict[bytes, Layout] = field(default_factory=dict)

    def sniff(self, data: bytes, name: str) -> Layout:
        """Decide the layout of a whole file, as `layout.sniff` does.

        Raises
        ------
        UnreadableData : empty, binary, or not a table.
        """
        heading = data[: data.find(b"\n") + 1]
        like = self.layouts.get(heading)
        layout = (like and _of_numbers_below(heading, data, name, like)) or sniff(data, name)
        if like is None and len(self.layouts) < MAX_HEADINGS and _shows_layout(heading, layout):
            self.layouts[heading] = layout
        return layout


def _shows_layout(heading: bytes, layout: Layout) -> bool:
    """Tell whether a heading leaves nothing open but what is below it."""
    cells = heading.decode("utf-8", "replace").rstrip("\r\n").split(",")
    return (
        layout.encoding == "utf-8"
        and (layout.separator, layout.newline, layout.terminator) == (",", "\n", "")
        and layout.header == tuple(cell.strip() for cell in cells)
        and (layout.n_columns, layout.first_data_line) == (len(cells), 2)
        and len(cells) >= FEWEST_COLUMNS
        and not any(map(is_number, cells))
        and not any(mark in heading for mark in OTHER_MARKS)
        and cells[0].strip()[:1] not in tuple(COMMENT)
    )


def _of_numbers_below(heading: bytes, data: bytes, name: str, like: Layout) -> Layout | None:
    """Return the layout of a file with a heading that was seen, None unless its first rows are full, of numbers."""
    body = data[len(heading) :]
    if b"\r" in body:
        body = body.replace(b"\r\n", b"\n")
    if body.translate(None, NUMBERS):
        return None
    lines = body.decode("ascii").split("\n", SAMPLE_LINES + LEAD_LINES)[: SAMPLE_LINES + LEAD_LINES - 1]
    if lines[-1] == "":
        del lines[-1]
    if not lines or any(line.count(",") != like.n_columns - 1 for line in lines):
        return None
    rows = tuple(tuple(line.split(",")) for line in lines[: SAMPLE_LINES - 1])
    if any("" in row for row in rows) or not all(map(is_number, rows[0])):
        return None
    return replace(like, name=name, rows=rows, plain=True)
