"""Windows of other people that a model finds most like one: examples, drawn beside it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.har.classifiers.elm_gru_am.classifier import ActivityClassifier
from app.har.classifiers.elm_gru_am.scaling import CLIP
from app.har.explanations.faithfulness import even_sample
from app.har.signals.filters import prepare
from app.har.signals.types import SignalSet
from app.har.types import FloatArray, IntArray
from app.har.windows import WindowSet, make_windows

PER_ACTIVITY = 25  # windows that are looked through
NEAREST = 3


@dataclass(frozen=True)
class Examples:
    """Windows that a model learnt from, as its head reads them."""

    windows: WindowSet
    scaled: FloatArray  # (n, n_features)

    @classmethod
    def of(cls, model: ActivityClassifier, signals: SignalSet, seed: int = 0) -> Examples:
        """Take some windows of each activity, of as many of these people as possible."""
        windows = make_windows(prepare(signals, model.preparation), model.window_length_s)
        windows = even_sample(windows, PER_ACTIVITY, seed)
        return cls(windows, _scaled(model, windows))

    def nearest(self, model: ActivityClassifier, window: WindowSet) -> IntArray:
        """Return the positions of those most like a window, the nearest first, by all features that the head reads."""
        distance = np.square(self.scaled - _scaled(model, window)).sum(axis=1)
        return np.asarray(np.argsort(distance, kind="stable")[:NEAREST], np.int64)


def _scaled(model: ActivityClassifier, windows: WindowSet) -> FloatArray:
    return model.window_scaler_(model.describer_(windows).whole, CLIP)
