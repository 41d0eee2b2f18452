"""What a site gives of its windows: sums over the feature map of a model that all sites have, and counts; no rows.

The head of ELM-GRU-AM solves β = (HᵀWH + λI)⁻¹ HᵀWT. Where sites describe windows in the same way, scale them alike,
send them through the same random layer and weigh them alike, the sums of all rows are the sum of the sites' sums, and
the joint head is the one that would have been solved with all rows in one place.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.har.classifiers.elm_gru_am.augmentation import device_copies
from app.har.classifiers.elm_gru_am.classifier import ActivityClassifier
from app.har.classifiers.elm_gru_am.features import per_chunk
from app.har.classifiers.elm_gru_am.scaling import CLIP
from app.har.sums import Matrix, Sums
from app.har.types import FloatArray, IntArray
from app.har.windows import WindowSet

WINDOWS_AT_ONCE = 4096  # described, with their copies
LOWEST_WEIGHT, HIGHEST_WEIGHT = 0.1, 10.0


@dataclass(frozen=True)
class SharedMap:
    """How windows become rows of sums, which must be the same at all sites: the digest tells whether it is."""

    model: ActivityClassifier
    weights: Matrix  # (k,), how much a window of each activity counts

    @classmethod
    def of(cls, model: ActivityClassifier, manifest: Mapping[str, Any]) -> SharedMap:
        """Return the map of a model that was loaded, and of its manifest.

        A window counts the more, the rarer its activity was in the model's test, so that rare activities are learnt as
        well; a joint model brings the weights of its base. A site's own counts would not do: rows that weigh
        differently at each site have no common sum.
        """
        if "federation" in manifest:
            return cls(model, np.array(manifest["federation"]["weights"], np.float64))
        tested = {one["activity"]: one["support"] for one in manifest.get("metrics", {}).get("per_activity", [])}
        support = np.array([tested.get(activity, 0) for activity in model.activities], np.float64)
        weights: NDArray[np.float64] = np.ones(len(support))
        if support.any():
            usual = support[support > 0].mean()
            weights = np.where(support > 0, usual / np.maximum(support, 1), 1.0)
        return cls(model, np.clip(weights, LOWEST_WEIGHT, HIGHEST_WEIGHT))

    @property
    def n_nodes(self) -> int:
        """Return the length of a row."""
        return self.model.elm_.n_nodes

    @property
    def digest(self) -> str:
        """Return the SHA-256 of all that decides what a window's row is: describer, scaler, random layer, weights."""
        model = self.model
        settings = {
            "config": asdict(model.config),
            "format": asdict(model.format_),
            "preparation": asdict(model.preparation),
            "seed": model.elm_.seed,
            "weights": [weight.hex() for weight in self.weights.tolist()],
        }
        content = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
        for array in self._arrays():
            content.update(str((array.dtype.str, array.shape)).encode() + np.ascontiguousarray(array).tobytes())
        return content.hexdigest()

    def _arrays(self) -> Iterator[NDArray[Any]]:
        model = self.model
        for part in (*model.describer_.convolutions, model.window_scaler_):
            yield from (value for value in vars(part).values() if isinstance(value, np.ndarray))
        yield from model.window_columns_

    def sums(self, windows: WindowSet, seed: int = 0) -> Sums:
        """Return the sums of these windows and, as in training, of copies of some as from slower devices.

        Parameters
        ----------
        windows : as the model takes them, all sensors present, ``y`` its activities.
        seed : for the copies; default 0.
        """
        config, elm = self.model.config, self.model.elm_
        elm.weights = self.weights
        total = Sums.none(self.n_nodes, len(self.weights))
        share = 0.0 if config.lacks("slow copies") else config.low_rate_augmentation
        for number, part in enumerate(self.parts(windows)):
            copied, copies = device_copies(
                part, share, seed + number, rotation_augmentation=config.rotation_augmentation
            )
            total += elm.sums_of(self._scaled(part), part.y)
            if len(copied):
                total += elm.sums_of(self._scaled(copies), part.y[copied])
        return total

    def parts(self, windows: WindowSet) -> Iterator[WindowSet]:
        """Yield some windows at a time."""
        for start in range(0, len(windows), WINDOWS_AT_ONCE):
            yield windows.take(slice(start, start + WINDOWS_AT_ONCE))

    def hidden(self, windows: WindowSet) -> Matrix:
        """Return the rows of windows, (n, n_nodes), before they are weighed."""
        return self.model.elm_.hidden(self._scaled(windows).astype(np.float64))

    def _scaled(self, windows: WindowSet) -> FloatArray:
        """Return the scaled features, each window described by itself.

        Products of many windows at once are rounded differently from those of few, by 1e-6 of a feature: then the sums
        would depend on how windows are divided among sites, and the joint head with them (by 2e-7).
        """
        describe, scale = self.model.describer_, self.model.window_scaler_

        def one_by_one(chunk: WindowSet) -> FloatArray:
            whole = [describe(chunk.take(slice(i, i + 1))).whole for i in range(len(chunk))]
            return scale(np.concatenate(whole), CLIP)

        return np.concatenate(per_chunk(windows, one_by_one))


