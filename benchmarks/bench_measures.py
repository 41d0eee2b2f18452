"""Daily measures beside another program's, and what a week of them costs; JSON on stdout.

The first argument is a Python that has scikit-digital-health (``pip install scikit-digital-health==0.17.18`` in an
environment of its own: it is no library of ours). ``same slots`` are of two real recordings of a wrist at 32 Hz
(stress-predict, folder `HAR_DATA_DIR`). ``rest window`` is of a day that is made of one of them, turned at random, and
of a night of stillness with turns, up for a while once; the hour after the night begins with sitting still, which is
rest to both. ``a week at 100 Hz`` is noise.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from app.har.measures import rest
from app.har.measures.days import Days
from app.har.measures.slots import SLOT_S, slots_of
from app.har.measures.timeline import NODES, Measured
from app.har.signals.types import Recording, Stream
from app.har.signals.units import STANDARD_GRAVITY
from app.har.types import FloatArray

RATE_HZ = 32
HOUR_S, DAY_S, WEEK_S = 3600.0, 86_400.0, 604_800.0
NIGHT_H = ((11.3, 14.4), (14.8, 18.8))  # from noon; between the two, somebody is up
THEIRS = """
import json, sys
import numpy as np
from skdh.activity.metrics import metric_enmo, metric_mad
from skdh.sleep.tso import get_total_sleep_opportunity
values = np.load(sys.argv[1])
if sys.argv[2] == "slots":
    n = int(float(sys.argv[3]))
    found = [1000 * metric(values, wlen=n) for metric in (metric_enmo, metric_mad)]
else:
    rate = float(sys.argv[3])
    time = np.arange(len(values)) / rate
    worn = np.array([0]), np.array([len(values)])
    limits = 30, 60, .13, .5, 10, 15., 0, 0
    found = get_total_sleep_opportunity(rate, time, values, None, *worn, *limits, lambda z: 0)[:2]
print(json.dumps([np.asarray(each).tolist() for each in found]))
"""


def theirs(python: str, values: FloatArray, what: str, number: float) -> list[Any]:
    """Let the other program measure acceleration in g, (n, 3)."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "values.npy"
        np.save(path, np.ascontiguousarray(values, np.float64))
        done = subprocess.run(
            [python, "-c", THEIRS, str(path), what, str(number)], stdout=subprocess.PIPE, text=True, check=True
        )
    answer: list[Any] = json.loads(done.stdout)
    return answer


def of_wrist(folder: Path) -> Recording:
    """Read a recording as it would be uploaded."""
    from app.har.recordings.upload import open_upload
    from app.services.recordings.recognise import read_recordings

    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / "wrist.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for member in sorted(folder.glob("*.csv")):
                archive.write(member, member.name)
        with open_upload(path, path.name) as upload:
            return read_recordings(upload)[0]


def acceleration(recording: Recording) -> Stream:
    return next(stream for stream in recording.streams if stream.kind == "accelerometer")


def same_slots(python: str, recording: Recording) -> dict[str, Any]:
    """Compare slots of 5 s with the other program's, from the first whole one on."""
    slots, stream = slots_of(recording), acceleration(recording)
    assert slots is not None
    begin = float(slots.number[0]) * SLOT_S - (recording.origin_utc_s or 0.0)
    first = int(np.searchsorted(stream.time_s, begin - 1e-6))
    enmo, mad = theirs(python, stream.values[first:] / STANDARD_GRAVITY, "slots", SLOT_S * RATE_HZ)
    n = min(len(slots), len(enmo))
    return {
        "slots": n,
        "mean ENMO (mg)": round(float(slots.enmo_mg[:n].mean()), 3),
        "most ENMO differs (mg)": float(np.abs(slots.enmo_mg[:n] - enmo[:n]).max()),
        "mean MAD (mg)": round(float(slots.mad_mg[:n].mean()), 3),
        "most MAD differs (mg)": float(np.abs(slots.mad_mg[:n] - mad[:n]).max()),
    }


