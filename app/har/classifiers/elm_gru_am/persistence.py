"""ELM-GRU-AM on disk: the fitted state as a manifest and named arrays; see `model_folder`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from app.har.classifiers import model_folder
from app.har.classifiers.base import WindowFormat
from app.har.classifiers.elm_gru_am import head_sums, network_weights
from app.har.classifiers.elm_gru_am.classifier import ActivityClassifier
from app.har.classifiers.elm_gru_am.config import ModelConfig
from app.har.classifiers.elm_gru_am.convolutions import RandomConvolutions
from app.har.classifiers.elm_gru_am.description import WindowDescriber
from app.har.classifiers.elm_gru_am.familiarity import Familiarity
from app.har.classifiers.elm_gru_am.plain_network import PlainNetwork
from app.har.classifiers.elm_gru_am.scaling import Compander, Scaler
from app.har.classifiers.elm_gru_am.sensor_layout import SensorLayout
from app.har.classifiers.everyday.forest import Forest
from app.har.classifiers.transitions.finder import TransitionFinder
from app.har.personal.space import Space
from app.har.renamed import with_current_names
from app.har.signals.filters import Preparation

Arrays = dict[str, NDArray[Any]]
T = TypeVar("T")
FORESTS = "transitions_", "transition_changes_"  # of the finder; models of earlier builds lack the second,
LASTS = "transitions_last"  # and this
NETWORK, KERAS_FILE = "network ", "network.keras"  # before the network's arrays; where they were up to format 3


def save_model(
    model: ActivityClassifier,
    folder: Path,
    extra: Mapping[str, Any] | None = None,
    texts: Mapping[str, str] | None = None,
) -> None:
    """Write a fitted model into a new folder, whole or not at all.

    Parameters
    ----------
    folder : must not exist; its parent must.
    extra : more for the manifest: the name and fingerprint of the data, the split; default nothing.
    texts : further files by name, hashed like the others: the model card; default none.
    """
    model.check_fitted()
    manifest = {
        **(extra or {}),
        "model": model.name,
        "model_config": asdict(model.config),
        **asdict(model.format_),
        "window_length_s": model.window_length_s,
        "preparation": asdict(model.preparation),
        "shortest_bout_s": model.shortest_bout_s,
        "transitions_of": list(model.finder.activities) if model.finder else None,
        "importances": model.importances_,
        "combinations": [[list(present), list(weights)] for present, weights in model.combinations_.items()],
        "elm_seed": model.elm_.seed,
        "elm_combinations": [list(blocks) for blocks in model.elm_.betas],
        "familiar_limits": [familiarity.limit for familiarity in model.familiarity_],
        "direction_limits": {str(sensor): familiarity.limit for sensor, familiarity in model.directions_.items()},
    }
    numbered = [
        *(("", number, convolutions) for number, convolutions in enumerate(model.describer_.convolutions)),
        *(("", number, familiarity) for number, familiarity in enumerate(model.familiarity_)),
        *(("direction_", number, familiarity) for number, familiarity in model.directions_.items()),
    ]
    arrays: Arrays = {
        "selected": model.selected_,
        **_arrays_of(model.frame_scaler_, "frame_"),
        **_arrays_of(model.window_scaler_, "window_"),
        **_arrays_of(model.compander_, "raw_"),
    }
    for prefix, number, value in numbered:
        arrays |= _arrays_of(value, prefix, number)
    arrays |= _arrays_of(model.space_, "space_") if model.space_ else {}
    for prefix, forest in zip(
        FORESTS, (model.finder.forest, model.finder.changes) if model.finder else (), strict=False
    ):
        arrays |= _arrays_of(forest, prefix) if forest else {}
    if model.finder and model.finder.lasts is not None:
        arrays[LASTS] = model.finder.lasts
    arrays |= {f"columns_{number}": columns for number, columns in enumerate(model.window_columns_)}
    arrays |= {f"beta_{number}": beta for number, beta in enumerate(model.elm_.betas.values())}
    if model.head_rows_:  # to solve it again
        centres = model.elm_.centres
        arrays |= {f"centre_{i}": centres[present] for i, present in enumerate(model.elm_.betas) if present in centres}
    arrays |= {NETWORK + name: array for name, array in model.network_.arrays.items()}
    kept, aside = head_sums.files_of(model.elm_, model.head_rows_) if model.head_rows_ else ({}, {})
    model_folder.write(folder, manifest | kept, arrays, texts or {}, aside)


def load_model(folder: Path) -> ActivityClassifier:
    """Read a saved model.

    Raises
    ------
    ModelIntegrityError : a file is missing, was changed, or is of another format.
    """
    manifest, arrays = model_folder.read(folder)
    model = ActivityClassifier(_with_tuples(ModelConfig, with_current_names(manifest["model_config"])))
    model.format_ = _with_tuples(WindowFormat, {field.name: manifest[field.name] for field in fields(WindowFormat)})
    model.preparation = Preparation(**manifest.get("preparation", {}))
    model.shortest_bout_s = manifest.get("shortest_bout_s")
    if named := manifest.get("transitions_of"):
        known = _name(FORESTS[1], "root", None) in arrays
        changes = _from_arrays(Forest, arrays, FORESTS[1]) if known else None
        model.finder = TransitionFinder(
            tuple(named), _from_arrays(Forest, arrays, FORESTS[0]), arrays.get(LASTS), changes
        )
    layout = SensorLayout(model.channels)
    n_sensors, n_devices = len(layout.sensors), len(layout.devices)
    convolutions = tuple(
        _from_arrays(RandomConvolutions, arrays, number=number, seed=manifest["elm_seed"] + number)
        for number in range(n_devices)
    )
    model.describer_ = WindowDescriber(model.config, layout, model.sampling_rate_hz, model.n_timesteps, convolutions)
    model.importances_ = [(name, importance) for name, importance in manifest["importances"]]
    model.selected_ = arrays["selected"]
    model.frame_scaler_ = _from_arrays(Scaler, arrays, "frame_")
    model.window_scaler_ = _from_arrays(Scaler, arrays, "window_")
    model.compander_ = _from_arrays(Compander, arrays, "raw_")
    model.space_ = _from_arrays(Space, arrays, "space_") if "space_centre" in arrays else None
    model.window_columns_ = [arrays[f"columns_{number}"] for number in range(n_sensors + n_devices)]
    model.familiarity_ = [
        _from_arrays(Familiarity, arrays, number=number, limit=limit)
        for number, limit in enumerate(manifest["familiar_limits"])
    ]
    model.directions_ = {
        int(number): _from_arrays(Familiarity, arrays, "direction_", int(number), limit=limit)
        for number, limit in manifest.get("direction_limits", {}).items()
    }
    model.elm_ = model.new_elm(manifest["elm_seed"])
    for number, blocks in enumerate(manifest["elm_combinations"]):
        model.elm_.betas[tuple(blocks)] = arrays[f"beta_{number}"]
        if f"centre_{number}" in arrays:
            model.elm_.centres[tuple(blocks)] = arrays[f"centre_{number}"]
    all_sensors = [(True,) * n_sensors, manifest.get("combination")]  # the only one that there once was
    model.combinations_ = {
        tuple(present): tuple(weights) for present, weights in manifest.get("combinations", [all_sensors])
    }
    model.network_ = PlainNetwork(layout.sensors, _of_network(folder, arrays, n_sensors, model.config))
    return model


def _of_network(folder: Path, arrays: Arrays, n_sensors: int, config: ModelConfig) -> Arrays:
    found = {name.removeprefix(NETWORK): array for name, array in arrays.items() if name.startswith(NETWORK)}
    return found or network_weights.of_file(folder / KERAS_FILE, n_sensors, config.without)


def _with_tuples(kind: type[T], stored: Mapping[str, Any]) -> T:
    """Make a dataclass of fields that were stored as JSON, which has lists for tuples."""
    return kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in stored.items()})


def _name(prefix: str, field: str, number: int | None) -> str:
    return f"{prefix}{field}" if number is None else f"{prefix}{field}_{number}"


def _arrays_of(value: Any, prefix: str = "", number: int | None = None) -> Arrays:
    """Return the arrays among the fields of a dataclass, named after them."""
    found = {field.name: getattr(value, field.name) for field in fields(value)}
    return {_name(prefix, field, number): array for field, array in found.items() if isinstance(array, np.ndarray)}


def _from_arrays(kind: type[T], arrays: Arrays, prefix: str = "", number: int | None = None, **others: Any) -> T:
    """Make a dataclass of its arrays, see `_arrays_of`, and of its other fields."""
    names = [field.name for field in fields(kind) if field.name not in others]  # type: ignore[arg-type]
    return kind(**{name: arrays[_name(prefix, name, number)] for name in names}, **others)
