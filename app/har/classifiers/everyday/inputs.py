"""The signals of a data set as the everyday model reads them: movement, rotation and gravity of one device at 50 Hz."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from app.har.classifiers.everyday.classifier import CHANNELS, RATE_HZ
from app.har.signals.filters import GRAVITY_HZ, REACH, blocks, estimate_gravity
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
    wanted = [prefix + channel for channel in CHANNELS[:6]]
    there = [channel for channel in wanted if channel in signals.channels]
    columns = [signals.channels.index(channel) for channel in there]
    signals = replace(signals, signal=np.asarray(signals.signal[:, columns], np.float32), channels=tuple(there))
    signals = at_rate(signals, RATE_HZ)
    signal = np.full((len(signals.signal), len(CHANNELS)), np.nan, np.float32)
    signal[:, [wanted.index(channel) for channel in there]] = signals.signal
    if signals.gravity == "included":
        margin = int(REACH * RATE_HZ / GRAVITY_HZ)
        for first, length in zip(signals.first.tolist(), signals.length.tolist(), strict=True):
            piece, total = signal[first : first + length], signals.signal[first : first + length, :3]
            for read, keep, write in blocks(length, margin):
                gravity = estimate_gravity(total[read], RATE_HZ)[keep]
                piece[write, 6:] = gravity
                piece[write, :3] = total[write] - gravity
    return replace(signals, signal=signal, channels=CHANNELS, gravity="removed")
