"""What each cell of a window is worth to the answer."""

from __future__ import annotations

import numpy as np

from app.har.classifiers.elm_gru_am.classifier import ActivityClassifier
from app.har.explanations.bare import probabilities
from app.har.explanations.cells import Cells, CutWindows
from app.har.types import FloatArray, IntArray

SURE = 1e-4  # a probability this near to 0 or 1 is as sure as any


def log_odds(p: FloatArray) -> FloatArray:
    """Return log p / (1 - p), of probabilities that are never quite 0 or 1."""
    p = np.clip(p, SURE, 1 - SURE)
    return np.asarray(np.log(p / (1 - p)), np.float32)


def cell_values(model: ActivityClassifier, cells: Cells, X: FloatArray, answers: IntArray) -> FloatArray:
    """Return how far the log-odds of the answer fall where a cell is made neutral, (n, n_cells).

    Parameters
    ----------
    X : (n, n_timesteps, n_channels)
    answers : (n,), the activity that is explained.
    """
    p = probabilities(model, cells.cut(X).without_each())
    return falls(p.reshape(len(X), len(cells) + 1, -1), answers)


def falls(p: FloatArray, answers: IntArray) -> FloatArray:
    """Return the same of probabilities, (n, n_cells + 1, n_activities), of windows from `CutWindows.without_each`."""
    odds = log_odds(p[np.arange(len(p)), :, answers])
    return odds[:, :1] - odds[:, 1:]


def prefixes(model: ActivityClassifier, cut: CutWindows, order: IntArray, answers: IntArray) -> FloatArray:
    """Return the answer's probability with 0, 1, 2 … cells there, in this order: (n, n_cells + 1).

    Parameters
    ----------
    order : (n, n_cells), the cells of each window as they are added to the neutral one.
    """
    n, n_cells = order.shape
    rank = np.argsort(order, axis=1)  # when each cell is added
    kept = rank[:, None, :] < np.arange(n_cells + 1)[:, None]  # (n, n_cells + 1, n_cells)
    rows = np.repeat(np.arange(n), n_cells + 1)
    p = probabilities(model, cut.with_cells(rows, kept.reshape(-1, n_cells)))
    own: FloatArray = p[np.arange(len(rows)), answers[rows]].reshape(n, n_cells + 1)
    return own
