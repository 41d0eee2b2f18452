"""The signals of a data set as the everyday model reads them: movement, rotation and gravity of one device at 50 Hz."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from app.har.classifiers.everyday.classifier import CHANNELS, RATE_HZ
from app.har.signals.gravity import with_gravity_apart
from app.har.signals.one_rate import at_rate
from app.har.signals.types import SignalSet


def movement_and_gravity(signals: SignalSet, device: str = "") -> SignalSet:
    """Return signals with the channels `CHANNELS` at 50 Hz; NaN throughout where a sensor, or gravity, is missing.

    Parameters
    ----------
    signals : with an accelerometer, and a gyroscope or none.
    device : whose, where several are worn: ``"phone"``; default the only one, which has no name.
    """
    prefix = f"{device}." if device else ""
    there = [channel for channel in CHANNELS[:6] if prefix + channel in signals.channels]
    columns = [signals.channels.index(prefix + channel) for channel in there]
    signals = replace(signals, signal=np.asarray(signals.signal[:, columns], np.float32), channels=tuple(there))
    return with_gravity_apart(at_rate(signals, RATE_HZ), CHANNELS)
