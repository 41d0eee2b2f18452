"""The signals of a data set as a model that was trained on another reads them: its channels, its gravity, its rate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from app.har.datasets.pool import devices_of, of_device
from app.har.errors import UnusableRecording
from app.har.signals.filters import Preparation, prepare
from app.har.signals.one_rate import at_rate
from app.har.signals.resampling import too_slow
from app.har.signals.types import Gravity, SignalSet


def check_readable(
    channels: Sequence[str],
    gravity: Gravity,
    rate_hz: float,
    wanted: Sequence[str],
    wanted_gravity: Gravity,
    at_hz: float,
) -> None:
    """Refuse data that a model cannot read, whose channels, gravity and rate are those that are wanted.

    Raises
    ------
    UnusableRecording : a channel, or gravity, is missing, or there are far too few samples a second.
    """
    device = _device(channels, wanted)
    there = channels if device is None else [one.removeprefix(f"{device}.") for one in channels]
    if lacking := [channel for channel in wanted if channel not in there]:
        raise UnusableRecording(
            f"The model reads {', '.join(wanted)}; these data have {', '.join(channels)}, without {', '.join(lacking)}."
        )
    if wanted_gravity == "included" and gravity == "removed":
        raise UnusableRecording("The model reads acceleration with gravity; these data are without.")
    if reason := too_slow("data set", rate_hz, at_hz):
        raise UnusableRecording(f"For this model, {reason}.")


def as_read(signals: SignalSet, channels: tuple[str, ...], rate_hz: float, gravity: Gravity) -> SignalSet:
    """Return signals with these channels in their order, with or without gravity, at this rate.

    A model of one device reads the first of several. Gravity is taken off by a low-pass.

    Raises
    ------
    UnusableRecording : see `check_readable`.
    """
    check_readable(signals.channels, signals.gravity, signals.sampling_rate_hz, channels, gravity, rate_hz)
    device = _device(signals.channels, channels)
    if device is not None:
        signals = of_device(signals, device)
    if signals.channels != channels:
        order = [signals.channels.index(channel) for channel in channels]
        signals = replace(signals, signal=np.asarray(signals.signal[:, order]), channels=channels)
    if signals.gravity != gravity:
        signals = prepare(signals, Preparation(separate_gravity=True))
    return at_rate(signals, rate_hz)


def _device(channels: Sequence[str], wanted: Sequence[str]) -> str | None:
    """Return which of several devices a model of one reads; None where the channels are read as they are."""
    devices = devices_of(channels)
    return devices[0] if devices_of(wanted) == ("",) and "" not in devices else None
