"""Samples as they come out of a device's file, a part at a time: in memory, or of days in a file without a name."""

from __future__ import annotations

import errno
import os
from tempfile import TemporaryFile

import numpy as np

from app.har.types import FloatArray, TimeArray

IN_MEMORY_BYTES = 320 * 2**20  # a day of three axes at 100 Hz takes 165; beyond, not all has to be in memory at once
TIME_BYTES, VALUE_BYTES = 8, 4


class Gathered:
    """The samples of sensors that share a clock.

    Each axis has a place of its own, one behind the other: what is asked of a recording is asked an axis at a time.
    """

    def __init__(self, n_channels: int, at_most: int) -> None:
        """Make room for so many samples; what is never written to takes none."""
        self._n_channels, self._at_most, self.n = n_channels, at_most, 0
        on_disk = at_most * (TIME_BYTES + n_channels * VALUE_BYTES) > IN_MEMORY_BYTES
        self._file = TemporaryFile(buffering=0) if on_disk else None  # noqa: SIM115  closed with what is mapped from it
        room = 0 if on_disk else at_most
        self._time: TimeArray = np.empty(room, np.float64)
        self._values: FloatArray = np.empty((n_channels, room), np.float32)

    def add(self, time_s: TimeArray, values: FloatArray) -> None:
        """Take the next samples.

        Parameters
        ----------
        time_s : (n,)
        values : (n_channels, n)

        Raises
        ------
        OSError : the disk is full, for example.
        """
        first, end = self.n, self.n + len(time_s)
        if self._file is None:
            self._time[first:end] = time_s
            self._values[:, first:end] = values
        else:
            self._write(TIME_BYTES * first, np.ascontiguousarray(time_s, np.float64))
            for number, axis in enumerate(values):
                place = self._start(number) + VALUE_BYTES * first
                self._write(place, np.ascontiguousarray(axis, np.float32))
        self.n = end

    def _start(self, axis: int) -> int:
        return self._at_most * (TIME_BYTES + VALUE_BYTES * axis)

    def _write(self, place: int, part: FloatArray | TimeArray) -> None:
        assert self._file is not None  # noqa: S101  asked by who writes to it
        if os.pwrite(self._file.fileno(), part.data, place) < part.nbytes:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def finish(self) -> tuple[TimeArray, FloatArray]:
        """Return all times (n,) and values (n, n_channels); those of a file as read-only memory maps."""
        n = self.n
        if self._file is None or not n:
            return self._time[:n], self._values[:, :n].T
        self._file.truncate(self._start(self._n_channels))
        shape = (self._n_channels, self._at_most)
        time = np.asarray(np.memmap(self._file, np.float64, "r", shape=(n,)))
        values = np.asarray(np.memmap(self._file, np.float32, "r", offset=self._start(0), shape=shape))
        self._file.close()
        return time, values[:, :n].T
