"""Names of sensors: behind the channels of a signal, and as people say them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from app.har.signals.types import MODALITY_CHANNELS
from app.services.formatting import sensor_name


def sensors_of(channels: Sequence[str]) -> tuple[str, ...]:
    """Return the sensors behind channels, in their order: ``watch.acc_x`` is of the ``watch.accelerometer``."""
    sensor_of = {channel: modality for modality, names in MODALITY_CHANNELS.items() for channel in names}
    parts = [channel.rpartition(".") for channel in channels]
    return tuple(dict.fromkeys(device + dot + sensor_of[channel] for device, dot, channel in parts))


def in_words(sensors: Iterable[str]) -> str:
    """Name sensors as one says them: accelerometer and watch gyroscope."""
    return " and ".join(sensor_name(name) for name in sorted(sensors))
