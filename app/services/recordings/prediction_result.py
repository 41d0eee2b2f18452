"""What was recognised in a file, as columns, and the rows, bouts and numbers that are shown of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from app.har.problems import Problem
from app.har.signals.types import UNLABELLED
from app.har.types import FloatArray, IntArray, TimeArray
from app.services.recordings.sensor_names import in_words

Layout = Literal["timeline", "windows"]
WINDOW_COLUMNS = (
    "window", "recording", "start_s", "end_s", "activity", "confidence", "second_activity", "second_confidence",
    "true_activity", "right", "unfamiliar", "start_utc", "listened_to",
)  # fmt: skip
BOUT_COLUMNS = ("recording", "start_s", "end_s", "activity", "windows", "confidence", "start_utc", "end_utc")
MIN_ATTENTION = 1e-3  # below it, a sensor was ignored
RIGHT = {1: True, 0: False, UNLABELLED: None}
SAME_MOMENT_S = 1e-3
YEAR_2000, YEAR_2100 = 946_684_800.0, 4_102_444_800.0


@dataclass(frozen=True)
class Bouts:
    """Stretches of one activity, as columns."""

    start_s: TimeArray  # (n_bouts,) on the recording's clock
    end_s: TimeArray
    activity: IntArray  # position in the names of activities
    windows: IntArray
    confidence: TimeArray  # mean over the windows
    first: IntArray  # position of the first window


@dataclass(frozen=True)
class PredictionResult:
    """What was recognised, as columns: a day of recording has 28,800 windows.

    ``recording_index[i]`` is the position in ``recording_ids`` of window i; times are on that recording's own clock.
    ``labels[i]`` is the position in ``label_activities`` of the activity that the file itself names, or UNLABELLED.
    """

    model_label: str
    activities: tuple[str, ...]
    proba: FloatArray  # (n_windows, n_activities)
    start_s: TimeArray  # (n_windows,)
    end_s: TimeArray  # (n_windows,)
    recording_index: IntArray  # (n_windows,)
    recording_ids: tuple[str, ...]
    labels: IntArray  # (n_windows,)
    label_activities: tuple[str, ...]
    sensors: tuple[str, ...]  # modalities that the model knows
    sensor_attention: FloatArray  # (n_windows, n_sensors), rows sum to 1; 0 where it was ignored
    unfamiliar: NDArray[np.bool_]  # (n_windows,): unlike anything the model was trained on
    problems: tuple[Problem, ...] = ()
    origin_utc_s: tuple[float | None, ...] = ()  # one per recording: Unix time at 0 s of its clock, where known

    def __len__(self) -> int:
        return len(self.proba)

    @cached_property
    def origins(self) -> TimeArray:
        """Unix time at 0 s of each window's clock, NaN where it is not known; (n_windows,).

        A clock that stands between the years 2000 and 2100 counts from 1970; an origin that leads elsewhere is none.
        """
        origins = [np.nan if origin is None else origin for origin in self.origin_utc_s] or [np.nan]
        origin = np.array(origins, np.float64)[self.recording_index if self.origin_utc_s else 0 * self.recording_index]
        origin = np.where(np.isnan(origin), 0.0, origin)
        moment = origin + self.start_s
        return np.where((moment >= YEAR_2000) & (moment < YEAR_2100), origin, np.nan)

    @cached_property
    def ranked(self) -> IntArray:
        """Positions in ``activities`` of the first and second choice of each window; (n_windows, 2)."""
        return np.argsort(-self.proba, axis=1, kind="stable")[:, :2]

    @cached_property
    def confidence(self) -> FloatArray:
        """Probability of the first and second choice of each window; (n_windows, 2)."""
        return np.take_along_axis(self.proba, self.ranked, axis=1)

    @cached_property
    def right(self) -> IntArray:
        """1 right, 0 wrong, UNLABELLED where the file names no activity or one that the model does not know."""
        position = {name: i for i, name in enumerate(self.activities)}
        as_model = np.array([position.get(name, UNLABELLED) for name in self.label_activities] + [UNLABELLED])
        labels = as_model[self.labels]  # UNLABELLED is -1: the last entry
        return np.where(labels == UNLABELLED, UNLABELLED, (labels == self.ranked[:, 0]).astype(np.int64))

    @cached_property
    def layout(self) -> Layout:
        """Say whether the windows follow each other in time, or are single windows without a common clock."""
        return "windows" if len(self) == len(self.recording_ids) > 1 else "timeline"

    @property
    def all_activities(self) -> tuple[str, ...]:
        """The model's activities, then those that only the file names."""
        return self.activities + tuple(name for name in self.label_activities if name not in self.activities)

    def positions(self, recording_index: int | None = None) -> IntArray:
        """Return which windows are of one recording (None: all of them)."""
        return (
            np.flatnonzero(self.recording_index == recording_index)
            if recording_index is not None
            else np.arange(len(self))
        )

    def shown_activities(self, recording_index: int | None = None) -> list[str]:
        """Return the activities that occur among these windows, recognised or named by the file."""
        index = self.positions(recording_index)
        named = {self.label_activities[i] for i in np.unique(self.labels[index]) if i != UNLABELLED}
        seen = named | {self.activities[i] for i in np.unique(self.ranked[index, 0])}
        return [name for name in self.all_activities if name in seen]

    def windows(self, index: IntArray | slice = slice(None)) -> list[dict[str, Any]]:
        """Return these windows as plain rows."""
        first, *rest = (_named(self.activities, column[index]) for column in self.ranked.T)
        first_p, *rest_p = (column[index].round(4).tolist() for column in self.confidence.T.astype(np.float64))
        second, second_p = (rest[0], rest_p[0]) if rest else ([None] * len(first), [None] * len(first))
        rows = zip(
            (np.arange(len(self))[index] + 1).tolist(),
            _named(self.recording_ids, self.recording_index[index]),
            _milliseconds(self.start_s[index]),
            _milliseconds(self.end_s[index]),
            first,
            first_p,
            second,
            second_p,
            _named(self.label_activities, self.labels[index]),
            [RIGHT[right] for right in self.right[index].tolist()],
            self.unfamiliar[index].tolist(),
            _utc(self.origins[index] + self.start_s[index]),
            self._sensors_used(index),
            strict=True,
        )
        return [dict(zip(WINDOW_COLUMNS, row, strict=True)) for row in rows]

    def _sensors_used(self, index: IntArray | slice) -> list[str | None]:
        """Name the sensors that each of these windows was recognised from; None where that was not stored."""
        used = self.sensor_attention[index] >= MIN_ATTENTION  # (n, n_sensors)
        patterns, which = np.unique(used, axis=0, return_inverse=True)
        names = [in_words(np.array(self.sensors)[pattern].tolist()) or None for pattern in patterns]
        return [names[i] for i in which.reshape(-1).tolist()]

    def bout_columns(self, recording_index: int | None = None, *, labelled: bool = False) -> Bouts:
        """Return stretches of one recognised activity: equal windows of one recording without a gap between them.

        ``recording_index`` keeps those of one recording; ``labelled`` gives the activities that the file names
        instead. ``activity`` is a position in ``activities`` or, if ``labelled``, in ``label_activities``.
        """
        keep = self.positions(recording_index)
        chosen = (self.labels if labelled else self.ranked[:, 0])[keep]
        keep, chosen = keep[chosen != UNLABELLED], chosen[chosen != UNLABELLED]
        start, end, owner = self.start_s[keep], self.end_s[keep], self.recording_index[keep]
        joined = np.abs(start[1:] - end[:-1]) < SAME_MOMENT_S
        same = (chosen[1:] == chosen[:-1]) & (owner[1:] == owner[:-1]) & joined
        begins = np.ones(len(keep), bool)
        begins[1:] = ~same
        first = np.flatnonzero(begins)
        n = np.diff(np.append(first, len(keep)))
        total = np.add.reduceat(self.confidence[keep, 0].astype(np.float64), first) if len(first) else np.empty(0)
        return Bouts(start[first], end[first + n - 1], chosen[first], n, total / n, keep[first])

    def bouts(self, recording_index: int | None = None, *, labelled: bool = False) -> list[dict[str, Any]]:
        """Return the same as plain rows, with the names."""
        bouts = self.bout_columns(recording_index, labelled=labelled)
        names = self.label_activities if labelled else self.activities
        origin = self.origins[bouts.first]
        rows = zip(
            _named(self.recording_ids, self.recording_index[bouts.first]),
            _milliseconds(bouts.start_s),
            _milliseconds(bouts.end_s),
            _named(names, bouts.activity),
            bouts.windows.tolist(),
            [None] * len(bouts.windows) if labelled else bouts.confidence.round(4).tolist(),
            _utc(origin + bouts.start_s),
            _utc(origin + bouts.end_s),
            strict=True,
        )
        return [dict(zip(BOUT_COLUMNS, row, strict=True)) for row in rows]

    def summary(self) -> dict[str, Any]:
        """Return the whole in numbers: minutes per activity (longest first), confidence, how many were right."""
        minutes = np.bincount(
            self.ranked[:, 0], weights=(self.end_s - self.start_s) / 60, minlength=len(self.activities)
        )
        count = np.bincount(self.ranked[:, 0], minlength=len(self.activities))
        order = [i for i in np.argsort(-minutes, kind="stable") if count[i]]
        compared = int((self.right != UNLABELLED).sum())
        labelled = int((self.labels != UNLABELLED).sum())
        return {
            "model": self.model_label,
            "layout": self.layout,
            "windows": len(self),
            "recordings": len(self.recording_ids),
            "minutes": round(float(minutes.sum()), 3),
            "minutes_per_activity": {self.activities[i]: round(float(minutes[i]), 3) for i in order},
            "windows_per_activity": {self.activities[i]: int(count[i]) for i in order},
            "mean_confidence": round(float(self.confidence[:, 0].mean()), 4),
            "right": int((self.right == 1).sum()) if compared else None,
            "compared": compared,
            "labels_unknown_to_model": labelled - compared,
            "sensors": [
                {
                    "sensor": in_words([sensor]),
                    "weight": round(float(weights.mean()), 4),
                    "not_listened_to": round(float((weights < MIN_ATTENTION).mean()), 4),
                }
                for sensor, weights in zip(self.sensors, self.sensor_attention.T, strict=True)
            ],
            "unfamiliar": int(self.unfamiliar.sum()),
            "problems": [asdict(problem) for problem in self.problems],
        }

    def as_dict(self) -> dict[str, Any]:
        """Return windows, bouts and summary as plain lists and numbers."""
        return {"windows": self.windows(), "bouts": self.bouts(), "summary": self.summary()}


def _named(names: Sequence[str], index: IntArray) -> list[str | None]:
    """Return the names at these positions, None where there is none."""
    return [names[i] if i != UNLABELLED else None for i in index.tolist()]


def _milliseconds(time_s: TimeArray) -> list[float]:
    moments: list[float] = (time_s.round(3) + 0.0).tolist()  # never -0.0
    return moments


def _utc(moments: TimeArray) -> list[str | None]:
    """Write Unix times as ISO 8601 in UTC, None where there is none."""
    known = np.isfinite(moments)
    stamps = (np.where(known, moments, 0.0) * 1000).round().astype("datetime64[ms]")
    texts: list[str] = np.datetime_as_string(stamps, timezone="UTC").tolist()
    return [text if there else None for text, there in zip(texts, known.tolist(), strict=True)]
