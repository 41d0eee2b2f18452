"""What a head was solved from, kept with its model person by person, and the head as it is without one of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.har.classifiers import model_folder
from app.har.classifiers.elm_gru_am.elm import ExtremeLearningMachine
from app.har.errors import InsufficientData, ModelIntegrityError, UnsolvableSums
from app.har.sums import Matrix, Updated
from app.har.types import FloatArray, IntArray

ROWS_FILE, KEPT = f"{model_folder.ASIDE}rows.npz", "kept_subjects"  # the latter in the manifest
EXACT = 1e-8  # of the output weights, relative: how far they may be from those that are solved from scratch
MOST_BYTES = 25_000_000  # of kept rows: a model is loaded and given away with them
ROUNDED = 1e-5  # and from the stored ones, which are in float32
NOT_FORGOTTEN = (
    "Scaling, choice of features, what is familiar and what personal models look at were learnt with this person.",
    "The network was trained with this person; the network and the head answer together.",
    "How the network and the head are combined, and how much each activity counts, was decided with this person.",
    "The test results are those of the model before: the new head was not tested again.",
    "Where the model was built on another, what that one knows comes with it.",
    "The versions that were made before still know this person, and so do the training run and the data set.",
)


@dataclass(frozen=True)
class HeadRows:
    """The rows that a head learnt from, copies that augment them among them."""

    X: FloatArray  # (n, n_features), scaled and clipped
    y: IntArray  # (n,)
    subjects: NDArray[np.str_]  # (n,)

    @property
    def size(self) -> dict[str, int]:
        """Return how much is kept: people, rows and bytes."""
        return {"people": len(np.unique(self.subjects)), "rows": len(self.y), "bytes": 2 * self.X.size}

    def take(self, which: NDArray[np.bool_]) -> HeadRows:
        """Return some of the rows."""
        return HeadRows(self.X[which], self.y[which], self.subjects[which])


def most_rows(n_features: int) -> int:
    """Return how many rows may be kept."""
    return MOST_BYTES // (2 * n_features)


def as_kept(X: FloatArray) -> FloatArray:
    """Return rows as exact as they are kept, in half the room: so a head that learns from these can forget exactly."""
    return X.astype(np.float16).astype(np.float32)


def files_of(elm: ExtremeLearningMachine, rows: HeadRows) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Return what the manifest says of the kept rows, and the file that holds them.

    The rows are kept instead of the sums of each person, which are made again on demand: of fewer rows than nodes, as
    people have, the sums hold the same and take a hundred times the room.
    """
    subjects, of_row = np.unique(rows.subjects, return_inverse=True)
    counts = np.bincount(of_row)
    kept = [{"subject": subject, "rows": int(n)} for subject, n in zip(subjects.tolist(), counts, strict=True)]
    arrays = {"X": rows.X.astype(np.float16), "y": rows.y, "subject": of_row, "weights": elm.weights}
    return {KEPT: kept}, {ROWS_FILE: arrays}


def read(folder: Path, manifest: Mapping[str, Any]) -> tuple[HeadRows, Matrix]:
    """Read the rows, and the weight of each activity.

    Raises
    ------
    InsufficientData : nothing was kept.
    ModelIntegrityError : the file is missing or was changed.
    """
    if not manifest.get(KEPT):
        raise InsufficientData(
            "This model did not keep what its head was solved from, so it cannot forget anybody. Train it again with "
            "“keep features by person” (--keep-sums), or without that person."
        )
    stored = model_folder.read_aside(folder, manifest, ROWS_FILE)
    subjects = np.array([one["subject"] for one in manifest[KEPT]])[stored["subject"]]
    return HeadRows(stored["X"].astype(np.float32), stored["y"], subjects), stored["weights"]


def without(
    elm: ExtremeLearningMachine, rows: HeadRows, weights: Matrix, subject: str
) -> tuple[HeadRows, dict[str, Any]]:
    """Solve a head without a person, in place; return the rows of the others, and what can be said of it.

    The person's sums are subtracted from those of all. To certify it, the sums of the others are made from scratch as
    well; and that the rows are all that the head was solved from is seen by solving it again from them.

    Parameters
    ----------
    rows : all that the head learnt from.
    weights : (n_activities,), how much a row of each counts: as in the training.

    Raises
    ------
    InsufficientData : the person is not among them, or nobody else did an activity.
    ModelIntegrityError : the rows are not what the head was solved from.
    UnsolvableSums : the solution is not that of the others alone; nothing has changed then.
    """
    own = rows.subjects == subject
    if not subject or not own.any():
        known = ", ".join(np.unique(rows.subjects)[:20].tolist())
        raise InsufficientData(f"The head did not learn from a subject {subject[:64]!r}. It learnt from: {known}.")
    gone, others = rows.take(own), rows.take(~own)
    if missing := set(gone.y.tolist()) - set(others.y.tolist()):
        raise InsufficientData(
            f"Nobody but {subject[:64]} did {len(missing)} of the activities; without them nothing would be left of "
            "these. Train the model again without this person."
        )
    elm.weights, stored = weights, dict(elm.betas)
    everyone = elm.sums_of(rows.X, rows.y)
    remaining, from_scratch = everyone - elm.sums_of(gone.X, gone.y), elm.sums_of(others.X, others.y)
    solutions = {present: elm.solution(remaining, present) for present in stored}
    as_stored = max(_difference(beta, elm.solution(everyone, present)) for present, beta in stored.items())
    if as_stored > ROUNDED:
        raise ModelIntegrityError(
            "The head of this model was not solved from the rows that were kept with it: it differs by "
            f"{as_stored:.1e}."
        )
    off = max(_difference(found, elm.solution(from_scratch, present)) for present, found in solutions.items())
    if off > EXACT:
        raise UnsolvableSums(f"Without {subject}, the head would differ by {off:.1e} from one that is new.")
    elm.betas = {present: found.astype(np.float32) for present, found in solutions.items()}
    return others, {
        "subject": subject,
        "rows": len(gone.y),
        "rows_by_activity": np.bincount(gone.y, minlength=len(weights)).tolist(),
        "rows_of_others": len(others.y),
        "rows_of_others_by_activity": np.bincount(others.y, minlength=len(weights)).tolist(),
        "difference_to_solving_from_scratch": off,
        "difference_of_kept_rows_to_stored_head": as_stored,
        "not_forgotten": list(NOT_FORGOTTEN),
    }


def left_out(elm: ExtremeLearningMachine, rows: HeadRows, weights: Matrix) -> dict[str, tuple[int, int]]:
    """Return of each person how many rows there are, and how many a head answers rightly that never learnt from them.

    One solution of all serves everybody: a person's rows are taken out of it, without solving it anew.
    """
    elm.weights, targets = weights, np.eye(len(weights))
    sums = elm.sums_of(rows.X, rows.y)
    centre = elm.centres.get((True,) * len(elm.sizes), np.zeros_like(sums.moment)).astype(np.float64)
    # A solution drawn towards a centre is the centre, and the usual solution for what that leaves of the targets
    updated = Updated(replace(sums, moment=sums.moment - sums.gram @ centre), elm.ridge)
    found = {}
    for person in np.unique(rows.subjects).tolist():
        own = rows.take(rows.subjects == person)
        H = elm.hidden(own.X.astype(np.float64))
        beta = centre + updated.beta_without(H, targets[own.y] - H @ centre, weights[own.y])
        found[person] = len(own.y), int(((H @ beta).argmax(axis=1) == own.y).sum())
    return found


def _difference(found: NDArray[np.floating], expected: Matrix) -> float:
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))
