"""The windows of a data set as a model that was trained elsewhere takes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from app.har.classifiers.base import Classifier
from app.har.datasets.pool import devices_of, of_device
from app.har.errors import InsufficientData, UnusableRecording
from app.har.signals.filters import Preparation, prepare
from app.har.signals.one_rate import at_rate
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
    UnusableRecording : a channel, or gravity, is missing.
    InsufficientData : no window is left.
    """
    signals = _with_channels(signals, model.channels)
    signals = _with_gravity(signals, model)
    signals = _with_activities(at_rate(signals, model.sampling_rate_hz), model.activities, names)
    windows = make_windows(prepare(signals, replace(model.preparation, separate_gravity=False)), model.window_length_s)
    windows = windows.take(np.flatnonzero(~np.isnan(windows.X[:, 0]).any(axis=1)))
    if not len(windows):
        raise InsufficientData(
            f"No window of these data has one of the model's activities ({', '.join(model.activities)}) and all of its "
            f"sensors for {model.window_length_s:g} s."
        )
    return windows


def _with_channels(signals: SignalSet, channels: tuple[str, ...]) -> SignalSet:
    if devices_of(channels) == ("",) and "" not in (devices := devices_of(signals.channels)):
        signals = of_device(signals, devices[0])
    if lacking := [channel for channel in channels if channel not in signals.channels]:
        raise UnusableRecording(
            f"The model reads {', '.join(channels)}; these data have {', '.join(signals.channels)}, without "
            f"{', '.join(lacking)}."
        )
    if signals.channels == channels:
        return signals
    order = [signals.channels.index(channel) for channel in channels]
    return replace(signals, signal=np.asarray(signals.signal[:, order]), channels=channels)


def _with_gravity(signals: SignalSet, model: Classifier) -> SignalSet:
    if signals.gravity == model.gravity:
        return signals
    if model.gravity == "included":
        raise UnusableRecording("The model reads acceleration with gravity; these data are without.")
    return prepare(signals, Preparation(separate_gravity=True))


def _with_activities(signals: SignalSet, activities: tuple[str, ...], names: Mapping[str, str]) -> SignalSet:
    called = [name if name in activities else names.get(name, "") for name in signals.activities]
    codes = [activities.index(name) if name in activities else UNLABELLED for name in called]
    # UNLABELLED is -1, the last of the table
    return replace(signals, labels=np.array([*codes, UNLABELLED], np.int16)[signals.labels], activities=activities)
