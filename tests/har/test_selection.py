"""The ranking finds what tells activities apart."""

from __future__ import annotations

import numpy as np

from app.har.classifiers.elm_gru_am.selection import rank_features


def test_the_feature_that_decides_comes_first_and_noise_last() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 300)
    frames = rng.normal(size=(300, 4, 5)).astype(np.float32)
    frames[:, :, 2] += 4 * y[:, None]
    frames[:, :, 4] += 0.7 * y[:, None]
    ranking = rank_features(frames, y, ["a", "b", "decides", "d", "helps"], seed=1)
    assert [name for name, _ in ranking[:2]] == ["decides", "helps"]
    importances = [importance for _, importance in ranking]
    assert importances == sorted(importances, reverse=True)
    assert np.isclose(sum(importances), 1)
    assert importances[0] > 3 * importances[1] > 3 * importances[2]


def test_the_same_seed_gives_the_same_ranking() -> None:
    rng = np.random.default_rng(0)
    frames, y = rng.normal(size=(60, 3, 6)).astype(np.float32), rng.integers(0, 2, 60)
    names = list("abcdef")
    assert rank_features(frames, y, names, seed=3) == rank_features(frames, y, names, seed=3)
