"""What was recognised in a file, as columns, and the bouts and numbers that are shown of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from app.har.classifiers.types import Wearing
from app.har.colours import activity_colours
from app.har.measures.heart_rate import minutes_of_each
from app.har.problems import Problem
from app.har.signals.types import UNLABELLED
from app.har.types import FloatArray, IntArray, TimeArray
from app.har.vocabulary import DEFAULT_LIMIT, NOT_WORN, TOO_LITTLE, UNFAMILIAR, AnswerTree, shared_node
from app.services.recordings.bouts import Bouts
from app.services.recordings.sensor_names import in_words
from app.services.recordings.unanswered import Stretch

Layout = Literal["timeline", "windows"]
Opinion = Literal["answer", "deepest", "label"]  # what is shown, the likeliest activity, what the file itself names
EQUALLY_LIKELY = 1e-3  # of two probabilities
MIN_ATTENTION = 1e-3  # below it, a sensor was ignored
SAME_MOMENT_S = 1e-3
Climbed = tuple[int, float, float, float, bool | None]  # position, from, to, metres, whether a lift was felt to push
Transition = tuple[int, float, float, str]  # position in `recording_ids`, from, to, the name of a transition
Said = tuple[int, float, float, str]  # position in `recording_ids`, from, to, what the person says they did
YEAR_2000, YEAR_2100 = 946_684_800.0, 4_102_444_800.0


@dataclass(frozen=True)
class PredictionResult:
    """What was recognised, as columns: a day of recording has 28,800 windows.

    ``recording_index[i]`` is the position in ``recording_ids`` of window i; times are on that recording's own clock.
    ``labels[i]`` is the position in ``label_activities`` of the activity that the file itself names, or UNLABELLED.

    The *answer* of a window is as deep in the tree of activities as the model is sure: the deepest node that is at
    least as probable as ``limit``. Where none is, or where the window is unfamiliar, there is no answer. The *deepest
    guess* is the likeliest activity, however sure; where several are equally likely, there is none.
    """

    model_label: str
    activities: tuple[str, ...]
    proba: FloatArray  # (n_windows, n_activities)
    start_s: TimeArray  # (n_windows,)
    end_s: TimeArray  # (n_windows,)
    recording_index: IntArray  # (n_windows,)
    recording_ids: tuple[str, ...]
    labels: IntArray  # (n_windows,)
    label_activities: tuple[str, ...]
    sensors: tuple[str, ...]  # modalities that the model knows
    sensor_attention: FloatArray  # (n_windows, n_sensors), rows sum to 1; 0 where it was ignored
    unfamiliar: NDArray[np.bool_]  # (n_windows,): unlike anything the model was trained on
    problems: tuple[Problem, ...] = ()
    origin_utc_s: tuple[float | None, ...] = ()  # one per recording: Unix time at 0 s of its clock, where known
    limit: float = DEFAULT_LIMIT
    wearings: tuple[Wearing, ...] = ()
    walking_recording: int | None = None  # id of the recording of the person's own walking it was measured against
    chosen_because: str = ""  # why this model and no other recognised it; empty where a person chose the model
    prior: dict[str, float] = field(default_factory=dict)  # shares of activities that were expected; empty: all alike
    place: str = ""  # where a person says that the device was worn, one of `places.PLACES`; empty: not said
    unworn: tuple[Stretch, ...] = ()  # by the quality card; earlier builds did not store it
    too_little: tuple[Stretch, ...] = ()  # recorded, but too short for a window; likewise
    shortest_bout_s: float | None = None  # in what the model learnt from; earlier builds did not store it
    # (n_windows, d): what a personal head looks at; earlier builds did not store it
    features: NDArray[np.float16] = field(default_factory=lambda: np.zeros((0, 0), np.float16))
    # (n_windows,) what air pressure says of each, see `har.height.answers`; empty where it was not measured
    height: NDArray[np.int8] = field(default_factory=lambda: np.zeros(0, np.int8))
    climbs: tuple[Climbed, ...] = ()  # by height; of recordings without air pressure, or of earlier builds, none
    # (n_windows,) beats/min in the middle of each, NaN where unknown; empty where it was not measured
    heart_rate: FloatArray = field(default_factory=lambda: np.zeros(0, np.float32))
    # Standing up, lying down …, beside the answers; None of a model that was not taught any, or of earlier builds
    transitions: tuple[Transition, ...] | None = None
    smoothed_s: float = (
        0.0  # shorter bouts took the answer of what surrounds them; 0: windows alone, as they are stored
    )
    personal_windows: int = 0  # of the person's own, that a personal model learnt from; 0: the model's own answers
    said: tuple[Said, ...] = ()  # what the person says is the answer there; later ones count before earlier ones

    def __len__(self) -> int:
        return len(self.proba)

    @cached_property
    def origins(self) -> TimeArray:
        """Unix time at 0 s of each window's clock, NaN where it is not known; (n_windows,).

        A clock that stands between the years 2000 and 2100 counts from 1970; an origin that leads elsewhere is none.
        """
        origins = [np.nan if origin is None else origin for origin in self.origin_utc_s] or [np.nan]
        origin = np.array(origins, np.float64)[self.recording_index if self.origin_utc_s else 0 * self.recording_index]
        origin = np.where(np.isnan(origin), 0.0, origin)
        moment = origin + self.start_s
        return np.where((moment >= YEAR_2000) & (moment < YEAR_2100), origin, np.nan)

    @property
    def begins(self) -> datetime | None:
        """The moment of the first window, where a clock tells it."""
        moments = self.origins + self.start_s
        first = moments[np.isfinite(moments)]
        return datetime.fromtimestamp(float(first.min()), timezone.utc) if len(first) else None

    @property
    def ends(self) -> datetime | None:
        """The moment at which the last window ends, where a clock tells it."""
        moments = self.origins + self.end_s
        last = moments[np.isfinite(moments)]
        return datetime.fromtimestamp(float(last.max()), timezone.utc) if len(last) else None

    @cached_property
    def ranked(self) -> IntArray:
        """Positions in ``activities`` of the first and second choice of each window; (n_windows, 2)."""
        return np.argsort(-self.proba, axis=1, kind="stable")[:, :2]

    @cached_property
    def confidence(self) -> FloatArray:
        """Probability of the first and second choice of each window; (n_windows, 2)."""
        return np.take_along_axis(self.proba, self.ranked, axis=1)

    @property
    def unfamiliar_wearings(self) -> set[Wearing]:
        """The wearings of which each window is unfamiliar."""
        recordings = np.array(self.recording_ids)[self.recording_index]

        def windows(wearing: Wearing) -> NDArray[np.bool_]:
            inside = (self.start_s >= wearing.start_s) & (self.end_s <= wearing.end_s)
            found: NDArray[np.bool_] = self.unfamiliar[inside & (recordings == wearing.recording)]
            return found

        return {wearing for wearing in self.wearings if len(found := windows(wearing)) and found.all()}

    @cached_property
    def guesses(self) -> IntArray:
        """Position in ``activities`` of the deepest guess of each window, UNLABELLED without one; (n_windows,)."""
        return _likeliest(self.proba)

    @cached_property
    def tree(self) -> AnswerTree:
        """The activities of the model and the nodes above them."""
        return AnswerTree(self.activities)

    @cached_property
    def answer_names(self) -> tuple[str, ...]:
        """All that an answer can be: activities, the nodes above several of them, the root, then why there is none.

        *Not worn* is among the latter where the model does not know it itself. No answer, as the root, has no
        confidence, and is neither right nor wrong.
        """
        return (*self.tree.nodes, UNFAMILIAR, *([] if self.knows_not_worn else [NOT_WORN]), TOO_LITTLE)

    @cached_property
    def knows_not_worn(self) -> bool:
        """Whether the model tells by itself that a device is not worn."""
        return any(shared_node(name) == NOT_WORN for name in self.activities)

    @cached_property
    def not_worn(self) -> NDArray[np.bool_]:
        """Say in the middle of which windows nobody wore the device, of models that can't tell; (n_windows,)."""
        middle, found = (self.start_s + self.end_s) / 2, np.zeros(len(self), bool)
        for recording, start_s, end_s in () if self.knows_not_worn else self.unworn:
            found |= (self.recording_index == recording) & (middle >= start_s) & (middle < end_s)
        return found & ~self.corrected

    @property
    def height_used(self) -> bool:
        """Whether air pressure said something of some windows."""
        return bool(self.height.any())

    @cached_property
    def corrected(self) -> NDArray[np.bool_]:
        """Say of which windows the person said what they were; (n_windows,)."""
        found = np.zeros(len(self), bool)
        for stretch in self.said:
            found[self.windows_of(stretch)] = True
        return found

    def windows_of(self, stretch: Said) -> IntArray:
        """Return which windows a stretch is of: those whose middle is in it; of a short one, the one that it is in."""
        recording, start_s, end_s, _ = stretch
        of_it, middle = self._by_middle(recording)
        first, last = np.searchsorted(middle, (start_s, end_s))
        if first < last:
            return np.sort(of_it[first:last])
        at = (start_s + end_s) / 2
        around = np.sort(of_it[(self.start_s[of_it] <= at) & (at < self.end_s[of_it])])
        nearest: IntArray = around[np.abs((self.start_s[around] + self.end_s[around]) / 2 - at).argsort()[:1]]
        return nearest

    def span_of(self, position: int) -> tuple[float, float]:
        """Return a stretch that a window alone is of: the whole window, or what lies around its middle, of several."""
        start_s, end_s = float(self.start_s[position]), float(self.end_s[position])
        _, middles = self._by_middle(int(self.recording_index[position]))
        apart = np.abs(middles - (start_s + end_s) / 2)
        nearest_s = float(apart[apart > 0].min(initial=end_s - start_s))
        spare_s = max(end_s - start_s - nearest_s, 0.0) / 2
        return start_s + spare_s, end_s - spare_s

    def _by_middle(self, recording: int) -> tuple[IntArray, TimeArray]:
        """Return which windows are of a recording, in the order of their middles, and these; of many, found once."""
        if recording not in self._middles:
            of_it = self.positions(recording)
            middle = (self.start_s[of_it] + self.end_s[of_it]) / 2
            order = np.argsort(middle, kind="stable")
            self._middles[recording] = of_it[order], middle[order]
        return self._middles[recording]

    @cached_property
    def _middles(self) -> dict[int, tuple[IntArray, TimeArray]]:
        return {}

    @cached_property
    def answers(self) -> IntArray:
        """Position in ``answer_names`` of the answer of each window; (n_windows,)."""
        n_nodes = len(self.tree.nodes)
        answers = np.where(self.unfamiliar, n_nodes, self.tree.deepest(self._of_nodes, self.limit))
        return np.where(self.not_worn, n_nodes + 1, answers)

    @cached_property
    def _of_nodes(self) -> FloatArray:
        """Probability of each node of the tree; (n_windows, n_nodes)."""
        return self.tree.probabilities(self.proba)

    @cached_property
    def answered(self) -> NDArray[np.bool_]:
        """Say which windows have an answer; (n_windows,)."""
        return np.asarray(self.answers < len(self.tree.nodes) - 1)

    @cached_property
    def answer_confidence(self) -> FloatArray:
        """Probability of the answer of each window, NaN where there is none; (n_windows,)."""
        node = np.where(self.answered, self.answers, 0)[:, None]
        probability = np.take_along_axis(self._of_nodes, node, axis=1)[:, 0]
        return np.where(self.answered, probability, np.float32(np.nan))

    @cached_property
    def right(self) -> IntArray:
        """1 where the answer is true of the activity that the file names, 0 where not; (n_windows,).

        UNLABELLED where there is nothing to compare: no label, one that the model does not know, or no answer.
        """
        return np.where(self.known_label & self.answered, self._true_of(self.answers), UNLABELLED)

    @cached_property
    def known_label(self) -> NDArray[np.bool_]:
        """Say which windows have a label of an activity that the model knows, by whatever name; (n_windows,)."""
        return np.asarray(np.append(self.known_activities, False)[self.labels])  # UNLABELLED is -1: the last entry

    @cached_property
    def known_activities(self) -> NDArray[np.bool_]:
        """Say which of the activities that the file names the model knows; (n_label_activities,)."""
        return np.asarray(self.agreeing[: len(self.activities)].any(axis=0))

    @cached_property
    def agreeing(self) -> NDArray[np.bool_]:
        """Say which answers are true where the file names which activity; (n_answers, n_label_activities)."""
        agreeing = np.zeros((len(self.answer_names), len(self.label_activities)), bool)
        for i, node in enumerate(self.tree.nodes[:-1]):
            agreeing[i] = [self.tree.agrees(node, label) for label in self.label_activities]
        return agreeing

    def _true_of(self, answers: IntArray) -> IntArray:
        """Say of which windows these answers are true, by their labels; meaningless where there is none."""
        if not self.label_activities:
            return np.zeros(len(self), np.int64)
        return self.agreeing[answers, self.labels].astype(np.int64)

    @cached_property
    def layout(self) -> Layout:
        """Say whether the windows follow each other in time, or are single windows without a common clock."""
        return "windows" if len(self) == len(self.recording_ids) > 1 else "timeline"

    @property
    def holds_several(self) -> bool:
        """Whether the file holds several recordings."""
        return len(self.recording_ids) > 1

    @property
    def all_names(self) -> tuple[str, ...]:
        """All that an answer can be, then the activities that only the file names."""
        return self.answer_names + tuple(name for name in self.label_activities if name not in self.answer_names)

    @cached_property
    def colours(self) -> dict[str, str]:
        """The colour of each name."""
        return activity_colours(self.activities, self.all_names[len(self.activities) :])

    def names(self, opinion: Opinion) -> tuple[str, ...]:
        """Return the names that an opinion is a position in."""
        return {"answer": self.answer_names, "deepest": self.activities, "label": self.label_activities}[opinion]

    def of(self, opinion: Opinion) -> IntArray:
        """Return an opinion on each window: a position in its `names`, or UNLABELLED; (n_windows,)."""
        return {"answer": self.answers, "deepest": self.guesses, "label": self.labels}[opinion]

    def positions(self, recording_index: int | None = None) -> IntArray:
        """Return which windows are of one recording (None: all of them)."""
        return (
            np.flatnonzero(self.recording_index == recording_index)
            if recording_index is not None
            else np.arange(len(self))
        )

    def shown_activities(self, recording_index: int | None = None) -> list[str]:
        """Return what occurs among these windows, as an answer or named by the file."""
        index = self.positions(recording_index)
        named = {self.label_activities[i] for i in np.unique(self.labels[index]) if i != UNLABELLED}
        seen = named | {self.answer_names[i] for i in np.unique(self.answers[index])}
        if any(recording_index in (None, recording) for recording, _, _ in self.too_little):
            seen.add(TOO_LITTLE)
        return [name for name in self.all_names if name in seen]

    def bout_columns(self, recording_index: int | None = None, opinion: Opinion = "answer") -> Bouts:
        """Return stretches of one answer: equal windows of one recording without a gap between them.

        ``recording_index`` keeps those of one recording; ``opinion`` gives the stretches of one deepest guess, or of
        one activity that the file names, instead.
        """
        keep = self.positions(recording_index)
        chosen = self.of(opinion)[keep]
        keep, chosen = keep[chosen != UNLABELLED], chosen[chosen != UNLABELLED]
        start, end, owner = self.start_s[keep], self.end_s[keep], self.recording_index[keep]
        joined = np.abs(start[1:] - end[:-1]) < SAME_MOMENT_S
        same = (chosen[1:] == chosen[:-1]) & (owner[1:] == owner[:-1]) & joined
        begins = np.ones(len(keep), bool)
        begins[1:] = ~same
        first = np.flatnonzero(begins)
        n = np.diff(np.append(first, len(keep)))
        proba = _means(self.proba[keep], first, n)
        deepest = _likeliest(proba)
        bouts = Bouts(
            start_s=start[first],
            end_s=end[first + n - 1],
            activity=chosen[first],
            windows=n,
            confidence=_means(self.answer_confidence[keep], first, n),
            recording=owner[first],
            deepest=deepest,
            deepest_confidence=np.where(deepest == UNLABELLED, np.nan, proba[np.arange(len(first)), deepest]),
        )
        return bouts if opinion != "answer" else self._with_too_little(bouts, recording_index)

    def _with_too_little(self, bouts: Bouts, recording_index: int | None) -> Bouts:
        """Return bouts and, in the order of time, the stretches that were too short for a window."""
        wanted = [stretch for stretch in self.too_little if recording_index in (None, stretch[0])]
        if not wanted:
            return bouts
        recording, start_s, end_s = (np.array(column) for column in zip(*wanted, strict=True))
        n, unknown = len(wanted), np.full(len(wanted), np.nan)
        none, name = np.full(n, UNLABELLED), np.full(n, len(self.answer_names) - 1)
        short = Bouts(start_s, end_s, name, np.zeros(n, np.int64), unknown, recording, none, unknown)
        order = np.lexsort((np.append(bouts.start_s, start_s), np.append(bouts.recording, recording)))
        return Bouts(*(np.append(vars(bouts)[key], column)[order] for key, column in vars(short).items()))

    def summary(self) -> dict[str, Any]:
        """Return the whole in numbers: minutes per answer (longest first), confidence, how many were right."""
        minutes, windows = self.totals("answer")
        deepest_minutes, _ = self.totals("deepest")
        labelled, known = int((self.labels != UNLABELLED).sum()), int(self.known_label.sum())
        compared = int((self.right != UNLABELLED).sum())
        guessed = self.known_label & (self.guesses != UNLABELLED)
        return {
            "model": self.model_label,
            "chosen_because": self.chosen_because,
            "layout": self.layout,
            "windows": len(self),
            "recordings": len(self.recording_ids),
            "limit": self.limit,
            "smoothed_s": self.smoothed_s,
            "height_used": self.height_used,
            "features": self.features.shape[1],
            "personal_windows": self.personal_windows,
            "corrected_windows": int(self.corrected.sum()),
            "prior": self.prior,
            "minutes": round(float((self.end_s - self.start_s).sum() / 60), 3),
            "minutes_per_activity": minutes,
            "windows_per_activity": windows,
            "minutes_per_heart_rate": self._heart_rates(),
            "minutes_per_deepest_activity": deepest_minutes,
            "windows_per_depth": self._depths(),
            "mean_confidence": round(float(self.answer_confidence[self.answered].mean()), 4)
            if self.answered.any()
            else None,
            "right": int((self.right == 1).sum()) if compared else None,
            "compared": compared,
            "deepest_right": int(self._true_of(self.guesses)[guessed].sum()) if guessed.any() else None,
            "deepest_compared": int(guessed.sum()),
            "labels_unknown_to_model": labelled - known,
            "sensors": [
                {
                    "sensor": in_words([sensor]),
                    "weight": round(float(weights.mean()), 4),
                    "not_listened_to": round(float((weights < MIN_ATTENTION).mean()), 4),
                }
                for sensor, weights in zip(self.sensors, self.sensor_attention.T, strict=True)
            ],
            "unfamiliar": int((self.unfamiliar & ~self.not_worn).sum()),
            "not_worn": int(self.not_worn.sum()),
            "place": self.place,
            "walking_recording": self.walking_recording,
            "wearings": [asdict(wearing) for wearing in self.wearings],
            "problems": [asdict(problem) for problem in self.problems],
        }

    def totals(self, opinion: Opinion) -> tuple[dict[str, float], dict[str, int]]:
        """Return the minutes and the windows of each name that occurs, the longest first."""
        names, chosen = self.names(opinion), self.of(opinion)
        there = chosen != UNLABELLED
        minutes = np.bincount(chosen[there], ((self.end_s - self.start_s) / 60)[there], len(names))
        windows = np.bincount(chosen[there], minlength=len(names))
        order = [i for i in np.argsort(-minutes, kind="stable") if windows[i]]
        return {names[i]: round(float(minutes[i]), 3) for i in order}, {names[i]: int(windows[i]) for i in order}

    def _heart_rates(self) -> dict[str, dict[str, float]]:
        """Return for how many minutes the heart was how fast, by answer, see `har.measures.heart_rate`."""
        if not len(self.heart_rate):
            return {}
        return minutes_of_each(self.heart_rate, self.end_s - self.start_s, self.answers, self.answer_names)

    def _depths(self) -> dict[str, int]:
        """Return how many windows are answered how deeply: an activity, a group of several, or not at all."""
        activity, answered = int((self.answers < len(self.activities)).sum()), int(self.answered.sum())
        return {"activity": activity, "group": answered - activity, "none": len(self) - answered}


def _likeliest(proba: NDArray[Any]) -> IntArray:
    """Return the position of the likeliest activity, (n,), UNLABELLED where another is as likely.

    ``proba`` is (n, n_activities).
    """
    if proba.shape[1] < 2 or not len(proba):
        return np.zeros(len(proba), np.int64)
    second, first = np.partition(proba, -2, axis=1)[:, -2:].T
    return np.where(first - second < EQUALLY_LIKELY, UNLABELLED, proba.argmax(axis=1))


def _means(columns: NDArray[Any], first: IntArray, n: IntArray) -> NDArray[np.float64]:
    """Return the means of runs of rows, by the first row and the length of each."""
    if not len(first):
        return np.empty((0, *columns.shape[1:]))
    return (np.add.reduceat(columns.astype(np.float64), first).T / n).T
