"""Activities for windows that nobody labelled, given only where heads are sure by what they score on people left out.

Heads of labelled people, each without a part of them, say how far the right activity of people left out leads the best
other one. What nine of ten such leads reach is the limit; the activities of a window that reach it are its conformal
set, and where that holds exactly one activity, the window is learnt from as if it had been labelled so. Then the same
again, with heads that have learnt from these windows, too. As each head never meets the people whom it is judged by,
neither by their labels, nor by their windows without labels, nor by what was concluded from either, the heads also tell
what all of this is worth: where people left out are recognised worse than without, nothing is given; of the data set
of the labels itself, worse by more than chance between people. The activities come from a head that leaves nobody out.

References
----------
Yarowsky (1995), Unsupervised word sense disambiguation rivaling supervised methods, ACL: self-training.
Vovk (2015), Cross-conformal predictors, Annals of Mathematics and Artificial Intelligence 74.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from app.har.classifiers.elm_gru_am.config import ModelConfig
from app.har.classifiers.elm_gru_am.convolutions import SAMPLE
from app.har.classifiers.elm_gru_am.description import WindowDescriber
from app.har.classifiers.elm_gru_am.elm import ExtremeLearningMachine
from app.har.classifiers.elm_gru_am.features import per_chunk
from app.har.classifiers.elm_gru_am.scaling import CLIP, Scaler
from app.har.classifiers.elm_gru_am.sensor_layout import SensorLayout
from app.har.errors import InsufficientData
from app.har.evaluation.scores import macro_scores
from app.har.signals.types import UNLABELLED, SignalSet
from app.har.sums import Matrix, Sums
from app.har.texts import file_name
from app.har.types import FloatArray, IntArray
from app.har.windows import WindowSet, make_windows

PARTS = 4  # of the labelled people, each left out of one head
ROUNDS = 3
MISSED = 0.1  # share of the windows of people left out whose right activity's lead is below the limit
NODES, RIDGE = 1000, 100.0  # of a head: a third of the model's, because many are solved
SHARE_OF_LABELS = 0.3  # of all weight, at least, is that of labelled windows
SMOOTHED = 6  # times that scores are averaged with those of the windows before and after
SCALED_BY = 2000  # windows with labels, and as many without
MOST = 20_000  # windows without labels: beyond, whole recordings are left out at random


class Gain(TypedDict):
    """What windows without labels were worth."""

    labelled: int  # windows
    judged: float  # share of them whose activity people of several parts show, so that it can be judged
    unlabelled: int  # windows that there were
    given: int  # of them, windows that got an activity
    by_activity: dict[str, int]
    f1_without: float  # macro F1 of heads alone on labelled people who were left out of them
    f1_with: float
    tolerated: float  # loss of it that may be chance
    used: bool  # False: they would have made it worse, or nothing was sure enough


@dataclass(frozen=True)
class Given:
    """Windows that got an activity, none where they would make it worse, and what they are worth."""

    windows: WindowSet
    gain: Gain


def give_activities(labelled: WindowSet, unlabelled: WindowSet, seed: int = 0, own: bool = False) -> Given:
    """Give activities to windows without labels where a conformal set holds exactly one.

    Parameters
    ----------
    labelled : windows of at least two people.
    unlabelled : windows of the same format in the order of time; their labels are not looked at.
    seed : for everything that is drawn at random; default 0.
    own : whether both are of one data set, by the same device in the same place: a loss of labelled people left out
        that may be chance does not count then. Default False.

    Raises
    ------
    InsufficientData : the labels are of one person, or there is no window without a label.
    """
    if len(np.unique(labelled.subjects)) < 2:
        raise InsufficientData(
            "To learn from recordings without labels, labels of at least two people are needed: what is concluded "
            "from those of some is judged by others."
        )
    unlabelled = _at_most(unlabelled, seed)
    if not len(unlabelled):
        raise InsufficientData("There is no whole window without a label to learn from, of people who are not tested.")
    n, n_activities, y, part = len(labelled), len(labelled.activities), labelled.y, _parts(labelled, seed)
    hidden = HiddenLayer.of_both(labelled, unlabelled, seed)
    rows = np.concatenate([hidden(labelled), hidden(unlabelled)])
    before, after = neighbours(WindowSet.joined([labelled, unlabelled]))
    # Whose labels each head learns from, and whose windows without labels; the last one leaves nobody out.
    heads = [part != number for number in range(part.max() + 1)] + [np.ones(n, bool)]
    others = [are_others(unlabelled, labelled.subjects[~head].tolist()) for head in heads]
    learnt = np.stack([np.bincount(y[head], minlength=n_activities) > 0 for head in heads])
    judged = learnt[part, y]  # an activity of people of one part alone is unknown to the head without them
    guesses: list[IntArray] = [np.full(len(unlabelled), UNLABELLED)] * len(heads)
    left_out: NDArray[np.float64] = np.zeros((2, n, n_activities))  # scores of a window alone; leads with neighbours
    answers, limit = [], np.inf
    for _ in range(ROUNDS + 1):
        leads = []
        for number, (head, guess) in enumerate(zip(heads, guesses, strict=True)):
            beta = solved(rows[:n][head], y[head], rows[n:], guess, n_activities)
            scores = np.where(learnt[number], rows @ beta, -np.inf)
            lead = _lead(_smoothed(scores, before, after))
            left_out[:, ~head] = scores[:n][~head], lead[:n][~head]
            leads.append(lead[n:])
        answers.append(left_out[0].argmax(axis=1))
        limit = _limit(left_out[1][np.arange(n), y][judged])
        guesses = [
            np.where(other, only_one(lead, limit), UNLABELLED) for other, lead in zip(others, leads, strict=True)
        ]
    guess = guesses[-1]
    counted = [_by_person(labelled.take(judged), answer[judged]) for answer in (answers[0], answers[-1])]
    f1_without, f1_with = (_f1(confusion.sum(axis=0)) for confusion in counted)
    tolerated = _chance(*counted) if own else 0.0
    sure = guess != UNLABELLED
    used = bool(f1_with >= f1_without - tolerated and sure.any())
    counts = np.bincount(guess[sure], minlength=n_activities).tolist()
    windows = replace(unlabelled, y=guess, activities=labelled.activities).take(sure if used else slice(0, 0))
    return Given(
        windows,
        {
            "labelled": len(labelled),
            "judged": float(judged.mean()),
            "unlabelled": len(unlabelled),
            "given": int(sure.sum()),
            "by_activity": {name: n for name, n in zip(labelled.activities, counts, strict=True) if n},
            "f1_without": f1_without,
            "f1_with": f1_with,
            "tolerated": tolerated,
            "used": used,
        },
    )


def without_labels(signals: SignalSet, like: WindowSet, left_out: Sequence[str], own: bool) -> WindowSet:
    """Cut windows to learn from without labels, of the format of labelled ones.

    Parameters
    ----------
    signals : prepared as those of the labelled windows were.
    left_out : people from whom nothing may be learnt, see `of_others`.
    own : whether these are the signals that the labelled windows are from: what has a label there is left out.
    """
    windows = make_windows(signals, like.window_length_s, by_label=False)
    kept = (windows.y == UNLABELLED) | (not own)
    kept &= ~np.isnan(windows.X[:, 0]).any(axis=1)
    channels = [windows.channels.index(channel) for channel in like.channels]
    windows = of_others(windows.take(kept), left_out)
    datasets = np.full(len(windows), "") if like.datasets is not None and windows.datasets is None else windows.datasets
    return replace(
        windows,
        X=windows.X[:, :, channels],
        y=np.full(len(windows), UNLABELLED),
        recordings=windows.recordings if own else elsewhere(windows.recordings),
        channels=like.channels,
        activities=like.activities,
        datasets=None if like.datasets is None else datasets,
    )


def elsewhere(recordings: NDArray[np.str_]) -> NDArray[np.str_]:
    """Return names that are those of no labelled recording, or windows of both would pass for neighbours."""
    return np.asarray(np.char.add("another data set's ", recordings), np.str_)


def of_others(windows: WindowSet, people: Iterable[str]) -> WindowSet:
    """Return the windows of nobody who is called like one of these people, whatever data set they are of.

    A data set that was made of the labels of another holds the same people: *lab/3* of the one is *3* of the other.
    """
    return windows.take(are_others(windows, people))


def are_others(windows: WindowSet, people: Iterable[str]) -> NDArray[np.bool_]:
    """Return which windows are of nobody who is called like one of these people, (n,)."""
    theirs = {name for person in set(people) for name in _called(person)}
    subjects = windows.subjects.tolist()
    other = {subject: theirs.isdisjoint(_called(subject)) for subject in set(subjects)}
    return np.array([other[subject] for subject in subjects], bool)


def _called(person: str) -> set[str]:
    """Return what a person may be called in another data set, with and without what stands before, as files allow."""
    return {
        file_name(name).casefold() for name in (person, person.partition("/")[2], person.rpartition("/")[2]) if name
    }


def _lead(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return by how much each activity leads the best other one, (n, n_activities); all but the best trail it."""
    best, place = scores.max(axis=1), scores.argmax(axis=1)
    lead: NDArray[np.float64] = scores - best[:, None]
    rest = scores.copy()
    rest[np.arange(len(scores)), place] = -np.inf
    lead[np.arange(len(scores)), place] = best - rest.max(axis=1)
    return lead


