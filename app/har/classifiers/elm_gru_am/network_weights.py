"""What a network of Keras has learnt, as the named arrays of a `PlainNetwork`."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from app.har.types import FloatArray

if TYPE_CHECKING:
    import keras

EPSILON = 1e-3  # of Keras's batch normalisation
Layers = dict[str, list[list[FloatArray]]]  # by kind: the arrays of each layer, in the order of the network


def of_network(network: keras.Model, n_sensors: int, without: Collection[str] = ()) -> dict[str, FloatArray]:
    """Take the arrays of a trained network; ``without`` is what it was built without."""
    layers: Layers = {}
    for layer in network.layers:
        if layer.weights:
            layers.setdefault(type(layer).__name__.lower(), []).append(layer.get_weights())
    return _named(layers, n_sensors, without)


def load_into(network: keras.Model, arrays: Mapping[str, FloatArray], n_sensors: int) -> None:
    """Give a network, built whole by `networks.gru_attention`, the arrays of a trained one, to train it on.

    The normalisation after a convolution was taken into its kernel; what is left of it shifts only, and is frozen: it
    would take what the new windows are by and large for what is usual.
    """
    layers: dict[str, list[Any]] = {}
    for layer in network.layers:
        if layer.weights:
            layers.setdefault(type(layer).__name__.lower(), []).append(layer)
    for position, (convolution, normalisation) in enumerate(
        zip(layers["conv1d"], layers["batchnormalization"], strict=True)
    ):
        name = f"{position % n_sensors} {('first', 'second')[position // n_sensors]}"
        convolution.set_weights([arrays[name].reshape(convolution.get_weights()[0].shape)])
        shift, one = arrays[f"{name} shift"], np.ones_like(arrays[f"{name} shift"])
        normalisation.set_weights([np.sqrt(one + np.float32(EPSILON)), shift, 0 * one, one])
        normalisation.trainable = False
    *of_sensors, hidden, score, embedding, activity = layers["dense"][n_sensors:]  # what is before pools only
    for number in range(n_sensors):
        own = {
            name: arrays[f"{number} {name}"] for name in ("frames", "shape", "bias", "hidden", "hidden bias", "score")
        }
        encoder, of_hidden, of_score = of_sensors[number::n_sensors]
        encoder.set_weights([np.concatenate([own["frames"], own["shape"]]), own["bias"]])
        of_hidden.set_weights([own["hidden"], own["hidden bias"]])
        of_score.set_weights([own["score"], arrays["score bias"][number : number + 1]])
    layers["bidirectional"][0].set_weights(_gru_weights(arrays))
    score.set_weights([arrays["score"]])
    for layer, name in ((hidden, "hidden"), (embedding, "embedding"), (activity, "activity")):
        layer.set_weights([arrays[name], arrays[f"{name} bias"]])


def of_file(path: Path, n_sensors: int, without: Collection[str] = ()) -> dict[str, FloatArray]:
    """Read the arrays of a ``.keras`` file, whichever Keras wrote it; nothing else in it is looked at."""
    return _named(_layers_of_file(path), n_sensors, without)


def _layers_of_file(path: Path) -> Layers:
    import h5py

    layers: Layers = {}
    with zipfile.ZipFile(path) as archive, h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as stored:
        groups = {}
        for name, group in stored["layers"].items():  # dense, dense_1, …
            kind, _, number = name.rpartition("_")
            groups[(kind, int(number)) if number.isdecimal() else (name, 0)] = group
        for (kind, _), group in sorted(groups.items()):
            if arrays := _arrays_within(group):
                layers.setdefault(kind.replace("_", ""), []).append(arrays)
    return layers


def _arrays_within(group: Any) -> list[FloatArray]:
    """Return the arrays of a stored layer, in the order in which Keras lists its weights."""
    if "forward_layer" in group:
        return [array for way in ("forward", "backward") for array in _arrays_within(group[f"{way}_layer/cell"])]
    arrays = group.get("vars", {})
    return [arrays[str(number)][()] for number in range(len(arrays))]


def _named(layers: Layers, n_sensors: int, without: Collection[str]) -> dict[str, FloatArray]:
    """Give the arrays their names.

    Layers of a kind come as they follow each other in `networks.gru_attention`: those of all sensors, then the next.
    An attention that was left out has scores of zero: everything weighs the same.
    """
    dense = layers["dense"]
    arrays: dict[str, FloatArray] = {}
    if "raw" not in without:
        pooling, dense = dense[:n_sensors], dense[n_sensors:]
        arrays |= {f"{number} pooling": weights.T for number, (weights,) in enumerate(pooling)}
        arrays |= _convolutions(layers, n_sensors)
    *of_sensors, hidden, score, embedding, activity = dense
    for number in range(n_sensors):
        (encoder, bias), of_hidden, (of_score, _) = of_sensors[number::n_sensors]
        if "raw" not in without:
            n_features = len(encoder) - arrays[f"{number} second"].shape[1]
            encoder, arrays[f"{number} shape"] = encoder[:n_features], encoder[n_features:]
        arrays[f"{number} frames"], arrays[f"{number} bias"] = encoder, bias
        arrays[f"{number} score"] = np.zeros_like(of_score) if "sensor attention" in without else of_score
        arrays[f"{number} hidden"], arrays[f"{number} hidden bias"] = of_hidden
    biases = np.concatenate([bias for _, bias in of_sensors[-n_sensors:]])
    arrays["score bias"] = np.zeros_like(biases) if "sensor attention" in without else biases
    if "gru" not in without:
        arrays |= _gru(layers["bidirectional"][0])
    arrays["hidden"], arrays["hidden bias"] = hidden
    arrays["score"] = np.zeros_like(score[0]) if "time attention" in without else score[0]
    arrays["embedding"], arrays["embedding bias"] = embedding
    arrays["activity"], arrays["activity bias"] = activity
    return {name: np.ascontiguousarray(array, np.float32) for name, array in arrays.items()}


def _convolutions(layers: Layers, n_sensors: int) -> dict[str, FloatArray]:
    """Return kernels (taps · channels, filters) and shifts, with the normalisation that follows taken into them."""
    arrays: dict[str, FloatArray] = {}
    for position, ((kernel,), normalisation) in enumerate(
        zip(layers["conv1d"], layers["batchnormalization"], strict=True)
    ):
        gain, shift, mean, variance = normalisation
        scale = gain / np.sqrt(variance + EPSILON)
        name = f"{position % n_sensors} {('first', 'second')[position // n_sensors]}"
        arrays[name] = np.asarray((kernel * scale).reshape(-1, kernel.shape[2]), np.float32)
        arrays[f"{name} shift"] = np.asarray(shift - mean * scale, np.float32)
    return arrays


def _gru(weights: list[FloatArray]) -> dict[str, FloatArray]:
    """Return what the gates of both directions read of a step side by side, and what they keep of a state one by one.

    The gates are, in this order: update, reset, candidate.
    """
    forward, backward = weights[:3], weights[3:]
    width, units = len(forward[0]), len(forward[1])
    read, kept = (np.stack([forward[i], backward[i]]).reshape(2, -1, 3, units).transpose(2, 0, 1, 3) for i in (0, 1))
    biases = np.stack([forward[2], backward[2]]).reshape(2, 2, 3, 1, units).transpose(1, 2, 0, 3, 4)
    return {
        "gru input": read.transpose(2, 0, 1, 3).reshape(width, -1),  # (width, 3 gates · 2 directions · units)
        "gru input bias": biases[0].reshape(-1),
        "gru recurrent": kept,  # (3, 2, units, units)
        "gru recurrent bias": biases[1],  # (3, 2, 1, units)
    }


def _gru_weights(arrays: Mapping[str, FloatArray]) -> list[FloatArray]:
    """Return what `_gru` was given: of each direction what it reads, what it keeps, and the biases of both."""
    kept = arrays["gru recurrent"]  # (3 gates, 2 directions, units, units)
    units = kept.shape[-1]
    read = arrays["gru input"].reshape(-1, 3, 2, units)
    biases = np.stack([arrays["gru input bias"].reshape(3, 2, units), arrays["gru recurrent bias"][:, :, 0]])
    return [
        part
        for way in (0, 1)
        for part in (
            read[:, :, way].reshape(-1, 3 * units),
            kept[:, way].transpose(1, 0, 2).reshape(units, 3 * units),
            biases[:, :, way].reshape(2, 3 * units),
        )
    ]
