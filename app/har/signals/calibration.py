"""Calibration to local gravity: where a device lies still, in whatever direction, it measures 1 g.

Source: van Hees et al., Autocalibration of accelerometer data for free-living physical activity assessment using local
gravity and temperature, J Appl Physiol 117: 738-744, 2014; thresholds as in the package GGIR. Temperature is not used.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from app.har.problems import Problem, ProblemKind
from app.har.signals.clocks import sampling_rate
from app.har.signals.cores import on_every_core
from app.har.signals.pages import let_go
from app.har.signals.samples import Samples
from app.har.signals.types import Recording, Stream
from app.har.signals.units import STANDARD_GRAVITY
from app.har.types import FloatArray

STILL_OVER_S = 10.0
STILL_G, LONGEST_G = 0.013, 2.0  # deviation of each axis, and the length of its mean, of a stretch that is still
ORIENTATIONS_G = 0.3  # to either side of each axis that still stretches must reach
FEWEST = 100  # still stretches, 17 min
ROUNDS, TOLERANCE = 1000, 1e-10
CLOSEST_G = 0.01  # errors below weigh alike
PLAUSIBLE_SCALE, PLAUSIBLE_OFFSET_G = 0.1, 0.3  # farther from 1 and 0 than any sensor: then it was no stillness
BLOCK = 2**20  # samples
AXES = "xyz"


@dataclass(frozen=True)
class Calibration:
    """What makes measured acceleration, in g, the true one: ``scale * measured + offset``."""

    offset_g: tuple[float, float, float]
    scale: tuple[float, float, float]
    error_before_mg: float  # mean distance from 1 g of still stretches
    error_after_mg: float
    stretches: int

    @property
    def helps(self) -> bool:
        """Whether it makes still stretches more alike, by what a sensor may be wrong by."""
        possible = np.abs(np.subtract(self.scale, 1)).max() <= PLAUSIBLE_SCALE
        return bool(possible and np.abs(self.offset_g).max() <= PLAUSIBLE_OFFSET_G) and (
            self.error_after_mg < self.error_before_mg
        )


def calibrate(recording: Recording) -> Recording:
    """Return a recording of a device with its accelerometers calibrated, where they lay still in enough directions."""
    if recording.gravity != "included":
        return recording
    streams, problems = list[Stream](), list(recording.problems)
    for stream in recording.streams:
        still = still_means(stream) if stream.kind == "accelerometer" else np.zeros((0, 3))
        found = fit(still)
        if found is not None and found.helps:
            problems.append(Problem(recording.recording_id, ProblemKind.CALIBRATED, _told(stream, found), "applied"))
            stream = replace(stream, values=applied(found, stream.values))
        elif len(still) >= FEWEST:
            detail = f"{_seen(stream, len(still))} it was {error_mg(still):.1f} mg from gravity on average"
            problems.append(Problem(recording.recording_id, ProblemKind.NOT_CALIBRATED, detail, "left as read"))
        streams.append(stream)
    return replace(recording, streams=tuple(streams), problems=tuple(problems))


def _told(stream: Stream, found: Calibration) -> str:
    offset = ", ".join(f"{axis} {1000 * value:+.1f}" for axis, value in zip(AXES, found.offset_g, strict=True))
    scale = ", ".join(f"{axis} {value:.4f}" for axis, value in zip(AXES, found.scale, strict=True))
    return (
        f"{_seen(stream, found.stretches)} it was {found.error_before_mg:.1f} mg from gravity on average, and is "
        f"{found.error_after_mg:.1f} mg from it now; offset in mg {offset}, factor {scale}"
    )


def _seen(stream: Stream, stretches: int) -> str:
    return f"{stream.modality}: where the device lay still ({stretches:,} stretches of {STILL_OVER_S:g} s)"


def still_means(stream: Stream) -> NDArray[np.float64]:
    """Return the mean vector, in g, of each stretch of 10 s without a hole in which a device lay still, (n, 3)."""
    n = round(STILL_OVER_S * sampling_rate(stream.time_s))
    count = len(stream.time_s) // n if n > 1 else 0
    if not count:
        return np.zeros((0, 3))
    at_once = max(1, BLOCK // n)
    parts = on_every_core(
        lambda first: _still_means(stream, n, first, min(first + at_once, count)), range(0, count, at_once)
    )
    return np.concatenate(parts)


def _still_means(stream: Stream, n: int, first: int, end: int) -> NDArray[np.float64]:
    time_s = stream.time_s[first * n : end * n].reshape(-1, n)
    still = time_s[:, -1] - time_s[:, 0] < 1.1 * STILL_OVER_S
    means = np.empty((end - first, 3))
    for column, axis in zip(means.T, stream.values.T, strict=True):
        own = axis[first * n : end * n].reshape(-1, n)
        column[:] = own.mean(axis=1, dtype=np.float64)
        apart = own - column[:, None].astype(np.float32)
        deviation = np.sqrt(np.einsum("ij,ij->i", apart, apart) / n)
        still &= (deviation < STILL_G * STANDARD_GRAVITY) & (np.abs(column) < LONGEST_G * STANDARD_GRAVITY)
    let_go(stream.time_s)
    let_go(stream.values)
    return means[still] / STANDARD_GRAVITY


def fit(still: NDArray[np.float64]) -> Calibration | None:
    """Find offset and factor of each axis by which still vectors come to lie on the unit sphere.

    Again and again each is compared with the nearest point of the sphere, and a line fitted for each axis; a vector
    weighs the less the farther it is from there.

    Parameters
    ----------
    still : (n, 3) in g.

    Returns
    -------
    None where they are too few, or point to one side of an axis alone: then any offset would fit.
    """
    if len(still) < FEWEST or (still.max(axis=0) < ORIENTATIONS_G).any() or (still.min(axis=0) > -ORIENTATIONS_G).any():
        return None
    offset, scale, weight = np.zeros(3), np.ones(3), np.ones(len(still))
    before = np.inf
    for _ in range(ROUNDS):
        now = scale * still + offset
        nearest = now / np.maximum(np.linalg.norm(now, axis=1, keepdims=True), 1e-9)
        share = weight / weight.sum()
        mean, mean_nearest = share @ now, share @ nearest
        varies = share @ (now - mean) ** 2
        slope = (share @ ((now - mean) * (nearest - mean_nearest))) / np.maximum(varies, 1e-12)
        offset, scale = slope * offset + mean_nearest - slope * mean, slope * scale
        apart = scale * still + offset - nearest
        residual = float(3 * (share @ apart**2).mean())
        weight = 1 / np.maximum(np.linalg.norm(apart, axis=1), CLOSEST_G)
        if abs(residual - before) < TOLERANCE:
            break
        before = residual
    x, y, z = offset.tolist()
    fx, fy, fz = scale.tolist()
    return Calibration((x, y, z), (fx, fy, fz), error_mg(still), error_mg(scale * still + offset), len(still))


def error_mg(still: NDArray[np.float64]) -> float:
    """Return by how much still vectors, (n, 3) in g, are longer or shorter than gravity on average."""
    return float(1000 * np.abs(np.linalg.norm(still, axis=1) - 1).mean())


def applied(found: Calibration, values: FloatArray) -> FloatArray:
    """Return acceleration in m/s², (n, 3), calibrated; of a long recording in a file without a name."""
    scale = np.array(found.scale, np.float32)
    offset = (np.array(found.offset_g) * STANDARD_GRAVITY).astype(np.float32)
    with Samples(len(values), 3, by_axis=True) as written:
        for first in range(0, len(values), BLOCK):
            written.write(first, values[first : first + BLOCK] * scale + offset)
            let_go(values)
        return written.finish()
