"""Which models cannot read a file, by the sensors that it holds; a person is told before they choose one."""

from __future__ import annotations

from collections.abc import Iterable

from app.services.models.model_titles import ModelInWords
from app.services.recordings.held import DERIVED, Held
from app.services.recordings.sensor_names import in_words


def unfit(models: Iterable[ModelInWords], held: Held) -> dict[int, str]:
    """Return which versions cannot read a file, and why."""
    reasons = {model.version.id: _reason(model, held) for model in models}
    return {version_id: reason for version_id, reason in reasons.items() if reason}


def _reason(model: ModelInWords, held: Held) -> str:
    there = set(held.sensors)
    linear_only = "linear_accelerometer" in there and "accelerometer" not in there
    if linear_only:
        there.add("accelerometer")
    needed = {sensor.rpartition(".")[2] for sensor in model.sensors}
    if DERIVED in needed:  # which Kinelab takes from the acceleration
        needed = {"accelerometer"}
    if needed and not needed & there:
        return f"it needs the {in_words(needed)}; the file holds only {in_words(held.sensors) or 'none of them'}"
    without = not held.gravity or (linear_only and DERIVED not in held.sensors)
    if model.needs_gravity and without and "accelerometer" in needed & there:
        return "it needs acceleration with gravity; the file holds acceleration without"
    return ""
