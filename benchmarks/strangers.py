"""Data sets of which no model here has learnt and by which nothing here was chosen, where a person has put them.

Each is a folder in HAR_STRANGERS_DIR, default `strangers` in HAR_DATA_DIR, as its publisher packs it:

- `dsads/data/a01/p1/s01.txt`: UCI Daily and Sports Activities (Altun, Barshan and Tunçel 2010, CC BY 4.0), 8 people, 19
  activities, 25 Hz, sensors on the chest, the wrists and above the knees;
- `mobifall/sub1/ADL/WAL/WAL_acc_1_1.txt`: MobiFall 2 (Vavoulas et al. 2014, for research), 9 people, a phone in a
  trouser pocket, however it slipped in;
- `weda-fall/50Hz/D01/U01_R01_accel.csv`: WEDA-FALL (Marques and Moreno 2023, no licence stated), 25 people, a watch;
- `hmp/Walk/Accelerometer-2011-…-walk-f1.txt`: Human Motion Primitives (Bruno et al. 2013, for research), 16 people,
  an accelerometer on the wrist that counts in twentieths of g.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from app.har.classifiers.everyday.inputs import movement_and_gravity
from app.har.datasets.pool import Member, together
from app.har.recordings.parts import natural_sort_key
from app.har.signals.resampling import to_signal_set
from app.har.signals.types import Recording, SignalSet, Stream
from app.har.signals.units import STANDARD_GRAVITY
from app.har.types import TimeArray
from benchmarks.data import DATA

FOLDER = Path(os.environ.get("HAR_STRANGERS_DIR") or DATA / "strangers")
DSADS_HZ, DSADS_UNITS = 25.0, {"torso": 0, "wrist": 1, "leg": 3}  # the first of nine columns each, in nines
DSADS_ACTIVITIES = (
    "Sitting", "Standing", "Lying", "Lying", "Stairs up", "Stairs down", "Standing", "Moving about in a lift",
    "Walking", "Walking", "Walking", "Running", "Stepper", "Cross trainer", "Exercise bike", "Exercise bike", "Rowing",
    "Jumping", "Basketball",
)  # fmt: skip
MOBIFALL_ACTIVITIES = {
    "STD": "Standing", "WAL": "Walking", "JOG": "Running", "JUM": "Jumping", "STU": "Stairs up", "STN": "Stairs down",
    "SCH": "Sitting down", "CSI": "Getting into a car", "CSO": "Getting out of a car",
}  # fmt: skip
WEDA_ACTIVITIES = {
    "D01": "Walking", "D02": "Running", "D03": "Stairs", "D06": "Tying shoes", "D08": "Reaching up",
    "D09": "Hitting a table", "D10": "Clapping", "D11": "Opening a door",
}  # fmt: skip
HMP_ACTIVITIES = {
    "Brush_teeth": "Brushing teeth", "Climb_stairs": "Stairs up", "Comb_hair": "Combing hair",
    "Descend_stairs": "Stairs down", "Drink_glass": "Drinking", "Eat_meat": "Eating", "Eat_soup": "Eating",
    "Pour_water": "Pouring water", "Use_telephone": "Telephoning", "Walk": "Walking",
}  # fmt: skip
HMP_HZ, HMP_STEPS, HMP_RANGE_G = 32.0, 63, 1.5

Sensor = tuple[TimeArray, NDArray[Any]]  # times in seconds and (n, 3) values


@dataclass(frozen=True)
class Stranger:
    """One device of a data set."""

    folder: str
    read: Callable[[Path], Iterator[Recording]]
    place: str  # of the model's places


@cache
def signals_of(name: str) -> SignalSet:
    """Read a data set; subjects and recordings are called ``name/…``."""
    stranger = STRANGERS[name]
    recordings = list(stranger.read(FOLDER / stranger.folder))
    signals = movement_and_gravity(to_signal_set(recordings, allow_missing=True))
    return together([Member(name, signals, {activity: activity for activity in signals.activities})])


def there() -> tuple[str, ...]:
    """Return the names of the data sets that a person has put in place."""
    return tuple(name for name, stranger in STRANGERS.items() if (FOLDER / stranger.folder).is_dir())


def _dsads(unit: str) -> Callable[[Path], Iterator[Recording]]:
    first = 9 * DSADS_UNITS[unit]

    def read(folder: Path) -> Iterator[Recording]:
        for number, activity in enumerate(DSADS_ACTIVITIES, start=1):
            for person in sorted((folder / "data" / f"a{number:02d}").iterdir()):
                pieces = sorted(person.glob("s*.txt"))
                x = np.concatenate([np.loadtxt(piece, delimiter=",", dtype=np.float32) for piece in pieces])
                time = np.arange(len(x)) / DSADS_HZ
                yield _recording(
                    f"a{number:02d}-{person.name}", person.name, activity, (time, x[:, first : first + 3]),
                    (time, x[:, first + 3 : first + 6]),
                )  # fmt: skip

    return read


def _mobifall(folder: Path) -> Iterator[Recording]:
    for person in sorted(folder.glob("sub*"), key=lambda path: natural_sort_key(path.name)):
        for code, activity in MOBIFALL_ACTIVITIES.items():
            for acc in sorted((person / "ADL" / code).glob("*_acc_*.txt")):
                sensors = []
                for path in (acc, acc.with_name(acc.name.replace("_acc_", "_gyro_"))):
                    rows = path.read_text(encoding="latin-1").partition("@DATA")[2].split("\n")
                    x = np.array([row.split(",") for row in rows if row.count(",") == 3], np.float64)
                    sensors.append((x[:, 0] * 1e-9, x[:, 1:].astype(np.float32)))
                yield _recording(acc.stem, person.name, activity, *sensors)


def _weda(folder: Path) -> Iterator[Recording]:
    for code, activity in WEDA_ACTIVITIES.items():
        for acc in sorted((folder / "50Hz" / code).glob("*_accel.csv")):
            if "vertical" in acc.name:
                continue
            gyro = acc.with_name(acc.name.replace("_accel", "_gyro"))
            tables = [pl.read_csv(path).to_numpy() for path in (acc, gyro) if path.exists()]
            sensors = [(x[:, 0].astype(np.float64), x[:, 1:4].astype(np.float32)) for x in tables]
            yield _recording(f"{code}-{acc.stem}", acc.name[:3], activity, *sensors)


def _hmp(folder: Path) -> Iterator[Recording]:
    for directory, activity in HMP_ACTIVITIES.items():
        for path in sorted((folder / directory).glob("Accelerometer-*.txt")):
            person = re.sub(r".*-([fm]\d+)\.txt", r"\1", path.name)
            counts = np.loadtxt(path, dtype=np.float32)
            values = (2 * counts / HMP_STEPS - 1) * np.float32(HMP_RANGE_G * STANDARD_GRAVITY)
            yield _recording(path.stem, person, activity, (np.arange(len(values)) / HMP_HZ, values))


def _recording(
    name: str,
    person: str,
    activity: str,
    acceleration: Sensor,
    *rotation: Sensor,
) -> Recording:
    start_s = float(acceleration[0][0])
    streams = tuple(
        Stream(modality, np.asarray(time - start_s, np.float64), np.ascontiguousarray(values, np.float32))
        for modality, (time, values) in zip(("accelerometer", "gyroscope"), (acceleration, *rotation), strict=False)
    )
    return Recording(name, person, streams, "included", (activity,), activity)


STRANGERS: Mapping[str, Stranger] = {
    "dsads-torso": Stranger("dsads", _dsads("torso"), "trunk"),
    "dsads-wrist": Stranger("dsads", _dsads("wrist"), "wrist"),
    "dsads-leg": Stranger("dsads", _dsads("leg"), "leg"),
    "mobifall": Stranger("mobifall", _mobifall, "leg"),
    "weda-fall": Stranger("weda-fall", _weda, "wrist"),
    "hmp": Stranger("hmp", _hmp, "wrist"),
}
