"""What the questions say of a track, before it is calibrated: each against the reference that the wearing has."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.har.classifiers.everyday.forest import Forest
from app.har.classifiers.everyday.reference import median
from app.har.classifiers.everyday.training import LEVELS, PLACES, Columns, Questions
from app.har.classifiers.everyday.wearing import (
    FEWEST,
    Bools,
    Track,
    angle_deg,
    find_wearings,
    smoothed,
    smoothed_among_alike,
    upright,
)
from app.har.classifiers.types import WalkingReference
from app.har.types import FloatArray, IntArray
from app.har.vocabulary import ON_FOOT

STAIRS_REACH = 2  # neighbours on either side whose answers are averaged
DIRECTION_REACH = 1
FLOOR = 2e-3  # probability: trees that all agree are not certain
SAID = 0.97  # probability of the place that a person names
PLACE_SLOPE = 1.5
AT_ONCE, VALUES = 8192, 2**22  # windows that are asked together, and values whose medians are sought together
TURNED_DEG = 120.0  # against walking of another recording: nobody leans so far, the device was put in another way round

Odds = NDArray[np.float64]


@dataclass(frozen=True)
class Evidence:
    """Log-odds of windows, smoothed over neighbours, and what they were measured against."""

    level: Odds  # (n, 3) mean log probability of LEVELS
    on_foot: Bools  # (n,)
    wearing: IntArray
    stairs: Odds  # (n,) against walking; NaN where there is no reference
    stairs_raw: Odds  # (n,) without reference
    down: Odds  # (n,) against up, by the stairs of the wearing; NaN where there is no reference
    spread: Odds  # (n,) standard deviation of `down` over the stairs of the wearing; NaN where there is no reference
    down_from_walking: Odds  # (n,) the same as `down` by known walking; NaN without it, and without gravity
    n_on_foot: IntArray  # (n,) in the wearing
    tilt_deg: Odds  # (n,) gravity against that of walking; NaN where either is not known
    place: Odds  # (n, 4) probability of PLACES, of the wearing
    known: bool | Bools  # stairs are measured against a known stretch of walking; of all windows, or (n,) of each
    walked: tuple[IntArray, ...]  # a wearing: positions of the walking found in it
    usual: tuple[FloatArray, ...] = ()  # a wearing: (n_features,) that stairs are told by; NaN: none
    usual_stairs: tuple[FloatArray, ...] = ()  # the same of the stairs that up and down are told by


def gather(
    track: Track,
    columns: Columns,
    questions: Questions,
    known: WalkingReference | None = None,
    log_level: Odds | None = None,
) -> Evidence:
    """Ask all questions.

    Parameters
    ----------
    known : the person's walking in this placement; default None, what is usual in each wearing is the reference.
    log_level : (n, 3) from `log_levels`, of windows that were asked before: of those that are not on foot no features
        are needed then.
    """
    n, runs = len(track), track.runs
    sees_gravity = ~np.isnan(track.gravity[:, 0])
    if log_level is None:
        log_level = log_levels(track.features, columns, questions)
    level = smoothed_among_alike(log_level, runs)
    on_foot = level.argmax(axis=1) == LEVELS.index(ON_FOOT)
    wearing = find_wearings(track, on_foot)
    feet = np.flatnonzero(on_foot)
    groups = [rows for rows in _groups(wearing) if len(rows)]
    n_on_foot = np.bincount(wearing[feet], minlength=len(groups))[wearing] if n else np.zeros(0, np.int64)

    def ask(forest: Forest | None, usual: list[FloatArray], of: Bools, among: Bools, reach: int) -> Odds:
        """Return the log-odds of windows on foot, averaged over neighbours, against what is usual in each group."""
        odds = np.full(n, np.nan)
        known_usual = np.array([not np.isnan(own[0]) for own in usual], bool)
        rows = feet[of[feet] & known_usual[wearing[feet]]] if forest is not None and len(usual) else feet[:0]
        if forest is None or not len(rows):
            return odds
        against = np.stack(usual)[:, among]
        answers = [
            log_odds(forest.predict_proba(track.features_of(part)[:, among] - against[wearing[part]]))
            for part in _parts(rows)
        ]
        odds[rows] = smoothed(np.concatenate(answers), runs_among(runs, wearing, rows), reach)
        return odds

    all_windows = np.ones(n, bool)
    nothing: list[FloatArray] = [np.zeros(track.features.shape[1], np.float32)] * len(groups)
    raw = np.nan_to_num(ask(questions.raw, nothing, all_windows, columns.raw, STAIRS_REACH))
    if known is not None:
        usual = [known.usual] * len(groups)
    else:
        usual = _usual(track, [rows[on_foot[rows]] for rows in groups])
    stairs = ask(questions.contrast, usual, all_windows, columns.contrast, STAIRS_REACH)
    climbed = [rows[np.nan_to_num(stairs[rows], nan=-1) >= 0] for rows in groups]
    usual_stairs = _usual(track, climbed)
    down = ask(questions.direction, usual_stairs, all_windows, columns.everything, DIRECTION_REACH)
    against_walking = sees_gravity & (known is not None)
    down_from_walking = ask(
        questions.direction_from_walking, usual, against_walking, columns.everything, DIRECTION_REACH
    )
    walked = [rows[np.nan_to_num(stairs[rows], nan=1) < 0] for rows in groups]
    place = np.zeros((n, len(PLACES)))
    tilt, spread = np.full(n, np.nan), np.full(n, np.nan)
    for rows, walk, stair in zip(groups, walked, climbed, strict=True):
        spread[rows] = down[stair].std() if len(stair) >= FEWEST else np.nan
        place[rows] = _place(track, columns, questions, rows, walk)
        tilt[rows] = _tilt(track.gravity, track.recordings, rows, walk, known)
    return Evidence(
        level=level,
        on_foot=on_foot,
        wearing=wearing,
        stairs=stairs,
        stairs_raw=raw,
        down=down,
        spread=spread,
        down_from_walking=down_from_walking,
        n_on_foot=n_on_foot,
        tilt_deg=tilt,
        place=place,
        known=known is not None,
        walked=tuple(walked),
        usual=tuple(usual),
        usual_stairs=tuple(usual_stairs),
    )


def log_levels(features: FloatArray, columns: Columns, questions: Questions) -> Odds:
    """Return the log probability of LEVELS of each window by itself, (n, 3)."""
    if questions.level is None:
        raise ValueError("fit the model on at least two of still, on foot and running")
    return log_of(questions.level.predict_proba(features[:, columns.level]))


def _groups(numbers: IntArray) -> list[IntArray]:
    """Return the positions of each number."""
    order = np.argsort(numbers, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(numbers[order])) + 1)


def _parts(rows: IntArray) -> list[IntArray]:
    return np.split(rows, np.arange(AT_ONCE, len(rows), AT_ONCE))


def _usual(track: Track, references: list[IntArray]) -> list[FloatArray]:
    """Return what is usual in the reference of each group, (n_features,); NaN where that is too short.

    Parameters
    ----------
    references : positions of the windows that make the reference, one array a group.
    """
    n = track.features.shape[1]

    def usual(rows: IntArray) -> FloatArray:
        if len(rows) < FEWEST:
            return np.full(n, np.nan, np.float32)
        step = max(1, VALUES // len(rows))
        return np.concatenate([median(track.features_of(rows, slice(i, i + step))) for i in range(0, n, step)])

    return [usual(rows) for rows in references]


def _place(track: Track, columns: Columns, questions: Questions, rows: IntArray, walk: IntArray) -> Odds:
    said = str(track.place[rows[0]])
    if said in PLACES:
        return np.array([SAID if place == said else (1 - SAID) / (len(PLACES) - 1) for place in PLACES])
    return guessed_place(track, columns, questions, walk)


def guessed_place(track: Track, columns: Columns, questions: Questions, walk: IntArray) -> Odds:
    """Return the probability of PLACES, (4,), by the windows of walking in a wearing, whatever a person says."""
    if questions.place is None or len(walk) < FEWEST:
        return np.full(len(PLACES), 1 / len(PLACES))
    said = [questions.place.predict_proba(track.features_of(part)[:, columns.contrast]) for part in _parts(walk)]
    mean = log_of(np.concatenate(said)).mean(axis=0)
    share = np.exp(PLACE_SLOPE * (mean - mean.max()))
    return np.asarray(share / share.sum())


def _tilt(
    gravity: FloatArray, recordings: NDArray[np.str_], rows: IntArray, walk: IntArray, known: WalkingReference | None
) -> Odds:
    """Return the angle of gravity against that of walking in the same wearing, or else against known walking."""
    directions = gravity[rows].astype(np.float64)
    with_gravity = walk[~np.isnan(gravity[walk, 0])]
    if len(with_gravity) >= FEWEST:
        tilt = angle_deg(directions, upright(gravity[with_gravity]).astype(np.float64))
        seen = np.isin(recordings[rows], recordings[with_gravity])
    elif known is not None:
        tilt, seen = angle_deg(directions, known.upright.astype(np.float64)), np.zeros(len(rows), bool)
    else:
        return np.full(len(rows), np.nan)
    return np.where(seen | (tilt <= TURNED_DEG), tilt, np.nan)


def runs_among(runs: IntArray, wearing: IntArray, rows: IntArray) -> IntArray:
    """Number the runs of some windows: they end where a window between is not among them, or another wearing begins."""
    new = np.ones(len(rows), bool)
    new[1:] = (np.diff(rows) > 1) | (np.diff(runs[rows]) != 0) | (np.diff(wearing[rows]) != 0)
    return np.cumsum(new) - 1


def log_of(probability: FloatArray) -> NDArray[np.float64]:
    """Return logarithms of probabilities that are never quite 0."""
    return np.asarray(np.log(probability.astype(np.float64) + FLOOR))


def log_odds(probability: FloatArray) -> NDArray[np.float64]:
    """Return the log-odds of the second of two classes."""
    return np.asarray(np.log(probability[:, 1] + FLOOR) - np.log(probability[:, 0] + FLOOR), np.float64)
