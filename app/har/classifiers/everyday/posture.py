"""Posture from how far gravity is turned against the person's own walking: geometry, nothing is trained.

On the thigh, sitting and lying are one: both lay it level. The trunk leans back a little in sitting, and lies level.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from app.har.classifiers.everyday.training import PLACES

LEG_STANDS_DEG, LEG_WIDTH_DEG = 35.0, 5.0
TRUNK_STANDS_DEG, TRUNK_STANDS_WIDTH_DEG = 14.0, 3.0
TRUNK_LIES_DEG, TRUNK_LIES_WIDTH_DEG = 60.0, 5.0
SITS_ON_LEVEL_LEG = 0.6  # a guess among two that cannot be told apart


def postures(tilt_deg: NDArray[np.float64], place: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the probabilities of standing, sitting and lying, (n, 3), of somebody who is still.

    Parameters
    ----------
    tilt_deg : (n,) angle of gravity against that of walking; NaN where it is not known: all three are alike.
    place : (n, 4) probability of PLACES; at a wrist or in a hand the angle says nothing of the body.
    """
    level_leg = _above(tilt_deg, LEG_STANDS_DEG, LEG_WIDTH_DEG)
    leans = _above(tilt_deg, TRUNK_STANDS_DEG, TRUNK_STANDS_WIDTH_DEG)
    lies = _above(tilt_deg, TRUNK_LIES_DEG, TRUNK_LIES_WIDTH_DEG)
    unknown = np.full((len(tilt_deg), 3), 1 / 3)
    of_place = {
        "leg": np.stack([1 - level_leg, SITS_ON_LEVEL_LEG * level_leg, (1 - SITS_ON_LEVEL_LEG) * level_leg], axis=1),
        "trunk": np.stack([1 - leans, leans * (1 - lies), leans * lies], axis=1),
    }
    mixed = sum(place[:, [i]] * of_place.get(name, unknown) for i, name in enumerate(PLACES))
    return np.where(np.isnan(tilt_deg)[:, None], unknown, mixed)


def _above(angle_deg: NDArray[np.float64], limit_deg: float, width_deg: float) -> NDArray[np.float64]:
    """Return a probability that grows from 0 to 1 around a limit."""
    return np.asarray(1 / (1 + np.exp(-(angle_deg - limit_deg) / width_deg)))
