"""The map of a data set's bouts: coordinates in which what is alike lies together. Made once, kept beside the signal.

A window is described as models describe it (`classifiers.elm_gru_am.features`), without any label; its coordinates are
the directions in which the windows differ most, the strong ones held back.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from app.har.classifiers.elm_gru_am.features import per_chunk, window_features
from app.har.errors import InsufficientData, UnreadableData
from app.har.labelling.bouts import Bouts, cut_bouts
from app.har.progress import OnEvent, Stage, ignore_event
from app.har.signals.types import SignalSet
from app.har.types import FloatArray, IntArray, TimeArray
from app.har.windows import WindowSet, iter_window_batches

WINDOW_S = 3.0
BATCH = 2048  # windows held at once
LOOKED_AT = 6000  # windows of which the directions are found
DIRECTIONS = 48
CLIP = 4.0
HELD_BACK = 0.5  # power of its deviation by which a direction is divided: 1 would make all alike
LEAST = 1e-3
FORMAT = 2


@dataclass(frozen=True)
class LabellingMap:
    """Bouts, and where they lie."""

    bouts: Bouts
    means: NDArray[np.float16]  # (n_bouts, d) coordinates; those of windows have the mean square 1

    def save(self, path: Path) -> None:
        """Write the map whole, or not at all."""
        draft = path.with_name(f".{path.name}.partial.npz")
        np.savez(draft, format=FORMAT, means=self.means, **vars(self.bouts))
        draft.replace(path)

    @classmethod
    def load(cls, path: Path) -> LabellingMap:
        """Read a map.

        Raises
        ------
        UnreadableData : it is of another format, or damaged.
        """
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                arrays = dict(stored)
            if arrays.pop("format") != FORMAT:
                raise ValueError
            return cls(means=arrays.pop("means"), bouts=Bouts(**arrays))
        except (KeyError, TypeError, ValueError, OSError, EOFError, BadZipFile) as error:
            raise UnreadableData(f"{path.name} is of another version, or damaged.") from error


def make_map(signals: SignalSet, on_event: OnEvent = ignore_event) -> LabellingMap:
    """Describe the windows of a data set and cut them into bouts; labels are not looked at.

    Raises
    ------
    InsufficientData : no recording lasts for a window.
    """
    directions = _directions(signals)
    parts: list[NDArray[np.float16]] = []  # of a million windows, half as much to hold
    recordings: list[IntArray] = []
    starts: list[TimeArray] = []
    place = {name: i for i, name in enumerate(signals.recording_ids)}
    for windows, fraction in iter_window_batches(signals, WINDOW_S, BATCH):
        parts.append(directions(_features(windows)).astype(np.float16))
        recordings.append(np.array([place[name] for name in windows.recordings.tolist()], np.int64))
        starts.append(windows.start_s)
        on_event({"stage": Stage.READING, "fraction": fraction})
    squares = sum(float(np.square(part, dtype=np.float32).sum()) for part in parts) / sum(map(len, parts))
    coordinates = np.concatenate(parts)
    coordinates /= np.float16(np.sqrt(squares) + LEAST)
    bouts = cut_bouts(coordinates, np.concatenate(recordings), np.concatenate(starts), WINDOW_S)
    return LabellingMap(bouts, bouts.mean(coordinates))


def _features(windows: WindowSet) -> FloatArray:
    """Describe windows, (n, n_features); what a missing sensor would say is NaN."""
    return np.concatenate(per_chunk(windows, lambda chunk: window_features(chunk)[0]))


@dataclass(frozen=True)
class _Directions:
    """From features to coordinates."""

    centre: FloatArray  # (n_features,)
    scale: FloatArray
    mean: FloatArray
    turn: FloatArray  # (n_features, d)

    def __call__(self, features: FloatArray) -> FloatArray:
        return np.asarray((_scaled(features, self.centre, self.scale) - self.mean) @ self.turn, np.float32)


def _scaled(features: FloatArray, centre: FloatArray, scale: FloatArray) -> FloatArray:
    """Return features by what is usual here, clipped; one that is missing is taken as usual."""
    return np.asarray(np.clip(np.nan_to_num((features - centre) / scale), -CLIP, CLIP), np.float32)


def _directions(signals: SignalSet) -> _Directions:
    """Find the directions in which some of the windows differ most (principal components)."""
    some = list(_some(signals))
    if not some:
        raise InsufficientData(f"No recording lasts for {WINDOW_S:g} s without a gap, so there is nothing to label.")
    features = np.concatenate(some)
    with np.errstate(invalid="ignore"):
        there = ~np.isnan(features).all(axis=0)
        shares: FloatArray = np.zeros((3, features.shape[1]), np.float32)
        shares[:, there] = np.nanpercentile(features[:, there], (10, 50, 90), axis=0)
    centre = shares[1]
    scale = np.asarray((shares[2] - shares[0]) / 2 + LEAST, np.float32)
    rows = _scaled(features, centre, scale)
    mean = rows.mean(axis=0)
    _, deviations, directions = np.linalg.svd(rows - mean, full_matrices=False)
    kept = deviations > LEAST * deviations[0]
    deviations, directions = deviations[kept][:DIRECTIONS], directions[kept][:DIRECTIONS]
    turn = directions.T / (deviations / np.sqrt(len(rows)) + LEAST) ** HELD_BACK
    return _Directions(centre, scale, mean, turn.astype(np.float32))


def _some(signals: SignalSet) -> Iterator[FloatArray]:
    """Yield the features of about so many windows, evenly over the whole."""
    total = int(np.maximum(signals.length // round(WINDOW_S * signals.sampling_rate_hz), 0).sum())
    step = -(-total // LOOKED_AT) or 1
    for windows, _ in iter_window_batches(signals, WINDOW_S, BATCH):
        yield _features(windows.take(slice(None, None, step)))
