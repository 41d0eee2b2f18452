"""Fixed-length windows of a signal set."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.har.signals.pages import let_go
from app.har.signals.types import UNLABELLED, Gravity, SignalSet
from app.har.types import FloatArray, IntArray, TimeArray


@dataclass(frozen=True)
class WindowSet:
    """Fixed-length windows, the input of every model."""

    X: FloatArray  # (n_windows, n_timesteps, n_channels); NaN throughout where a sensor is missing
    y: IntArray  # (n_windows,) index into activities, UNLABELLED where none
    activities: tuple[str, ...]
    subjects: NDArray[np.str_]  # (n_windows,)
    recordings: NDArray[np.str_]  # (n_windows,)
    start_s: TimeArray  # (n_windows,)
    channels: tuple[str, ...]
    sampling_rate_hz: float
    gravity: Gravity
    datasets: NDArray[np.str_] | None = None  # (n_windows,), where they are of several data sets

    def __len__(self) -> int:
        return len(self.X)

    @property
    def window_length_s(self) -> float:
        return float(self.X.shape[1] / self.sampling_rate_hz)

    @classmethod
    def joined(cls, parts: Sequence[WindowSet]) -> WindowSet:
        """Put windows of the same signals in one set."""
        arrays = ["X", "y", "subjects", "recordings", "start_s"]
        if parts[0].datasets is not None:
            arrays.append("datasets")
        whole: dict[str, Any] = {name: np.concatenate([getattr(part, name) for part in parts]) for name in arrays}
        return replace(parts[0], **whole)

    def take(self, index: NDArray[Any] | slice) -> WindowSet:
        """Return the windows at these positions (integer or boolean index, or a slice)."""
        return WindowSet(
            self.X[index],
            self.y[index],
            self.activities,
            self.subjects[index],
            self.recordings[index],
            self.start_s[index],
            self.channels,
            self.sampling_rate_hz,
            self.gravity,
            None if self.datasets is None else self.datasets[index],
        )


@dataclass(frozen=True)
class LabelSegments:
    """Pieces of stretches with one label each, or whole stretches."""

    first: IntArray  # (n_runs,) position in the signal
    length: IntArray
    stretch: IntArray
    label: IntArray

    def counts(self, n_timesteps: int, step: int) -> IntArray:
        """Return how many windows fit in each run."""
        return np.maximum((self.length - n_timesteps) // step + 1, 0)


def label_segments(signals: SignalSet) -> LabelSegments:
    """Cut the stretches at every change of label."""
    change = np.flatnonzero(np.diff(signals.labels)) + 1
    first = np.union1d(signals.first, change).astype(np.int64)
    length = np.diff(np.append(first, len(signals.labels)))
    stretch = np.searchsorted(signals.first, first, side="right") - 1
    return LabelSegments(first, length, stretch.astype(np.int64), signals.labels[first].astype(np.int64))


def make_windows(
    signals: SignalSet, window_length_s: float = 3.0, overlap: float = 0.0, by_label: bool = True
) -> WindowSet:
    """Cut a signal set into windows that never cross a gap.

    Parameters
    ----------
    signals : uniform-rate stretches.
    window_length_s : rounded to whole samples.
    overlap : part of a window shared with the next, from 0 to below 1.
    by_label : for training: cut at label changes too, drop unlabelled and byte-identical windows. Otherwise, for
        prediction, windows run through label changes and have the label of most of their samples.

    Raises
    ------
    ValueError : a window of fewer than two samples, or an overlap outside [0, 1).
    """
    cut = _cut(signals, window_length_s, overlap, by_label)
    windows = cut.take(slice(0, len(cut.start)))
    return windows.take(_first_of_equals(windows.X)) if by_label else windows


def iter_window_batches(signals: SignalSet, window_length_s: float, size: int) -> Iterator[tuple[WindowSet, float]]:
    """Yield the windows that `make_windows` cuts for prediction, so many at a time, and which part of all is done then.

    Together they are as large as the signal, which may be a day.
    """
    cut = _cut(signals, window_length_s, 0.0, by_label=False)
    n = len(cut.start)
    for start in range(0, n, size):
        yield cut.take(slice(start, start + size)), min(start + size, n) / n
        let_go(signals.signal)


@dataclass(frozen=True)
class _Cut:
    """Where windows begin, before their samples are copied."""

    signals: SignalSet
    n_timesteps: int
    start: IntArray  # (n_windows,) position in the signal
    stretch: IntArray
    label: IntArray | None  # None: of most of the samples

    def take(self, which: slice) -> WindowSet:
        """Return some of the windows."""
        signals, start, stretch = self.signals, self.start[which], self.stretch[which]
        samples = start[:, None] + np.arange(self.n_timesteps)  # (n_windows, n_timesteps)
        recording = signals.recording[stretch]
        return WindowSet(
            X=np.asarray(signals.signal[samples], np.float32),
            y=_majority(signals.labels[samples], len(signals.activities)) if self.label is None else self.label[which],
            activities=signals.activities,
            subjects=np.array(signals.subjects, dtype=np.str_)[recording],
            recordings=np.array(signals.recording_ids, dtype=np.str_)[recording],
            start_s=_start(signals, start, stretch),
            channels=signals.channels,
            sampling_rate_hz=signals.sampling_rate_hz,
            gravity=signals.gravity,
            datasets=np.array(signals.datasets, dtype=np.str_)[recording] if signals.datasets else None,
        )


def _cut(signals: SignalSet, window_length_s: float, overlap: float, by_label: bool) -> _Cut:
    n_timesteps = round(window_length_s * signals.sampling_rate_hz)
    if n_timesteps < 2 or not 0 <= overlap < 1:
        raise ValueError(
            f"a window of {n_timesteps} samples with overlap {overlap}: expected at least 2 samples and 0 ≤ overlap < 1"
        )
    step = max(1, round(n_timesteps * (1 - overlap)))
    runs = (
        label_segments(signals)
        if by_label
        else LabelSegments(
            signals.first, signals.length, np.arange(len(signals.first)), np.full(len(signals.first), UNLABELLED)
        )
    )
    counts = runs.counts(n_timesteps, step)
    if by_label:
        counts = np.where(runs.label == UNLABELLED, 0, counts)
    run = np.repeat(np.arange(len(counts)), counts)
    within = np.arange(len(run)) - np.repeat(np.cumsum(counts) - counts, counts)
    start = runs.first[run] + within * step
    return _Cut(signals, n_timesteps, start, runs.stretch[run], runs.label[run] if by_label else None)


def _start(signals: SignalSet, start: IntArray, stretch: IntArray) -> TimeArray:
    return np.asarray(
        signals.start_s[stretch] + (start - signals.first[stretch]) / signals.sampling_rate_hz, np.float64
    )


def _majority(labels: NDArray[np.int16], n_activities: int) -> IntArray:
    """Return each row's most frequent label; on a tie the lower id, and UNLABELLED before any."""
    votes = np.stack([(labels == label).sum(axis=1) for label in range(UNLABELLED, n_activities)], axis=1)
    return np.asarray(votes.argmax(axis=1) + UNLABELLED, np.int64)


def _first_of_equals(x: NDArray[np.float32]) -> IntArray:
    """Return the positions of windows that no earlier window equals byte by byte."""
    if len(x) == 0:
        return np.empty(0, np.int64)
    flat = np.ascontiguousarray(x).reshape(len(x), -1)
    rows = flat.view(np.dtype((np.void, flat.shape[1] * flat.itemsize)))[:, 0]
    return np.sort(np.unique(rows, return_index=True)[1]).astype(np.int64)
