"""What a model answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.har.types import FloatArray


@dataclass(frozen=True)
class Recognition:
    """What the model recognised in windows, and what it based this on."""

    probabilities: FloatArray  # (n, n_activities)
    time_attention: FloatArray  # (n, n_frames), rows sum to 1
    sensor_attention: FloatArray  # (n, n_sensors), rows sum to 1; 0 for a sensor that was left out
    embedding: FloatArray  # (n, units)
    novelty: FloatArray  # (n, n_sensors): above 1 is unlike anything seen in training, infinite where missing
    unseen_orientation: NDArray[np.bool_]  # (n, n_sensors): gravity points to where it never did in training

    @classmethod
    def joined(cls, parts: Sequence[Recognition]) -> Recognition:
        """Put what was recognised of successive windows in one."""
        return cls(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in vars(parts[0])})

    @property
    def unfamiliar(self) -> NDArray[np.bool_]:
        """Return the windows of which no sensor is like what was seen in training."""
        return np.asarray((self.novelty > 1).all(axis=1))
