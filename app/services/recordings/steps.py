"""Steps of a recording: counted in its signal where it was answered that the person was on foot, and nowhere else.

So a correction changes them, too. What was answered *running* is not counted: nobody has measured how well.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.har.signals import steps
from app.har.signals.types import SignalSet, channels_of
from app.har.types import FloatArray, TimeArray
from app.har.vocabulary import ON_FOOT, node_of, path_of
from app.services.recordings import recordings
from app.services.recordings.bouts import Bouts
from app.services.recordings.prediction_result import PredictionResult
from app.services.recordings.result_files import DAMAGED
from app.services.recordings.sensor_names import sensors_of
from app.services.recordings.stored_signal import HeldSignal, StoredSignal
from app.tables import StoredRecording

log = logging.getLogger(__name__)

AROUND_S = 3.0  # read before and after, where a filter swings in
AT_ONCE_S = 1200.0
MOST = 0.9  # of the time on foot, that a sensor must have
ACCELEROMETER, GRAVITY = "accelerometer", "gravity"
# How far counts were off, as uploaded: docs/benchmarks/steps.json
MEASURED = "of 58 walks with a phone in seven places, the count was off by 2 % on average, and by 9 % at worst"


@dataclass(frozen=True)
class Steps:
    """When steps were made, by the clock of each recording of a file; None of one in which they cannot be counted."""

    times: Sequence[TimeArray | None]
    walked: NDArray[np.bool_]  # (n_answers,) of which answers they are

    def in_bouts(self, bouts: Bouts) -> FloatArray:
        """Return how many steps each bout has, NaN where they are not counted; (n_bouts,)."""
        found = np.full(len(bouts.start_s), np.nan)
        for i in np.flatnonzero(self.walked[bouts.activity]).tolist():
            if (times := self.times[bouts.recording[i]]) is not None:
                found[i] = self._between(times, bouts.start_s[i], bouts.end_s[i])
        return found

    def between(self, recording: int, start_s: float, end_s: float) -> int | None:
        """Return how many steps one recording has between two moments of its clock."""
        times = self.times[recording]
        return None if times is None else self._between(times, start_s, end_s)

    def total(self, recording: int | None = None) -> int | None:
        """Return how many steps one recording has, or all of them; None where none are counted."""
        wanted = self.times if recording is None else self.times[recording : recording + 1]
        counted = [len(times) for times in wanted if times is not None]
        return sum(counted) if counted else None

    @staticmethod
    def _between(times: TimeArray, start_s: float, end_s: float) -> int:
        first, last = np.searchsorted(times, (start_s, end_s))
        return int(last - first)


def of(recording: StoredRecording, result: PredictionResult) -> Steps:
    """Count the steps of a recording where a result, as its owner sees it, has them on foot."""
    folder = recordings.folder_of(recording)
    if not (folder / "signal.npy").exists():
        return Steps([None] * len(result.recording_ids), _walked(result))
    return _counted(result, lambda name: StoredSignal(folder, name))


def of_signals(signals: SignalSet, result: PredictionResult) -> Steps:
    """Count the steps of what was recognised and is not stored."""
    return _counted(result, lambda name: HeldSignal(signals, name))


def _walked(result: PredictionResult) -> NDArray[np.bool_]:
    return np.array([ON_FOOT in path_of(node_of(name)) for name in result.answer_names], bool)


def _counted(result: PredictionResult, signal_of: Callable[[str], StoredSignal | HeldSignal]) -> Steps:
    walked = _walked(result)
    if result.layout == "windows":
        return Steps([None] * len(result.recording_ids), walked)
    bouts = result.bout_columns()
    on_foot = walked[bouts.activity]
    found: list[TimeArray | None] = []
    for i, name in enumerate(result.recording_ids):
        own = on_foot & (bouts.recording == i)
        spans = _joined(bouts.start_s[own], bouts.end_s[own])
        try:
            found.append(_times(signal_of(name), spans))
        except DAMAGED as error:
            log.warning("steps of %s cannot be counted: %s", name, error)
            found.append(None)
    return Steps(found, walked)


def _joined(start_s: TimeArray, end_s: TimeArray) -> list[tuple[float, float]]:
    """Return stretches that touch as one, and long ones in parts."""
    spans: list[list[float]] = []
    for start, end in sorted(zip(start_s.tolist(), end_s.tolist(), strict=True)):
        if spans and start <= spans[-1][1]:
            spans[-1][1] = max(end, spans[-1][1])
        else:
            spans.append([start, end])
    return [
        (float(part), min(float(part) + AT_ONCE_S, end))
        for start, end in spans
        for part in np.arange(start, end, AT_ONCE_S)
    ]


def _times(signal: StoredSignal | HeldSignal, spans: Sequence[tuple[float, float]]) -> TimeArray | None:
    """Return when steps were made in stretches of a recording, by its first accelerometer that has most of them.

    None where no sensor can tell.
    """
    for sensor in sensors_of(signal.channels):
        if sensor.rpartition(".")[2] == ACCELEROMETER:
            times, seconds = _times_by(signal, sensor, spans)
            if seconds >= MOST * sum(end - start for start, end in spans):
                return times
    return None


def _times_by(
    signal: StoredSignal | HeldSignal, sensor: str, spans: Sequence[tuple[float, float]]
) -> tuple[TimeArray, float]:
    """Return when steps were made by one accelerometer, and in how many seconds it could tell.

    Where a model wants gravity apart from movement, that is how the signal was stored: together they are as recorded.
    """
    parts = [channels_of(sensor), channels_of(sensor.removesuffix(ACCELEROMETER) + GRAVITY)]
    axes = [axis for part in parts if {*part} <= {*signal.channels} for axis in part]
    if not axes:
        return np.zeros(0), -1.0
    found, rate, seconds = [np.zeros(0)], signal.sampling_rate_hz, 0.0
    for some in _at_once(spans):
        kept, pieces = signal.pieces(axes, [(start - AROUND_S, end + AROUND_S) for start, end in some])
        values = kept.reshape(len(kept), -1, 3).sum(axis=1)
        lacking = np.isnan(values).any(axis=1)
        if lacking.all() or not steps.can_count(values[~lacking], rate):
            continue
        if lacking.any():
            values[lacking] = values[~lacking].mean(axis=0)  # where nobody moves
        # A filter goes over all pieces at once: where one follows another, it swings in beside the span
        at = steps.step_times(values, rate)
        first = np.cumsum([0, *(n for _, _, n in pieces[:-1])])
        there = 1 - np.add.reduceat(lacking, first) / [n for _, _, n in pieces]
        for (i, begin, n), edge, share in zip(pieces, (first / rate).tolist(), there.tolist(), strict=True):
            start, end = some[i]
            times = at[slice(*np.searchsorted(at, (edge, edge + n / rate)))] - edge + begin
            found.append(times[(times >= start) & (times < end)])
            seconds += share * max(0.0, min(end, begin + n / rate) - max(start, begin))
    return np.sort(np.concatenate(found)), seconds


def _at_once(spans: Sequence[tuple[float, float]]) -> Iterator[list[tuple[float, float]]]:
    """Yield spans, as many at a time as are read at once."""
    some: list[tuple[float, float]] = []
    for start, end in spans:
        if some and sum(b - a for a, b in some) + end - start > AT_ONCE_S:
            yield some
            some = []
        some.append((start, end))
    if some:
        yield some
