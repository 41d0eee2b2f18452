"""Stretches in which a device was worn in one place, found without labels, and the person's own upright in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.har.signals.pages import let_go
from app.har.types import FloatArray, IntArray, TimeArray
from app.har.windows import WindowSet

FEWEST = 5  # walking windows make a reference: 15 s
MOVED_DEG = 60.0  # gravity turned this far while walking: the device is in another place
MOVED_WINDOWS = 4  # in so many windows on foot, one after the other
SAME_DEG = 25.0  # two walks of one person with gravity this close are of one wearing
ENOUGH = 40  # windows on foot in a recording that needs no other: 2 min
WALKS_DEG = 25.0  # windows of walking this close to the most central one make the upright
SWAY_S = 0.3
UNKNOWN_SUBJECT = "unknown"  # of whom nothing is known: each recording may be somebody else's

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Track:
    """What is kept of windows, in the order of time within each recording, once their samples are gone."""

    features: FloatArray  # (n, n_features), of some windows alone where `described` says of which
    gravity: FloatArray  # (n, 3) mean direction, unit length; NaN where it is not known
    movement_rms: FloatArray  # (n,) m/s², unfiltered; infinite without an accelerometer
    rotation_rms: FloatArray  # (n,) rad/s; NaN without a gyroscope
    sway_rms: FloatArray  # (n,) m/s², of means over SWAY_S: breath and balance; infinite without an accelerometer
    place: NDArray[np.str_]  # (n,) where a person says it was worn; empty where nobody said
    subjects: NDArray[np.str_]
    recordings: NDArray[np.str_]
    start_s: TimeArray
    window_length_s: float
    described: IntArray | None = None  # positions of the windows whose features were kept; None: of all

    def __len__(self) -> int:
        return len(self.start_s)

    @classmethod
    def joined(cls, parts: Sequence[Track]) -> Track:
        """Put the windows of successive parts in one."""
        names = [name for name in vars(parts[0]) if name not in ("window_length_s", "described")]
        arrays: dict[str, Any] = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
        if any(part.described is not None for part in parts):
            first = np.cumsum([0, *(len(part) for part in parts[:-1])])
            kept = [np.arange(len(part)) if part.described is None else part.described for part in parts]
            arrays["described"] = np.concatenate([own + start for own, start in zip(kept, first, strict=True)])
        return replace(parts[0], **arrays)

    def take(self, index: NDArray[np.generic]) -> Track:
        """Return the windows at these positions; where not all features were kept, those of all of them must be."""
        names = [name for name in vars(self) if name not in ("window_length_s", "described", "features")]
        arrays: dict[str, Any] = {name: getattr(self, name)[index] for name in names}
        return replace(self, features=self.features_of(index), described=None, **arrays)

    def features_of(self, index: NDArray[np.generic], columns: slice = slice(None)) -> FloatArray:
        """Return the features of the windows at these positions, or some columns of them."""
        if self.described is not None:
            index = np.searchsorted(self.described, np.arange(len(self))[index])
        found: FloatArray = self.features[index, columns]
        let_go(self.features)
        return found

    def describing(self, chosen: Bools) -> Track:
        """Return the same windows with the features of some of them alone: those of a week are most of its memory."""
        return replace(self, features=self.features[chosen], described=np.flatnonzero(chosen))

    @property
    def runs(self) -> IntArray:
        """Return for each window the number of its run: windows of a recording that follow without a gap.

        Without acceleration a window has no answer, and must not lend its neighbours one.
        """
        new = np.ones(len(self), bool)
        step, silent = np.diff(self.start_s), np.isinf(self.movement_rms)
        new[1:] = (self.recordings[1:] != self.recordings[:-1]) | (step < 0) | (step > 1.1 * self.window_length_s)
        new[1:] |= silent[1:] != silent[:-1]
        return np.cumsum(new) - 1


def in_context(tracks: Iterable[Track], reach: int) -> Iterator[tuple[Track, slice]]:
    """Yield successive windows, each once, among so many neighbours on either side; the slice says which are its own.

    What is asked of a window and its neighbours is so the same as of all windows at once.
    """
    held: Track | None = None
    first = 0  # of those that were not yielded yet
    for track in chain(tracks, [None]):
        if track is not None:
            held = track if held is None else Track.joined([held, track])
        if held is None:
            return
        end = len(held) - (reach if track is not None else 0)
        if end > first:
            yield held, slice(first, end)
            dropped = max(end - reach, 0)
            held, first = held.take(np.arange(dropped, len(held))), end - dropped


def smoothed(values: NDArray[np.floating], runs: IntArray, reach: int) -> NDArray[np.float64]:
    """Return the mean over each window and up to so many neighbours on either side, in its run."""
    n = len(values)
    edges = np.flatnonzero(np.diff(runs, prepend=-1, append=-2))
    first, last = edges[runs], edges[runs + 1] if n else edges[runs]
    low = np.maximum(np.arange(n) - reach, first)
    high = np.minimum(np.arange(n) + reach + 1, last)
    total = np.concatenate([np.zeros((1, *values.shape[1:])), np.cumsum(values, axis=0, dtype=np.float64)])
    count = (high - low).reshape((-1,) + (1,) * (values.ndim - 1))
    return np.asarray((total[high] - total[low]) / count)


def smoothed_among_alike(log_p: NDArray[np.float64], runs: IntArray) -> NDArray[np.float64]:
    """Return the mean of log probabilities over a window and its two neighbours, as far as those agree with it.

    A window in which somebody stands up between others of sitting is no mistake of the model's. A neighbour's weight is
    the fidelity (Σ √(p q))² of the two distributions (Bhattacharyya 1943): 1 where they are the same, 0 where nothing
    that is likely in one is in the other. It is a bilateral filter (Tomasi, Manduchi 1998).

    Parameters
    ----------
    log_p : (n, n_classes); need not be normalised.
    runs : (n,), see `Track.runs`.
    """
    root = np.exp(log_p / 2)
    root /= np.linalg.norm(root, axis=1, keepdims=True)
    total, weight = log_p.copy(), np.ones((len(log_p), 1))
    alike = np.where(runs[1:] == runs[:-1], (root[1:] * root[:-1]).sum(axis=1) ** 2, 0.0)[:, None]
    for here, there in ((slice(1, None), slice(None, -1)), (slice(None, -1), slice(1, None))):
        total[here] += alike * log_p[there]
        weight[here] += alike
    return np.asarray(total / weight)


def angle_deg(a: NDArray[np.floating], b: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the angle between unit vectors, (…, 3)."""
    return np.asarray(np.degrees(np.arccos(np.clip((a * b).sum(axis=-1), -1, 1))))


