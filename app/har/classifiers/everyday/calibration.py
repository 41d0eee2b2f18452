"""From log-odds to probabilities that hold on a device never seen: fitted on data sets left out, each in turn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.har.classifiers.everyday.evidence import Evidence, Odds, gather
from app.har.classifiers.everyday.reference import walking_reference
from app.har.classifiers.everyday.training import LEVELS, Columns, Training, fit_questions
from app.har.classifiers.everyday.wearing import FEWEST, UNKNOWN_SUBJECT, Bools, Track
from app.har.classifiers.types import WalkingReference
from app.har.errors import InsufficientData
from app.har.types import IntArray
from app.har.vocabulary import STAIRS_DOWN, STAIRS_UP, WALKING

MIXED = 60  # windows on foot, 3 min, from which on a wearing is believed to hold more than one kind of walking
CLIP_WINDOWS = (4, 60)
CLIPS = 2  # of each kind, cut from a wearing
KNOWN_WINDOWS = 10  # "walk for 30 seconds"
UNDECIDED = 0.05  # log-odds: a guess without confidence
KINDS = ("recorded", "clip", "known", "ways")
LIKELY = 0.8  # that stairs go both ways; below, known walking decides alone
FREE = 1e-3  # strictness of a line through few wearings: a usual one would leave it flat
PARTS = 4  # of the people, where there is a single data set
FEW_WINDOWS = 200  # a data set of fewer says little about others; it is learnt from all the same


@dataclass(frozen=True)
class Line:
    """Calibrated log-odds: slope times log-odds, plus intercept (Platt 1999)."""

    slope: float
    intercept: float

    def __call__(self, odds: Odds) -> Odds:
        return self.slope * odds + self.intercept


@dataclass(frozen=True)
class Binary:
    """A question of two answers, calibrated for what is known of the wearing."""

    known: Line  # measured against walking that a person says is walking
    mixed: Line  # against what is usual in a long wearing
    clip: Line  # against what is usual in one that may be of one kind

    def __call__(self, odds: Odds, known: Bools, n_on_foot: IntArray) -> Odds:
        """Return calibrated log-odds; a short recording is as sure as the less sure of two calibrations.

        Parameters
        ----------
        odds, known, n_on_foot : (n,), see `Evidence`.
        """
        mixed = self.mixed(odds)
        unknown = np.where(n_on_foot >= MIXED, mixed, cautious(mixed, self.clip(odds)))
        return np.where(known, self.known(odds), unknown)


@dataclass(frozen=True)
class Directions:
    """Up or down, calibrated: by the stairs of a wearing as far as they go both ways, else by known walking.

    Stairs are measured against their own median. Where all of them go up, it lies among those, and half of them would
    be called down: their scores spread less than those of stairs that go up and down.
    """

    by_stairs: Line
    by_walking: Line
    both_ways: Line  # log-odds, of how far the scores spread

    def __call__(self, evidence: Evidence) -> Odds:
        """Return the probability of down, (n,)."""
        both = np.nan_to_num(probability(self.both_ways(evidence.spread)))
        both = np.where((both < LIKELY) & ~np.isnan(evidence.down_from_walking), 0, both)
        by_stairs = probability(np.nan_to_num(self.by_stairs(evidence.down)))
        by_walking = probability(np.nan_to_num(self.by_walking(evidence.down_from_walking)))
        return np.asarray(both * by_stairs + (1 - both) * by_walking)


@dataclass(frozen=True)
class Calibration:
    """Everything that makes log-odds probabilities."""

    level: float  # factor of the mean log probabilities
    stairs: Binary
    stairs_raw: Line
    down: Directions
    down_without_gravity: Directions


def probability(odds: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the probability that log-odds stand for."""
    return np.asarray(1 / (1 + np.exp(-np.clip(odds, -30, 30))))


def cautious(first: Odds, second: Odds) -> Odds:
    """Return log-odds on the side of the first, no larger than either; next to nothing where they contradict."""
    agreed = np.sign(first) == np.sign(second)
    return np.asarray(np.sign(first) * np.where(agreed, np.minimum(np.abs(first), np.abs(second)), UNDECIDED))


@dataclass(frozen=True)
class Trial:
    """Windows that were in no training, what was asked of them, and where the answer counts."""

    training: Training
    evidence: Evidence
    counts: Bools
    kind: str  # "recorded", "clip", "known" or "ways"
    without_gravity: Evidence  # the same where gravity is not known


