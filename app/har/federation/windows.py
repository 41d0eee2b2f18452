"""The windows of a data set as a model that was trained elsewhere takes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from app.har.classifiers.base import Classifier
from app.har.datasets.as_read import as_read
from app.har.errors import InsufficientData
from app.har.signals.filters import prepare
from app.har.signals.types import UNLABELLED, SignalSet
from app.har.windows import WindowSet, make_windows


def windows_for(model: Classifier, signals: SignalSet, names: Mapping[str, str]) -> WindowSet:
    """Cut labelled windows, one after the other, with the model's channels, rate, gravity and activities.

    Windows of other activities, and those that lack a sensor, are left out.

    Parameters
    ----------
    names : what each activity of the signals is called in the shared vocabulary, for a model that names it so.

    Raises
    ------
    UnusableRecording : see `as_read`.
    InsufficientData : no window is left.
    """
    signals = as_read(signals, model.channels, model.sampling_rate_hz, model.gravity)
    signals = _with_activities(signals, model.activities, names)
    windows = make_windows(prepare(signals, replace(model.preparation, separate_gravity=False)), model.window_length_s)
    windows = windows.take(np.flatnonzero(~np.isnan(windows.X[:, 0]).any(axis=1)))
    if not len(windows):
        raise InsufficientData(
            f"No window of these data has one of the model's activities ({', '.join(model.activities)}) and all of its "
            f"sensors for {model.window_length_s:g} s."
        )
    return windows


def _with_activities(signals: SignalSet, activities: tuple[str, ...], names: Mapping[str, str]) -> SignalSet:
    called = [name if name in activities else names.get(name, "") for name in signals.activities]
    codes = [activities.index(name) if name in activities else UNLABELLED for name in called]
    # UNLABELLED is -1, the last of the table
    return replace(signals, labels=np.array([*codes, UNLABELLED], np.int16)[signals.labels], activities=activities)