def find_wearings(track: Track, on_foot: Bools) -> IntArray:
    """Return for each window the number of its wearing.

    A recording is one wearing, until gravity while on foot stays turned: then the device was put elsewhere. Recordings
    of one known person belong together where a person says that they were worn in one place; where nobody said, as
    long as gravity while on foot agrees, or is known of none of them.
    """
    wearing = np.zeros(len(track), np.int64)
    whole = np.ones(len(track), bool)
    count = 0
    for rows in positions_of(track.recordings):
        parts = _placements(track.gravity[rows], on_foot[rows])
        wearing[rows] = count + parts
        whole[rows] = not parts.any()
        count += int(parts.max(initial=0)) + 1
    return _merged(track, on_foot, wearing, whole)


def _placements(gravity: FloatArray, on_foot: Bools) -> IntArray:
    """Number the placements within a recording."""
    part = np.zeros(len(gravity), np.int64)
    walked = np.flatnonzero(on_foot & ~np.isnan(gravity[:, 0]))
    total = np.concatenate([np.zeros((1, 3)), np.cumsum(gravity[walked], axis=0, dtype=np.float64)])
    begin, number = 0, 0
    for i in range(len(walked) - MOVED_WINDOWS + 1):
        if i - begin < MOVED_WINDOWS:
            continue
        after = walked[i : i + MOVED_WINDOWS]
        centre = _unit(total[i] - total[begin])
        if (angle_deg(gravity[after], centre) > MOVED_DEG).all():
            between = np.arange(walked[i - 1] + 1, after[0] + 1)
            turn = angle_deg(gravity[between], gravity[between - 1])
            part[between[np.nan_to_num(turn).argmax()] :] = number = number + 1
            begin = i
    return part


