"""The everyday model against others on the same pooled data, each data set left out in turn.

python -m benchmarks.bench_everyday_rivals [--models minirocket …] [--only hapt …] [--seed 0]; JSON on stdout. With
the packages of benchmarks/requirements.txt. Runs of other models, data sets and seeds are put together with --results
0=first.json 0=second.json 1=third.json …: means over seeds, and of the intervals the lowest and the highest end. The
others get flat activities, movement without gravity and rotation; a sensor that is missing is silent. Differences are
paired over people: 95 % intervals of the mean over resampled people.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.har.classifiers.base import Classifier
from app.har.classifiers.everyday.answer import ACTIVITIES
from app.har.classifiers.registry import make_classifier
from app.har.vocabulary import NOT_WORN
from app.har.windows import WindowSet
from benchmarks.bench_everyday import (
    COARSE,
    GROUPS,
    Answers,
    answers,
    below,
    fit_without,
    labels_of,
    table_row,
)
from benchmarks.everyday_data import SOURCES, joined, labelled_windows, windows_in_time

FLAT = tuple(name for name in ACTIVITIES if name != NOT_WORN)
RESAMPLED = 2000
AHEAD = "everyday ahead, points of recall"
RIVALS = ("minirocket", "multirocket-hydra", "random-forest", "cnn", "elm-gru-am")


def rival(name: str) -> Classifier:
    """Return a new model by name, of the registry or of aeon."""
    if name in ("minirocket", "multirocket-hydra"):
        from benchmarks.aeon_models import MiniRocket, MultiRocketHydra

        return MiniRocket() if name == "minirocket" else MultiRocketHydra()
    return make_classifier(name)


def flat_training(names: Sequence[str], seed: int, rows_each: int) -> WindowSet:
    """Draw windows evenly over data sets, activities and people; a label above several activities is of no use here."""
    windows = joined([labelled_windows(name) for name in names])
    rng = np.random.default_rng(seed)
    index: list[NDArray[np.int64]] = []
    dataset = np.array([name.partition("/")[0] for name in windows.subjects.tolist()])
    for name in names:
        for number, activity in enumerate(windows.activities):
            rows = np.flatnonzero((dataset == name) & (windows.y == number))
            if activity not in FLAT or not len(rows):
                continue
            _, person, count = np.unique(windows.subjects[rows], return_inverse=True, return_counts=True)
            weight = 1 / count[person]
            index.append(rng.choice(rows, min(rows_each, len(rows)), replace=False, p=weight / weight.sum()))
    drawn = windows.take(np.sort(np.concatenate(index)))
    kept = [i for i, name in enumerate(drawn.activities) if name in FLAT]
    y = np.searchsorted(kept, drawn.y)
    return replace(drawn, y=y, activities=tuple(drawn.activities[i] for i in kept))


def motion(windows: WindowSet) -> WindowSet:
    """Return the channels of movement and rotation, zeros for a sensor that is missing."""
    return replace(windows, X=np.nan_to_num(windows.X[:, :, :6]), channels=windows.channels[:6])


def answered(model: Classifier, windows: WindowSet) -> Answers:
    """Return the answers of a flat model in the columns of the everyday model's."""
    found = model.predict_proba(replace(motion(windows), activities=model.activities, y=0 * windows.y))
    proba = np.zeros((len(windows), len(ACTIVITIES)), np.float32)
    proba[:, [ACTIVITIES.index(name) for name in model.activities]] = found
    none = np.zeros(len(windows), bool)
    return Answers(proba, labels_of(windows), windows.subjects, windows.recordings, none)


def by_person(given: Answers, nodes: Sequence[str]) -> dict[str, float]:
    """Return each person's recall, averaged over what the person did."""
    deepest = below(np.array(ACTIVITIES)[given.proba.argmax(axis=1)], nodes)
    truth = below(given.label, nodes)
    found = {}
    for person in np.unique(given.subjects):
        rows = (given.subjects == person) & (truth != "")
        if rows.any():
            found[str(person)] = float(
                np.mean([(deepest[rows & (truth == node)] == node).mean() for node in np.unique(truth[rows])])
            )
    return found


