"""The windows that the model benchmarks are run on: one setting a data set, the same for every model."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from app.har.datasets.pool import Member, pool
from app.har.datasets.store import EMBEDDED_EXAMPLE, build_store, open_store
from app.har.recordings.formats.hapt import TRANSITIONS
from app.har.training.pooled import with_complete_sensors, with_flat_labels
from app.har.vocabulary import shared_names
from app.har.windows import WindowSet, make_windows

DATA = Path(os.environ.get("HAR_DATA_DIR") or Path(__file__).resolve().parent.parent.parent / "shared" / "data")
SETS = {  # path, window length (s), overlap
    "ku-har": (DATA / "ku-har" / "1.Raw_time_domian_data.zip", 3.0, 0.0),
    "hapt": (DATA / "hapt" / "HAPT Data Set.zip", 2.56, 0.0),
    "sp-sw-har": (DATA / "sp-sw-har" / "sp-sw-har.zip", 1.0, 0.5),
    "motion-sense": (DATA / "motion-sense" / "motion-sense.zip", 3.0, 0.0),
    "wisdm-watch": (DATA / "wisdm-watch" / "wisdm-watch.zip", 3.0, 0.0),
    "oxford-walk": (DATA / "oxford-walk" / "oxford-walk.zip", 3.0, 0.0),
    "stm-har": (DATA / "stm-har" / "stm-har.zip", 3.0, 0.0),
    "physiotherapy": (EMBEDDED_EXAMPLE, 3.0, 0.0),
}


def pooled_windows(names: Sequence[str], length_s: float = 3.0) -> WindowSet:
    """Read data sets anew and put them together, as a training on several does."""
    with tempfile.TemporaryDirectory() as folder:
        members = []
        for name in names:
            build_store(SETS[name][0], Path(folder) / name)
            signals = open_store(Path(folder) / name).signals
            members.append(Member(name, signals, shared_names(signals.activities, {})))
        windows = make_windows(pool(members).signals, length_s)
    return with_flat_labels(with_complete_sensors(windows)[0])[0]


def windows_of(name: str) -> WindowSet:
    """Read a data set anew and cut it into windows; HAPT without its postural transitions; several as ``a+b``."""
    if "+" in name:
        return pooled_windows(name.split("+"))
    path, length_s, overlap = SETS[name]
    with tempfile.TemporaryDirectory() as folder:
        build_store(path, Path(folder) / "store")
        windows = make_windows(open_store(Path(folder) / "store").signals, length_s, overlap)
    return without_activities(windows, TRANSITIONS) if name == "hapt" else windows


def without_activities(windows: WindowSet, left_out: tuple[str, ...]) -> WindowSet:
    """Leave activities out."""
    kept = [i for i, activity in enumerate(windows.activities) if activity not in left_out]
    windows = windows.take(np.isin(windows.y, kept))
    return replace(windows, y=np.searchsorted(kept, windows.y), activities=tuple(windows.activities[i] for i in kept))


def with_channels(windows: WindowSet, sensors: tuple[str, ...]) -> WindowSet:
    """Keep the channels of some sensors, by their stems."""
    kept = [i for i, channel in enumerate(windows.channels) if channel.rpartition("_")[0] in sensors]
    return replace(windows, X=windows.X[:, :, kept], channels=tuple(windows.channels[i] for i in kept))
