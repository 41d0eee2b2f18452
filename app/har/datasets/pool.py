"""Several data sets as one: at one rate, of one device, with or without gravity, in the shared vocabulary.

What one of them lacks is missing there (NaN), as a sensor may be anywhere; nothing is made up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from app.har.errors import InsufficientData
from app.har.signals.filters import Preparation, prepare
from app.har.signals.one_rate import at_rate
from app.har.signals.resampling import StretchIndex, joined
from app.har.signals.types import MODALITY_CHANNELS, UNLABELLED, SignalSet
from app.har.types import FloatArray
from app.har.vocabulary import in_order

# Walking and running lie below 15 Hz; what is above tells devices apart, not activities
MOST_HZ = 50.0


@dataclass(frozen=True)
class Member:
    """One of several data sets."""

    name: str
    signals: SignalSet
    names: Mapping[str, str]  # the shared name of each of its activities; "" leaves one out
    device: str = ""  # the one of several that is wanted


@dataclass(frozen=True)
class Pool:
    """Several data sets as one, and what was done to bring them together, in words."""

    signals: SignalSet
    notes: tuple[str, ...]


def pool(members: Sequence[Member]) -> Pool:
    """Put data sets together.

    The rate is the lowest of theirs, at most 50 Hz: a slower set brought to a faster rate would lack what is fast, and
    be known by that. Where acceleration is without gravity in one set, gravity is separated in the others. Where sets
    differ in their devices, each gives one: the one that is wanted of it, or the first. Subjects and recordings are
    called ``<data set>/<name>``.

    Raises
    ------
    InsufficientData : fewer than two data sets, or one of them twice.
    """
    names = [member.name for member in members]
    if len(set(names)) < 2 or len(set(names)) < len(names):
        raise InsufficientData(f"Expected at least two different data sets; found {', '.join(names) or 'none'}.")
    notes: list[str] = []
    rate_hz = rate_together([member.signals.sampling_rate_hz for member in members])
    mixed_gravity = len({member.signals.gravity for member in members}) > 1
    chosen = {(member.device,) if member.device else devices_of(member.signals.channels) for member in members}
    mixed_devices = len(chosen) > 1
    adapted = []
    for member in members:
        signals = member.signals
        devices = devices_of(signals.channels)
        if member.device or (mixed_devices and devices != ("",)):
            device = member.device or devices[0]
            notes.append(f"{member.name}: of {', '.join(devices)}, {device} was taken")
            signals = of_device(signals, device)
        if signals.sampling_rate_hz != rate_hz:
            notes.append(f"{member.name}: {signals.sampling_rate_hz:g} Hz, resampled to {rate_hz:g} Hz")
            signals = at_rate(signals, rate_hz)
        if mixed_gravity and signals.gravity == "included":
            notes.append(f"{member.name}: gravity was separated, because not all of the data sets include it")
            signals = prepare(signals, Preparation(separate_gravity=True))
        adapted.append(replace(member, signals=signals))
    whole = together(adapted)
    for member in adapted:
        if lacking := [channel for channel in whole.channels if channel not in member.signals.channels]:
            notes.append(f"{member.name}: {', '.join(lacking)} missing")
    return Pool(whole, tuple(notes))


def together(members: Sequence[Member]) -> SignalSet:
    """Return data sets of one rate and one handling of gravity as one, under their shared names; or one, under its."""
    parts = [_renamed(member) for member in members]
    channels = _all_channels(parts)
    signal: list[FloatArray] = []
    labels: list[NDArray[np.int16]] = []
    index = StretchIndex(signal.append, labels.append)
    for part in parts:
        index.append(_with_channels(part, channels))
    datasets = tuple(member.name for member in members for _ in member.signals.recording_ids)
    whole = index.finish(joined(signal), joined(labels))
    return replace(_in_order(whole), datasets=datasets)


def rate_together(rates_hz: Sequence[float]) -> float:
    """Return the rate of data sets of these rates together."""
    return min(MOST_HZ, *rates_hz)


def devices_of(channels: Iterable[str]) -> tuple[str, ...]:
    """Return the devices of some channels in their order, "" for one without a name."""
    return tuple(dict.fromkeys(channel.rpartition(".")[0] for channel in channels))


def of_device(signals: SignalSet, device: str) -> SignalSet:
    """Return what one device recorded, without its name."""
    kept = [i for i, channel in enumerate(signals.channels) if channel.rpartition(".")[0] == device]
    channels = tuple(signals.channels[i].rpartition(".")[2] for i in kept)
    return replace(signals, signal=np.asarray(signals.signal[:, kept]), channels=channels)


def _renamed(member: Member) -> SignalSet:
    """Give activities their shared names, and subjects and recordings that of their data set."""
    signals = member.signals
    shared = [member.names[name] for name in signals.activities]
    activities = tuple(dict.fromkeys(filter(None, shared)))
    codes = [activities.index(name) if name else UNLABELLED for name in shared]
    return replace(
        signals,
        labels=np.array([*codes, UNLABELLED], np.int16)[signals.labels],  # UNLABELLED is -1, the last of the table
        activities=activities,
        recording_ids=tuple(f"{member.name}/{name}" for name in signals.recording_ids),
        subjects=tuple(f"{member.name}/{subject}" for subject in signals.subjects),
    )


def _all_channels(parts: Sequence[SignalSet]) -> tuple[str, ...]:
    """Return the channels that any has, device by device and sensor by sensor."""
    found = dict.fromkeys(channel for part in parts for channel in part.channels)
    devices = devices_of(found)
    known = [channel for channels in MODALITY_CHANNELS.values() for channel in channels]
    ordered = (f"{device}.{channel}" if device else channel for device in devices for channel in known)
    return tuple(channel for channel in ordered if channel in found)


def _with_channels(part: SignalSet, channels: tuple[str, ...]) -> SignalSet:
    """Return a part with all of the channels, NaN where it lacks one."""
    if part.channels == channels:
        return part
    signal = np.full((len(part.signal), len(channels)), np.nan, np.float32)
    signal[:, [channels.index(channel) for channel in part.channels]] = part.signal
    return replace(part, signal=signal, channels=channels)


def _in_order(signals: SignalSet) -> SignalSet:
    """Return the activities in the order of the vocabulary, whichever data set came first."""
    activities = in_order(signals.activities)
    codes = [activities.index(name) for name in signals.activities]
    return replace(signals, labels=np.array([*codes, UNLABELLED], np.int16)[signals.labels], activities=activities)