def only_one(leads: NDArray[np.float64], limit: float) -> IntArray:
    """Return the one activity of each window (n, n_activities) that reaches the limit, UNLABELLED where not one does.

    A window between two activities reaches a limit below 0 for both, and one above it for none.
    """
    reaches = leads >= limit
    return np.where(reaches.sum(axis=1) == 1, reaches.argmax(axis=1), UNLABELLED)


def neighbours(windows: WindowSet) -> tuple[IntArray, IntArray]:
    """Return the window before and the one after each, (n,); itself where its recording has a gap or an end there."""
    order = np.lexsort((windows.start_s, windows.recordings)).astype(np.int64)
    first, second = order[:-1], order[1:]
    apart_s = windows.start_s[second] - windows.start_s[first]
    next_to = (windows.recordings[first] == windows.recordings[second]) & (apart_s < 1.5 * windows.window_length_s)
    first, second = first[next_to], second[next_to]
    before, after = np.arange(len(windows)), np.arange(len(windows))
    before[second], after[first] = first, second
    return before, after


def _smoothed(scores: NDArray[np.float64], before: IntArray, after: IntArray) -> NDArray[np.float64]:
    for _ in range(SMOOTHED):
        scores = (scores + scores[before] + scores[after]) / 3
    return scores


def _limit(of_right: NDArray[np.float64]) -> float:
    """Return what all but `MISSED` of the right activities' leads reach; of too few windows, nothing is known."""
    rank = int(MISSED * (len(of_right) + 1))
    return float(np.sort(of_right)[rank - 1]) if rank else -np.inf


