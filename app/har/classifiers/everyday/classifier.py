"""The everyday model: right on a device, at a place and on a person that no training set contained."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import islice, pairwise

import numpy as np
from numpy.typing import NDArray

from app.har.classifiers.base import Recogniser
from app.har.classifiers.catalogue import EVERYDAY_MODEL
from app.har.classifiers.everyday.answer import ACTIVITIES, choose_limit, on_table, probabilities
from app.har.classifiers.everyday.besides import Besides, fit_besides
from app.har.classifiers.everyday.calibration import Calibration, fit_calibration
from app.har.classifiers.everyday.evidence import Evidence, Odds, gather, guessed_place, log_levels
from app.har.classifiers.everyday.features import describe, feature_names
from app.har.classifiers.everyday.looks import looks, space_of
from app.har.classifiers.everyday.novelty import Novelty, fit_novelty
from app.har.classifiers.everyday.reference import walking_reference
from app.har.classifiers.everyday.training import LEVELS, PLACES, Columns, Questions, Training, fit_questions
from app.har.classifiers.everyday.wearing import FEWEST, Track, in_context, smoothed_among_alike, track_of
from app.har.classifiers.types import Recognition, WalkingReference, Wearing
from app.har.errors import InsufficientData, UnusableRecording
from app.har.personal.prior import Prior
from app.har.personal.space import Space
from app.har.progress import OnEvent, Stage
from app.har.signals.cores import CORES, on_every_core
from app.har.signals.samples import Rows
from app.har.types import FloatArray
from app.har.vocabulary import ON_FOOT, OTHER, STILL, node_of
from app.har.windows import WindowSet

CHANNELS = tuple(f"{sensor}_{axis}" for sensor in ("acc", "gyro", "gravity") for axis in "xyz")
RATE_HZ, WINDOW_S = 50.0, 3.0
CHUNK = 1024
REACH = 1  # neighbours on either side that `Said` looks at
DEAD_RMS = 1e-3  # m/s²: every sensor has more noise
LIKELY_PLACE = 0.6  # a guess that is worth showing
SURE_PLACE, SURE_WINDOWS = 0.9, 10  # a guess, and the walking that it is made by, that may contradict a person
CONTRADICTED = ("leg", "trunk", "wrist")  # places that a model can tell from each other; few data sets hold a hand


@dataclass(frozen=True)
class Said:
    """What windows say by themselves and among their nearest neighbours."""

    log_level: Odds  # (n, 3), see `evidence.log_levels`
    distance: FloatArray  # (n,) to the examples
    shares: FloatArray  # (n, n_movements) of the trees that take them for another movement; no columns: none was learnt
    personal: NDArray[np.float16]  # (n, n_directions)

    @classmethod
    def joined(cls, parts: Sequence[Said]) -> Said:
        """Put what successive windows say in one."""
        return cls(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(cls)))


class EverydayClassifier(Recogniser):
    """One small model a question: still, on foot or running; walking or stairs; up or down; which posture; worn at all.

    Each question looks at features that do not depend on how the device is turned. Walking and stairs are told apart
    by what is usual in the same wearing, postures by gravity against the person's own walking. What cannot be told
    from a recording stays open: its probabilities are alike.

    Parameters
    ----------
    place_of : where devices were worn, of PLACES: by the name of a recording or of a data set; default unknown.

    Notes
    -----
    Windows to learn from have the channels CHANNELS, movement without gravity first; a subject is called
    ``data set/person``.
    """

    name = EVERYDAY_MODEL
    judges_sensors = False

    questions_: Questions
    calibration_: Calibration
    novelty_: Novelty
    besides_: Besides | None  # other movements that were learnt; None where training data hold none
    space_: (
        Space | None
    )  # of what a person's examples are compared in; None of earlier builds, and where nobody shows two activities
    answer_limit_: float  # how probable an answer must be, see `answer.choose_limit`

    def __init__(self, place_of: Mapping[str, str] | None = None) -> None:
        self.place_of = dict(place_of or {})

    @property
    def columns(self) -> Columns:
        """Return which features each question looks at."""
        return Columns(feature_names(self.n_timesteps, self.sampling_rate_hz))

    @property
    def prior(self) -> Prior | None:
        """Return how much people's activities differ in its space."""
        return None if self.space_ is None else Prior(self.space_.between.astype(np.float64))

    def recognise_all(
        self, batches: Iterable[WindowSet], place: str = "", walking: WalkingReference | None = None
    ) -> Recognition:
        """Return the probabilities of windows, and what they were measured against.

        Parameters
        ----------
        batches : the windows of whole recordings, in the order of time. One without acceleration has no answer: all
            activities are alike.
        place : where the device was worn, of PLACES; default "", guessed where there is walking.
        walking : the person's own walking in this placement; default None, found in the recordings.

        Raises
        ------
        UnusableRecording : there is no accelerometer at all.
        """
        track, said = self._asked(self.track(windows, place) for windows in batches)
        if not np.isfinite(track.movement_rms).any():
            raise UnusableRecording("The model needs an accelerometer; the recording has none.")
        return self._recognised(track, said, place, walking)

    def evidence(
        self, batches: Iterable[WindowSet], place: str = "", walking: WalkingReference | None = None
    ) -> tuple[Track, Evidence]:
        """Return what the questions say of windows, see `recognise_all`."""
        track, said = self._asked(self.track(windows, place) for windows in batches)
        return track, gather(track, self.columns, self.questions_, walking, said.log_level)

    def recognise_track(self, track: Track, place: str = "", walking: WalkingReference | None = None) -> Recognition:
        """Return the same of windows that were described already, see `track`."""
        return self._recognised(*self._asked([track]), place, walking)

    def _asked(self, tracks: Iterable[Track]) -> tuple[Track, Said]:
        """Ask of each window what needs no other than its neighbours; keep the features of those on foot alone."""

        def asked(piece: tuple[Track, slice]) -> tuple[Track, Said]:
            track, own = piece
            level = log_levels(track.features, self.columns, self.questions_)
            on_foot = smoothed_among_alike(level, track.runs).argmax(axis=1) == LEVELS.index(ON_FOOT)
            inner = track.take(np.arange(own.start, own.stop))
            distance = self.novelty_.distance(inner.features, self.columns)
            shares: FloatArray = np.zeros((len(inner), 0), np.float32)
            if self.besides_ is not None:
                shares = self.besides_.shares(inner.features, self.columns)
            said = Said(level[own], distance, shares, self._personal_features(track)[own])
            return inner.describing(on_foot[own]), said

        pieces, features = in_context(tracks, REACH), Rows(len(self.columns.names))
        kept: list[Track] = []
        said: list[Said] = []
        while some := list(islice(pieces, CORES)):
            for track, own in on_every_core(asked, some):
                features.append(track.features)
                kept.append(replace(track, features=track.features[:0].copy()))
                said.append(own)
        return replace(Track.joined(kept), features=features.finish()), Said.joined(said)

    def _recognised(self, track: Track, said: Said, place: str, walking: WalkingReference | None) -> Recognition:
        evidence = gather(track, self.columns, self.questions_, walking, said.log_level)
        answer = probabilities(track, evidence, self.calibration_)
        self._check_answer(answer)
        missing = np.stack(
            [np.isinf(track.movement_rms), np.isnan(track.rotation_rms), np.isnan(track.gravity[:, 0])], 1
        )
        present = (~missing).astype(np.float32)
        # Of a window without acceleration nothing is known, not that it is like no activity
        besides = None if self.besides_ is None else self.besides_.among_neighbours(said.shares, track.runs)
        distance = self.novelty_.among_neighbours(said.distance, track.runs)
        unlike = np.where(missing[:, 0], 0, self.unlike(track, evidence, distance, besides))
        novelty = np.repeat(unlike[:, None], 3, axis=1)
        return Recognition(
            answer,
            np.zeros((len(track), 0), np.float32),
            np.asarray(present / np.maximum(present.sum(axis=1, keepdims=True), 1), np.float32),
            np.zeros((len(track), 0), np.float32),
            np.where(missing, np.inf, novelty).astype(np.float32),
            np.zeros((len(track), 3), bool),
            said.personal,
            _wearings(track, evidence, place, walking, self._unlike(track, evidence, place)),
        )

    def _personal_features(self, track: Track) -> NDArray[np.float16]:
        return np.zeros((len(track), 0), np.float16) if self.space_ is None else self.space_(looks(track))

    def _unlike(self, track: Track, evidence: Evidence, place: str) -> list[str]:
        """Return where each wearing was worn by its walking, where that strongly contradicts what a person said."""
        found = [""] * len(evidence.walked)
        for number, walk in enumerate(evidence.walked):
            if place in CONTRADICTED and len(walk) >= SURE_WINDOWS:
                guess = guessed_place(track, self.columns, self.questions_, walk)
                likeliest = PLACES[int(guess.argmax())]
                if guess.max() >= SURE_PLACE and likeliest in CONTRADICTED and likeliest != place:
                    found[number] = likeliest
        return found

    def novelty(self, track: Track, evidence: Evidence) -> FloatArray:
        """Return how unlike any activity windows are, or like another movement, (n,); above 1 is novel.

        Rest is known however quiet it is, though no example may be as quiet; a sensor that gives nothing does not rest.
        """
        besides = None if self.besides_ is None else self.besides_(track, self.columns)
        return self.unlike(track, evidence, self.novelty_(track, self.columns), besides)

    @staticmethod
    def unlike(track: Track, evidence: Evidence, novelty: FloatArray, besides: FloatArray | None) -> FloatArray:
        """Return `novelty`, from what the examples and other movements say of the windows."""
        unlike = novelty if besides is None else np.maximum(novelty, besides)
        rests = (evidence.level.argmax(axis=1) == LEVELS.index(STILL)) & (track.movement_rms >= DEAD_RMS)
        return np.where(rests, np.minimum(unlike, 1), unlike)

    def walking_reference(self, batches: Iterable[WindowSet]) -> WalkingReference:
        """Make a reference of a recording in which a person walks, all the time.

        Raises
        ------
        UnusableRecording : fewer than 5 windows of it, 15 s, are on foot.
        """
        track, said = self._asked(self.track(windows) for windows in batches)
        evidence = gather(track, self.columns, self.questions_, log_level=said.log_level)
        on_foot = np.flatnonzero(evidence.on_foot)
        if len(on_foot) < FEWEST:
            raise UnusableRecording(
                f"Only {len(on_foot) * self.window_length_s:.0f} s of this recording are on foot; expected at least "
                f"{FEWEST * self.window_length_s:.0f} s of walking."
            )
        return walking_reference(track.take(on_foot))

    def track(self, windows: WindowSet, place: str = "") -> Track:
        """Describe windows."""
        self._check(windows)
        x, rate = windows.X, windows.sampling_rate_hz
        parts = [slice(i, i + CHUNK) for i in range(0, len(x), CHUNK)] or [slice(0, 0)]
        features = [describe(np.nan_to_num(x[p, :, :3]), x[p, :, 3:6], x[p, :, 6:], rate) for p in parts]
        return track_of(windows, np.concatenate(features), place)

    def _predict_proba(self, windows: WindowSet) -> FloatArray:
        return self.recognise_all([windows]).probabilities

    def _check_values(self, windows: WindowSet) -> None:
        lacking = np.isnan(windows.X)
        if np.isinf(windows.X).any() or (lacking.any(axis=1) & ~lacking.all(axis=1)).any():
            raise UnusableRecording("The signal has missing or infinite values; cut the recording there.")

    def _fit(self, windows: WindowSet, epochs: int | None, seed: int, on_event: OnEvent) -> None:
        if windows.channels != CHANNELS or windows.gravity != "removed":
            raise InsufficientData(
                f"The everyday model learns from {', '.join(CHANNELS)}, movement without gravity; found "
                f"{', '.join(windows.channels)}."
            )
        on_event({"stage": Stage.FEATURES, "fraction": 0.0})
        training, others = self._training(windows)
        on_event({"stage": Stage.LEARNING, "fraction": 0.2})
        self.questions_ = fit_questions(training, self.columns, seed)
        if self.questions_.level is None:
            raise InsufficientData("The everyday model needs windows of two at least of still, on foot and running.")
        on_event({"stage": Stage.CALIBRATION, "fraction": 0.3})
        self.calibration_, trials = fit_calibration(training, self.columns, seed)
        self.answer_limit_ = choose_limit(trials, self.calibration_)
        self.novelty_ = fit_novelty(training, self.columns, seed)
        self.besides_ = fit_besides(training, others, self.columns, seed)
        self.space_ = space_of(training)
        self.format_ = replace(self.format_, activities=ACTIVITIES)

    def _training(self, windows: WindowSet) -> tuple[Training, Training]:
        """Return the windows of activities, and those of other movements by their names."""
        track = self.track(windows)
        node = np.array([node_of(name) for name in windows.activities])[windows.y]
        dataset = np.array([name.partition("/")[0] for name in windows.subjects.tolist()])
        place = [
            self.place_of.get(recording, self.place_of.get(name, ""))
            for recording, name in zip(windows.recordings.tolist(), dataset.tolist(), strict=True)
        ]
        whole = Training(replace(track, place=np.array(place, "U16")), node, dataset)
        named = replace(whole, node=np.array(windows.activities)[windows.y])
        return whole.take(np.flatnonzero(node != OTHER)), named.take(np.flatnonzero(node == OTHER))


