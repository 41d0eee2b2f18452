"""The signal of an upload on disk, and any part of it thinned for drawing.

``signal.npy`` holds the samples, (n_channels, n_samples); ``stretches.npz`` where each gap-free stretch of them lies;
``overview.npy`` the lowest and highest of every 64 samples, from which days are drawn without reading all of them, and
``magnitudes.npy`` the same of the length of the vector of each sensor that has three axes. Uploads of earlier versions
lack one or both; they are drawn from their samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from app.har.signals.types import SignalSet, channels_of
from app.har.texts import whole_characters
from app.har.types import FloatArray, IntArray, TimeArray
from app.services.recordings.sensor_names import sensors_of

BLOCK = 64  # samples
CHUNK = 2**20  # samples
BLOCKS_A_CHUNK = CHUNK // BLOCK
NEXT = 2.5  # samples; a stretch that begins so soon after another goes on from it
READ_SAMPLES_UP_TO = 2**18  # in view; of more the overview is enough: four times the points that are drawn


@dataclass(frozen=True)
class _Level:
    """Rows of samples, or of an overview of them, cut into stretches."""

    values: FloatArray  # (n_channels, n)
    first: IntArray  # (n_stretches,)
    length: IntArray
    start_s: TimeArray
    rate_hz: float


def save(folder: Path, signals: SignalSet) -> None:
    """Write a signal set and its overview, a part at a time: it may be larger than memory.

    Raises
    ------
    OSError : the disk is full, for example.
    """
    path = folder / "signal.npy"
    begin = _write_rows(path, signals.signal)
    n = len(signals.signal)
    np.savez(
        folder / "stretches.npz",
        first=signals.first,
        length=signals.length,
        recording=signals.recording,
        start_s=signals.start_s,
        recording_ids=np.array(signals.recording_ids),
        channels=np.array(signals.channels),
        sampling_rate_hz=np.array(signals.sampling_rate_hz),
    )
    starts = _blocks(signals.first, signals.length)
    overview = np.empty((len(signals.channels), len(starts), 2), np.float32)

    def samples(channel: int, first: int, end: int) -> FloatArray:  # read, as a memory map would keep them all
        return np.fromfile(path, np.float32, end - first, offset=begin + 4 * (channel * n + first))

    for channel, pairs in enumerate(overview):  # fmin and fmax pass over NaN
        row = samples(channel, 0, n)
        pairs[:, 0], pairs[:, 1] = np.fmin.reduceat(row, starts), np.fmax.reduceat(row, starts)
    np.save(folder / "overview.npy", overview, allow_pickle=False)
    lengths = np.empty((len(triples := _triples(signals.channels)), len(starts), 2), np.float32)
    for axes, pairs in zip(triples.values(), lengths, strict=True):
        for block in range(0, len(starts), BLOCKS_A_CHUNK):
            chunk = starts[block : block + BLOCKS_A_CHUNK]
            end = int(starts[block + BLOCKS_A_CHUNK]) if block + BLOCKS_A_CHUNK < len(starts) else n
            length = _length(np.stack([samples(axis, int(chunk[0]), end) for axis in axes]))
            pairs[block : block + len(chunk), 0] = np.fmin.reduceat(length, chunk - chunk[0])
            pairs[block : block + len(chunk), 1] = np.fmax.reduceat(length, chunk - chunk[0])
    np.save(folder / "magnitudes.npy", lengths, allow_pickle=False)


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


def _write_rows(path: Path, samples: FloatArray) -> int:
    """Write samples, (n, n_channels), as rows of channels; return where in the file they begin.

    By writing, not through a memory map: where the disk is full, a map ends the whole process by a signal.
    """
    n, n_channels = samples.shape
    header = {"descr": np.lib.format.dtype_to_descr(np.dtype(np.float32)), "fortran_order": False}
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {**header, "shape": (n_channels, n)})
        begin = file.tell()
        for start in range(0, n, CHUNK):
            for channel, row in enumerate(np.ascontiguousarray(samples[start : start + CHUNK].T, np.float32)):
                file.seek(begin + 4 * (channel * n + start))
                file.write(row.data)
    return begin


def _blocks(first: IntArray, length: IntArray) -> IntArray:
    """Return the first sample of each block; none reaches over the end of a stretch."""
    counts = -(-length // BLOCK)
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.asarray(np.repeat(first, counts) + BLOCK * within, np.int64)


class StoredSignal:
    """What `save` wrote of one recording in the folder of an upload."""

    def __init__(self, folder: Path, recording_id: str) -> None:
        with np.load(folder / "stretches.npz", allow_pickle=False) as stored:
            table = dict(stored)
        names = np.array([whole_characters(str(name)) for name in table["recording_ids"]])
        selected = np.flatnonzero(names[table["recording"]] == recording_id)
        selected = selected[np.argsort(table["start_s"][selected], kind="stable")]
        self.channels = tuple(map(str, table["channels"]))
        rate, start_s, length = float(table["sampling_rate_hz"]), table["start_s"][selected], table["length"][selected]
        samples = np.load(folder / "signal.npy", mmap_mode="r", allow_pickle=False)
        self._samples = self._overview = _Level(samples, table["first"][selected], length, start_s, rate)
        self._ends_s = start_s + (length - 1) / rate
        # A sensor that runs on where another stops is cut in stretches without a gap between them
        self._run = np.cumsum(np.append(0, start_s[1:] - self._ends_s[:-1] > NEXT / rate)[: len(selected)])
        if (folder / "overview.npy").exists():
            overview = np.load(folder / "overview.npy", mmap_mode="r", allow_pickle=False)
            counts = -(-table["length"] // BLOCK)
            first = 2 * (np.cumsum(counts) - counts)[selected]
            flat = overview.reshape(len(overview), -1)
            start = start_s + BLOCK / rate / 4  # the lowest stands a quarter, the highest three quarters into a block
            self._overview = _Level(flat, first, 2 * counts[selected], start, 2 * rate / BLOCK)
        self.triples = _triples(self.channels)
        self._lengths: FloatArray | None = None  # of vectors, as the overview has them
        if (folder / "magnitudes.npy").exists():
            self._lengths = np.load(folder / "magnitudes.npy", mmap_mode="r", allow_pickle=False)

    @property
    def extent_s(self) -> tuple[float, float]:
        """The moments of the first and the last sample; (inf, -inf) where the model could not use the recording."""
        return float(self._samples.start_s.min(initial=np.inf)), float(self._ends_s.max(initial=-np.inf))

    def magnitudes(self, start_s: float, end_s: float, points: int) -> list[dict[str, Any]]:
        """Return what `view` does of the length of the vector of each sensor that has three axes; by ``sensor``."""
        level, ranges = self._samples, _ranges(self._samples, start_s, end_s)
        if sum(b - a for _, a, b in ranges) > READ_SAMPLES_UP_TO and self._lengths is not None:
            level = replace(self._overview, values=self._lengths.reshape(len(self._lengths), -1))
            ranges = _ranges(level, start_s, end_s)
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
        level, ranges = self._samples, _ranges(self._samples, start_s, end_s)
        if sum(b - a for _, a, b in ranges) > READ_SAMPLES_UP_TO:
            level, ranges = self._overview, _ranges(self._overview, start_s, end_s)
        return [
            {"channel": channel, **self._thinned(level, row, ranges, points[channel])}
            for row, channel in enumerate(self.channels)
            if channel in points and not self._lacks(row)
        ]

    def _lacks(self, row: int) -> bool:
        values, spans = self._overview.values[row], zip(self._overview.first, self._overview.length, strict=True)
        return all(
            np.isnan(values[first]) and np.isnan(values[first : first + length]).all() for first, length in spans
        )

    def _thinned(
        self, level: _Level, row: int | tuple[int, ...], ranges: list[tuple[int, int, int]], points: int
    ) -> dict[str, Any]:
        """Thin one channel over all stretches at once, so that many short ones cannot add up to many points.

        Of several rows, it is the length of their vector.
        """
        if not ranges:
            return {"time_s": [], "values": []}
        spans = [slice(level.first[i] + a, level.first[i] + b) for i, a, b in ranges]
        pieces = [
            level.values[row, span] if isinstance(row, int) else _length(level.values[list(row), span])
            for span in spans
        ]
        values = np.ascontiguousarray(pieces[0]) if len(pieces) == 1 else np.concatenate(pieces)
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


def _ranges(level: _Level, start_s: float, end_s: float) -> list[tuple[int, int, int]]:
    """Return the stretches in view, each with its first sample and the one after its last, counted in the stretch."""
    a = np.clip(np.floor((start_s - level.start_s) * level.rate_hz), 0, level.length).astype(np.int64)
    b = np.clip(np.ceil((end_s - level.start_s) * level.rate_hz) + 1, 0, level.length).astype(np.int64)
    seen = np.flatnonzero(b > a)
    return list(zip(seen.tolist(), a[seen].tolist(), b[seen].tolist(), strict=True))


def lowest_and_highest(values: FloatArray, points: int) -> IntArray:
    """Return the positions of the lowest and the highest value of each of ``points / 2`` equal stripes."""
    from tsdownsample import MinMaxDownsampler

    if len(values) <= points:
        return np.arange(len(values))
    kept: IntArray = MinMaxDownsampler().downsample(values, n_out=max(2, points // 2 * 2)).astype(np.int64)
    return kept[np.diff(kept, prepend=-1) > 0]  # of a constant stripe, the lowest is the highest
