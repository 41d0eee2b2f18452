"""Inputs of the kinds that people send and that are easily misread, each made of one walk whose truth is known.

Every function returns the text of a file. What is right for each is asked in
`tests/har/test_cases.py`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
G, DEG, START_NS = 9.80665, 57.29578, 1_700_000_000_000_000_000
KINELAB = "time_s,acc_x,acc_y,acc_z,gyro_x,gyro_y,gyro_z"
BASE = dt.datetime(2024, 2, 5, 9, 30)  # as files write it, without a zone


@lru_cache
def person(seconds: float = 30, hz: float = 100, seed: int = 0) -> tuple[Values, Values, Values, Values]:
    """Return time (s), total acceleration (m/s², up at rest), rotation (rad/s) and gravity of a walk.

    Gravity turns in the axes as the gyroscope says. At 100 Hz for 30 s the mean acceleration is about (1.5, 9.5, 1.4).
    """
    rng, n = np.random.default_rng(seed), int(seconds * hz)
    t = np.arange(n) / hz
    swing = [0.9 * np.sin(2 * np.pi * 0.9 * t), 0.6 * np.sin(2 * np.pi * 0.5 * t + 1), 0.4 * np.sin(4.4 * t + 2)]
    rotation = np.column_stack(swing) + 0.02 * rng.standard_normal((n, 3))
    gravity, up = np.empty((n, 3)), np.array([0.2, 0.95, 0.24])
    for i in range(n):
        up = up / np.linalg.norm(up)
        gravity[i] = up * G
        up = up - np.cross(rotation[i], up) / hz
    step = 2 * np.pi * 1.8 * t
    free = np.column_stack([1.2 * np.sin(step), 2.5 * np.sin(step + 0.5), 0.9 * np.sin(2 * step)])
    return t, gravity + free + 0.05 * rng.standard_normal((n, 3)), rotation, gravity


def row(values: Sequence[float] | Values, digits: int = 4, separator: str = ",") -> str:
    """Return numbers as a row of text."""
    return separator.join(f"{value:.{digits}f}" for value in values)


def stamp(seconds: float, form: str = "%Y-%m-%d %H:%M:%S", base: dt.datetime = BASE) -> str:
    """Return a date and time with milliseconds."""
    moment = base + dt.timedelta(seconds=float(seconds))
    return f"{moment:{form}}.{moment.microsecond // 1000:03d}"


def table(header: str, *columns: Sequence[object]) -> str:
    """Return a CSV of ready cells."""
    return "\n".join([header, *(",".join(map(str, cells)) for cells in zip(*columns, strict=True)), ""])


def sensor_logger(t: Values, values: Values, stale: Sequence[float] = ()) -> str:
    """Return Sensor Logger's CSV of one sensor, perhaps after rows of zeros so many seconds before its start."""
    old = [f"{START_NS - round(age * 1e9)},{-age},0,0,0" for age in stale]
    new = [f"{START_NS + int(x * 1e9)},{x:.4f},{row(own[::-1], 5)}" for x, own in zip(t, values, strict=True)]
    return "\n".join(["time,seconds_elapsed,z,y,x", *old, *new, ""])


def metadata(platform: str = "android", without: Sequence[str] = ()) -> str:
    """Return Sensor Logger's Metadata.csv, which older versions wrote without some columns."""
    about = {"version": "3", "device name": "Phone", "recording epoch time": "1700000000000"}
    about |= {"recording time": "2023-11-14_22-13-20", "platform": platform, "appVersion": "1.15.2"}
    about = {name: text for name, text in about.items() if name not in without}
    return ",".join(about) + "\n" + ",".join(about.values()) + "\n"


def wrist_motion(t: Values, a: Values, w: Values, g: Values, acceleration: float = -G, gravity: float = -G) -> str:
    """Return Sensor Logger's WristMotion.csv: in g with Apple's sign, or in what these divisors make of m/s²."""
    names = [f"{sensor}{axis}" for sensor in ("rotationRate", "gravity", "acceleration") for axis in "XYZ"]
    parts = np.column_stack([w, g / gravity, (a - g) / acceleration])
    lines = [f"{START_NS + int(x * 1e9)},{x:.4f},{row(own, 5)},1,0,0,0" for x, own in zip(t, parts, strict=True)]
    return "\n".join([",".join(["time,seconds_elapsed", *names, *("quaternion" + k for k in "WXYZ")]), *lines, ""])


def heart_rate() -> str:
    """Return Sensor Logger's HeartRate.csv."""
    lines = [f"{START_NS + i * 5 * 10**9},{i * 5},{70 + i}" for i in range(7)]
    return "\n".join(["time,seconds_elapsed,bpm", *lines, ""])


def marks(*times: tuple[float, str]) -> str:
    """Return Sensor Logger's Annotation.csv."""
    lines = [f"{START_NS + round(x * 1e9)},{x},{text},120" for x, text in times]
    return "\n".join(["time,seconds_elapsed,text,millisecond_press_duration", *lines, ""])


def idle(seconds: tuple[float, float] = (7.0, 23.0), value: Sequence[float] = (0, 0, 0), hz: float = 100) -> str:
    """Return a walk with a stretch of one value."""
    t, a, w, _ = person(hz=hz)
    own = a.copy()
    own[(t >= seconds[0]) & (t < seconds[1])] = value
    return table(KINELAB, *np.column_stack([t, own, w]).round(4).T)


def actigraph(
    header: str, body: Sequence[str], form: str = "M/d/yyyy", hz: int | None = 30, epoch: str = "00:00:00"
) -> str:
    """Return a CSV of ActiLife: ten lines about the device and the start on 5 February 2024, then a table."""
    date = f"{BASE:{ {'M/d/yyyy': '%-m/%-d/%Y', 'dd.MM.yyyy': '%d.%m.%Y', 'yyyy-MM-dd': '%Y-%m-%d'}[form] }}"
    rate = f" at {hz} Hz" if hz else ""
    about = [
        f"------------ Data File Created By ActiGraph GT3X+ ActiLife v6.13.4 Firmware v1.9.2 date format {form}{rate}"
        "  Filter Normal -----------",
        "Serial Number: AAA1A00000000", "Start Time 09:30:00", f"Start Date {date}",
        f"Epoch Period (hh:mm:ss) {epoch}", "Download Time 10:30:00", f"Download Date {date}",
        "Current Memory Address: 0", "Current Battery Voltage: 4.1     Mode = 12", "-" * 50,
    ]  # fmt: skip
    return "\n".join([*about, *([header] if header else []), *body, ""])
