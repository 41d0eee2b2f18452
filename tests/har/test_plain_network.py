"""The network in NumPy answers what Keras answers, of any kind of network and of real windows with sensors missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.har.classifiers.elm_gru_am import network_weights, networks
from app.har.classifiers.elm_gru_am.classifier import ActivityClassifier
from app.har.classifiers.elm_gru_am.persistence import load_model
from app.har.classifiers.elm_gru_am.plain_network import ROWS, PlainNetwork
from app.har.datasets.loaders import EMBEDDED_EXAMPLE
from app.har.datasets.store import build_store, open_store
from app.har.types import FloatArray
from app.har.windows import WindowSet, make_windows
from tests.conftest import ROOT

VARIANTS = [(), ("raw",), ("gru",), ("time attention",), ("sensor attention",), ("raw", "gru", "time attention")]
SHAPE, OTHERS = (2, 5, 37), [(1, 3, 10), (3, 20, 61)]  # sensors, frames, steps
KINDS = [*((SHAPE, without) for without in VARIANTS), *((shape, VARIANTS[i]) for shape in OTHERS for i in (0, 4, 5))]
REAL = {  # a data set with windows like those that a reference model learnt from: where it lies, length, overlap
    "reference-ku-har": ("ku-har/subsamples_60x1803.csv", 3.0, 0.0),
    "reference-phone-watch": ("sp-sw-har/sp-sw-har.zip", 1.0, 0.5),
    "reference-physiotherapy": (EMBEDDED_EXAMPLE, 3.0, 0.0),
}


def of_keras(network: Any, inputs: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
    return {name: np.asarray(output) for name, output in network(dict(inputs), training=False).items()}


def with_random_weights(network: Any, rng: np.random.Generator) -> Any:
    for layer in network.layers:
        if layer.weights and not layer.name.endswith("-pooling"):
            layer.set_weights([rng.uniform(0.2, 2, w.shape) if "variance" in w.path else rng.normal(0, 0.2, w.shape)
                               for w in layer.weights])  # fmt: skip
    return network


@pytest.mark.filterwarnings(r"ignore:[\s\S]*softmax over axis")  # of one sensor, it gives always 1
@pytest.mark.parametrize(("shape", "without"), KINDS, ids=str)
def test_every_kind_of_network_answers_the_same(
    shape: tuple[int, int, int], without: tuple[str, ...], tmp_path: Path
) -> None:
    n_sensors, n_frames, n_steps = shape
    rng = np.random.default_rng(n_sensors)
    sensors = {f"watch.{number}": (9, 1 + number) for number in range(n_sensors)}  # alike, so that none may be another
    pooling = networks.frame_pooling(n_steps, 3.0, n_frames, 1.0, 0.5)
    network = with_random_weights(networks.gru_attention(sensors, pooling, 5, 16, 8, without), rng)
    n = ROWS + 3
    inputs = {name: rng.normal(0, 1, (n, *x.shape[1:])).astype(np.float32) for name, x in network.input.items()}
    present = rng.random((n, n_sensors)) < 0.6
    present[:, 0] |= ~present.any(axis=1)
    inputs["present"] = present.astype(np.float32)
    arrays = network_weights.of_network(network, n_sensors, without)
    answer = PlainNetwork(tuple(sensors), arrays)(inputs)
    for name, expected in of_keras(network, inputs).items():
        assert answer[name].dtype == np.float32
        np.testing.assert_allclose(answer[name], expected, atol=1e-5, err_msg=name)
    network.save(tmp_path / "network.keras")
    of_file = network_weights.of_file(tmp_path / "network.keras", n_sensors, without)
    assert of_file.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(of_file[name], array)


def keras_network(model: ActivityClassifier, file: Path) -> Any:
    """Build the network of a model that was stored with Keras, and load its weights as earlier builds did."""
    arrays, config = model.network_.arrays, model.config
    sensors = {
        sensor: (len(arrays[f"{number} frames"]), len(channels))
        for number, (sensor, channels) in enumerate(model.layout.by_sensor.items())
    }
    pooling = np.zeros_like(arrays["0 pooling"].T)  # it is among the weights
    network = networks.gru_attention(sensors, pooling, len(model.activities), config.units, config.filters)
    network.load_weights(file)
    return network


@pytest.fixture(params=REAL)
def stored(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, WindowSet]:
    """Return the folder of a reference model, and real windows for it."""
    data, length_s, overlap = REAL[request.param]
    if data == EMBEDDED_EXAMPLE:
        build_store(data, tmp_path / "store")
        store = open_store(tmp_path / "store")
    else:
        store = request.getfixturevalue("real_store")(data)
    windows = make_windows(store.signals, length_s, overlap)
    return ROOT / "reference_models" / request.param, windows.take(slice(None, None, max(1, len(windows) // 60)))


def test_stored_models_answer_as_with_keras_whatever_sensor_is_missing(stored: tuple[Path, WindowSet]) -> None:
    folder, windows = stored
    model, with_keras = load_model(folder), load_model(folder)
    network = keras_network(model, folder / "network.keras")
    with_keras.network_ = lambda inputs: of_keras(network, inputs)  # type: ignore[assignment]
    for present in model.layout.patterns():
        some = replace(windows, X=windows.X.copy())
        for sensor_present, channels in zip(present, model.layout.by_sensor.values(), strict=True):
            if not sensor_present:
                some.X[:, :, channels] = np.nan
        answer, expected = model.recognise(some), with_keras.recognise(some)
        for name in ("probabilities", "time_attention", "sensor_attention", "embedding"):
            np.testing.assert_allclose(getattr(answer, name), getattr(expected, name), atol=1e-5, err_msg=name)
