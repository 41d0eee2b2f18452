"""The signal of an upload on disk, and any part of it thinned for drawing.

``signal.npy`` holds the samples, (n_channels, n_samples); ``stretches.npz`` where each gap-free stretch of them lies;
``overview.npy`` the lowest and highest of every 64 samples, from which days are drawn without reading all of them, and
``magnitudes.npy`` the same of the length of the vector of each sensor that has three axes. Uploads of earlier versions
lack one or both; they are drawn from their samples.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

import numpy as np

from app.har.signals.pages import let_go
from app.har.signals.types import SignalSet, channels_of
from app.har.texts import whole_characters
from app.har.types import FloatArray, IntArray, TimeArray
from app.services import sealing
from app.services.recordings.sensor_names import sensors_of
from app.services.sealing import Key

BLOCK = 64  # samples
CHUNK = 2**20  # samples
BLOCKS_A_CHUNK = CHUNK // BLOCK
NEXT = 2.5  # samples; a stretch that begins so soon after another goes on from it
READ_SAMPLES_UP_TO = 2**18  # in view; of more the overview is enough: four times the points that are drawn


@dataclass(frozen=True)
class _Level:
    """Rows of samples, or of an overview of them, cut into stretches."""

    values: Rows  # (n_channels, n)
    first: IntArray  # (n_stretches,)
    length: IntArray
    start_s: TimeArray
    rate_hz: float

    @property
    def lie(self) -> tuple[TimeArray, IntArray, float]:
        """When the stretches begin, how many samples they have, and how many a second."""
        return self.start_s, self.length, self.rate_hz


def save(folder: Path, signals: SignalSet, key: Key | None) -> None:
    """Write a signal set and its overview, a part at a time: it may be larger than memory.

    Raises
    ------
    OSError : the disk is full, for example.
    """
    with sealing.created(folder / "stretches.npz", key) as file:
        np.savez(
            file,
            first=signals.first,
            length=signals.length,
            recording=signals.recording,
            start_s=signals.start_s,
            recording_ids=np.array(signals.recording_ids),
            channels=np.array(signals.channels),
            sampling_rate_hz=np.array(signals.sampling_rate_hz),
        )
    samples = signals.signal  # (n, n_channels); on disk a channel is a row
    n, n_channels = samples.shape
    starts = _blocks(signals.first, signals.length)
    overview = np.empty((n_channels, len(starts), 2), np.float32)
    # By writing, not through a memory map: where the disk is full, a map ends the whole process by a signal
    with sealing.created(folder / "signal.npy", key) as file:
        _write_header(file, (n_channels, n))
        for channel, pairs in enumerate(overview):
            for first, end, blocks in _chunks(starts, n):
                row = np.ascontiguousarray(samples[first:end, channel], np.float32)
                file.write(row.data)
                _lowest_and_highest(row, starts[blocks] - first, pairs[blocks])
                let_go(samples)
    _write(folder / "overview.npy", overview, key)
    lengths = np.empty((len(triples := _triples(signals.channels)), len(starts), 2), np.float32)
    for axes, pairs in zip(triples.values(), lengths, strict=True):
        for first, end, blocks in _chunks(starts, n):
            _lowest_and_highest(_length(samples[first:end, axes].T), starts[blocks] - first, pairs[blocks])
            let_go(samples)
    _write(folder / "magnitudes.npy", lengths, key)


def _write(path: Path, values: FloatArray, key: Key | None) -> None:
    with sealing.created(path, key) as file:
        _write_header(file, values.shape)
        file.write(values.data)


def _write_header(file: IO[bytes], shape: tuple[int, ...]) -> None:
    header = {"descr": np.lib.format.dtype_to_descr(np.dtype(np.float32)), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)


def _chunks(starts: IntArray, n: int) -> Iterator[tuple[int, int, slice]]:
    """Yield parts of ``n`` samples, of whole blocks each: the first, the one after the last, and which blocks."""
    first = 0
    for block in range(0, len(starts), BLOCKS_A_CHUNK):
        more = block + BLOCKS_A_CHUNK
        end = int(starts[more]) if more < len(starts) else n
        yield first, end, slice(block, more)
        first = end


def _lowest_and_highest(values: FloatArray, starts: IntArray, pairs: FloatArray) -> None:
    """Note of each block the lowest and the highest value; fmin and fmax pass over NaN."""
    pairs[:, 0], pairs[:, 1] = np.fmin.reduceat(values, starts), np.fmax.reduceat(values, starts)


def _triples(channels: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """Return the sensors that have three axes, and where these stand among the channels."""
    of = {sensor: channels_of(sensor) for sensor in sensors_of(channels)}
    return {
        sensor: tuple(channels.index(axis) for axis in axes)
        for sensor, axes in of.items()
        if len(axes) == 3 and set(axes) <= set(channels)
    }


def _length(axes: FloatArray) -> FloatArray:
    """Return the length of vectors, (n,), from their axes, (3, n)."""
    return np.asarray(np.sqrt(np.square(axes).sum(axis=0)), np.float32)


def _blocks(first: IntArray, length: IntArray) -> IntArray:
    """Return the first sample of each block; none reaches over the end of a stretch."""
    counts = -(-length // BLOCK)
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.asarray(np.repeat(first, counts) + BLOCK * within, np.int64)


class Rows:
    """Rows of numbers in a file, (n_rows, n): any part of one is read alone, and nothing is kept of it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with sealing.opened(path) as file:
            np.lib.format.read_magic(file)
            shape, _, self._dtype = np.lib.format.read_array_header_1_0(file)
            self._begin = file.tell()
        self.shape = shape[0], int(np.prod(shape[1:]))

    def read(self, row: int, spans: Sequence[tuple[int, int]]) -> FloatArray:
        """Return parts of a row, each from its first number to before its last, one after the other.

        Raises
        ------
        OSError : it cannot be read, or is cut off.
        """
        values = np.empty(sum(end - first for first, end in spans), self._dtype)
        data, done, width = values.view(np.uint8).data, 0, values.itemsize
        with sealing.opened(self._path) as file:
            for first, end in spans:
                part = data[done : done + width * (end - first)]
                file.seek(self._begin + width * (row * self.shape[1] + first))
                if file.readinto(part) != len(part):  # type: ignore[attr-defined]
                    raise sealing.Broken(f"{self._path.name} was cut off")
                done += len(part)
        return values


