"""What a model recognises in a file: one pass from the file to a `PredictionResult`. No database."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timezone, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from app.har.classifiers.types import Recognition, WalkingReference
from app.har.errors import HarError, UnusableRecording
from app.har.problems import Problem, ProblemKind
from app.har.progress import OnEvent, Stage, ignore_event
from app.har.signals.types import Recording, SignalSet
from app.har.vocabulary import DEFAULT_LIMIT
from app.har.windows import WindowSet
from app.services import sealing
from app.services.recordings import heart_rates, heights, lanes, transitions
from app.services.recordings.demands import (
    Alternative,
    Alternatives,
    devices_in,
    naming_others,
    require_a_window,
    that_fit,
)
from app.services.recordings.held import Held
from app.services.recordings.places import place_in_words
from app.services.recordings.prediction_result import YEAR_2000, YEAR_2100, PredictionResult
from app.services.recordings.quality import Quality, assess_quality
from app.services.recordings.resample import resample
from app.services.recordings.sensor_names import sensors_of
from app.services.recordings.unanswered import not_worn, too_little
from app.services.recordings.unlike_training import (
    OFTEN,
    fits,
    knows_only_special,
    misfit_problem,
    share_unlike_training,
    unfamiliar_windows,
    unlike_training,
)
from app.services.recordings.wall_clock import time_zone

if TYPE_CHECKING:
    from app.har.classifiers.base import Recogniser
    from app.har.measures.slots import Slots
    from app.har.recordings.mappings.mapping import ColumnMapping
    from app.har.recordings.upload import Upload

MOST_TRIED = 2  # other models where one does not fit, the default one first
BATCH = 1024  # windows cut and recognised at a time: a day's are never in memory together


@dataclass(frozen=True)
class Model:
    """A model that can recognise, and how it is to answer."""

    label: str  # what people call it
    load: Callable[[], Recogniser]  # called when the file was read: a file that can't be is refused sooner
    limit: float = DEFAULT_LIMIT  # how probable an answer must be, see `PredictionResult`
    version_id: int | None = None  # None of one that is not stored
    chosen_because: str = ""  # of the file; "" where a person chose it
    prior: Mapping[str, float] = field(default_factory=dict)  # of activities in use; empty: as the model was trained


ModelsFor: TypeAlias = Callable[[Sequence[Recording]], Sequence[Model]]  # the first that fits is taken, else the last


def always(model: Model) -> ModelsFor:
    """Return what takes this model whatever the recordings are."""
    return lambda _: (model,)


@dataclass(frozen=True)
class KnownWalking:
    """A recording in which a person walks, as a measure for others with the device in the same place."""

    recording_id: int | None  # of `StoredRecording`; None of a file that is not stored
    path: Path
    name: str
    mapping: ColumnMapping | None = None
    stretch: tuple[str, float, float] | None = None  # recording of the file, from, to; None: they walk all the time
    zone: str = "UTC"  # of a clock whose zone the file does not say

    def cut(self, windows: WindowSet) -> WindowSet:
        """Return the windows in which the person walks."""
        if self.stretch is None:
            return windows
        recording, start_s, end_s = self.stretch
        inside = (windows.start_s >= start_s) & (windows.start_s + windows.window_length_s <= end_s)
        return windows.take(inside & (windows.recordings == recording))


@dataclass(frozen=True)
class Recognised:
    """What a model recognised in a file, the signal that it saw, and the quality of the recordings."""

    result: PredictionResult
    signals: SignalSet
    quality: Quality
    model: Model
    lanes: tuple[lanes.Lane, ...] = ()  # what no model reads
    slots: Mapping[str, Slots] = field(
        default_factory=dict
    )  # of each recording with acceleration as intensity needs it


def recognise(
    path: Path,
    name: str,
    models: ModelsFor,
    on_event: OnEvent = ignore_event,
    mapping: ColumnMapping | None = None,
    place: str = "",
    walking: KnownWalking | None = None,
    alternatives: Alternatives = tuple,
    zone: tzinfo = timezone.utc,
) -> Recognised:
    """Read a file and recognise the activities in it; see `recognise_upload`.

    Parameters
    ----------
    path : where the file lies.
    name : what the person calls it, for messages.
    """
    from app.har.recordings.upload import open_upload

    with open_upload(path, name, on_event) as upload:
        return recognise_upload(upload, models, on_event, mapping, place, walking, alternatives, zone)


def recognise_upload(
    upload: Upload,
    models: ModelsFor,
    on_event: OnEvent = ignore_event,
    mapping: ColumnMapping | None = None,
    place: str = "",
    walking: KnownWalking | None = None,
    alternatives: Alternatives = tuple,
    zone: tzinfo = timezone.utc,
) -> Recognised:
    """Recognise the activities in an open upload.

    Parameters
    ----------
    upload : in any layout that is known, or in that of the mapping.
    models : returns those that may recognise these recordings; the first that fits does, or else the last.
    on_event : receives progress events.
    mapping : what the columns are, of files in no known layout.
    place : where the person says that the device was worn, one of `places.PLACES`.
    walking : the person's own walking in this place; default not known.
    alternatives : returns other models, which are named where the last of the models does not fit.
    zone : in which a device was set to local time, where the file does not say it.

    Raises
    ------
    UnreadableData, UnrecognisedData : the file.
    UnusableRecording : all sensors are missing, units are uncertain, gravity is missing, or no sensor ran for a window
        without a gap; the message names the alternatives that fit.
    """
    recordings = read_recordings(upload, mapping, zone)
    held = Held.of(recordings)
    *preferred, last = models(recordings)
    because = [last.chosen_because] if last.chosen_because else []
    for model in preferred:
        try:
            recognised, misfit = _recognised(deque(recordings), upload.name, model, on_event, place, walking)
        except UnusableRecording as error:
            because.append(f"{model.label} could not: {error}")
            continue
        if misfit < OFTEN:
            return recognised
        share = f"{100 * misfit:.0f} % of the windows"
        because.append(f"{model.label} reads them together, but in {share} a sensor is unlike its training data.")
    last = replace(last, chosen_because=" ".join(because))

    def others_that_fit() -> list[str]:
        return that_fit(alternatives(), read_recordings(upload, mapping), upload.name)

    try:
        recognised, unlike = _recognised(recordings, upload.name, last, on_event, place, walking, others_that_fit)
    except UnusableRecording as error:
        error.held = held.as_dict()
        raise
    result = recognised.result
    if not fits(result.unfamiliar):
        other = _first_that_fits(alternatives(), upload, mapping, place)
        special = knows_only_special(result.activities)
        misfit_found = misfit_problem(result.unfamiliar, unlike, result.recording_ids, last.label, other, special)
        recognised = replace(recognised, result=replace(result, problems=(misfit_found, *result.problems)))
    if len(devices_in(recognised.signals.channels)) == 1:
        return recognised
    problems = naming_others(recognised.result.problems, alternatives())
    return replace(recognised, result=replace(recognised.result, problems=problems))


def _first_that_fits(others: Sequence[Alternative], upload: Upload, mapping: ColumnMapping | None, place: str) -> str:
    """Let other models recognise an upload; return the label of the first that knows nearly all of it, "" for none."""
    for other in others[:MOST_TRIED]:
        model = Model(other.label, other.load)
        try:
            recognised, _ = _recognised(read_recordings(upload, mapping), upload.name, model, ignore_event, place, None)
        except HarError:
            continue
        if recognised.result.unfamiliar.mean() < OFTEN:
            return other.label
    return ""


def _recognised(
    recordings: deque[Recording],
    name: str,
    model: Model,
    on_event: OnEvent,
    place: str,
    walking: KnownWalking | None,
    others_that_fit: Callable[[], Sequence[str]] = tuple,
) -> tuple[Recognised, float]:
    """Let a model recognise recordings, which are dropped on the way; return also how often a sensor is unlike it.

    Where it can't, the message names those that fit.
    """
    from app.har.measures.slots import slots_of
    from app.har.signals.filters import prepare

    classifier = model.load()
    gap_s = classifier.preparation.gap_s
    for _ in range(len(recordings)):  # in place: the caller's would keep the samples of a day until the end
        recordings.append(with_gaps_of_model(recordings.popleft(), gap_s))
    quality = assess_quality(recordings, gap_s)
    origin_utc_s = {recording.recording_id: recording.origin_utc_s for recording in recordings}
    beside = tuple(lanes.beside(recordings, classifier.channels))
    slots = {each.recording_id: found for each in recordings if (found := slots_of(each)) is not None}
    measured, pulse = heights.measure(recordings), heart_rates.measure(recordings)
    try:
        signals, problems = resample(_each_once(recordings, on_event), classifier, name)
        signals = prepare(signals, classifier.preparation)
        require_a_window(signals, classifier, name)
    except UnusableRecording as error:
        if reasons := quality.blocking_reasons:
            raise UnusableRecording(f"{error} No model could use it: {'; '.join(reasons)}.") from error
        if labels := others_that_fit():
            raise UnusableRecording(f"{error} Choose {' or '.join(labels)}, which can read it.") from error
        raise
    reference, not_used = measure_walking(walking, classifier) if walking else (None, ())
    windows, recognition = _recognise_windows(signals, classifier, on_event, place, reference)
    prior = dict(model.prior)
    if prior:
        from app.har.classifiers.everyday.prior import of_recordings

        probabilities, used = of_recordings(prior, recognition.probabilities, windows)
        recognition, prior = replace(recognition, probabilities=probabilities), prior if used else {}
    result = replace(
        _assemble(windows, recognition, signals, classifier, model.label),
        limit=model.limit,
        chosen_because=model.chosen_because,
        prior=prior,
        place=place,
        walking_recording=walking.recording_id if walking and reference else None,
    )
    result = replace(
        result,
        problems=(*problems, *not_used, *result.problems),
        origin_utc_s=tuple(origin_utc_s[recording_id] for recording_id in result.recording_ids),
        shortest_bout_s=classifier.shortest_bout_s,
        unworn=not_worn(quality, result.recording_ids),
        too_little=too_little(signals, classifier.window_length_s, result.recording_ids)
        if result.layout == "timeline"
        else (),
    )
    result = heart_rates.with_heart_rates(heights.with_heights(result, measured), pulse)
    result = transitions.with_transitions(result, signals, classifier.finder)
    return Recognised(result, signals, quality, model, beside, slots), share_unlike_training(recognition)


def measure_walking(
    walking: KnownWalking, classifier: Recogniser
) -> tuple[WalkingReference | None, tuple[Problem, ...]]:
    """Let a model measure a person's own walking; where it can't, say why."""
    from app.har.recordings.upload import open_upload
    from app.har.signals.filters import prepare
    from app.har.windows import iter_window_batches

    gap_s = classifier.preparation.gap_s
    try:
        with open_upload(walking.path, walking.name, opener=sealing.opened) as upload:
            recordings = read_recordings(upload, walking.mapping, time_zone(walking.zone))
            recordings = deque(with_gaps_of_model(recording, gap_s) for recording in recordings)
        origin_utc_s = {recording.recording_id: recording.origin_utc_s for recording in recordings}
        signals, _ = resample(recordings, classifier, walking.name)
        batches = iter_window_batches(prepare(signals, classifier.preparation), classifier.window_length_s, BATCH)
        reference = classifier.walking_reference(walking.cut(windows) for windows, _ in batches)
        return reference and _by_world_clock(reference, origin_utc_s.get(reference.recording)), ()
    except HarError as error:
        problem = Problem(walking.name, ProblemKind.WALKING_NOT_USED, str(error), "recognised without it")
        return None, (problem,)


def _by_world_clock(reference: WalkingReference, origin_utc_s: float | None) -> WalkingReference:
    """Write when a person walked as Unix time, None where the recording does not tell it."""
    moment = (origin_utc_s or 0.0) + (reference.start_s or 0.0)
    return replace(reference, start_s=moment if YEAR_2000 <= moment < YEAR_2100 else None)


def examine(path: Path, name: str, mapping: ColumnMapping | None = None) -> Quality:
    """Read a file, correct the units that are certain, and examine the recordings; no model is needed.

    Parameters
    ----------
    mapping : what the columns are, of a file in no known layout.

    Raises
    ------
    UnreadableData, UnrecognisedData, InvalidDescription : the file, or the mapping.
    """
    from app.har.recordings.upload import open_upload
    from app.har.signals.clocks import GAP_S

    with open_upload(path, name) as upload:
        return assess_quality(read_recordings(upload, mapping), GAP_S)


def read_recordings(
    upload: Upload, mapping: ColumnMapping | None = None, zone: tzinfo = timezone.utc
) -> deque[Recording]:
    """Read the recordings of an upload in the units of the core, each with a name of its own, its clock in UTC.

    Parameters
    ----------
    zone : in which a device was set to local time, where the file does not say it; see `local_time`.
    """
    from app.har.signals.local_time import in_zone
    from app.har.signals.normalisation import normalise_upload

    times_seen: Counter[str] = Counter()
    recordings: list[Recording] = []
    for recording in upload.read(mapping):
        recording_id = recording.recording_id
        times_seen[recording_id] += 1
        if times_seen[recording_id] > 1:  # two files of a zip may each have a "row 1"
            recording = replace(recording, recording_id=f"{recording_id} ({times_seen[recording_id]})")
        recordings.append(in_zone(recording, zone))
    return deque(normalise_upload(recordings))


def with_gaps_of_model(recording: Recording, gap_s: float) -> Recording:
    """List the gaps that a model cuts at, where it bridges longer or shorter ones than importers assume."""
    from app.har.signals.clocks import GAP_S, gap_problems

    if gap_s == GAP_S:
        return recording
    others = (problem for problem in recording.problems if problem.kind != ProblemKind.CLOCK_GAP)
    gaps = gap_problems(recording.streams, recording.recording_id, gap_s)
    return replace(recording, problems=(*others, *gaps))


def _each_once(recordings: deque[Recording], on_event: OnEvent) -> Iterator[Recording]:
    """Yield recordings and drop them, so that none is kept once its signal is there."""
    n = len(recordings)
    while recordings:
        on_event({"stage": Stage.RESAMPLING, "fraction": 1 - len(recordings) / n})
        yield recordings.popleft()


def _recognise_windows(
    signals: SignalSet, classifier: Recogniser, on_event: OnEvent, place: str, walking: WalkingReference | None
) -> tuple[WindowSet, Recognition]:
    """Hand a model some thousand windows at a time; return all of them without their samples, and its answer."""
    from app.har.windows import iter_window_batches

    on_event({"stage": Stage.RECOGNISING, "fraction": 0.0})
    seen: list[WindowSet] = []

    def batches() -> Iterator[WindowSet]:
        for windows, fraction in iter_window_batches(signals, classifier.window_length_s, BATCH):
            yield windows
            seen.append(replace(windows, X=windows.X[:, :, :0].copy()))
            on_event({"stage": Stage.RECOGNISING, "fraction": fraction})

    recognition = classifier.recognise_all(batches(), place, walking)
    return WindowSet.joined(seen), recognition


def _places_in_doubt(recognition: Recognition) -> Iterator[Problem]:
    """List the recordings in which a person walks as if the device had been worn elsewhere than they said."""
    doubted = {(wearing.recording, wearing.place, wearing.walks_like) for wearing in recognition.wearings}
    for recording, said, found in sorted(doubted):
        if found:
            detail = (
                f"you said that the device was worn {place_in_words(said)}, but the walking looks like that of a "
                f"device {place_in_words(found, known=False)}"
            )
            action = "recognised as you said. If the place is wrong, choose another and recognise it again"
            yield Problem(recording, ProblemKind.PLACE_IN_DOUBT, detail, action)


def _assemble(
    windows: WindowSet,
    recognition: Recognition,
    signals: SignalSet,
    classifier: Recogniser,
    model_label: str,
) -> PredictionResult:
    """Put together what is kept of a recognition; recordings without a window are listed as too short."""
    with_windows = set(windows.recordings.tolist())
    recording_ids = tuple(name for name in signals.recording_ids if name in with_windows)
    position = {name: i for i, name in enumerate(recording_ids)}
    too_short = (
        Problem(name, ProblemKind.TOO_SHORT, f"no gap-free stretch of {windows.window_length_s:g} s", "left out")
        for name in signals.recording_ids
        if name not in with_windows
    )
    sensors = sensors_of(classifier.channels)
    judges = classifier.judges_sensors, knows_only_special(classifier.activities)
    spelling = {name.casefold(): name for name in classifier.activities}  # one file's "walk" is another's "Walk"
    return PredictionResult(
        model_label=model_label,
        activities=classifier.activities,
        proba=recognition.probabilities,
        start_s=windows.start_s,
        end_s=windows.start_s + windows.window_length_s,
        recording_index=np.array([position[name] for name in windows.recordings.tolist()], dtype=np.int64),
        recording_ids=recording_ids,
        labels=windows.y,
        label_activities=tuple(spelling.get(name.casefold(), name) for name in windows.activities),
        sensors=sensors,
        sensor_attention=recognition.sensor_attention,
        unfamiliar=unfamiliar_windows(recognition, sensors, *judges),
        features=recognition.features,
        problems=(
            *too_short,
            *_places_in_doubt(recognition),
            *unlike_training(recognition, recording_ids, sensors, *judges),
        ),
        wearings=recognition.wearings,
    )
