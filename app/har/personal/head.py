"""What a person's examples change in the answers of a model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from functools import lru_cache
from typing import IO

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from app.har.errors import ModelIntegrityError
from app.har.personal.prior import Prior
from app.har.types import FloatArray
from app.har.vocabulary import DEFAULT_LIMIT, AnswerTree

FORMAT = 5  # heads of another one are learnt again, by the guard of today
LEAST = 1e-4  # probability: no model is certain
ALIKE = 3.0  # standard deviations of the distance of an activity's windows from its centre


@dataclass(frozen=True)
class Weighing:
    """How much examples count; chosen on people of data sets that the model did not see, see ADR 13."""

    freedom: float = 5.0  # degrees: how little is known of how much a person's windows vary
    own: float = 0.15  # exponent of the likelihood of the features
    bouts: float = 0.02  # variance between bouts of an activity, of that of what is usual for one
    otherwise: float = 0.05  # how probable it is that an activity is done otherwise than in its examples
    margin: float = 20.0  # log likelihood by which windows must be more like examples, if those are of one activity
    doubt: float = 0.25  # examples, before it counts how often the model named each activity in them
    confirmed: float = 1.0  # log probability by which another activity must exceed one that the model never mistook
    sharpness: float = 1.5  # exponent of the answer where all activities have examples
    slip: float = 0.02  # how probable it is that a person says something wrong of a bout, or chooses the wrong one
    mistaken: float = 0.05  # how probable it is at least that the model is wrong of somebody, however certain it is


WEIGHING = Weighing()


@dataclass(frozen=True)
class Examples:
    """Windows of which a person says what they were."""

    features: NDArray[np.floating]  # (n, d)
    probabilities: FloatArray  # (n, k) as the model answered
    activity: NDArray[np.str_]  # (n,) names, or groups of the model's activities; any other is new
    recording: NDArray[np.generic]  # (n,) what each was cut from
    stretch: NDArray[np.int64]  # (n,) the same of windows that follow each other in a recording

    def __len__(self) -> int:
        return len(self.activity)

    def where(self, rows: NDArray[np.bool_]) -> Examples:
        """Return some of them."""
        return Examples(*(column[rows] for column in vars(self).values()))

    def bouts(self) -> NDArray[np.int64]:
        """Return which bout each is of, (n,): one activity, one after the other in one recording."""
        changes = np.zeros(max(len(self) - 1, 0), bool)
        for column in (self.recording, self.activity, self.stretch):
            _, number = np.unique(column, return_inverse=True)
            changes |= np.diff(number) != 0
        return np.concatenate(([0], np.cumsum(changes)))[: len(self)]

    def stretches(self) -> dict[str, int]:
        """Return of how many bouts there are examples, by activity."""
        _, first = np.unique(self.bouts(), return_index=True)
        return dict(Counter(self.activity[first].tolist()).most_common())


@dataclass(frozen=True)
class PersonalHead:
    """How likely a person's windows are under each kind of example, and how that changes the model's answer."""

    activities: tuple[str, ...]  # those of the model, then those that are new
    shown: NDArray[np.bool_]  # (c, k') which activities examples of each name are of: of a group, all of its
    mean: NDArray[np.float32]  # (c, d) of a window of the next bout
    variance: NDArray[np.float32]  # (c, d)
    anything: NDArray[np.float32]  # (d,) variance of any window, around 0
    log_shift: NDArray[np.float32]  # (k',) of activities that the model names too often, or too rarely
    confirmed: NDArray[np.bool_]  # (k',) those that the model named in examples, always and only rightly
    trust: NDArray[np.float32]  # (k',) how far what a person says of an activity is believed of other windows, 0 … 1
    covered: float  # 0 … 1: share of the model's activities that have examples
    strength: float  # 0 … 1
    weighing: Weighing

    @property
    def n_features(self) -> int:
        """Return how many features a window has."""
        return len(self.anything)

    def adjust(self, probabilities: FloatArray, features: NDArray[np.floating]) -> FloatArray:
        """Return probabilities (n, k'): trust · q + (1 - trust) · p, where q ∝ (p · shift · likelihood) ^ sharpness.

        The likelihood is that of the features against that of anything, to the power of `Weighing.own`; as an activity
        may be done otherwise than in its examples, features unlike all of them say little against it. An activity
        without an example keeps its likelihood. One that is new to the model starts as likely as any. The model's
        answer gives way only to something clearly more probable where all examples confirmed that answer: most who
        lost lost there. The trust is that in what is said of the activity that q names: an answer is no surer than the
        examples that it comes from, see `_trust`.

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
        x, weighing = features.astype(np.float64), self.weighing
        log_p = _log_of_all(probabilities, len(self.activities)) + self.strength * self.log_shift
        like = _log_likelihood(x, self.mean, self.variance, weighing.freedom)
        like -= _log_likelihood(x, np.zeros((1, self.n_features)), self.anything[None, :], weighing.freedom)
        like -= weighing.margin * (1 - self.covered)
        like = np.logaddexp(
            np.log1p(-weighing.otherwise) + self.strength * weighing.own * like, np.log(weighing.otherwise)
        )
        for activity in np.flatnonzero(self.shown.any(axis=0)):
            log_p[:, activity] += like[:, self.shown[:, activity]].max(axis=1)
        answer = probabilities.argmax(axis=1)
        log_p[np.arange(len(x)), answer] += self.strength * weighing.confirmed * self.confirmed[answer]
        log_p *= 1 + (weighing.sharpness - 1) * self.covered * self.strength
        taught = np.exp(log_p - log_p.max(axis=1, keepdims=True))
        taught /= taught.sum(axis=1, keepdims=True)
        alone = np.zeros_like(taught)
        alone[:, :k] = probabilities
        trust = self.trust[taught.argmax(axis=1), None]
        return np.asarray(trust * taught + (1 - trust) * alone, np.float32)

    def alike(self, features: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Say which windows are as near to the examples of an activity as its next ones would be; (n, k').

        The squared distance of those is distributed as chi-square with d degrees of freedom. What is merely less like
        anything else is not alike: in a recording unlike all that was trained on, that is every window.
        """
        d = self.n_features
        near = _distance(features.astype(np.float64), self.mean, self.variance) <= d + ALIKE * np.sqrt(2 * d)
        return np.asarray((near[:, :, None] & self.shown).any(axis=1))

    def save(self, file: IO[bytes]) -> None:
        """Write the head, at most 40 KB, without pickle."""
        arrays = vars(self) | {"activities": np.array(self.activities), "weighing": np.array(astuple(self.weighing))}
        np.savez_compressed(file, format=FORMAT, **arrays)

    @classmethod
    def load(cls, file: IO[bytes]) -> PersonalHead:
        """Read a head.

        Raises
        ------
        ModelIntegrityError : it is of another format.
        """
        with np.load(file, allow_pickle=False) as stored:
            arrays = dict(stored)
        if arrays.pop("format", None) != FORMAT:
            raise ModelIntegrityError("This personal head was made by another version. Learn it again.")
        activities = tuple(arrays.pop("activities").tolist())
        weighing = Weighing(*arrays.pop("weighing").tolist())
        covered, strength = (float(arrays.pop(name)) for name in ("covered", "strength"))
        return cls(activities, covered=covered, strength=strength, weighing=weighing, **arrays)


def learn(
    prior: Prior,
    activities: Sequence[str],
    examples: Examples,
    strength: float = 1.0,
    weighing: Weighing = WEIGHING,
) -> PersonalHead:
    """Learn from a person's examples, in closed form, of sums over them: in any order, and without those taken back.

    What is usual for an activity of this person is normal around 0, their bouts are normal around that, and the windows
    of a bout around it. All variances are known, so what is known after some examples is normal, too (probabilistic
    linear discriminant analysis; Ioffe 2006, ECCV; with bouts: Gelman et al. 2013, Bayesian Data Analysis, ch. 5). So
    ten windows of one bout count less than ten of several. How often the model named each activity in the examples,
    against how often it was true, shifts its answers (Saerens, Latinne, Decaestecker 2002, Neural Computation 14). The
    fewer activities have examples, the less that is: who corrects what is wrong shows nothing of what is right.

    Parameters
    ----------
    activities : of the model, in the order of its probabilities.
    strength : how far the head goes, 0 … 1.
    """
    names = all_names(activities, examples)
    kinds, kind = np.unique(examples.activity, return_inverse=True)
    shown = meant(activities, names, kinds)
    weight, total = _sums(prior, examples, kind, len(kinds), weighing)
    between_bouts = weighing.bouts * prior.between
    variance = 1 / (1 / prior.between + weight)
    named = np.exp(_log_of_all(examples.probabilities, len(names)))
    named /= named.sum(axis=1, keepdims=True)
    # Of a group, each of its activities in the shares that the model says
    true = named * shown[kind]
    n = (true / true.sum(axis=1, keepdims=True)).sum(axis=0)
    answer = examples.probabilities.argmax(axis=1)
    right: NDArray[np.bool_] = np.asarray(shown[kind, answer])
    named_rightly, named_wrongly = (np.bincount(answer[rows], minlength=len(names)) for rows in (right, ~right))
    missed = shown[kind[~right]].any(axis=0)
    covered = np.count_nonzero(shown[:, : len(activities)].any(axis=0)) / max(len(activities), 1)
    return PersonalHead(
        names,
        shown,
        (variance * total).astype(np.float32),
        (variance + between_bouts + 1).astype(np.float32),
        (prior.between + between_bouts + 1).astype(np.float32),
        (covered * np.log((n + weighing.doubt) / (named.sum(axis=0) + weighing.doubt))).astype(np.float32),
        (named_rightly > 0) & (named_wrongly == 0) & ~missed,
        _trust(examples, kind, shown, weighing),
        covered,
        strength,
        weighing,
    )


def _sums(
    prior: Prior, examples: Examples, kind: NDArray[np.intp], n_kinds: int, weighing: Weighing
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return what examples of each name weigh, and their sum, each (n_kinds, d); n windows of a bout n / (1 + n · v).

    There, v is the variance between bouts.
    """
    bout = examples.bouts()
    _, first, n = np.unique(bout, return_index=True, return_counts=True)
    sums = np.zeros((len(first), prior.n_features))
    np.add.at(sums, bout, examples.features.astype(np.float64))
    counts = 1 / (1 + n[:, None] * weighing.bouts * prior.between)
    weight, total = np.zeros((n_kinds, prior.n_features)), np.zeros((n_kinds, prior.n_features))
    np.add.at(weight, kind[first], n[:, None] * counts)
    np.add.at(total, kind[first], sums * counts)
    return weight, total


def _trust(
    examples: Examples, kind: NDArray[np.intp], shown: NDArray[np.bool_], weighing: Weighing
) -> NDArray[np.float32]:
    """Return how probable it is that what is said of each activity holds of other windows, too; (k',).

    Either a person is right, or the model is and the person made a slip in each of their bouts. Slips are made bout by
    bout; the model is mistaken of somebody once. So by Bayes' rule the odds are those that the model leaves against its
    likeliest other activity, in the mean over bouts, times (1 / slip - 1) for each bout. A model that would have
    answered something else is taken at its word, but for `Weighing.mistaken`: one bout against it makes nothing sure.
    An activity without examples is trusted as the least of those that have some: each of these may have led to it.
    """
    against = np.where(shown[kind, : examples.probabilities.shape[1]], 0, examples.probabilities)
    left = 1 - against.max(axis=1, initial=0.0)
    _, first, bout = np.unique(examples.bouts(), return_index=True, return_inverse=True)
    of_bout = np.bincount(bout, left) / np.bincount(bout)
    bouts = np.bincount(kind[first], minlength=len(shown))
    usual = np.bincount(kind[first], of_bout, len(shown)) / bouts
    usual = np.clip(np.where(usual > 1 - DEFAULT_LIMIT, usual, 0), weighing.mistaken, 1 - weighing.mistaken)
    of_kind = expit(logit(usual) + bouts * logit(1 - weighing.slip))
    best = (shown * of_kind[:, None]).max(axis=0, initial=0.0)
    return np.asarray(np.where(shown.any(axis=0), best, of_kind.min(initial=1.0)), np.float32)


_tree = lru_cache(maxsize=16)(AnswerTree)  # a model's, of whom many learn


def all_names(activities: Sequence[str], examples: Examples) -> tuple[str, ...]:
    """Return the activities of a model, then those of a person that it does not know."""
    known = {*activities, *_tree(tuple(activities)).nodes}
    return (*activities, *dict.fromkeys(name for name in examples.activity.tolist() if name not in known))


def meant(activities: Sequence[str], names: Sequence[str], said: NDArray[np.str_]) -> NDArray[np.bool_]:
    """Say which of some names a person may mean by each of theirs, (n, len(names)); by a group, each activity of it."""
    tree = _tree(tuple(activities))
    members = {name: tree.members(name) if name in tree.nodes else (name,) for name in said.tolist()}
    found = [[name in members[own] for name in names] for own in said.tolist()]
    return np.array(found, bool).reshape(len(said), len(names))


def _log_of_all(probabilities: FloatArray, n_activities: int) -> NDArray[np.float64]:
    """Return log probabilities, (n, n_activities); of those that are new to the model, that of one among its own."""
    k = probabilities.shape[1]
    log_p = np.full((len(probabilities), n_activities), -np.log(max(k, 1)))
    log_p[:, :k] = np.log(np.maximum(probabilities, LEAST))
    return log_p


def _log_likelihood(
    x: NDArray[np.float64], mean: NDArray[np.floating], variance: NDArray[np.floating], freedom: float
) -> NDArray[np.float64]:
    """Return that of Student's t around each mean, (n, n_means), but for a constant: few windows are as wide as most.

    Parameters
    ----------
    mean, variance : (n_means, d).
    """
    wide = np.log1p(_distance(x, mean, variance) / freedom)
    return np.asarray(-((freedom + x.shape[1]) * wide + np.log(variance).sum(axis=1)) / 2)


def _distance(
    x: NDArray[np.float64], mean: NDArray[np.floating], variance: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Return squared distances from each mean in units of each variance, (n, n_means)."""
    mean, precision = mean.astype(np.float64), 1 / variance.astype(np.float64)
    distance = x**2 @ precision.T - 2 * x @ (mean * precision).T + (mean**2 * precision).sum(axis=1)
    return np.asarray(np.maximum(distance, 0))
