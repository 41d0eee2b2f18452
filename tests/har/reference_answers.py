"""Windows for the reference models, and what the build before 1.0 answered of them.

`reference_answers.json` holds what that build (5a4eba7) gave for `windows_for` each model.
"""

from __future__ import annotations

import numpy as np

from app.har.signals.types import Gravity
from app.har.windows import WindowSet


def windows_for(channels: tuple[str, ...], n_timesteps: int, rate_hz: float, gravity: Gravity) -> WindowSet:
    """Return made-up windows: oscillations of all sizes and rates, one sensor missing in the last of them."""
    n, random = 12, np.random.RandomState(20)
    time_s = np.arange(n_timesteps) / rate_hz
    hz, size = random.uniform(0.3, 4, (n, 1, 1)), 10 ** random.uniform(-1.5, 1, (n, 1, 1))
    phase = random.uniform(0, 6, (n, 1, len(channels)))
    X = size * np.sin(2 * np.pi * hz * time_s[None, :, None] + phase) + 0.02 * random.standard_normal(
        (n, n_timesteps, len(channels))
    )
    if gravity == "included":
        X[:, :, [channel.endswith("acc_z") for channel in channels]] += 9.81
    X[-1, :, :3] = np.nan
    names, y = np.array(["w"] * n), np.zeros(n, np.int64)
    return WindowSet(
        X.astype(np.float32), y, ("a",), names, names, np.arange(n, dtype=np.float64), channels, rate_hz, gravity
    )
