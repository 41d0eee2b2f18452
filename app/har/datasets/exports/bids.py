"""A data set as BIDS-Motion, so that tools for that standard read it.

Every recording is a run of one task, every device a tracking system with a ``LATENCY`` channel: where a recording has
holes, its samples say when they were taken. Labels are events.

Sources: BIDS specification 1.9.0 and later, "Motion"; Jeung et al., Motion-BIDS, Scientific Data 11 (2024).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from app.har.datasets.exports.names import distinct, label
from app.har.recordings.parts import UNKNOWN_SUBJECT, natural_sort_key
from app.har.signals.types import MODALITY_CHANNELS, MODALITY_UNITS, UNLABELLED, SignalSet
from app.har.texts import cell
from app.har.types import IntArray

VERSION = "1.9.0"  # the first with Motion
CHUNK_ROWS = 50_000
MISSING = "n/a"
TYPES: Mapping[str, str] = {
    "accelerometer": "ACCEL", "linear_accelerometer": "ACCEL", "gravity": "ACCEL", "gyroscope": "GYRO",
    "magnetometer": "MAGN",
}  # fmt: skip  # others are MISC
CHANNEL_TYPES = ("ACCEL", "ANGACCEL", "GYRO", "JNTANG", "MAGN", "MISC", "ORNT", "POS", "VEL")
UNITS: Mapping[str, str] = {"m/s²": "m/s^2", "µT": "uT", "beats/min": "1/min", "µS": "uS", "°C": "oC"}  # as BIDS writes
KIND_OF: Mapping[str, str] = {channel: kind for kind, channels in MODALITY_CHANNELS.items() for channel in channels}
File = tuple[str, Iterable[bytes]]


@dataclass(frozen=True)
class Dataset:
    """A data set, and what is known of it beside its samples."""

    name: str
    title: str  # of its format
    signals: SignalSet
    places: Mapping[str, str]  # where its devices are worn, by device; "" where that is not known


@dataclass(frozen=True)
class _Run:
    """One recording: its files are called alike."""

    number: int  # in the signal set
    name: str
    subject: str  # a label
    stem: str  # sub-…/motion/sub-…_task-…{}_run-…


def files(dataset: Dataset) -> Iterator[File]:
    """Yield the name and the content of each file of the data set."""
    signals, task = dataset.signals, label(dataset.name)
    people = sorted(set(signals.subjects), key=lambda name: (name == UNKNOWN_SUBJECT, natural_sort_key(name)))
    subjects = distinct(people, label)
    yield "dataset_description.json", _json(_description(dataset))
    yield "README.md", [_readme(dataset).encode()]
    yield (
        "participants.tsv",
        _table(("participant_id", "subject"), ((f"sub-{subjects[name]}", name) for name in people)),
    )
    yield "participants.json", _json({"subject": {"Description": "What the data set called this person"}})
    if signals.activities:
        levels = {_cell(name): f"The label “{name}” of the data set" for name in signals.activities}
        yield (
            f"task-{task}_events.json",
            _json(
                {"trial_type": {"LongName": "Activity", "Description": "What was done, as labelled", "Levels": levels}}
            ),
        )
    for person in people:
        own = [i for i, subject in enumerate(signals.subjects) if subject == person]
        yield from _of_person(dataset, subjects[person], task, own)


def _of_person(dataset: Dataset, subject: str, task: str, recordings: Sequence[int]) -> Iterator[File]:
    width = len(str(len(recordings)))
    scans = []
    for run, number in enumerate(recordings, 1):
        stem = f"sub-{subject}/motion/sub-{subject}_task-{task}{{}}_run-{run:0{width}d}"
        one = _Run(number, dataset.signals.recording_ids[number], subject, stem)
        for name, content in _of_run(dataset, one):
            yield name, content
            if name.endswith("_motion.tsv"):
                scans.append((name.partition("/")[2], one.name))
    yield f"sub-{subject}/sub-{subject}_scans.tsv", _table(("filename", "recording"), scans)
    yield (
        f"sub-{subject}/sub-{subject}_scans.json",
        _json({"recording": {"Description": "What the data set called this recording"}}),
    )


def _of_run(dataset: Dataset, run: _Run) -> Iterator[File]:
    signals = dataset.signals
    stretches = np.flatnonzero(signals.recording == run.number)
    there = np.flatnonzero(~np.isnan(signals.signal[signals.first[stretches]]).all(axis=0))
    devices: dict[str, list[int]] = {}
    for channel in there.tolist():
        devices.setdefault(signals.channels[channel].rpartition(".")[0], []).append(channel)
    systems = distinct(devices, lambda device: label(device) if device else "imu")
    for device, channels in devices.items():
        stem = run.stem.format(f"_tracksys-{systems[device]}")
        rows = [_channel(signals.channels[i], device, dataset.places) for i in channels]
        yield f"{stem}_motion.tsv", _samples(signals, stretches, channels)
        yield f"{stem}_motion.json", _json(_sidecar(dataset, device, rows, stretches))
        yield f"{stem}_channels.tsv", _table(tuple(LATENCY), [tuple(each.values()) for each in (LATENCY, *rows)])
        yield f"{stem}_channels.json", _json(REFERENCE)
    if events := list(_events(signals, stretches)):
        yield f"{run.stem.format('')}_events.tsv", _table(("onset", "duration", "trial_type"), events)


LATENCY: Mapping[str, str] = {
    "name": "latency", "component": MISSING, "type": "LATENCY", "tracked_point": MISSING, "units": "s",
    "placement": MISSING, "reference_frame": MISSING,
}  # fmt: skip
REFERENCE = {
    "reference_frame": {
        "Levels": {
            "device": {
                "Description": "The axes of the device itself, as its maker defined them",
                "RotationRule": MISSING,
            }
        }
    }
}


def _channel(name: str, device: str, places: Mapping[str, str]) -> dict[str, str]:
    channel = name.rpartition(".")[2]
    kind, axis = KIND_OF[channel], channel.rpartition("_")[2]
    unit = MODALITY_UNITS[kind]
    return {
        "name": channel,
        "component": axis if axis in ("x", "y", "z") else MISSING,
        "type": TYPES.get(kind, "MISC"),
        "tracked_point": device or "device",
        "units": UNITS.get(unit, unit),
        "placement": places.get(device) or MISSING,
        "reference_frame": "device" if axis in ("x", "y", "z") else MISSING,
    }


def _sidecar(dataset: Dataset, device: str, rows: Sequence[Mapping[str, str]], stretches: IntArray) -> dict[str, Any]:
    signals = dataset.signals
    types = [row["type"] for row in rows]
    last = stretches[-1]
    seconds = signals.start_s[last] - signals.start_s[stretches[0]] + signals.length[last] / signals.sampling_rate_hz
    return {
        "TaskName": dataset.name,
        "TaskDescription": "Activities of daily life; the events are their labels",
        "TrackingSystemName": device or "inertial measurement unit",
        "SamplingFrequency": signals.sampling_rate_hz,
        "SamplingFrequencyEffective": round(float(signals.length[stretches].sum()) / float(seconds), 6),
        "RecordingDuration": round(float(seconds), 6),
        "MotionChannelCount": len(rows) + 1,
        "TrackedPointsCount": 1,
        "LATENCYChannelCount": 1,
        **{f"{kind}ChannelCount": types.count(kind) for kind in CHANNEL_TYPES},
        "MissingValues": MISSING,
    }


def _samples(signals: SignalSet, stretches: IntArray, channels: Sequence[int]) -> Iterator[bytes]:
    """Yield the rows: seconds since the first sample, then the channels; without headings, as BIDS wants it."""
    import polars as pl

    origin = float(signals.start_s[stretches[0]])
    for stretch in stretches:
        first, length = int(signals.first[stretch]), int(signals.length[stretch])
        for offset in range(0, length, CHUNK_ROWS):
            rows = slice(first + offset, first + min(offset + CHUNK_ROWS, length))
            values = np.asarray(signals.signal[rows][:, list(channels)])
            time = signals.start_s[stretch] - origin + (offset + np.arange(len(values))) / signals.sampling_rate_hz
            frame = pl.DataFrame({"time": time.round(6)}).hstack(
                pl.DataFrame(values, schema=[str(i) for i in channels]).fill_nan(None)
            )
            yield frame.write_csv(include_header=False, separator="\t", null_value=MISSING).encode()


def _events(signals: SignalSet, stretches: IntArray) -> Iterator[tuple[str, str, str]]:
    """Yield onset, duration and label of each piece with one label; neighbours across a hole stay apart."""
    origin = float(signals.start_s[stretches[0]])
    for stretch in stretches:
        first, length = int(signals.first[stretch]), int(signals.length[stretch])
        labels = np.asarray(signals.labels[first : first + length])
        starts = np.flatnonzero(np.diff(labels, prepend=labels[:1] + 1))
        for start, end in zip(starts.tolist(), [*starts[1:].tolist(), length], strict=True):
            if labels[start] != UNLABELLED:
                onset = float(signals.start_s[stretch]) - origin + start / signals.sampling_rate_hz
                seconds = (end - start) / signals.sampling_rate_hz
                yield f"{onset:.6f}", f"{seconds:.6f}", signals.activities[int(labels[start])]


def _description(dataset: Dataset) -> dict[str, Any]:
    return {
        "Name": dataset.name,
        "BIDSVersion": VERSION,
        "DatasetType": "raw",
        "GeneratedBy": [{"Name": "Kinelab", "Description": "Recordings of wearable sensors at one uniform rate"}],
    }


def _readme(dataset: Dataset) -> str:
    signals = dataset.signals
    return (
        f"# {dataset.name}\n\n{dataset.title}, exported by Kinelab.\n\n"
        f"{len(signals.recording_ids):,} recordings, each a run of one task, resampled to "
        f"{signals.sampling_rate_hz:g} Hz. Acceleration is in m/s², gravity {signals.gravity}; rotation in rad/s. "
        "Holes are not filled: the first channel, `latency`, says in seconds when a sample was taken. Labels are the "
        "`trial_type` of the events, which have the same clock. `participants.tsv` and the `_scans.tsv` have the names "
        "that the data set itself uses.\n"
    )


def _json(document: Mapping[str, Any]) -> list[bytes]:
    return [(json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode()]


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[bytes]:
    lines = ("\t".join(map(_cell, row)) for row in rows)
    return ["\n".join(("\t".join(columns), *lines, "")).encode()]


def _cell(text: str) -> str:
    return str(cell(re.sub(r"[\t\r\n]+", " ", text))) or MISSING