def a_day(worn: FloatArray, seed: int) -> FloatArray:
    """Return a day from noon to noon in g, (n, 3): a real hour, turned and repeated, and two parts of a night."""
    rng = np.random.default_rng(seed)

    def turned(values: FloatArray) -> FloatArray:
        rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
        return np.asarray(values @ rotation)

    def awake(hours: float) -> FloatArray:
        n = round(hours * HOUR_S * RATE_HZ)
        return np.concatenate([turned(worn) for _ in range(n // len(worn) + 1)])[:n]

    def still(hours: float) -> FloatArray:
        n, parts, done = round(hours * HOUR_S * RATE_HZ), [], 0
        while done < n:
            lasts, turn = int(rng.uniform(600, 2400) * RATE_HZ), int(rng.uniform(5, 40) * RATE_HZ)
            down = rng.normal(size=3)
            parts += [down / np.linalg.norm(down) + rng.normal(0, 0.004, (lasts, 3)), turned(worn[:turn])]
            done += lasts + turn
        return np.concatenate(parts)[:n]

    (down, up), (again, over) = NIGHT_H
    return np.concatenate((awake(down), still(up - down), awake(again - up), still(over - again), awake(24 - over)))


def rest_window(python: str, worn: FloatArray, seed: int) -> dict[str, Any]:
    """Return by how many minutes the rest window is off, ours and theirs."""
    values = a_day(worn, seed)
    time_s = np.arange(len(values)) / RATE_HZ
    stream = Stream("accelerometer", time_s, (values * STANDARD_GRAVITY).astype(np.float32))
    slots = slots_of(Recording("day", "", (stream,), "included", origin_utc_s=0.0))
    assert slots is not None
    windows = {"Kinelab": rest.by_angle(slots, 0.0, DAY_S), "skdh": theirs(python, values, "rest", RATE_HZ)}
    known = NIGHT_H[0][0] * HOUR_S, NIGHT_H[1][1] * HOUR_S
    return {
        f"{name}, {edge} off (min)": round((float(window[i]) - known[i]) / 60, 1)
        for name, window in windows.items()
        if window is not None
        for i, edge in enumerate(("start", "end"))
    }


def a_week() -> dict[str, Any]:
    """Return what the slots of a week cost, and its rows: eight thousand bouts."""
    rate, n = 100, round(WEEK_S * 100)
    rng = np.random.default_rng(0)
    values = np.tile(rng.normal(0, 1, (3, 2**20)).astype(np.float32), n // 2**20 + 1)[:, :n]
    values[2] += STANDARD_GRAVITY
    stream = Stream("accelerometer", np.arange(n) / rate, values.T)
    recording = Recording("week", "", (stream,), "included", origin_utc_s=1.7e9)
    began = time.process_time()
    slots = slots_of(recording)
    slots_s = time.process_time() - began
    assert slots is not None
    tracemalloc.start()
    slots_of(recording)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    edges = np.sort(rng.uniform(0, WEEK_S, 8000)) + 1.7e9
    week = Measured(edges[:-1], edges[1:], rng.integers(0, len(NODES), 7999), edges[::2], slots, "wrist")
    began = time.process_time()
    rows = Days([week]).rows("day") + Days([week]).rows("hour")
    return {
        "samples": n,
        "slots (s)": round(slots_s, 2),
        "memory above the signal (MiB)": round(peak / 2**20, 1),
        "rows of days and hours": len(rows),
        "rows (s)": round(time.process_time() - began, 2),
    }


def main() -> None:
    python, data = sys.argv[1], Path(os.environ["HAR_DATA_DIR"]) / "stress-predict"
    people = {name: of_wrist(data / name) for name in ("S01", "S02")}
    worn = acceleration(people["S01"]).values.astype(np.float64) / STANDARD_GRAVITY
    figures = {
        "same slots": {name: same_slots(python, recording) for name, recording in people.items()},
        "rest window": {f"night {seed}": rest_window(python, worn, seed) for seed in (1, 2, 3)},
        "a week at 100 Hz": a_week(),
    }
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
