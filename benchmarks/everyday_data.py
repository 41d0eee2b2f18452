"""The data sets that the everyday model learns from and is measured on, as it reads them."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np

from app.har.classifiers.everyday.classifier import WINDOW_S
from app.har.classifiers.everyday.inputs import movement_and_gravity
from app.har.datasets.pool import Member, together
from app.har.datasets.store import build_store, open_store
from app.har.signals.types import SignalSet
from app.har.vocabulary import OTHER, shared_names, shared_node
from app.har.windows import WindowSet, make_windows
from benchmarks import strangers
from benchmarks.data import SETS

SOURCES = {  # a name here: the data set, and the device where several were worn
    "ku-har": ("ku-har", ""),
    "hapt": ("hapt", ""),
    "motion-sense": ("motion-sense", ""),
    "wisdm-watch": ("wisdm-watch", ""),
    "oxford-walk": ("oxford-walk", ""),
    "stm-har": ("stm-har", ""),
    "sp-sw-har-phone": ("sp-sw-har", "phone"),
    "sp-sw-har-watch": ("sp-sw-har", "watch"),
}
BESIDES = ("dsads-torso", "dsads-wrist", "dsads-leg")  # of `strangers`
MOVEMENTS = ("Jumping", "Exercise bike")
LICENSED = tuple(name for name in SOURCES if name != "hapt")  # HAPT's licence allows to measure, not to use
PLACE_OF_SET = {
    "ku-har": "trunk", "hapt": "trunk", "motion-sense": "leg", "wisdm-watch": "wrist",
    "sp-sw-har-phone": "leg", "sp-sw-har-watch": "wrist",
}  # fmt: skip
OXFORD_PLACES = {  # by the word in a recording's name: where it was, and which of the model's places that is
    "InHand": ("hand", "hand or bag"), "Purse": ("purse", "hand or bag"), "FrontPocket": ("front pocket", "leg"),
    "BackPocket": ("back pocket", "leg"), "NeckPouch": ("neck pouch", "trunk"), "Armband": ("armband", "wrist"),
    "SwingingArm": ("swinging arm", "wrist"),
}  # fmt: skip


@cache
def signals_of(name: str) -> SignalSet:
    """Read a data set anew; subjects and recordings are called ``name/…``."""
    source, device = SOURCES[name]
    with tempfile.TemporaryDirectory() as folder:
        build_store(SETS[source][0], Path(folder) / "store")
        signals = movement_and_gravity(open_store(Path(folder) / "store").signals, device)
    return together([Member(name, signals, shared_names(signals.activities, {}))])


def labelled_windows(name: str) -> WindowSet:
    """Return windows of one label each, without what the shared vocabulary lacks."""
    return in_vocabulary(make_windows(signals_of(name), WINDOW_S))


def windows_in_time(name: str) -> WindowSet:
    """Return windows as a recording is cut, through changes of activity; their label is that of most samples."""
    return make_windows(signals_of(name), WINDOW_S, by_label=False)


def in_vocabulary(windows: WindowSet) -> WindowSet:
    """Keep the windows whose activity has a name in the shared vocabulary, other than *other movement*."""
    known = [i for i, name in enumerate(windows.activities) if shared_node(name) not in (None, OTHER)]
    return windows.take(np.isin(windows.y, known))


def joined(parts: list[WindowSet]) -> WindowSet:
    """Put windows of several data sets in one, activities by their name in the shared vocabulary or their own."""
    names = [
        [shared_node(name) or (name if (part.y == i).any() else OTHER) for i, name in enumerate(part.activities)]
        for part in parts
    ]
    activities = tuple(sorted({name for of_part in names for name in of_part}))
    renamed = [
        replace(part, y=np.array([activities.index(name) for name in of_part])[part.y], activities=activities)
        for part, of_part in zip(parts, names, strict=True)
    ]
    return WindowSet.joined(renamed)


def other_movements() -> list[WindowSet]:
    """Return the windows of movements besides, of data sets of which nothing else is learnt; none where they lack."""
    parts = [make_windows(strangers.signals_of(name), WINDOW_S) for name in BESIDES if name in strangers.there()]
    wanted = [[i for i, name in enumerate(part.activities) if name in MOVEMENTS] for part in parts]
    return [part.take(np.isin(part.y, of_part)) for part, of_part in zip(parts, wanted, strict=True)]


def place_of() -> dict[str, str]:
    """Return where devices were worn, by data set, and by recording where a data set has several places."""
    by_recording = {
        recording: place
        for recording in signals_of("oxford-walk").recording_ids
        for word, (_, place) in OXFORD_PLACES.items()
        if word in recording
    }
    return {**PLACE_OF_SET, **by_recording}
