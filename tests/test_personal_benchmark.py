"""What the benchmark of personal heads keeps on disk, and what it counts as harm."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from app.har.personal.head import Examples
from benchmarks import bench_personal
from benchmarks.personal_people import Person, Softmax
from benchmarks.personal_prepared import Prepared


def test_what_personal_heads_are_measured_with_is_the_same_when_it_is_read_again(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)

    def person(n: int) -> Person:
        names = np.array(["Walking", "Kicking", "Sitting"])[np.arange(n) % 3]
        features, proba = rng.random((n, 4)).astype(np.float16), rng.random((n, 3), np.float32)
        examples = Examples(features, proba, names, np.full(n, "a"), np.zeros(n, np.int64))
        return Person(examples, examples.where(np.arange(n) > 1), rng.random((n, 5)), rng.random((n - 2, 5)))

    softmax = Softmax(("Sitting", "Walking"), rng.random((2, 6)))
    written = Prepared(rng.random(4), softmax, [person(6) for _ in range(12)], [person(9)])
    written.save(tmp_path / "kept.npz")
    read = Prepared.load(tmp_path / "kept.npz")
    assert (len(read.people), len(read.with_new), read.softmax.activities) == (12, 1, softmax.activities)
    for one, other in zip([*written.people, *written.with_new], [*read.people, *read.with_new], strict=True):
        np.testing.assert_array_equal(one.examples.activity, other.examples.activity)
        np.testing.assert_array_equal(one.tested.probabilities, other.tested.probabilities)
        np.testing.assert_array_equal(one.tested_scaled, other.tested_scaled)


def test_people_lose_by_chance_where_another_seed_alone_makes_them_lose() -> None:
    seeds = [[{"model": 0.9}, {"model": 0.8}], [{"model": 0.88}, {"model": 0.8}]]
    assert bench_personal.harmed_by_chance(seeds) == 0.25
