"""Warnings about signals that are often unlike all that a model was trained on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from app.har.classifiers.types import Recognition
from app.har.problems import Problem, ProblemKind
from app.har.vocabulary import OTHER, node_of
from app.services.formatting import FEW, share
from app.services.recordings.sensor_names import in_words

CALLED_UNFAMILIAR = "called unfamiliar; no activity is named there"
OFTEN = 0.1  # of the windows: far more than of people whom the model was not trained on
NEARLY_ALL = 0.8  # of the windows, from which a model does not fit
# The same of a model of special movements: none of ten people's exercises were strange to it, new people's included;
# of 12 people's daily activities on a phone 36 to 56 % were (HAPT, its first experiments)
MUCH = 0.25


def share_unlike_training(recognition: Recognition) -> float:
    """Return in which share of the windows a sensor is unlike the training, or turned as it never was there."""
    novel = np.isfinite(recognition.novelty) & (recognition.novelty > 1)
    return float((novel | recognition.unseen_orientation).any(axis=1).mean())


def knows_only_special(activities: Sequence[str]) -> bool:
    """Say whether a model knows special movements alone, such as exercises, and nothing that people do all day."""
    return {node_of(name) for name in activities} == {OTHER}


def unfamiliar_windows(
    recognition: Recognition, sensors: Sequence[str], by_sensor: bool = True, special: bool = False
) -> NDArray[np.bool_]:
    """Say which windows are unlike anything in training, so that no activity is named there; (n_windows,).

    It is those of which no sensor is like it. Where a model does not fit nearly the whole file, it is also those of
    which each accelerometer is unlike the training, or turned as it never was there: what the model says by another
    sensor is then false. A gyroscope may fail, and what the accelerometer shows still be right. A model of special
    movements takes whatever a person does for one of them: where much of a file is strange to it, all of it is.

    Parameters
    ----------
    sensors, by_sensor, special : see `unlike_training`.
    """
    misfits = _misfits(recognition, sensors, special) if by_sensor else np.zeros(len(recognition.novelty), bool)
    return recognition.unfamiliar | misfits


def _misfits(recognition: Recognition, sensors: Sequence[str], special: bool) -> NDArray[np.bool_]:
    """Say in which windows each accelerometer is strange; nowhere, if that is not so in nearly all of them."""
    columns = [i for i, sensor in enumerate(sensors) if sensor.rpartition(".")[2] == "accelerometer"]
    novelty, turned = recognition.novelty[:, columns], recognition.unseen_orientation[:, columns]
    missing = ~np.isfinite(novelty)
    strange: NDArray[np.bool_] = np.asarray(((novelty > 1) | turned | missing).all(axis=1) & ~missing.all(axis=1))
    share_strange = float(strange.mean()) if len(strange) else 0.0
    if special and share_strange >= MUCH:
        return np.ones(len(strange), bool)
    return strange if share_strange >= NEARLY_ALL else np.zeros(len(strange), bool)


def fits(unfamiliar: NDArray[np.bool_]) -> bool:
    """Say whether a model fits a file, by the windows that are unfamiliar."""
    return not len(unfamiliar) or float(unfamiliar.mean()) < NEARLY_ALL


def misfit_problem(
    unfamiliar: NDArray[np.bool_],
    share_unlike: float,
    recording_ids: Sequence[str],
    model: str,
    other: str,
    special: bool = False,
) -> Problem:
    """List that a model does not fit, and another that does, "" for none.

    Parameters
    ----------
    share_unlike : see `share_unlike_training`.
    special : see `unlike_training`.
    """
    where = _how_many(unfamiliar)
    what = "the signal is unlike anything in its training, as of a device worn elsewhere or of other movements"
    if special:
        where = f"{100 * share_unlike:.0f} % of the windows"
        what = f"{what}. It knows special movements alone, and would take the rest for one of them, too"
    detail = f"{model} does not fit this recording: in {where}, {what}"
    again = f"Recognise it again with {other}, which fits" if other else "No other model here fits it"
    return Problem(_source(recording_ids), ProblemKind.MODEL_MISFIT, detail, f"{CALLED_UNFAMILIAR}. {again}")


def unlike_training(
    recognition: Recognition,
    recording_ids: Sequence[str],
    sensors: Sequence[str],
    by_sensor: bool = True,
    special: bool = False,
) -> Iterator[Problem]:
    """Name the sensors that are unlike the training in many windows; a single window cannot tell for sure.

    Parameters
    ----------
    recognition : of all windows of a file.
    recording_ids : the recordings in it.
    sensors : of the model, in the order of the columns of ``recognition.novelty``.
    by_sensor : the model judges each sensor by itself; otherwise the whole window, and leaves out no sensor for it.
    special : the model knows special movements alone.
    """
    source = _source(recording_ids)
    if not by_sensor:
        if recognition.unfamiliar.mean() >= OFTEN:
            detail = f"in {_how_many(recognition.unfamiliar)}, the movement is like no activity that the model learnt"
            yield Problem(source, ProblemKind.UNLIKE_TRAINING, detail, CALLED_UNFAMILIAR)
        return
    columns = zip(sensors, recognition.novelty.T, recognition.unseen_orientation.T, strict=True)
    no_answer = not fits(unfamiliar_windows(recognition, sensors, special=special))  # which is listed by itself, too
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
            action = CALLED_UNFAMILIAR if no_answer else "recognised anyway; the result may be wrong"
            yield Problem(source, ProblemKind.UNSEEN_ORIENTATION, detail, action)
        if novel.mean() >= OFTEN:
            detail = (
                f"in {_how_many(novel)}, the {in_words([sensor])} is unlike anything in training: the "
                "device may be rotated or worn elsewhere, or the unit or gravity may differ"
            )
            action = CALLED_UNFAMILIAR if no_answer else "ignored where another sensor could be used"
            yield Problem(source, ProblemKind.UNLIKE_TRAINING, detail, action)


def _source(recording_ids: Sequence[str]) -> str:
    """Return what problems of all recordings of a file are listed with."""
    return recording_ids[0] if len(recording_ids) == 1 else f"{len(recording_ids)} recordings"


def _how_many(windows: NDArray[np.bool_]) -> str:
    return f"{share(int(windows.sum()), len(windows))} {'' if len(windows) < FEW else 'of the '}windows"
