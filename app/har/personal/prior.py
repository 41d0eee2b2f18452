"""What is known of people's activities before anybody gave an example of theirs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Prior:
    """How features of windows vary, in the space of `Recognition.features`, where 0 is the middle of all activities.

    A window lies around what is usual for its activity and its person, with variance 1 in each direction. What is
    usual lies around 0.
    """

    between: NDArray[np.float64]  # (d,) variance of what is usual

    @property
    def n_features(self) -> int:
        """Return how many features a window has."""
        return len(self.between)
