"""Where the samples of a resampled recording go: into memory, or of a long one into a file without a name."""

from __future__ import annotations

import errno
import os
from tempfile import TemporaryFile

import numpy as np

from app.har.types import FloatArray

IN_MEMORY_BYTES = 64 * 2**20  # beyond, a signal need not be in memory a second time beside its own samples


class Samples:
    """Samples (n, n_channels), written in any order, by several threads at once; the end of the context closes them."""

    def __init__(self, n: int, n_channels: int) -> None:
        self._shape = n, n_channels
        self._row_bytes = 4 * n_channels
        on_disk = n * self._row_bytes > IN_MEMORY_BYTES
        self._file = TemporaryFile(buffering=0) if on_disk else None  # noqa: SIM115  `__exit__` closes it
        self._array = np.empty(self._shape if self._file is None else (0, n_channels), np.float32)

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
        elif os.pwrite(self._file.fileno(), block.data, first * self._row_bytes) < block.nbytes:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def finish(self) -> FloatArray:
        """Return all samples, each of which was written; those of a file as a read-only memory map."""
        if self._file is None:
            return self._array
        return np.asarray(np.memmap(self._file, np.float32, "r", shape=self._shape))
