"""What personal heads are measured with, for each data set that a model did not learn from; it can be kept on disk.

Fitting the models takes most of an hour, and nothing of it depends on the head. What is kept is found again by the data
set, the seed and the code that it was made with.
"""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.har.personal.head import Examples
from app.har.personal.prior import Prior
from benchmarks.bench_everyday import fit_without
from benchmarks.everyday_data import SOURCES
from benchmarks.personal_people import NEW, Person, Softmax, of_data_set, people_of, space_of, training_rows

ROOT = Path(__file__).resolve().parent.parent
MADE_WITH = ("app/har/classifiers/everyday/*.py", "app/har/personal/space.py", "app/har/windows.py",
             "benchmarks/everyday_data.py", "benchmarks/personal_people.py")  # fmt: skip
HALVES = ("examples", "tested")

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Prepared:
    """A model's answers to people of a data set that it did not see, and what one would do instead of a head."""

    between: NDArray[np.float64]  # see `Prior`
    softmax: Softmax
    people: Sequence[Person]
    with_new: Sequence[Person]  # with the windows of NEW, too; nobody where there are none

    @property
    def prior(self) -> Prior:
        return Prior(self.between)

    def save(self, path: Path) -> None:
        """Write it, without pickle."""
        arrays = {
            f"{group}/{number}/{name}": value
            for group in ("people", "with_new")
            for number, person in enumerate(getattr(self, group))
            for name, value in _arrays_of(person).items()
        }
        arrays |= {"between": self.between, "weights": self.softmax.weights}
        np.savez(path, allow_pickle=False, activities=np.array(self.softmax.activities), **arrays)

    @classmethod
    def load(cls, path: Path) -> Prepared:
        """Read what was kept."""
        with np.load(path, allow_pickle=False) as stored:
            arrays = dict(stored)
        softmax = Softmax(tuple(arrays["activities"].tolist()), arrays["weights"])
        return cls(arrays["between"], softmax, _people_of(arrays, "people"), _people_of(arrays, "with_new"))


def _arrays_of(person: Person) -> Arrays:
    arrays = {f"{half} {name}": value for half in HALVES for name, value in vars(getattr(person, half)).items()}
    return {**arrays, "scaled": person.scaled, "tested_scaled": person.tested_scaled}


def _people_of(arrays: Arrays, group: str) -> list[Person]:
    n = sum(key.startswith(f"{group}/") and key.endswith("/scaled") for key in arrays)
    found = []
    for number in range(n):
        at = f"{group}/{number}"
        examples, tested = (
            Examples(*(arrays[f"{at}/{half} {one.name}"] for one in fields(Examples))) for half in HALVES
        )
        found.append(Person(examples, tested, arrays[f"{at}/scaled"], arrays[f"{at}/tested_scaled"]))
    return found


def prepared(name: str, seed: int, kept: Path | None) -> Prepared:
    """Let a model that learnt from all other data sets recognise the people of one; or read what was kept of that."""
    path = kept / f"{name}-{seed}-{_made_with()}.npz" if kept else None
    if path and path.exists():
        return Prepared.load(path)
    started = time.perf_counter()
    model = fit_without((name,), seed)
    print(f"{name}, seed {seed}: fitted in {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)
    softmax = Softmax.learnt(*training_rows(model, [source for source in SOURCES if source != name]))
    track, label = of_data_set(model, name)
    known = np.flatnonzero(label != NEW)
    people = people_of(model, track.take(known), label[known])
    with_new = people_of(model, track, label) if NEW in label else []
    found = Prepared(space_of(model).between.astype(np.float64), softmax, people, with_new)
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            found.save(file)
    return found


def _made_with() -> str:
    """Return what changes with the code that models are fitted and people are split with."""
    paths = sorted(path for pattern in MADE_WITH for path in ROOT.glob(pattern))
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()[:12]
