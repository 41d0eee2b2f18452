"""Acceleration in slots of 5 s: how much a body moves (ENMO, MAD), how a device is turned (the angle of its z axis).

A slot is what actigraphy calls an epoch. Slots begin at whole multiples of 5 s of the world's clock, so that those of
several recordings, and the midnights of every time zone, fall together.

Sources: van Hees et al., Separating movement and gravity components in an acceleration signal and implications for the
assessment of human daily physical activity, PLoS ONE 8(4): e61691, 2013 (ENMO). Vähä-Ypyä et al., A universal, accurate
intensity-based classification of different physical activities using raw data of accelerometer, Clin Physiol Funct
Imaging 35: 64-70, 2015 (MAD). van Hees et al., A novel, open access method to assess sleep duration using a wrist-worn
accelerometer, PLoS ONE 10(11): e0142533, 2015 (angle).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.har.errors import UnusableRecording
from app.har.signals.clocks import sampling_rate
from app.har.signals.gravity import match_gravity
from app.har.signals.pages import let_go
from app.har.signals.resampling import lengths
from app.har.signals.types import Recording, Stream
from app.har.signals.units import STANDARD_GRAVITY
from app.har.types import FloatArray, IntArray, TimeArray

SLOT_S = 5.0
LEAST_HZ = 10.0  # of fewer samples a second, walking is folded into rest
MOST = 0.9  # of its samples, that a slot must have
AT_ONCE = 2**20  # samples
LOOKED_AT = 25  # samples of a slot, evenly spread, whose median is how the device is turned
MG = 1000.0 / STANDARD_GRAVITY
WRIST = ("watch", "wrist")  # names of devices


@dataclass(frozen=True)
class Slots:
    """The slots of one accelerometer that have nearly all their samples, in the order of time."""

    number: IntArray  # (n,) start in units of SLOT_S on the recording's clock, counted from 1970 where it is known
    enmo_mg: FloatArray  # (n,) mean of what the length is above 1 g
    mad_mg: FloatArray  # (n,) mean absolute deviation of the length from its mean
    angle_deg: FloatArray  # (n,) of the z axis above the horizon
    device: str = ""  # "watch" or "phone" where several are worn

    def __len__(self) -> int:
        return len(self.number)

    @classmethod
    def joined(cls, parts: Sequence[Slots], device: str = "") -> Slots:
        """Put slots of several parts in one."""
        none = np.zeros(0, np.float32)
        return cls(
            np.concatenate([np.zeros(0, np.int64), *(part.number for part in parts)]),
            np.concatenate([none, *(part.enmo_mg for part in parts)]),
            np.concatenate([none, *(part.mad_mg for part in parts)]),
            np.concatenate([none, *(part.angle_deg for part in parts)]),
            device,
        )

    @property
    def middle_s(self) -> TimeArray:
        """The middle of each, in seconds on the clock that they are counted by."""
        return np.asarray((self.number + 0.5) * SLOT_S, np.float64)

    def take(self, index: IntArray | slice) -> Slots:
        """Return those at these places."""
        columns = self.enmo_mg[index], self.mad_mg[index], self.angle_deg[index]
        return Slots(self.number[index], *columns, device=self.device)


def slots_of(recording: Recording) -> Slots | None:
    """Return the slots of a recording; None without an accelerometer with gravity that is quick enough.

    Of several devices, it is the one on the wrist.
    """
    try:
        recording = match_gravity(recording, "included")
    except UnusableRecording:
        return None
    streams = {s.modality.rpartition(".")[0]: s for s in recording.streams if s.kind == "accelerometer"}
    device = next((name for name in (*WRIST, *streams) if name in streams), None)
    if device is None or sampling_rate(streams[device].time_s) < LEAST_HZ:
        return None
    return _of_stream(streams[device], recording.origin_utc_s or 0.0, device or recording.device)


def _of_stream(stream: Stream, origin_s: float, device: str) -> Slots:
    """Return the slots of acceleration in m/s² with gravity; some thousand at a time, whatever the length."""
    time, fewest = stream.time_s, MOST * SLOT_S * sampling_rate(stream.time_s)
    parts, first = [], 0
    while first < len(time):
        end = min(first + AT_ONCE, len(time))
        if end < len(time):  # whole slots
            begun_s = np.floor((time[end] + origin_s) / SLOT_S) * SLOT_S - origin_s
            end = max(int(np.searchsorted(time, begun_s)), first + 1)
        parts.append(_of_part(time[first:end], stream.values[first:end], origin_s, fewest))
        let_go(time)
        let_go(stream.values)
        first = end
    return Slots.joined(parts, device)


def _of_part(time_s: TimeArray, values: FloatArray, origin_s: float, fewest: float) -> Slots:
    """Return the slots that some samples fill, values being (n, 3)."""
    number = np.floor((time_s + origin_s) / SLOT_S).astype(np.int64)
    first = np.flatnonzero(np.append(True, number[1:] != number[:-1]))
    count = np.diff(first, append=len(number))
    enough = count >= fewest
    length = lengths(values).astype(np.float64) * MG
    enmo = np.add.reduceat(np.maximum(length - 1000.0, 0.0), first) / count
    mean = np.add.reduceat(length, first) / count
    mad = np.add.reduceat(np.abs(length - np.repeat(mean, count)), first) / count
    at = first[enough, None] + np.arange(LOOKED_AT) * count[enough, None] // LOOKED_AT
    x, y, z = np.moveaxis(np.median(values[at], axis=1), 1, 0)
    angle = np.degrees(np.arctan2(z, np.hypot(x, y)))
    found = [column.astype(np.float32) for column in (enmo[enough], mad[enough], angle)]
    return Slots(number[first[enough]], found[0], found[1], found[2])
