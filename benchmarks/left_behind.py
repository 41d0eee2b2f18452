"""What a home holds that should not be there: rows without files, files without rows, and what is half-written."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np

from app.har.classifiers import model_folder
from app.har.datasets.store import open_store
from app.services import sealing
from app.services.database import connect
from app.services.files import DRAFT
from app.services.leftovers import ASIDE
from app.services.recordings.result_files import load_result
from tests.homes import DATABASE, at_home


def integrity(home: Path) -> list[str]:
    """Return what SQLite finds wrong with the database; nothing where it is whole."""
    with at_home(home), closing(connect(home / DATABASE)) as database:
        found = [row[0] for row in database.execute("PRAGMA integrity_check")]
        found += [f"foreign key of {row[0]}" for row in database.execute("PRAGMA foreign_key_check")]
    return [fault for fault in found if fault != "ok"]


def half_written(home: Path) -> list[str]:
    """Return all that is half there, in a home in which nothing is under way."""
    with at_home(home), closing(connect(home / DATABASE)) as database:  # which has the keys of sealed files
        faults = [*_recordings(home, database), *_datasets(home, database)]
        faults += [*_models(home, database), *_runs(home, database)]
    faults += [f"{path.relative_to(home)} is a draft" for path in home.rglob(f"{DRAFT}*")]
    return faults


def _recordings(home: Path, database: sqlite3.Connection) -> Iterator[str]:
    recordings = dict(database.execute("SELECT id, folder FROM recording"))
    predictions = list(database.execute("SELECT id, recording_id FROM prediction"))
    for folder in (home / "uploads" / name for name in recordings.values()):
        for name in ("source", "quality.json"):
            if not (folder / name).is_file():
                yield f"{folder.name} has no {name}"
        if (folder / "signal.npy").exists():
            sealing.fingerprint(folder / "signal.npy")
    for number, recording in predictions:
        load_result(home / "uploads" / recordings[recording] / f"{number}.npz")
    known = {(recordings[recording], f"{number}.npz") for number, recording in predictions}
    for path in (home / "uploads").glob("recording-*/*.npz"):
        if path.name != "stretches.npz" and (path.parent.name, path.name) not in known:
            yield f"{path.name} in {path.parent.name} has no row"
    for path in (home / "uploads").iterdir():
        if path.name.startswith("pending-"):
            json.loads((path / "pending.json").read_text())
            if not (path / "source").is_file():
                yield f"{path.name} waits without its file"
            if path.name.replace("pending-", "recording-") in recordings.values():
                yield f"{path.name} waits and is a recording"
        elif path.name not in (*recordings.values(), ASIDE):
            yield f"{path.name} in uploads has no row"


def _datasets(home: Path, database: sqlite3.Connection) -> Iterator[str]:
    root = home / "instance" / "datasets"
    folders = {row[0] for row in database.execute("SELECT folder FROM dataset")}
    for folder in folders:
        store = open_store(root / folder)
        np.asarray(store.signals.signal).sum()
        for table in store.tables:
            store.rows(table, limit=1)
    known = folders | {ASIDE}
    yield from (
        f"data set {path.name} has no row" for path in root.iterdir() if path.is_dir() and path.name not in known
    )


def _models(home: Path, database: sqlite3.Connection) -> Iterator[str]:
    store = home / "model_store"
    versions = {
        store / name / str(number) for name, number in database.execute("SELECT name, version FROM model_version")
    }
    for version in versions:
        model_folder.verify(version)
    for path in (*store.glob(".*"), *store.glob("*/*")):
        if path.is_dir() and path not in versions and ASIDE not in path.parts:
            yield f"model {path.relative_to(store)} has no row"


def _runs(home: Path, database: sqlite3.Connection) -> Iterator[str]:
    runs = home / "instance" / "runs"
    for number, status in database.execute("SELECT id, status FROM training_run"):
        output = runs / str(number) / "output"
        if status.lower() == "running":
            yield f"run {number} is still running"
        if (status.lower() == "finished") is not (output / "metrics.json").is_file():
            yield f"run {number} is {status}, and its output {'is' if output.exists() else 'is not'} there"
    yield from (f"{path} is left" for path in (*runs.glob("*/unfinished"), *runs.glob("*/output/model")))


def running(home: Path) -> bool:
    """Tell whether a training is under way."""
    with at_home(home), closing(connect(home / DATABASE)) as database:
        return any(row[0].lower() == "running" for row in database.execute("SELECT status FROM training_run"))
