"""How often activities are met: Bayes' rule on balanced probabilities."""

from __future__ import annotations

import numpy as np
import pytest

from app.har.classifiers.everyday.answer import ACTIVITIES
from app.har.classifiers.everyday.prior import BALANCED, DAILY_LIFE, as_in
from app.har.vocabulary import NOT_WORN, RUNNING, SITTING, STAIRS_DOWN, STAIRS_UP, STANDING, WALKING


def probabilities(**shares: float) -> np.ndarray:
    """Return a row, by the names of activities with underscores."""
    return np.array([[shares.get(name.replace(" ", "_"), 0.0) for name in ACTIVITIES]], np.float32)


def test_shares_sum_to_one() -> None:
    assert sum(BALANCED.values()) == pytest.approx(1)
    assert sum(DAILY_LIFE.values()) == pytest.approx(1, abs=1e-3)


def test_what_is_balanced_stays_as_it_is() -> None:
    proba = np.random.default_rng(0).dirichlet(np.ones(len(ACTIVITIES)), 20).astype(np.float32)
    np.testing.assert_allclose(as_in(BALANCED, proba), proba, atol=1e-6)


def test_a_window_that_tells_nothing_gets_the_shares_of_daily_life() -> None:
    nothing = probabilities(
        Standing=1 / 9, Sitting=1 / 9, Lying=1 / 9, Walking=1 / 6, Stairs_up=1 / 12, Stairs_down=1 / 12, Running=1 / 3
    )
    (row,) = as_in(DAILY_LIFE, nothing)
    found = dict(zip(ACTIVITIES, row.tolist(), strict=True))
    assert found[WALKING] == pytest.approx(DAILY_LIFE[WALKING], abs=1e-3)
    assert found[STAIRS_UP] == pytest.approx(DAILY_LIFE[STAIRS_UP], abs=1e-3)
    assert found[RUNNING] == pytest.approx(DAILY_LIFE[RUNNING], abs=1e-3)


def test_walking_or_stairs_becomes_walking_and_postures_keep_their_proportions() -> None:
    (row,) = as_in(DAILY_LIFE, probabilities(Walking=0.5, Stairs_up=0.25, Stairs_down=0.25))
    assert row[ACTIVITIES.index(WALKING)] == pytest.approx(0.96, abs=0.002)
    assert row[ACTIVITIES.index(STAIRS_DOWN)] == row[ACTIVITIES.index(STAIRS_UP)]
    (row,) = as_in(DAILY_LIFE, probabilities(Standing=0.6, Sitting=0.3, Not_worn=0.1))
    assert [row[ACTIVITIES.index(name)] for name in (STANDING, SITTING, NOT_WORN)] == pytest.approx([0.6, 0.3, 0.1])


def test_what_is_certain_stays_certain() -> None:
    for name in ACTIVITIES:
        (row,) = as_in(DAILY_LIFE, (np.array(ACTIVITIES) == name)[None].astype(np.float32))
        assert row[ACTIVITIES.index(name)] == 1
