"""What a model recognises in a file: one pass from the file to windows, bouts and a summary. No database."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from app.har.errors import UnusableRecording
from app.har.types import (
    MODALITY_CHANNELS,
    UNLABELLED,
    FloatArray,
    IntArray,
    OnEvent,
    Problem,
    Recording,
    SignalSet,
    TimeArray,
    WindowSet,
    ignore_event,
)

if TYPE_CHECKING:
    from app.har.classifier import ActivityClassifier, Recognition
    from app.har.quality import QualityCard
    from app.har.recordings.mapping import ColumnMapping

Layout = Literal["timeline", "windows"]
WINDOW_COLUMNS = (
    "window", "recording", "start_s", "end_s", "activity", "confidence", "second_activity", "second_confidence",
    "true_activity", "right", "unfamiliar",
)  # fmt: skip
SILENT = 1e-3  # attention below which a sensor was not listened to
RIGHT = {1: True, 0: False, UNLABELLED: None}
_predicting = threading.Lock()  # two at once would only make each other slower, and Keras does not promise safety

CARDS = 50  # a file of single windows holds twenty thousand recordings
OFTEN_STRANGE = 0.1  # of the windows: far more than of people the model was not trained on


@dataclass(frozen=True)
class PredictionResult:
    """What was recognised, as columns: a day of recording has 28,800 windows.

    ``recording[i]`` is the position in ``recording_ids`` of window i; times are on that recording's own clock.
    ``truth[i]`` is the position in ``truth_activities`` of the activity that the file itself names, or UNLABELLED.
    """

    model: str
    activities: tuple[str, ...]
    proba: FloatArray  # (n_windows, n_activities)
    start_s: TimeArray  # (n_windows,)
    end_s: TimeArray  # (n_windows,)
    recording: IntArray  # (n_windows,)
    recording_ids: tuple[str, ...]
    truth: IntArray  # (n_windows,)
    truth_activities: tuple[str, ...]
    sensors: tuple[str, ...]  # modalities that the model can listen to
    sensor_attention: FloatArray  # (n_windows, n_sensors), rows sum to 1; 0 where it did not listen
    unfamiliar: NDArray[np.bool_]  # (n_windows,): unlike anything the model was trained on
    problems: tuple[Problem, ...] = ()

    def __len__(self) -> int:
        return len(self.proba)

    @cached_property
    def ranked(self) -> IntArray:
        """Positions in ``activities`` of the first and second choice of each window; (n_windows, 2)."""
        return np.argsort(-self.proba, axis=1, kind="stable")[:, :2]

    @cached_property
    def confidence(self) -> FloatArray:
        """Probability of the first and second choice of each window; (n_windows, 2)."""
        return np.take_along_axis(self.proba, self.ranked, axis=1)

    @cached_property
    def right(self) -> IntArray:
        """1 right, 0 wrong, UNLABELLED where the file names no activity or one that the model does not know."""
        position = {name: i for i, name in enumerate(self.activities)}
        as_model = np.array([position.get(name, UNLABELLED) for name in self.truth_activities] + [UNLABELLED])
        truth = as_model[self.truth]  # UNLABELLED is -1: the last entry
        return np.where(truth == UNLABELLED, UNLABELLED, (truth == self.ranked[:, 0]).astype(np.int64))

    @cached_property
    def layout(self) -> Layout:
        """Say whether the windows follow each other in time, or are single windows without a common clock."""
        return "windows" if len(self) == len(self.recording_ids) > 1 else "timeline"

    @property
    def all_activities(self) -> tuple[str, ...]:
        """The model's activities, then those that only the file names."""
        return self.activities + tuple(name for name in self.truth_activities if name not in self.activities)

    def positions(self, part: int | None = None) -> IntArray:
        """Return which windows are of one recording (None: all of them)."""
        return np.flatnonzero(self.recording == part) if part is not None else np.arange(len(self))

    def shown_activities(self, part: int | None = None) -> list[str]:
        """Return the activities that occur among these windows, recognised or named by the file."""
        index = self.positions(part)
        named = {self.truth_activities[i] for i in np.unique(self.truth[index]) if i != UNLABELLED}
        seen = named | {self.activities[i] for i in np.unique(self.ranked[index, 0])}
        return [name for name in self.all_activities if name in seen]

    def windows(self, index: IntArray | slice = slice(None)) -> list[dict[str, Any]]:
        """Return these windows as plain rows."""
        first, *rest = (_named(self.activities, column[index]) for column in self.ranked.T)
        first_p, *rest_p = (column[index].round(4).tolist() for column in self.confidence.T.astype(np.float64))
        second, second_p = (rest[0], rest_p[0]) if rest else ([None] * len(first), [None] * len(first))
        rows = zip(
            (np.arange(len(self))[index] + 1).tolist(),
            _named(self.recording_ids, self.recording[index]),
            _milliseconds(self.start_s[index]),
            _milliseconds(self.end_s[index]),
            first,
            first_p,
            second,
            second_p,
            _named(self.truth_activities, self.truth[index]),
            [RIGHT[right] for right in self.right[index].tolist()],
            self.unfamiliar[index].tolist(),
            strict=True,
        )
        return [dict(zip(WINDOW_COLUMNS, row, strict=True)) for row in rows]

    def bouts(self, part: int | None = None, *, truth: bool = False) -> list[dict[str, Any]]:
        """Return stretches of one recognised activity: equal windows of one recording without a gap between them.

        ``part`` keeps those of one recording; ``truth`` gives the activities that the file names instead.
        """
        names = self.truth_activities if truth else self.activities
        chosen = self.truth if truth else self.ranked[:, 0]
        keep = self.positions(part)
        if not len(keep):
            return []
        chosen, start, end, owner = chosen[keep], self.start_s[keep], self.end_s[keep], self.recording[keep]
        same = (chosen[1:] == chosen[:-1]) & (owner[1:] == owner[:-1]) & (np.abs(start[1:] - end[:-1]) < 1e-3)
        first = np.flatnonzero(np.concatenate(([True], ~same)))
        last = np.concatenate((first[1:], [len(keep)])) - 1
        n = last - first + 1
        confidence = np.add.reduceat(self.confidence[keep, 0].astype(np.float64), first) / n
        rows = zip(
            _named(self.recording_ids, owner[first]),
            _milliseconds(start[first]),
            _milliseconds(end[last]),
            _named(names, chosen[first]),
            n.tolist(),
            [None] * len(first) if truth else confidence.round(4).tolist(),
            strict=True,
        )
        columns = ("recording", "start_s", "end_s", "activity", "windows", "confidence")
        bouts = (dict(zip(columns, row, strict=True)) for row in rows)
        return [bout for bout in bouts if bout["activity"] is not None]

    def summary(self) -> dict[str, Any]:
        """Return the whole in figures: minutes per activity (longest first), confidence, how many were right."""
        minutes = np.bincount(
            self.ranked[:, 0], weights=(self.end_s - self.start_s) / 60, minlength=len(self.activities)
        )
        count = np.bincount(self.ranked[:, 0], minlength=len(self.activities))
        order = [i for i in np.argsort(-minutes, kind="stable") if count[i]]
        compared = int((self.right != UNLABELLED).sum())
        labelled = int((self.truth != UNLABELLED).sum())
        return {
            "model": self.model,
            "layout": self.layout,
            "windows": len(self),
            "recordings": len(self.recording_ids),
            "minutes": round(float(minutes.sum()), 3),
            "minutes_per_activity": {self.activities[i]: round(float(minutes[i]), 3) for i in order},
            "windows_per_activity": {self.activities[i]: int(count[i]) for i in order},
            "mean_confidence": round(float(self.confidence[:, 0].mean()), 4),
            "right": int((self.right == 1).sum()) if compared else None,
            "compared": compared,
            "labels_unknown_to_model": labelled - compared,
            "sensors": [
                {
                    "sensor": _in_words([sensor]),
                    "weight": round(float(weights.mean()), 4),
                    "not_listened_to": round(float((weights < SILENT).mean()), 4),
                }
                for sensor, weights in zip(self.sensors, self.sensor_attention.T, strict=True)
            ],
            "unfamiliar": int(self.unfamiliar.sum()),
            "problems": [asdict(problem) for problem in self.problems],
        }

    def as_dict(self) -> dict[str, Any]:
        """Return windows, bouts and summary as plain lists and figures."""
        return {"windows": self.windows(), "bouts": self.bouts(), "summary": self.summary()}


