"""Detectors of falls: the one that comes with Kinelab, and those trained on a lab's own copy of falls.

At first the one that comes with Kinelab watches. What a lab trains is kept beside the models and used until another is
chosen; the threshold method can be chosen always, and watches where a detector cannot be read. Research software, not a
medical device.
"""

from __future__ import annotations

import json
import logging
import re
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from flask import current_app

from app.har.datasets.store import build_store, open_store
from app.har.errors import ModelIntegrityError
from app.har.falls import training
from app.har.falls.trained import TrainedFalls, load
from app.har.falls.watch import THRESHOLD
from app.har.progress import OnEvent, ignore_event
from app.services.datasets import library
from app.services.errors import Invalid, NotFound

log = logging.getLogger(__name__)
NAME = re.compile(r"detector-(\d+)")  # not a bare number: those are versions of models, which have a row each
REFERENCE = "reference-falls"  # comes with Kinelab; `make reference-models`
CHOSEN = "chosen.txt"
MEASURED = {  # data sets that neither the shipped detector nor the threshold method met, as `benchmarks` names them
    "sisfall, adults": "At the waist, adults of 19 to 30 years",
    "sisfall, elderly": "At the waist, people of 60 to 75 years",
    "mobifall": "In a trouser pocket, young adults",
    "weda-fall": "A watch, falls of young adults",
}


@dataclass(frozen=True)
class Stored:
    """A detector as it is stored, whether or not it can be read."""

    name: str
    facts: dict[str, Any]
    limit: float | None
    used: bool
    damage: str = ""  # why it cannot be read

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {"name": self.name, "used": self.used, "limit": self.limit, **self.facts, "damage": self.damage}


@dataclass(frozen=True)
class Measured:
    """How often what watches for falls was right, on people whom it never met; texts for a page."""

    where: str
    falls: int
    told: str  # share of the falls
    quiet: str  # share of the other activities
    an_hour: str  # false alarms
    a_day: str
    delay: str  # after the impact


def train(data: Sequence[str], falls: Sequence[str] = (), on_event: OnEvent = ignore_event) -> Stored:
    """Train a detector and use it from now on; the one that comes with Kinelab is its second opinion.

    Parameters
    ----------
    data : names of data sets, or paths to some, which are read and not kept; those without falls say what is none.
    falls : the activities that are falls; default those whose names say so.

    Raises
    ------
    NotFound : there is no such data set and no such path.
    Invalid : none of them has such an activity.
    InsufficientData : see `app.har.falls.training`.
    """
    parts = [_examples(name, falls, on_event) for name in data]
    found = training.joined(parts)
    if unknown := sorted(set(falls) - set(found.bout_activity.tolist())):
        known = ", ".join(sorted(set(found.bout_activity.tolist())))
        raise Invalid(f"No activity is called {unknown[0]}. Found: {known}.")
    activities = sorted(set(found.bout_activity[found.bout_fall].tolist()))
    names = " and ".join(Path(name).name for name in data)
    facts = {"trained_on": names, "fall_activities": activities}
    detector = training.train(found, facts, second=_reference())
    numbers = [int(match[1]) for path in _folder().iterdir() if (match := NAME.fullmatch(path.name))]
    stored = f"detector-{max(numbers, default=0) + 1}"
    detector.save(_folder() / stored)
    use(stored)
    return get(stored)


def _examples(data: str, falls: Sequence[str], on_event: OnEvent) -> training.Examples:
    path = library.path_from_text(data)
    if not path.exists():
        return training.examples(library.open_dataset(library.get(data)).signals, falls or None)
    with tempfile.TemporaryDirectory(dir=current_app.config["INSTANCE"], prefix=".falls-") as folder:
        build_store(path, Path(folder) / "store", on_event, reach=library.machine_reach())
        return training.examples(open_store(Path(folder) / "store").signals, falls or None)


def list_detectors() -> list[Stored]:
    """Return all trained detectors, the newest first; the one that comes with Kinelab is the last."""
    names = [path.name for path in _folder().iterdir() if NAME.fullmatch(path.name)]
    names.sort(key=lambda name: -int(name.rpartition("-")[2]))
    return [get(name) for name in [*names, *([REFERENCE] if _path(REFERENCE).is_dir() else [])]]


def get(name: str) -> Stored:
    """Return what is known of a detector.

    Raises
    ------
    NotFound : there is none of this name.
    """
    if not _is_name(name) or not _path(name).is_dir():
        raise NotFound(f"No detector of falls is called {name}.")
    try:
        detector = _read(_path(name))
    except ModelIntegrityError as error:
        return Stored(name, {}, None, name == _chosen(), str(error))
    return Stored(name, dict(detector.facts), detector.limit, name == _chosen())


