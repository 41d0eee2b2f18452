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

FORMAT = 3  # heads of another one are learnt again, by the guard of today
LEAST = 1e-4  # probability: no model is certain
FREEDOM = 5.0  # degrees: how little is known of how much a person's windows vary
OWN_WEIGHT = (
    0.15  # exponent of the likelihood of the features; FREEDOM, it, MARGIN and DOUBT are from data sets left out
)
MARGIN = (
    10.0  # log likelihood by which windows must be more like examples than like anything, if those are of one activity
)
ALIKE = 3.0  # standard deviations of the distance of an activity's windows from its centre
DOUBT = 1.0  # examples, before it counts how often the model named each activity in them


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
    """How likely a person's windows are under each activity, and how that changes the model's answer."""

    activities: tuple[str, ...]  # those of the model, then those that are new
    mean: NDArray[np.float32]  # (k', d) of a next window of each activity
    variance: NDArray[np.float32]  # (k', d)
    anything: NDArray[np.float32]  # (d,) variance of any window, around 0
    learnt: NDArray[np.bool_]  # (k',) which activities have examples
    log_shift: NDArray[np.float32]  # (k',) of activities that the model names too often, or too rarely
    margin: float  # see MARGIN; none where all activities have examples
    strength: float  # 0 … 1

    @property
    def n_features(self) -> int:
        """Return how many features a window has."""
        return int(self.mean.shape[1])

    def adjust(self, probabilities: FloatArray, features: NDArray[np.floating]) -> FloatArray:
        """Return probabilities (n, k') ∝ p · shift · (likelihood of the features / that of anything) ^ OWN_WEIGHT.

        An activity without an example keeps its likelihood. One that is new to the model starts as likely as any.

        Parameters
        ----------
        probabilities : (n, k) as the model answered.
        features : (n, d) `Recognition.features`.

        Raises
        ------
        ValueError : these are of another model.
        """
        k = probabilities.shape[1]
        if features.shape[1] != self.n_features or k > len(self.activities):
            raise ValueError(f"The head is for {self.n_features} features; found {features.shape[1]}.")
        x = features.astype(np.float64)
        log_p = _log_of_all(probabilities, len(self.activities)) + self.strength * self.log_shift
        like = _log_likelihood(x, self.mean[self.learnt], self.variance[self.learnt])
        anything = _log_likelihood(x, np.zeros((1, self.n_features)), self.anything[None, :])
        log_p[:, self.learnt] += self.strength * OWN_WEIGHT * (like - anything - self.margin)
        p = np.exp(log_p - log_p.max(axis=1, keepdims=True))
        return np.asarray(p / p.sum(axis=1, keepdims=True), np.float32)

    def alike(self, features: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Say which windows are as near to the examples of an activity as its next ones would be; (n, k').

        The squared distance of those is distributed as chi-square with d degrees of freedom. What is merely less like
        anything else is not alike: in a recording unlike all that was trained on, that is every window.
        """
        distance = _distance(features.astype(np.float64), self.mean, self.variance)
        d = self.n_features
        return np.asarray((distance <= d + ALIKE * np.sqrt(2 * d)) & self.learnt)

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
        activities = tuple(arrays.pop("activities").tolist())
        margin, strength = (float(arrays.pop(name)) for name in ("margin", "strength"))
        return cls(activities, margin=margin, strength=strength, **arrays)


def learn(prior: Prior, activities: Sequence[str], examples: Examples, strength: float = 1.0) -> PersonalHead:
    """Learn from a person's examples, in closed form, of sums over them: in any order, and without those taken back.

    What is usual for an activity of this person is normal around 0, and their windows are normal around it. Both
    variances are known, so what is known after some examples is normal, too (probabilistic linear discriminant
    analysis; Ioffe 2006, ECCV). How often the model named each activity in the examples, against how often it was
    true, shifts its answers (Saerens, Latinne, Decaestecker 2002, Neural Computation 14). The fewer activities have
    examples, the less that is: who corrects what is wrong shows nothing of what is right.

    Parameters
    ----------
    activities : of the model, in the order of its probabilities.
    strength : how far the head goes, 0 … 1.
    """
    new = tuple(dict.fromkeys(name for name in examples.activity.tolist() if name not in activities))
    names = (*activities, *new)
    member = examples.activity[None, :] == np.array(names)[:, None]
    n = member.sum(axis=1)
    total = member.astype(np.float64) @ examples.features.astype(np.float64)
    variance = 1 / (1 / prior.between + n[:, None])
    named = np.exp(_log_of_all(examples.probabilities, len(names)))
    named = (named / named.sum(axis=1, keepdims=True)).sum(axis=0)
    covered = np.count_nonzero(n[: len(activities)]) / max(len(activities), 1)
    return PersonalHead(
        names,
        (variance * total).astype(np.float32),
        (variance + 1).astype(np.float32),
        (prior.between + 1).astype(np.float32),
        n > 0,
        (covered * np.log((n + DOUBT) / (named + DOUBT))).astype(np.float32),
        MARGIN * (1 - covered),
        strength,
    )


def _log_of_all(probabilities: FloatArray, n_activities: int) -> NDArray[np.float64]:
    """Return log probabilities, (n, n_activities); of those that are new to the model, that of one among its own."""
    k = probabilities.shape[1]
    log_p = np.full((len(probabilities), n_activities), -np.log(max(k, 1)))
    log_p[:, :k] = np.log(np.maximum(probabilities, LEAST))
    return log_p


def _log_likelihood(
    x: NDArray[np.float64], mean: NDArray[np.floating], variance: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Return that of Student's t around each mean, (n, n_means), but for a constant: few windows are as wide as most.

    Parameters
    ----------
    mean, variance : (n_means, d).
    """
    wide = np.log1p(_distance(x, mean, variance) / FREEDOM)
    return np.asarray(-((FREEDOM + x.shape[1]) * wide + np.log(variance).sum(axis=1)) / 2)


def _distance(
    x: NDArray[np.float64], mean: NDArray[np.floating], variance: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Return squared distances from each mean in units of each variance, (n, n_means)."""
    mean, precision = mean.astype(np.float64), 1 / variance.astype(np.float64)
    distance = x**2 @ precision.T - 2 * x @ (mean * precision).T + (mean**2 * precision).sum(axis=1)
    return np.asarray(np.maximum(distance, 0))
