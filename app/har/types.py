"""What every room of the core uses: the names of arrays, problems found and progress reports."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
TimeArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Event = dict[str, Any]
"""One progress report: ``stage`` always; where it applies ``model``, ``epoch``, ``epochs``, ``loss``, ``accuracy``,
``val_loss``, ``val_accuracy``, ``fraction`` (0–1 of the stage)."""
OnEvent = Callable[[Event], None]


def ignore_event(event: Event) -> None:
    """Take a progress report and do nothing with it."""


@dataclass(frozen=True)
class Problem:
    """Something wrong with a file and what was done about it."""

    source: str  # file, as the person named it, e.g. "14.Run/1101_O_3.csv"
    kind: str  # short and stable: "clock gap", "duplicate recording", "corrupt rows", "low rate", …
    detail: str  # what was found, with figures
    action: str  # what was done about it
