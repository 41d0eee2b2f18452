"""What is known of people's activities before anybody gave an example of theirs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

OWN_WEIGHT = 0.05  # of the likelihood of features that depend on each other, where nothing was fitted


@dataclass(frozen=True)
class Prior:
    """How features of a person's windows vary, in the space of `Recognition.features`.

    A window lies around what is usual for its activity and its person, which lies around what is usual for people.
    """

    within: NDArray[np.float64]  # (d,) variance of windows around what is usual for their activity and person
    between: NDArray[np.float64]  # (d,) variance over people of what is usual for an activity
    mean: NDArray[np.float64]  # (d,) over all activities
    own_weight: float = OWN_WEIGHT  # exponent of the likelihood of the features, beside the model's probability

    @classmethod
    def plain(cls, n_features: int) -> Prior:
        """Return one for features that were scaled by all windows of training, and of which no more is known."""
        half = np.full(n_features, 0.5)
        return cls(half, half, np.zeros(n_features))
