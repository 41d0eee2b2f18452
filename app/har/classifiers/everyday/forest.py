"""Extremely randomised trees (Geurts, Ernst, Wehenkel 2006) as plain arrays: answering needs no library."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.har.types import FloatArray, IntArray

LEAF = -1  # in place of a feature
ROWS = 2048  # looked at together: the positions in all trees stay in the processor's cache


@dataclass(frozen=True)
class Forest:
    """The nodes of all trees one after the other. The left child of a node is the next one."""

    feature: NDArray[np.int16]  # (n_nodes,) LEAF in a leaf
    threshold: NDArray[np.float32]  # (n_nodes,) left where the value is at most this
    right: NDArray[np.int32]  # (n_nodes,) position of the other child
    share: NDArray[np.float16]  # (n_nodes, n_classes) of the training rows in a leaf; 0 elsewhere
    root: NDArray[np.int32]  # (n_trees,)

    def predict_proba(self, rows: FloatArray) -> FloatArray:
        """Return (n, n_classes), the mean over the trees; a missing value counts as 0."""
        return np.concatenate(
            [self._predict(rows[i : i + ROWS]) for i in range(0, len(rows), ROWS)]
            or [np.zeros((0, self.share.shape[1]), np.float32)]
        )

    def _predict(self, rows: FloatArray) -> FloatArray:
        values = np.nan_to_num(np.asarray(rows, np.float32))
        at = np.tile(self.root, (len(values), 1))  # (n, n_trees)
        row = np.arange(len(values))[:, None]
        while (inner := self.feature[at] != LEAF).any():
            right = values[row, self.feature[at]] > self.threshold[at]
            at = np.where(inner, np.where(right, self.right[at], at + 1), at)
        return np.asarray(self.share[at].astype(np.float32).mean(axis=1), np.float32)


def fit_forest(
    rows: FloatArray, y: IntArray, weights: FloatArray, n_classes: int, *, n_trees: int, leaf: int, seed: int
) -> Forest:
    """Grow trees; a missing value counts as 0.

    Parameters
    ----------
    rows, y, weights : (n, n_features), (n,) and (n,).
    n_classes : columns of the answers, also where none of the rows is of a class.
    leaf : the fewest rows in a leaf.
    """
    from sklearn.ensemble import ExtraTreesClassifier

    model = ExtraTreesClassifier(n_trees, min_samples_leaf=leaf, max_features=0.15, n_jobs=-1, random_state=seed)
    model.fit(np.nan_to_num(rows), y, sample_weight=weights)
    classes = model.classes_.astype(np.int64)
    trees = [tree.tree_ for tree in model.estimators_]
    first = np.cumsum([0, *(tree.node_count for tree in trees)])
    shares = np.zeros((first[-1], n_classes), np.float16)
    for start, tree in zip(first.tolist(), trees, strict=False):
        value = tree.value[:, 0] / tree.value[:, 0].sum(axis=1, keepdims=True)
        shares[start : start + tree.node_count, classes] = np.where(tree.children_left[:, None] < 0, value, 0)
    inner = np.concatenate([tree.children_left >= 0 for tree in trees])
    return Forest(
        np.where(inner, np.concatenate([tree.feature for tree in trees]), LEAF).astype(np.int16),
        np.where(inner, np.concatenate([tree.threshold for tree in trees]), 0).astype(np.float32),
        np.concatenate(
            [np.maximum(tree.children_right + start, 0) for start, tree in zip(first.tolist(), trees, strict=False)]
        ).astype(np.int32),
        shares,
        first[:-1].astype(np.int32),
    )
