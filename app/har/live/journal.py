"""The journal of a live session: its batches one after the other, from which it goes on, and becomes a recording.

A record is a head of 16 bytes (mark, lengths, CRC-32, all little-endian), a line of JSON that describes the batch, and
its arrays. It is written at once: a record that is torn, because the machine stopped, does not pass its check, and is
left out. No pickle. Where a record is sealed, what follows its head can be read by who has the key alone.
"""

from __future__ import annotations

import json
import re
import shutil
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any, TypeAlias
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np
from numpy.typing import NDArray

from app.har.live.batches import AXES, SINGLES, Batch, Samples

PLAIN, SEALED = MARKS = b"KLJ1", b"KLJ2"
HEAD = struct.Struct("<4sIII")  # mark, bytes of the description, bytes of what follows it, CRC-32 of all that
ANY_MARK = re.compile(b"|".join(MARKS))
LARGEST = 64 * 2**20  # bytes of a record; what claims more is damaged
TIMES, VALUES = np.dtype("<f8"), np.dtype("<f4")


Turned: TypeAlias = Callable[[bytes], bytes]  # seals bytes, or opens what was sealed


def append(path: Path, batch: Batch, seal: Turned | None = None) -> int:
    """Write a batch at the end of a file, sealed where it is said how; return how many bytes that took.

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
    record = HEAD.pack(PLAIN, len(text), len(arrays), zlib.crc32(arrays, zlib.crc32(text))) + text + arrays
    if seal is not None:
        body = seal(record)
        record = HEAD.pack(SEALED, 0, len(body), zlib.crc32(body)) + body
    with path.open("ab", buffering=0) as file:
        written = file.write(record)
        if written != len(record):
            raise OSError(28, "No space left on device")
    return written


def read(path: Path, unseal: Turned | None = None) -> Iterator[Batch]:
    """Yield the batches of a file; records that are damaged, or cannot be unsealed, are left out."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return
    for mark, text, rest in _records(data):
        if mark == PLAIN:
            yield _batch(text, rest)
        elif unseal is not None:
            with suppress(OSError):
                yield from (_batch(text, arrays) for _, text, arrays in _records(unseal(rest)))


def plain_records(path: Path, unseal: Turned) -> Iterator[bytes]:
    """Yield the records of a file as they are where none is sealed; those that cannot be unsealed are left out."""
    for mark, text, rest in _records(path.read_bytes()):
        if mark == PLAIN:
            yield HEAD.pack(PLAIN, len(text), len(rest), zlib.crc32(rest, zlib.crc32(text))) + text + rest
        else:
            with suppress(OSError):
                yield unseal(rest)


def is_plain(path: Path) -> bool:
    """Tell whether any record of a file is not sealed."""
    return any(mark == PLAIN for mark, _, _ in _records(path.read_bytes()))


def _records(data: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Yield the mark of each record that is whole, its description, and what follows."""
    place = 0
    while (found := ANY_MARK.search(data, place)) and found.start() <= len(data) - HEAD.size:
        place = found.start()
        mark, n_text, n_rest, check = HEAD.unpack_from(data, place)
        end = place + HEAD.size + n_text + n_rest
        body = data[place + HEAD.size : end]
        if n_text + n_rest > LARGEST or end > len(data) or zlib.crc32(body) != check:
            place += 1
            continue
        yield mark, body[:n_text], body[n_text:]
        place = end


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
    "pressure": "Barometer",
}
COPY_BYTES = 2**20
LATEST_S = 60.0  # by which a batch may be late


@dataclass(frozen=True)
class Files:
    """How the files on the way to a recording, and it, are written and read again."""

    create: Callable[[Path], AbstractContextManager[IO[bytes]]]
    open: Callable[[Path], IO[bytes]]
    unseal: Turned | None


PLAIN_FILES = Files(lambda path: path.open("xb"), lambda path: path.open("rb"), None)


def write_recording(paths: Sequence[Path], target: Path, files: Files = PLAIN_FILES) -> None:
    """Write the batches of a session, in the order of time, as a recording that an upload reads.

    Parameters
    ----------
    paths : the files of its journal, in their order; one is in memory at a time.
    target : its name ends in `ENDING`.
    files : how they are written, where not plain.
    """
    with (
        TemporaryDirectory(dir=target.parent) as folder,
        files.create(target) as written,
        ZipFile(written, "w", ZIP_DEFLATED, compresslevel=1) as archive,
    ):
        tables: dict[str, _Table] = {}
        with ExitStack() as stack:
            for path in paths:
                for batch in read(path, files.unseal):
                    for name, samples in batch.sensors.items():
                        if name not in tables:
                            own = Path(folder) / f"{_title(name)}.csv"
                            file = stack.enter_context(files.create(own))
                            tables[name] = _Table(own, file, SINGLES.get(name, AXES[::-1]))
                        tables[name].add(samples)
                for table in tables.values():
                    table.write(LATEST_S)
            for table in tables.values():
                table.write(0.0)
        for table in tables.values():
            with files.open(table.path) as text, archive.open(table.path.name, "w", force_zip64=True) as member:
                shutil.copyfileobj(text, member, COPY_BYTES)
        archive.writestr("Metadata.csv", "version,platform,standardisation\n3,android,false\n")


def _title(name: str) -> str:
    device, _, sensor = name.rpartition(".")
    return f"{device.capitalize()}{TABLES[sensor]}"


class _Table:
    """The samples of one sensor on their way to a file."""

    def __init__(self, path: Path, file: IO[bytes], columns: Sequence[str]) -> None:
        self.path, self._file = path, file
        self._columns = columns
        self._waiting: list[Samples] = []
        self._first: float | None = None
        self._last = -np.inf
        file.write(f"time,seconds_elapsed,{','.join(self._columns)}\n".encode())

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
        by_axis = values[:, ::-1]  # one column stays as it is
        columns |= {name: np.ascontiguousarray(by_axis[:, i]) for i, name in enumerate(self._columns)}
        self._file.write(pl.DataFrame(columns).write_csv(include_header=False).encode())
