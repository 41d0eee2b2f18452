"""Which features earn their place: a Random Forest's ranking."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from app.har.types import FloatArray, IntArray

MAX_FRAMES = 5000  # the ranking is stable from here on; more only takes longer


def rank_features(
    frames: FloatArray, y: IntArray, names: Sequence[str], seed: int = 0, n_trees: int = 50
) -> list[tuple[str, float]]:
    """Rank features of single frames by how much a Random Forest learns from them about the activity.

    Parameters
    ----------
    frames : (n_windows, n_frames, n_features), training windows only.
    y : (n_windows,), the activity of each window.
    names : one a feature.
    seed : for the frames drawn and for the forest; default 0.
    n_trees : of the forest; default 50.

    Returns
    -------
    list of (name, importance) : most important first; importances (mean decrease in impurity, Breiman 2001) sum to 1.
    """
    from sklearn.ensemble import RandomForestClassifier

    n_windows, n_frames, n_features = frames.shape
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(n_windows * n_frames)[:MAX_FRAMES]
    forest = RandomForestClassifier(n_trees, min_samples_leaf=2, n_jobs=2, random_state=seed)
    forest.fit(frames.reshape(-1, n_features)[chosen], np.repeat(y, n_frames)[chosen])
    importances = forest.feature_importances_  # scikit-learn computes them again at each access
    return [(names[i], float(importances[i])) for i in np.argsort(-importances, kind="stable")]
