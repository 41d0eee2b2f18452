"""The rows as recorded, on disk: fixed-width records, memory-mapped, with a sort index for a column made on demand."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from app.har.recordings.parts import Matrix

if TYPE_CHECKING:
    import polars as pl

RECORDING = "recording"
EMPTY = 2**63 - 1  # stands for an empty cell of whole numbers; sorts last, as NaN does
Row = tuple[Any, ...]


@dataclass
class RowWriter:
    """Appends data frames to one table; text is stored as codes."""

    folder: Path
    name: str
    show_recording: bool
    rows: int = 0
    ends: list[int] = field(default_factory=list)  # row after the last of each recording
    recordings: list[str] = field(default_factory=list)
    kinds: dict[str, str] = field(default_factory=dict)  # column -> "float", "integer" or "text"
    categories: dict[str, dict[str, int]] = field(default_factory=dict)
    dtype: np.dtype[Any] | None = None
    file: IO[bytes] | None = None

    def append(self, frame: pl.DataFrame | Matrix, recordings: Sequence[str]) -> None:
        """Add rows; they belong to one recording, or row by row to as many recordings."""
        if self.dtype is None:
            self._begin(frame)
        if not self.file or self.dtype is None:
            raise ValueError(f"table {self.name} is closed")
        own = len(frame) if len(recordings) == 1 else 1
        number = (len(self.recordings) + np.arange(len(frame)) // max(own, 1)).astype(np.uint32)
        self.ends.extend(range(self.rows + own, self.rows + len(frame) + 1, own))
        self.recordings.extend(recordings)
        self.rows += len(frame)
        if isinstance(frame, Matrix):
            records = np.column_stack((number.view(np.float32), frame.values)).view(self.dtype)
        else:
            records = self._records(frame, number, self.dtype)
        self.file.write(records.data)

    def _begin(self, frame: pl.DataFrame | Matrix) -> None:
        import polars as pl

        columns = dict.fromkeys(frame.columns, pl.Float32()) if isinstance(frame, Matrix) else frame.schema
        for name, kind in columns.items():
            self.kinds[name] = (
                "text" if kind in (pl.String, pl.Categorical) else "integer" if kind.is_integer() else "float"
            )
            if self.kinds[name] == "text":
                self.categories[name] = {}
        stored = {"text": "u4", "integer": "i8", "float": "f4"}
        self.dtype = np.dtype(
            [
                ("#", "u4"),
                *((name, "f8" if kind == pl.Float64 else stored[self.kinds[name]]) for name, kind in columns.items()),
            ]
        )
        self.file = (self.folder / f"{self.name}.rows").open("wb")

    def _records(self, frame: pl.DataFrame, number: NDArray[np.uint32], dtype: np.dtype[Any]) -> NDArray[Any]:
        import polars as pl

        records = np.empty(len(frame), dtype)
        records["#"] = number
        for name in frame.columns:
            column = frame[name]
            if self.kinds[name] == "text":
                codes, column = self.categories[name], column.cast(pl.String)
                for value in column.unique(maintain_order=True):
                    codes.setdefault(value or "", len(codes))
                records[name] = column.fill_null("").replace_strict(codes, return_dtype=pl.UInt32).to_numpy()
            else:
                records[name] = (column.fill_null(EMPTY) if self.kinds[name] == "integer" else column).to_numpy()
        return records

    def close(self) -> dict[str, Any]:
        """Finish the file; return what RowTable needs to open it."""
        if self.file:
            self.file.close()
        return {
            "name": self.name,
            "rows": self.rows,
            "ends": self.ends,
            "recordings": self.recordings,
            "kinds": self.kinds,
            "categories": {name: list(codes) for name, codes in self.categories.items()},
            "dtype": self.dtype.descr if self.dtype is not None else [],
            "show_recording": self.show_recording,
        }


@dataclass(frozen=True)
class RowTable:
    """A table as recorded, paged and sorted without reading it whole."""

    folder: Path
    entry: dict[str, Any]

    @property
    def columns(self) -> list[str]:
        """The file's own columns, after the recording where the file itself doesn't name it."""
        return [RECORDING] * self.entry["show_recording"] + list(self.entry["kinds"])

    @cached_property
    def _records(self) -> NDArray[Any]:
        dtype = np.dtype([(name, kind) for name, kind in self.entry["dtype"]])
        return np.memmap(self.folder / f"{self.entry['name']}.rows", dtype, "r", shape=(self.entry["rows"],))

    def page(
        self,
        *,
        offset: int = 0,
        limit: int = 50,
        sort: str | None = None,
        descending: bool = False,
        recording: str | None = None,
        columns: Sequence[str] | None = None,
    ) -> tuple[int, list[Row]]:
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
        return total, self._plain(np.asarray(self._records[index]), chosen)

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
        path = self.folder / f"{self.entry['name']}.{self.columns.index(column)}.order.npy"
        if not path.exists():
            order, missing = self._order(column, 0, self.entry["rows"])
            partial = path.with_name(f"{path.stem}.{os.getpid()}.{threading.get_ident()}.partial.npy")
            np.save(partial, np.append(np.uint32(missing), order))
            partial.replace(path)
        stored = np.load(path, mmap_mode="r")
        return stored[1:], int(stored[0])

    def _order(self, column: str, low: int, high: int) -> tuple[NDArray[np.uint32], int]:
        """Return the rows from low to high in ascending order, and how many empty cells end it."""
        values = np.ascontiguousarray(self._records["#" if column == RECORDING else column][low:high])
        names = self.entry["recordings"] if column == RECORDING else self.entry["categories"].get(column)
        if names is not None:
            rank = np.empty(len(names), np.uint32)
            rank[np.argsort(np.array(names))] = np.arange(len(names))
            values = rank[values]
        missing = int((np.isnan(values) if values.dtype.kind == "f" else values == EMPTY).sum())
        return (np.argsort(values, kind="stable") + low).astype(np.uint32), missing

    def _plain(self, records: NDArray[Any], columns: Sequence[str]) -> list[Row]:
        return list(zip(*(self._cells(records, name) for name in columns), strict=True))

    def _cells(self, records: NDArray[Any], column: str) -> list[Any]:
        values = records["#" if column == RECORDING else column]
        if column == RECORDING:
            return [self.entry["recordings"][code] for code in values.tolist()]
        kind = self.entry["kinds"][column]
        if kind == "text":
            return [self.entry["categories"][column][code] for code in values.tolist()]
        if kind == "integer":
            return [None if value != value or value == EMPTY else int(value) for value in values.tolist()]
        # The shortest text of a float32 is what the file said
        return [None if value != value else float(str(value)) for value in values]
