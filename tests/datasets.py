"""A small data set in KU-HAR's raw layout, made of seeded noise with a rhythm for each activity."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np

ACTIVITIES = {0: ("Stand", "A", 0.0, 0.02), 11: ("Walk", "L", 1.8, 3.0), 14: ("Run", "O", 2.7, 9.0)}
RATE_HZ = 100.0


def small_zip(path: Path, subjects: int = 2, seconds: float = 12.0, seed: int = 0) -> Path:
    """Write one recording of each subject and activity."""
    rng = np.random.default_rng(seed)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for subject in range(1001, 1001 + subjects):
            for number, (activity, letter, steps_hz, strength) in ACTIVITIES.items():
                name = f"1.Raw_time_domian_data/{number}.{activity}/{subject}_{letter}_1.csv"
                archive.writestr(name, _csv(rng, seconds, steps_hz, strength))
    return path


def _csv(rng: np.random.Generator, seconds: float, steps_hz: float, strength: float) -> str:
    n = int(seconds * RATE_HZ)
    time = np.arange(n) / RATE_HZ + 0.01
    rhythm = strength * np.sin(2 * np.pi * steps_hz * time + rng.uniform(0, 6))[:, None]
    acceleration = rhythm * rng.uniform(0.3, 1, 3) + rng.normal(0, 0.03, (n, 3))
    rotation = 0.3 * rhythm * rng.uniform(0.3, 1, 3) + rng.normal(0, 0.01, (n, 3))
    text = io.StringIO()
    np.savetxt(text, np.column_stack([time, acceleration, time + 0.001, rotation]), delimiter=",", fmt="%.6f")
    return text.getvalue()