def use(name: str) -> None:
    """Let a detector watch from now on, or the threshold method by the name ``threshold``; sessions that run go on.

    Raises
    ------
    NotFound : there is none of this name.
    Invalid : it cannot be read.
    """
    if name != THRESHOLD and (damage := get(name).damage):
        raise Invalid(damage)
    (_folder() / CHOSEN).write_text(name, encoding="utf-8")


def delete(name: str) -> None:
    """Delete a detector; if it was used, the one that comes with Kinelab watches.

    Raises
    ------
    NotFound : there is none of this name.
    Invalid : it comes with Kinelab.
    """
    if name == REFERENCE:
        raise Invalid(f"{REFERENCE} comes with Kinelab. To do without it, use another: flask falls use {THRESHOLD}")
    stored = get(name)
    if stored.used:
        (_folder() / CHOSEN).unlink()
    shutil.rmtree(_path(name))


def current() -> TrainedFalls | None:
    """Return the detector that watches, None where the threshold method does; also where the chosen one is damaged."""
    name = _chosen()
    if name == THRESHOLD:
        return None
    try:
        return _read(_path(name))
    except ModelIntegrityError as error:
        log.warning("falls are watched for by the threshold method: %s", error)
        return None


def method_in_words() -> str:
    """Say what watches for falls now, for pages."""
    detector = current()
    if detector is None:
        return "Falls: threshold method (impact, turn and stillness; untrained)"
    return f"Falls: {_chosen()}, trained on {detector.facts.get('trained_on', 'unknown data')}"


def measured() -> list[Measured]:
    """Return how often what watches now was right: staged falls, and look-alikes of falls, one after another."""
    name, detector = _chosen(), current()
    if detector is not None and name != REFERENCE:
        facts = detector.facts
        an_hour = float(facts["false_alarms_an_hour"])
        shares = _percent(facts["sensitivity"]), _percent(facts["specificity"])
        where = f"People left out of {facts.get('trained_on', 'its data')}"
        return [Measured(where, facts["falls"], *shares, f"{an_hour:.1f}", f"{24 * an_hour:.0f}", "–")]
    source = "threshold.json" if detector is None else f"{REFERENCE}/measured.json"
    path = Path(current_app.config["REFERENCE_MODELS"]) / "falls" / source
    rows = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return [_as_texts(title, rows[part]) for part, title in MEASURED.items() if part in rows]


def _as_texts(where: str, row: dict[str, Any]) -> Measured:
    delay, day = row["delay s, median"], row["false alarms a day"]
    return Measured(
        where,
        row["falls"],
        _percent(row["sensitivity"]),
        _percent(row["specificity"]),
        f"{float(str(row['false alarms an hour']).split()[0]):.1f}",
        "–" if day is None else f"{day:.0f}",
        "–" if delay is None else f"{delay:.1f} s",
    )


def _percent(share: Any) -> str:
    """Write a share, and its interval if it has one ("0.96 (0.94–0.98)"), in percent; that of one person is none."""
    found = [f"{100 * float(number):.0f}" for number in re.findall(r"\d\.\d+", str(share))]
    if not found:
        return "–"
    return f"{found[0]}\N{NO-BREAK SPACE}%" + (f" ({found[1]}–{found[2]})" if len(set(found[1:])) == 2 else "")


def _chosen() -> str:
    try:
        name = (_folder() / CHOSEN).read_text(encoding="utf-8").strip()
    except OSError:
        return REFERENCE if _path(REFERENCE).is_dir() else THRESHOLD
    return name if _is_name(name) else THRESHOLD


def _is_name(name: str) -> bool:
    return name == REFERENCE or NAME.fullmatch(name) is not None


def _path(name: str) -> Path:
    return Path(current_app.config["REFERENCE_MODELS"]) / "falls" / name if name == REFERENCE else _folder() / name


def _reference() -> TrainedFalls | None:
    """Return the detector that comes with Kinelab, None where it is damaged or missing."""
    if not _path(REFERENCE).is_dir():
        return None
    try:
        return _read(_path(REFERENCE))
    except ModelIntegrityError as error:
        log.warning("a detector is trained without a second opinion: %s", error)
        return None


def _folder() -> Path:
    folder = Path(current_app.config["MODEL_STORE"]) / "falls"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


@lru_cache(maxsize=4)
def _read(folder: Path) -> TrainedFalls:
    return load(folder)
