"""Recordings brought to m/s² and rad/s by what physics shows, whatever unit their file or format states."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from app.har.errors import UnusableRecording
from app.har.problems import Problem, ProblemKind
from app.har.signals.evidence import (
    BIAS_MS2,
    GravityEvidence,
    RotationEvidence,
    gravity_evidence,
    moves,
    rotation_evidence,
)
from app.har.signals.summaries import extremes
from app.har.signals.turning import movement_ratio
from app.har.signals.types import MODALITY_UNITS, Gravity, Recording, Stream
from app.har.signals.units import ROTATION, Unit

NORMALISED = ("accelerometer", "gravity", "gyroscope")
DECIDING = 0.25  # of a data set's recordings. Of four real sets with gravity 93 to 100 % are certain, of KU-HAR none
MOST = {"accelerometer": 5000.0, "linear_accelerometer": 5000.0, "gravity": 100.0, "gyroscope": 350.0}
"""Beyond what any sensor gives that a person wears: 400 g and 4,000 °/s, with some to spare."""
RARE = 0.01  # of the samples; if more are beyond, the unit is another
SAMPLED = 200  # recordings of an upload that decide its units: a file of windows holds thousands


@dataclass(frozen=True)
class UnitConsensus:
    """What most of those recordings of a data set show that are certain of a sensor's unit."""

    unit: Unit | None  # None: the one that it was read in
    certain: int  # recordings that show it
    looked_at: int


# By Recording.app and Stream.modality, as a lab records with one unit; None where too few recordings show one
DatasetUnits = Mapping[tuple[str, str], UnitConsensus | None]


