"""The value objects that flow through the core.

Arrays are channels last. Acceleration is in m/s², rotation in rad/s, time in float64 seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
TimeArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

Gravity = Literal["included", "removed"]
Protocol = Literal["random", "subject"]

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
}
MODALITY_UNITS: Mapping[str, str] = {
    "accelerometer": "m/s²", "gyroscope": "rad/s", "linear_accelerometer": "m/s²", "gravity": "m/s²",
    "magnetometer": "µT", "heart_rate": "beats/min", "electrodermal_activity": "µS", "skin_temperature": "°C",
}  # fmt: skip
MOTION = ("accelerometer", "gyroscope")  # what models read, where nothing else is asked for


def channels_of(modality: str) -> tuple[str, ...]:
    """Return the channels of a modality: of ``watch.accelerometer`` ``watch.acc_x`` and so on."""
    device, dot, kind = modality.rpartition(".")
    return tuple(device + dot + channel for channel in MODALITY_CHANNELS[kind])


Event = dict[str, Any]
"""One progress report: ``stage`` always; where it applies ``model``, ``epoch``, ``epochs``, ``loss``, ``accuracy``,
``val_loss``, ``val_accuracy``, ``fraction`` (0–1 of the stage)."""
OnEvent = Callable[[Event], None]


def ignore_event(event: Event) -> None:
    """Take a progress report and do nothing with it."""


@dataclass(frozen=True)
class Problem:
    """Something wrong with a file and what was done about it."""

    source: str  # file, as the person named it, e.g. "14.Run/1101_O_3.csv"
    kind: str  # short and stable: "clock gap", "duplicate recording", "corrupt rows", "low rate", …
    detail: str  # what was found, with figures
    action: str  # what was done about it


@dataclass(frozen=True)
class Stream:
    """One modality as recorded, on its own clock."""

    modality: str  # of MODALITY_CHANNELS; a device prefix where several are worn: "watch.accelerometer"
    time_s: TimeArray  # (n,)
    values: FloatArray  # (n, n_channels) in the unit of MODALITY_UNITS
    labels: IntArray | None = None  # (n,) index into Recording.activities, UNLABELLED where none
    unit_found: str = ""  # in the file, and how that is known: "g, by the header"
    rate_asked_hz: float = 0.0  # that the file names or its rows come at, repeated ones included; 0 where unknown

    @property
    def channels(self) -> tuple[str, ...]:
        return channels_of(self.modality)

    @property
    def kind(self) -> str:
        """The modality without its device."""
        return self.modality.rpartition(".")[2]


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
    origin_utc_s: float | None = None  # Unix time at 0 s of the recording's clock, where the file tells


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

    def __len__(self) -> int:
        return len(self.X)

    @property
    def window_length_s(self) -> float:
        return float(self.X.shape[1] / self.sampling_rate_hz)

    @classmethod
    def joined(cls, parts: Sequence[WindowSet]) -> WindowSet:
        """Put windows of the same signals in one set."""
        arrays = ("X", "y", "subjects", "recordings", "start_s")
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
        )


@dataclass(frozen=True)
class Recognition:
    """What the model says of windows, and what it said it from."""

    probabilities: FloatArray  # (n, n_activities)
    time_attention: FloatArray  # (n, n_frames), rows sum to 1
    sensor_attention: FloatArray  # (n, n_sensors), rows sum to 1; 0 for what was not listened to
    embedding: FloatArray  # (n, units)
    strangeness: FloatArray  # (n, n_sensors): above 1 is unlike anything seen in training, infinite where missing
    turned: NDArray[np.bool_]  # (n, n_sensors): gravity points to where it never did in training

    @classmethod
    def joined(cls, parts: Sequence[Recognition]) -> Recognition:
        """Put what was recognised of successive windows in one."""
        return cls(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in vars(parts[0])})

    @property
    def unfamiliar(self) -> NDArray[np.bool_]:
        """Return the windows of which no sensor is like what was seen in training."""
        return np.asarray((self.strangeness > 1).all(axis=1))


@dataclass(frozen=True)
class Split:
    """Positions of the training and test windows, and how they were drawn."""

    train: IntArray
    test: IntArray
    protocol: Protocol
    seed: int


@dataclass(frozen=True)
class Interval:
    """A figure with its 95 % bootstrap interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class ActivityMetrics:
    """Precision, recall and F1 of one activity on the test windows."""

    activity: str
    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True)
class SubjectMetrics:
    """Accuracy on the test windows of one subject, and macro F1 over the activities that the subject did."""

    subject: str
    accuracy: float
    f1: float
    windows: int


@dataclass(frozen=True)
class Confidence:
    """Answers of about one confidence: their mean confidence, the share of them that is right, how many they are."""

    confidence: float
    accuracy: float
    windows: int


@dataclass(frozen=True)
class Coverage:
    """What comes of answering "uncertain" below a threshold: the share still answered, and its accuracy."""

    threshold: float
    share: float
    accuracy: float


@dataclass(frozen=True)
class Comparison:
    """By how much one model scored more than another on the same windows, with paired intervals."""

    model: str
    against: str
    accuracy: Interval
    f1: Interval


@dataclass(frozen=True)
class Metrics:
    """What one model scored on the test windows; precision, recall and F1 are macro averages."""

    accuracy: Interval
    precision: Interval
    recall: Interval
    f1: Interval
    calibration_error: float
    per_activity: tuple[ActivityMetrics, ...]
    confusion: tuple[tuple[int, ...], ...]  # rows: true activity, columns: recognised activity
    per_subject: tuple[SubjectMetrics, ...]  # worst first
    reliability: tuple[Confidence, ...]
    coverage: tuple[Coverage, ...]
    fit_seconds: float
    predict_windows_per_second: float

    def as_dict(self) -> dict[str, Any]:
        """Return plain lists and numbers, as written to metrics.json."""
        return asdict(self)


@dataclass(frozen=True)
class TrainConfig:
    """Everything that decides a training run besides the data."""

    models: tuple[str, ...] = ("elm-gru-am", "random-forest", "lstm", "cnn")
    protocol: Protocol = "subject"
    seed: int = 0
    epochs: int | None = None  # None: each model's own default
    test_fraction: float = 0.2
    folds: int | None = None  # test on every window once, in so many folds, instead of on one part
    window_length_s: float = 3.0
    overlap: float = 0.0
    low_pass_hz: float | None = None  # see filters.Preparation, here and below
    separate_gravity: bool = False
    gap_s: float = 0.5
    any_way_round: bool = False  # see classifier.ModelConfig