@dataclass(frozen=True)
class Contribution:
    """What one site gives, or several together."""

    sums: Sums
    windows: IntArray  # (k,), without copies
    people: IntArray  # (k,), how many did each activity
    n_people: int

    @classmethod
    def of(cls, shared: SharedMap, windows: WindowSet) -> Contribution:
        """Return what a site gives of these windows; see `SharedMap.sums`."""
        counts = counts_of(windows)
        return cls(shared.sums(windows), counts.windows, counts.people, counts.n_people)

    @property
    def counts(self) -> Counts:
        return Counts(self.windows, self.people, self.n_people)

    def __add__(self, other: Contribution) -> Contribution:
        return Contribution(
            self.sums + other.sums,
            self.windows + other.windows,
            self.people + other.people,
            self.n_people + other.n_people,
        )

    def packed(self) -> Matrix:
        """Return all numbers as one vector: of the symmetric gram what is on and above the diagonal."""
        sums = self.sums
        triangle = [sums.gram[i, i:] for i in range(sums.n_features)]
        tail = [sums.counts, [sums.rows], self.windows, self.people, [self.n_people]]
        return np.concatenate([*triangle, sums.moment.ravel(), *tail]).astype(np.float64)

    @classmethod
    def unpacked(cls, vector: Matrix, n_nodes: int, n_activities: int) -> Contribution:
        """Return what `packed` made a vector of; its length must be `packed_length`."""
        lengths = [*range(n_nodes, 0, -1), n_nodes * n_activities, n_activities, 1, n_activities, n_activities, 1]
        parts = np.split(vector, np.cumsum(lengths)[:-1])
        gram = np.zeros((n_nodes, n_nodes))
        for i, row in enumerate(parts[:n_nodes]):
            gram[i, i:] = gram[i:, i] = row
        moment, counts, rows, windows, people, n_people = parts[n_nodes:]
        sums = Sums(gram, moment.reshape(n_nodes, n_activities), counts.copy(), round(rows[0]))
        return cls(sums, _whole(windows), _whole(people), round(n_people[0]))


def packed_length(n_nodes: int, n_activities: int) -> int:
    """Return how many numbers `Contribution.packed` has."""
    return n_nodes * (n_nodes + 1) // 2 + n_nodes * n_activities + 3 * n_activities + 2


def _whole(values: Matrix) -> IntArray:
    return np.rint(values).astype(np.int64)


@dataclass(frozen=True)
class Counts:
    """How many windows and people are behind some sums."""

    windows: IntArray  # (k,)
    people: IntArray  # (k,)
    n_people: int

    @property
    def n_windows(self) -> int:
        return int(self.windows.sum())


def counts_of(windows: WindowSet) -> Counts:
    """Count windows and people by activity."""
    n = len(windows.activities)
    people = [len(np.unique(windows.subjects[windows.y == label])) for label in range(n)]
    return Counts(np.bincount(windows.y, minlength=n), np.array(people), len(np.unique(windows.subjects)))
