"""What was recognised in a recording, and its quality, as files in the recording's folder."""

from __future__ import annotations

import json
import zlib
from dataclasses import asdict
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from app.har.classifiers.types import Wearing
from app.har.problems import Problem
from app.har.texts import loads
from app.har.vocabulary import DEFAULT_LIMIT
from app.services import sealing
from app.services.files import written_whole
from app.services.recordings.prediction_result import PredictionResult
from app.services.recordings.quality import Quality
from app.services.sealing import Key

QUALITY = "quality.json"
# What reading a damaged file of arrays may raise
DAMAGED = (OSError, EOFError, ValueError, KeyError, BadZipFile, zlib.error)
FORMER: dict[str, Any] = {  # what earlier builds did not store
    "sensors": [], "origin_utc_s": [], "limit": DEFAULT_LIMIT, "wearings": [], "place": "", "walking_recording": None,
    "chosen_because": "", "prior": {}, "unworn": [], "too_little": [],
    "shortest_bout_s": None, "climbs": [], "transitions": None,
}  # fmt: skip


def save_result(path: Path, result: PredictionResult, key: Key | None) -> None:
    """Write what was recognised, whole or not at all.

    The keys are those of every build, whatever the fields are called today.
    """
    names = {
        "model": result.model_label,
        "activities": result.activities,
        "recording_ids": result.recording_ids,
        "truth_activities": result.label_activities,
        "sensors": result.sensors,
        "origin_utc_s": result.origin_utc_s,
        "problems": [asdict(problem) for problem in result.problems],
        "limit": result.limit,
        "wearings": [asdict(wearing) for wearing in result.wearings],
        "place": result.place,
        "walking_recording": result.walking_recording,
        "chosen_because": result.chosen_because,
        "prior": result.prior,
        "unworn": result.unworn,
        "too_little": result.too_little,
        "shortest_bout_s": result.shortest_bout_s,
        "climbs": result.climbs,
        "transitions": result.transitions,
    }
    with written_whole(path) as draft, sealing.created(draft, key) as file:
        np.savez_compressed(
            file,
            names=np.frombuffer(json.dumps(names).encode(), dtype=np.uint8),
            proba=result.proba.astype(np.float32),
            start_s=result.start_s,
            end_s=result.end_s,
            recording=result.recording_index,
            truth=result.labels,
            sensor_attention=result.sensor_attention.astype(np.float32),
            unfamiliar=result.unfamiliar,
            features=result.features,
            height=result.height,
            heart_rate=result.heart_rate.astype(np.float32),
        )


def load_result(path: Path) -> PredictionResult:
    """Read what `save_result` wrote, in this build or an earlier one."""
    with sealing.opened(path) as file, np.load(file, allow_pickle=False) as stored:
        arrays = dict(stored)
    names = FORMER | loads(arrays.pop("names").tobytes())
    n = len(arrays["proba"])  # results of the first version don't hold the sensors' weights, nor later ones features
    former = {
        "sensor_attention": np.zeros((n, 0), np.float32),
        "unfamiliar": np.zeros(n, bool),
        "features": np.zeros((n, 0), np.float16),
        "height": np.zeros(0, np.int8),
        "heart_rate": np.zeros(0, np.float32),
    }
    arrays = {**former, **arrays}
    return PredictionResult(
        model_label=names["model"],
        activities=tuple(names["activities"]),
        recording_ids=tuple(names["recording_ids"]),
        label_activities=tuple(names["truth_activities"]),
        sensors=tuple(names["sensors"]),
        origin_utc_s=tuple(names["origin_utc_s"]),
        problems=tuple(map(Problem.from_dict, names["problems"])),
        limit=names["limit"],
        place=names["place"],
        walking_recording=names["walking_recording"],
        chosen_because=names["chosen_because"],
        prior=names["prior"],
        shortest_bout_s=names["shortest_bout_s"],
        climbs=tuple(tuple(climb) for climb in names["climbs"]),
        transitions=None if names["transitions"] is None else tuple(tuple(each) for each in names["transitions"]),
        unworn=tuple((recording, start, end) for recording, start, end in names["unworn"]),
        too_little=tuple((recording, start, end) for recording, start, end in names["too_little"]),
        wearings=tuple(Wearing(**wearing) for wearing in names["wearings"]),
        recording_index=arrays.pop("recording"),
        labels=arrays.pop("truth"),
        **arrays,
    )


def save_quality(folder: Path, quality: Quality, key: Key | None) -> None:
    """Write the quality cards of a file."""
    with sealing.created(folder / QUALITY, key) as file:
        file.write(json.dumps(quality.as_dict()).encode())


def load_quality(folder: Path) -> dict[str, Any] | None:
    """Return `Quality.as_dict` of a file; None where it was stored before there were quality cards."""
    try:
        with sealing.opened(folder / QUALITY) as file:
            cards: dict[str, Any] = loads(file.read())
    except FileNotFoundError:
        return None
    return cards
