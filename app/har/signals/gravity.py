"""From acceleration with gravity to acceleration without, and back where the phone recorded gravity itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from app.har.errors import UnusableRecording
from app.har.problems import Problem, ProblemKind
from app.har.signals.clocks import GAP_S, sampling_rate
from app.har.signals.cores import on_every_core
from app.har.signals.filters import GRAVITY_HZ, GRAVITY_ORDER, REACH, blocks, estimate_gravity
from app.har.signals.intervals import gap_free
from app.har.signals.pages import let_go
from app.har.signals.resampling import mean_magnitude
from app.har.signals.samples import Samples
from app.har.signals.types import Gravity, Recording, SignalSet, Stream

COVERED = 0.9  # share of an accelerometer's time that what the phone derived from it must cover to be used


def match_gravity(recording: Recording, wanted: Gravity, gap_s: float = GAP_S) -> Recording:
    """Return the recording with its acceleration as a model wants it; what was done is listed as a problem.

    Gravity is removed with the linear acceleration or the gravity that the phone recorded; if it recorded neither, by a
    low-pass in each gap-free stretch. It is added with the gravity that the phone recorded only.

    Parameters
    ----------
    gap_s : gaps up to this long don't end a stretch.

    Raises
    ------
    UnusableRecording : gravity is wanted, was removed, and the phone did not record it.
    """
    accelerometers = [s for s in recording.streams if s.kind == "accelerometer"]
    if recording.gravity == wanted or not accelerometers:
        return replace(recording, gravity=wanted)
    streams = {s.modality: s for s in recording.streams}
    problems = list(recording.problems)
    for stream in accelerometers:
        streams[stream.modality], action = (_without if wanted == "removed" else _with)(stream, streams, gap_s)
        detail = (
            f"{stream.modality}: the mean is {_mean(stream):.2f} m/s², with gravity; the model was trained without"
            if wanted == "removed"
            else f"{stream.modality}: without gravity; the model was trained with it"
        )
        kind = ProblemKind.GRAVITY_REMOVED if wanted == "removed" else ProblemKind.GRAVITY_ADDED
        problems.append(Problem(recording.recording_id, kind, detail, action))
    return replace(recording, streams=tuple(streams.values()), gravity=wanted, problems=tuple(problems))


def separate_gravity(recording: Recording, gap_s: float = GAP_S) -> Recording:
    """Return the recording with movement and gravity as streams of their own, as far as it knows of gravity.

    Both are what the phone made of its accelerometer where it recorded that; otherwise gravity is what passes a
    low-pass in each gap-free stretch. Acceleration without gravity stays as it is.

    Parameters
    ----------
    gap_s : gaps up to this long don't end a stretch.
    """
    if recording.gravity == "removed":
        return recording
    streams = {s.modality: s for s in recording.streams}
    for stream in [s for s in recording.streams if s.kind == "accelerometer"]:
        movement, _ = _without(stream, streams, gap_s)
        modality = stream.modality.removesuffix(stream.kind) + "gravity"
        streams[stream.modality] = movement
        if _derived(stream, streams, "gravity") is None:
            total = np.stack([np.interp(movement.time_s, stream.time_s, axis) for axis in stream.values.T], axis=1)
            values = (total - movement.values).astype(np.float32)
            streams[modality] = replace(movement, modality=modality, values=values)
    return replace(recording, streams=tuple(streams.values()), gravity="removed")


def with_gravity_apart(signals: SignalSet, channels: tuple[str, ...]) -> SignalSet:
    """Return signals with movement and gravity in channels of their own, NaN in those that they lack.

    Of signals without gravity, ``gravity_x`` and so on stay NaN.

    Parameters
    ----------
    signals : with ``acc_x`` to ``acc_z``, and none but those wanted.
    channels : those wanted, ``gravity_x`` to ``gravity_z`` among them.
    """
    rate = signals.sampling_rate_hz
    columns = [channels.index(channel) for channel in signals.channels]
    here, movement, gravity = (
        [names.index(f"{kind}_{axis}") for axis in "xyz"]
        for names, kind in ((signals.channels, "acc"), (channels, "acc"), (channels, "gravity"))
    )

    def fill(part: tuple[int, slice, slice, slice]) -> None:
        first, read, keep, write = part
        before = signals.signal[first + read.start : first + read.stop]
        after = np.full((keep.stop - keep.start, len(channels)), np.nan, np.float32)
        after[:, columns] = before[keep]
        if signals.gravity == "included":
            found = estimate_gravity(before[:, here], rate)[keep]
            after[:, movement] -= found
            after[:, gravity] = found
        written.write(first + write.start, after)
        let_go(signals.signal)

    margin = int(REACH * rate / GRAVITY_HZ)
    stretches = zip(signals.first.tolist(), signals.length.tolist(), strict=True)
    parts = [(first, *block) for first, length in stretches for block in blocks(length, margin)]
    with Samples(len(signals.signal), len(channels)) as written:
        on_every_core(fill, parts)
        signal = written.finish()
    return replace(signals, signal=signal, channels=channels, gravity="removed")


def _without(stream: Stream, streams: dict[str, Stream], gap_s: float) -> tuple[Stream, str]:
    linear, gravity = (_derived(stream, streams, kind) for kind in ("linear_accelerometer", "gravity"))
    if linear is not None:
        labels = _labels_at(stream, linear)
        replaced = replace(linear, modality=stream.modality, labels=labels)
        return replaced, "replaced by the linear acceleration that the phone recorded beside it"
    if gravity is not None:
        return _sum(stream, gravity, -1, gap_s), "the gravity that the phone recorded beside it was subtracted"
    values = np.empty_like(stream.values)
    rate = sampling_rate(stream.time_s)

    def separate(part: tuple[slice, slice, slice, slice]) -> None:
        piece, read, keep, write = part
        time, before = stream.time_s[piece], stream.values[piece]
        gravity = _separated(time[read], before[read].astype(np.float64), rate, time[0])
        values[piece][write] = before[write] - gravity[keep]

    pieces = [
        slice(*np.searchsorted(stream.time_s, (start, np.nextafter(end, np.inf))).tolist())
        for start, end in gap_free(stream, rate, gap_s)
    ]
    margin = int(REACH * rate / GRAVITY_HZ)
    on_every_core(separate, [(piece, *block) for piece in pieces for block in blocks(piece.stop - piece.start, margin)])
    low_pass = f"a low-pass at {GRAVITY_HZ:g} Hz (Butterworth, order {GRAVITY_ORDER}, forwards and backwards)"
    return replace(stream, values=values), f"separated by {low_pass} and subtracted"


def _with(stream: Stream, streams: dict[str, Stream], gap_s: float) -> tuple[Stream, str]:
    gravity = _derived(stream, streams, "gravity")
    if gravity is None:
        raise UnusableRecording(
            f"{stream.modality.removesuffix(stream.kind)}acceleration: the mean is {_mean(stream):.2f} m/s²: gravity "
            "was removed, but the model was trained with gravity. Upload the plain accelerometer, not 'linear "
            "acceleration'."
        )
    return _sum(stream, gravity, +1, gap_s), "the gravity that the phone recorded beside it was added"


def _derived(stream: Stream, streams: dict[str, Stream], kind: str) -> Stream | None:
    """Return what the device derived from its accelerometer, if it covers nearly all of the time."""
    derived = streams.get(stream.modality.removesuffix(stream.kind) + kind)
    if derived is None or len(derived.time_s) < 2 or not np.ptp(derived.values, axis=0).any():
        return None
    return derived if _gap_free_s(derived) >= COVERED * _gap_free_s(stream) else None


def _gap_free_s(stream: Stream) -> float:
    return sum(end - start for start, end in gap_free(stream, sampling_rate(stream.time_s)))


def _sum(stream: Stream, phone_gravity: Stream, sign: int, gap_s: float) -> Stream:
    """Add or subtract the phone's gravity at the accelerometer's times; samples without it are dropped."""
    covered = np.zeros(len(stream.time_s), bool)
    for start, end in gap_free(phone_gravity, sampling_rate(phone_gravity.time_s), gap_s):
        covered |= (stream.time_s >= start) & (stream.time_s <= end)
    time = stream.time_s[covered]
    values = stream.values[covered]
    for axis, gravity in zip(values.T, phone_gravity.values.T, strict=True):
        axis += sign * np.interp(time, phone_gravity.time_s, gravity).astype(np.float32)
    return replace(stream, time_s=time, values=values, labels=None if stream.labels is None else stream.labels[covered])


def _separated(
    time: NDArray[np.float64], values: NDArray[np.float64], rate: float, origin: float
) -> NDArray[np.float64]:
    """Return the gravity at the times of a gap-free piece, filtered at a uniform rate: it changes slowly.

    The uniform times count from an origin, so that the blocks of a piece share them.
    """
    if len(time) < 3 or rate <= 2 * GRAVITY_HZ:
        return np.broadcast_to(values.mean(axis=0), values.shape)
    first = int((time[0] - origin) * rate)
    grid = origin + np.arange(first, max(first + 2, round((time[-1] - origin) * rate) + 1)) / rate
    uniform = np.stack([np.interp(grid, time, axis) for axis in values.T], axis=1)
    return np.stack([np.interp(time, grid, axis) for axis in estimate_gravity(uniform, rate).T], axis=1)


def _labels_at(stream: Stream, other: Stream) -> NDArray[np.int64] | None:
    if stream.labels is None or other.labels is not None:
        return other.labels
    before = np.searchsorted(stream.time_s, other.time_s, side="right") - 1
    return np.asarray(stream.labels[np.maximum(before, 0)])


def _mean(stream: Stream) -> float:
    return mean_magnitude(stream.values, round(sampling_rate(stream.time_s)))
