"""What a stored model tells activities by, and whether its explanations were shown to be true."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import current_app

from app.har.classifiers.catalogue import DEPLOYABLE_MODEL, EVERYDAY_MODEL
from app.services.models import model_versions
from app.tables import ModelVersion


@dataclass(frozen=True)
class Explained:
    """What was measured when a model was trained, and in words."""

    measured: dict[str, Any] | None  # see `har.explanations.about`
    why_not: str  # nothing is explained; "" where it is
    tested: str  # how the test went; "" where there was none


def can_be(version: ModelVersion) -> bool:
    """Tell whether a model is of a kind whose answers are explained."""
    return model_versions.provenance(version).get("model") in (DEPLOYABLE_MODEL, EVERYDAY_MODEL)


def is_everyday(version: ModelVersion | None) -> bool:
    """Tell whether a model is one of small questions, which are explained by themselves."""
    return version is not None and model_versions.provenance(version).get("model") == EVERYDAY_MODEL


def of(version: ModelVersion, answer: str = "") -> Explained:
    """Return what was measured of a model that can be explained.

    Parameters
    ----------
    answer : the activity that is to be explained; default any.
    """
    from app.har.explanations import about

    folder = model_versions.directory(version)
    measured = about.of_folder(folder) or about.of_folder(_released(folder, version))
    return Explained(measured, about.why_not(measured, answer), about.in_words(measured))


def _released(folder: Path, version: ModelVersion) -> Path:
    """Return where the same model comes with the program, where it does: it may have been tested since."""
    released = Path(current_app.config["REFERENCE_MODELS"]) / version.name
    try:
        same = (released / "manifest.json").read_bytes() == (folder / "manifest.json").read_bytes()
    except OSError:
        same = False
    return released if same else folder
