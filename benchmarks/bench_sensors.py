"""What a missing or failing sensor costs on SP-SW-HAR: four sensors, one model, against models trained without them.

python -m benchmarks.bench_sensors [--seed 0] [--epochs N] [--retrain no]; JSON on stdout.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np

from app.har.classifiers.elm_gru_am.classifier import ActivityClassifier
from app.har.evaluation.scores import evaluate
from app.har.evaluation.splits import split_windows
from app.har.types import FloatArray
from app.har.windows import WindowSet
from benchmarks.data import windows_of, with_channels


def f1(model: ActivityClassifier, windows: WindowSet) -> float:
    """Return the macro F1."""
    return round(evaluate(windows, model.predict_proba(windows), fit_seconds=0, predict_seconds=1).f1.value, 4)


def broken(windows: WindowSet, sensors: tuple[str, ...], how: str) -> WindowSet:
    """Spoil the signal of sensors, by their stems."""
    X: FloatArray = windows.X.copy()
    rng = np.random.default_rng(0)
    for i, channel in enumerate(windows.channels):
        if channel.rpartition("_")[0] in sensors:
            if how == "missing":
                X[:, :, i] = np.nan
            elif how == "constant":
                X[:, :, i] = X[0, 0, i]
            else:
                X[:, :, i] = rng.normal(0, 3 * X[:, :, i].std(), X.shape[:2])
    return replace(windows, X=X)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--retrain", choices=["yes", "no"], default="yes")
    options = parser.parse_args()
    windows = windows_of("sp-sw-har")
    split = split_windows(windows, "subject", options.seed)
    train, test = windows.take(split.train), windows.take(split.test)
    model = ActivityClassifier().fit(train, seed=options.seed, epochs=options.epochs)
    weights = model.recognise(test).sensor_attention.mean(axis=0)
    result: dict[str, Any] = {
        "windows": len(windows),
        "test_subjects": len(set(test.subjects)),
        "complete": {
            "f1": f1(model, test),
            "attention": dict(zip(model.sensors, weights.round(3).tolist(), strict=True)),
        },
        "missing": {},
        "failing": {},
    }
    for gone in (*combinations(model.sensors, 1), *combinations(model.sensors, 2)):
        title = " + ".join(gone)
        print(title, file=sys.stderr, flush=True)
        row = {"f1": f1(model, broken(test, gone, "missing"))}
        if options.retrain == "yes":
            kept = tuple(sensor for sensor in model.sensors if sensor not in gone)
            other = ActivityClassifier().fit(with_channels(train, kept), seed=options.seed, epochs=options.epochs)
            row["f1_trained_without"] = f1(other, with_channels(test, kept))
        result["missing"][title] = row
    for number, sensor in enumerate(model.sensors):
        for how in ("constant", "noise"):
            spoilt = broken(test, (sensor,), how)
            attention = model.recognise(spoilt).sensor_attention[:, number]
            result["failing"][f"{sensor}, {how}"] = {
                "f1": f1(model, spoilt),
                "attention_mean": round(float(attention.mean()), 4),
            }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
