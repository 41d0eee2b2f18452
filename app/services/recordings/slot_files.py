"""The slots of 5 s of a file's recordings (see `app.har.measures.slots`), as a file in the recording's folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from app.har.measures.slots import Slots
from app.har.texts import loads
from app.services import sealing
from app.services.files import written_whole
from app.services.sealing import Key

FILE = "slots.npz"


def save(folder: Path, slots: Mapping[str, Slots], key: Key | None) -> None:
    """Write the slots of each recording, by its name, whole or not at all."""
    names = json.dumps([[name, each.device, len(each)] for name, each in slots.items()])
    every = Slots.joined(list(slots.values()))
    with written_whole(folder / FILE) as draft, sealing.created(draft, key) as file:
        np.savez_compressed(
            file,
            names=np.frombuffer(names.encode(), np.uint8),
            number=every.number,
            enmo_mg=every.enmo_mg,
            mad_mg=every.mad_mg,
            angle_deg=every.angle_deg,
        )


def load(folder: Path) -> dict[str, Slots]:
    """Return the slots of each recording by its name; nothing of what earlier builds stored."""
    try:
        with sealing.opened(folder / FILE) as file, np.load(file, allow_pickle=False) as stored:
            arrays = dict(stored)
    except FileNotFoundError:
        return {}
    every = Slots(arrays["number"], arrays["enmo_mg"], arrays["mad_mg"], arrays["angle_deg"])
    found, first = {}, 0
    for name, device, n in loads(arrays["names"].tobytes()):
        found[str(name)] = Slots.joined([every.take(slice(first, first + n))], device)
        first += n
    return found
