"""The windows that a run tested: which of them are behind a cell of a confusion matrix."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from app.services.errors import NotFound
from app.services.models import runs
from app.services.models.training_child import OUTPUT
from app.services.paging import Page, page_of
from app.tables import TrainingRun

PAGE_SIZE = 50
NOT_KEPT = (
    "Which windows are behind a cell is not known for this run: it was made by an earlier version, which did not keep "
    "their recordings and times. Train again with the same settings to see them."
)


@dataclass(frozen=True)
class TestedWindow:
    """One window of the test part, and how a model answered it."""

    subject: str
    dataset: str  # "" where it was taken from the only one
    recording: str  # by the name that it has in its data set
    start_s: float
    confidence: float  # probability of what was recognised
    of_truth: float  # probability of what it was


@dataclass(frozen=True)
class Cell:
    """The windows of one true activity that a model recognised as one activity."""

    windows: Page[TestedWindow]
    subjects: list[tuple[str, int]]  # how many are whose, most first
    of_activity: int  # windows of the true activity, recognised as anything


def are_kept(run_id: int) -> bool:
    """Tell whether it is known for a run which windows were tested; runs of earlier builds lack their recordings."""
    try:
        with zipfile.ZipFile(_path(run_id)) as archive:
            return "recordings.npy" in archive.namelist()
    except (OSError, zipfile.BadZipFile):
        return False


def behind_cell(run: TrainingRun, model: str, true: str, recognised: str, number: int = 1) -> Cell:
    """Return the windows behind a cell of a model's confusion matrix, by subject and time, a page of them.

    Parameters
    ----------
    true, recognised : names of activities of the run.
    number : of the page.

    Raises
    ------
    NotFound : no such model or activity in the run, or the windows were not kept.
    """
    activities = run.result.get("activities", [])
    if model not in run.result.get("models", {}) or not {true, recognised} <= set(activities):
        raise NotFound(f"Training run {run.id} has no such cell.")
    if not are_kept(run.id):
        raise NotFound(NOT_KEPT)
    row, column = activities.index(true), activities.index(recognised)
    with np.load(_path(run.id)) as kept:
        y, proba = kept["y"], kept[model]
        subjects, recordings, start_s = kept["subjects"], kept["recordings"], kept["start_s"]
    of_activity = y == row
    found = np.flatnonzero(of_activity & (proba.argmax(axis=1) == column))
    found = found[np.lexsort((start_s[found], recordings[found], subjects[found]))]
    names, counts = np.unique(subjects[found], return_counts=True)
    several = "datasets" in run.result["data"]

    def window(i: int) -> TestedWindow:
        dataset, _, name = str(recordings[i]).partition("/") if several else ("", "", str(recordings[i]))
        probabilities = float(proba[i, column]), float(proba[i, row])
        return TestedWindow(str(subjects[i]), dataset, name, float(start_s[i]), *probabilities)

    return Cell(
        page_of(len(found), number, PAGE_SIZE, lambda start, stop: [window(i) for i in found[start:stop].tolist()]),
        sorted(zip(names.tolist(), counts.tolist(), strict=True), key=lambda pair: -pair[1]),
        int(of_activity.sum()),
    )


def _path(run_id: int) -> Path:
    return runs.folder(run_id) / OUTPUT / "predictions.npz"
