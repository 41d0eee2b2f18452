"""The rows as recorded, on disk: fixed-width records, memory-mapped, with a sort index for a column made on demand."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.har.recordings.parts import Matrix

if TYPE_CHECKING:
    import polars as pl

RECORDING = "recording"
NUMBER = "#"  # the field with the number of the recording; those of the columns are called by their place
EMPTY = 2**63 - 1  # stands for an empty cell of whole numbers; sorts last, as NaN does
NO_TEXT = 2**32 - 1  # stands for an empty cell of text
KINDS = {"u4": "text", "i8": "integer", "f4": "float", "f8": "float"}  # by how a column is stored
MISSING: Mapping[str, float] = {"u4": NO_TEXT, "i8": EMPTY, "f4": np.nan, "f8": np.nan}
MAX_COLUMNS = 200  # of files with different columns together
CHUNK_ROWS = 100_000
Row = tuple[Any, ...]


class Rows(NamedTuple):
    """One page of a table."""

    total: int  # on all pages
    items: list[Row]
    places: NDArray[Any]  # in the table


@dataclass
class RowWriter:
    """Appends data frames to one table; text is stored as codes.

    Where a later frame has other columns, the table has those of all; what a row lacks is empty. Each time the columns
    become more, a new file is begun, and in the end the files are written as one.
    """

    folder: Path
    name: str  # perhaps as a file names a sensor
    stem: str  # of the files
    show_recording: bool
    rows: int = 0
    ends: list[int] = field(default_factory=list)  # row after the last of each recording
    recordings: list[str] = field(default_factory=list)
    stored: dict[str, str] = field(default_factory=dict)  # column -> one of KINDS
    categories: dict[str, dict[str, int]] = field(default_factory=dict)  # of columns of text, or that may become text
    files: list[tuple[Path, dict[str, str]]] = field(default_factory=list)
    file: IO[bytes] | None = None

    def append(self, frame: pl.DataFrame | Matrix, recordings: Sequence[str]) -> list[str]:
        """Add rows; they belong to one recording, or row by row to as many recordings.

        Returns
        -------
        The columns that were left out, because there are too many already.
        """
        if not isinstance(frame, Matrix) and self.show_recording and RECORDING in frame.columns:
            frame = frame.rename({RECORDING: f"{RECORDING} (in the file)"})
        stored, left_out = self._with_columns_of(frame)
        if self.file is None or stored != self.stored:
            self._begin(stored)
        own = len(frame) if len(recordings) == 1 else 1
        number = (len(self.recordings) + np.arange(len(frame)) // max(own, 1)).astype(np.uint32)
        self.ends.extend(range(self.rows + own, self.rows + len(frame) + 1, own))
        self.recordings.extend(recordings)
        self.rows += len(frame)
        if isinstance(frame, Matrix) and frame.columns == tuple(self.stored):
            records = np.column_stack((number.view(np.float32), frame.values)).view(_dtype(self.stored))
        else:
            records = self._records(frame, number)
        self._file.write(records.data)
        return left_out

    @property
    def _file(self) -> IO[bytes]:
        if self.file is None:
            raise ValueError(f"table {self.name} is finished")
        return self.file

    def _with_columns_of(self, frame: pl.DataFrame | Matrix) -> tuple[dict[str, str], list[str]]:
        """Return how to store the columns up to now and those of a frame; and which of them there is no room for."""
        stored, left_out = dict(self.stored), []
        for name, kind in _stored_kinds(frame).items():
            if name in stored:
                stored[name] = _joint_kind(stored[name], kind)
            elif not self.stored or len(stored) < MAX_COLUMNS:
                stored[name] = kind
            else:
                left_out.append(name)
        return stored, left_out

    def _begin(self, stored: dict[str, str]) -> None:
        self.release()
        self.stored = stored
        path = self.folder / f"{self.stem}.{len(self.files)}.part"
        self.files.append((path, stored))
        self.file = path.open("wb")

    def _records(self, frame: pl.DataFrame | Matrix, number: NDArray[np.uint32]) -> NDArray[Any]:
        records = np.empty(len(frame), _dtype(self.stored))
        records[NUMBER] = number
        for place, (name, kind) in enumerate(self.stored.items()):
            if name not in frame.columns:
                records[str(place)] = MISSING[kind]
            elif isinstance(frame, Matrix):
                values = np.ascontiguousarray(frame.values[:, frame.columns.index(name)])
                records[str(place)] = self._converted(values, "f4", kind, name)
            else:
                records[str(place)] = self._cells(frame[name], kind)
        return records

    def _cells(self, column: pl.Series, kind: str) -> NDArray[Any]:
        import polars as pl

        if kind != "u4":
            return (column.fill_null(EMPTY) if kind == "i8" else column.cast(pl.Float64)).to_numpy()
        column = column.cast(pl.String)
        codes = self.categories.setdefault(column.name, {})
        for value in column.drop_nulls().unique(maintain_order=True):
            codes.setdefault(value, len(codes))
        return column.replace_strict(codes, default=NO_TEXT, return_dtype=pl.UInt32).to_numpy()

    def _converted(self, values: NDArray[Any], before: str, kind: str, name: str) -> NDArray[Any]:
        """Return stored values as another kind that holds them too."""
        if before == kind:
            return values
        empty = np.isnan(values) if values.dtype.kind == "f" else values == EMPTY
        if kind == "f8":
            plain = values.astype(str) if before == "f4" else values  # the shortest text is what the file said
            return np.where(empty, np.nan, plain.astype(np.float64))
        codes = self.categories.setdefault(name, {})
        different, place = np.unique(values[~empty], return_inverse=True)
        texts = [codes.setdefault(str(value), len(codes)) for value in different.tolist()]
        result = np.full(len(values), NO_TEXT, np.uint32)
        result[~empty] = np.array(texts, np.uint32)[place]
        return result

    def release(self) -> None:
        """Close the file, whether the table is finished or not."""
        if self.file:
            self.file.close()
            self.file = None

    def finish(self) -> dict[str, Any]:
        """Finish the table; return what RowTable needs to open it."""
        self.release()
        self._join()
        return {
            "name": self.name,
            "stem": self.stem,
            "rows": self.rows,
            "ends": self.ends,
            "recordings": self.recordings,
            "kinds": {name: KINDS[kind] for name, kind in self.stored.items()},
            "categories": {name: list(self.categories.get(name, ())) for name in self.stored if self._is_text(name)},
            "dtype": _dtype(self.stored).descr,
            "by_place": True,
            "show_recording": self.show_recording,
        }

    def _is_text(self, name: str) -> bool:
        return self.stored[name] == "u4"

    def _join(self) -> None:
        """Write the parts as one file, in which every row has all columns."""
        path = self.folder / f"{self.stem}.rows"
        if len(self.files) == 1:
            self.files[0][0].replace(path)
            return
        with path.open("wb") as file:
            for part, stored in self.files:
                rows = part.stat().st_size // _dtype(stored).itemsize
                for start in range(0, rows, CHUNK_ROWS):
                    records = np.fromfile(
                        part, _dtype(stored), min(CHUNK_ROWS, rows - start), offset=start * _dtype(stored).itemsize
                    )
                    file.write(self._widened(records, stored).data)
                part.unlink()

    def _widened(self, records: NDArray[Any], stored: Mapping[str, str]) -> NDArray[Any]:
        result = np.empty(len(records), _dtype(self.stored))
        result[NUMBER] = records[NUMBER]
        places = {name: str(place) for place, name in enumerate(stored)}
        for place, (name, kind) in enumerate(self.stored.items()):
            there = name in stored
            result[str(place)] = (
                self._converted(records[places[name]], stored[name], kind, name) if there else MISSING[kind]
            )
        return result


def _dtype(stored: Mapping[str, str]) -> np.dtype[Any]:
    return np.dtype([(NUMBER, "u4"), *((str(place), kind) for place, kind in enumerate(stored.values()))])


def _stored_kinds(frame: pl.DataFrame | Matrix) -> dict[str, str]:
    """Return how the columns of a frame are stored."""
    import polars as pl

    if isinstance(frame, Matrix):
        return dict.fromkeys(frame.columns, "f4")
    return {
        name: "u4"
        if kind in (pl.String, pl.Categorical)
        else "i8"
        if kind.is_integer()
        else "f8"
        if kind == pl.Float64
        else "f4"
        for name, kind in frame.schema.items()
    }


def _joint_kind(one: str, other: str) -> str:
    """Return the kind that holds the values of both."""
    return one if one == other else "u4" if "u4" in (one, other) else "f8"


@dataclass(frozen=True)
class RowTable:
    """A table as recorded, paged and sorted without reading it whole."""

    folder: Path
    entry: dict[str, Any]

    def check(self) -> None:
        """Raise an error of any kind where the entry cannot be of this file."""
        entry, size = self.entry, self._records.shape[0]
        codes = {name: texts for name, texts in entry["categories"].items() if name in entry["kinds"]}
        sound = (
            len(entry["ends"]) == len(entry["recordings"])
            and all(0 <= end <= size for end in entry["ends"])
            and all(isinstance(text, str) for texts in (entry["recordings"], *codes.values()) for text in texts)
            and all(self._fields[name] in (self._records.dtype.names or ()) for name in entry["kinds"])
            and {name for name, kind in entry["kinds"].items() if kind == "text"} == set(codes)
            and isinstance(entry["show_recording"], bool)
        )
        if not sound:
            raise ValueError("the table does not fit its file")

    @property
    def _stem(self) -> str:
        return str(self.entry.get("stem", self.entry["name"]))  # earlier builds called the files as the table

    @cached_property
    def _fields(self) -> dict[str, str]:
        """The field of each column; earlier builds called it as the column."""
        names = list(self.entry["kinds"])
        fields = map(str, range(len(names))) if self.entry.get("by_place") else names
        return {RECORDING: NUMBER} | dict(zip(names, fields, strict=True))

    @property
    def columns(self) -> list[str]:
        """The file's own columns, after the recording where the file itself doesn't name it."""
        return [RECORDING] * self.entry["show_recording"] + list(self.entry["kinds"])

    @cached_property
    def _records(self) -> NDArray[Any]:
        dtype = np.dtype([(name, kind) for name, kind in self.entry["dtype"]])
        return np.memmap(self.folder / f"{self._stem}.rows", dtype, "r", shape=(self.entry["rows"],))

    def page(
        self,
        *,
        offset: int = 0,
        limit: int = 50,
        sort: str | None = None,
        descending: bool = False,
        recording: str | None = None,
        columns: Sequence[str] | None = None,
    ) -> Rows:
        """Return the number of rows there are and one page of them.

        Raises
        ------
        KeyError : no such column or recording.
        """
        low, high = self._range(recording)
        chosen = list(columns or self.columns)
        unknown = [name for name in [*chosen, *([sort] if sort else [])] if name not in self.columns]
        if unknown:
            raise KeyError(f"no column {unknown[0]!r}; there are {', '.join(self.columns[:20])}")
        total = high - low
        offset, stop = max(offset, 0), min(max(offset, 0) + limit, total)
        index: NDArray[Any] = np.arange(offset, stop)
        if sort is None:
            index = index + low
        else:
            order, missing = self._stored_order(sort) if recording is None else self._order(sort, low, high)
            if descending:  # empty cells stay last
                index = np.where(index < total - missing, total - missing - 1 - index, index)
            index = order[index]
        return Rows(total, self.read(index, chosen), index)

    def read(self, index: NDArray[Any], columns: Sequence[str]) -> list[Row]:
        """Return the cells of some rows."""
        return self._plain(np.asarray(self._records[index]), columns)

    def recordings_of(self, index: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return for some rows the number of their recording in the table, and that recording's first row."""
        numbers = np.asarray(self._records[NUMBER][index]).astype(np.int64)
        return numbers, np.array([0, *self.entry["ends"]], np.int64)[numbers]

    def _range(self, recording: str | None) -> tuple[int, int]:
        if recording is None:
            return 0, self.entry["rows"]
        try:
            number = self.entry["recordings"].index(recording)
        except ValueError:
            raise KeyError(f"no recording {recording!r} in this table") from None
        return (self.entry["ends"][number - 1] if number else 0), self.entry["ends"][number]

    def _stored_order(self, column: str) -> tuple[NDArray[np.uint32], int]:
        """Return the order of the whole table, kept on disk after the first time."""
        path = self.folder / f"{self._stem}.{self.columns.index(column)}.order.npy"
        if not path.exists():
            order, missing = self._order(column, 0, self.entry["rows"])
            partial = path.with_name(f"{path.stem}.{os.getpid()}.{threading.get_ident()}.partial.npy")
            try:
                np.save(partial, np.append(np.uint32(missing), order))
                partial.replace(path)
            except BaseException:
                partial.unlink(missing_ok=True)
                raise
        stored = np.load(path, mmap_mode="r")
        return stored[1:], int(stored[0])

    def _order(self, column: str, low: int, high: int) -> tuple[NDArray[np.uint32], int]:
        """Return the rows from low to high in ascending order, and how many empty cells end it."""
        values = np.ascontiguousarray(self._records[self._fields[column]][low:high])
        names = self.entry["recordings"] if column == RECORDING else self.entry["categories"].get(column)
        if names is not None:
            rank = np.empty(len(names) + 1, np.int64)
            rank[np.argsort(np.array(names, dtype=object), kind="stable")] = np.arange(len(names))
            rank[-1] = EMPTY
            values = rank[np.minimum(values, len(names))]
        missing = int((np.isnan(values) if values.dtype.kind == "f" else values == EMPTY).sum())
        return (np.argsort(values, kind="stable") + low).astype(np.uint32), missing

    def _plain(self, records: NDArray[Any], columns: Sequence[str]) -> list[Row]:
        return list(zip(*(self._cells(records, name) for name in columns), strict=True))

    def _cells(self, records: NDArray[Any], column: str) -> list[Any]:
        values = records[self._fields[column]]
        if column == RECORDING:
            return [self.entry["recordings"][code] for code in values.tolist()]
        kind = self.entry["kinds"][column]
        if kind == "text":
            names = self.entry["categories"][column]
            return [names[code] if code != NO_TEXT else None for code in values.tolist()]
        if kind == "integer":
            return [None if value != value or value == EMPTY else int(value) for value in values.tolist()]
        # The shortest text of a float32 is what the file said
        return [None if value != value else float(str(value)) for value in values]