def _parts(windows: WindowSet, seed: int) -> IntArray:
    """Return the part of the people that each window's person is in, (n,)."""
    people, person = np.unique(windows.subjects, return_inverse=True)
    part = np.random.default_rng(seed).permutation(len(people)) % min(PARTS, len(people))
    return part[person].astype(np.int64)


@dataclass(frozen=True)
class HiddenLayer:
    """The outputs of a random hidden layer for windows, with what scales its inputs."""

    describe: WindowDescriber
    scaler: Scaler
    elm: ExtremeLearningMachine

    @classmethod
    def of(cls, windows: WindowSet, seed: int) -> HiddenLayer:
        """Draw it; some of these windows, labelled or not, decide the scaling."""
        layout = SensorLayout(windows.channels)
        bare = WindowDescriber(ModelConfig(), layout, windows.sampling_rate_hz, windows.X.shape[1])
        describe = bare.with_convolutions(windows.take(slice(0, SAMPLE)), seed)
        parts = per_chunk(windows, describe)
        n, columns = len(layout.sensors), parts[0].columns
        elm = ExtremeLearningMachine(NODES, RIDGE, seed, columns[:n], columns[n:])
        return cls(describe, Scaler.of(np.concatenate([part.whole for part in parts])), elm)

    def __call__(self, windows: WindowSet) -> FloatArray:
        """Return (n, n_nodes)."""
        whole = np.concatenate(per_chunk(windows, lambda chunk: self.describe(chunk).whole))
        return self.elm.hidden(self.scaler(whole, CLIP))

    @classmethod
    def of_both(cls, labelled: WindowSet, unlabelled: WindowSet, seed: int) -> HiddenLayer:
        """Draw one for windows with labels and without."""
        random = np.random.default_rng(seed)
        return cls.of(
            WindowSet.joined([part.take(random.permutation(len(part))[:SCALED_BY]) for part in (unlabelled, labelled)]),
            seed,
        )


