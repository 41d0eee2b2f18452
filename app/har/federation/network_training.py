"""The network of a shared model as several sites train it anew: what a site reads, does and gives in one round.

What windows become before they reach the network comes from a model that all sites have, as with sums. The weights
travel as one vector of float32, in the order of Keras, with the moving means and variances of the normalisations.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from app.har.classifiers import keras_training
from app.har.classifiers.elm_gru_am.augmentation import device_copies
from app.har.classifiers.elm_gru_am.classifier import ActivityClassifier
from app.har.classifiers.elm_gru_am.description import Description
from app.har.classifiers.elm_gru_am.features import per_chunk
from app.har.errors import UnreadableData
from app.har.federation.site_sums import SharedMap
from app.har.types import FloatArray, IntArray
from app.har.windows import WindowSet

if TYPE_CHECKING:
    import keras

Vector = NDArray[np.float32]  # all weights of a network


@dataclass(frozen=True)
class SiteData:
    """What a site trains with; it stays there."""

    inputs: Mapping[str, FloatArray]  # of the network, by name (n, …)
    y: IntArray  # (n,), the activities
    windows: int  # without copies
    people: int

    def save(self, path: Path) -> None:
        """Write it into a file of NumPy."""
        inputs = {f"input {name}": value for name, value in self.inputs.items()}
        np.savez(path, y=self.y, counts=np.array([self.windows, self.people]), **inputs)  # type: ignore[arg-type]

    @classmethod
    def load(cls, path: Path) -> SiteData:
        with np.load(path, allow_pickle=False) as arrays:
            inputs = {name.removeprefix("input "): arrays[name] for name in arrays if name.startswith("input ")}
            windows, people = arrays["counts"].tolist()
            return cls(inputs, arrays["y"], windows, people)


@dataclass(frozen=True)
class SharedNetwork:
    """The network beside the head of a model, with fresh weights, and what it reads."""

    shared: SharedMap

    @property
    def digest(self) -> str:
        """Return the SHA-256 of all that decides what the network reads of a window, and of the activities."""
        model = self.shared.model
        content = hashlib.sha256(self.shared.digest.encode())
        content.update(repr(model.activities).encode())
        for part in (model.selected_, *vars(model.frame_scaler_).values(), *vars(model.compander_).values()):
            content.update(str((part.dtype.str, part.shape)).encode() + np.ascontiguousarray(part).tobytes())
        return content.hexdigest()

    def data(self, windows: WindowSet, seed: int = 0) -> SiteData:
        """Return what the network reads of a site's windows, and, as in training, of copies as from slower devices.

        Parameters
        ----------
        windows : as the model takes them, all sensors present, ``y`` its activities.
        seed : for the copies; default 0.
        """
        model = self.shared.model
        share = 0.0 if model.config.lacks("slow copies") else model.config.low_rate_augmentation
        copied, copies = device_copies(windows, share, seed, rotation_augmentation=model.config.rotation_augmentation)
        parts = per_chunk(windows, model.describer_) + (per_chunk(copies, model.describer_) if len(copied) else [])
        description = Description.joined(parts)
        present: NDArray[np.bool_] = np.ones((len(description.whole), len(model.sensors)), bool)
        inputs, y = model._network_inputs(description, present), np.append(windows.y, windows.y[copied])
        return SiteData(inputs, y, len(windows), len(np.unique(windows.subjects)))

    def fresh(self, seed: int) -> Vector:
        """Return weights that have learnt nothing, the same for the same seed."""
        return vector_of(self._built(seed))

    def trained(self, weights: Vector, data: SiteData, *, epochs: int, rate: float, seed: int) -> tuple[Vector, float]:
        """Train from these weights on; return the new ones, and the loss of the last epoch.

        Parameters
        ----------
        epochs : over the windows of this site.
        rate : of learning, before it rises and falls as in any training here.
        seed : for the order of the windows, and for dropout.
        """
        model, network = self.shared.model, self.with_weights(weights)
        losses: list[float] = []
        dropout = model.config.sensor_dropout if len(model.sensors) > 1 else 0.0
        training = keras_training.Training(
            network, epochs, seed, lambda event: losses.append(event["loss"]), dropout, model.config.batch
        )
        training.run(data.inputs, data.y, epochs, rate)
        return vector_of(network), losses[-1]

    def with_weights(self, weights: Vector) -> keras.Model:
        """Return the network of Keras with these weights.

        Raises
        ------
        UnreadableData : they are not as many as it has, or not all numbers.
        """
        network = self._built(0)
        shapes = [array.shape for array in network.get_weights()]
        lengths = [int(np.prod(shape)) for shape in shapes]
        if len(weights) != sum(lengths) or not np.isfinite(weights).all():
            raise UnreadableData(f"Expected {sum(lengths):,} weights of a network, all numbers; found others.")
        parts = np.split(weights, np.cumsum(lengths)[:-1])
        network.set_weights([part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)])
        return network

    def joined(self, weights: Vector) -> ActivityClassifier:
        """Return the shared model with a network of these weights; all else, the head too, stays as it is."""
        model = copy(self.shared.model)
        model.network_ = model._plain(self.with_weights(weights))
        return model

    def _built(self, seed: int) -> keras.Model:
        return self.shared.model._build_network(self._silence, seed)

    @cached_property
    def _silence(self) -> Description:
        """Return the description of a window in which nothing moves, for its shapes."""
        model = self.shared.model
        nobody: NDArray[np.str_] = np.array([""])
        signal: FloatArray = np.zeros((1, model.n_timesteps, len(model.channels)), np.float32)
        window = WindowSet(
            signal, np.zeros(1, np.int64), model.activities, nobody, nobody, np.zeros(1), model.channels,
            model.sampling_rate_hz, model.gravity,
        )  # fmt: skip
        return model.describer_(window)


def vector_of(network: keras.Model) -> Vector:
    """Return all weights of a network of Keras as one vector."""
    weights: list[Vector] = network.get_weights()
    return np.concatenate([array.ravel() for array in weights]).astype(np.float32)


def averaged(updates: Sequence[tuple[Vector, int]]) -> Vector:
    """Return the mean of the sites' weights, each as heavy as it has windows: federated averaging.

    Moving means and variances of normalisations are averaged like all others.

    References
    ----------
    McMahan, Moore, Ramage, Hampson, Arcas (2017), Communication-efficient learning of deep networks from decentralized
    data, AISTATS.
    """
    total = sum(n for _, n in updates)
    mean = np.zeros(len(updates[0][0]))
    for weights, n in updates:
        mean += weights.astype(np.float64) * (n / total)
    return mean.astype(np.float32)