def fit_calibration(training: Training, columns: Columns, seed: int) -> tuple[Calibration, list[Trial]]:
    """Leave out each data set, ask the others about it, and fit the lines; people, where there is one data set.

    Raises
    ------
    InsufficientData : without any of them, the rest is only one of still, on foot and running.
    """
    trials = [trial for fitted, left_out in leave_out(training) for trial in _trials(fitted, left_out, columns, seed)]
    if not trials:
        raise InsufficientData(
            "The everyday model is calibrated on people who were left out of its training, and this data has too few: "
            "without one person, the others must have windows of at least two of still, on foot and running."
        )
    recorded, clips, known, ways = ([trial for trial in trials if trial.kind == kind] for kind in KINDS)
    long = [replace(trial, counts=trial.counts & (trial.evidence.n_on_foot >= MIXED)) for trial in recorded]
    stairs = Binary(_stairs_line(known), _stairs_line(long), _stairs_line(clips))
    down, blind = (
        Directions(_down_line(recorded, sees), _down_line(known, sees), _ways_line(ways, sees))
        for sees in (True, False)
    )
    raw = _line([(trial, trial.evidence.stairs_raw, _stairs_truth(trial)) for trial in recorded])
    return Calibration(_temperature(recorded), stairs, raw, down, blind), trials


def leave_out(training: Training) -> Iterator[tuple[Training, Training]]:
    """Yield the rest of the windows and those left out: each data set in turn; people, where there is only one."""
    names, count = np.unique(training.dataset, return_counts=True)
    names, of = names[count >= FEW_WINDOWS], training.dataset
    if len(names) < 2:
        people, number = np.unique(training.track.subjects, return_inverse=True)
        of = (number % min(PARTS, len(people))).astype(str)
        names = np.unique(of)
    for name in names:
        yield training.take(np.flatnonzero(of != name)), training.take(np.flatnonzero(of == name))


def _trials(fitted: Training, left_out: Training, columns: Columns, seed: int) -> Iterator[Trial]:
    if len({node for node in LEVELS if fitted.is_below(node).any()}) < 2:
        return
    questions = fit_questions(fitted, columns, seed)

    def trial(of: Training, counts: Bools, kind: str, known: WalkingReference | None = None) -> Trial:
        with_gravity, without = (
            gather(track, columns, questions, known) for track in (of.track, blind(of.track, columns))
        )
        return Trial(of, with_gravity, counts, kind, without)

    yield trial(left_out, np.ones(len(left_out.node), bool), "recorded")
    if clips := list(clips_of(left_out, seed)):
        of_all = together(clips)
        yield trial(of_all, np.ones(len(of_all.node), bool), "clip")
    if ways := list(one_and_both_ways(left_out)):
        of_all = together(ways)
        yield trial(of_all, np.ones(len(of_all.node), bool), "ways")
    for rest, reference in known_walks(left_out):
        yield trial(rest, rest.on_foot, "known", reference)


def blind(track: Track, columns: Columns) -> Track:
    """Return windows as if gravity had been removed by the device."""
    features = track.features.copy()
    features[:, columns.sensor("gravity", columns.everything)] = np.nan
    return replace(track, features=features, gravity=np.full_like(track.gravity, np.nan))


def clips_of(training: Training, seed: int) -> Iterator[Training]:
    """Cut recordings of one kind, 12 s to 3 min: only walking, only up, only down."""
    rng = np.random.default_rng(seed)
    moving = training.on_foot
    for number in np.unique(training.wearing[moving]):
        for node in np.unique(training.node[(training.wearing == number) & moving]):
            rows = np.flatnonzero((training.wearing == number) & (training.node == node))
            for _ in range(CLIPS):
                length = int(np.exp(rng.uniform(*np.log(CLIP_WINDOWS))))
                if len(rows) >= CLIP_WINDOWS[0]:
                    first = rng.integers(0, max(1, len(rows) - length + 1))
                    yield as_one_recording(training.take(rows[first : first + length]))


def one_and_both_ways(training: Training) -> Iterator[Training]:
    """Take the walking of a wearing with its stairs up, with its stairs down, and with both."""
    for number in np.unique(training.wearing[training.stairs]):
        of_wearing = training.wearing == number
        walking, up, down = (of_wearing & (training.node == node) for node in (WALKING, STAIRS_UP, STAIRS_DOWN))
        if min(walking.sum(), up.sum(), down.sum()) >= FEWEST:
            for rows in (walking | up, walking | down, walking | up | down):
                yield training.take(np.flatnonzero(rows))


def together(clips: Sequence[Training]) -> Training:
    """Put clips together; each is a recording of a person of its own."""
    tracks = []
    for number, clip in enumerate(clips):
        named = np.full(len(clip.node), f"{clip.track.recordings[0]}#{number}")
        tracks.append(replace(clip.track, recordings=named, subjects=np.full(len(clip.node), UNKNOWN_SUBJECT)))
    node, dataset = (np.concatenate([getattr(clip, name) for clip in clips]) for name in ("node", "dataset"))
    return Training(Track.joined(tracks), node, dataset)