def normalise_upload(recordings: Sequence[Recording]) -> list[Recording]:
    """Normalise the recordings of an upload; see `normalise_units`.

    What one leaves in doubt is as in the others of its layout, if enough of them are certain.
    """
    if len(recordings) == 1:
        return [normalise_units(recordings[0])]
    some = recordings[:: -(-len(recordings) // SAMPLED) or 1]
    shared = {key: found for key, found in infer_dataset_units(some).items() if found is not None}
    return [normalise_units(recording, shared) for recording in recordings]


def normalise_units(recording: Recording, dataset: DatasetUnits | None = None) -> Recording:
    """Correct units that are certain to be others than stated, and leave out samples that no sensor gives.

    See `convert_units`.
    """
    recording = convert_units(recording, dataset)
    problems = list(recording.problems)
    streams = tuple(_possible(stream, recording.recording_id, problems) for stream in recording.streams)
    return replace(recording, streams=streams, problems=tuple(problems))


def convert_units(recording: Recording, dataset: DatasetUnits | None = None) -> Recording:
    """Convert sensors that are certain to be in another unit than stated, and correct whether gravity is included.

    Certain is a mean over each second that keeps near one length, if that is gravity's in some unit; a gyroscope as
    fast as gravity turns in the accelerometer; and a tenth of the samples faster than a body turns. Everything else
    stays as the importer read it.

    Parameters
    ----------
    recording : as an importer read it, in m/s² and rad/s if the units stated are right.
    dataset : from `infer_dataset_units`; what a recording leaves in doubt is as in most others. A sensor for which it
        holds None is left as it was read.
    """
    problems = list(recording.problems)
    streams = [_converted(s, recording, dataset, problems) if s.kind in NORMALISED else s for s in recording.streams]
    streams = [_as_accelerometer(s, recording, streams, problems) for s in streams]
    gravity = recording.gravity
    for stream in streams:
        if stream.kind == "accelerometer":
            shared = bool(dataset and dataset.get((recording.app, stream.modality)))
            gravity = _corrected_gravity(stream, gravity, recording.recording_id, problems, shared)
    return replace(recording, streams=tuple(streams), gravity=gravity, problems=tuple(problems))


def infer_dataset_units(recordings: Iterable[Recording]) -> DatasetUnits:
    """Infer the units of a data set from some of its recordings, for each layout and sensor by itself."""
    votes: dict[tuple[str, str], Counter[Unit | str]] = {}
    for recording in recordings:
        for stream in recording.streams:
            if stream.kind in NORMALISED:
                unit = certain_unit(stream, recording)
                vote = "in doubt" if unit is None else "as read" if unit == stream.read_as else unit
                votes.setdefault((recording.app, stream.modality), Counter())[vote] += 1
    return {key: _consensus(counts) for key, counts in votes.items()}


def _consensus(votes: Counter[Unit | str]) -> UnitConsensus | None:
    looked_at, doubtful = sum(votes.values()), votes.pop("in doubt", 0)
    all_certain = looked_at - doubtful
    if not all_certain or all_certain < DECIDING * looked_at:
        return None
    ((vote, certain),) = votes.most_common(1)
    if certain <= all_certain / 2:
        return None
    return UnitConsensus(vote if isinstance(vote, Unit) else None, certain, looked_at)


def certain_unit(stream: Stream, recording: Recording) -> Unit | None:
    """Return the unit that the values of a sensor are certain to be in, None where they don't show it."""
    return _certain(_evidence(stream, recording), stream, recording)


def _certain(evidence: GravityEvidence | RotationEvidence, stream: Stream, recording: Recording) -> Unit | None:
    if isinstance(evidence, RotationEvidence):
        return evidence.certain_unit
    return evidence.certain_unit(with_gravity=stream.kind == "gravity" or recording.gravity == "included")


def _evidence(stream: Stream, recording: Recording) -> GravityEvidence | RotationEvidence:
    if stream.kind != "gyroscope":
        return gravity_evidence(stream)
    return rotation_evidence(stream, _accelerometer_beside(stream, recording.streams))


def _accelerometer_beside(stream: Stream, streams: Sequence[Stream]) -> Stream | None:
    return next((other for other in streams if other.modality == f"{_device(stream)}accelerometer"), None)


def require_plausible_magnitudes(recording: Recording, wanted: Gravity) -> None:
    """Refuse magnitudes that show other units than m/s² and rad/s where it is not certain which.

    Raises
    ------
    UnusableRecording : what was found and what to do about it.
    """
    for stream in recording.streams:
        if stream.kind == "accelerometer" and (problem := _acceleration_problem(gravity_evidence(stream), wanted)):
            raise UnusableRecording(f"{_device(stream)}acceleration: {problem}")
        if stream.kind == "gyroscope" and (evidence := rotation_evidence(stream)).too_fast:
            raise UnusableRecording(
                f"{_device(stream)}gyroscope: a tenth of the samples turns faster than "
                f"{evidence.fast * stream.read_as.factor:.0f} rad/s, faster than a body moves even if they are degrees "
                "per second; the file seems to hold raw counts. Export rad/s or deg/s."
            )


def _acceleration_problem(evidence: GravityEvidence, wanted: Gravity) -> str:
    """Compare the mean acceleration vector's length with the 9.81 m/s² (or 0) it should be."""
    unit = evidence.possible_unit if evidence.too_long else evidence.plausible_unit
    fits = unit is not None and unit != evidence.read_as
    if not evidence.too_long and not (fits and wanted == "included"):
        return ""
    found = f"the mean is {evidence.mean_ms2:.4g} m/s²"
    if unit is not None and fits:
        factor = unit.factor / evidence.read_as.factor
        expected = f"expected about {9.8 if wanted == 'included' else 0} m/s²"
        return f"{found}, {expected}; the file seems to be in {unit.name}. Multiply by {factor:.6g}."
    return f"{found}, more than twice gravity. Check the unit in the export settings."


def _converted(stream: Stream, recording: Recording, dataset: DatasetUnits | None, problems: list[Problem]) -> Stream:
    """Convert a stream that is in another unit than it was read in, or list what leaves a doubt."""
    key = (recording.app, stream.modality)
    evidence, consensus = _evidence(stream, recording), (dataset or {}).get(key)
    certain = _certain(evidence, stream, recording)
    read_as, si = stream.read_as, MODALITY_UNITS[stream.kind]
    unit = certain or (consensus and consensus.unit) or read_as

    def note(kind: ProblemKind, action: str) -> None:
        detail = f"{stream.modality}: {_seen(stream, evidence, certain, consensus)}"
        problems.append(Problem(recording.recording_id, kind, detail, action))

    if unit == read_as:
        if certain and consensus and consensus.unit:
            note(ProblemKind.UNIT_UNLIKE_OTHERS, f"kept in {read_as.name}")
        if certain is None and (doubt := _doubt(stream, evidence, recording)):
            fits, why = doubt
            detail = f"{stream.modality}: {stream.unit_found or si}, but {why} in {fits}"
            action = f"kept in {read_as.name}; if {fits} is right, correct the unit in the file or its mapping"
            problems.append(Problem(recording.recording_id, ProblemKind.UNIT_MISMATCH, detail, action))
        return replace(stream, unit_found=stream.unit_found or f"{si}, {_how(stream, certain)}") if certain else stream
    alone = certain and dataset is not None and key in dataset and consensus is None
    if alone or not (certain or evidence.allows(unit)):
        note(ProblemKind.UNIT_IN_DOUBT, f"left as read, in {read_as.name}")
        return stream
    outdated = [p for p in problems if p.kind == ProblemKind.UNIT_CONVERTED and p.detail.startswith(stream.modality)]
    problems[:] = [problem for problem in problems if problem not in outdated]
    stated = ProblemKind.UNIT_MISMATCH if stream.unit_found else ProblemKind.UNIT_CONVERTED
    note(stated, _taken_as(unit, si))
    return _in_unit(stream, unit, _how(stream, certain))


def _taken_as(unit: Unit, si: str) -> str:
    """Say what was done to values in a unit: those in the core's are left alone, whatever they were read in."""
    return f"taken as {unit.name}" + (f" and converted to {si}" if unit.factor != 1.0 else "")


def _in_unit(stream: Stream, unit: Unit, how: str) -> Stream:
    """Return a stream converted from another unit than it was read in; the signs of its axes stay."""
    values = stream.values * np.float32(unit.factor / stream.read_as.factor)
    factor = math.copysign(unit.factor, stream.factor)
    return replace(stream, values=values, unit_found=f"{unit.name}, {how}", factor=factor)


def _as_accelerometer(
    stream: Stream, recording: Recording, converted: Sequence[Stream], problems: list[Problem]
) -> Stream:
    """Convert what a phone made of its accelerometer as that was converted, if both were read in one unit."""
    before, after = (_accelerometer_beside(stream, streams) for streams in (recording.streams, converted))
    if stream.kind not in ("linear_accelerometer", "gravity") or before is None or after is None:
        return stream
    shared = stream.read_as.factor == before.read_as.factor != after.read_as.factor
    if not shared or not _fits_accelerometer(stream, after):
        return stream
    detail = f"{stream.modality}: {stream.unit_found}, as the accelerometer, which is in {after.read_as.name}"
    action = _taken_as(after.read_as, MODALITY_UNITS[stream.kind])
    problems.append(Problem(recording.recording_id, ProblemKind.UNIT_MISMATCH, detail, action))
    return _in_unit(stream, after.read_as, "as the accelerometer")


def _fits_accelerometer(stream: Stream, accelerometer: Stream) -> bool:
    """Tell whether gravity or linear acceleration may be in the unit of the accelerometer, rather than as read."""
    if stream.kind == "gravity":
        evidence = gravity_evidence(stream)
        return evidence.certain_unit() is None and evidence.allows(accelerometer.read_as)
    ratio = movement_ratio(accelerometer, stream)  # movement is as strong in both; 1 if it was read right
    factor = accelerometer.read_as.factor / stream.read_as.factor
    return not (ratio > 0 and abs(math.log(ratio)) < abs(math.log(ratio / factor)))


def _doubt(
    stream: Stream, evidence: GravityEvidence | RotationEvidence, recording: Recording
) -> tuple[str, str] | None:
    """Return the unit that fits values better than the one they were read in, and what shows it, if there is one."""
    if isinstance(evidence, GravityEvidence):
        unit, free = evidence.plausible_unit, recording.gravity == "removed" and evidence.mean_ms2 >= BIAS_MS2
        if unit is None or unit == evidence.read_as or free:
            return None
        return unit.name, f"the mean vector is {evidence.mean:.3g} long, as gravity is"
    accelerometer = _accelerometer_beside(stream, recording.streams)
    if evidence.read_as.name not in ROTATION or not evidence.seems_still(evidence.read_as):
        return None
    if accelerometer is None or not moves(accelerometer):
        return None
    units = [Unit(name, factor) for name, factor in ROTATION.items()]
    fits = next((unit.name for unit in units if evidence.allows(unit) and not evidence.seems_still(unit)), None)
    why = f"only a tenth is over {evidence.fast:.3g} while the accelerometer moves, as a body does that turns"
    return (fits, why) if fits else None


def _how(stream: Stream, certain: Unit | None) -> str:
    if certain is None:
        return "as most of the recordings"
    return "by how fast it turns" if stream.kind == "gyroscope" else "by the length of gravity"


def _seen(
    stream: Stream,
    evidence: GravityEvidence | RotationEvidence,
    certain: Unit | None,
    consensus: UnitConsensus | None,
) -> str:
    """Tell what shows a unit: the recording itself, and the others of its data set."""
    others = ""
    if consensus:
        unit = (consensus.unit or stream.read_as).name
        others = f"{consensus.certain} of {consensus.looked_at} recordings looked at are in {unit}"
    if certain is None:
        seen = f"the mean of {evidence.mean:.3g}" if isinstance(evidence, GravityEvidence) else "the turning"
        return f"{seen} does not show the unit; {others}"
    stated = f"{stream.unit_found}, but " if stream.unit_found and certain != stream.read_as else ""
    if isinstance(evidence, GravityEvidence):
        seen = f"the mean keeps near {evidence.steady:.3g}, so it is gravity in {certain.name}"
    elif not math.isnan(evidence.turning):
        seen = f"gravity turns in the accelerometer as fast as it says in {certain.name}"
    else:
        seen = (
            f"a tenth of the values is over {evidence.fast:.0f}, faster in {stream.read_as.name} than a body turns, "
            f"so it is in {certain.name}"
        )
    return f"{stated}{seen}; {others}" if consensus and consensus.unit != certain else stated + seen


def _corrected_gravity(stream: Stream, stated: Gravity, source: str, problems: list[Problem], shared: bool) -> Gravity:
    """Return whether acceleration holds gravity, by its values where they contradict what was stated.

    Parameters
    ----------
    shared : whether the unit is that of a whole data set, so that a mean like gravity's is gravity.
    """
    evidence = gravity_evidence(stream)
    if stated == "removed" and (
        evidence.certain_unit() == stream.read_as or (shared and evidence.allows(stream.read_as))
    ):
        detail = f"{stream.modality}: the mean keeps near {evidence.mean_ms2:.2f} m/s²"
        problems.append(Problem(source, ProblemKind.GRAVITY_FOUND, detail, "taken for acceleration with gravity"))
        return "included"
    if stated == "included" and not evidence.holds_gravity and evidence.plausible_unit is None:
        detail = f"{stream.modality}: gravity was expected, and the mean is {evidence.mean_ms2:.2f} m/s²"
        problems.append(Problem(source, ProblemKind.NO_GRAVITY, detail, "taken for acceleration without gravity"))
        return "removed"
    return stated


def _possible(stream: Stream, source: str, problems: list[Problem]) -> Stream:
    """Leave out the few samples that no sensor gives; a filter would spread them over the seconds around."""
    values, most = stream.values, MOST.get(stream.kind, np.inf)
    if not len(values):
        return stream
    least, greatest = extremes(values)
    if max(greatest.max(), -least.min()) <= most:
        return stream
    beyond = np.flatnonzero((np.abs(values) > most).any(axis=1))
    if len(beyond) > RARE * len(values):
        return stream
    detail = (
        f"{stream.modality}: {len(beyond):,} of {len(values):,} samples beyond ±{most:g} {MODALITY_UNITS[stream.kind]}"
        f", the first {values[beyond[0]].tolist()} at {stream.time_s[beyond[0]]:.10g} s"
    )
    problems.append(Problem(source, ProblemKind.IMPOSSIBLE_VALUES, detail, "samples dropped"))
    labels = None if stream.labels is None else np.delete(stream.labels, beyond)
    return replace(
        stream, time_s=np.delete(stream.time_s, beyond), values=np.delete(values, beyond, axis=0), labels=labels
    )


def _device(stream: Stream) -> str:
    return stream.modality.removesuffix(stream.kind)
