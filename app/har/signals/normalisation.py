"""Units and gravity told by physics: gravity is the same everywhere, and a body turns only so fast."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from app.har.errors import UnusableRecording
from app.har.problems import Problem, ProblemKind
from app.har.signals.clocks import sampling_rate
from app.har.signals.resampling import block_magnitudes, lengths, mean_magnitude
from app.har.signals.turning import unit_by_turning
from app.har.signals.types import MODALITY_UNITS, Gravity, Recording, Stream
from app.har.signals.units import ACCELERATION, ROTATION, STANDARD_GRAVITY

FACTORS = ACCELERATION | ROTATION  # to the core's units
SETTLED = ("accelerometer", "gravity", "gyroscope")
NEAR = 0.1  # part by which the mean over a second may differ from gravity: calibration, and movement that is left
STEADY = 0.3  # part that most of these means keep within; of movement without gravity they vary by all they are
FEWEST_BLOCKS = 3  # of a second each
GRAVITY_MS2 = 5.0  # a mean below holds no gravity
PERHAPS_G = (0.8, 1.25)
FASTEST_RAD_S = 25.0  # for a tenth of the samples
DECIDING = 0.25  # of a data set's recordings. Of four real sets with gravity 93 to 100 % are certain, of KU-HAR none
LIKE_GRAVITY = (0.5, 2.0)  # a mean that may be gravity, in any movement
MOST = {"accelerometer": 5000.0, "linear_accelerometer": 5000.0, "gravity": 100.0, "gyroscope": 350.0}
"""Beyond what any sensor gives that a person wears: 400 g and 4,000 °/s, with some to spare."""
RARE = 0.01  # of the samples; if more are beyond, the unit is another


@dataclass(frozen=True)
class UnitConsensus:
    """The unit of one sensor in the recordings of a data set: that of most of those that show one for certain."""

    unit: str
    certain: int  # recordings that show it
    looked_at: int


DatasetUnits = Mapping[
    tuple[str, str], UnitConsensus
]  # by Recording.app and Stream.modality: a lab records with one unit


def normalise_units(recording: Recording, decisions: DatasetUnits | None = None) -> Recording:
    """Correct what physics leaves no doubt about: g or thousandths of it, deg/s, and whether gravity is in.

    Samples that no sensor gives are left out then.

    Certain is a mean over each second that keeps near one length, if that is gravity's in some unit; a gyroscope that
    tells how fast gravity turns in the accelerometer; and a tenth of the samples faster than a body turns. Whatever
    else is left as the importer took it.

    Parameters
    ----------
    decisions : of a data set, see `decide`: what a recording itself leaves in doubt is as in most others. Where there
        is none for a sensor, all its recordings are left as they were read.
    """
    problems = list(recording.problems)
    streams = [_in_si(s, recording, decisions, problems) if s.kind in SETTLED else s for s in recording.streams]
    gravity = recording.gravity
    for stream in streams:
        if stream.kind == "accelerometer":
            shared = decisions is not None and (recording.app, stream.modality) in decisions
            gravity = _settled_gravity(stream, gravity, recording.recording_id, problems, shared)
    streams = [_possible(stream, recording.recording_id, problems) for stream in streams]
    return replace(recording, streams=tuple(streams), gravity=gravity, problems=tuple(problems))


def _possible(stream: Stream, source: str, problems: list[Problem]) -> Stream:
    """Leave out the few samples that no sensor gives; a filter would spread them over the seconds around."""
    values, most = stream.values, MOST.get(stream.kind, np.inf)
    if max(values.max(initial=0.0), -values.min(initial=0.0)) <= most:
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


def infer_dataset_units(recordings: Iterable[Recording]) -> DatasetUnits:
    """Decide the units of a data set by some of its recordings, for each layout and sensor by itself."""
    votes: dict[tuple[str, str], Counter[str | None]] = {}
    for recording in recordings:
        for stream in recording.streams:
            if stream.kind in SETTLED:
                counts = votes.setdefault((recording.app, stream.modality), Counter())
                counts[certain_unit(stream, recording)] += 1
    decisions = {}
    for key, counts in votes.items():
        looked_at, doubtful = sum(counts.values()), counts.pop(None, 0)
        unit, certain = next(iter(counts.most_common(1)), (None, 0))
        if unit and looked_at - doubtful >= DECIDING * looked_at and certain > (looked_at - doubtful) / 2:
            decisions[key] = UnitConsensus(unit, certain, looked_at)
    return decisions


def certain_unit(stream: Stream, recording: Recording) -> str | None:
    """Return the unit that the values of a sensor are in for certain, None where they do not tell."""
    if stream.kind != "gyroscope":
        return unit_by_gravity(stream)
    device = _device(stream)
    accelerometer = next((s for s in recording.streams if s.modality == f"{device}accelerometer"), None)
    unit = accelerometer and unit_by_turning(accelerometer, stream)
    return unit or ("deg/s" if FASTEST_RAD_S < _fast(stream) <= FASTEST_RAD_S / ROTATION["deg/s"] else None)


def unit_by_gravity(stream: Stream) -> str | None:
    """Return the unit that makes gravity of an accelerometer's steady mean, None where there is no such mean."""
    if not np.ptp(stream.values, axis=0).any():
        return None
    blocks = block_magnitudes(stream.values, round(sampling_rate(stream.time_s)))
    low, middle, high = np.percentile(blocks, (10, 50, 90))
    if len(blocks) < FEWEST_BLOCKS or high - low > STEADY * middle:
        return None
    return next((u for u, factor in ACCELERATION.items() if abs(middle * factor / STANDARD_GRAVITY - 1) <= NEAR), None)


