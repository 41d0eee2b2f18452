"""The batches of a session on disk: nothing is lost when the server is killed, and a session becomes a recording.

A file is a word that says what it is, and records one after the other: length and checksum of the content, its latest
time, the content. Only whole records count: one that was torn by a crash or a full disk is skipped, and cut off before
the next is written.
"""

from __future__ import annotations

import mmap
import os
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np

from app.har.errors import UnreadableData
from app.har.live.batches import Batch, Samples

if TYPE_CHECKING:
    import polars as pl

MAGIC = b"kinelab-live-1\n"
RECORD = struct.Struct("<IIdQ")  # length and CRC-32 of the content, latest time (s), number of the batch
BATTERY = struct.Struct("<fHB")  # NaN where it is not known; length of the session's key; sensors
SENSOR = struct.Struct("<BIB")  # length of its name, samples, axes
# The files of an upload, by sensor: those of Sensor Logger, in its units for every platform
FILES = {
    "acceleration": "TotalAcceleration",
    "movement": "Accelerometer",
    "gravity": "Gravity",
    "rotation": "Gyroscope",
    "magnetometer": "Magnetometer",
    "heart_rate": "HeartRate",
}
METADATA = "version,device name,recording epoch time,platform,standardisation\n3,{name},{start_ms},android,true\n"


class Journal:
    """A session's journal, open to be written.

    Parameters
    ----------
    path : made where it is not there; what is torn at its end is cut off.

    Raises
    ------
    UnreadableData : the file is no journal.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            size = os.fstat(self._file).st_size
            if size < len(MAGIC):
                os.ftruncate(self._file, 0)
                os.pwrite(self._file, MAGIC, 0)
                self._end = len(MAGIC)
            else:
                self._end = max((end for _, _, end in _records(path)), default=len(MAGIC))
                os.ftruncate(self._file, self._end)
        except BaseException:
            os.close(self._file)
            raise

    def append(self, batch: Batch) -> None:
        """Write a batch. Once this returns, it outlives the process.

        Raises
        ------
        OSError : the disk is full, for example; the batch is not in the journal then, and the next may be.
        """
        content = _packed(batch)
        record = RECORD.pack(len(content), zlib.crc32(content), batch.end_s, batch.message_id) + content
        written = os.pwrite(self._file, record, self._end)
        if written < len(record):
            os.ftruncate(self._file, self._end)
            raise OSError(28, f"wrote {written:,} of {len(record):,} bytes")
        self._end += len(record)

    def close(self) -> None:
        """Close the file; its batches are on disk."""
        os.fsync(self._file)
        os.close(self._file)

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def batches(path: Path) -> Iterator[Batch]:
    """Yield the batches of a journal in the order of their numbers, each once."""
    yield from _read(path, [(first, end) for _, first, end in _in_order(path)])


def tail(path: Path, seconds: float) -> list[Batch]:
    """Return the last batches, in the order of their numbers: those of so many seconds, by the device's clock."""
    found = _in_order(path)
    times = [_end_s(header) for header, _, _ in found]
    first = len(found)
    while first and times[first - 1] > times[-1] - seconds:
        first -= 1
    return list(_read(path, [(start, end) for _, start, end in found[first:]]))


def as_upload(path: Path, upload: Path, name: str = "live") -> Path:
    """Write a journal as an archive that is read as any other upload: a table a sensor, each at its own times.

    Parameters
    ----------
    path : of the journal.
    upload : the archive that is made; one that is there is replaced.
    name : of the device.

    Raises
    ------
    UnreadableData : the journal holds no sample.
    """
    found = _in_order(path)
    parts = [(start, end) for _, start, end in found]
    sensors = dict.fromkeys(name for batch in _read(path, parts) for name in batch.sensors)
    known = [sensor for sensor in sensors if sensor.rpartition(".")[2] in FILES]
    if not known:
        raise UnreadableData(f"{name}: nothing was streamed that could be kept.")
    start_s = next(float(own.time_s[0]) for batch in _read(path, parts) for own in batch.sensors.values())
    made = upload.with_name(upload.name + ".part")
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        plain = "".join(letter if letter.isalnum() else " " for letter in name)
        archive.writestr("Metadata.csv", METADATA.format(name=plain, start_ms=round(start_s * 1000)))
        for sensor in known:
            device, _, kind = sensor.rpartition(".")
            with archive.open(f"{device.capitalize()}{FILES[kind]}.csv", "w", force_zip64=True) as file:
                for number, text in enumerate(_tables(_read(path, parts), sensor, start_s)):
                    file.write(text if number else _header(sensor) + text)
    made.replace(upload)
    return upload


