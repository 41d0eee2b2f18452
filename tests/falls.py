"""Made falls: what a phone would send while a person walks, falls, lies, or drops hard onto a chair."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from zipfile import ZipFile

import numpy as np

from app.har.signals.units import STANDARD_GRAVITY
from app.har.types import FloatArray, TimeArray

START_S = 1_790_000_000.0
FALL_S = 8.0  # after the start


@dataclass(frozen=True)
class Sensor:
    time_s: TimeArray
    values: FloatArray

    def part(self, rows: slice | np.ndarray) -> Sensor:
        return Sensor(self.time_s[rows], self.values[rows])


def fall(
    rate_hz: float = 100.0, *, peak_g: float = 3.5, turned_deg: float = 90.0, steps_after: bool = False, seed: int = 0
) -> Sensor:
    """Return 20 s: walking, half a second almost weightless, an impact at `FALL_S`, then another posture, at rest."""
    random = np.random.default_rng(seed)
    t = np.arange(0, 20, 1 / rate_hz)
    walking = (t < FALL_S - 0.5) | (steps_after & (t > FALL_S + 0.3))
    magnitude = np.where(walking, 1 + 0.3 * np.sin(2 * np.pi * 1.9 * t), 1.0)
    magnitude[(t >= FALL_S - 0.5) & (t < FALL_S)] = 0.4
    magnitude += (peak_g - 1) * np.exp(-(((t - FALL_S) / 0.04) ** 2))
    angle = np.radians(turned_deg) * np.clip((t - FALL_S + 0.5) / 0.6, 0, 1)
    values = magnitude[:, None] * np.stack([np.sin(angle), np.cos(angle), 0 * t], axis=1)
    values = (values + random.normal(0, 0.01, values.shape)) * STANDARD_GRAVITY
    return Sensor(START_S + t, values.astype(np.float32))


def running(seconds: float = 60.0, rate_hz: float = 100.0) -> Sensor:
    t = np.arange(0, seconds, 1 / rate_hz)
    magnitude = 1 + 2.2 * np.maximum(np.sin(2 * np.pi * 2.8 * t), -0.4)
    values = magnitude[:, None] * np.array([0.1, 0.99, 0.1]) * STANDARD_GRAVITY
    return Sensor(START_S + t, values.astype(np.float32))


def sitting_down_after_walking(rate_hz: float = 100.0) -> Sensor:
    """Return 20 s in a trouser pocket: steps that hit hard, the last of them as the thigh turns, then rest."""
    t = np.arange(0, 20, 1 / rate_hz)
    hard = 1.2 + 0.15 * np.sin(np.arange(len(t)) // (rate_hz / 2))  # no step is quite like another
    steps = hard * np.exp(-(((t % 0.5 - 0.25) / 0.04) ** 2)) * (t < FALL_S + 0.4)
    steps[t > FALL_S] *= 1.15
    angle = np.radians(85) * np.clip((t - FALL_S) / 0.8, 0, 1)
    values = (1 + steps)[:, None] * np.stack([np.sin(angle), np.cos(angle), 0 * t], axis=1) * STANDARD_GRAVITY
    return Sensor(START_S + t, values.astype(np.float32))


def batches(sensor: Sensor, seconds: float = 1.0) -> list[Sensor]:
    """Cut samples as a device sends them."""
    number = ((sensor.time_s - sensor.time_s.min()) // seconds).astype(int)
    return [sensor.part(number == i) for i in np.unique(number)]


def sisfall_zip(path: Path, people: int = 4) -> Path:
    """Write an archive in SisFall's form: six falls, three sittings-down and a run of each person."""
    with ZipFile(path, "w") as archive:
        for person in range(1, people + 1):
            trials = {f"F{i:02d}": fall(200.0, peak_g=2.6 + 0.2 * i, seed=10 * person + i) for i in range(1, 7)}
            trials |= {f"D{i:02d}": fall(200.0, turned_deg=8.0, seed=10 * person + i) for i in range(7, 10)}
            trials["D04"] = running(20.0, 200.0)
            for code, sensor in trials.items():
                counts = np.rint(sensor.values / STANDARD_GRAVITY * 256).astype(int)
                rows = (f"{x:>6},{y:>6},{z:>6},0,0,0,0,0,0;" for x, y, z in counts.tolist())
                name = f"SisFall_dataset/SA{person:02d}/{code}_SA{person:02d}_R01.txt"
                archive.writestr(name, "\n".join(rows) + "\n")
    return path