def require_plausible_magnitudes(recording: Recording, wanted: Gravity) -> None:
    """Refuse magnitudes that show other units than m/s² and rad/s where it is not certain which.

    Raises
    ------
    UnusableRecording : what was found and what to do about it.
    """
    for stream in recording.streams:
        if stream.kind == "accelerometer" and (problem := _acceleration_problem(_mean(stream), wanted)):
            raise UnusableRecording(f"{_device(stream)}acceleration: {problem}")
        if stream.kind == "gyroscope":
            fast = _fast(stream)
            if fast > FASTEST_RAD_S:
                raise UnusableRecording(
                    f"{_device(stream)}gyroscope: a tenth of the samples turns faster than {fast:.0f} rad/s, faster "
                    "than a body moves even if they are degrees per second; the file seems to hold raw counts. Export "
                    "rad/s or deg/s."
                )


def _in_si(stream: Stream, recording: Recording, decisions: DatasetUnits | None, problems: list[Problem]) -> Stream:
    own, si = certain_unit(stream, recording), MODALITY_UNITS[stream.kind]
    decision = (decisions or {}).get((recording.app, stream.modality))
    unit = own or (decision.unit if decision else si)

    def tell(kind: ProblemKind, action: str) -> None:
        problems.append(
            Problem(recording.recording_id, kind, f"{stream.modality}: {_seen(stream, own, decision)}", action)
        )

    if unit == si:
        if own and decision and decision.unit != si:
            tell(ProblemKind.UNIT_UNLIKE_OTHERS, f"kept in {si}")
        how = _how(stream, own)
        return replace(stream, unit_found=stream.unit_found or f"{si}, {how}") if own else stream
    lonely = own and decisions is not None and decision is None
    if lonely or not (own or stream.kind == "gyroscope" or _like_gravity(stream, unit)):
        tell(ProblemKind.UNIT_IN_DOUBT, f"left as read, in {si}")
        return stream
    tell(ProblemKind.UNIT_CONVERTED, f"multiplied by {FACTORS[unit]:.6g}, to {si}")
    values = stream.values * np.float32(FACTORS[unit])
    return replace(stream, values=values, unit_found=f"{unit}, {_how(stream, own)}")


def _how(stream: Stream, own: str | None) -> str:
    if own is None:
        return "as most recordings of the data set"
    return "by how fast it turns" if stream.kind == "gyroscope" else "by the length of gravity"


def _seen(stream: Stream, own: str | None, decision: UnitConsensus | None) -> str:
    """Tell what speaks for a unit: the recording itself, and the others of its data set."""
    others = (
        f"{decision.certain} of {decision.looked_at} recordings looked at are in {decision.unit}" if decision else ""
    )
    if own is None:
        seen = f"the mean of {_mean(stream):.3g}" if stream.kind != "gyroscope" else "the turning"
        return f"{seen} does not show the unit; {others}"
    if stream.kind != "gyroscope":
        seen = f"the mean keeps near {_mean(stream):.3g}, so it is gravity in {own}"
    elif (fast := _fast(stream)) > FASTEST_RAD_S:
        seen = f"a tenth of the values is over {fast:.0f}, faster in rad/s than a body turns, so it is in {own}"
    else:
        seen = f"gravity turns in the accelerometer as fast as it says in {own}"
    return f"{seen}; {others}" if decision and decision.unit != own else seen


def _settled_gravity(stream: Stream, told: Gravity, source: str, problems: list[Problem], shared: bool) -> Gravity:
    mean = _mean(stream)
    if told == "removed" and (unit_by_gravity(stream) == "m/s²" or (shared and _like_gravity(stream, "m/s²"))):
        detail = f"{stream.modality}: the mean keeps near {mean:.2f} m/s²"
        problems.append(Problem(source, ProblemKind.GRAVITY_FOUND, detail, "taken for acceleration with gravity"))
        return "included"
    if told == "included" and mean < GRAVITY_MS2 and not PERHAPS_G[0] < mean < PERHAPS_G[1]:
        detail = f"{stream.modality}: gravity was expected, and the mean is {mean:.2f} m/s²"
        problems.append(Problem(source, ProblemKind.NO_GRAVITY, detail, "taken for acceleration without gravity"))
        return "removed"
    return told


def _acceleration_problem(magnitude: float, wanted: Gravity) -> str | None:
    """Compare the mean acceleration vector's length with the 9.81 m/s² (or 0) it should be."""
    if magnitude > 500:
        return (
            f"the mean is {magnitude:.0f}, expected about {'9.8' if wanted == 'included' else '0'} m/s²; the file "
            "seems to be in thousandths of g. Multiply by 0.00980665."
        )
    if magnitude > 20:
        return f"the mean is {magnitude:.1f} m/s², more than twice gravity. Check the unit in the export settings."
    if PERHAPS_G[0] < magnitude < PERHAPS_G[1] and wanted == "included":
        return f"the mean is {magnitude:.2f}, expected about 9.8 m/s²; the file seems to be in g. Multiply by 9.80665."
    return None


def _like_gravity(stream: Stream, unit: str) -> bool:
    low, high = LIKE_GRAVITY
    return low < _mean(stream) * FACTORS[unit] / STANDARD_GRAVITY < high


def _fast(stream: Stream) -> float:
    """Return how fast the fastest tenth of the samples turns."""
    some = stream.values[:: max(1, len(stream.values) // 200_000)]
    return float(np.percentile(lengths(some), 90, overwrite_input=True))


def _mean(stream: Stream) -> float:
    return mean_magnitude(stream.values, round(sampling_rate(stream.time_s)))


def _device(stream: Stream) -> str:
    return stream.modality.removesuffix(stream.kind)