def solved(known: FloatArray, y: IntArray, unknown: FloatArray, guess: IntArray, n_activities: int) -> Matrix:
    """Return output weights of labelled windows and of those that were given an activity, every activity alike."""
    sure = guess != UNLABELLED
    H, labels = np.concatenate([known, unknown[sure]]), np.append(y, guess[sure])
    weights: NDArray[np.float64] = np.ones(len(labels))
    weights[: len(y)] = max(1.0, SHARE_OF_LABELS / (1 - SHARE_OF_LABELS) * sure.sum() / len(y))
    total = np.bincount(labels, weights, n_activities)
    even = len(labels) / np.count_nonzero(total) / np.where(total > 0, total, 1)
    targets = np.eye(n_activities)[labels]
    if len(H) >= H.shape[1]:
        return Sums.of(H, targets, weights * even[labels]).solve(RIDGE)
    root = np.sqrt(weights * even[labels])[:, None]  # of few rows, the same by way of their products
    rows = root * H
    return np.asarray(rows.T @ np.linalg.solve(rows @ rows.T + RIDGE * np.eye(len(rows)), root * targets), np.float64)


def _by_person(windows: WindowSet, answer: IntArray) -> IntArray:
    """Return how often each activity got which answer, (n_people, n_activities, n_activities)."""
    n = len(windows.activities)
    people, person = np.unique(windows.subjects, return_inverse=True)
    confusion = np.zeros((len(people), n, n), np.int64)
    np.add.at(confusion, (person, windows.y, answer), 1)
    return confusion


def _f1(confusion: IntArray) -> float:
    return float(macro_scores(confusion[None])[0][3]) if confusion.any() else 0.0


def _chance(without: IntArray, with_: IntArray) -> float:
    """Return the standard error over people of a difference of macro F1 (jackknife: each person left out in turn)."""
    n, (all_without, all_with) = len(without), (without.sum(axis=0), with_.sum(axis=0))
    changes = [_f1(all_with - b) - _f1(all_without - a) for a, b in zip(without, with_, strict=True)]
    return float(np.sqrt((n - 1) * np.var(changes))) if n else 0.0


def _at_most(windows: WindowSet, seed: int) -> WindowSet:
    """Return windows of so many recordings, drawn at random, that there are at most `MOST`; of one, the first."""
    if len(windows) <= MOST:
        return windows
    names, recording = np.unique(windows.recordings, return_inverse=True)
    order = np.random.default_rng(seed).permutation(len(names))
    rows = np.concatenate([np.flatnonzero(recording == one) for one in order])
    return windows.take(np.sort(rows[:MOST]))
