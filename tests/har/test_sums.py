"""Sums of rows: in whatever order and portions they come and go, the solution is that of solving from scratch."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.har.classifiers.elm_gru_am.elm import ExtremeLearningMachine
from app.har.errors import UnsolvableSums
from app.har.signals.cores import one_core_each
from app.har.sums import Matrix, Sums, Updated

RIDGE = 3.0


def rows(n: int, d: int = 24, k: int = 4, seed: int = 0) -> tuple[Matrix, Matrix, Matrix]:
    """Return features, some of them nearly alike as hidden nodes are, targets and weights."""
    rng = np.random.default_rng(seed)
    H = np.maximum(rng.normal(size=(n, 6)) @ rng.normal(size=(6, d)) + 0.1 * rng.normal(size=(n, d)), 0)
    return H, np.eye(k)[rng.integers(0, k, n)], rng.choice([0.25, 1.0, 3.0, 300.0], n)


def from_scratch(H: Matrix, targets: Matrix, weights: Matrix, ridge: float = RIDGE) -> Matrix:
    """Solve the rows themselves by QR, with none of the code under test."""
    root = np.sqrt(weights)[:, None]
    augmented = np.vstack([root * H, np.sqrt(ridge) * np.eye(H.shape[1])])
    q, r = np.linalg.qr(augmented)
    solved: Matrix = np.linalg.solve(r, q[: len(H)].T @ (root * targets))
    return solved


def difference(found: Matrix, expected: Matrix) -> float:
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


orders = st.integers(0, 2**32 - 1)


@settings(max_examples=60, deadline=None)
@given(order=orders, n=st.integers(2, 150), sites=st.sampled_from([2, 10, 80]))
def test_merged_over_sites_in_any_order_it_is_what_all_rows_give(order: int, n: int, sites: int) -> None:
    H, T, w = rows(n, seed=order % 7)
    parts = np.array_split(np.random.default_rng(order).permutation(n), sites)  # some may have no rows
    total = Sums.none(H.shape[1], T.shape[1])
    for part in parts:
        total += Sums.of(H[part], T[part], w[part])
    assert difference(total.solve(RIDGE), from_scratch(H, T, w)) <= 1e-8
    assert total.rows == n
    np.testing.assert_allclose(total.counts, T.sum(axis=0))


@settings(max_examples=60, deadline=None)
@given(order=orders, people=st.integers(2, 12), gone=st.data())
def test_whoever_is_forgotten_in_any_order_it_is_what_the_others_give(
    order: int, people: int, gone: st.DataObject
) -> None:
    H, T, w = rows(160, seed=order % 5)
    person = np.random.default_rng(order).integers(0, people, len(H))
    forgotten = gone.draw(st.permutations(range(people)))[: people // 2]
    kept = ~np.isin(person, forgotten)
    subtracted, downdated = Sums.of(H, T, w), Updated(Sums.of(H, T, w), RIDGE)
    for one in forgotten:
        of_one = person == one
        subtracted -= Sums.of(H[of_one], T[of_one], w[of_one])
        downdated.remove(H[of_one], T[of_one], w[of_one])
    expected = from_scratch(H[kept], T[kept], w[kept])
    assert difference(subtracted.solve(RIDGE), expected) <= 1e-8
    assert difference(downdated.beta, expected) <= 1e-8
    assert subtracted.rows == downdated.sums.rows == kept.sum()


@settings(max_examples=60, deadline=None)
@given(order=orders, batch=st.integers(1, 60))
def test_updated_in_any_order_and_batches_it_is_what_all_rows_give(order: int, batch: int) -> None:
    H, T, w = rows(150, seed=order % 7)
    shuffled = np.random.default_rng(order).permutation(len(H))
    updated = Updated(Sums.none(H.shape[1], T.shape[1]), RIDGE)
    for start in range(0, len(H), batch):
        part = shuffled[start : start + batch]
        updated.add(H[part], T[part], w[part])
    assert difference(updated.beta, from_scratch(H, T, w)) <= 1e-8
    assert difference(updated.sums.solve(RIDGE), from_scratch(H, T, w)) <= 1e-8


def test_after_ten_thousand_updates_it_is_still_exact() -> None:
    ridge = 1e-3  # far less than any model has
    H, T, w = rows(400, seed=3)
    rng = np.random.default_rng(4)
    updated = Updated(Sums.of(H[:50], T[:50], w[:50]), ridge)
    learnt = np.arange(400) < 50
    with one_core_each():
        for _ in range(10_000):
            part = np.flatnonzero(learnt == learnt[rng.integers(400)])
            part = rng.choice(part, min(len(part), int(rng.integers(1, 11))), replace=False)
            (updated.remove if learnt[part[0]] else updated.add)(H[part], T[part], w[part])
            learnt[part] ^= True
    assert difference(updated.beta, from_scratch(H[learnt], T[learnt], w[learnt], ridge)) <= 1e-8
    assert updated.sums.rows == learnt.sum()
    assert updated.factorised < 100  # it mostly does without


def test_drift_is_measured_and_the_inverse_made_anew_beyond_it(monkeypatch: pytest.MonkeyPatch) -> None:
    H, T, w = rows(200)
    updated = Updated(Sums.of(H, T, w), RIDGE)
    for _ in range(16):
        updated.add(H[:1], T[:1]).remove(H[:1], T[:1])
    assert updated.drift <= 1e-10
    assert updated.factorised == 1
    updated._inverse *= 1.001  # as if it had drifted
    updated.beta = updated.beta * 1.001
    for _ in range(8):
        updated.add(H[:1], T[:1]).remove(H[:1], T[:1])
    assert updated.drift > 1e-10
    assert updated.factorised == 2
    assert difference(updated.beta, from_scratch(H, T, w)) <= 1e-8


def test_scores_of_people_left_out_are_those_of_a_solution_without_them() -> None:
    H, T, w = rows(300, seed=1)
    people = np.repeat(["a", "b", "c"], [5, 20, 275])  # the last has more rows than there are features
    updated = Updated(Sums.of(H, T, w), RIDGE)
    for person in "abc":
        own = people == person
        expected = H[own] @ from_scratch(H[~own], T[~own], w[~own])
        np.testing.assert_allclose(H[own] @ updated.beta_without(H[own], T[own], w[own]), expected, atol=1e-8)


def test_what_was_never_learnt_cannot_be_forgotten_and_nothing_changes() -> None:
    H, T, w = rows(60)
    updated = Updated(Sums.of(H[:30], T[:30], w[:30]), RIDGE)
    before = updated.beta.copy()
    for strange in (100 * H[30:40], H[:31]):
        with pytest.raises(UnsolvableSums, match="learnt"):
            updated.remove(strange, T[: len(strange)], 1000.0)
    with pytest.raises(UnsolvableSums, match="solution"):
        updated.remove(100 * H[30:], T[:30])  # as many rows as there are, others
    np.testing.assert_array_equal(updated.beta, before)
    assert updated.sums.rows == 30
    with pytest.raises(UnsolvableSums, match="taken away only where they were added"):
        _ = Sums.of(H[:5], T[:5]) - Sums.of(H[:6], T[:6])


@pytest.mark.parametrize("short_by", [1e-12, 1e-14, 1e-15, 0.0])
def test_whatever_comes_of_forgetting_what_leaves_next_to_nothing_all_or_nothing_has_changed(short_by: float) -> None:
    for seed in range(40):
        H, T, w = rows(60, seed=seed)
        learnt = Sums.of(H[:59], T[:59], w[:59])
        updated = Updated(learnt, RIDGE)
        before = updated.beta.copy()
        strange = H[59:]
        length = (strange @ np.linalg.solve(learnt.gram + RIDGE * np.eye(H.shape[1]), strange.T)).item()
        strange *= np.sqrt((1 - short_by) / length)  # of which the inverse can tell hardly whether it was learnt
        try:
            updated.remove(strange, T[59:])
        except UnsolvableSums:
            np.testing.assert_array_equal(updated.beta, before)
            np.testing.assert_array_equal(updated.sums.gram, learnt.gram)
            assert updated.sums.rows == 59
        else:
            assert updated.sums.rows == 58


@pytest.mark.parametrize(("spoil", "ridge"), [(1.0, 0.0), (np.nan, 1.0), (1.0, -1e9)])
def test_sums_without_a_solution_are_refused(spoil: float, ridge: float) -> None:
    H, T, _ = rows(3)  # fewer rows than features
    with pytest.raises(UnsolvableSums, match="positive definite"):
        Sums.of(spoil * H, T).solve(ridge)


def test_a_value_that_is_not_finite_is_refused_before_it_spoils_anything() -> None:
    H, T, w = rows(40)
    updated = Updated(Sums.of(H, T, w), RIDGE)
    before = updated.beta.copy()
    with pytest.raises(UnsolvableSums, match="finite"):
        updated.add(np.full((2, H.shape[1]), np.nan), T[:2])
    with pytest.raises(UnsolvableSums, match="finite"):
        updated.add(H[:2], np.full((2, T.shape[1]), np.nan))
    np.testing.assert_array_equal(updated.beta, before)
    with pytest.raises(ValueError, match="at least 0"):
        updated.add(H[:2], T[:2], -1.0)


def test_in_a_subspace_sums_are_those_of_the_rows_seen_in_it() -> None:
    H, T, w = rows(90)
    sums = Sums.of(H, T, w)
    basis = sums.leading(6)
    np.testing.assert_allclose(basis.T @ basis, np.eye(6), atol=1e-10)
    expected = Sums.of(H @ basis, T, w)
    np.testing.assert_allclose(sums.within(basis).gram, expected.gram, atol=1e-6)
    assert difference(sums.within(basis).solve(RIDGE), expected.solve(RIDGE)) <= 1e-8
    assert np.trace(expected.gram) > 0.9 * np.trace(sums.gram)


def test_a_machine_learns_and_forgets_by_its_sums() -> None:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(3000, 12)).astype(np.float32), rng.integers(0, 3, 3000)
    own = np.arange(3000) % 7 == 0
    elm = ExtremeLearningMachine(90, seed=2, blocks=[slice(0, 6), slice(6, 12)]).fit(X, y, 3, balanced=True)
    assert elm.sums is not None
    elm.learn(elm.sums - elm.sums_of(X[own], y[own]))
    others = ExtremeLearningMachine(90, seed=2, blocks=elm.blocks)
    others.weights = elm.weights
    others.partial_fit(X[~own][::-1], y[~own][::-1], 3)
    assert others.sums is not None
    assert difference(elm.sums.solve(elm.ridge), others.sums.solve(elm.ridge)) <= 1e-8
    np.testing.assert_allclose(elm.predict(X), others.predict(X), atol=1e-6)
