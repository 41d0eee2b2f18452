"""Seeded synthetic people, and files of their recordings in the layouts that labs bring."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.har.signals.resampling import to_signal_set
from app.har.signals.types import Gravity, Recording, SignalSet, Stream
from app.har.windows import WindowSet, make_windows

# Activity -> (movement in m/s², steps a second); resting, walking and running differ by orders of magnitude, as in life
STRENGTHS: Mapping[str, tuple[float, float]] = {"Rest": (0.0, 0.0), "Walk": (2.0, 1.8), "Run": (9.0, 2.7)}


def signal(
    activity: str, subject: int, seconds: float, rate_hz: float = 50.0, *, seed: int = 0, gravity: Gravity = "removed"
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return time_s (n,) and acceleration and rotation (n, 6) of one person doing one thing."""
    strength, steps_hz = STRENGTHS[activity]
    person = np.random.default_rng([subject, 77])
    rng = np.random.default_rng([seed, subject, len(activity), sorted(STRENGTHS).index(activity)])
    time = np.arange(round(seconds * rate_hz)) / rate_hz
    axes = person.uniform(0.5, 1.0, 6) * [1, 1, 1, 0.3, 0.3, 0.3]
    phase = 2 * np.pi * steps_hz * person.uniform(0.9, 1.1) * time + rng.uniform(0, 2 * np.pi)
    wave = np.sin(phase) + 0.4 * np.sin(2 * phase + person.uniform(0, 2 * np.pi))
    values = strength * wave[:, None] * axes + rng.normal(0, 0.02, (len(time), 6))
    if gravity == "included":
        values[:, 2] += 9.81
    return time, values


def recording(
    activity: str,
    subject: int = 1,
    seconds: float = 12.0,
    rate_hz: float = 50.0,
    *,
    seed: int = 0,
    gravity: Gravity = "removed",
) -> Recording:
    """Return one person doing one thing."""
    time, values = signal(activity, subject, seconds, rate_hz, seed=seed, gravity=gravity)
    floats = values.astype(np.float32)
    streams = Stream("accelerometer", time, floats[:, :3]), Stream("gyroscope", time, floats[:, 3:])
    return Recording(f"{subject}_{activity}_{seed}", str(subject), streams, gravity, activity=activity)


def recordings(
    subjects: int = 6,
    seconds: float = 12.0,
    activities: Sequence[str] = tuple(STRENGTHS),
    *,
    rate_hz: float = 50.0,
    seed: int = 0,
    gravity: Gravity = "removed",
) -> list[Recording]:
    """Return each subject doing each activity."""
    return [
        recording(activity, subject, seconds, rate_hz, seed=seed, gravity=gravity)
        for subject in range(1, subjects + 1)
        for activity in activities
    ]


def signal_set(subjects: int = 6, seconds: float = 12.0, **options: object) -> SignalSet:
    """Return the same at a uniform rate."""
    return to_signal_set(recordings(subjects, seconds, **options))  # type: ignore[arg-type]


def window_set(subjects: int = 6, seconds: float = 12.0, window_length_s: float = 3.0, **options: object) -> WindowSet:
    """Return the same as labelled windows."""
    return make_windows(signal_set(subjects, seconds, **options), window_length_s)


def text(table: NDArray[np.float64], header: str = "", separator: str = ",") -> str:
    """Return a table of numbers as CSV."""
    out = io.StringIO()
    np.savetxt(out, table, fmt="%.7g", delimiter=separator, header=header, comments="")
    return out.getvalue()


def ku_har_csv(activity: str = "Walk", subject: int = 1, seconds: float = 8.0, *, seed: int = 0) -> str:
    """Return a raw KU-HAR file: two clocks at about 100 Hz that jitter, and no header."""
    time, values = signal(activity, subject, seconds, 100.0, seed=seed)
    jitter = np.random.default_rng(seed).uniform(-0.002, 0.002, (2, len(time)))
    return text(np.column_stack([time + 0.01 + jitter[0], values[:, :3], time + 0.012 + jitter[1], values[:, 3:]]))


def ku_har_zip(path: Path, subjects: int = 4, seconds: float = 8.0) -> Path:
    """Write a small data set in KU-HAR's raw layout."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for subject in range(1001, 1001 + subjects):
            for number, (activity, letter) in {0: ("Rest", "A"), 11: ("Walk", "L"), 14: ("Run", "O")}.items():
                archive.writestr(
                    f"1.Raw_time_domian_data/{number}.{activity}/{subject}_{letter}_1.csv",
                    ku_har_csv(activity, subject, seconds),
                )
    return path


def kinelab_csv(
    activity: str | None = "Walk",
    subject: int = 1,
    seconds: float = 8.0,
    rate_hz: float = 50.0,
    *,
    gravity: Gravity = "removed",
) -> str:
    """Return a file in Kinelab's own layout."""
    time, values = signal(activity or "Walk", subject, seconds, rate_hz, gravity=gravity)
    lines = text(np.column_stack([time, values]), "time_s,acc_x,acc_y,acc_z,gyro_x,gyro_y,gyro_z").splitlines()
    if activity:
        lines = [f"{lines[0]},activity", *(f"{line},{activity}" for line in lines[1:])]
    return "\n".join(lines) + "\n"


