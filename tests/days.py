"""Days of a person as uploads leave them: nights, desks and walks, by the clock of Berlin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from flask import Flask

from app.extensions import db
from app.har.measures.slots import SLOT_S, Slots
from app.services import keys
from app.services.recordings import recordings, slot_files
from app.services.recordings.prediction_result import PredictionResult
from app.tables import Prediction
from tests.long_recording import a_day, store

BERLIN = ZoneInfo("Europe/Berlin")
FIRST = datetime(2026, 11, 23, tzinfo=BERLIN)
WINDOW_S = 3.0
NAMES = ("Lying", "Sitting", "Standing", "Walking", "Running", "Cycling")
# Hours until which something lasts; of the last, until midnight
USUAL = ((7.0, "Lying"), (7.5, "Standing"), (8.0, "Walking"), (10.5, "Sitting"), (10.6, "Standing"), (12.5, "Sitting"),
         (13.0, "Walking"), (16.0, "Sitting"), (16.5, "Cycling"), (17.0, "Running"), (19.0, "Standing"),
         (22.75, "Sitting"), (24.0, "Lying"))  # fmt: skip


def a_result(
    schedule: Sequence[tuple[float, str]] = USUAL, start: datetime = FIRST, place: str = "wrist"
) -> PredictionResult:
    """Return what was recognised in a day that is sure all the time."""
    ends = np.array([hour for hour, _ in schedule]) * 3600
    window = np.arange(round(ends[-1] / WINDOW_S)) * WINDOW_S
    chosen = np.array([NAMES.index(name) for _, name in schedule])[np.searchsorted(ends, window + WINDOW_S / 2)]
    proba = np.full((len(window), len(NAMES)), 0.01, np.float32)
    proba[np.arange(len(window)), chosen] = 0.95
    none = np.zeros(len(window), np.int64)
    return replace(
        a_day(0.1, 1.0)[1],
        activities=NAMES,
        proba=proba,
        start_s=window,
        end_s=window + WINDOW_S,
        recording_index=none,
        labels=none - 1,
        sensor_attention=np.full((len(window), 2), 0.5, np.float32),
        unfamiliar=none > 0,
        origin_utc_s=(start.timestamp(),),
        place=place,
    )


def store_day(app: Flask, user_id: int, result: PredictionResult, moved: bool = True) -> Prediction:
    """Store a day with how hard the wrist moved, as an upload leaves it."""
    prediction = store(app, user_id, None, result, "day.csv")
    recording = prediction.recording
    recording.recorded, ends = result.begins, result.ends
    recording.facts = recording.facts | {recordings.ENDS: ends.timestamp() if ends else None}
    db.session.commit()
    if moved:
        slot_files.save(recordings.folder_of(recording), {"day.csv": slots_of(result)}, keys.of(user_id))
    return prediction


def slots_of(result: PredictionResult) -> Slots:
    """Return slots: still while lying, and by what was done else; turned often, but for while lying."""
    rng = np.random.default_rng(0)
    n = int((result.end_s[-1] - result.start_s[0]) / SLOT_S)
    middle = (np.arange(n) + 0.5) * SLOT_S
    done = result.guesses[np.clip(np.searchsorted(result.start_s, middle) - 1, 0, len(result) - 1)]
    level = np.array([2.0, 20.0, 60.0, 150.0, 900.0, 120.0], np.float32)[done]
    angle = np.cumsum(np.where(done == 0, rng.normal(0, 0.02, n), rng.normal(0, 6.0, n))).astype(np.float32)
    first = round((result.origin_utc_s[0] or 0.0) / SLOT_S)
    return Slots(first + np.arange(n), level, level, angle)


def a_week(app: Flask, user_id: int, days: int = 7, seed: int = 0) -> list[Prediction]:
    """Store days that differ by some minutes."""
    rng = np.random.default_rng(seed)
    found = []
    for i in range(days):
        shift = [*np.cumsum(rng.normal(0, 0.15, len(USUAL) - 1)).clip(-1.5, 1.0), 0.0]
        hours = np.maximum.accumulate([hour + by for (hour, _), by in zip(USUAL, shift, strict=True)]).clip(0.1, 24.0)
        schedule = [(float(hour), name) for hour, (_, name) in zip(hours, USUAL, strict=True)]
        found.append(store_day(app, user_id, a_result(schedule, FIRST + timedelta(days=i))))
    return found