def _wearings(
    track: Track, evidence: Evidence, place: str, walking: WalkingReference | None, unlike: Sequence[str]
) -> tuple[Wearing, ...]:
    """Say of each piece of a wearing where it was worn, and what it was measured against."""
    table = on_table(track) > 0.5
    new = np.ones(len(track), bool)
    new[1:] = (track.recordings[1:] != track.recordings[:-1]) | (np.diff(evidence.wearing) != 0)
    found = []
    for first, last in pairwise([*np.flatnonzero(new).tolist(), len(track)]):
        walked = evidence.walked[evidence.wearing[first]]
        likely = evidence.place[first]
        guess = PLACES[int(likely.argmax())] if likely.max() >= LIKELY_PLACE else ""
        if table[first:last].mean() > 0.5:
            guess = "table"
        own = len(walked) >= FEWEST
        found.append(
            Wearing(
                str(track.recordings[first]),
                float(track.start_s[first]),
                float(track.start_s[last - 1] + track.window_length_s),
                place or guess,
                bool(place),
                "known walking" if walking else "this recording" if own else "",
                walking.start_s if walking else float(track.start_s[walked[0]]) if own else None,
                walking.n_windows if walking else len(walked),
                unlike[evidence.wearing[first]],
            )
        )
    return tuple(found)
