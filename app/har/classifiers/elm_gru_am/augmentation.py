"""Training windows as they might have come from another device."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from app.har.classifiers.elm_gru_am.features import channels_by_sensor
from app.har.types import FloatArray, IntArray
from app.har.windows import WindowSet

SLOW_RATES_HZ = (25.0, 32.0, 50.0, 64.0)  # of watches, bands and frugal phones
PASS = 0.45  # of its rate is what a sensor, resampled, keeps of the spectrum
STEEPNESS = 24  # order of the low-pass: as sharp as resampling is
ROWS = 512  # windows transformed at once


def device_copies(
    windows: WindowSet, share: float, seed: int, *, rotation_augmentation: bool = False
) -> tuple[IntArray, WindowSet]:
    """Choose a share of the windows; return which, and what other devices would have recorded of them.

    They are slower: a recording at 60 Hz, resampled to 100 Hz, has nothing above 30 Hz, and a model that never saw such
    windows takes the silence there for rest. Of data at a rate that no usual sensor is clearly below there are none.

    Parameters
    ----------
    share : of the windows, from 0 to 1.
    seed : for the choice of windows, rates and rotations.
    rotation_augmentation : whether each device is turned, too, by one random rotation for all of its sensors; default
        False. Gravity, where it is included, distinguishes lying from standing: the device is turned only about it.
    """
    rates = [rate for rate in SLOW_RATES_HZ if rate < 0.9 * windows.sampling_rate_hz]
    random = np.random.default_rng(seed)
    chosen = np.flatnonzero(random.random(len(windows)) < (share if rates or rotation_augmentation else 0.0))
    copies = windows.take(chosen)
    cutoff_hz = PASS * random.choice(rates or [np.inf], len(chosen))
    for start in range(0, len(chosen) if rates else 0, ROWS):
        rows = slice(start, start + ROWS)
        copies.X[rows] = _low_pass(copies.X[rows], cutoff_hz[rows], windows.sampling_rate_hz)
    if rotation_augmentation:
        _turn(copies, random)
    return chosen, copies


def _turn(windows: WindowSet, random: np.random.Generator) -> None:
    from scipy.spatial.transform import Rotation

    devices: dict[str, dict[str, list[int]]] = {}
    for sensor, channels in channels_by_sensor(windows.channels).items():
        device, _, kind = sensor.rpartition(".")
        devices.setdefault(device, {})[kind] = channels
    for sensors in devices.values():
        if windows.gravity == "removed":
            rotation = Rotation.random(len(windows), random)
        elif "acc" in sensors:
            down = np.nan_to_num(windows.X[:, :, sensors["acc"]].mean(axis=1))  # a sensor that is missing is not turned
            down /= np.linalg.norm(down, axis=1, keepdims=True) + 1e-6
            rotation = Rotation.from_rotvec(random.uniform(-np.pi, np.pi, (len(windows), 1)) * down)
        else:
            continue
        matrix = rotation.as_matrix().astype(np.float32)
        for channels in sensors.values():
            windows.X[:, :, channels] = np.einsum("nij,ntj->nti", matrix, windows.X[:, :, channels])


def _low_pass(X: FloatArray, cutoff_hz: NDArray[np.float64], rate_hz: float) -> FloatArray:
    n_timesteps = X.shape[1]
    mirrored = np.concatenate([X, X[:, ::-1]], axis=1)  # or the ends, taken for neighbours, would ring
    frequency = fft.rfftfreq(2 * n_timesteps, 1 / rate_hz)
    gain = 1 / (1 + (frequency / cutoff_hz[:, None]) ** STEEPNESS)  # (n, frequencies)
    spectrum = fft.rfft(mirrored, axis=1) * gain[:, :, None].astype(np.float32)
    return np.asarray(fft.irfft(spectrum, 2 * n_timesteps, axis=1)[:, :n_timesteps], np.float32)