def _named(names: Sequence[str], index: IntArray) -> list[str | None]:
    """Return the names at these positions, None where there is none."""
    return [names[i] if i != UNLABELLED else None for i in index.tolist()]


def _milliseconds(time_s: TimeArray) -> list[float]:
    moments: list[float] = (time_s.round(3) + 0.0).tolist()  # never -0.0
    return moments


def recognise(
    path: Path,
    name: str,
    classifier: ActivityClassifier,
    model: str,
    on_event: OnEvent = ignore_event,
    columns: ColumnMapping | None = None,
) -> tuple[PredictionResult, SignalSet, Quality]:
    """Read a file and recognise the activities in it; return the result, the signal that the model saw and the quality.

    Parameters
    ----------
    path : Path
        A file in any layout that is known.
    name : str
        What the person calls the file, for messages.
    classifier : ActivityClassifier
        The loaded model.
    model : str
        Its label.
    on_event : callable
        Receives progress events.
    columns : ColumnMapping, optional
        What the columns are, of a file in no known layout.

    Raises
    ------
    UnreadableData, UnrecognisedData
        The file.
    UnusableRecording
        All sensors are missing, units are uncertain, gravity is missing, or no gap-free stretch is a window long.
    """
    from app.har.filters import prepare
    from app.har.windows import make_windows

    recordings, quality = examine(path, name, on_event, classifier.preparation.gap_s, columns)
    on_event({"stage": "resampling"})
    try:
        signals, problems = _resampled(recordings, classifier, name)
        signals = prepare(signals, classifier.preparation)
        windows = make_windows(signals, classifier.window_length_s, by_label=False)
        if not len(windows):
            longest = signals.length.max(initial=0) / signals.sampling_rate_hz
            raise UnusableRecording(
                f"{name}: the longest stretch without a gap lasts {longest:.1f} s, and the model needs at least "
                f"{classifier.window_length_s:g} s. Record for longer, or check the recording for pauses."
            )
    except UnusableRecording as error:
        if reasons := {reason for own in quality.cards if own.verdict == "unusable" for reason in own.reasons}:
            raise UnusableRecording(f"{error} No model could use it: {'; '.join(sorted(reasons))}.") from error
        raise
    on_event({"stage": "recognising"})
    with _predicting:
        recognition = classifier.recognise(windows)
    return _result(windows, signals, recognition, classifier, model, problems), signals, quality