def as_one_recording(training: Training) -> Training:
    """Return windows as if they were all of one recording, one after the other."""
    track = training.track
    start_s = np.arange(len(track), dtype=np.float64) * track.window_length_s
    recordings = np.full(len(track), track.recordings[0])
    return replace(training, track=replace(track, start_s=start_s, recordings=recordings))


def known_walks(training: Training) -> Iterator[tuple[Training, WalkingReference]]:
    """Take the first walking of each wearing as known; yield the rest with it."""
    for number in np.unique(training.wearing[training.on_foot]):
        rows = np.flatnonzero(training.wearing == number)
        walking = rows[training.node[rows] == WALKING][:KNOWN_WINDOWS]
        if len(walking) >= FEWEST:
            rest = training.take(np.setdiff1d(rows, walking))
            if rest.on_foot.any():
                yield rest, walking_reference(training.track.take(walking))


def _stairs_truth(trial: Trial) -> IntArray:
    training = trial.training
    truth = np.where(training.stairs, 1, np.where(training.node == WALKING, 0, -1))
    return np.where(trial.counts & trial.evidence.on_foot, truth, -1)


def _stairs_line(trials: list[Trial]) -> Line:
    return _line([(trial, trial.evidence.stairs, _stairs_truth(trial)) for trial in trials])


def _down_line(trials: list[Trial], sees_gravity: bool) -> Line:
    def odds(trial: Trial) -> Odds:
        """Return log-odds against known walking, or else against stairs: one data set alone would move a line far."""
        evidence = trial.evidence if sees_gravity else trial.without_gravity
        by_walking = evidence.down_from_walking
        return np.where(np.isnan(by_walking), evidence.down, by_walking)

    def truth(trial: Trial) -> IntArray:
        node = trial.training.node
        return np.where(trial.counts, np.select([node == STAIRS_UP, node == STAIRS_DOWN], [0, 1], -1), -1)

    return _line([(trial, odds(trial), truth(trial)) for trial in trials])


def _ways_line(trials: list[Trial], sees_gravity: bool) -> Line:
    """Fit how much the scores of a wearing spread whose stairs go both ways; each wearing counts once."""
    asked: list[tuple[Trial, Odds, IntArray]] = []
    for trial in trials:
        spread = (trial.evidence if sees_gravity else trial.without_gravity).spread
        _, first, number = np.unique(trial.training.track.recordings, return_index=True, return_inverse=True)
        ups, downs = (np.bincount(number, trial.training.node == node) for node in (STAIRS_UP, STAIRS_DOWN))
        once = np.full(len(spread), -1)
        once[first] = (ups > 0) & (downs > 0)
        asked.append((trial, spread, once))
    return _line(asked, strictness=FREE)


def _line(asked: list[tuple[Trial, Odds, IntArray]], strictness: float = 1.0) -> Line:
    """Fit a line to log-odds and classes, -1 where there is none; classes count the same, and data sets within them."""
    from sklearn.linear_model import LogisticRegression

    if not asked:
        return Line(0.0, 0.0)
    odds, truth = (np.concatenate([parts[i] for parts in asked]) for i in (1, 2))
    dataset = np.concatenate([trial.training.dataset for trial, _, _ in asked])
    kept = (truth >= 0) & np.isfinite(odds)
    odds, truth, dataset = odds[kept], truth[kept], dataset[kept]
    if len(np.unique(truth)) < 2:
        return Line(0.0, 0.0)
    weights = np.zeros(len(odds))
    for number in (0, 1):
        of_class = np.unique(dataset[truth == number])
        for name in of_class:
            rows = (truth == number) & (dataset == name)
            weights[rows] = 1 / (len(of_class) * rows.sum())
    model = LogisticRegression(C=1 / strictness).fit(odds[:, None], truth, sample_weight=weights * len(odds) / 2)
    return Line(max(float(model.coef_[0, 0]), 0.0), float(model.intercept_[0]))


def _temperature(trials: list[Trial]) -> float:
    """Return the factor of the log probabilities under which the truth is likeliest, data sets and classes alike."""
    from scipy.optimize import minimize_scalar

    log_p, truth, weights = [], [], []
    for trial in trials:
        y = np.select([trial.training.is_below(node) for node in LEVELS], range(len(LEVELS)), -1)
        for number in np.unique(y[y >= 0]):
            rows = np.flatnonzero(y == number)
            log_p.append(trial.evidence.level[rows])
            truth.append(y[rows])
            weights.append(np.full(len(rows), 1 / len(rows)))
    of_all, y, weight = (np.concatenate(part) for part in (log_p, truth, weights))

    def loss(factor: float) -> float:
        scaled = factor * of_all
        chosen = scaled[np.arange(len(y)), y] - np.logaddexp.reduce(scaled, axis=1)
        return -float((weight * chosen).sum())

    search: Any = minimize_scalar  # SciPys of different Pythons declare it differently
    return float(search(loss, bounds=(0.2, 5.0), method="bounded").x)
