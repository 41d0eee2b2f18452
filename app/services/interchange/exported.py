"""What other systems were given of a recording: what no longer holds of it is *entered-in-error* when they ask again.

The model and the corrections that hold do not tell it all: what a correction began that was changed or undone since,
and what a model answered that has read the recording anew, is known only by having been given. So ``exported.json``, in
the folder of a recording, keeps the bouts that were ever given as its owner sees them, for each way of answering.
"""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any

from app.har.texts import loads
from app.services import keys, sealing
from app.services.files import written_whole
from app.services.interchange.answers import Activity, Answers, answers_of
from app.services.personal.view import View
from app.services.recordings import recordings
from app.services.recordings.result_files import DAMAGED
from app.tables import Prediction

log = logging.getLogger(__name__)

FILE = "exported.json"
Bouts = dict[str, list[Any]]  # by part and beginning: part, beginning, end (Unix seconds), activity, confidence


def answers(prediction: Prediction, seen: View, personal: bool, zone: tzinfo) -> Answers:
    """Return what was recognised, for another system: with what it was given before and that no longer holds.

    As the model answers anybody (seen without ``personal``), nothing is remembered.

    Raises
    ------
    Invalid : the recording does not tell when it was.
    """
    found = answers_of(prediction, seen, zone)
    if not personal:
        return found
    path = recordings.folder_of(prediction.recording) / FILE
    kept = _read(path)
    before, now = kept.get(found.way, {}), {_key(one): _row(one) for one in found.activities}
    if any(before.get(key) != row for key, row in now.items()):
        _write(path, {**kept, found.way: before | now}, prediction.recording.user_id)
    gone = [_withdrawn(row, zone) for key, row in before.items() if key not in now]
    return replace(found, activities=sorted((*found.activities, *gone), key=lambda one: (one.part, one.start)))


def _key(one: Activity) -> str:
    return f"{one.start.timestamp():.3f} {one.part}"


def _row(one: Activity) -> list[Any]:
    return [one.part, one.start.timestamp(), one.end.timestamp(), one.name, one.confidence]


def _withdrawn(row: list[Any], zone: tzinfo) -> Activity:
    part, start, end, name, confidence = row
    begin, over = (datetime.fromtimestamp(moment, zone) for moment in (start, end))
    return Activity(part, begin, over, name, "entered-in-error", False, confidence)


def _read(path: Path) -> dict[str, Bouts]:
    if not path.exists():
        return {}
    try:
        with sealing.opened(path) as file:
            kept: dict[str, Bouts] = loads(file.read())
    except DAMAGED as error:
        log.warning("what was exported of a recording is not known any more: %s", error)
        return {}
    return kept


def _write(path: Path, kept: dict[str, Bouts], user_id: int) -> None:
    try:
        with written_whole(path) as draft, sealing.created(draft, keys.of(user_id)) as file:
            file.write(json.dumps(kept).encode())
    except OSError as error:  # a full disk keeps nobody from what is theirs
        log.warning("what was exported of a recording cannot be kept: %s", error)
