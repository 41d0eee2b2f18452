"""What the everyday model says of windows as they come: against what is known of the wearing so far.

The questions, forests and calibration are those of `classifiers.everyday`, asked of the new windows of all sessions
together. What they are measured against is that of the windows seen so far, measured anew as these grow; what was said
before is said again where that changes it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from app.har.classifiers.everyday.answer import ACTIVITIES, probabilities
from app.har.classifiers.everyday.classifier import EverydayClassifier
from app.har.classifiers.everyday.evidence import (
    DIRECTION_REACH,
    SAID,
    STAIRS_REACH,
    TURNED_DEG,
    Evidence,
    gather,
    log_levels,
    log_odds,
    runs_among,
)
from app.har.classifiers.everyday.forest import Forest
from app.har.classifiers.everyday.looks import looks
from app.har.classifiers.everyday.reference import median
from app.har.classifiers.everyday.training import LEVELS, PLACES
from app.har.classifiers.everyday.wearing import (
    FEWEST,
    MOVED_DEG,
    MOVED_WINDOWS,
    Bools,
    Track,
    angle_deg,
    smoothed,
    smoothed_among_alike,
    upright,
)
from app.har.classifiers.types import WalkingReference
from app.har.types import FloatArray, IntArray
from app.har.vocabulary import NOT_WORN, ON_FOOT

KEPT = 400  # windows one after the other that a session is measured against, 20 min
RECENT = 7  # windows whose answers the neighbours to come may change, and those that these are averaged with
REVISED = 3  # of them, the last that may be said again
GROWN = 0.3  # share of new windows on foot after which the reference is measured anew
IDLE = ACTIVITIES.index(NOT_WORN)
SAME = 0.005  # of a probability: an answer that changes by less is not said again


@dataclass(slots=True)
class Row:
    """What is kept of a window; its arrays are copies, as a view would keep those of all windows of the step."""

    start_s: float
    measures: NDArray[np.float32]  # gravity, movement, rotation, sway, as in a `Track`
    features: FloatArray | None  # None, later: of windows that are not on foot
    personal: NDArray[np.float16]
    log_level: NDArray[np.float64] | None = None  # (3,) by itself; None: not asked yet
    unlike: NDArray[np.float32] | None = None  # distance to the examples, and shares of other movements
    on_foot: bool = False
    raw: float = np.nan  # log-odds by itself, of windows on foot
    stairs: float = np.nan
    down: float = np.nan
    down_from_walking: float = np.nan
    said: FloatArray | None = None  # (n_activities,) probabilities as they were said last
    said_unfamiliar: bool = False
    said_settled: bool = False
    wearing: int = 0  # number of the wearing
    said_wearing: int = 0


@dataclass(frozen=True)
class Reference:
    """What windows are measured against: the wearing that goes on, as far as it is known."""

    known: WalkingReference | None
    usual: FloatArray | None  # (n_features,)
    stairs: FloatArray | None  # (n_features,) of the stairs
    spread: float
    n_on_foot: int
    upright: NDArray[np.float64] | None
    of_wearing: bool  # the upright is that of this wearing, not of known walking
    place: NDArray[np.float64]  # (4,)
    wearing: int = 0  # its number


def first_reference(place: str, known: WalkingReference | None) -> Reference:
    """Return what is known before any window."""
    return Reference(
        known,
        None if known is None else known.usual,
        None,
        np.nan,
        0,
        None if known is None or np.isnan(known.upright[0]) else known.upright.astype(np.float64),
        False,
        place_of(place),
    )


def place_of(place: str) -> NDArray[np.float64]:
    """Return the probability of PLACES where a person says one, or nobody says anything."""
    if place not in PLACES:
        return np.full(len(PLACES), 1 / len(PLACES))
    return np.array([SAID if place == own else (1 - SAID) / (len(PLACES) - 1) for own in PLACES])


@dataclass
class Said:
    """An answer about a window, or another one than before."""

    row: Row
    probabilities: FloatArray
    unfamiliar: bool
    unworn: bool
    settled: bool


@dataclass
class Memory:
    """The windows of a session, as far as later ones may need them."""

    place: str = ""
    known: WalkingReference | None = None
    recent: dict[int, deque[Row]] = field(default_factory=dict)  # by phase: how far a window is from the upload's grid
    kept: deque[Row] = field(default_factory=lambda: deque(maxlen=KEPT))  # on the grid, before the recent ones
    reference: Reference = field(init=False)
    on_foot: int = 0  # windows on foot since the reference was measured
    turned: int = 0  # of them, the last in a row with gravity as if the device was moved

    def __post_init__(self) -> None:
        self.reference = first_reference(self.place, self.known)

    def put(self, phase: int, row: Row) -> None:
        """Take a new window, or one of the recent ones measured again, in its place."""
        rows = self.recent.setdefault(phase, deque())
        for at, old in enumerate(rows):
            if abs(old.start_s - row.start_s) < 1e-3:
                row.said, row.said_unfamiliar, row.said_settled = old.said, old.said_unfamiliar, old.said_settled
                row.wearing, row.said_wearing = old.wearing, old.said_wearing
                rows[at] = row
                return
        row.wearing = self.reference.wearing
        rows.append(row)
        if len(rows) > RECENT:
            gone = rows.popleft()
            if phase == 0:
                if not gone.on_foot:
                    gone.features = None
                self.kept.append(gone)

    @property
    def grid(self) -> list[Row]:
        """The windows on the upload's grid."""
        return [*self.kept, *self.recent.get(0, ())]