@dataclass(frozen=True)
class Quality:
    """The quality cards of a file's recordings, of the first CARDS of them."""

    cards: tuple[QualityCard, ...]
    recordings: int

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"recordings": self.recordings, "cards": [own.as_dict() for own in self.cards]}


def examine(
    path: Path,
    name: str,
    on_event: OnEvent = ignore_event,
    gap_s: float | None = None,
    columns: ColumnMapping | None = None,
) -> tuple[list[Recording], Quality]:
    """Read a file, correct the units that are certain, and examine the recordings; no model is needed.

    Raises
    ------
    UnreadableData, UnrecognisedData
        The file.
    """
    from app.har.clocks import GAP_S, gap_problems
    from app.har.quality import card
    from app.har.recordings import read_upload
    from app.har.units import settle

    recordings = [settle(recording) for recording in _told_apart(read_upload(path, name, on_event, columns))]
    gap_s = GAP_S if gap_s is None else gap_s
    if gap_s != GAP_S:  # what importers list is what is cut usually
        recordings = [
            replace(
                own,
                problems=(
                    *(problem for problem in own.problems if problem.kind != "clock gap"),
                    *gap_problems(own.streams, own.recording_id, gap_s),
                ),
            )
            for own in recordings
        ]
    return recordings, Quality(tuple(card(own, gap_s) for own in recordings[:CARDS]), len(recordings))


