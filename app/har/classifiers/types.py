"""What a model answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from app.har.types import FloatArray

ReferenceSource = Literal["", "this recording", "known walking"]


@dataclass(frozen=True)
class Wearing:
    """A stretch of a recording in which a device was worn in one place, and what its windows were measured against."""

    recording: str
    start_s: float  # on the recording's clock
    end_s: float
    place: str = ""  # "leg", "trunk", "wrist", "hand or bag" or "table"; empty where it is not known
    place_known: bool = False  # a person said so; otherwise it was guessed
    reference: ReferenceSource = ""  # where the person's own walking comes from; empty where there is none
    reference_start_s: float | None = None  # of that walking, on this recording's clock; of known walking, Unix time
    reference_windows: int = 0
    walks_like: str = ""  # another place, by the walking, where that strongly contradicts what the person said


@dataclass(frozen=True)
class WalkingReference:
    """What a device shows while its wearer walks: a measure for what they record later in the same placement."""

    usual: FloatArray  # (n_features,) median
    upright: FloatArray  # (3,) direction of gravity; NaN where it is not known
    n_windows: int
    recording: str = ""
    start_s: float | None = None  # on the clock of its recording; Unix time, once it is a measure for another one


@dataclass(frozen=True)
class Recognition:
    """What the model recognised in windows, and what it based this on."""

    probabilities: FloatArray  # (n, n_activities)
    time_attention: FloatArray  # (n, n_frames), rows sum to 1
    sensor_attention: FloatArray  # (n, n_sensors), rows sum to 1; 0 for a sensor that was left out
    embedding: FloatArray  # (n, units)
    novelty: FloatArray  # (n, n_sensors): above 1 is unlike anything seen in training, infinite where missing
    unseen_orientation: NDArray[np.bool_]  # (n, n_sensors): gravity points to where it never did in training
    features: NDArray[np.float16]  # (n, n_features): what a `PersonalHead` looks at, scaled; see `Recogniser.prior`
    wearings: tuple[Wearing, ...] = ()  # of models that look at a whole wearing; in the order of time

    @classmethod
    def joined(cls, parts: Sequence[Recognition]) -> Recognition:
        """Put what was recognised of successive windows in one."""
        names = [field.name for field in fields(cls) if field.name != "wearings"]
        arrays = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
        return cls(**arrays, wearings=tuple(wearing for part in parts for wearing in part.wearings))

    @property
    def unfamiliar(self) -> NDArray[np.bool_]:
        """Return the windows of which no sensor is like what was seen in training."""
        return np.asarray((self.novelty > 1).all(axis=1))
