"""What an export is asked for, and what an artefact answers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.har.types import FloatArray, IntArray
from app.har.windows import WindowSet


@dataclass(frozen=True)
class Answers:
    """What is said of windows."""

    probabilities: FloatArray  # (n, n_activities)
    unfamiliar: NDArray[np.bool_]  # (n,)


@dataclass(frozen=True)
class Emulated(Answers):
    """What the very artefact answered of windows, here."""

    ms: float  # a window, one after the other
    ram_bytes: int | None = None  # besides the constants, where it is known
    answers: IntArray | None = None  # (n,) nodes of the tree, where the artefact says them itself


@dataclass(frozen=True)
class HeldOut:
    """Labelled windows that the model did not learn from."""

    windows: WindowSet
    whose: str  # "2 people held out of physiotherapy"
