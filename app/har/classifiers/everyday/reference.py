"""A person's own walking, as a measure for what they record later in the same placement."""

from __future__ import annotations

import numpy as np

from app.har.classifiers.everyday.wearing import Track, upright
from app.har.classifiers.types import WalkingReference
from app.har.types import FloatArray


def walking_reference(track: Track) -> WalkingReference:
    """Make a reference of windows that are all walking; one at least."""
    gravity = track.gravity[~np.isnan(track.gravity[:, 0])]
    direction = upright(gravity) if len(gravity) else np.full(3, np.nan, np.float32)
    first = float(track.start_s[0])
    return WalkingReference(median(track.features), direction, len(track), str(track.recordings[0]), first)


def median(values: FloatArray) -> FloatArray:
    """Return what is usual among rows, (n_features,); NaN where none of them has a value."""
    there = ~np.isnan(values).any(axis=0)
    usual = np.full(values.shape[1], np.nan, np.float32)
    usual[there] = np.median(values[:, there], axis=0)
    for column in np.flatnonzero(~there & ~np.isnan(values).all(axis=0)):
        usual[column] = np.nanmedian(values[:, column])
    return usual
