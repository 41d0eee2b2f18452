"""Why the everyday model answered so in a stretch of a recording: it is asked again about the whole of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from app.har.types import FloatArray, IntArray
from app.services import leftovers
from app.services.models import model_files, model_versions
from app.services.recordings import reading, recordings
from app.services.recordings.prediction_result import PredictionResult
from app.tables import ModelVersion, Prediction

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from app.har.classifiers.everyday.classifier import EverydayClassifier
    from app.har.explanations.everyday import Answered
    from app.har.windows import WindowSet

    Cut = Callable[[EverydayClassifier, PredictionResult, IntArray], WindowSet | None]

BATCH = 1024
SAME = 0.02  # of a probability: an explanation is of the very answer that is stored


class Again(NamedTuple):
    """A recording as the model answered it again, and where its windows are in the stored result."""

    answered: Answered
    positions: IntArray


def explain(
    prediction: Prediction, version: ModelVersion, recording_index: int, bouts: Sequence[IntArray], cut: Cut
) -> list[tuple[dict[str, Any], WindowSet]] | None:
    """Explain the answers to windows of bouts of a stored result; None where their signal is not what was recognised.

    Parameters
    ----------
    bouts : of each, the positions of some windows in the result.
    cut : returns windows of the recording at some positions, as the model takes them.

    Returns
    -------
    Of each bout, what `Answered.explain` says, and the windows.
    """
    result = recordings.result_of(prediction)
    loaded: Any = model_files.load(model_versions.directory(version), version.label)
    model: EverydayClassifier = loaded
    if (again := _again(prediction, model, result, recording_index, cut)) is None:
        return None
    together = np.concatenate(bouts)
    here = np.searchsorted(again.positions, together)
    if _apart(result, together, again.answered.proba[here]) > SAME:
        return None
    around = cut(model, result, again.positions[again.answered.around(here)])
    shown = cut(model, result, together)
    if around is None or shown is None:
        return None
    ends = np.cumsum([len(chosen) for chosen in bouts])
    said = again.answered.explain_each(np.split(here, ends[:-1]), around, result.limit)
    return [
        (one, shown.take(slice(end - len(chosen), end)))
        for one, chosen, end in zip(said, bouts, ends.tolist(), strict=True)
    ]


def _apart(result: PredictionResult, chosen: IntArray, proba: FloatArray) -> float:
    """Return how far answers are from the stored ones, as the result expects activities or as the model does."""
    from app.har.classifiers.everyday.prior import as_in

    ways = [proba, as_in(result.prior, proba)] if result.prior else [proba]
    return min(float(np.abs(way - result.proba[chosen]).max()) for way in ways)


_kept: dict[tuple[str, int, float], Again] = {}


def _again(
    prediction: Prediction,
    model: EverydayClassifier,
    result: PredictionResult,
    recording_index: int,
    cut: Cut,
) -> Again | None:
    """Return a recording answered again; of the last one asked about, from memory: it holds no signal."""
    path = recordings.result_file(prediction)
    key = str(path), recording_index, path.stat().st_mtime
    again = _kept.get(key)
    if again is None and (again := _answered(prediction, model, result, recording_index, cut)) is not None:
        _kept.clear()
        _kept[key] = again
    return again


def _forget(folder: Path) -> None:
    """Forget the answers to a recording that is deleted."""
    for key in [key for key in _kept if Path(key[0]).parent == folder]:
        _kept.pop(key, None)


leftovers.REMEMBERED.append(_forget)


def _answered(
    prediction: Prediction, model: EverydayClassifier, result: PredictionResult, recording_index: int, cut: Cut
) -> Again | None:
    from app.har.explanations.everyday import Answered

    positions = np.flatnonzero(result.recording_index == recording_index)
    parts = [positions[i : i + BATCH] for i in range(0, len(positions), BATCH)]
    lost = []

    def batches() -> Iterator[WindowSet]:
        for part in parts:
            windows = cut(model, result, part)
            if windows is None:
                lost.append(part)
                return
            yield windows

    walking = None
    if result.walking_recording is not None and prediction.model_version is not None:
        user_id = prediction.recording.user_id
        known = recordings.walking_of(user_id, result.place, prediction.recording)
        if known is None or known.recording_id != result.walking_recording:
            return None
        walking = reading.measure_walking(user_id, known, prediction.model_version)
    answered = Answered.of(model, batches(), result.place, walking)
    return None if lost else Again(answered, positions)
