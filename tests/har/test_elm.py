"""The extreme learning machine is its closed form, in whatever portions the rows come."""

from __future__ import annotations

import numpy as np
import pytest

from app.har.classifiers.elm_gru_am.elm import ExtremeLearningMachine
from app.har.types import FloatArray, IntArray


def rows(n: int = 400) -> tuple[FloatArray, IntArray]:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, n)
    return (rng.normal(size=(n, 8)) + 1.5 * np.eye(8)[y]).astype(np.float32), y


def test_output_weights_are_the_ridge_regression_that_least_squares_finds() -> None:
    X, y = rows()
    elm = ExtremeLearningMachine(60, ridge=3.0, seed=1).fit(X, y, 3)
    H = elm.hidden(X).astype(np.float64)
    augmented = np.vstack([H, np.sqrt(3.0) * np.eye(60)])
    expected, *_ = np.linalg.lstsq(augmented, np.vstack([np.eye(3)[y], np.zeros((60, 3))]), rcond=None)
    np.testing.assert_allclose(elm.betas[True,], expected, rtol=1e-4, atol=1e-6)


def test_learning_in_portions_is_learning_at_once() -> None:
    X, y = rows(5000)  # more than one chunk
    at_once = ExtremeLearningMachine(50).fit(X, y, 3)
    portions = ExtremeLearningMachine(50)
    for part in np.array_split(np.random.default_rng(1).permutation(len(X)), 7):
        portions.partial_fit(X[part], y[part], 3)
    np.testing.assert_allclose(portions.predict(X), at_once.predict(X), atol=1e-5)


def test_balanced_it_is_the_machine_that_saw_the_rows_of_the_rare_more_often() -> None:
    X, y = rows()
    kept = np.concatenate([np.flatnonzero(y == 0)[:20], np.flatnonzero(y == 1)[:60], np.flatnonzero(y == 2)[:120]])
    often = np.concatenate([np.repeat(kept[:20], 6), np.repeat(kept[20:80], 2), kept[80:]])  # 120 of each
    balanced = ExtremeLearningMachine(50, ridge=2.0).fit(X[kept], y[kept], 3, balanced=True)
    repeated = ExtremeLearningMachine(50, ridge=2.0 * len(often) / len(kept)).fit(X[often], y[often], 3)
    np.testing.assert_allclose(balanced.betas[True,], repeated.betas[True,], rtol=1e-3, atol=1e-5)
    later = ExtremeLearningMachine(50, ridge=2.0).fit(X[kept], y[kept], 3, balanced=True).partial_fit(X[:9], y[:9], 3)
    assert not np.allclose(later.betas[True,], balanced.betas[True,])


def test_fitting_again_forgets_what_was_seen() -> None:
    X, y = rows()
    elm = ExtremeLearningMachine(50).fit(X, (y + 1) % 3, 3).fit(X, y, 3)
    np.testing.assert_array_equal(elm.predict(X), ExtremeLearningMachine(50).fit(X, y, 3).predict(X))


def test_it_tells_classes_apart_that_it_has_not_seen_rows_of() -> None:
    X, y = rows(800)
    scores = ExtremeLearningMachine(200, ridge=10.0).fit(X[:600], y[:600], 3).predict(X[600:])
    assert (scores.argmax(axis=1) == y[600:]).mean() > 0.75  # the best possible is about 0.8


def test_the_hidden_layer_is_drawn_from_the_seed_alone_and_never_changes() -> None:
    X = np.eye(4, dtype=np.float32)
    first, again, other = (ExtremeLearningMachine(5, seed=s).hidden(X) for s in (7, 7, 8))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    # Stored models count on these very numbers in every later version
    np.testing.assert_allclose(first[0], [1.670613, 0.0, 0.0, 1.218294, 0.0], rtol=1e-5)


def test_without_a_block_it_is_the_machine_that_never_had_it() -> None:
    X, y = rows()
    blocks = [np.arange(3), np.arange(3, 8)]
    elm = ExtremeLearningMachine(60, ridge=3.0, seed=1, blocks=blocks).fit(X, y, 3)
    elm.solve((False, True))
    H = elm.hidden(X)[:, 30:].astype(np.float64)
    expected = np.linalg.solve(H.T @ H + 3.0 * np.eye(30), H.T @ np.eye(3)[y])
    present = np.ones((len(X), 2), bool)
    present[::2, 0] = False
    broken = X.copy()
    broken[::2, :3] = 99.0
    scores = elm.predict(broken, present)
    np.testing.assert_allclose(scores[::2], (H @ expected)[::2], atol=1e-4)
    np.testing.assert_allclose(scores[1::2], elm.predict(X)[1::2], atol=1e-5)
    assert not elm.predict(X[:2], np.array([[True, False]] * 2)).any()  # never solved


def test_no_rows_give_no_scores() -> None:
    X, y = rows()
    assert ExtremeLearningMachine(20).fit(X, y, 3).predict(X[:0]).shape == (0, 3)


def test_predicting_before_learning_is_refused() -> None:
    with pytest.raises(ValueError, match="fit"):
        ExtremeLearningMachine(5).predict(np.zeros((2, 3), np.float32))
