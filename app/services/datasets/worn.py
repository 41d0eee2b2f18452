"""Where the devices of a data set were worn, as an administrator says: the everyday model learns places from that."""

from __future__ import annotations

from collections.abc import Mapping

from app.services import audit
from app.services.audit import Action
from app.services.datasets import library
from app.services.errors import Invalid
from app.services.recordings.places import PLACES
from app.services.transaction import transaction
from app.tables import Dataset


def places(dataset: Dataset) -> dict[str, str]:
    """Return the place of each device of a data set, "" where nobody said it; a single device has no name."""
    from app.har.datasets.pool import devices_of

    return {device: dataset.places.get(device, "") for device in devices_of(dataset.summary["channels"])}


def place_of(dataset: Dataset, device: str = "") -> str:
    """Return where one device of a data set was worn, by default the first, "" where nobody said it."""
    known = places(dataset)
    return known[device] if device in known else next(iter(known.values()))


def choose(name: str, chosen: Mapping[str, str]) -> Dataset:
    """Say where devices of a data set were worn, one of `PLACES` each, or "" where that is not known or differs.

    Raises
    ------
    NotFound, Invalid : no such data set, device or place.
    """
    dataset = library.get(name)
    known = places(dataset)
    for device, place in chosen.items():
        if device not in known:
            raise Invalid(f"{name} has no device {device[:64]!r}; it has {', '.join(known)}.", field="places")
        if place and place not in PLACES:
            raise Invalid(f"A place is one of {', '.join(PLACES)}; found {place[:64]!r}.", field="places")
    with transaction():
        dataset.places = {device: place for device, place in (known | dict(chosen)).items() if place}
    audit.record(Action.DATASET_CHANGED, name, change="places of devices")
    return dataset
