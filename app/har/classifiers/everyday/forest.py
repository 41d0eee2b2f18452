"""Extremely randomised trees (Geurts, Ernst, Wehenkel 2006) as plain arrays: answering needs no library."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.har.types import FloatArray, IntArray

LEAF = -1  # in place of a feature
ROWS = 2048  # looked at together: the positions in all trees stay in the processor's cache
LEVELS_AT_ONCE = 4  # after which those that have reached a leaf are left alone


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

    def said_by(self, rows: FloatArray, group: IntArray) -> tuple[FloatArray, NDArray[np.float64]]:
        """Divide what is answered to rows among groups of features: each step down a tree is its feature's.

        Parameters
        ----------
        rows : (n, n_features)
        group : (n_features,) of each feature, from 0 on.

        Returns
        -------
        What is answered where nothing is known, (n_classes,), and what each group adds to that, (n, n_groups,
        n_classes): the sum is `predict_proba`, as far as shares of half precision are exact.
        """
        values, (n, n_groups, n_trees) = np.nan_to_num(rows), (len(rows), int(group.max()) + 1, len(self.root))
        at, row = np.tile(self.root, n), np.repeat(np.arange(n), n_trees)
        added = np.zeros((n * n_groups, self.share.shape[1]))
        while len(at):
            inner = self.feature[at] != LEAF
            at, row = at[inner], row[inner]
            feature = self.feature[at]
            to = np.where(values[row, feature] > self.threshold[at], self.right[at], at + 1)
            step, of = self._share_below[to] - self._share_below[at], row * n_groups + group[feature]
            for number in range(added.shape[1]):
                added[:, number] += np.bincount(of, step[:, number], len(added))
            at = to
        return self._share_below[self.root].mean(axis=0), added.reshape(n, n_groups, -1) / n_trees

    @cached_property
    def _share_below(self) -> FloatArray:
        """(n_nodes, n_classes) of a leaf its share, elsewhere the mean of the two children: neither way is known."""
        found = self.share.astype(np.float32)
        inner = np.flatnonzero(self.feature != LEAF)
        left, right = inner + 1, self.right[inner]
        while True:  # as often as the deepest tree is deep
            mean = (found[left] + found[right]) / 2
            if np.array_equal(mean, found[inner]):
                return found
            found[inner] = mean

    @cached_property
    def _children(self) -> NDArray[np.int32]:
        """The two children of each node one after the other; those of a leaf are the leaf itself."""
        here = np.arange(len(self.feature), dtype=np.int32)
        leaf = self.feature == LEAF
        return np.stack([np.where(leaf, here, here + 1), np.where(leaf, here, self.right)], axis=1).ravel()

    @cached_property
    def _asked(self) -> NDArray[np.int32]:
        """The feature that each node looks at, in a leaf any."""
        return self.feature.clip(0).astype(np.int32)

    def _predict(self, rows: FloatArray) -> FloatArray:
        values = np.nan_to_num(np.asarray(rows, np.float32))
        n, n_features = values.shape
        values = values.ravel()
        first = np.repeat(np.arange(n, dtype=np.int32) * np.int32(n_features), len(self.root))
        at = np.tile(self.root, n)  # the node of each row in each tree
        leaves = at.copy()
        going: NDArray[Any] = np.arange(len(at))
        while len(going):
            for _ in range(LEVELS_AT_ONCE):
                right = values.take(self._asked.take(at) + first) > self.threshold.take(at)
                at = self._children.take(2 * at + right)
            leaves[going] = at
            inner = np.flatnonzero(self.feature.take(at) != LEAF)
            at, first, going = at.take(inner), first.take(inner), going.take(inner)
        shares = self.share.take(leaves, axis=0).reshape(n, len(self.root), -1)
        return np.asarray(shares.astype(np.float32).mean(axis=1), np.float32)


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
