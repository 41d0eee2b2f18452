"""Our spline against scipy's on the same samples: time, memory, and what it makes of a hole; JSON on stdout.

A block of 65,536 samples of three axes at about 100 Hz, with jitter and a hole of 0.4 s (longer ones are cut), is
resampled to 100 Hz. `CubicSpline` is natural at the ends; `CubicHermiteSpline` is given slopes, which cost it nothing
here. Excess: how far the result goes beyond the samples beside the hole.
"""

from __future__ import annotations

import json
import statistics
import time
import tracemalloc
from collections.abc import Callable

import numpy as np
from scipy.interpolate import CubicHermiteSpline, CubicSpline

from app.har.signals.resampling import HOLE
from app.har.signals.spline import spline
from app.har.types import FloatArray, TimeArray

RATE_HZ, SAMPLES, ROUNDS = 100.0, 65_536, 15
Interpolation = Callable[[TimeArray, FloatArray, TimeArray], FloatArray]


def block() -> tuple[TimeArray, FloatArray]:
    """Return times, (n,), and values, (3, n), of a walk-like signal with noise."""
    rng = np.random.default_rng(0)
    times = (np.arange(SAMPLES) + rng.uniform(-0.3, 0.3, SAMPLES)) / RATE_HZ
    times = np.sort(times)
    times[SAMPLES // 2 :] += 0.4
    phase = 2 * np.pi * 1.8 * times
    values = 9.81 + np.stack([np.sin(phase), np.cos(phase), np.sin(2 * phase)]) + rng.normal(0, 0.3, (3, SAMPLES))
    return times, values.astype(np.float32)


def ours(times: TimeArray, values: FloatArray, at: TimeArray) -> FloatArray:
    return spline(times, values, at, HOLE / RATE_HZ)


def cubic_spline(times: TimeArray, values: FloatArray, at: TimeArray) -> FloatArray:
    return np.asarray(CubicSpline(times, values, axis=1, bc_type="natural")(at), np.float32)


def main() -> None:
    times, values = block()
    at = np.arange(times[0], times[-1], 1 / RATE_HZ)
    slopes = CubicSpline(times, values, axis=1, bc_type="natural")(times, 1)

    def cubic_hermite_spline(times: TimeArray, values: FloatArray, at: TimeArray) -> FloatArray:
        return np.asarray(CubicHermiteSpline(times, values, slopes, axis=1)(at), np.float32)

    ways: dict[str, Interpolation] = {
        "Kinelab": ours,
        "CubicSpline": cubic_spline,
        "CubicHermiteSpline, slopes given": cubic_hermite_spline,
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            started = time.perf_counter()
            way(times, values, at)
            seconds[name].append(time.perf_counter() - started)
    edge = int(np.argmax(np.diff(times)))
    hole = (at > times[edge]) & (at < times[edge + 1])
    beside = values[:, edge : edge + 2]
    figures = {}
    for name, way in ways.items():
        tracemalloc.start()
        inside = way(times, values, at)[:, hole]
        excess = max(float((inside.max(1) - beside.max(1)).max()), float((beside.min(1) - inside.min(1)).max()))
        figures[name] = {
            "ms": round(1000 * statistics.median(seconds[name]), 1),
            "peak_mib": round(tracemalloc.get_traced_memory()[1] / 2**20, 1),
            "excess_in_the_hole": round(excess, 2),
        }
        tracemalloc.stop()
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
