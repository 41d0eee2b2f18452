"""What becomes of the score where a recording's sensors are slower than those of the training; JSON on stdout.

python -m benchmarks.bench_rates [--set ku-har] [--seed 0]

The test people's windows are brought to each rate and back, as an upload is, with and without slow copies in training.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace

import numpy as np
from scipy.signal import resample

from app.har.classifiers.elm_gru_am.classifier import ActivityClassifier
from app.har.classifiers.elm_gru_am.config import ModelConfig
from app.har.evaluation.scores import evaluate
from app.har.evaluation.splits import split_windows
from app.har.windows import WindowSet
from benchmarks.data import SETS, windows_of

RATES_HZ = (80.0, 60.0, 50.0, 40.0, 30.0, 25.0, 20.0)


def recorded_at(windows: WindowSet, rate_hz: float) -> WindowSet:
    """Return what sensors of this rate keep of windows."""
    n_timesteps = windows.X.shape[1]
    fewer = resample(windows.X, round(n_timesteps * rate_hz / windows.sampling_rate_hz), axis=1)
    return replace(windows, X=resample(fewer, n_timesteps, axis=1).astype(np.float32))


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--set", choices=SETS, default="ku-har")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    windows = windows_of(options.set)
    split = split_windows(windows, "subject", options.seed)
    train, test = windows.take(split.train), windows.take(split.test)
    figures: dict[str, dict[str, float]] = {}
    for title, without in (("slow copies", ()), ("without", ("slow copies",))):
        print(f"{options.set}: {title}", file=sys.stderr, flush=True)
        model = ActivityClassifier(ModelConfig(without=without)).fit(train, seed=options.seed)
        for rate in (windows.sampling_rate_hz, *(rate for rate in RATES_HZ if rate < windows.sampling_rate_hz)):
            asked = test if rate == windows.sampling_rate_hz else recorded_at(test, rate)
            found = model.recognise(asked)
            metrics = evaluate(test, found.probabilities, fit_seconds=0, predict_seconds=1)
            row = figures.setdefault(f"{rate:g} Hz", {})
            row[f"f1, {title}"] = round(metrics.f1.value, 4)
            row[f"unfamiliar, {title}"] = round(float(found.unfamiliar.mean()), 4)
    print(json.dumps({"set": options.set, "seed": options.seed, "rates": figures}, indent=1))


if __name__ == "__main__":
    main()
