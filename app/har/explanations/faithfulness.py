"""Whether an explanation is true: the answer must fall soon where what mattered is taken away, and rise soon with it.

References
----------
Petsiuk, Das, Saenko (2018), RISE: Randomized input sampling for explanation of black-box models, BMVC.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.har.classifiers.elm_gru_am.classifier import ActivityClassifier
from app.har.explanations.cells import Cells
from app.har.explanations.values import cell_values, prefixes
from app.har.types import FloatArray, IntArray
from app.har.windows import WindowSet

TARGET = 0.15  # of the area: how far an explanation must be better than a random order to be shown
AT_ONCE = 48  # windows: each becomes hundreds
DRAWS = 1000
PER_ACTIVITY, AT_MOST = 20, 80  # windows that a model is tested with
ENOUGH = 40  # windows, of fewer nothing is said
FEWEST = 10  # windows of an answer, of which alone it is said whether explanations of it are true

Ranking = Callable[[FloatArray, IntArray], FloatArray]  # windows and answers to values of cells


def curves(model: ActivityClassifier, cells: Cells, X: FloatArray, answers: IntArray, values: FloatArray) -> FloatArray:
    """Return the answer's probability as the best cells are taken away, and put back: (2, n, n_cells + 1)."""
    order, cut = np.argsort(-values, axis=1, kind="stable"), cells.cut(X)
    deleted = prefixes(model, cut, order[:, ::-1], answers)[:, ::-1]  # without the best k: with the worst that are left
    return np.stack([deleted, prefixes(model, cut, order, answers)])


def area(curve: FloatArray) -> FloatArray:
    """Return the area under curves over the share of cells, from 0 to 1."""
    return np.asarray(((curve[..., 1:] + curve[..., :-1]) / 2).mean(axis=-1))


def gains(
    model: ActivityClassifier,
    cells: Cells,
    windows: WindowSet,
    rankings: Mapping[str, Ranking],
    seed: int = 0,
    orders: int = 1,
) -> tuple[dict[str, NDArray[np.float64]], IntArray]:
    """Return by how much each ranking beats random orders: (n, 2), deletion and insertion; and answers (n,)."""
    random = np.random.default_rng(seed)
    found: dict[str, list[NDArray[np.float64]]] = {name: [] for name in rankings}
    every_answer: list[IntArray] = []
    for start in range(0, len(windows), AT_ONCE):
        part = windows.take(slice(start, start + AT_ONCE))
        answers = model.predict_proba(part).argmax(axis=1).astype(np.int64)
        drawn = (random.random((len(part), len(cells)), np.float32) for _ in range(orders))
        by_chance = np.mean([area(curves(model, cells, part.X, answers, values)) for values in drawn], axis=0)
        for name, ranking in rankings.items():
            own = area(curves(model, cells, part.X, answers, ranking(part.X, answers)))
            found[name].append(np.stack([by_chance[0] - own[0], own[1] - by_chance[1]], axis=1))
        every_answer.append(answers)
    return {name: np.concatenate(parts) for name, parts in found.items()}, np.concatenate(every_answer)


def interval(gain: NDArray[np.float64], people: NDArray[np.str_], seed: int = 0) -> dict[str, list[float]]:
    """Return mean and 95 % interval of deletion and insertion, by bootstrap over people."""
    names, person = np.unique(people, return_inverse=True)
    sums = np.stack([np.bincount(person, column, len(names)) for column in gain.T], axis=1)
    counts = np.bincount(person, minlength=len(names))
    drawn = np.random.default_rng(seed).integers(0, len(names), (DRAWS, len(names)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)[:, None]
    low, high = np.quantile(means, [0.025, 0.975], axis=0)
    return {
        kind: [round(float(x), 4) for x in (gain[:, i].mean(), low[i], high[i])]
        for i, kind in enumerate(("deletion", "insertion"))
    }


def even_sample(windows: WindowSet, per_activity: int = PER_ACTIVITY, seed: int = 0) -> WindowSet:
    """Return so many windows of each activity, of as many people as possible."""
    return windows.take(evenly(windows.y, windows.subjects, per_activity, seed))


def evenly(kinds: IntArray, people: NDArray[np.str_], per_kind: int, seed: int = 0) -> IntArray:
    """Return the positions of so many of each kind, of as many people as possible, in their order."""
    random = np.random.default_rng(seed)
    chosen: list[int] = []
    for kind in np.unique(kinds):
        rows = random.permutation(np.flatnonzero(kinds == kind))
        turn = np.zeros(len(rows), np.int64)  # the how manieth window of its person each is
        for person in np.unique(people[rows]):
            own = np.flatnonzero(people[rows] == person)
            turn[own] = np.arange(len(own))
        chosen += rows[np.argsort(turn, kind="stable")][:per_kind].tolist()
    return np.sort(np.array(chosen, np.int64))


def measured(model: ActivityClassifier, windows: WindowSet, seed: int = 0) -> dict[str, Any]:
    """Test the explanations of a model on people it has not learnt from; some seconds.

    Returns
    -------
    dict : ``passed``, ``windows``, ``people``, ``deletion`` and ``insertion`` as mean, low and high, and the means by
        ``answers`` that were given often enough; an answer's explanations are shown where these pass, too.
    """
    cells = Cells.of(model)
    found, answers = gains(model, cells, windows, {"ours": lambda X, y: cell_values(model, cells, X, y)}, seed)
    gain = found["ours"]
    of_all = interval(gain, windows.subjects, seed)
    return {
        "passed": passes([of_all["deletion"][0], of_all["insertion"][0]]),
        "windows": len(windows),
        "people": len(np.unique(windows.subjects)),
        **of_all,
        "answers": {
            model.activities[answer]: [round(float(x), 4) for x in gain[answers == answer].mean(axis=0)]
            for answer in np.unique(answers).tolist()
            if np.count_nonzero(answers == answer) >= FEWEST
        },
    }


def passes(gain: list[float]) -> bool:
    """Say whether deletion and insertion, on average, are so much better than random that one may be shown."""
    return float(np.mean(gain)) >= TARGET and min(gain) > 0
