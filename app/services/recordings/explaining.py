"""Why a model answered so in a stretch of a recording, where it was tested that its explanations are true."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from app.har.types import FloatArray, IntArray
from app.services import keys
from app.services.datasets import library
from app.services.errors import NotFound
from app.services.models import explained, model_files, model_versions
from app.services.personal.view import View
from app.services.recordings import explaining_everyday, reading, recordings
from app.services.recordings.prediction_result import PredictionResult
from app.services.recordings.stored_signal import StoredSignal
from app.services.recordings.timeline import sensor_title
from app.services.recordings.wall_clock import WallClock
from app.tables import ModelVersion, Prediction

if TYPE_CHECKING:
    from app.har.classifiers.elm_gru_am.classifier import ActivityClassifier
    from app.har.explanations.explain import Explainer
    from app.har.windows import WindowSet

SAME = 0.02  # of a probability: an explanation is of the very answer that is stored
MOST_PEOPLE = 12  # whose windows are looked through for those most alike
POINTS = 150  # of an axis that is drawn
MOMENT_S = 1e-3
NO_MODEL = "The model of this result was deleted, so its answers can no longer be explained."
OTHER_KIND = (
    "Answers of this model are not explained. Recognise the recording by another model below, and its answers can be."
)
BY_ANOTHER = "Recognise the recording by another model below, and its answers can be explained."
AGAIN_AT_MOST = 2400  # windows that are read from the file again, two hours: they come through a pipe
ELSEWHERE = (
    "The signal that is kept of this recording is not what this model answered to, so its answers cannot be explained. "
    "Recognise the recording again."
)


class Asked(NamedTuple):
    """A few windows of each of some stretches, with the model that recognised them."""

    version: ModelVersion
    explainer: Explainer
    stretches: list[WindowSet]  # of each a few windows, evenly over it


class Said(NamedTuple):
    """Why the answer to a stretch is what it is."""

    words: dict[str, Any]  # what `Explainer.explain` or `Answered.explain` says
    windows: WindowSet  # that were looked at
    shown: int  # which of them is drawn
    positions: IntArray  # of all windows of the stretch, in the result


def why(
    prediction: Prediction, seen: View, recording_index: int, clock: WallClock, from_s: float, to_s: float
) -> dict[str, Any]:
    """Explain the answer to the windows between two moments.

    Returns
    -------
    dict : what `Explainer.explain` or `Answered.explain` says, with the signal that it is about, and the moment; or
        ``refused``, a sentence that says why nothing is explained.
    """
    version = prediction.model_version
    if version is None or (reason := refusal(prediction)):
        return {"refused": NO_MODEL if version is None else reason}
    said = explain(prediction, version, recording_index, [(from_s, to_s)], SOURCES)
    if said is None:
        return {"refused": ELSEWHERE}
    ((words, windows, shown, positions),) = said
    measured = explained.of(version, words["answer"])
    if measured.why_not:
        return {"refused": _or_another(version, measured.why_not)}
    start_s = float(windows.start_s[shown])
    return {
        **words,
        "model": version.label,
        "in_all": len(positions),
        "when": clock.write_span(start_s, start_s + windows.window_length_s),
        "stretch": clock.write_span(from_s, to_s),
        "length_s": windows.window_length_s,
        "signal": _drawn(windows, shown),
        "tested": measured.tested,
        "page_says": page_says(seen.result, positions, words["answer"]),
    }


def refusal(prediction: Prediction) -> str:
    """Say why no answer of a result is explained, "" where some are."""
    version = prediction.model_version
    if version is None:
        return NO_MODEL
    if not explained.can_be(version):
        return OTHER_KIND
    return _or_another(version, explained.of(version).why_not)


def _or_another(version: ModelVersion, why_not: str) -> str:
    """Add to a refusal of the everyday model, which may be the only one that knows these activities, what helps."""
    return f"{why_not} {BY_ANOTHER}" if why_not and explained.is_everyday(version) else why_not


def explain(
    prediction: Prediction,
    version: ModelVersion,
    recording_index: int,
    stretches: Sequence[tuple[float, float]],
    sources: Sequence[Source],
) -> list[Said] | None:
    """Explain the answers to stretches, at once; None where no source of their signal gives what was recognised.

    Raises
    ------
    NotFound : there is no window in a stretch.
    """
    if not stretches:
        return []
    result = recordings.result_of(prediction)
    positions = [within(result, recording_index, *stretch) for stretch in stretches]
    bouts = [_some(own) for own in positions]
    if explained.is_everyday(version):
        found = _by_questions(prediction, version, recording_index, bouts, sources)
    else:
        found = _by_cells(prediction, version, result, bouts, sources)
    return None if found is None else [Said(*one, own) for one, own in zip(found, positions, strict=True)]


def _by_cells(
    prediction: Prediction,
    version: ModelVersion,
    result: PredictionResult,
    bouts: list[IntArray],
    sources: Sequence[Source],
) -> list[tuple[dict[str, Any], WindowSet, int]] | None:
    asked = _asked(prediction, version, result, bouts, sources)
    if asked is None:
        return None
    said = asked.explainer.explain_each(asked.stretches)
    return [(words, windows, words["shown"]) for words, windows in zip(said, asked.stretches, strict=True)]


def _by_questions(
    prediction: Prediction,
    version: ModelVersion,
    recording_index: int,
    bouts: list[IntArray],
    sources: Sequence[Source],
) -> list[tuple[dict[str, Any], WindowSet, int]] | None:
    """Explain answers of the everyday model, which is asked about the whole recording again."""
    for source in sources:

        def cut(model: Any, result: PredictionResult, at: IntArray, source: Source = source) -> WindowSet | None:
            if source is _read_again and np.count_nonzero(result.recording_index == recording_index) > AGAIN_AT_MOST:
                return None
            X = source(prediction, model, result, at)
            return None if X is None else _windows(model, X, result, at)

        if found := explaining_everyday.explain(prediction, version, recording_index, bouts, cut):
            return [(words, windows, len(windows) // 2) for words, windows in found]
    return None


def alike(prediction: Prediction, recording_index: int, from_s: float, to_s: float) -> dict[str, Any]:
    """Return the windows of other people, of those the model learnt from, that are most like one of a stretch.

    They are read from the data set, where it is still on this server; a model keeps none. Whose they are is not said.
    """
    version = prediction.model_version
    if version is None or refusal(prediction) or explained.is_everyday(version):
        return {"windows": [], "missing": ""}
    result = recordings.result_of(prediction)
    bout = _some(within(result, recording_index, from_s, to_s))
    if (asked := _asked(prediction, version, result, [bout], SOURCES)) is None:
        return {"windows": [], "missing": ""}
    model, (windows,) = asked.explainer.model, asked.stretches
    examples = _examples_of(version, model)
    if examples is None:
        return {"windows": [], "missing": "The data set that the model learnt from is not on this server."}
    middle = windows.take(slice(len(windows) // 2, len(windows) // 2 + 1))
    found = examples.nearest(model, middle)
    activities = examples.windows.activities
    return {
        "missing": "",
        "length_s": windows.window_length_s,
        "own": _drawn(middle, 0),
        "windows": [
            {"activity": activities[int(examples.windows.y[i])], "signal": _drawn(examples.windows, i)}
            for i in found.tolist()
        ],
    }


def _examples_of(version: ModelVersion, model: ActivityClassifier) -> Any:
    from app.services.personal.consents import shared_datasets

    known = model_versions.provenance(version)
    data = known.get("data", {})
    people = tuple(known.get("split", {}).get("subjects", {}).get("train", ()))
    wanted = "" if data.get("device") else data.get("fingerprint", "")
    shared = shared_datasets()  # made of what people of this site recorded: only for the training that they agreed to
    for dataset in library.list_datasets():
        if wanted and dataset.fingerprint == wanted and dataset.name not in shared:
            return _examples(model_versions.directory(version), version.label, library.store_folder(dataset), people)
    return None


@lru_cache(maxsize=2)
def _examples(folder: Path, label: str, store: Path, people: tuple[str, ...]) -> Any:
    from app.har.datasets.store import open_store
    from app.har.explanations.neighbours import Examples
    from app.har.training.left_out import without_people

    model: Any = model_files.load(folder, label)
    signals = open_store(store).signals
    known = sorted(set(people) & set(signals.subjects))
    some = np.random.default_rng(0).permutation(known)[:MOST_PEOPLE].tolist()
    return Examples.of(model, without_people(signals, sorted(set(signals.subjects) - set(some))))


library.KEPT_OPEN.append(_examples.cache_clear)


@lru_cache(maxsize=2)
def _explainer(model: ActivityClassifier) -> Explainer:
    from app.har.explanations.explain import Explainer

    return Explainer(model)


def _asked(
    prediction: Prediction,
    version: ModelVersion,
    result: PredictionResult,
    bouts: list[IntArray],
    sources: Sequence[Source],
) -> Asked | None:
    """Return windows at some positions of each bout; None where their signal is no longer what was recognised."""
    loaded: Any = model_files.load(model_versions.directory(version), version.label)
    model: ActivityClassifier = loaded
    together = np.concatenate(bouts)
    for source in sources:
        X = source(prediction, model, result, together)
        if X is None:
            continue
        windows = _windows(model, X, result, together)
        if np.abs(model.predict_proba(windows) - result.proba[together]).max() <= SAME:
            ends = np.cumsum([len(own) for own in bouts]).tolist()
            parts = [windows.take(slice(end - len(own), end)) for own, end in zip(bouts, ends, strict=True)]
            return Asked(version, _explainer(model), parts)
    return None


def within(result: PredictionResult, recording_index: int, from_s: float, to_s: float) -> IntArray:
    """Return the positions of all windows of a stretch.

    Raises
    ------
    NotFound : there is none.
    """
    inside = (result.start_s >= from_s - MOMENT_S) & (result.end_s <= to_s + MOMENT_S)
    positions = np.flatnonzero(inside & (result.recording_index == recording_index))
    if not len(positions):
        raise NotFound("There is no whole window between these moments.")
    return positions


def _some(positions: IntArray) -> IntArray:
    """Return a few of them, evenly."""
    from app.har.explanations.explain import MOST_WINDOWS

    spread = np.linspace(0, len(positions), 2 * MOST_WINDOWS + 1)[1::2].astype(np.int64)
    return positions[spread] if len(positions) > MOST_WINDOWS else positions


def _kept(
    prediction: Prediction, model: ActivityClassifier, result: PredictionResult, chosen: IntArray
) -> FloatArray | None:
    """Read windows from the signal that is stored of a recording, where that is as this model takes it."""
    folder = recordings.folder_of(prediction.recording)
    if not (folder / "signal.npy").exists():
        return None
    signal = StoredSignal(folder, result.recording_ids[int(result.recording_index[chosen[0]])])
    if signal.channels != model.channels or signal.sampling_rate_hz != model.sampling_rate_hz:
        return None
    spans = [(float(result.start_s[i]), float(result.end_s[i])) for i in chosen.tolist()]
    samples, pieces = signal.pieces(signal.channels, spans)
    first = np.cumsum([0, *(length for _, _, length in pieces)])
    X: FloatArray = np.full((len(chosen), model.n_timesteps, len(model.channels)), np.nan, np.float32)
    for (span, start_s, length), begin in zip(pieces, first, strict=False):
        skipped = round((spans[span][0] - start_s) * model.sampling_rate_hz)
        if skipped >= 0 and length - skipped >= model.n_timesteps:
            X[span] = samples[begin + skipped : begin + skipped + model.n_timesteps]
    return None if np.isnan(X).all(axis=(1, 2)).any() else X


def _read_again(
    prediction: Prediction, model: ActivityClassifier, result: PredictionResult, chosen: IntArray
) -> FloatArray | None:
    """Let a reader read the file again, as this model takes it: the stored signal is as the first one did."""
    recording, version = prediction.recording, prediction.model_version
    if version is None:
        return None
    file = reading.File(recordings.uploaded_file(recording), recording.filename, keys.of(recording.user_id))
    name = result.recording_ids[int(result.recording_index[chosen[0]])]
    starts = result.start_s[chosen].tolist()
    found = reading.windows_again(recording.user_id, file, recordings.mapping_of(recording), version, name, starts)
    return None if found is None else np.array(found, np.float32)


Source = Callable[[Prediction, Any, PredictionResult, IntArray], FloatArray | None]
SOURCES: tuple[Source, ...] = (
    _kept,
    _read_again,
)  # of a signal: the next where the one before is not what was answered


def _windows(model: ActivityClassifier, X: FloatArray, result: PredictionResult, chosen: IntArray) -> WindowSet:
    from app.har.explanations.bare import bare_windows

    return replace(bare_windows(model, X), start_s=result.start_s[chosen])


def _drawn(windows: WindowSet, number: int) -> list[dict[str, Any]]:
    """Return the axes of each sensor of a window, thinned to what can be seen; a sensor that is missing is left out."""
    from app.har.classifiers.elm_gru_am.features import channels_by_sensor

    X = windows.X[number]
    step = max(1, len(X) // POINTS)
    drawn = []
    for sensor, columns in channels_by_sensor(windows.channels).items():
        if np.isnan(X[:, columns]).any():
            continue
        axes = X[::step, columns].T.round(3)
        title = sensor_title(windows.channels[columns[0]])
        drawn.append({"sensor": sensor, "title": title, "axes": axes.tolist()})
    return drawn


def page_says(result: PredictionResult, positions: IntArray, answer: str) -> str:
    """Return what the page shows there, where that is not what the model answers to the windows by themselves."""
    shown = np.bincount(result.answers[positions][result.answers[positions] >= 0], minlength=1)
    name = result.answer_names[int(shown.argmax())] if shown.any() else ""
    return "" if name == answer else name
