"""Models on the same folds, over several seeds: means, intervals, paired differences; JSON on stdout.

python -m benchmarks.bench_folds ku-har:subject:0,1,2 hapt:official:0 --models elm-gru-am,minirocket --keep FOLDER

What each model answered on each fold is kept in FOLDER and not computed again, so that aeon's models can be run from an
environment of their own (requirements.txt) and a long run be broken off. ``official`` is HAPT's own split; several sets
as one, ``ku-har+hapt``, are left out in turn by ``dataset``.
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

from app.har.classifiers.elm_gru_am.classifier import ActivityClassifier
from app.har.classifiers.elm_gru_am.config import ModelConfig
from app.har.classifiers.registry import MODELS
from app.har.evaluation.scores import calibration_error, compare, evaluate
from app.har.evaluation.splits import fold_windows, leave_datasets_out
from app.har.evaluation.types import Split
from app.har.recordings.formats.hapt import OFFICIAL_TEST_SUBJECTS
from app.har.training.pooled import with_even_training
from app.har.types import FloatArray
from app.har.windows import WindowSet
from benchmarks import aeon_models
from benchmarks.data import SETS, windows_of

KEYS = ("f1", "accuracy", "calibration error", "fit seconds")


class AnyWayRound(ActivityClassifier):
    """ELM-GRU-AM that also learns from turned copies."""

    name = "elm-gru-am-any-way-round"

    def __init__(self) -> None:
        super().__init__(ModelConfig(rotation_augmentation=True))


def splits_of(windows: WindowSet, protocol: str, n_folds: int, seed: int) -> list[Split]:
    """Return the folds; of the official split, its one part."""
    if protocol == "official":
        tested = np.isin(windows.subjects, list(OFFICIAL_TEST_SUBJECTS))
        return [Split(np.flatnonzero(~tested), np.flatnonzero(tested), "subject", seed)]
    if protocol == "dataset":
        return with_even_training(windows, leave_datasets_out(windows), seed)
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


def mean_and_interval(values: list[float]) -> tuple[float, str]:
    """Return the mean over folds, and its 95 % t interval in words."""
    array = np.array(values)
    mean = float(array.mean())
    if len(array) < 2:
        return round(mean, 4), ""
    half = stdtrit(len(array) - 1, 0.975) * array.std(ddof=1) / np.sqrt(len(array))
    return round(mean, 4), f"{mean - half:+.3f} to {mean + half:+.3f}"


def compared(name_of_set: str, protocol: str, seeds: str, names: list[str], n_folds: int, keep: Path) -> dict[str, Any]:
    """Return the figures of models on the same folds; the first is compared with each of the others."""
    windows = windows_of(name_of_set)
    scores: dict[str, dict[str, list[float]]] = {name: {key: [] for key in KEYS} for name in names}
    by_dataset: dict[str, dict[str, list[float]]] = {}
    pooled: dict[str, list[dict[str, FloatArray]]] = {name: [] for name in names}
    rows: list[np.ndarray] = []
    for seed in map(int, seeds.split(",")):
        for number, split in enumerate(splits_of(windows, protocol, n_folds, seed)):
            test = windows.take(split.test)
            rows.append(split.test)
            for name in names:
                stem = f"{name_of_set}-{protocol}-{n_folds}-{seed}-{number}-{name}"
                found = answers(name, windows, split, seed, keep / f"{stem}.npz")
                pooled[name].append(found)
                metrics = evaluate(test, found["proba"], fit_seconds=float(found["fit"]), predict_seconds=1, seed=seed)
                if split.dataset:
                    by_dataset.setdefault(split.dataset, {}).setdefault(name, []).append(metrics.f1.value)
                error = calibration_error(found["proba"], test.y)
                for key, value in zip(
                    KEYS, (metrics.f1.value, metrics.accuracy.value, error, float(found["fit"])), strict=True
                ):
                    scores[name][key].append(value)
    everything = windows.take(np.concatenate(rows))
    together = {name: np.concatenate([found["proba"] for found in pooled[name]]) for name in names}
    by_people = {own.against: own for own in compare(everything, together)}
    result: dict[str, Any] = {
        "windows": len(windows),
        "models": {},
        "lead": {},
        "subject most often wrong": {},
        "recordings most often wrong": {},
    }
    if by_dataset:
        result["f1 by data set left out"] = {
            dataset: {name: mean_and_interval(values)[0] for name, values in scores_of.items()}
            for dataset, scores_of in by_dataset.items()
        }
    for name in names:
        wrong = everything.recordings[together[name].argmax(axis=1) != everything.y]
        result["models"][name] = {
            **{key: mean_and_interval(values)[0] for key, values in scores[name].items()},
            "calibration error, pooled": round(calibration_error(together[name], everything.y), 4),
            "wrong": len(wrong),
        }
        subject, errors = Counter(everything.subjects[together[name].argmax(axis=1) != everything.y]).most_common(1)[0]
        others = everything.subjects != subject
        rest = evaluate(everything.take(others), together[name][others], fit_seconds=0, predict_seconds=1)
        result["subject most often wrong"][name] = {
            "subject": str(subject),
            "wrong": errors,
            "of": int((~others).sum()),
            "f1 of all others": round(rest.f1.value, 4),
            "accuracy": round(rest.accuracy.value, 4),
            "calibration error": round(calibration_error(together[name][others], everything.y[others]), 4),
        }
        result["recordings most often wrong"][name] = ", ".join(f"{r} ({n})" for r, n in Counter(wrong).most_common(4))
    for name in names[1:]:
        lead = result["lead"][f"{names[0]} before {name}"] = {}
        for key in KEYS[:2]:
            differences = [a - b for a, b in zip(scores[names[0]][key], scores[name][key], strict=True)]
            lead[key], lead[f"{key}, over folds"] = mean_and_interval(differences)
        lead["f1, over people"] = f"{by_people[name].f1.low:+.3f} to {by_people[name].f1.high:+.3f}"
    return result


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="+", help=f"SET:PROTOCOL:SEEDS[:MODELS]; sets: {', '.join(SETS)}")
    parser.add_argument("--models", default="elm-gru-am,random-forest", help="of the runs that name none")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--keep", type=Path, required=True)
    options = parser.parse_args()
    MODELS.update(aeon_models.MODELS | {AnyWayRound.name: AnyWayRound})
    result = {}
    for run in options.runs:
        name_of_set, protocol, seeds, *models = run.split(":")
        names = (models[0] if models else options.models).split(",")
        title = f"{name_of_set}, {protocol}, seeds {seeds}"
        result[title] = compared(name_of_set, protocol, seeds, names, options.folds, options.keep)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