def difference(ours: dict[str, float], theirs: dict[str, float], seed: int = 0) -> dict[str, float]:
    """Return by how much ours is better, and the 95 % interval of that over people."""
    gap = np.array([ours[person] - theirs[person] for person in ours])
    rng = np.random.default_rng(seed)
    means = gap[rng.integers(0, len(gap), (RESAMPLED, len(gap)))].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return {"value": float(gap.mean()), "low": float(low), "high": float(high), "people": len(gap)}


def measure(
    models: Sequence[str], only: Sequence[str], seed: int, rows_each: int
) -> dict[str, dict[str, dict[str, Any]]]:
    """Return left out → model → figures."""
    rows: dict[str, dict[str, dict[str, Any]]] = {}
    for group, names in GROUPS.items():
        if group not in only:
            continue
        started = time.perf_counter()
        everyday = fit_without(names, seed)
        fitted = {"everyday": time.perf_counter() - started}
        train = flat_training([name for name in SOURCES if name not in names], seed, rows_each)
        others: dict[str, Classifier] = {}
        for name in models:
            started = time.perf_counter()
            others[name] = rival(name).fit(motion(train), seed=seed)
            fitted[name] = time.perf_counter() - started
        for name in names:
            windows = windows_in_time(name)
            ours = answers(everyday, windows, said=True)
            kept = np.isin(ours.label, FLAT) | np.isin(ours.label, COARSE)
            given = {"everyday": ours} | {key: answered(other, windows) for key, other in others.items()}
            for key, theirs in given.items():
                row = table_row(theirs.where(kept), everyday.answer_limit_)
                person = difference(by_person(ours.where(kept), COARSE), by_person(theirs.where(kept), COARSE))
                figures = {name: row[name] for name in ("levels", "coarse", "leaves")}
                ahead = f"{100 * person['value']:+.1f} ({100 * person['low']:+.1f} to {100 * person['high']:+.1f})"
                found = figures | {AHEAD: ahead, "fit (s)": round(fitted[key], 1)}
                rows.setdefault(name, {})[key] = found
                print(name, key, found, file=sys.stderr, flush=True)
    return rows


def together(runs: Sequence[str]) -> dict[str, Any]:
    """Return the means over seeds of runs written as ``seed=path``; of a seed that ran twice, the later run counts."""
    by_seed: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
    for run in runs:
        seed, _, path = run.partition("=")
        for name, models in json.loads(Path(path).read_text()).items():
            for key, figures in models.items():
                by_seed.setdefault((name, key), {})[seed] = figures
    rows: dict[str, Any] = {}
    for (name, key), seeds in by_seed.items():
        rows.setdefault(name, {})[key] = _mean(seeds, key)
    return rows


def _mean(by_seed: dict[str, dict[str, Any]], model: str) -> dict[str, Any]:
    of_seeds = list(by_seed.values())
    row: dict[str, Any] = {
        key: round(float(np.mean([run[key] for run in of_seeds])), 4) for key in ("levels", "coarse", "leaves")
    }
    if model != "everyday":
        ahead = [[float(part) for part in re.findall(r"[-+]?[0-9.]+", run[AHEAD])] for run in of_seeds]
        value, low, high = zip(*ahead, strict=True)
        row[AHEAD] = f"{np.mean(value):+.1f} ({min(low):+.1f} to {max(high):+.1f})"
    return row | {
        "seeds": ", ".join(sorted(by_seed)),
        "fit (s)": round(float(np.mean([r["fit (s)"] for r in of_seeds])), 1),
    }


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="*", choices=RIVALS, default=list(RIVALS))
    parser.add_argument("--only", nargs="+", choices=GROUPS, default=list(GROUPS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rows", type=int, default=500, help="of each data set and activity, people evenly")
    parser.add_argument("--results", nargs="+", default=[], metavar="SEED=FILE")
    options = parser.parse_args()
    if options.results:
        found = {"windows of each data set and activity": options.rows, **together(options.results)}
        print(json.dumps(found, indent=1))
        return
    print(json.dumps(measure(options.models, options.only, options.seed, options.rows), indent=1))


if __name__ == "__main__":
    main()
