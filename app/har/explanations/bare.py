"""Windows that are of nobody: pieces of signal made up to ask a model about them."""

from __future__ import annotations

import numpy as np

from app.har.classifiers.elm_gru_am.classifier import ActivityClassifier
from app.har.types import FloatArray
from app.har.windows import WindowSet


def bare_windows(model: ActivityClassifier, X: FloatArray) -> WindowSet:
    """Return windows (n, n_timesteps, n_channels) as a model takes them."""
    nobody = np.full(len(X), "")
    return WindowSet(
        X,
        np.zeros(len(X), np.int64),
        model.activities,
        nobody,
        nobody,
        np.zeros(len(X)),
        model.channels,
        model.sampling_rate_hz,
        model.gravity,
    )


def probabilities(model: ActivityClassifier, X: FloatArray) -> FloatArray:
    """Return what a model answers to bare windows, (n, n_activities)."""
    return model.predict_proba(bare_windows(model, X))
