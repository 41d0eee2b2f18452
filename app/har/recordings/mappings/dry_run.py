"""What a mapping makes of files, in numbers that show a person whether it is right, before anything is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from app.har.problems import Problem
from app.har.recordings.files import beginning
from app.har.recordings.mappings.mapped import read, together
from app.har.recordings.mappings.mapping import ColumnMapping
from app.har.recordings.tables import Source
from app.har.signals.clocks import first_s, sampling_rate
from app.har.signals.evidence import GravityEvidence, gravity_evidence, rotation_evidence
from app.har.signals.normalisation import convert_units
from app.har.signals.types import MODALITY_UNITS, Gravity, Recording, Stream

MAX_BYTES = 32 * 2**20  # of a file; enough for an hour
MAX_FILES = 3  # or recordings, where each sensor has a file
LOW_RATE_HZ, HIGH_RATE_HZ = 5.0, 1000.0


@dataclass(frozen=True)
class SensorFacts:
    """One sensor as it would be read."""

    modality: str
    samples: int
    rate_hz: float
    size: float  # length of the mean vector of acceleration, otherwise the median length, in `unit`
    unit: str
    doubt: str  # what speaks against the mapping, "" if nothing does


@dataclass(frozen=True)
class RecordingSummary:
    """One recording as it would be read."""

    name: str
    subject: str  # "" where nothing names one
    duration_s: float
    gravity: Gravity
    activities: tuple[str, ...]
    sensors: tuple[SensorFacts, ...]
    problems: tuple[Problem, ...]
    whole: bool  # or only the first MAX_BYTES of the file


def dry_run(sources: Sequence[Source], mapping: ColumnMapping) -> list[RecordingSummary]:
    """Read the first files by a mapping, of each at most its first 32 MiB; see `mapped.read` for what it raises."""
    return [
        facts(recording, all(source.member.size <= MAX_BYTES for source in files))
        for files in together(sources, mapping)[:MAX_FILES]
        for recording in read([replace(s, member=beginning(s.member, MAX_BYTES)) for s in files], mapping)
    ]


def facts(recording: Recording, whole: bool = True) -> RecordingSummary:
    """Describe a recording in a few numbers."""
    start = first_s(recording.streams)
    end = max(float(stream.time_s[-1]) for stream in recording.streams)
    activities = (recording.activity,) if recording.activity else recording.activities
    sensors = tuple(_sensor(stream, recording.gravity) for stream in recording.streams)
    return RecordingSummary(
        recording.recording_id,
        "" if recording.subject == recording.recording_id else recording.subject,
        end - start,
        recording.gravity,
        activities,
        sensors,
        convert_units(recording).problems,
        whole,
    )


def _sensor(stream: Stream, gravity: Gravity) -> SensorFacts:
    rate = sampling_rate(stream.time_s)
    lengths = np.linalg.norm(stream.values, axis=1)
    size, doubt = float(np.median(lengths)), ""
    if stream.kind in ("accelerometer", "linear_accelerometer", "gravity"):
        evidence = gravity_evidence(stream)
        with_gravity = stream.kind == "gravity" or (stream.kind == "accelerometer" and gravity == "included")
        size, doubt = evidence.mean_ms2, _gravity_doubt(evidence, with_gravity)
    elif stream.kind == "gyroscope" and (turning := rotation_evidence(stream)).too_fast:
        fast = turning.fast * turning.read_as.factor
        doubt = f"a tenth turns faster than {fast:.0f} rad/s, faster than a body moves: is it in deg/s?"
    if not doubt and not LOW_RATE_HZ <= rate <= HIGH_RATE_HZ and stream.values.shape[1] == 3:
        doubt = f"{rate:.3g} readings per second are unusual: is the unit of time right?"
    return SensorFacts(stream.modality, len(lengths), rate, size, MODALITY_UNITS[stream.kind], doubt)


def _gravity_doubt(evidence: GravityEvidence, with_gravity: bool) -> str:
    """Return what speaks against the unit of acceleration, "" if nothing does."""
    found = f"found {evidence.mean_ms2:.3g}"
    if not with_gravity:
        return f"without gravity the mean should be near 0, {found}" if evidence.holds_gravity else ""
    if evidence.plausible_unit == evidence.read_as:
        return ""
    fits = f" In {evidence.plausible_unit.name} it would be gravity." if evidence.plausible_unit else ""
    return f"with gravity the mean should be about 9.8 m/s², {found}: is the unit right?{fits}"
