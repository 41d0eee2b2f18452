"""What features and rhythms are called on a page."""

from __future__ import annotations

import numpy as np
from scipy import fft

from app.har.classifiers.elm_gru_am.features import channels_by_sensor
from app.har.explanations.contributions import AXES, LEVEL, RHYTHM, SHAPE, STRENGTH, Group
from app.har.signals.types import Gravity
from app.har.types import FloatArray

SENSORS = {"acc": "acceleration", "gyro": "rotation", "mag": "magnetic field", "gravity": "gravity"}
MORE = 0.35  # deviations from the mean of training, from which it is more or less than usual
RHYTHMIC, RHYTHM_HZ = 0.35, (0.6, 4.0)  # of the power is at one frequency, among those of walking and running
STRONGEST = 0.5  # of the movement is along one axis
ABOUT_AS_USUAL = ": about as usual"
STILL = 0.15  # m/s², below which nothing that moves is described


def sensor_in_words(sensor: str) -> str:
    """Return what a sensor measures, with the device that it is in where there are several."""
    device, _, kind = sensor.rpartition(".")
    what = SENSORS.get(kind, kind.replace("_", " "))
    return f"{what} of the {device}" if device else what


def group_in_words(group: Group, level: float, gravity: Gravity) -> str:
    """Return what a group of features says: ``"fast movement in the rotation: less than usual"``."""
    if group.aspect == SHAPE:
        return f"shape of the movement{f' of the {group.sensor}' if group.sensor else ''}"
    of = sensor_in_words(group.sensor)
    if group.aspect == LEVEL:
        tilt = gravity == "included" and group.sensor.rpartition(".")[2] == "acc"
        return f"how the device is tilted ({of})" if tilt else f"mean {of}"
    if group.aspect in (RHYTHM, AXES):
        return f"rhythm of the {of}" if group.aspect == RHYTHM else f"how the axes of the {of} move together"
    what = f"strength of the {of}" if group.aspect == STRENGTH else f"{group.aspect} in the {of}"
    if abs(level) < MORE:
        return what + ABOUT_AS_USUAL
    return f"{what}: {'more' if level > 0 else 'less'} than usual"


def movement_in_words(X: FloatArray, channels: tuple[str, ...], rate_hz: float, gravity: Gravity) -> list[str]:
    """Return what is measured in a window's acceleration: how strong, how often it repeats, in which direction.

    Parameters
    ----------
    X : (n_timesteps, n_channels)
    """
    found = []
    for sensor, columns in channels_by_sensor(channels).items():
        if sensor.rpartition(".")[2] != "acc" or len(columns) != 3 or np.isnan(axes := X[:, columns]).any():
            continue
        moving = axes - axes.mean(axis=0)
        device = f" of the {sensor.rpartition('.')[0]}" if "." in sensor else ""
        strength = float(np.sqrt(np.square(moving).sum(axis=1).mean()))
        if strength < STILL:
            found.append(f"Hardly any movement{device}: {strength:.2g} m/s².")
            continue
        words = f"Movement{device} of {strength:.2g} m/s²"
        if rhythm := rhythm_hz(moving, rate_hz):
            words = f"Movement{device} at {rhythm:.1f} Hz, {strength:.2g} m/s²"
        found.append(f"{words}, {_direction(axes, moving, gravity)}.")
    return found


def rhythm_hz(moving: FloatArray, rate_hz: float) -> float | None:
    """Return the frequency that a movement (n, 3) of mean 0 repeats with, None where there is none."""
    n = len(moving)
    padded = fft.next_fast_len(4 * n)
    power = np.square(np.abs(fft.rfft(moving * np.hanning(n)[:, None], padded, axis=0))).sum(axis=1)
    hz = fft.rfftfreq(padded, 1 / rate_hz)
    among = np.flatnonzero((hz >= RHYTHM_HZ[0]) & (hz <= RHYTHM_HZ[1]))
    if not len(among):
        return None
    best = float(hz[among[power[among].argmax()]])
    near = np.abs(hz - best) <= 1.5 * rate_hz / n
    return best if power[near].sum() >= RHYTHMIC * power[hz > 0.3].sum() else None


def _direction(axes: FloatArray, moving: FloatArray, gravity: Gravity) -> str:
    total = float(np.square(moving).sum())
    if gravity == "included":
        up = axes.mean(axis=0) / np.linalg.norm(axes.mean(axis=0))
        share = float(np.square(moving @ up).sum()) / total
        if share >= STRONGEST:
            return "strongest up and down"
        return "mostly level" if share < (1 - STRONGEST) / 2 else "in all directions"
    shares = np.square(moving).sum(axis=0) / total
    if shares.max() < STRONGEST:
        return "in all directions"
    return f"strongest along the {'xyz'[int(shares.argmax())]} axis of the device"
