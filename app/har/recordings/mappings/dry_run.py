"""What a mapping makes of files, in figures that show a person whether it is right, before anything is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from app.har.problems import Problem
from app.har.recordings.build import GRAVITY_MS2
from app.har.recordings.files import beginning
from app.har.recordings.mappings.mapped import read, together
from app.har.recordings.mappings.mapping import ColumnMapping
from app.har.recordings.tables import Source
from app.har.signals.clocks import first_s, sampling_rate
from app.har.signals.resampling import mean_magnitude
from app.har.signals.types import MODALITY_UNITS, Gravity, Recording, Stream

MAX_BYTES = 32 * 2**20  # of a file; enough for an hour
MAX_FILES = 3  # or recordings of a file for each sensor
GRAVITY_RANGE_MS2 = (8.0, 12.0)  # the mean of acceleration with gravity
TURN_RAD_S = 25.0  # faster than that no body turns for long
LOW_RATE_HZ, HIGH_RATE_HZ = 5.0, 1000.0


@dataclass(frozen=True)
class SensorFacts:
    """One sensor as it would be read."""

    modality: str
    samples: int
    rate_hz: float
    size: float  # of acceleration the mean vector's length, else the median length, in `unit`
    unit: str
    doubt: str  # what speaks against the mapping, "" if nothing does


@dataclass(frozen=True)
class RecordingSummary:
    """One recording as it would be read."""

    name: str
    subject: str
    duration_s: float
    gravity: Gravity
    activities: tuple[str, ...]
    sensors: tuple[SensorFacts, ...]
    problems: tuple[Problem, ...]
    whole: bool  # or only the first MAX_BYTES of the file


def dry_run(sources: Sequence[Source], mapping: ColumnMapping) -> list[RecordingSummary]:
    """Read the first files by a mapping, of each at most its first 32 MiB; see `mapped.read` for what it raises."""
    return [
        facts(recording, all(source.member.size <= MAX_BYTES for source in own))
        for own in together(sources, mapping)[:MAX_FILES]
        for recording in read([replace(s, member=beginning(s.member, MAX_BYTES)) for s in own], mapping)
    ]


def facts(recording: Recording, whole: bool = True) -> RecordingSummary:
    """Describe a recording in a few figures."""
    start = first_s(recording.streams)
    end = max(float(stream.time_s[-1]) for stream in recording.streams)
    activities = (recording.activity,) if recording.activity else recording.activities
    sensors = tuple(_sensor(stream, recording.gravity) for stream in recording.streams)
    return RecordingSummary(
        recording.recording_id,
        recording.subject,
        end - start,
        recording.gravity,
        activities,
        sensors,
        recording.problems,
        whole,
    )


def _sensor(stream: Stream, gravity: Gravity) -> SensorFacts:
    kind = stream.modality.rpartition(".")[2]
    rate = sampling_rate(stream.time_s)
    lengths = np.linalg.norm(stream.values, axis=1)
    accelerated = kind in ("accelerometer", "linear_accelerometer", "gravity")
    size = mean_magnitude(stream.values) if accelerated else float(np.median(lengths))
    doubt = ""
    if not LOW_RATE_HZ <= rate <= HIGH_RATE_HZ and (accelerated or kind == "gyroscope"):
        doubt = f"{rate:.3g} readings a second are unusual: is the unit of time right?"
    if kind == "accelerometer" and gravity == "included" and not GRAVITY_RANGE_MS2[0] <= size <= GRAVITY_RANGE_MS2[1]:
        doubt = f"with gravity the mean should be about 9.8 m/s², found {size:.3g}: is the unit right?"
    if kind == "linear_accelerometer" or (kind == "accelerometer" and gravity == "removed"):
        doubt = f"without gravity the mean should be near 0, found {size:.3g}" if size > GRAVITY_MS2 else doubt
    if kind == "gyroscope" and (fast := float(np.percentile(lengths, 90))) > TURN_RAD_S:
        doubt = f"a tenth turns faster than {fast:.0f} rad/s, faster than a body moves: is it in deg/s?"
    return SensorFacts(stream.modality, len(lengths), rate, size, MODALITY_UNITS[kind], doubt)
