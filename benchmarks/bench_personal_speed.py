"""Ten windows learnt by a solved head, against solving it again: seconds and ratios of one run; JSON on stdout.

Rows are like those of a hidden layer of ReLU nodes. "refit" is what a training does with a head: the sums of all rows,
then Cholesky. "solve" keeps the sums and solves again. A correction is `Updated.add` of ten rows, or `remove`, with all
nodes and in subspaces. The difference is that of β to solving from scratch. "personal head" is what the site learns
from ten windows, the guard's check included; it needs none of these nodes, only what the model says of a window.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from app.har.classifiers.elm_gru_am.elm import ExtremeLearningMachine
from app.har.classifiers.stored_models import load_model
from app.har.personal.guard import guarded
from app.har.personal.head import Examples
from app.har.signals.cores import one_core_each
from app.har.sums import Sums, Updated

ROWS, FEATURES, NODES, ACTIVITIES, RIDGE, ROUNDS = 10_000, 700, 3500, 12, 100.0, 15
SUBSPACES = (500, 1700)
MODEL = Path(__file__).resolve().parent.parent / "reference_models" / "reference-everyday"


def seconds(work: Callable[[], Any], rounds: int = ROUNDS) -> float:
    """Return the median time of some calls."""
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def correction(sums: Sums, H: np.ndarray[Any, Any], targets: np.ndarray[Any, Any]) -> dict[str, float]:
    """Time a correction of ten rows, and measure how exact it is."""
    updated = Updated(sums, RIDGE)

    def learn() -> None:
        updated.add(H, targets, 3.0)

    def forget() -> None:
        updated.remove(H, targets, 3.0)

    with one_core_each():
        learn(), forget()
        pairs = [(seconds(learn, 1), seconds(forget, 1)) for _ in range(ROUNDS)]
        learn()
    exact = (sums + Sums.of(H, targets, 3.0)).solve(RIDGE)
    return {
        "add_s": statistics.median(pair[0] for pair in pairs),
        "remove_s": statistics.median(pair[1] for pair in pairs),
        "difference": float(np.linalg.norm(updated.beta - exact) / np.linalg.norm(exact)),
        "inverse_mb": 8 * sums.n_features**2 / 1e6,
    }


def personal_head() -> dict[str, float]:
    """Time what the site does for a correction of ten windows: five of each of two activities of the everyday model."""
    model, rng = load_model(MODEL), np.random.default_rng(0)
    assert model.prior is not None
    second = np.arange(10) >= 5
    examples = Examples(
        rng.normal(0, 0.3, (10, model.prior.n_features)) + np.where(second, 2.0, -2.0)[:, None],
        np.full((10, len(model.activities)), 1 / len(model.activities), np.float32),
        np.where(second, *model.activities[:2]),
        np.zeros(10, np.int64),
    )
    assert guarded(model.prior, model.activities, examples)[0] is not None
    return {"add_s": seconds(lambda: guarded(model.prior, model.activities, examples))}


def main() -> None:
    rng = np.random.default_rng(0)
    X = (rng.normal(size=(ROWS, 40)) @ rng.normal(size=(40, FEATURES)) / 6).astype(np.float32)
    y = rng.integers(0, ACTIVITIES, ROWS)
    elm = ExtremeLearningMachine(NODES, RIDGE)
    refit_s = seconds(lambda: elm.fit(X, y, ACTIVITIES), 2)
    sums = elm.sums
    assert sums is not None
    H, targets = elm.hidden(X[:10].astype(np.float64)), np.eye(ACTIVITIES)[rng.integers(0, ACTIVITIES, 10)]
    result: dict[str, Any] = {
        "rows": ROWS,
        "nodes": NODES,
        "refit_s": refit_s,
        "solve_s": seconds(lambda: sums.solve(RIDGE), 2),
        "all nodes": correction(sums, H, targets),
    }
    basis = sums.leading(max(SUBSPACES))
    for size in SUBSPACES:
        directions = basis[:, :size]
        result[f"subspace of {size}"] = correction(sums.within(directions), H @ directions, targets)
    result["personal head"] = personal_head()
    for one in [value for value in result.values() if isinstance(value, dict)]:
        one["refit_ratio"] = refit_s / one["add_s"]
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
