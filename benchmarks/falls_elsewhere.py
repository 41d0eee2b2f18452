"""Falls of other people, devices and places than SisFall's, where a person has put them; none of them is kept here.

- ``weda/dataset/50Hz/F01/U01_R01_accel.csv``: WEDA-FALL (Marques and Moreno 2023, no licence stated), a watch;
- ``mobifall/sub1/FALLS/FOL/FOL_acc_1_1.txt``: MobiFall 2 (Vavoulas et al. 2014, for research), a phone in a trouser
  pocket, about 5 to 90 samples a second;
- ``uma/UMAFall_Dataset/UMAFall_Subject_01_….csv``: UMAFall (Casilari, Santoyo-Ramón and Cano-García 2017; figshare
  4214283, CC BY 4.0), a phone in the pocket at 200 Hz and ±4 g, and tags of 20 Hz at chest, waist, wrist and ankle.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from app.har.signals.units import STANDARD_GRAVITY
from benchmarks.data import DATA
from benchmarks.falls_trials import Found

FOLDER = Path(os.environ.get("HAR_FALLS_DIR") or DATA / "falls")
UMA_SENSORS = {"uma-pocket": 0, "uma-chest": 1, "uma-waist": 2, "uma-wrist": 3, "uma-ankle": 4}
UMA_NAME = re.compile(r"UMAFall_Subject_(\d+)_(ADL|Fall)_(\w+?)_\d+_20")
LEAST_SAMPLES, GARBLED_G = 50, 20  # no sensor of these measures as much


def elsewhere() -> Iterator[tuple[str, Iterator[Found]]]:
    """Yield the data sets that are for measuring alone, trial by trial."""
    if (FOLDER / "weda").is_dir():
        yield "weda-fall", _weda()
    if (FOLDER / "mobifall").is_dir():
        yield "mobifall", _mobifall()


def umafall() -> Iterator[tuple[str, Iterator[Found]]]:
    """Yield the places of UMAFall, trial by trial; the people are the same.

    Raises
    ------
    FileNotFoundError : it is not there.
    """
    if not (FOLDER / "uma").is_dir():
        raise FileNotFoundError(
            f"{FOLDER / 'uma'} is missing; see benchmarks/falls_elsewhere.py for what belongs there."
        )
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
    for person, activity, fall, rows in _uma_files():
        x = rows[rows[:, 6] == sensor]
        if len(x) < LEAST_SAMPLES:
            continue
        time = x[:, 0] / 1000
        if sensor == 0:  # many rows of the phone share a stamp
            time = np.polyval(np.polyfit(x[:, 1], time, 1), x[:, 1])
        yield person, activity, fall, time, (x[:, 2:5] * STANDARD_GRAVITY).astype(np.float32)


@cache
def _uma_files() -> list[tuple[str, str, bool, NDArray[np.float64]]]:
    """Return person, activity, whether it is a fall, and the accelerometers' rows of each file, (n, 7)."""
    found = []
    for path in sorted((FOLDER / "uma" / "UMAFall_Dataset").glob("*.csv")):
        if name := UMA_NAME.match(path.name):
            text = pl.read_csv(path, separator=";", comment_prefix="%", infer_schema=False, truncate_ragged_lines=True)
            x = text.cast(pl.Float64, strict=False).drop_nulls().to_numpy()
            x = x[(x[:, 5] == 0) & (np.abs(x[:, 2:5]).max(axis=1) < GARBLED_G)]  # sensor type 0: the accelerometer
            found.append((name[1], f"{name[2]} {name[3]}", name[2] == "Fall", x))
    return found
