"""What a person sees of tables in no known layout before naming their columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from app.har.recordings.mappings.guess import Guess
    from app.har.recordings.tables import Source

PREVIEW_ROWS = 8
CELL_LENGTH = 40
MAX_TABLES = 12  # shown; with more, a sensor cannot be assigned to one of them


@dataclass(frozen=True)
class Table:
    """The first rows of a file, and the files that share its layout."""

    files: tuple[str, ...]
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    lead: tuple[str, ...] = ()  # lines of text before the table

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Table:
        """Make one of plain values."""
        rows = tuple(map(tuple, values["rows"]))
        return cls(tuple(values["files"]), tuple(values["columns"]), rows, tuple(values["lead"]))


@dataclass(frozen=True)
class TablePreview:
    """Tables in no known layout, and what their columns may be."""

    tables: tuple[Table, ...]
    words: tuple[str, ...]  # parts of files' names that may identify the file of a sensor
    guess: Guess

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of all tables."""
        return tuple(dict.fromkeys(name for table in self.tables for name in table.columns))

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, of which `from_dict` makes the same again."""
        guess = {"mapping": self.guess.mapping.as_dict(), "reasons": dict(self.guess.reasons)}
        return {"tables": [asdict(table) for table in self.tables], "words": self.words, "guess": guess}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TablePreview:
        """Make one of plain values."""
        from app.har.recordings.mappings.guess import Guess
        from app.har.recordings.mappings.mapping import ColumnMapping

        guess = Guess(ColumnMapping.draft_of(values["guess"]["mapping"]), values["guess"]["reasons"])
        return cls(tuple(Table.from_dict(table) for table in values["tables"]), tuple(values["words"]), guess)


@dataclass(frozen=True)
class LayoutIdentity:
    """What tables share with the next ones that can be read in the same way."""

    fingerprint: str
    headed: bool


def identify_layout(groups: Sequence[Sequence[Source]]) -> LayoutIdentity:
    """Return the identity of tables, grouped by layout; their values are looked at only where a sensor has a file."""
    from app.har.recordings.mappings.guess_files import files_to_map
    from app.har.recordings.mappings.mapping import fingerprint

    layouts = [source.layout for source in files_to_map(groups)[0]]
    return LayoutIdentity(fingerprint(*layouts), all(layout.header is not None for layout in layouts))


def preview_tables(groups: Sequence[Sequence[Source]]) -> TablePreview:
    """Look at tables, grouped by layout, the layout of most of them first."""
    from app.har.recordings.mappings.guess_files import guess_files

    _, guess = guess_files(groups)
    words = guess.mapping.files
    stems = dict.fromkeys(PurePosixPath(source.name).stem.lower() for group in groups for source in group)
    if not words and 2 <= len(stems) == sum(map(len, groups)) <= MAX_TABLES:
        words = tuple(stems)
    shown = [group for group in groups if words or group is groups[0]][:MAX_TABLES]
    return TablePreview(
        tuple(_table(group) for group in shown),
        words,
        guess,
    )


def _table(group: Sequence[Source]) -> Table:
    from app.har.recordings.mappings.mapping import column_names

    layout = group[0].layout
    columns = column_names(layout)
    rows = tuple(
        tuple(cell.strip()[:CELL_LENGTH] for cell in (*row, *[""] * len(columns))[: len(columns)])
        for row in layout.rows[:PREVIEW_ROWS]
    )
    return Table(tuple(source.name for source in group), columns, rows, layout.lead)


def guess_mapping(path: Path) -> Guess:
    """Guess what the columns of a file, or of the files of an archive, are.

    Raises
    ------
    UnreadableData : there is no table of numbers.
    """
    from app.har.recordings.mappings.guess_files import guess_files
    from app.har.recordings.mappings.mapping import unknown_tables
    from app.har.recordings.upload import open_upload

    with open_upload(path, path.name) as upload:
        return guess_files(unknown_tables(upload.tables))[1]
