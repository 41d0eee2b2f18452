"""Why a model answered so in a stretch of a recording, where it was tested that its explanations are true."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from app.har.types import FloatArray, IntArray
from app.services import keys
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
    """Some windows of a stretch, with the model that recognised them."""

    version: ModelVersion
    explainer: Explainer
    windows: WindowSet  # a few, evenly over the stretch
    positions: IntArray  # of all windows in the stretch, in the result


def why(
    prediction: Prediction, seen: View, recording_index: int, clock: WallClock, from_s: float, to_s: float
) -> dict[str, Any]:
    """Explain the answer to the windows between two moments.

    Returns
    -------
    dict : what `Explainer.explain` says, with the signal that it is about, and the moment; or ``refused``, a sentence
        that says why nothing is explained.
    """
    if reason := refusal(prediction):
        return {"refused": reason}
    if explained.is_everyday(prediction.model_version):
        return _why_everyday(prediction, seen, recording_index, clock, from_s, to_s)
    asked = _asked(prediction, recording_index, from_s, to_s)
    if asked is None:
        return {"refused": ELSEWHERE}
    said = asked.explainer.explain(asked.windows)
    measured = explained.of(asked.version, said["answer"])
    if measured.why_not:
        return {"refused": measured.why_not}
    start_s = float(asked.windows.start_s[said["shown"]])
    return {
        **said,
        "model": asked.version.label,
        "in_all": len(asked.positions),
        "when": clock.write_span(start_s, start_s + asked.windows.window_length_s),
        "stretch": clock.write_span(from_s, to_s),
        "length_s": asked.windows.window_length_s,
        "signal": _drawn(asked.windows, said["shown"]),
        "tested": measured.tested,
        "page_says": _page_says(seen.result, asked.positions, said["answer"]),
    }


def refusal(prediction: Prediction) -> str:
    """Say why no answer of a result is explained, "" where some are."""
    version = prediction.model_version
    if version is None:
        return NO_MODEL
    if not explained.can_be(version):
        return OTHER_KIND
    why_not = explained.of(version).why_not
    return f"{why_not} {BY_ANOTHER}" if why_not and explained.is_everyday(version) else why_not


def _why_everyday(
    prediction: Prediction, seen: View, recording_index: int, clock: WallClock, from_s: float, to_s: float
) -> dict[str, Any]:
    """Explain an answer of the everyday model by its questions, see `har.explanations.everyday`."""
    version, result = prediction.model_version, recordings.result_of(prediction)
    if version is None:
        return {"refused": NO_MODEL}
    positions, chosen = _chosen(result, recording_index, from_s, to_s)
    found = None
    for samples in (_kept, _read_again):

        def cut(model: Any, result: PredictionResult, at: IntArray, samples: Any = samples) -> WindowSet | None:
            X = samples(prediction, model, result, at)
            return None if X is None else _windows(model, X, result, at)

        too_many = (
            samples is _read_again and np.count_nonzero(result.recording_index == recording_index) > AGAIN_AT_MOST
        )
        if not too_many and (found := explaining_everyday.explain(prediction, version, recording_index, chosen, cut)):
            break
    if not found:
        return {"refused": ELSEWHERE}
    said, windows = found
    measured = explained.of(version, said["answer"])
    if measured.why_not:
        return {"refused": f"{measured.why_not} {BY_ANOTHER}"}
    middle = len(windows) // 2
    start_s = float(windows.start_s[middle])
    return {
        **said,
        "model": version.label,
        "in_all": len(positions),
        "when": clock.write_span(start_s, start_s + windows.window_length_s),
        "stretch": clock.write_span(from_s, to_s),
        "length_s": windows.window_length_s,
        "signal": _drawn(windows, middle),
        "tested": measured.tested,
        "page_says": _page_says(seen.result, positions, said["answer"]),
    }


def alike(prediction: Prediction, recording_index: int, from_s: float, to_s: float) -> dict[str, Any]:
    """Return the windows of other people, of those the model learnt from, that are most like one of a stretch.

    They are read from the data set, where it is still on this server; a model keeps none. Whose they are is not said.
    """
    if refusal(prediction) or explained.is_everyday(prediction.model_version):
        return {"windows": [], "missing": ""}
    if (asked := _asked(prediction, recording_index, from_s, to_s)) is None:
        return {"windows": [], "missing": ""}
    model, version = asked.explainer.model, asked.version
    examples = _examples_of(version, model)
    if examples is None:
        return {"windows": [], "missing": "The data set that the model learnt from is not on this server."}
    middle = asked.windows.take(slice(len(asked.windows) // 2, len(asked.windows) // 2 + 1))
    found = examples.nearest(model, middle)
    activities = examples.windows.activities
    return {
        "missing": "",
        "length_s": asked.windows.window_length_s,
        "own": _drawn(middle, 0),
        "windows": [
            {"activity": activities[int(examples.windows.y[i])], "signal": _drawn(examples.windows, i)}
            for i in found.tolist()
        ],
    }


def _examples_of(version: ModelVersion, model: ActivityClassifier) -> Any:
    from app.services.datasets import library
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


@lru_cache(maxsize=2)
def _explainer(model: ActivityClassifier) -> Explainer:
    from app.har.explanations.explain import Explainer

    return Explainer(model)


def _asked(prediction: Prediction, recording_index: int, from_s: float, to_s: float) -> Asked | None:
    """Return windows of a stretch; None where their signal is no longer what was recognised.

    Raises
    ------
    NotFound : there is no window in the stretch.
    """
    version = prediction.model_version
    if version is None:
        raise NotFound(NO_MODEL)
    result = recordings.result_of(prediction)
    positions, chosen = _chosen(result, recording_index, from_s, to_s)
    loaded: Any = model_files.load(model_versions.directory(version), version.label)
    model: ActivityClassifier = loaded
    for samples in (_kept, _read_again):
        X = samples(prediction, model, result, chosen)
        if X is None:
            continue
        windows = _windows(model, X, result, chosen)
        if np.abs(model.predict_proba(windows) - result.proba[chosen]).max() <= SAME:
            return Asked(version, _explainer(model), windows, positions)
    return None


def _chosen(result: PredictionResult, recording_index: int, from_s: float, to_s: float) -> tuple[IntArray, IntArray]:
    """Return the positions of all windows of a stretch, and of a few of them, evenly over it.

    Raises
    ------
    NotFound : there is no window in the stretch.
    """
    from app.har.explanations.explain import MOST_WINDOWS

    inside = (result.start_s >= from_s - MOMENT_S) & (result.end_s <= to_s + MOMENT_S)
    positions = np.flatnonzero(inside & (result.recording_index == recording_index))
    if not len(positions):
        raise NotFound("There is no whole window between these moments.")
    spread = np.linspace(0, len(positions), 2 * MOST_WINDOWS + 1)[1::2].astype(np.int64)
    return positions, positions[spread] if len(positions) > MOST_WINDOWS else positions


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


def _page_says(result: PredictionResult, positions: IntArray, answer: str) -> str:
    """Return what the page shows there, where that is not what the model answers to the windows by themselves."""
    shown = np.bincount(result.answers[positions][result.answers[positions] >= 0], minlength=1)
    name = result.answer_names[int(shown.argmax())] if shown.any() else ""
    return "" if name == answer else name
