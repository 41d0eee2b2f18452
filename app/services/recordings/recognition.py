"""What a model recognises in a file: one pass from the file to a `PredictionResult`. No database."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from app.har.classifiers.types import Recognition
from app.har.errors import UnusableRecording
from app.har.problems import Problem, ProblemKind
from app.har.progress import OnEvent, Stage, ignore_event
from app.har.signals.types import MODALITY_CHANNELS, Recording, SignalSet
from app.har.types import FloatArray, TimeArray
from app.har.windows import WindowSet
from app.services.recordings.prediction_result import PredictionResult, in_words

if TYPE_CHECKING:
    from app.har.classifiers.elm_gru_am.classifier import ActivityClassifier
    from app.har.recordings.mappings.mapping import ColumnMapping
    from app.har.recordings.quality import QualityCard

_predicting = threading.Lock()  # two at once would only make each other slower, and Keras does not promise safety

RUN = 1024  # windows cut and recognised at a time: a day's are never in memory together
CARDS = 50  # a file of single windows holds twenty thousand recordings
LISTED_SPANS = 5  # of holes in a sensor, one by one
OFTEN_STRANGE = 0.1  # of the windows: far more than of people the model was not trained on


def recognise(
    path: Path,
    name: str,
    load: Callable[[], ActivityClassifier],
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
    load : callable
        Returns the model; it is not asked for, with its seconds of waiting for TensorFlow, before the file was read.
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
        All sensors are missing, units are uncertain, gravity is missing, or no sensor ran for a window without a gap.
    """
    from app.har.signals.filters import prepare

    recordings = _read(path, name, on_event, columns)
    classifier = load()
    recordings, quality = _examined(recordings, classifier.preparation.gap_s)
    origins = {recording.recording_id: recording.origin_utc_s for recording in recordings}
    try:
        signals, problems = _resampled(recordings, classifier, name, on_event)
        signals = prepare(signals, classifier.preparation)
        if not (signals.length >= classifier.n_timesteps).any():
            longest = signals.length.max(initial=0) / signals.sampling_rate_hz
            raise UnusableRecording(
                f"{name}: the longest stretch without a gap lasts {longest:.1f} s, but the model needs at least "
                f"{classifier.window_length_s:g} s. Record for longer, or check the recording for pauses."
            )
    except UnusableRecording as error:
        if reasons := {reason for own in quality.cards if own.verdict == "unusable" for reason in own.reasons}:
            raise UnusableRecording(f"{error} No model could use it: {'; '.join(sorted(reasons))}.") from error
        raise
    windows, recognition = _recognised(signals, classifier, on_event)
    result = _result(windows, signals, recognition, classifier, model, problems)
    origin_utc_s = tuple(origins[name] for name in result.recording_ids)
    return replace(result, origin_utc_s=origin_utc_s), signals, quality


def _recognised(signals: SignalSet, classifier: ActivityClassifier, on_event: OnEvent) -> tuple[WindowSet, Recognition]:
    """Recognise some thousand windows at a time; return all of them without their samples, and what was recognised."""
    from app.har.windows import iter_window_batches

    on_event({"stage": Stage.RECOGNISING, "fraction": 0.0})
    seen: list[WindowSet] = []
    recognitions: list[Recognition] = []
    for windows, fraction in iter_window_batches(signals, classifier.window_length_s, RUN):
        with _predicting:
            recognitions.append(classifier.recognise(windows))
        seen.append(replace(windows, X=windows.X[:, :, :0].copy()))
        on_event({"stage": Stage.RECOGNISING, "fraction": fraction})
    return WindowSet.joined(seen), Recognition.joined(recognitions)


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
    return _examined(_read(path, name, on_event, columns), gap_s)


def _read(path: Path, name: str, on_event: OnEvent, columns: ColumnMapping | None) -> list[Recording]:
    from app.har.recordings.upload import read_upload
    from app.har.signals.normalisation import normalise_units

    return [normalise_units(recording) for recording in _told_apart(read_upload(path, name, on_event, columns))]


def _examined(recordings: list[Recording], gap_s: float | None) -> tuple[list[Recording], Quality]:
    from app.har.recordings.quality import card
    from app.har.signals.clocks import GAP_S, gap_problems

    gap_s = GAP_S if gap_s is None else gap_s
    if gap_s != GAP_S:  # what importers list is what is cut usually
        recordings = [
            replace(
                own,
                problems=(
                    *(problem for problem in own.problems if problem.kind != ProblemKind.CLOCK_GAP),
                    *gap_problems(own.streams, own.recording_id, gap_s),
                ),
            )
            for own in recordings
        ]
    return recordings, Quality(tuple(card(own, gap_s) for own in recordings[:CARDS]), len(recordings))


