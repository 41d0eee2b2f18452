"""What a person's examples change in the answers of a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.har.errors import ModelIntegrityError
from app.har.personal.prior import Prior
from app.har.types import FloatArray

FORMAT = 1
LEAST = 1e-4  # probability: no model is certain


@dataclass(frozen=True)
class Examples:
    """Windows of which a person says what they were."""

    features: NDArray[np.floating]  # (n, d)
    probabilities: FloatArray  # (n, k) as the model answered
    activity: NDArray[np.str_]  # (n,) names; any that the model does not know is new
    recording: NDArray[np.generic]  # (n,) what each was cut from

    def __len__(self) -> int:
        return len(self.activity)

    def where(self, rows: NDArray[np.bool_]) -> Examples:
        """Return some of them."""
        return Examples(*(getattr(self, name)[rows] for name in vars(self)))


@dataclass(frozen=True)
class PersonalHead:
    """How likely a person's windows are under each activity, and how much that counts beside the model's answer."""

    activities: tuple[str, ...]  # those of the model, then those that are new
    mean: NDArray[np.float32]  # (k', d) of a next window of each activity
    variance: NDArray[np.float32]  # (k', d)
    background: NDArray[np.float32]  # (2, d) mean and variance of any window of anybody
    learnt: NDArray[np.bool_]  # (k',) which activities have examples
    own_weight: float

    def adjust(self, probabilities: FloatArray, features: NDArray[np.floating]) -> FloatArray:
        """Return probabilities (n, k') ∝ p (likelihood of the features / that under the background) ^ own_weight.

        An activity without an example keeps its weight. One that is new to the model starts as likely as any.

        Parameters
        ----------
        probabilities : (n, k) as the model answered.
        features : (n, d) `Recognition.features`.

        Raises
        ------
        ValueError : these are of another model.
        """
        k, d = probabilities.shape[1], features.shape[1]
        if d != self.mean.shape[1] or k > len(self.activities):
            raise ValueError(f"The head is for {self.mean.shape[1]} features; found {d}.")
        x = features.astype(np.float32)
        log_p = np.full((len(x), len(self.activities)), -np.log(max(k, 1)))
        log_p[:, :k] = np.log(np.maximum(probabilities, LEAST))
        anybody = _log_likelihood(x, *self.background)
        for number in np.flatnonzero(self.learnt):
            own = _log_likelihood(x, self.mean[number], self.variance[number])
            log_p[:, number] += self.own_weight * (own - anybody)
        log_p -= log_p.max(axis=1, keepdims=True)
        p = np.exp(log_p)
        return np.asarray(p / p.sum(axis=1, keepdims=True), np.float32)

    def save(self, path: Path) -> None:
        """Write the head, at most 40 KB, without pickle."""
        arrays = {name: value for name, value in vars(self).items() if name != "activities"}
        with path.open("wb") as file:
            np.savez_compressed(file, format=FORMAT, activities=np.array(self.activities), **arrays)

    @classmethod
    def load(cls, path: Path) -> PersonalHead:
        """Read a head.

        Raises
        ------
        ModelIntegrityError : it is of another format.
        """
        with np.load(path, allow_pickle=False) as stored:
            arrays = dict(stored)
        if arrays.pop("format", None) != FORMAT:
            raise ModelIntegrityError("This personal head was made by another version. Learn it again.")
        activities, own_weight = tuple(arrays.pop("activities").tolist()), float(arrays.pop("own_weight"))
        return cls(activities, own_weight=own_weight, **arrays)


def learn(prior: Prior, activities: Sequence[str], examples: Examples) -> PersonalHead:
    """Learn from a person's examples, in closed form: none but their number and their sum counts.

    What is usual for an activity of this person is normal around what is usual for anybody, and their windows are
    normal around it. Both variances are known, so what is known after some examples is normal, too (probabilistic
    linear discriminant analysis; Ioffe 2006, ECCV).

    Parameters
    ----------
    activities : of the model, in the order of its probabilities.
    """
    new = tuple(dict.fromkeys(name for name in examples.activity.tolist() if name not in activities))
    names = (*activities, *new)
    member = examples.activity[None, :] == np.array(names)[:, None]
    n = member.sum(axis=1)[:, None]
    total = member.astype(np.float64) @ examples.features.astype(np.float64)
    variance = 1 / (1 / prior.between + n / prior.within)
    mean = variance * (prior.mean / prior.between + total / prior.within)
    return PersonalHead(
        names,
        mean.astype(np.float32),
        (variance + prior.within).astype(np.float32),
        np.stack([prior.mean, prior.between + prior.within]).astype(np.float32),
        n[:, 0] > 0,
        prior.own_weight,
    )


def _log_likelihood(x: FloatArray, mean: FloatArray, variance: FloatArray) -> FloatArray:
    """Return that of a normal distribution with independent features, up to a constant, (n,)."""
    return np.asarray(-((x - mean) ** 2 / variance + np.log(variance)).sum(axis=1) / 2)
