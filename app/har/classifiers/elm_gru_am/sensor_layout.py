"""Which channels belong to which sensor, and which sensors to which device."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
from numpy.typing import NDArray

from app.har.classifiers.elm_gru_am.features import channels_by_sensor
from app.har.types import FloatArray, IntArray


@dataclass(frozen=True)
class SensorLayout:
    """The sensors of windows whose channels are these."""

    channels: tuple[str, ...]

    @cached_property
    def by_sensor(self) -> dict[str, list[int]]:
        """Return the channels of each sensor, by the stem of their names: ``"acc"``, ``"watch.gyro"``."""
        return channels_by_sensor(self.channels)

    @cached_property
    def sensors(self) -> tuple[str, ...]:
        """Return the names of the sensors."""
        return tuple(self.by_sensor)

    @cached_property
    def devices(self) -> list[IntArray]:
        """Return the channels of each device: ``watch.acc_x`` and ``watch.gyro_x`` are on one."""
        prefixes = [channel.rpartition(".")[0] for channel in self.channels]
        return [np.flatnonzero([prefix == device for prefix in prefixes]) for device in dict.fromkeys(prefixes)]

    def missing(self, X: FloatArray) -> NDArray[np.bool_]:
        """Return which sensors are missing, NaN in all of their channels all through a window: (n, n_sensors).

        Parameters
        ----------
        X : (n, n_timesteps, n_channels)
        """
        gone = np.isnan(X[:, 0])  # (n, n_channels)
        rows = np.flatnonzero(gone.any(axis=1))
        gone[rows] = np.isnan(X[rows]).all(axis=1)
        return np.stack([gone[:, channels].all(axis=1) for channels in self.by_sensor.values()], axis=1)

    def silenced(self, X: FloatArray, missing: NDArray[np.bool_]) -> FloatArray:
        """Return the windows with zeros where a sensor is missing."""
        if not missing.any():
            return X
        silenced = X.copy()
        for gone, channels in zip(missing.T, self.by_sensor.values(), strict=True):
            rows = np.flatnonzero(gone)
            for channel in channels:
                silenced[rows, :, channel] = 0
        return silenced

    def complete_blocks(self, present: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return which blocks of the head have all they need: (n, n_sensors + n_devices).

        Parameters
        ----------
        present : (n, n_sensors)
        """
        sensors_of_device = [
            [number for number, channels in enumerate(self.by_sensor.values()) if channels[0] in device]
            for device in self.devices
        ]
        whole = [present[:, sensors].all(axis=1, keepdims=True) for sensors in sensors_of_device]
        return np.concatenate([present, *whole], axis=1)

    def patterns(self) -> Iterator[tuple[bool, ...]]:
        """Yield the sensors to be ready for: any of up to 4 sensors; of more, all but one or two, and one alone."""
        n = len(self.sensors)
        for present in product((True, False), repeat=n):
            if any(present) and (n <= 4 or n - sum(present) <= 2 or sum(present) == 1):
                yield present