class StoredSignal:
    """What `save` wrote of one recording in the folder of an upload."""

    def __init__(self, folder: Path, recording_id: str) -> None:
        table = stretches(folder)
        names = np.array([whole_characters(str(name)) for name in table["recording_ids"]])
        selected = np.flatnonzero(names[table["recording"]] == recording_id)
        selected = selected[np.argsort(table["start_s"][selected], kind="stable")]
        self.channels = tuple(map(str, table["channels"]))
        rate, start_s, length = float(table["sampling_rate_hz"]), table["start_s"][selected], table["length"][selected]
        samples = Rows(folder / "signal.npy")
        self._samples = self._overview = _Level(samples, table["first"][selected], length, start_s, rate)
        self._ends_s = start_s + (length - 1) / rate
        # A sensor that runs on where another stops is cut in stretches without a gap between them
        self._run = np.cumsum(np.append(0, start_s[1:] - self._ends_s[:-1] > NEXT / rate)[: len(selected)])
        if (folder / "overview.npy").exists():
            counts = -(-table["length"] // BLOCK)
            first = 2 * (np.cumsum(counts) - counts)[selected]
            start = start_s + BLOCK / rate / 4  # the lowest stands a quarter, the highest three quarters into a block
            self._overview = _Level(Rows(folder / "overview.npy"), first, 2 * counts[selected], start, 2 * rate / BLOCK)
        self.triples = _triples(self.channels)
        self._lengths: Rows | None = None  # of vectors, as the overview has them
        if (folder / "magnitudes.npy").exists():
            self._lengths = Rows(folder / "magnitudes.npy")

    @property
    def extent_s(self) -> tuple[float, float]:
        """The moments of the first and the last sample; (inf, -inf) where the model could not use the recording."""
        return float(self._samples.start_s.min(initial=np.inf)), float(self._ends_s.max(initial=-np.inf))

    def magnitudes(self, start_s: float, end_s: float, points: int) -> list[dict[str, Any]]:
        """Return what `view` does of the length of the vector of each sensor that has three axes; by ``sensor``."""
        level, ranges = self._samples, _ranges(*self._samples.lie, start_s, end_s)
        if sum(b - a for _, a, b in ranges) > READ_SAMPLES_UP_TO and self._lengths is not None:
            level = replace(self._overview, values=self._lengths)
            ranges = _ranges(*level.lie, start_s, end_s)
        return [
            {"sensor": sensor, **self._thinned(level, axes if level is self._samples else row, ranges, points)}
            for row, (sensor, axes) in enumerate(self.triples.items())
            if not self._lacks(axes[0])
        ]

    def view(self, start_s: float, end_s: float, points: dict[str, int]) -> list[dict[str, Any]]:
        """Return what to draw between two moments: ``channel``, ``time_s`` and ``values`` of each channel.

        A channel of ``n`` points at most keeps the lowest and the highest sample of each of ``n / 2`` stripes of equal
        length. A None among the values is a break: a gap in the recording, or missing samples. A channel that the whole
        recording lacks, or of which no points are asked for, is left out.
        """
        level, ranges = self._samples, _ranges(*self._samples.lie, start_s, end_s)
        if sum(b - a for _, a, b in ranges) > READ_SAMPLES_UP_TO:
            level, ranges = self._overview, _ranges(*self._overview.lie, start_s, end_s)
        return [
            {"channel": channel, **self._thinned(level, row, ranges, points[channel])}
            for row, channel in enumerate(self.channels)
            if channel in points and not self._lacks(row)
        ]

    def pieces(
        self, channels: Sequence[str], spans: Sequence[tuple[float, float]]
    ) -> tuple[FloatArray, list[tuple[int, float, int]]]:
        """Return what there is in spans of time: samples, (n, n_channels), one piece without a gap after the other.

        Of each piece: which span it is of, its first moment, and how many samples it has.
        """
        level = self._samples
        found = [(i, *part) for i, (start, end) in enumerate(spans) for part in _ranges(*level.lie, start, end)]
        places = [(int(level.first[stretch]) + a, int(level.first[stretch]) + b) for _, stretch, a, b in found]
        rows = [level.values.read(self.channels.index(channel), places) for channel in channels]
        pieces = [(i, float(level.start_s[stretch]) + a / level.rate_hz, b - a) for i, stretch, a, b in found]
        return np.stack(rows, axis=1), pieces

    @property
    def sampling_rate_hz(self) -> float:
        return self._samples.rate_hz

    def _lacks(self, row: int) -> bool:
        values, spans = self._overview.values, zip(self._overview.first, self._overview.length, strict=True)
        return all(
            np.isnan(values.read(row, [(first, first + 1)])[0])
            and np.isnan(values.read(row, [(first, first + length)])).all()
            for first, length in spans
        )

    def _thinned(
        self, level: _Level, row: int | tuple[int, ...], ranges: list[tuple[int, int, int]], points: int
    ) -> dict[str, Any]:
        """Thin one channel over all stretches at once, so that many short ones cannot add up to many points.

        Of several rows, it is the length of their vector.
        """
        if not ranges:
            return {"time_s": [], "values": []}
        spans = [(int(level.first[i]) + a, int(level.first[i]) + b) for i, a, b in ranges]
        if isinstance(row, int):
            values = level.values.read(row, spans)
        else:
            values = _length(np.stack([level.values.read(axis, spans) for axis in row]))
        there = np.flatnonzero(~np.isnan(values))
        values = values if len(there) == len(values) else values[there]
        run = self._run[[i for i, _, _ in ranges]]
        n_breaks = int(run[-1] - run[0]) + int(np.count_nonzero(np.diff(there) > 1))  # each takes a point, too
        room = points - min(n_breaks, points // 2)
        kept = lowest_and_highest(values, room)
        lengths = np.array([b - a for _, a, b in ranges])
        offsets = np.cumsum(lengths) - lengths
        piece = np.searchsorted(offsets, there[kept], side="right") - 1
        stretch, start = np.array([(i, a) for i, a, _ in ranges])[piece].T
        time_s = level.start_s[stretch] + (there[kept] - offsets[piece] + start) / level.rate_hz
        time_s = np.minimum(time_s, self._ends_s[stretch])  # the last block of an overview may be a short one
        breaks = np.flatnonzero(np.diff(run[piece] + there[kept] - kept)) + 1  # another run, or missing samples before
        shown = np.insert(values[kept].astype(np.float64), breaks, np.nan).round(4).tolist()
        return {
            "time_s": np.insert(time_s, breaks, time_s[breaks]).round(3).tolist(),
            "values": [None if value != value else value for value in shown],
        }


class HeldSignal:
    """The same of a signal that is in memory, as far as steps are counted in it."""

    def __init__(self, signals: SignalSet, recording_id: str) -> None:
        own = np.flatnonzero(np.array(signals.recording_ids)[signals.recording] == recording_id)
        own = own[np.argsort(signals.start_s[own], kind="stable")]
        self._signal, self._first, self._length = signals.signal, signals.first[own], signals.length[own]
        self._start_s = signals.start_s[own]
        self.channels, self.sampling_rate_hz = signals.channels, signals.sampling_rate_hz

    def pieces(
        self, channels: Sequence[str], spans: Sequence[tuple[float, float]]
    ) -> tuple[FloatArray, list[tuple[int, float, int]]]:
        """Return what `StoredSignal.pieces` does."""
        rate, columns = self.sampling_rate_hz, [self.channels.index(channel) for channel in channels]
        lie = self._start_s, self._length, rate
        found = [(i, *part) for i, (start, end) in enumerate(spans) for part in _ranges(*lie, start, end)]
        first = self._first.tolist()
        parts = [self._signal[first[stretch] + a : first[stretch] + b, columns] for _, stretch, a, b in found]
        pieces = [(i, float(self._start_s[stretch]) + a / rate, b - a) for i, stretch, a, b in found]
        return np.concatenate([self._signal[:0, columns], *parts]), pieces


def stretches(folder: Path) -> dict[str, Any]:
    """Return where the gap-free stretches of a stored signal lie, and of which recordings they are."""
    with sealing.opened(folder / "stretches.npz") as file, np.load(file, allow_pickle=False) as stored:
        return dict(stored)


def _ranges(
    starts: TimeArray, length: IntArray, rate_hz: float, start_s: float, end_s: float
) -> list[tuple[int, int, int]]:
    """Return the stretches in view, each with its first sample and the one after its last, counted in the stretch."""
    a = np.clip(np.floor((start_s - starts) * rate_hz), 0, length).astype(np.int64)
    b = np.clip(np.ceil((end_s - starts) * rate_hz) + 1, 0, length).astype(np.int64)
    seen = np.flatnonzero(b > a)
    return list(zip(seen.tolist(), a[seen].tolist(), b[seen].tolist(), strict=True))


def lowest_and_highest(values: FloatArray, points: int) -> IntArray:
    """Return the positions of the lowest and the highest value of each of ``points / 2`` equal stripes."""
    from tsdownsample import MinMaxDownsampler

    if len(values) <= points:
        return np.arange(len(values))
    kept: IntArray = MinMaxDownsampler().downsample(values, n_out=max(2, points // 2 * 2)).astype(np.int64)
    return kept[np.diff(kept, prepend=-1) > 0]  # of a constant stripe, the lowest is the highest
