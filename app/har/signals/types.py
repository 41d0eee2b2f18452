"""A sensor's samples in time, as recorded and as resampled.

Arrays are channels last. Acceleration is in m/s², rotation in rad/s, time in float64 seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from app.har.problems import Problem
from app.har.signals.units import Unit
from app.har.types import FloatArray, IntArray, TimeArray

Gravity = Literal["included", "removed"]
UNLABELLED = -1
MODALITY_CHANNELS: Mapping[str, tuple[str, ...]] = {
    "accelerometer": ("acc_x", "acc_y", "acc_z"),
    "gyroscope": ("gyro_x", "gyro_y", "gyro_z"),
    # Beside an accelerometer that has gravity: what the phone itself made of it
    "linear_accelerometer": ("linear_acc_x", "linear_acc_y", "linear_acc_z"),
    "gravity": ("gravity_x", "gravity_y", "gravity_z"),
    "magnetometer": ("mag_x", "mag_y", "mag_z"),
    "heart_rate": ("heart_rate",),
    "electrodermal_activity": ("eda",),
    "skin_temperature": ("skin_temperature",),
    "pressure": ("pressure",),  # of the air
    "sound_level": ("sound_level",),
    "light": ("light",),
}
MODALITY_UNITS: Mapping[str, str] = {
    "accelerometer": "m/s²", "gyroscope": "rad/s", "linear_accelerometer": "m/s²", "gravity": "m/s²",
    "magnetometer": "µT", "heart_rate": "beats/min", "electrodermal_activity": "µS", "skin_temperature": "°C",
    "pressure": "hPa", "sound_level": "dB", "light": "lux",
}  # fmt: skip
MOTION = ("accelerometer", "gyroscope")  # what models read, where nothing else is asked for


def channels_of(modality: str) -> tuple[str, ...]:
    """Return the channels of a modality: of ``watch.accelerometer`` ``watch.acc_x`` and so on."""
    device, dot, kind = modality.rpartition(".")
    return tuple(device + dot + channel for channel in MODALITY_CHANNELS[kind])


@dataclass(frozen=True)
class Stream:
    """One modality as recorded, on its own clock."""

    modality: str  # of MODALITY_CHANNELS; a device prefix where several are worn: "watch.accelerometer"
    time_s: TimeArray  # (n,)
    values: FloatArray  # (n, n_channels) in the unit of MODALITY_UNITS
    labels: IntArray | None = None  # (n,) index into Recording.activities, UNLABELLED where none
    unit_found: str = ""  # in the file, and how that is known: "g, by the header"
    factor: float = 1.0  # by which the file's values were multiplied to be in that of MODALITY_UNITS
    rate_asked_hz: float = 0.0  # that the file names or its rows come at, repeated ones included; 0 where unknown

    @property
    def channels(self) -> tuple[str, ...]:
        return channels_of(self.modality)

    @property
    def kind(self) -> str:
        """The modality without its device."""
        return self.modality.rpartition(".")[2]

    @property
    def read_as(self) -> Unit:
        """The unit that the file's values were taken to be in."""
        return Unit(self.unit_found.partition(",")[0] or MODALITY_UNITS[self.kind], abs(self.factor))


@dataclass(frozen=True)
class Recording:
    """One continuous capture of one subject, with one stream per modality."""

    recording_id: str
    subject: str
    streams: tuple[Stream, ...]
    gravity: Gravity
    activities: tuple[str, ...] = ()  # names behind the labels of the streams
    activity: str | None = None  # when the whole recording is of one activity
    problems: tuple[Problem, ...] = ()
    app: str = ""  # the app, watch or data set whose layout it came in: "phyphox"
    origin_utc_s: float | None = None  # Unix time at 0 s of the recording's clock, where the file says it
    device: str = ""  # of streams without a device in their names, where the file says it: "watch"
    local_clock: bool = False  # whether that origin is what a clock on the wall read, in a zone that is not said
    clock_zone: str = ""  # in which such a clock was read, see `local_time.in_zone`


@dataclass(frozen=True)
class SignalSet:
    """Recordings resampled to one uniform rate, as gap-free stretches stored one after another.

    ``signal[first[i] : first[i] + length[i]]`` is stretch i, of recording ``recording[i]``, its first sample at
    ``start_s[i]`` on that recording's clock.
    """

    signal: FloatArray  # (n_samples, n_channels), may be a read-only memory map
    labels: NDArray[np.int16]  # (n_samples,) index into activities, UNLABELLED where none
    channels: tuple[str, ...]
    sampling_rate_hz: float
    gravity: Gravity
    activities: tuple[str, ...]
    recording_ids: tuple[str, ...]
    subjects: tuple[str, ...]  # one per recording
    first: IntArray  # (n_stretches,)
    length: IntArray  # (n_stretches,)
    recording: IntArray  # (n_stretches,)
    start_s: TimeArray  # (n_stretches,)
    datasets: tuple[str, ...] = ()  # one per recording, where several data sets are one