def _merged(track: Track, on_foot: Bools, wearing: IntArray, whole: Bools) -> IntArray:
    """Give recordings of one person, in which nothing was moved, one number where they were worn alike."""
    merged = wearing.copy()
    of_wearing = np.split(np.argsort(wearing, kind="stable"), np.cumsum(np.bincount(wearing))[:-1])
    feet = np.bincount(wearing[on_foot], minlength=len(of_wearing))
    for of_person in positions_of(np.char.add(np.char.add(track.subjects, "\n"), track.place)):
        subject, place = str(track.subjects[of_person[0]]), str(track.place[of_person[0]])
        numbers = np.unique(wearing[of_person[whole[of_person]]]).tolist()
        if subject.rpartition("/")[2] in ("", UNKNOWN_SUBJECT) or len(numbers) < 2:
            continue
        rows = {number: of_wearing[number] for number in numbers if feet[number] < ENOUGH}
        for group in [list(rows)] if place and rows else _worn_alike(track, on_foot, rows):
            for number in group:
                merged[rows[number]] = group[0]
    return np.unique(merged, return_inverse=True)[1].astype(np.int64)


def _worn_alike(track: Track, on_foot: Bools, rows: dict[int, IntArray]) -> list[list[int]]:
    """Group wearings by their gravity while on foot; one without any joins the others where these are one group.

    ``rows`` are the positions of the windows of each wearing.
    """
    directions = {number: _walk_direction(track, of[on_foot[of]]) for number, of in rows.items()}
    uprights = {number: direction for number, direction in directions.items() if direction is not None}
    groups: list[list[int]] = []
    for number in uprights:
        for group in groups:
            if (angle_deg(uprights[number], np.stack([uprights[other] for other in group])) <= SAME_DEG).all():
                group.append(number)
                break
        else:
            groups.append([number])
    without = [number for number in rows if number not in uprights]
    if len(groups) == 1:
        groups[0] += without
    elif without and not groups and all(np.isnan(track.gravity[rows[number], 0]).all() for number in without):
        groups.append(without)
    return groups


def _walk_direction(track: Track, rows: IntArray) -> FloatArray | None:
    gravity = track.gravity[rows]
    gravity = gravity[~np.isnan(gravity[:, 0])]
    return upright(gravity) if len(gravity) >= FEWEST else None


def upright(gravity: FloatArray) -> FloatArray:
    """Return the direction of gravity in walking, (3,): the mean of those near the most central one.

    Parameters
    ----------
    gravity : (n, 3) unit vectors in windows of walking, at least one.
    """
    some = gravity[:: max(1, len(gravity) // 400)]
    apart = np.degrees(np.arccos(np.clip(some @ some.T, -1, 1)))
    central = some[np.median(apart, axis=1).argmin()]
    return _mean_direction(gravity[angle_deg(gravity, central) <= WALKS_DEG])


def _mean_direction(vectors: FloatArray) -> FloatArray:
    return _unit(vectors.mean(axis=0))


def _unit(vector: NDArray[np.floating]) -> FloatArray:
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-9), np.float32)


def positions_of(keys: NDArray[np.generic]) -> list[IntArray]:
    """Return the positions of each key, the first key first."""
    _, first, number = np.unique(keys, return_index=True, return_inverse=True)
    order = np.argsort(first[number], kind="stable")
    return np.split(order, np.flatnonzero(np.diff(first[number][order])) + 1) if len(keys) else []


def _units(vectors: NDArray[np.floating]) -> NDArray[np.float64]:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9))


def _means(x: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    """Return the means of n samples each, (n_windows, n_timesteps // n, k)."""
    whole = x[:, : x.shape[1] // n * n]
    return np.asarray(whole.reshape(len(x), -1, n, x.shape[2]).mean(axis=2))


def track_of(windows: WindowSet, features: FloatArray, place: str = "") -> Track:
    """Keep of windows what the questions need: channels are movement, rotation and gravity, three each."""
    movement, rotation, gravity = (windows.X[:, :, i : i + 3].astype(np.float64) for i in (0, 3, 6))
    centred = movement - movement.mean(axis=1, keepdims=True)
    turned = rotation - rotation.mean(axis=1, keepdims=True)
    down = gravity / np.maximum(np.linalg.norm(gravity, axis=2, keepdims=True), 1e-9)
    swaying = _means(centred, max(1, round(SWAY_S * windows.sampling_rate_hz)))
    movement_rms, rotation_rms, sway_rms = (
        np.sqrt((x**2).sum(axis=2).mean(axis=1)).astype(np.float32) for x in (centred, turned, swaying)
    )
    return Track(
        features,
        _units(down.mean(axis=1)).astype(np.float32),
        np.nan_to_num(movement_rms, nan=np.inf),
        rotation_rms,
        np.nan_to_num(sway_rms, nan=np.inf),
        np.full(len(windows), place, "U16"),
        windows.subjects,
        windows.recordings,
        windows.start_s,
        windows.window_length_s,
    )
