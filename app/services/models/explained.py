"""What a stored model tells activities by, and whether its explanations were shown to be true."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from app.har.classifiers.catalogue import DEPLOYABLE_MODEL
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
    return model_versions.provenance(version).get("model") == DEPLOYABLE_MODEL


def of(version: ModelVersion, answer: str = "") -> Explained:
    """Return what was measured of a model that can be explained.

    Parameters
    ----------
    answer : the activity that is to be explained; default any.
    """
    from app.har.explanations import about

    measured = about.of_folder(model_versions.directory(version))
    return Explained(measured, about.why_not(measured, answer), about.in_words(measured))
