"""Falls of other people, devices and places than SisFall's, where a person has put them; none of them is kept here.

- ``weda/dataset/50Hz/F01/U01_R01_accel.csv``: WEDA-FALL (Marques and Moreno 2023, no licence stated), a watch;
- ``mobifall/sub1/FALLS/FOL/FOL_acc_1_1.txt``: MobiFall 2 (Vavoulas et al. 2014, for research), a phone in a trouser
  pocket, about 5 to 90 samples a second;
- ``uma/UMAFall_Dataset/UMAFall_Subject_01_….csv``: UMAFall (Casilari et al. 2017), a phone in the pocket at 200 Hz
  (sensor 0) and tags of 20 Hz at other places.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl

from app.har.signals.units import STANDARD_GRAVITY
from app.har.types import FloatArray, TimeArray
from benchmarks.data import DATA

FOLDER = Path(os.environ.get("HAR_FALLS_DIR") or DATA / "falls")
UMA_SENSORS = {"uma-pocket": 0, "uma-tag-1": 1, "uma-tag-3": 3}
UMA_NAME = re.compile(r"UMAFall_Subject_(\d+)_(ADL|Fall)_(\w+?)_\d+_20")
LEAST_SAMPLES = 50
Found = tuple[str, str, bool, TimeArray, FloatArray]  # person, activity, whether it is a fall, s, m/s²


def elsewhere() -> Iterator[tuple[str, Iterator[Found]]]:
    """Yield the data sets that are there, trial by trial."""
    if (FOLDER / "weda").is_dir():
        yield "weda-fall", _weda()
    if (FOLDER / "mobifall").is_dir():
        yield "mobifall", _mobifall()
    if (FOLDER / "uma").is_dir():
        for name, sensor in UMA_SENSORS.items():
            yield name, _uma(sensor)


def _weda() -> Iterator[Found]:
    for path in sorted((FOLDER / "weda" / "dataset" / "50Hz").glob("*/U??_R??_accel.csv")):
        x = pl.read_csv(path).to_numpy().astype(np.float64)
        if len(x) >= LEAST_SAMPLES:
            code = path.parent.name
            yield path.name[:3], code, code[0] == "F", x[:, 0], x[:, 1:4].astype(np.float32)


def _mobifall() -> Iterator[Found]:
    for path in sorted((FOLDER / "mobifall").glob("sub*/**/*_acc_*.txt")):
        rows = path.read_text(encoding="latin-1").partition("@DATA")[2].split("\n")
        x = np.array([row.split(",") for row in rows if row.count(",") == 3], np.float64)
        if len(x) >= LEAST_SAMPLES:
            person = next(part for part in path.parts if part.startswith("sub"))
            yield person, path.name[:3], "FALLS" in path.parts, x[:, 0] * 1e-9, x[:, 1:].astype(np.float32)


def _uma(sensor: int) -> Iterator[Found]:
    for path in sorted((FOLDER / "uma" / "UMAFall_Dataset").glob("*.csv")):
        name = UMA_NAME.match(path.name)
        rows = [line.split(";")[:7] for line in path.read_text(encoding="latin-1").split("\n") if line[:1].isdigit()]
        x = np.array([row for row in rows if all(cell.count(".") <= 1 and "," not in cell for cell in row)], np.float64)
        x = x[(x[:, 5] == 0) & (x[:, 6] == sensor)]  # 0: the accelerometer
        if name is None or len(x) < LEAST_SAMPLES:
            continue
        time = x[:, 0] / 1000
        if sensor == 0:  # many rows of the phone share a stamp
            time = np.polyval(np.polyfit(x[:, 1], time, 1), x[:, 1])
        values = (x[:, 2:5] * STANDARD_GRAVITY).astype(np.float32)
        yield name[1], f"{name[2]} {name[3]}", name[2] == "Fall", time, values
