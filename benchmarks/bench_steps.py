"""How many steps are counted of those that switches under both feet saw; JSON on stdout.

The data set of Oxford's step counter (Brynes, Salvi et al., CC BY 4.0): walks of five people with a phone in seven
places, as ``git clone https://github.com/Oxford-step-counter/DataSet``; the folder is the first argument. Of
``optimisation``, a step is a foot that comes down; of ``validation``, the count is in the rows. Left out are `FAULTY`,
in which the switches missed steps.

``walking known`` counts between the first and the last step: nothing was learnt from anybody here. ``as uploaded`` is
what a page shows: read, recognised by the model that comes with the program (which was trained on walks of three of
these people), and counted where the answer is on foot. ``validation`` is of two people that neither has met. The single
walks go to stderr.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from app.har.types import FloatArray, TimeArray

FAULTY = ("Carpet_InHand_1", "Carpet_InHand_2")  # 1.4 steps a second, where the same person makes 1.8 on that carpet
RATES_HZ = (16, 20, 25, 50, 100)
PLACES = {
    "inhand": "in hand", "hand": "in hand", "armband": "armband", "backpocket": "back pocket",
    "frontpocket": "front pocket", "neckpouch": "neck pouch", "purse": "bag", "bag": "bag",
    "swingingarm": "swinging arm",
}  # fmt: skip


@dataclass(frozen=True)
class Walk:
    """A recording, and when steps were made in it, in seconds from its first sample."""

    person: str
    place: str
    part: str
    ns: np.ndarray[Any, np.dtype[np.int64]]
    acceleration: FloatArray  # (n, 3)
    steps: TimeArray
    others: dict[str, int]  # what other counters said of it


def walks(folder: Path) -> Iterator[Walk]:
    """Read the data set; people are called by numbers."""
    people: dict[str, str] = {}
    for path in sorted(folder.glob("optimisation/data/*_*_*/accelerometer.csv")):
        _, person, *words, _ = path.parent.name.split("_")
        if path.parent.name.endswith(FAULTY) or not words:
            continue
        rows, feet = np.loadtxt(path, delimiter=","), np.loadtxt(path.with_name("stepcounter.csv"), delimiter=",")
        ns = rows[:, 0].astype(np.int64)
        down = np.concatenate([feet[1:, 0][np.diff(feet[:, foot]) > 0] for foot in (1, 2)])
        steps = (np.sort(down) - ns[0]) * 1e-9
        name = people.setdefault(person, f"person {len(people) + 1}")
        yield Walk(name, PLACES[words[-1].lower()], "optimisation", ns, rows[:, 2:5], steps, {})
    for path in sorted(folder.glob("validation/user*.csv")):
        person, place, _ = path.stem.split("_")
        rows = np.loadtxt(path, delimiter=",")
        ns = rows[:, 0].astype(np.int64)
        new = np.maximum(np.diff(rows[:, 5]), 0).astype(int)
        steps = np.repeat((ns[1:] - ns[0]) * 1e-9, new)
        others = {"Oxford's own": int(rows[-1, 4]), "the phone's own": int(rows[-1, 6])}
        name = people.setdefault(person, f"person {len(people) + 1}")
        yield Walk(name, PLACES[place], "validation", ns, rows[:, 1:4], steps, others)


def counted(walk: Walk, rate_hz: float) -> int:
    """Count the steps between the first and the last, at a rate."""
    from app.har.signals import steps

    time_s = (walk.ns - walk.ns[0]) * 1e-9
    at = np.arange(max(walk.steps[0] - 0.5, 0), min(walk.steps[-1] + 0.5, time_s[-1]), 1 / rate_hz)
    several = max(1, int(len(time_s) / time_s[-1] / rate_hz))
    even = [np.convolve(axis, np.full(several, 1 / several), "same") for axis in walk.acceleration.T]
    values = np.stack([np.interp(at, time_s, axis) for axis in even], axis=1)
    return len(steps.step_times(values, rate_hz))


def as_uploaded(user_id: int, walk: Walk) -> tuple[int, float]:
    """Upload a walk as Oxford's layout has it; return what its page says, and the share of it that is on foot."""
    from app.services.personal import view
    from app.services.recordings import steps, uploads

    moments = zip(walk.ns.tolist(), walk.acceleration.tolist(), strict=True)
    rows = (f"{t},3,{x:.6f},{y:.6f},{z:.6f}\n" for t, (x, y, z) in moments)
    path = Path(tempfile.mkstemp(suffix=".csv")[1])
    path.write_text("".join(rows))
    with path.open("rb") as file:
        prediction = uploads.store_and_recognise(user_id, "accelerometer.csv", file)
    path.unlink()
    result = view.view_of(prediction).result
    found = steps.of(prediction.recording, result)
    return found.total() or 0, float(found.walked[result.answers].mean())


