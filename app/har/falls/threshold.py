"""Falls by limits: a hard impact that stands out, another posture after it, and stillness. It needs no training.

After Kangas et al., Comparison of low-complexity fall detection algorithms for body attached accelerometers, Gait &
Posture 28 (2008): an impact of more than 2 g, then a posture at which gravity has turned by 60°; stillness as in Bourke
et al. and others. As a phone lies in a pocket anyhow, the posture after the impact is compared with that before it, not
with one that was calibrated.
"""

from __future__ import annotations

import numpy as np

from app.har.falls.impacts import AT, RATE_HZ, Impact
from app.har.types import FloatArray

IMPACT_G = 2.0
TURN_DEG = 60.0
STILL_G = 0.15  # standard deviation of the magnitude
# Times the hardest of the seconds before: who walks and then sits down turns a pocket as a fall does, and the last step
# is an impact like those before it. Of SP-SW-HAR's sitting down after walking two thirds are no falls by this
STANDS_OUT = 1.25
LIMIT = 0.5  # of the score: all limits are just met
STEPS = slice(AT - RATE_HZ)
BEFORE = slice(AT - 3 * RATE_HZ, AT - RATE_HZ)
AFTER = slice(AT + 3 * RATE_HZ // 2, AT + 3 * RATE_HZ)


def score(impact: Impact) -> float:
    """Return from 0 to 1 how far an impact is beyond all limits, `LIMIT` where the first of them is just met."""
    turned = angle_deg(impact.acceleration[BEFORE].mean(axis=0), impact.acceleration[AFTER].mean(axis=0))
    moving = float(np.linalg.norm(impact.acceleration[AFTER], axis=1).std())
    hardest = float(np.linalg.norm(impact.acceleration[STEPS], axis=1).max())
    parts = (
        impact.peak_g / IMPACT_G,
        impact.peak_g / (STANDS_OUT * hardest),
        turned / TURN_DEG,
        STILL_G / max(moving, 1e-3),
    )
    return min(1.0, LIMIT * min(parts))


def angle_deg(a: FloatArray, b: FloatArray) -> float:
    """Return the angle between two directions, 0 where one of them is none."""
    length = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(np.degrees(np.arccos(np.clip(float(a @ b) / length, -1, 1)))) if length else 0.0
