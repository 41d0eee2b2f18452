"""Units and gravity told by physics: gravity is the same everywhere, and a body turns only so fast."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from app.har.clocks import sampling_rate
from app.har.errors import UnusableRecording
from app.har.signal import block_magnitudes, lengths, mean_magnitude
from app.har.types import Gravity, Problem, Recording, Stream

STANDARD_GRAVITY = 9.80665  # m/s² in a g
FACTORS = {"m/s²": 1.0, "g": STANDARD_GRAVITY, "mg": STANDARD_GRAVITY / 1000}  # of what accelerometers give, to m/s²
NEAR = 0.1  # part by which the mean over a second may differ from gravity: calibration, and movement that is left
STEADY = 0.3  # part that most of these means keep within; of movement without gravity they vary by all they are
FEWEST_BLOCKS = 3  # of a second each
GRAVITY_MS2 = 5.0  # a mean below holds no gravity
PERHAPS_G = (0.8, 1.25)
FASTEST_RAD_S = 25.0  # for a tenth of the samples


def settle(recording: Recording) -> Recording:
    """Correct what physics leaves no doubt about: acceleration in g or in thousandths of it, and whether gravity is in.

    Certain is a mean over each second that keeps near one length, if that is gravity's in some unit. Whatever else is
    left as the importer took it.
    """
    problems = list(recording.problems)
    streams = [
        _in_si(s, recording.recording_id, problems) if s.kind in ("accelerometer", "gravity") else s
        for s in recording.streams
    ]
    gravity = recording.gravity
    for stream in streams:
        if stream.kind == "accelerometer":
            gravity = _settled_gravity(stream, gravity, recording.recording_id, problems)
    return replace(recording, streams=tuple(streams), gravity=gravity, problems=tuple(problems))


def unit_by_gravity(stream: Stream) -> str | None:
    """Return the unit that makes gravity of an accelerometer's steady mean, None where there is no such mean."""
    if not np.ptp(stream.values, axis=0).any():
        return None
    blocks = block_magnitudes(stream.values, round(sampling_rate(stream.time_s)))
    low, middle, high = np.percentile(blocks, (10, 50, 90))
    if len(blocks) < FEWEST_BLOCKS or high - low > STEADY * middle:
        return None
    return next((u for u, factor in FACTORS.items() if abs(middle * factor / STANDARD_GRAVITY - 1) <= NEAR), None)


def check(recording: Recording, wanted: Gravity) -> None:
    """Refuse magnitudes that show other units than m/s² and rad/s where it is not certain which.

    Raises
    ------
    UnusableRecording : what was found and what to do about it.
    """
    for stream in recording.streams:
        if stream.kind == "accelerometer" and (problem := _acceleration_problem(_mean(stream), wanted)):
            raise UnusableRecording(f"{_device(stream)}acceleration: {problem}")
        if stream.kind == "gyroscope":
            fast = float(np.percentile(lengths(stream.values), 90, overwrite_input=True))
            if fast > FASTEST_RAD_S:
                raise UnusableRecording(
                    f"{_device(stream)}gyroscope: a tenth of the samples turns faster than {fast:.0f} rad/s, faster "
                    "than a body moves; the file seems to be in degrees per second. Multiply by 0.01745 (π/180) or "
                    "export rad/s."
                )


def _in_si(stream: Stream, source: str, problems: list[Problem]) -> Stream:
    unit = unit_by_gravity(stream)
    if unit is None:
        return stream
    if unit == "m/s²":
        return replace(stream, unit_found=stream.unit_found or "m/s², by the length of gravity")
    detail = f"{stream.modality}: the mean keeps near {_mean(stream):.3g}, so it is gravity in {unit}"
    problems.append(Problem(source, "unit", detail, f"multiplied by {FACTORS[unit]:.6g}, to m/s²"))
    values = stream.values * np.float32(FACTORS[unit])
    return replace(stream, values=values, unit_found=f"{unit}, by the length of gravity")


def _settled_gravity(stream: Stream, told: Gravity, source: str, problems: list[Problem]) -> Gravity:
    mean = _mean(stream)
    if told == "removed" and unit_by_gravity(stream) == "m/s²":
        detail = f"{stream.modality}: the mean keeps near {mean:.2f} m/s²"
        problems.append(Problem(source, "gravity found", detail, "taken for acceleration with gravity"))
        return "included"
    if told == "included" and mean < GRAVITY_MS2 and not PERHAPS_G[0] < mean < PERHAPS_G[1]:
        detail = f"{stream.modality}: gravity was expected, and the mean is {mean:.2f} m/s²"
        problems.append(Problem(source, "no gravity found", detail, "taken for acceleration without gravity"))
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


def _mean(stream: Stream) -> float:
    return mean_magnitude(stream.values, round(sampling_rate(stream.time_s)))


def _device(stream: Stream) -> str:
    return stream.modality.removesuffix(stream.kind)
