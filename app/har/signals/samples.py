"""Where what is made of a recording goes: into memory, or of a long one into a file without a name."""

from __future__ import annotations

import errno
import os
from tempfile import TemporaryFile
from typing import IO

import numpy as np

from app.har.types import FloatArray

IN_MEMORY_BYTES = 64 * 2**20  # beyond, a signal need not be in memory a second time beside its own samples


class Samples:
    """Samples (n, n_channels), written in any order, by several threads at once; the end of the context closes them."""

    def __init__(self, n: int, n_channels: int, *, by_axis: bool = False) -> None:
        """Make room.

        Parameters
        ----------
        by_axis : those of an axis lie together, as recordings have them, and not those of a moment.
        """
        self._shape, self._by_axis = (n, n_channels), by_axis
        self._row_bytes = 4 * n_channels
        on_disk = n * self._row_bytes > IN_MEMORY_BYTES
        self._file = TemporaryFile(buffering=0) if on_disk else None  # noqa: SIM115  `__exit__` closes it
        room = (0 if on_disk else n), n_channels
        self._array: FloatArray = np.empty(room[::-1], np.float32).T if by_axis else np.empty(room, np.float32)

    def __enter__(self) -> Samples:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def write(self, first: int, block: FloatArray) -> None:
        """Put a block in its place, from the row `first` on.

        Raises
        ------
        OSError : the disk is full, for example.
        """
        if self._file is None:
            self._array[first : first + len(block)] = block
        elif self._by_axis:
            for number, axis in enumerate(block.T):
                self._write(4 * (number * self._shape[0] + first), np.ascontiguousarray(axis))
        else:
            self._write(first * self._row_bytes, block)

    def _write(self, place: int, part: FloatArray) -> None:
        assert self._file is not None  # noqa: S101  asked by who writes to it
        if os.pwrite(self._file.fileno(), part.data, place) < part.nbytes:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def finish(self) -> FloatArray:
        """Return all samples, each of which was written; those of a file as a read-only memory map."""
        if self._file is None:
            return self._array
        if self._by_axis:
            return np.asarray(np.memmap(self._file, np.float32, "r", shape=self._shape[::-1])).T
        return np.asarray(np.memmap(self._file, np.float32, "r", shape=self._shape))


class Rows:
    """Rows of numbers (n, n_columns) that come one block after another, nobody knows how many."""

    def __init__(self, n_columns: int) -> None:
        self._n_columns, self._n = n_columns, 0
        self._blocks: list[FloatArray] = []
        self._file: IO[bytes] | None = None

    def append(self, block: FloatArray) -> None:
        """Take the next rows.

        Raises
        ------
        OSError : the disk is full, for example.
        """
        self._n += len(block)
        self._blocks.append(block)
        if self._file is None and 4 * self._n * self._n_columns > IN_MEMORY_BYTES:
            self._file = TemporaryFile()  # noqa: SIM115  `finish` closes it
        if self._file is not None:
            for waiting in self._blocks:
                self._file.write(np.ascontiguousarray(waiting, np.float32).data)
            self._blocks.clear()

    def finish(self) -> FloatArray:
        """Return all rows; those of a file as a read-only memory map."""
        if self._file is None:
            return np.concatenate([np.empty((0, self._n_columns), np.float32), *self._blocks])
        self._file.flush()
        rows = np.memmap(self._file, np.float32, "r", shape=(self._n, self._n_columns))
        self._file.close()
        return np.asarray(rows)
