"""Who supplies what in a data set: samples and windows of each activity, by recording and by person."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from app.har.datasets.short_labels import SUMMARY_WINDOW_S
from app.har.recordings.parts import UNKNOWN_SUBJECT, natural_sort_key
from app.har.signals.types import SignalSet
from app.har.types import IntArray
from app.har.windows import label_segments

DOMINATES = 0.5  # one person who supplies more than this part of an activity


@dataclass(frozen=True)
class RecordingFacts:
    """One recording: of whom it is, what it shows, how long."""

    id: str
    subject: str
    activities: tuple[str, ...]
    seconds: float


@dataclass(frozen=True)
class Largest:
    """The person who supplies most of an activity."""

    subject: str
    share: float  # of its minutes
    dominates: bool  # more than half, where there are others who could


@dataclass(frozen=True)
class Contents:
    """How much of each activity each recording holds; the last column is what has no label."""

    activities: tuple[str, ...]
    recording_ids: tuple[str, ...]
    subjects: tuple[str, ...]  # one per recording
    sampling_rate_hz: float
    samples: IntArray  # (recordings, activities + 1)
    windows: IntArray  # (recordings, activities + 1), of 3 s without overlap

    @classmethod
    def of(cls, signals: SignalSet) -> Contents:
        """Count the samples and windows of a signal set."""
        runs = label_segments(signals)
        n_timesteps = round(SUMMARY_WINDOW_S * signals.sampling_rate_hz)
        columns = len(signals.activities) + 1
        shape = len(signals.recording_ids), columns
        cell = signals.recording[runs.stretch] * columns + runs.label % columns  # UNLABELLED, -1, is the last

        def counted(values: IntArray) -> IntArray:
            sums = np.bincount(cell, weights=values, minlength=shape[0] * columns)
            return sums.astype(np.int64).reshape(shape)

        return cls(
            signals.activities,
            signals.recording_ids,
            signals.subjects,
            signals.sampling_rate_hz,
            counted(runs.length),
            counted(runs.counts(n_timesteps, n_timesteps)),
        )

    @cached_property
    def number_of(self) -> dict[str, int]:
        """The place of each recording."""
        return {name: i for i, name in enumerate(self.recording_ids)}

    @cached_property
    def people(self) -> list[str]:
        """The subjects, 2 before 10; the unknown one is last."""
        return sorted(set(self.subjects), key=lambda name: (name == UNKNOWN_SUBJECT, natural_sort_key(name)))

    @cached_property
    def by_person(self) -> tuple[IntArray, IntArray]:
        """Samples and windows, each (people, activities + 1)."""
        number = {person: i for i, person in enumerate(self.people)}
        person = np.array([number[subject] for subject in self.subjects], np.int64)
        sums = []
        for values in (self.samples, self.windows):
            own = np.zeros((len(self.people), values.shape[1]), np.int64)
            np.add.at(own, person, values)
            sums.append(own)
        return sums[0], sums[1]

    def minutes(self, samples: Any) -> Any:
        """Return a count, or an array of counts, of samples in minutes."""
        return samples / self.sampling_rate_hz / 60

    @cached_property
    def per_activity(self) -> list[dict[str, Any]]:
        """Activity, recordings, subjects, minutes, windows and largest supplier, an entry an activity."""
        samples, _ = self.by_person
        known = np.array([person != UNKNOWN_SUBJECT for person in self.people], bool)
        return [
            {
                "activity": activity,
                "recordings": int((self.samples[:, i] > 0).sum()),
                "subjects": int((samples[known, i] > 0).sum()),
                "minutes": round(float(self.minutes(self.samples[:, i].sum())), 2),
                "windows": int(self.windows[:, i].sum()),
            }
            for i, activity in enumerate(self.activities)
        ]

    @cached_property
    def largest(self) -> list[Largest | None]:
        """Who supplies most of each activity; None where that is not known."""
        samples, _ = self.by_person
        others = len(set(self.people) - {UNKNOWN_SUBJECT}) > 1
        return [self._largest(samples[:, i], others) for i in range(len(self.activities))]

    def _largest(self, samples: IntArray, others: bool) -> Largest | None:
        first = int(samples.argmax())
        if not samples[first] or self.people[first] == UNKNOWN_SUBJECT:
            return None
        share = float(samples[first] / samples.sum())
        return Largest(self.people[first], share, others and share > DOMINATES)

    def recordings(self, *, activity: str = "", subject: str = "", text: str = "") -> Iterator[RecordingFacts]:
        """Yield the recordings that show an activity, are of a person and have a text in their name or among these."""
        column = self.activities.index(activity) if activity in self.activities else None
        sought = text.casefold().split()
        for i, (name, person) in enumerate(zip(self.recording_ids, self.subjects, strict=True)):
            if (subject and person != subject) or (column is not None and not self.samples[i, column]):
                continue
            shown = tuple(self.activities[a] for a in np.flatnonzero(self.samples[i, :-1]))
            said = " ".join((name, person, *shown)).casefold()
            if all(word in said for word in sought):
                yield RecordingFacts(name, person, shown, float(self.samples[i].sum() / self.sampling_rate_hz))
