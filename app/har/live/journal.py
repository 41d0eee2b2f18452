"""The journal of a live session: its batches one after the other, from which it goes on, and becomes a recording.

A record is a head of 16 bytes (mark, lengths, CRC-32, all little-endian), a line of JSON that describes the batch, and
its arrays. It is written at once: a record that is torn, because the machine stopped, does not pass its check, and is
left out. No pickle.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np
from numpy.typing import NDArray

from app.har.live.batches import AXES, PULSE, Batch, Samples

MARK = b"KLJ1"
HEAD = struct.Struct("<4sIII")  # mark, bytes of the description, bytes of the arrays, CRC-32 of both
LARGEST = 64 * 2**20  # bytes of a record; what claims more is damaged
TIMES, VALUES = np.dtype("<f8"), np.dtype("<f4")


def append(path: Path, batch: Batch) -> int:
    """Write a batch at the end of a file; return how many bytes that took.

    Raises
    ------
    OSError : there is no room for all of it; what was written of it is no record.
    """
    shapes = {name: list(own.values.shape) for name, own in batch.sensors.items()}
    description = {"id": batch.message_id, "key": batch.session_key, "battery": batch.battery, "shapes": shapes}
    text = json.dumps(description, separators=(",", ":")).encode()
    arrays = b"".join(
        np.ascontiguousarray(own.time_s, TIMES).tobytes() + np.ascontiguousarray(own.values, VALUES).tobytes()
        for own in batch.sensors.values()
    )
    record = HEAD.pack(MARK, len(text), len(arrays), zlib.crc32(arrays, zlib.crc32(text))) + text + arrays
    with path.open("ab", buffering=0) as file:
        written = file.write(record)
        if written != len(record):
            raise OSError(28, "No space left on device")
    return written


def read(path: Path) -> Iterator[Batch]:
    """Yield the batches of a file; records that are damaged are left out."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return
    place = data.find(MARK)
    while 0 <= place <= len(data) - HEAD.size:
        _, n_text, n_arrays, check = HEAD.unpack_from(data, place)
        end = place + HEAD.size + n_text + n_arrays
        body = data[place + HEAD.size : end]
        if n_text + n_arrays > LARGEST or end > len(data) or zlib.crc32(body) != check:
            place = data.find(MARK, place + 1)
            continue
        yield _batch(body[:n_text], body[n_text:])
        place = data.find(MARK, end)


def _batch(text: bytes, arrays: bytes) -> Batch:
    description, place, sensors = json.loads(text), 0, {}
    for name, (n, k) in description["shapes"].items():
        time_s = np.frombuffer(arrays, TIMES, n, place)
        values = np.frombuffer(arrays, VALUES, n * k, place + n * TIMES.itemsize).reshape(n, k)
        sensors[name] = Samples(time_s, values)
        place += n * (TIMES.itemsize + k * VALUES.itemsize)
    return Batch(description["id"], description["key"], sensors, description["battery"])


# --- the recording that a session becomes

ENDING = ".zip"  # of a recording: Sensor Logger's export, one table a sensor, each at its own times
TABLES = {
    "acceleration": "TotalAcceleration",
    "movement": "Accelerometer",
    "gravity": "Gravity",
    "rotation": "Gyroscope",
    "magnetometer": "Magnetometer",
    "heart_rate": "HeartRate",
}
LATEST_S = 60.0  # by which a batch may be late


def write_recording(paths: Sequence[Path], target: Path) -> None:
    """Write the batches of a session, in the order of time, as a recording that an upload reads.

    Parameters
    ----------
    paths : the files of its journal, in their order; one is in memory at a time.
    target : its name ends in `ENDING`.
    """
    with (
        TemporaryDirectory(dir=target.parent) as folder,
        ZipFile(target, "w", ZIP_DEFLATED, compresslevel=1) as archive,
    ):
        tables: dict[str, _Table] = {}
        for path in paths:
            for batch in read(path):
                for name, samples in batch.sensors.items():
                    if name not in tables:
                        tables[name] = _Table(Path(folder) / f"{_title(name)}.csv", samples.values.shape[1])
                    tables[name].add(samples)
            for table in tables.values():
                table.write(LATEST_S)
        for table in tables.values():
            table.write(0.0)
            archive.write(table.path, table.path.name)
        archive.writestr("Metadata.csv", "version,platform,standardisation\n3,android,false\n")


def _title(name: str) -> str:
    device, _, sensor = name.rpartition(".")
    return f"{device.capitalize()}{TABLES[sensor]}"


class _Table:
    """The samples of one sensor on their way to a file."""

    def __init__(self, path: Path, n_columns: int) -> None:
        self.path = path
        self._columns = ("z", "y", "x") if n_columns == len(AXES) else PULSE
        self._waiting: list[Samples] = []
        self._first: float | None = None
        self._last = -np.inf
        path.write_text(f"time,seconds_elapsed,{','.join(self._columns)}\n", encoding="ascii")

    def add(self, samples: Samples) -> None:
        self._waiting.append(samples)

    def write(self, latest_s: float) -> None:
        """Write what is older than what may still come, each moment once."""
        if not self._waiting:
            return
        time_s = np.concatenate([own.time_s for own in self._waiting])
        values = np.concatenate([own.values for own in self._waiting])
        order = np.argsort(time_s, kind="stable")
        time_s, values = time_s[order], values[order]
        ready = (time_s <= time_s[-1] - latest_s) if latest_s else np.ones(len(time_s), bool)
        self._waiting = [Samples(time_s[~ready], values[~ready])]
        ready &= np.diff(time_s, prepend=-np.inf) > 0
        ready &= time_s > self._last
        if ready.any():
            self._append(time_s[ready], values[ready])

    def _append(self, time_s: NDArray[np.float64], values: NDArray[np.float32]) -> None:
        import polars as pl

        self._last = float(time_s[-1])
        self._first = float(time_s[0]) if self._first is None else self._first
        columns: dict[str, NDArray[Any]] = {
            "time": np.round(time_s * 1e9).astype(np.int64),
            "seconds_elapsed": time_s - self._first,
        }
        by_axis = values[:, ::-1] if len(self._columns) == len(AXES) else values
        columns |= {name: np.ascontiguousarray(by_axis[:, i]) for i, name in enumerate(self._columns)}
        with self.path.open("ab") as file:
            pl.DataFrame(columns).write_csv(file, include_header=False)
