"""What a personal head looks at: features of a window, scaled, and where gravity points on the person's device."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from app.har.classifiers.everyday.novelty import Novelty
from app.har.classifiers.everyday.training import Columns
from app.har.classifiers.everyday.wearing import Track

N_GRAVITY = 3
GRAVITY_SCALE = 4.0  # a posture differs from others by more than its windows differ among themselves
CLIP = 5.0


def looks(track: Track, columns: Columns, novelty: Novelty) -> NDArray[np.float16]:
    """Return (n, n_features) that vary by about 1; 0, which is usual, where nothing is known."""
    movement = (track.features[:, columns.level] - novelty.centre) / novelty.scale
    gravity = GRAVITY_SCALE * np.nan_to_num(track.gravity)
    return np.concatenate([np.clip(np.nan_to_num(movement), -CLIP, CLIP), gravity], axis=1).astype(np.float16)
