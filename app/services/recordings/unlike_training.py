"""Warnings about signals that are often unlike all that a model was trained on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from app.har.classifiers.types import Recognition
from app.har.problems import Problem, ProblemKind
from app.services.formatting import FEW, share
from app.services.recordings.sensor_names import in_words

CALLED_UNFAMILIAR = "called unfamiliar; no activity is named there"
OFTEN = 0.1  # of the windows: far more than of people whom the model was not trained on


def share_unlike_training(recognition: Recognition) -> float:
    """Return in which share of the windows a sensor is unlike the training, or turned as it never was there."""
    novel = np.isfinite(recognition.novelty) & (recognition.novelty > 1)
    return float((novel | recognition.unseen_orientation).any(axis=1).mean())


def unlike_training(
    recognition: Recognition, recording_ids: Sequence[str], sensors: Sequence[str], by_sensor: bool = True
) -> Iterator[Problem]:
    """Name the sensors that are unlike the training in many windows; a single window cannot tell for sure.

    Parameters
    ----------
    recognition : of all windows of a file.
    recording_ids : the recordings in it.
    sensors : of the model, in the order of the columns of ``recognition.novelty``.
    by_sensor : the model judges each sensor by itself; otherwise the whole window, and leaves out no sensor for it.
    """
    source = recording_ids[0] if len(recording_ids) == 1 else f"{len(recording_ids)} recordings"
    if not by_sensor:
        if recognition.unfamiliar.mean() >= OFTEN:
            detail = f"in {_how_many(recognition.unfamiliar)}, the movement is like no activity that the model learnt"
            yield Problem(source, ProblemKind.UNLIKE_TRAINING, detail, CALLED_UNFAMILIAR)
        return
    columns = zip(sensors, recognition.novelty.T, recognition.unseen_orientation.T, strict=True)
    for sensor, novelty, unseen_orientation in columns:
        used = np.isfinite(novelty)
        if not used.any():
            continue
        turned, novel = unseen_orientation[used], novelty[used] > 1
        if turned.mean() >= OFTEN:
            detail = (
                f"in {_how_many(turned)}, gravity acts on the {in_words([sensor])} in a direction not "
                "seen in training: the device may be upside down, rotated, or worn elsewhere"
            )
            yield Problem(source, ProblemKind.UNSEEN_ORIENTATION, detail, "recognised anyway; the result may be wrong")
        if novel.mean() >= OFTEN:
            detail = (
                f"in {_how_many(novel)}, the {in_words([sensor])} is unlike anything in training: the "
                "device may be rotated or worn elsewhere, or the unit or gravity may differ"
            )
            yield Problem(source, ProblemKind.UNLIKE_TRAINING, detail, "ignored where another sensor could be used")


def _how_many(windows: NDArray[np.bool_]) -> str:
    return f"{share(int(windows.sum()), len(windows))} {'' if len(windows) < FEW else 'of the '}windows"
