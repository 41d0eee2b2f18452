"""A result as its owner sees it: with what the model learnt from them, smoothed or not, and what they said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.services.personal import corrections, heads
from app.services.personal.heads import Learnt
from app.services.personal.said import overlaid
from app.services.recordings import recordings
from app.services.recordings.prediction_result import PredictionResult
from app.services.recordings.smoothing import as_chosen
from app.tables import Correction, Prediction


@dataclass(frozen=True)
class View:
    """A result as its owner sees it, and what makes it so."""

    result: PredictionResult
    before: PredictionResult | None  # as the model answers anybody; None where that is what is shown
    said: Sequence[Correction]
    learnt: Mapping[str, Learnt]


def view_of(prediction: Prediction, smooth: bool | None = None, personal: bool = True) -> View:
    """Return what was recognised, as its owner sees it.

    Parameters
    ----------
    smooth : see `as_chosen`.
    personal : with what the owner says, and the model learnt from that; False: as the model answers anybody.
    """
    stored, said = recordings.result_of(prediction), corrections.of_recording(prediction.recording)
    before, learnt = as_chosen(stored, smooth), learnt_by(prediction)
    after = as_owner_sees(stored, said, learnt, smooth) if personal else before
    changed = after.said or after.personal_windows
    return View(after, before if changed else None, said, learnt)


def as_owner_sees(
    result: PredictionResult,
    said: Sequence[Correction],
    learnt: Mapping[str, Learnt],
    smooth: bool | None = None,
) -> PredictionResult:
    """Return a stored result as its owner sees it; windows without a common clock cannot be corrected."""
    if result.layout == "windows":
        return as_chosen(result, smooth)
    answered = as_chosen(heads.personalised(result, learnt), smooth)
    return overlaid(answered, corrections.as_said(said, result))


def learnt_by(prediction: Prediction) -> dict[str, Learnt]:
    """Return what the model of a prediction has learnt from its owner; nothing, where it was deleted."""
    version = prediction.model_version
    return heads.current(prediction.recording.user_id, version) if version else {}
