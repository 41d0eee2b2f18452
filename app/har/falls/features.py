"""What is measured of an impact: what came before it, the impact itself, and the rest after it.

No figure depends on how the device lies: there are lengths of vectors and angles between them. Acceleration is looked
at alone, so that a device without a gyroscope can be watched.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from app.har.falls.impacts import AT, RATE_HZ, TRIGGER_G, Impact
from app.har.types import FloatArray

PARTS_S = ((-4.0, -2.0), (-2.0, -1.0), (-1.0, -0.3), (-0.3, 0.3), (0.3, 1.0), (1.0, 2.0), (2.0, 3.0))
WEIGHTLESS_G = 0.7
DIRECTIONS_S = ((-4.0, -2.0), (-2.0, -1.0), (-1.0, -0.5), (0.5, 1.0), (1.0, 2.0), (2.0, 3.0))
STEP = RATE_HZ // 2


def features(impacts: list[Impact]) -> FloatArray:
    """Return (n, n_features)."""
    if not impacts:
        return np.zeros((0, len(NAMES)), np.float32)
    return np.stack([_of(impact.acceleration.astype(np.float64)) for impact in impacts]).astype(np.float32)


def _of(a: NDArray[np.float64]) -> NDArray[np.float64]:
    m = np.linalg.norm(a, axis=1)
    jerk = np.abs(np.diff(m, append=m[-1])) * RATE_HZ
    values: list[float] = []
    for start, end in PARTS_S:
        part = _rows(start, end)
        spread = np.sqrt(a[part].var(axis=0).sum())
        values += [_log(m[part].std()), _log(jerk[part].mean()), float(m[part].mean()), _log(spread)]
    values += _impact(m, jerk)
    values += _directions(a)
    values += [_rhythm(m[_rows(-4, -0.7)]), _rhythm(m[_rows(0.5, 3)])]
    return np.array(values)


def _impact(m: NDArray[np.float64], jerk: NDArray[np.float64]) -> list[float]:
    before, around, after = m[_rows(-1.2, 0)], m[_rows(-0.6, 0.6)], m[_rows(1, 3)]
    light = before < WEIGHTLESS_G
    velocity = np.cumsum(1 - m[_rows(-1.5, 0)]) / RATE_HZ
    rise = np.flatnonzero(m[: AT + 1][::-1] < 1.0)
    return [
        np.log(m[AT]), _log(jerk[_rows(-0.3, 0.3)].max()),
        float(before.min()), float(light.mean()), float(len(before) - np.argmin(before)) / RATE_HZ,
        float(velocity.max()), float(velocity[-1] - velocity.min()),
        float((around > TRIGGER_G).mean()), float(np.maximum(around - 1, 0).sum() / RATE_HZ),
        float(np.abs(around - 1).sum() / RATE_HZ), float(rise[0] if len(rise) else AT) / RATE_HZ,
        _log(m[_rows(-4, -1)].max() / m[AT]), _log(after.max() / m[AT]), float(after.max()), float(after.min()),
        float((m[_rows(-4, -1)] > TRIGGER_G).mean()), float((after > 1.3).mean()),
    ]  # fmt: skip


def _directions(a: NDArray[np.float64]) -> list[float]:
    means = np.stack([a[_rows(*part)].mean(axis=0) for part in DIRECTIONS_S])
    steps = a[: len(a) // STEP * STEP].reshape(-1, STEP, 3).mean(axis=1)
    turns = _angles(steps[1:], steps[:-1])
    middle = AT // STEP
    impact = a[AT - 2 : AT + 3].mean(axis=0)
    pairs = [(0, 5), (1, 5), (1, 4), (0, 1), (2, 3), (4, 5), (1, 3)]
    angles = _angles(means[[i for i, _ in pairs]], means[[j for _, j in pairs]])
    with_impact = _angles(np.stack([impact] * 3), means[[0, 1, 5]])
    return [
        *angles.tolist(), *with_impact.tolist(),
        float(turns[: middle - 2].max()),
        float(turns[middle - 2 : middle + 2].max()),
        float(turns[middle + 2 :].max()),
        float(_angles(steps[-1], steps[:middle]).max()),
        float(np.linalg.norm(means[5])),
        float(np.linalg.norm(means[1])),
    ]  # fmt: skip


def _rhythm(m: NDArray[np.float64]) -> float:
    """Return the highest autocorrelation at the times between steps, 0.3 to 1 s."""
    m = m - m.mean()
    power = float(m @ m)
    lags = range(3 * RATE_HZ // 10, RATE_HZ)
    return max(float(m[lag:] @ m[:-lag]) / power for lag in lags) if power else 0.0


def _rows(start_s: float, end_s: float) -> slice:
    return slice(AT + round(start_s * RATE_HZ), AT + round(end_s * RATE_HZ) + 1)


def _log(value: float) -> float:
    return float(np.log(max(float(value), 1e-3)))


def _angles(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the angles between vectors in radians, a right one where one of them is none."""
    length = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    return np.asarray(np.arccos(np.clip((a * b).sum(axis=-1) / np.maximum(length, 1e-6), -1, 1)))


NAMES = (
    *(
        f"{what} {start:g} to {end:g} s"
        for start, end in PARTS_S
        for what in ("spread of magnitude", "jerk", "magnitude", "spread of vector")
    ),
    "peak", "steepest", "lightest before", "share light", "lightest how long before", "speed of falling",
    "speed stopped", "share loud", "push", "push both ways", "rise", "peak before / peak", "peak after / peak",
    "peak after", "lightest after", "share loud before", "share loud after",
    "turn -3 2.5", "turn -1.5 2.5", "turn -1.5 1.5", "turn -3 -1.5", "turn -0.7 0.7", "turn 1.5 2.5", "turn -1.5 0.7",
    "impact to -3", "impact to -1.5", "impact to 2.5", "turning before", "turning meanwhile", "turning after",
    "turned at most", "gravity after", "gravity before", "rhythm before", "rhythm after",
)  # fmt: skip
