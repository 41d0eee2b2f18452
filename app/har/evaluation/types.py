"""How windows were split, and what a model scored on them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from app.har.types import IntArray

FEWEST_PEOPLE = 5  # tested; what an interval over fewer says of other people cannot be relied on
Protocol = Literal["random", "subject", "dataset"]


@dataclass(frozen=True)
class Split:
    """Positions of the training and test windows, and how they were drawn."""

    train: IntArray
    test: IntArray
    protocol: Protocol
    seed: int
    dataset: str = ""  # the one tested on, where data sets are left out in turn


@dataclass(frozen=True)
class ScoreInterval:
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
    accuracy: ScoreInterval
    f1: ScoreInterval


@dataclass(frozen=True)
class Metrics:
    """What one model scored on the test windows; precision, recall and F1 are macro averages."""

    accuracy: ScoreInterval
    precision: ScoreInterval
    recall: ScoreInterval
    f1: ScoreInterval
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
