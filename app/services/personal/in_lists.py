"""What lists say of recordings: the minutes of each answer, as the page of the recording has them.

They are counted anew where corrections, or what a model learnt from them, have changed since, and are kept in the
summary of the prediction: a list must not read the windows of all recordings.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import selectinload

from app.extensions import db
from app.services.errors import ServiceError
from app.services.personal import corrections
from app.services.personal.heads import Learnt
from app.services.personal.view import as_owner_sees, learnt_by
from app.services.recordings import recordings
from app.services.recordings.result_files import DAMAGED
from app.services.transaction import USUAL_WAIT_S, transaction
from app.tables import Correction, PersonalHead, Prediction, StoredRecording

log = logging.getLogger(__name__)

OWN = "as_owner_sees"  # in a summary: {"minutes_per_activity", "made_from"}
Minutes = Mapping[str, float]  # by answer, the longest first


def minutes_of(user_id: int, predictions: Sequence[Prediction]) -> dict[int, Minutes]:
    """Return the minutes of each answer by prediction, of recordings of one person, as they see them."""
    said = corrections.of_user(user_id)
    if not said:  # nothing can have been learnt
        return {prediction.id: prediction.summary["minutes_per_activity"] for prediction in predictions}
    files = _files_of_heads(user_id, predictions)
    found: dict[int, Minutes] = {}
    new: dict[Prediction, dict[str, Any]] = {}
    for prediction in predictions:
        own = prediction.summary.get(OWN, {})
        about = said.get(prediction.recording, [])
        made_from = _made_from(prediction, about, files.get(prediction.model_version_id, {}))
        if made_from and own.get("made_from") != made_from:
            own = {"minutes_per_activity": _counted(prediction, about), "made_from": made_from}
            new[prediction] = own
        found[prediction.id] = (own if made_from else prediction.summary)["minutes_per_activity"]
    if new:
        _keep(new)
    return found


def minutes_of_all(user_id: int) -> dict[int, Minutes]:
    """Return the minutes of each answer by recording, by its newest prediction, as their owner sees them."""
    query = select(StoredRecording).where(StoredRecording.user_id == user_id)
    rows = db.session.scalars(query.options(selectinload(StoredRecording.predictions)))
    newest = {row.id: row.predictions[0] for row in rows if row.predictions}
    minutes = minutes_of(user_id, list(newest.values()))
    return {recording_id: minutes[prediction.id] for recording_id, prediction in newest.items()}


def made_from(prediction: Prediction) -> str:
    """Return what changes whenever the owner sees other answers; "" where they see those of the model alone."""
    said = corrections.of_recording(prediction.recording)
    files = _files_of_heads(prediction.recording.user_id, [prediction])
    return _made_from(prediction, said, files.get(prediction.model_version_id, {}))


def _files_of_heads(user_id: int, predictions: Sequence[Prediction]) -> dict[int | None, dict[str, str]]:
    """Return by version and place the files of the heads that are in use; each head has another."""
    for prediction in {prediction.model_version_id: prediction for prediction in predictions}.values():
        learnt_by(prediction)  # anew, where something has changed
    files: dict[int | None, dict[str, str]] = {}
    for row in db.session.scalars(select(PersonalHead).filter_by(user_id=user_id, switched_on=True)):
        if row.file:
            files.setdefault(row.model_version_id, {})[row.place] = row.file
    return files


def _made_from(prediction: Prediction, said: Sequence[Correction], files: Mapping[str, str]) -> str:
    """Return what changes whenever the owner sees other answers; "" where they see those of the model alone."""
    summary = prediction.summary
    places = {summary.get("place", ""), *(wearing["place"] for wearing in summary.get("wearings", []))}
    used = sorted(file for place, file in files.items() if place in places)
    return json.dumps([[correction.id for correction in said], used]) if said or used else ""


def _counted(prediction: Prediction, said: Sequence[Correction]) -> Minutes:
    learnt: Mapping[str, Learnt] = learnt_by(prediction)
    try:
        return as_owner_sees(recordings.result_of(prediction), said, learnt).totals("answer")[0]
    except DAMAGED as error:
        log.warning("the result of prediction %s cannot be read: %s", prediction.id, error)
        minutes: Minutes = prediction.summary["minutes_per_activity"]
        return minutes


def _keep(new: Mapping[Prediction, Mapping[str, Any]]) -> None:
    """Keep what was counted, but of predictions that were deleted, or stored again, meanwhile."""
    try:
        with transaction(USUAL_WAIT_S) as session:
            for prediction, own in new.items():
                counted_from = prediction.summary
                there = session.get(Prediction, prediction.id, populate_existing=True)
                if there is not None and there.summary == counted_from:
                    there.summary = {**counted_from, OWN: own}
    except ServiceError as error:  # they are counted again for the next list
        log.warning("the minutes of %d recordings are not kept: %s", len(new), error)