@dataclass(frozen=True)
class _Asked:
    """Rows of several sessions one after the other."""

    rows: list[Row]
    session: IntArray  # (n,)
    track: Track
    log_level: NDArray[np.float64]


class EverydayAnswers:
    """Asks the everyday model about the windows of many sessions at once."""

    def __init__(self, model: EverydayClassifier) -> None:
        self.model = model
        self.columns = model.columns
        self.window_s = model.window_length_s
        self._n_personal = 0 if model.space_ is None else model.space_.directions.shape[1]

    def rows_of(self, track: Track) -> list[Row]:
        """Return what is kept of windows that were described."""
        unlike = self._unlike(track.features)
        levels = log_levels(track.features, self.columns, self.model.questions_)
        measures = _measures(track)
        empty = np.zeros(self._n_personal, np.float16)
        return [
            Row(float(start), measures[i].copy(), track.features[i].copy(), empty, levels[i].copy(), unlike[i].copy())
            for i, start in enumerate(track.start_s.tolist())
        ]

    def answer(self, news: Sequence[tuple[Memory, int]]) -> list[list[Said]]:
        """Return what is to be said of the recent windows of sessions; each comes with its phase."""
        parts = [list(memory.recent[phase]) for memory, phase in news]
        asked = self._together(parts)
        evidence = self._evidence(asked, [memory for memory, _ in news])
        answers = probabilities(asked.track, evidence, self.model.calibration_)
        unfamiliar = self._unfamiliar(asked, evidence)
        self._look(asked, [len(part) for part in parts])
        found: list[list[Said]] = []
        first = 0
        for (memory, phase), rows in zip(news, parts, strict=True):
            here = slice(first, first + len(rows))
            if phase == 0:
                self._count(memory, rows, evidence.on_foot[here])
            last = slice(max(here.stop - REVISED, first), here.stop)
            said = _said(asked.rows[last], answers[last], unfamiliar[last])
            found.append(list(said))
            first += len(rows)
        return found

    def must_measure(self, memory: Memory) -> bool:
        """Tell whether so much was walked since that the reference is to be measured anew."""
        before, new = memory.reference.n_on_foot, memory.on_foot
        grown = new and before + new >= FEWEST and new >= GROWN * before
        return bool(grown) or (memory.turned >= MOVED_WINDOWS and new > 0)

    def measure(self, memory: Memory, same: float = SAME) -> list[Said]:
        """Measure a session's reference anew; return what is to be said again.

        Parameters
        ----------
        same : answers whose probabilities change by less are not.
        """
        memory.on_foot = memory.turned = 0
        rows = memory.grid
        if not rows:
            return []
        asked = self._together([rows])
        evidence = gather(asked.track, self.columns, self.model.questions_, memory.known, asked.log_level)
        memory.reference = _reference_of(asked.track, evidence, memory)
        for row, wearing in zip(rows, evidence.wearing.tolist(), strict=True):
            row.wearing = wearing
        for row in (row for recent in memory.recent.values() for row in recent):
            row.stairs = row.down = np.nan  # as against what they were measured
        answers = probabilities(asked.track, evidence, self.model.calibration_)
        return list(_said(rows, answers, self._unfamiliar(asked, evidence), same))

    def _together(self, parts: Sequence[Sequence[Row]]) -> _Asked:
        rows = [row for part in parts for row in part]
        session = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
        nothing = np.full(len(self.columns.names), np.nan, np.float32)
        features = np.stack([nothing if row.features is None else row.features for row in rows])
        measures = np.stack([row.measures for row in rows])
        names = session.astype("U6")
        track = Track(
            features,
            measures[:, :3],
            measures[:, 3],
            measures[:, 4],
            measures[:, 5],
            np.full(len(rows), "", "U16"),
            names,
            names,
            np.array([row.start_s for row in rows]),
            self.window_s,
        )
        return _Asked(rows, session, track, np.stack([row.log_level for row in rows if row.log_level is not None]))

    def _evidence(self, asked: _Asked, memories: Sequence[Memory]) -> Evidence:
        """Ask the questions that `evidence.gather` asks, with references that are there already."""
        rows, track, session = asked.rows, asked.track, asked.session
        references = [memory.reference for memory in memories]
        runs = track.runs
        level = smoothed_among_alike(asked.log_level, runs)
        on_foot = level.argmax(axis=1) == LEVELS.index(ON_FOOT)
        feet = np.flatnonzero(on_foot)
        oldest = np.flatnonzero(np.diff(session, prepend=-1))  # without the neighbour before: its answer stands
        again = np.delete(np.arange(len(rows)), oldest[np.bincount(session)[session[oldest]] >= RECENT])
        for i in again.tolist():
            rows[i].on_foot = bool(on_foot[i])
        self._ask(asked, feet, references)

        def averaged(name: str, reach: int) -> NDArray[np.float64]:
            odds = np.full(len(rows), np.nan)
            values = np.array([getattr(rows[i], name) for i in feet.tolist()])
            there = ~np.isnan(values)
            asked_of = feet[there]  # not of sessions in which nothing is known yet to measure against
            if len(asked_of):
                odds[asked_of] = smoothed(values[there], runs_among(runs, session, asked_of), reach)
            return odds

        unknown = np.full(3, np.nan)
        directions = np.stack([unknown if own.upright is None else own.upright for own in references])[session]
        tilt = angle_deg(track.gravity.astype(np.float64), directions)
        tilt[~np.array([own.of_wearing for own in references])[session] & (tilt > TURNED_DEG)] = np.nan
        known = np.array([reference.known is not None for reference in references], bool)[session]
        n_on_foot = np.array([own.reference.n_on_foot + own.on_foot for own in memories])[session]
        return Evidence(
            level=level,
            on_foot=on_foot,
            wearing=session,
            stairs=averaged("stairs", STAIRS_REACH),
            stairs_raw=np.nan_to_num(averaged("raw", STAIRS_REACH)),
            down=averaged("down", DIRECTION_REACH),
            spread=np.array([reference.spread for reference in references])[session],
            down_from_walking=averaged("down_from_walking", DIRECTION_REACH),
            n_on_foot=n_on_foot,
            tilt_deg=tilt,
            place=np.stack([reference.place for reference in references])[session],
            known=known,
            walked=(),
        )

    def _ask(self, asked: _Asked, feet: IntArray, references: Sequence[Reference]) -> None:
        """Ask the forests about windows on foot, each once."""
        questions, columns = self.model.questions_, self.columns
        rows, session = asked.rows, asked.session
        usual = [reference.usual for reference in references]
        of_known = [None if reference.known is None else reference.usual for reference in references]
        of_stairs = [reference.stairs for reference in references]
        sees = feet[~np.isnan(asked.track.gravity[feet, 0])]

        def ask(
            forest: Forest | None, among: Bools, name: str, where: IntArray, against: Sequence[FloatArray | None] | None
        ) -> None:
            wanted = [
                i
                for i in where.tolist()
                if np.isnan(getattr(rows[i], name)) and (against is None or against[session[i]] is not None)
            ]
            if forest is None or not wanted:
                return
            values = asked.track.features[wanted]
            if against is not None:
                values = values - np.stack([own for i in wanted if (own := against[session[i]]) is not None])
            for i, odds in zip(wanted, log_odds(forest.predict_proba(values[:, among])).tolist(), strict=True):
                setattr(rows[i], name, odds)

        ask(questions.raw, columns.raw, "raw", feet, None)
        ask(questions.contrast, columns.contrast, "stairs", feet, usual)
        ask(questions.direction, columns.everything, "down", feet, of_stairs)
        ask(questions.direction_from_walking, columns.everything, "down_from_walking", sees, of_known)

    def _unlike(self, features: FloatArray) -> NDArray[np.float32]:
        """Return the distance to the examples, and the shares of other movements, (n, 1 + n_movements)."""
        distance = self.model.novelty_.distance(features, self.columns)
        shares = [] if self.model.besides_ is None else [self.model.besides_.shares(features, self.columns)]
        return np.concatenate([distance[:, None], *shares], axis=1).astype(np.float32)

    def _unfamiliar(self, asked: _Asked, evidence: Evidence) -> Bools:
        unlike = np.stack([row.unlike for row in asked.rows if row.unlike is not None])
        runs = asked.track.runs
        novelty = self.model.novelty_.among_neighbours(unlike[:, 0], runs)
        besides = None if self.model.besides_ is None else self.model.besides_.among_neighbours(unlike[:, 1:], runs)
        return np.asarray(self.model.unlike(asked.track, evidence, novelty, besides) > 1)

    def _look(self, asked: _Asked, counts: Sequence[int]) -> None:
        """Describe for personal heads the windows that may be said again."""
        space = self.model.space_
        if space is None:
            return
        ends = np.cumsum(counts)
        among = np.concatenate(
            [np.arange(max(end - REVISED - 1, end - n), end) for end, n in zip(ends, counts, strict=True)]
        )
        for i, own in zip(among.tolist(), space(looks(asked.track.take(among))), strict=True):
            asked.rows[i].personal = own.copy()

    def _count(self, memory: Memory, rows: Sequence[Row], on_foot: Bools) -> None:
        """Count the windows on foot that the reference does not hold yet: the one whose neighbours are there."""
        if len(rows) < 2 or not on_foot[-2]:
            return
        memory.on_foot += 1
        own = memory.reference
        gravity = rows[-2].measures[:3]
        moved = (
            own.of_wearing
            and own.upright is not None
            and not np.isnan(gravity[0])
            and float(angle_deg(gravity.astype(np.float64), own.upright)) > MOVED_DEG
        )
        memory.turned = memory.turned + 1 if moved else 0