def ku_har_windows_csv(rows: int = 6) -> str:
    """Return windows in KU-HAR's subsample layout."""
    classes = {"Rest": 0, "Walk": 11, "Run": 14}
    lines = []
    for row, activity in zip(range(rows), list(classes) * rows, strict=False):
        _, values = signal(activity, row + 1, 3.0, 100.0)
        lines.append(np.concatenate([values.T.ravel(), [classes[activity], 300, row + 1]]))
    return text(np.array(lines))


def hhar_csv(
    sensor: str,
    activity: str = "Walk",
    user: str = "a",
    device: str = "nexus4_1",
    seconds: float = 8.0,
    rate_hz: float = 100.0,
    *,
    header: bool = True,
) -> str:
    """Return a file in HHAR's layout; `sensor` is "accelerometer" or "gyroscope"."""
    time, values = signal(activity, 1, seconds, rate_hz, gravity="included")
    own = values[:, :3] if sensor == "accelerometer" else values[:, 3:]
    lines = ["Index,Arrival_Time,Creation_Time,x,y,z,User,Model,Device,gt"] * header
    for number, (t, xyz) in enumerate(zip(time, own, strict=True)):
        stamps = f"{1424696633908 + round(t * 1e3)},{1424696631913000000 + round(t * 1e9)}"
        lines.append(f"{number},{stamps},{','.join(f'{v:.6f}' for v in xyz)},{user},nexus4,{device},{activity.lower()}")
    return "\n".join(lines) + "\n"


def sp_sw_csv(
    device: str = "sp",
    bouts: Sequence[str] = ("Rest", "Walk", "Rest"),
    subject: int = 1,
    seconds: float = 4.0,
    *,
    offset_s: float = 0.0,
) -> str:
    """Return an execution as one device of SP-SW-HAR sees it; the watch ("sw") turns its axes and starts later."""
    start_ms = 1657533977800 + round(1e3 * offset_s) + (37 if device == "sw" else 0)
    lines = ["x_acc,y_acc,z_acc,x_gyro,y_gyro,z_gyro,timestamp,label"]
    for number, activity in enumerate(bouts):
        time, values = signal(activity, subject, seconds, 100.0, seed=number + round(offset_s), gravity="included")
        values = values[:, [2, 0, 1, 5, 3, 4]] if device == "sw" else values
        for t, cells in zip(start_ms + np.round(1e3 * (number * seconds + time)), values, strict=True):
            lines.append(f"{','.join(f'{v:.9f}' for v in cells)},{t:.0f},{activity.upper()}")
    return "\n".join(lines) + "\n"


def sp_sw_files(subjects: int = 2, executions: int = 2) -> dict[str, str]:
    """Return a small data set in the layout of SP-SW-HAR, the tables about it included."""
    files = {
        "README.md": "# Smartphone and smartwatch\n",
        "DATA/subjects_info.csv": "subject_id,age,gender\ns01,54,M\ns02,31,F\n",
        "DATA/executions_info.csv": "execution_id,orientation,first_turn\ns01_01,back,l\n",
    }
    for subject in range(1, subjects + 1):
        for execution in range(1, executions + 1):
            for device in ("sp", "sw"):
                name = f"DATA/s{subject:02d}/s{subject:02d}_{execution:02d}_{device}.csv"
                files[name] = sp_sw_csv(device, subject=subject, offset_s=60.0 * execution)
    return files


def hapt_files(users: int = 2, seconds: float = 10.0) -> dict[str, str]:
    """Return a small data set in the layout of HAPT: each user stands, sits down, sits and walks; 1 s is unlabelled."""
    files = {
        "HAPT Data Set/README.txt": "Postural transitions\n" + "=" * 40 + "\n",
        "HAPT Data Set/features.txt": "tBodyAcc-Mean-1\ntBodyAcc-Mean-2\n",
        "HAPT Data Set/Train/X_train.txt": "  0.1 -0.2 0.3\n  0.2 -0.3 0.4\n",
        "HAPT Data Set/activity_labels.txt": "1 WALKING\n2 WALKING_UPSTAIRS\n",
    }
    labels = []
    for user in range(1, users + 1):
        parts = [signal(a, user, seconds, gravity="included")[1] for a in ("Rest", "Walk", "Rest", "Walk")]
        values, bout = np.concatenate(parts), round(50 * seconds)
        name = f"exp{user:02d}_user{user:02d}.txt"
        files[f"HAPT Data Set/RawData/acc_{name}"] = text(values[:, :3] / 9.80665, separator=" ")
        files[f"HAPT Data Set/RawData/gyro_{name}"] = text(values[:, 3:], separator=" ")
        for number, activity in enumerate((5, 7, 4, 1)):
            first, last = number * bout + (51 if number == 0 else 1), (number + 1) * bout
            labels.append(f"{user} {user} {activity} {first} {last}")
    files["HAPT Data Set/RawData/labels.txt"] = "\n".join(labels) + "\n"
    return files
