"""Models in the words of somebody who has a recording: what one recognises, and where the device is worn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from app.extensions import db
from app.har.classifiers.catalogue import EVERYDAY_MODEL
from app.services.formatting import capitalise
from app.services.models import model_versions
from app.services.recordings.places import PLACES
from app.tables import Dataset, ModelVersion

WORN_TOGETHER = "phone and watch together"
KNOWN: Mapping[str, tuple[str, str]] = {  # data sets of the reference models: what was done, and how it was worn
    "ku-har": ("Everyday activities of KU-HAR", "phone at the waist"),
    "sp-sw-har": ("Sitting down, standing up, turning and walking", WORN_TOGETHER),
    "physiotherapy": ("Shoulder exercises", "watch on the wrist"),
    "physiotherapy-example": ("Shoulder exercises", "watch on the wrist"),
}


@dataclass(frozen=True)
class ModelInWords:
    """What a person chooses among."""

    version: ModelVersion
    title: str
    worn: str
    activities: tuple[str, ...]
    sensors: tuple[str, ...]
    needs_gravity: bool  # the acceleration must hold gravity

    @property
    def choice(self) -> str:
        """One line of a list."""
        return f"{self.title} ({self.worn}) – {self.version.label}"


def in_words() -> list[ModelInWords]:
    """Return all models, the default one first, then the newest."""
    rows = db.session.execute(select(Dataset.name, Dataset.places)).all()
    places: dict[str, dict[str, str]] = {row.name: row.places for row in rows}
    versions = sorted(model_versions.list_versions(), key=lambda version: not version.promoted)
    return [_described(version, model_versions.provenance(version), places) for version in versions]


def _described(
    version: ModelVersion, about: Mapping[str, Any], places: Mapping[str, Mapping[str, str]]
) -> ModelInWords:
    from app.services.recordings.sensor_names import sensors_of

    channels = about.get("channels", [])
    sensors = sensors_of(channels)
    devices = sorted({channel.rpartition(".")[0] for channel in channels} - {""})
    dataset = str(about.get("data", {}).get("dataset", version.name))
    if about.get("model") == EVERYDAY_MODEL:
        title, worn = "Everyday activities", "any phone or watch"
    elif dataset in KNOWN:
        title, worn = KNOWN[dataset]
    else:
        title = f"Activities of {dataset}"
        of_devices = {device: PLACES.get(place, "") for device, place in places.get(dataset, {}).items()}
        worn = _worn(devices, of_devices)
    needs_gravity = about.get("gravity") == "included" and "gravity" not in sensors
    activities = tuple(_readable(name) for name in about.get("activities", ()))
    return ModelInWords(version, title, worn, activities, sensors, needs_gravity)


def _readable(name: str) -> str:
    """Write the name of an activity as people do: SITTING_DOWN is Sitting down."""
    text = name.replace("_", " ").strip()
    return capitalise(text.lower()) if text.isupper() else text


def _worn(devices: list[str], places: Mapping[str, str]) -> str:
    if not devices:
        return f"device {places['']}" if places.get("") else "worn as in its data set"
    return " and ".join(f"{device} {places.get(device, '')}".strip() for device in devices) + (
        " together" if len(devices) > 1 else ""
    )