def _resampled(
    recordings: list[Recording], classifier: ActivityClassifier, name: str
) -> tuple[SignalSet, tuple[Problem, ...]]:
    """Bring the recordings to the model's gravity, sensors and rate; leave out what cannot be, unless that is all."""
    from app.har.gravity import convert
    from app.har.signal import StretchIndex, to_signal_set
    from app.har.store import condensed
    from app.har.units import check

    needed, gap_s = _modalities(classifier.channels), classifier.preparation.gap_s
    problems: list[Problem] = []
    left_out: list[Problem] = []
    signal: list[FloatArray] = []
    labels: list[NDArray[np.int16]] = []
    index = StretchIndex(signal.append, labels.append)
    for recording in recordings:
        lacking = set(needed) - {stream.modality for stream in recording.streams}
        read = tuple(stream for stream in recording.streams if stream.modality in needed)
        try:
            check(replace(recording, streams=read), classifier.gravity)
            if any(stream.kind == "accelerometer" for stream in read):
                recording = convert(recording, classifier.gravity, gap_s)
            recording = replace(recording, gravity=classifier.gravity)  # without acceleration it makes no difference
            part = to_signal_set([recording], classifier.sampling_rate_hz, needed, allow_missing=True, gap_s=gap_s)
        except UnusableRecording as error:
            left_out.append(Problem(recording.recording_id, "unusable recording", str(error), "left out"))
            continue
        index.append(part)
        problems.extend(recording.problems)
        if lacking:
            detail = f"the {_in_words(lacking)} is missing; the model was trained on {_in_words(needed)}"
            action = "recognised without it. Upload one zip file with the files of all sensors for a surer answer"
            problems.append(Problem(recording.recording_id, "missing sensor", detail, action))
    if not signal:
        raise UnusableRecording(f"{name}: {left_out[0].detail}")
    return index.finish(np.concatenate(signal), np.concatenate(labels)), tuple(condensed([*problems, *left_out]))


def _told_apart(recordings: Iterable[Recording]) -> Iterator[Recording]:
    """Number recordings that share a name: two files of a zip may each have a "row 1"."""
    seen: Counter[str] = Counter()
    for recording in recordings:
        name = recording.recording_id
        seen[name] += 1
        yield recording if seen[name] == 1 else replace(recording, recording_id=f"{name} ({seen[name]})")


def _modalities(channels: Sequence[str]) -> tuple[str, ...]:
    """Return the sensors behind channels, in their order: ``watch.acc_x`` is of the ``watch.accelerometer``."""
    sensor_of = {channel: modality for modality, names in MODALITY_CHANNELS.items() for channel in names}
    parts = [channel.rpartition(".") for channel in channels]
    return tuple(dict.fromkeys(device + dot + sensor_of[channel] for device, dot, channel in parts))


def _in_words(modalities: Iterable[str]) -> str:
    return " and ".join(name.replace(".", " ") for name in sorted(modalities))


def _result(
    windows: WindowSet,
    signals: SignalSet,
    recognition: Recognition,
    classifier: ActivityClassifier,
    model: str,
    problems: tuple[Problem, ...],
) -> PredictionResult:
    present = set(windows.recordings.tolist())
    spelling = {name.casefold(): name for name in classifier.activities}  # one file's "walk" is another's "Walk"
    ids = tuple(name for name in signals.recording_ids if name in present)
    position = {name: i for i, name in enumerate(ids)}
    too_short = tuple(
        Problem(name, "too short", f"no gap-free stretch of {windows.window_length_s:g} s", "left out")
        for name in signals.recording_ids
        if name not in present
    )
    return PredictionResult(
        model=model,
        activities=classifier.activities,
        proba=recognition.probabilities,
        start_s=windows.start_s,
        end_s=windows.start_s + windows.window_length_s,
        recording=np.array([position[name] for name in windows.recordings.tolist()], dtype=np.int64),
        recording_ids=ids,
        truth=windows.y,
        truth_activities=tuple(spelling.get(name.casefold(), name) for name in windows.activities),
        sensors=_modalities(classifier.channels),
        sensor_attention=recognition.sensor_attention,
        unfamiliar=recognition.unfamiliar,
        problems=problems + too_short + _unlike_training(recognition, ids, _modalities(classifier.channels)),
    )


def _unlike_training(
    recognition: Recognition, recording_ids: tuple[str, ...], sensors: tuple[str, ...]
) -> tuple[Problem, ...]:
    """Name the sensors whose signal is often unlike all of training, which a single window cannot tell for sure."""
    problems = []
    name = recording_ids[0] if len(recording_ids) == 1 else f"{len(recording_ids)} recordings"
    for sensor, strangeness in zip(sensors, recognition.strangeness.T, strict=True):
        there = strangeness[np.isfinite(strangeness)]
        share = (there > 1).mean() if len(there) else 0.0
        if share >= OFTEN_STRANGE:
            detail = (
                f"the {_in_words([sensor])} is unlike anything the model was trained on in {100 * share:.0f} % of the "
                "windows: perhaps turned, worn elsewhere, in another unit, or with gravity where there was none"
            )
            problems.append(
                Problem(name, "unlike the training", detail, "not listened to there, if another sensor was")
            )
    return tuple(problems)