def _resampled(
    recordings: list[Recording], classifier: ActivityClassifier, name: str, on_event: OnEvent
) -> tuple[SignalSet, tuple[Problem, ...]]:
    """Bring the recordings to the model's gravity, sensors and rate; leave out what cannot be, unless that is all.

    The list is emptied, so that no recording is kept once its signal is there.
    """
    from app.har.datasets.store import condensed
    from app.har.recordings.unused_columns import seem_unused
    from app.har.signals.gravity import match_gravity
    from app.har.signals.normalisation import require_plausible_magnitudes
    from app.har.signals.resampling import StretchIndex, joined, to_signal_set

    needed, gap_s = _modalities(classifier.channels), classifier.preparation.gap_s
    rate, window_s = classifier.sampling_rate_hz, classifier.window_length_s
    problems: list[Problem] = []
    left_out: list[Problem] = []
    signal: list[FloatArray] = []
    labels: list[NDArray[np.int16]] = []
    index = StretchIndex(signal.append, labels.append)
    n = len(recordings)
    recordings.reverse()
    while recordings:
        on_event({"stage": Stage.RESAMPLING, "fraction": 1 - len(recordings) / n})
        recording = recordings.pop()
        lacking = set(needed) - {stream.modality for stream in recording.streams}
        recording = _without_slow(recording, needed, rate)
        read = tuple(stream for stream in recording.streams if stream.modality in needed)
        try:
            require_plausible_magnitudes(replace(recording, streams=read), classifier.gravity)
            if any(stream.kind == "accelerometer" for stream in read):
                recording = match_gravity(recording, classifier.gravity, gap_s)
            recording = replace(recording, gravity=classifier.gravity)  # without acceleration it makes no difference
            part = to_signal_set([recording], rate, needed, allow_missing=True, gap_s=gap_s, window_length_s=window_s)
        except UnusableRecording as error:
            left_out.append(Problem(recording.recording_id, ProblemKind.UNUSABLE_RECORDING, str(error), "left out"))
            continue
        index.append(part)
        problems.extend(recording.problems)
        if lacking:
            detail = f"the {in_words(lacking)} is missing; the model was trained on {in_words(needed)}"
            advice = "Upload one zip file with the files of all sensors for a better result"
            if seem_unused(recording, lacking):
                advice = "Columns that seem to belong to it were not used; see that entry"
            action = f"recognised without it. {advice}"
            problems.append(Problem(recording.recording_id, ProblemKind.MISSING_SENSOR, detail, action))
        problems.extend(_holes(recording, part, classifier.n_timesteps))
    if not signal:
        raise UnusableRecording(f"{name}: {left_out[0].detail}")
    return index.finish(joined(signal), joined(labels)), tuple(condensed([*problems, *left_out]))


def _without_slow(recording: Recording, needed: Sequence[str], rate: float) -> Recording:
    """Leave out the sensors that give far too few samples, if there is another."""
    from app.har.signals.clocks import sampling_rate
    from app.har.signals.resampling import too_slow

    slow = {
        stream.modality: reason
        for stream in recording.streams
        if stream.modality in needed and (reason := too_slow(stream.modality, sampling_rate(stream.time_s), rate))
    }
    kept = tuple(stream for stream in recording.streams if stream.modality not in slow)
    if not any(stream.modality in needed for stream in kept):
        return recording
    problems = (
        Problem(recording.recording_id, ProblemKind.SLOW_SENSOR, slow[name], "recognised without it") for name in slow
    )
    return replace(recording, streams=kept, problems=(*recording.problems, *problems))


def _holes(recording: Recording, part: SignalSet, n_timesteps: int) -> Iterator[Problem]:
    """Tell where windows were cut without a sensor that the recording holds."""
    from app.har.signals.clocks import first_s

    window_s = n_timesteps / part.sampling_rate_hz
    long = np.flatnonzero(part.length >= n_timesteps)
    there = ~np.isnan(part.signal[part.first[long]])  # (n_stretches, n_channels): all through, or not at all
    if there.all():
        return
    streams = {stream.modality: stream for stream in recording.streams}
    for pattern in np.unique(there, axis=0):
        heard = _modalities([name for name, own in zip(part.channels, pattern, strict=True) if own])
        missing = [name for name in _modalities(part.channels) if name in streams and name not in heard]
        if not missing:
            continue
        mine = long[(there == pattern).all(axis=1)]
        start_s = part.start_s[mine]
        end_s = start_s + (part.length[mine] - 1) / part.sampling_rate_hz
        inside = (np.searchsorted(streams[name].time_s, (start_s, end_s)) for name in missing)
        some = any((before < after).any() for before, after in inside)
        what = f"no samples{f', or for less than {window_s:g} s at a time,' if some else ''}"
        zero = first_s(recording.streams)
        spans = _spans(start_s - zero, end_s - zero)
        yield Problem(
            recording.recording_id,
            ProblemKind.SENSOR_GAP,
            f"{in_words(missing)}: {what} {spans}",
            f"recognised from the {in_words(heard)} alone there; expect more errors",
        )


def _spans(start_s: TimeArray, end_s: TimeArray) -> str:
    spans = [f"from {start:.1f} to {end:.1f} s" for start, end in zip(start_s, end_s, strict=True)]
    if len(spans) <= LISTED_SPANS:
        return ", ".join(spans)
    length = end_s - start_s
    return f"{len(spans):,} times, {length.sum():.1f} s in all, the longest {spans[int(length.argmax())]}"


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
        Problem(name, ProblemKind.TOO_SHORT, f"no gap-free stretch of {windows.window_length_s:g} s", "left out")
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
    for sensor, novelty, turned in zip(sensors, recognition.novelty.T, recognition.unseen_orientation.T, strict=True):
        there = novelty[np.isfinite(novelty)]
        share = (there > 1).mean() if len(there) else 0.0
        over = turned[np.isfinite(novelty)].mean() if len(there) else 0.0
        if over >= OFTEN_STRANGE:
            detail = (
                f"in {100 * over:.0f} % of the windows, gravity acts on the {in_words([sensor])} in a direction not "
                "seen in training: the device may be upside down, rotated, or worn elsewhere"
            )
            problems.append(
                Problem(name, ProblemKind.UNSEEN_ORIENTATION, detail, "recognised anyway; the result may be wrong")
            )
        if share >= OFTEN_STRANGE:
            detail = (
                f"in {100 * share:.0f} % of the windows, the {in_words([sensor])} is unlike anything in training: the "
                "device may be rotated or worn elsewhere, or the unit or gravity may differ"
            )
            problems.append(
                Problem(name, ProblemKind.UNLIKE_TRAINING, detail, "ignored where another sensor could be used")
            )
    return tuple(problems)