def _tables(batches: Iterable[Batch], sensor: str, start_s: float) -> Iterator[bytes]:
    import polars as pl

    for batch in batches:
        own = batch.sensors.get(sensor)
        if own is None or not len(own.time_s):
            continue
        frame: pl.DataFrame = pl.DataFrame(
            {
                "time": np.round(own.time_s * 1e9).astype(np.int64),
                "seconds_elapsed": own.time_s - start_s,
                **{name: own.values[:, i] for i, name in _columns(sensor)},
            }
        )
        yield frame.write_csv(include_header=False).encode()


def _columns(sensor: str) -> Sequence[tuple[int, str]]:
    """Return the axes in the order of the files: z, y, x."""
    return [(0, "bpm")] if sensor.rpartition(".")[2] == "heart_rate" else [(2, "z"), (1, "y"), (0, "x")]


def _header(sensor: str) -> bytes:
    return ",".join(["time", "seconds_elapsed", *(name for _, name in _columns(sensor))]).encode() + b"\n"


def _packed(batch: Batch) -> bytes:
    key = batch.session_key.encode()
    battery = float("nan") if batch.battery is None else batch.battery
    parts = [BATTERY.pack(battery, len(key), len(batch.sensors)), key]
    for name, own in batch.sensors.items():
        word = name.encode()
        parts += [SENSOR.pack(len(word), *own.values.shape), word]
        parts += [own.time_s.astype("<f8").tobytes(), own.values.astype("<f4").tobytes()]
    return b"".join(parts)


def _unpacked(content: bytes, message_id: int) -> Batch:
    battery, key_length, n_sensors = BATTERY.unpack_from(content)
    at = BATTERY.size + key_length
    key = content[BATTERY.size : at].decode()
    sensors = {}
    for _ in range(n_sensors):
        length, n, k = SENSOR.unpack_from(content, at)
        at += SENSOR.size
        name = content[at : at + length].decode()
        at += length
        time_s = np.frombuffer(content, "<f8", n, at).astype(np.float64)
        at += 8 * n
        values = np.frombuffer(content, "<f4", n * k, at).astype(np.float32).reshape(n, k)
        at += 4 * n * k
        sensors[name] = Samples(time_s, values)
    return Batch(message_id, key, sensors, None if np.isnan(battery) else battery)


def _records(path: Path) -> Iterator[tuple[bytes, int, int]]:
    """Yield the header of each whole record, where its content begins and where it ends; the first torn one ends it."""
    with path.open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            raise UnreadableData(f"{path.name}: expected the journal of a live session; it begins otherwise.")
        size = os.fstat(file.fileno()).st_size
        at = len(MAGIC)
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
            while at + RECORD.size <= size:
                header = view[at : at + RECORD.size]
                length, checksum, _, _ = RECORD.unpack(header)
                first, end = at + RECORD.size, at + RECORD.size + length
                if end > size or zlib.crc32(view[first:end]) != checksum:
                    return
                yield header, first, end
                at = end


def _in_order(path: Path) -> list[tuple[bytes, int, int]]:
    found = {RECORD.unpack(header)[3]: (header, first, end) for header, first, end in reversed(list(_records(path)))}
    return [found[number] for number in sorted(found)]


def _end_s(header: bytes) -> float:
    return float(RECORD.unpack(header)[2])


def _read(path: Path, parts: Iterable[tuple[int, int]]) -> Iterator[Batch]:
    with path.open("rb") as file:
        for first, end in parts:
            file.seek(first - RECORD.size)
            header = file.read(RECORD.size)
            yield _unpacked(file.read(end - first), RECORD.unpack(header)[3])
