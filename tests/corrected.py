"""Recordings of a person whose walk a model takes for another activity, stored as uploads leave them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from flask import Flask

from app.extensions import db
from app.services.personal import corrections
from app.services.recordings.prediction_result import PredictionResult
from app.tables import Correction, ModelVersion, Prediction
from tests.long_recording import store
from tests.trained import load

WINDOW_S = 3.0
MOVEMENTS, NEW = ("first", "second"), "Rowing"  # what really happened, by turns


def a_result(
    model: ModelVersion, n_windows: int = 40, *, turn: int = 5, place: str = "leg", seed: int = 0
) -> PredictionResult:
    """Return what a model is unsure of: two movements by turns of some windows, taken for one activity and the next.

    Of the movements, the features tell which it was.
    """
    classifier = load(model)
    activities, rng = classifier.activities, np.random.default_rng(seed)
    movement = np.arange(n_windows) // turn % 2
    proba = np.full((n_windows, len(activities)), 0.05, np.float32)
    proba[:, 0], proba[:, 1] = 0.45, 0.4
    assert classifier.prior is not None
    features = rng.normal(0, 0.3, (n_windows, classifier.prior.n_features))
    features += np.where(movement, 2.0, -2.0)[:, None]
    start_s = WINDOW_S * np.arange(n_windows)
    return PredictionResult(
        model_label=model.label,
        activities=activities,
        proba=proba / proba.sum(axis=1, keepdims=True),
        start_s=start_s,
        end_s=start_s + WINDOW_S,
        recording_index=np.zeros(n_windows, np.int64),
        recording_ids=("walk.csv",),
        labels=np.full(n_windows, -1),
        label_activities=(),
        sensors=("accelerometer",),
        sensor_attention=np.ones((n_windows, 1), np.float32),
        unfamiliar=np.zeros(n_windows, bool),
        origin_utc_s=(1_764_000_000.0,),
        place=place,
        limit=0.5,
        features=features.astype(np.float16),
    )


def recorded(app: Flask, user_id: int, model: ModelVersion, result: PredictionResult | None = None) -> Prediction:
    """Store a result as if a version had made it."""
    prediction = store(app, user_id, None, a_result(model) if result is None else result, "walk.csv")
    prediction.model_version = model
    prediction.recording.place = "leg"
    db.session.commit()
    return prediction


def without_features(result: PredictionResult) -> PredictionResult:
    """Return a result as an earlier build stored it."""
    return replace(result, features=np.zeros((len(result), 0), np.float16))


def correct(prediction: Prediction, result: PredictionResult, *names: str, windows: int = 5) -> list[Correction]:
    """Say what the first turns were, one after the other."""
    length = windows * WINDOW_S
    said = [(0, i * length, (i + 1) * length, name) for i, name in enumerate(names)]
    return corrections.add(prediction.recording.user_id, prediction.recording, result, said)