def errors(rows: Sequence[dict[str, Any]], key: str) -> dict[str, float]:
    """Return how far counts are off, as shares of the true ones."""
    off = np.array([row[key] / row["steps"] - 1 for row in rows if row.get(key)])
    return {
        "walks": len(off),
        "mean absolute": round(float(np.abs(off).mean()), 4),
        "median absolute": round(float(np.median(np.abs(off))), 4),
        "worst": round(float(np.abs(off).max()), 4),
        "mean": round(float(off.mean()), 4),
        "all steps": round(float(sum(row[key] for row in rows) / sum(row["steps"] for row in rows) - 1), 4),
    }


def grouped(rows: Sequence[dict[str, Any]], by: str, key: str) -> dict[str, dict[str, float]]:
    names = dict.fromkeys(row[by] for row in rows)
    return {str(name): errors([row for row in rows if row[by] == name], key) for name in names}


def main() -> None:
    """Print the figures."""
    os.environ["HAR_HOME"] = tempfile.mkdtemp()
    from app import create_app
    from app.services import accounts, consents, installation
    from app.services.models import reference_models
    from app.services.purposes import Purpose
    from app.services.transaction import transaction
    from config import Config

    rows: list[dict[str, Any]] = []
    app = create_app(Config())
    with app.app_context():
        installation.prepare()
        reference_models.add_new()
        user = accounts.register("walker", "correct horse battery", "", "walker@example.org", "", "user")
        with transaction():
            consents.add(Purpose.RECOGNITION, user.id)
        for walk in walks(Path(sys.argv[1])):
            on_page, on_foot = as_uploaded(user.id, walk)
            rows.append(
                {
                    "person": walk.person,
                    "place": walk.place,
                    "part": walk.part,
                    "steps": len(walk.steps),
                    "on foot": round(on_foot, 3),
                    "as uploaded": on_page,
                    **{f"at {rate} Hz": counted(walk, rate) for rate in RATES_HZ},
                    **walk.others,
                }
            )
            print(rows[-1], file=sys.stderr)
    known = f"at {RATES_HZ[3]} Hz"
    validation = [row for row in rows if row["part"] == "validation"]
    phone = [row for row in validation if row["the phone's own"]]  # of one person it was not kept
    figures = {
        "walking known, by rate": {str(rate): errors(rows, f"at {rate} Hz") for rate in RATES_HZ},
        "walking known, by person": grouped(rows, "person", known),
        "walking known, by place": grouped(rows, "place", known),
        "as uploaded": errors(rows, "as uploaded"),
        "as uploaded, by part": grouped(rows, "part", "as uploaded"),
        "as uploaded, by place": grouped(rows, "place", "as uploaded"),
        "validation, against others": {
            "Kinelab, walking known": errors(validation, known),
            "Kinelab, as uploaded": errors(validation, "as uploaded"),
            "Oxford's own": errors(validation, "Oxford's own"),
            "Kinelab, as uploaded, where the phone counted": errors(phone, "as uploaded"),
            "the phone's own": errors(phone, "the phone's own"),
        },
    }
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
