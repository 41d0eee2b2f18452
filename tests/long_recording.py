"""A made-up day of a person, stored as an upload would be, without a file to import or a model to ask."""

from __future__ import annotations

import json
import uuid
from dataclasses import replace
from pathlib import Path

import numpy as np
from flask import Flask

from app.extensions import db
from app.har.signals.types import UNLABELLED, SignalSet
from app.services import keys
from app.services.recordings import recordings, stored_signal
from app.services.recordings.prediction_result import PredictionResult
from app.tables import Prediction, StoredRecording
from tests.sealed import made_plain

ACTIVITIES = ("Lie", "Sit", "Stand", "Walk", "Run", "Stair-up")
ENERGY = np.array([0.05, 0.1, 0.3, 2.0, 6.0, 2.5], np.float32)
WINDOW_S = 3.0
DAY_START_UTC_S = 1_747_000_800.0  # 11 May 2025, 22:00 UTC: midnight in Berlin


def a_day(
    hours: float = 24.0, rate_hz: float = 100.0, origin_utc_s: float | None = DAY_START_UTC_S, *, labelled: bool = True
) -> tuple[SignalSet, PredictionResult]:
    """Return a signal of six channels and what was recognised in it; the watch lay apart for half an hour at noon.

    Activities change every minute or so, a tenth of the windows is taken for another, and the first half is labelled.
    """
    rng = np.random.default_rng(0)
    per_window = round(WINDOW_S * rate_hz)
    n = int(hours * 3600 / WINDOW_S)
    start = np.arange(n) * WINDOW_S
    truth = np.repeat(rng.choice(len(ACTIVITIES), n // 20 + 1, p=[0.3, 0.3, 0.15, 0.15, 0.05, 0.05]), 20)[:n]
    recorded = (start < hours * 1800) | (start >= hours * 1800 + 1800)
    start, truth = start[recorded], truth[recorded]
    chosen = np.where(rng.random(len(truth)) < 0.1, rng.integers(0, len(ACTIVITIES), len(truth)), truth)
    proba = np.full((len(truth), len(ACTIVITIES)), 0.04, np.float32)
    proba[np.arange(len(truth)), chosen] = 0.8
    signal = rng.standard_normal((len(truth) * per_window, 6), np.float32)
    signal *= np.repeat(ENERGY[truth], per_window)[:, None]
    signal[:, 2] += 9.81
    breaks = np.flatnonzero(np.diff(start, prepend=-9.0) > WINDOW_S)
    first = breaks * per_window
    signals = SignalSet(
        signal=signal,
        labels=np.full(len(signal), UNLABELLED, np.int16),
        channels=("acc_x", "acc_y", "acc_z", "gyro_x", "gyro_y", "gyro_z"),
        sampling_rate_hz=rate_hz,
        gravity="included",
        activities=(),
        recording_ids=("day.csv",),
        subjects=("day.csv",),
        first=first,
        length=np.diff(np.append(first, len(signal))),
        recording=np.zeros(len(first), np.int64),
        start_s=start[breaks],
    )
    result = PredictionResult(
        model_label="lab/1",
        activities=ACTIVITIES,
        proba=proba,
        start_s=start,
        end_s=start + WINDOW_S,
        recording_index=np.zeros(len(truth), np.int64),
        recording_ids=signals.recording_ids,
        labels=np.where((np.arange(len(truth)) < len(truth) // 2) & labelled, truth, UNLABELLED).astype(np.int64),
        label_activities=ACTIVITIES,
        sensors=("accelerometer", "gyroscope"),
        sensor_attention=np.full((len(truth), 2), 0.5, np.float32),
        unfamiliar=np.zeros(len(truth), bool),
        origin_utc_s=(origin_utc_s,),
    )
    return signals, result


def unsure_day(**changes: object) -> PredictionResult:
    """Return two hours of one posture or another, then of something on foot, then of nothing known."""
    _, day = a_day(2.0, rate_hz=1.0, labelled=False)
    proba = np.full_like(day.proba, 0.02)
    third = len(day) // 3
    proba[:third, :3] = [0.3, 0.34, 0.3]
    proba[third : 2 * third, [3, 5]] = [0.42, 0.5]
    proba[2 * third :] = 1 / 6
    unfamiliar = np.arange(len(day)) >= len(day) - 10
    return replace(day, proba=proba, unfamiliar=unfamiliar, **changes)  # type: ignore[arg-type]


def make_old(app: Flask, prediction: Prediction) -> None:
    """Rewrite what is stored of a prediction as version 0.1 wrote it, before there was any of today's additions."""
    path = Path(app.config["UPLOADS"]) / prediction.recording.folder / f"{prediction.id}.npz"
    arrays = dict(np.load(made_plain(path)))
    names = json.loads(arrays["names"].tobytes())
    for key in ("sensors", "origin_utc_s", "limit", "wearings", "place", "walking_recording", "shortest_bout_s"):
        del names[key]
    for problem in names["problems"]:
        problem["kind"] = {"gap in one sensor": "hole in a sensor"}.get(problem["kind"], problem["kind"])
    for key in ("sensor_attention", "unfamiliar"):
        del arrays[key]
    np.savez(path, **{**arrays, "names": np.frombuffer(json.dumps(names).encode(), np.uint8)})
    kept = ("model", "layout", "windows", "recordings", "minutes", "mean_confidence", "problems")
    activities = dict.fromkeys(ACTIVITIES, 1.0)
    prediction.summary = {key: prediction.summary[key] for key in kept} | {"minutes_per_activity": activities}
    db.session.commit()


def store(
    app: Flask, user_id: int, signals: SignalSet | None, result: PredictionResult, filename: str = "day.csv"
) -> Prediction:
    """Store a recording of a user as an upload leaves it."""
    folder = Path(app.config["UPLOADS"]) / f"{recordings.PREFIX}{uuid.uuid4().hex}"
    folder.mkdir(mode=0o700)
    (folder / "source").write_text("made up")
    if signals is not None:
        stored_signal.save(folder, signals, keys.of(user_id))
    recording = StoredRecording(user_id=user_id, filename=filename, folder=folder.name, facts={"minutes": 0})
    with recordings.new_prediction(recording, result) as prediction:
        return prediction
