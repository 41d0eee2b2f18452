"""The everyday model on disk: its trees as named arrays, its calibration in the manifest; see `model_folder`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.har.classifiers import model_folder
from app.har.classifiers.base import WindowFormat
from app.har.classifiers.everyday.besides import Besides
from app.har.classifiers.everyday.calibration import Binary, Calibration, Directions, Line
from app.har.classifiers.everyday.classifier import EverydayClassifier
from app.har.classifiers.everyday.forest import Forest
from app.har.classifiers.everyday.novelty import Novelty
from app.har.classifiers.everyday.training import Questions
from app.har.errors import ModelIntegrityError
from app.har.personal.space import Space

BOTH_WAYS = Line(3.7, -4.2)  # what data sets left out ask for
BESIDES = "besides"

Arrays = dict[str, NDArray[Any]]


def save_model(
    model: EverydayClassifier,
    folder: Path,
    extra: Mapping[str, Any] | None = None,
    texts: Mapping[str, str] | None = None,
) -> None:
    """Write a fitted model into a new folder, whole or not at all; see `elm_gru_am.persistence.save_model`."""
    model.check_fitted()
    manifest = {
        **(extra or {}),
        "model": model.name,
        "place_of": model.place_of,
        **asdict(model.format_),
        "window_length_s": model.window_length_s,
        "preparation": asdict(model.preparation),
        "shortest_bout_s": model.shortest_bout_s,
        "features": list(model.columns.names),
        "calibration": asdict(model.calibration_),
        "novelty_limit": model.novelty_.limit,
        "answer_limit": model.answer_limit_,
        "other_movements": list(model.besides_.movements) if model.besides_ else [],
    }
    forests: dict[str, Forest | None] = {
        field.name: getattr(model.questions_, field.name) for field in fields(Questions)
    }
    forests[BESIDES] = model.besides_.forest if model.besides_ else None
    arrays: Arrays = {
        f"{question}_{field.name}": getattr(forest, field.name)
        for question, forest in forests.items()
        if forest is not None
        for field in fields(Forest)
    }
    arrays |= {f"novelty_{name}": value for name, value in vars(model.novelty_).items() if name != "limit"}
    arrays |= {f"{BESIDES}_limits": model.besides_.limits} if model.besides_ else {}
    arrays |= {f"space_{name}": value for name, value in vars(model.space_).items()} if model.space_ else {}
    model_folder.write(folder, manifest, arrays, texts or {})


def load_model(folder: Path) -> EverydayClassifier:
    """Read a saved model.

    Raises
    ------
    ModelIntegrityError : a file is missing, was changed, or is of another format.
    """
    manifest, arrays = model_folder.read(folder)
    model = EverydayClassifier(manifest["place_of"])
    values: dict[str, Any] = {field.name: manifest[field.name] for field in fields(WindowFormat)}
    values |= {name: tuple(values[name]) for name in ("activities", "channels")}
    model.format_ = WindowFormat(**values)
    model.shortest_bout_s = manifest.get("shortest_bout_s")
    if manifest["features"] != list(model.columns.names):
        raise ModelIntegrityError(f"{folder} was made from other features than this version computes. Train it again.")
    model.questions_ = Questions(**{field.name: _forest(arrays, field.name) for field in fields(Questions)})
    stored = manifest["calibration"]
    model.calibration_ = Calibration(
        stored["level"],
        _binary(stored["stairs"]),
        Line(**stored["stairs_raw"]),
        _directions(stored["down"]),
        _directions(stored["down_without_gravity"]),
    )
    model.answer_limit_ = manifest["answer_limit"]
    names = [field.name for field in fields(Novelty) if field.name != "limit"]
    model.novelty_ = Novelty(**{name: arrays[f"novelty_{name}"] for name in names}, limit=manifest["novelty_limit"])
    forest = _forest(arrays, BESIDES)  # none in models of earlier builds
    movements = tuple(manifest.get("other_movements", ()))
    model.besides_ = None if forest is None else Besides(movements, arrays[f"{BESIDES}_limits"], forest)
    names = [field.name for field in fields(Space)]
    there = f"space_{names[0]}" in arrays
    model.space_ = Space(**{name: arrays[f"space_{name}"] for name in names}) if there else None
    return model


def _forest(arrays: Arrays, question: str) -> Forest | None:
    names = [field.name for field in fields(Forest)]
    if f"{question}_{names[0]}" not in arrays:
        return None
    return Forest(**{name: np.asarray(arrays[f"{question}_{name}"]) for name in names})


def _binary(stored: Mapping[str, Mapping[str, float]]) -> Binary:
    return Binary(**{name: Line(**line) for name, line in stored.items()})


def _directions(stored: Mapping[str, Mapping[str, float]]) -> Directions:
    if "both_ways" not in stored:  # of a model from before stairs of one direction were looked for
        stored = {"by_stairs": stored["mixed"], "by_walking": stored["known"], "both_ways": asdict(BOTH_WAYS)}
    return Directions(**{name: Line(**line) for name, line in stored.items()})
