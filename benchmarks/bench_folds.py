"""Models on the same folds, over several seeds: means, intervals, paired differences; JSON on stdout.

python -m benchmarks.bench_folds --set ku-har --models elm-gru-am,minirocket --seeds 0,1,2 --keep FOLDER

What each model answered on each fold is kept in FOLDER and not computed again, so that aeon's models can be run from an
environment of their own (requirements.txt) and a long run be broken off. ``--protocol official`` is HAPT's own split.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import stdtrit

from app.har.baselines import MODELS
from app.har.datasets.hapt import OFFICIAL_TEST_SUBJECTS
from app.har.evaluation import calibration_error, compare, evaluate
from app.har.splits import fold_windows
from app.har.types import FloatArray, Split, WindowSet
from benchmarks import aeon_models
from benchmarks.data import SETS, windows_of


def splits_of(windows: WindowSet, protocol: str, n_folds: int, seed: int) -> list[Split]:
    """Return the folds; of the official split, its one part."""
    if protocol == "official":
        tested = np.isin(windows.subjects, list(OFFICIAL_TEST_SUBJECTS))
        return [Split(np.flatnonzero(~tested), np.flatnonzero(tested), "subject", seed)]
    return fold_windows(windows, "random" if protocol == "random" else "subject", n_folds, seed)


def answers(name: str, windows: WindowSet, split: Split, seed: int, path: Path) -> dict[str, Any]:
    """Fit and ask one model, unless that was done before."""
    if not path.exists():
        print(path.stem, file=sys.stderr, flush=True)
        model = MODELS[name]()
        started = time.perf_counter()
        model.fit(windows.take(split.train), seed=seed)
        fitted = time.perf_counter()
        proba = model.predict_proba(windows.take(split.test))
        seconds = {"fit": fitted - started, "predict": time.perf_counter() - fitted}
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(path, proba=proba, test=split.test, **seconds)
    with np.load(path) as kept:
        found = dict(kept)
    if not np.array_equal(found["test"], split.test):
        raise SystemExit(f"{path} is of another split; keep the answers of each version in a folder of their own")
    return found


def summary(values: list[float]) -> dict[str, Any]:
    """Return the mean over folds, and its 95 % t interval."""
    array = np.array(values)
    if len(array) < 2:
        return {"mean": round(float(array.mean()), 4)}
    half = stdtrit(len(array) - 1, 0.975) * array.std(ddof=1) / np.sqrt(len(array))
    return {
        "mean": round(float(array.mean()), 4),
        "interval": f"{array.mean() - half:+.4f} to {array.mean() + half:+.4f}",
    }


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--set", choices=SETS, default="ku-har")
    parser.add_argument("--models", default="elm-gru-am,random-forest")
    parser.add_argument("--protocol", choices=["subject", "random", "official"], default="subject")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--seeds", default="0")
    parser.add_argument("--keep", type=Path, required=True)
    options = parser.parse_args()
    MODELS.update(aeon_models.MODELS)
    names = options.models.split(",")
    windows = windows_of(options.set)
    scores: dict[str, dict[str, list[float]]] = {
        name: {key: [] for key in ("f1", "accuracy", "calibration_error", "fit_seconds")} for name in names
    }
    pooled: dict[str, list[dict[str, FloatArray]]] = {name: [] for name in names}
    rows: list[np.ndarray] = []
    seeds = [int(seed) for seed in options.seeds.split(",")]
    for seed in seeds:
        for number, split in enumerate(splits_of(windows, options.protocol, options.folds, seed)):
            test = windows.take(split.test)
            rows.append(split.test)
            for name in names:
                stem = f"{options.set}-{options.protocol}-{options.folds}-{seed}-{number}-{name}"
                found = answers(name, windows, split, seed, options.keep / f"{stem}.npz")
                pooled[name].append(found)
                metrics = evaluate(test, found["proba"], fit_seconds=float(found["fit"]), predict_seconds=1, seed=seed)
                scores[name]["f1"].append(metrics.f1.value)
                scores[name]["accuracy"].append(metrics.accuracy.value)
                scores[name]["calibration_error"].append(calibration_error(found["proba"], test.y))
                scores[name]["fit_seconds"].append(float(found["fit"]))
    result: dict[str, Any] = {
        "set": options.set, "protocol": options.protocol, "folds": options.folds, "seeds": options.seeds,
        "windows": len(windows), "models": {}, "first_less_other": {},
    }  # fmt: skip
    everything = windows.take(np.concatenate(rows))
    together = {name: np.concatenate([found["proba"] for found in pooled[name]]) for name in names}
    for name in names:
        wrong = everything.recordings[together[name].argmax(axis=1) != everything.y]
        result["models"][name] = {key: summary(values) for key, values in scores[name].items()} | {
            "wrong": len(wrong),
            "most_wrong": dict(Counter(wrong.tolist()).most_common(5)),
        }
    by_people = {own.against: own for own in compare(everything, together)}
    for name in names[1:]:
        result["first_less_other"][name] = {
            key: summary([a - b for a, b in zip(scores[names[0]][key], scores[name][key], strict=True)])
            for key in ("f1", "accuracy")
        } | {"f1_by_people": f"{by_people[name].f1.low:+.4f} to {by_people[name].f1.high:+.4f}"}
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