def _measures(track: Track) -> NDArray[np.float32]:
    columns = [track.movement_rms, track.rotation_rms, track.sway_rms]
    return np.concatenate([track.gravity, np.stack(columns, axis=1)], axis=1).astype(np.float32)


def _said(rows: Sequence[Row], answers: FloatArray, unfamiliar: Bools, same: float = SAME) -> Iterator[Said]:
    """Yield the answers that are new, that are others than those given before, or that settle now."""
    for at, row in enumerate(rows):
        new, settled = answers[at], row.said_settled or at < len(rows) - 2
        alike = row.said is not None and np.abs(new - row.said).max() < same
        before = row.said_unfamiliar, row.said_settled, row.said_wearing
        if alike and before == (unfamiliar[at], settled, row.wearing):
            continue
        row.said, row.said_unfamiliar, row.said_settled = new.copy(), bool(unfamiliar[at]), settled
        row.said_wearing = row.wearing
        yield Said(row, new, bool(unfamiliar[at]), bool(new[IDLE] > 0.5), settled)


def _reference_of(track: Track, evidence: Evidence, memory: Memory) -> Reference:
    """Return the reference of the wearing that goes on."""
    last = int(evidence.wearing[-1])
    rows = np.flatnonzero(evidence.wearing == last)
    walked = evidence.walked[last]
    feet = rows[evidence.on_foot[rows]]
    climbed = rows[np.nan_to_num(evidence.stairs[rows], nan=-1) >= 0]
    known = memory.known
    usual = known.usual if known is not None else median(track.features[feet]) if len(feet) >= FEWEST else None
    with_gravity = walked[~np.isnan(track.gravity[walked, 0])]
    own = len(with_gravity) >= FEWEST
    before = first_reference(memory.place, known)
    return Reference(
        known,
        usual,
        median(track.features[climbed]) if len(climbed) >= FEWEST else None,
        float(evidence.spread[-1]),
        len(feet),
        upright(track.gravity[with_gravity]).astype(np.float64) if own else before.upright,
        own,
        before.place if memory.place in PLACES else evidence.place[-1],
        last,
    )
