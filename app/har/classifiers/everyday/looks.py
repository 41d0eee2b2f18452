"""What a personal head looks at: all features of windows, how gravity points on the device, and how much it moves.

Nothing here is against the person's own walking, or freed from how the device is turned: to a person's own device and
placement, which a head is for, both are the same every time.
"""

from __future__ import annotations

import numpy as np

from app.har.classifiers.everyday.training import Training
from app.har.classifiers.everyday.wearing import UNKNOWN_SUBJECT, Track, smoothed
from app.har.personal.space import Space, fit_space
from app.har.types import FloatArray

REACH = 1  # neighbours on either side that are averaged
FAINT = 1e-4  # m/s² or rad/s


def looks(track: Track) -> FloatArray:
    """Return (n, n_features); NaN where a feature needs a sensor that is missing."""
    strength = np.stack([track.movement_rms, track.rotation_rms, track.sway_rms], axis=1)
    strength = np.log(np.maximum(np.where(np.isinf(strength), np.nan, strength), FAINT))
    rows = np.concatenate([track.features, track.gravity, strength], axis=1)
    runs, there = track.runs, ~np.isnan(rows)
    share = smoothed(there.astype(np.float32), runs, REACH)
    mean = smoothed(np.where(there, rows, 0), runs, REACH) / np.maximum(share, FAINT)
    return np.where(there, mean, np.nan).astype(np.float32)


def space_of(training: Training) -> Space | None:
    """Find what tells a person's activities apart, over the people of all data sets; see `fit_space`."""
    track = training.track
    anybody = np.array([name.rpartition("/")[2] in ("", UNKNOWN_SUBJECT) for name in track.subjects.tolist()], bool)
    worn = np.char.add(np.char.add(track.subjects, "\n"), np.where(anybody, track.recordings, track.place))
    person, activity = (np.unique(names, return_inverse=True)[1].astype(np.int64) for names in (worn, training.node))
    return fit_space(looks(track), person, activity, training.dataset)
