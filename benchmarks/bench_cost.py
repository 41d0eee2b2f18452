"""Time and memory against the number of windows: ELM-GRU-AM on KU-HAR; JSON on stdout, a plot in docs/benchmarks/.

python -m benchmarks.bench_cost [--sizes 2000,8000,20750,32000] [--epochs N]

Each size is fitted in a process of its own. More windows than KU-HAR has are made from its own by noise of a
hundredth of each channel's deviation, so that no two are equal.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from typing import Any

import numpy as np

from app.har.classifiers.elm_gru_am.classifier import ActivityClassifier
from app.har.training import plots
from app.har.windows import WindowSet
from benchmarks.data import windows_of
from config import ROOT

PLOT = ROOT / "docs" / "benchmarks" / "cost"
N_PREDICTED = 5000


def enlarged(windows: WindowSet, n: int) -> WindowSet:
    """Return n windows; repeated ones are a little different."""
    rng = np.random.default_rng(0)
    order = np.concatenate([rng.permutation(len(windows)) for _ in range(1 + n // len(windows))])[:n]
    many = windows.take(order)
    deviation = windows.X.std(axis=(0, 1))
    again = many.X[len(windows) :]
    again += 0.01 * deviation * rng.standard_normal(again.shape, dtype=np.float32)
    return many


def measure(n: int, epochs: int | None) -> dict[str, float]:
    """Fit on n windows in this process."""
    windows = enlarged(windows_of("ku-har"), n)
    started = time.perf_counter()
    model = ActivityClassifier().fit(windows, epochs=epochs)
    fitted = time.perf_counter()
    asked = windows.take(np.arange(min(n, N_PREDICTED)))
    model.predict_proba(asked.take(np.arange(min(n, 600))))  # compile outside the clock
    begun = time.perf_counter()
    model.predict_proba(asked)
    done = time.perf_counter()
    one = windows.take(np.arange(1))
    singles = []
    for _ in range(30):
        at = time.perf_counter()
        model.predict_proba(one)
        singles.append(time.perf_counter() - at)
    return {
        "fit_seconds": round(fitted - started, 1),
        "predict_windows_per_second": round(len(asked) / (done - begun)),
        "single_window_ms": round(1000 * float(np.median(singles)), 1),
        "peak_gib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
    }


def draw(figures: dict[str, dict[str, float]]) -> None:
    """Draw fit time against size, with the line through the origin and the largest size."""
    from matplotlib.figure import Figure

    sizes = [int(n) for n in figures]
    seconds = [own["fit_seconds"] for own in figures.values()]
    axes = Figure(figsize=(6, 4), layout="constrained").subplots()
    axes.plot(sizes, seconds, "o-", label="measured")
    axes.plot([0, sizes[-1]], [0, seconds[-1]], "--", color="0.5", label="proportional to the largest")
    axes.set(title="ELM-GRU-AM: time to fit", xlabel="training windows of 3 s", ylabel="time (s)", xlim=0, ylim=0)
    axes.legend()
    plots.save(axes.figure, PLOT)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="2000,8000,20750,32000")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--one", type=int, help="measure this size here")
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.one, options.epochs)))
        return
    figures: dict[str, Any] = {}
    for n in options.sizes.split(","):
        print(n, file=sys.stderr, flush=True)
        epochs = ["--epochs", str(options.epochs)] if options.epochs else []
        command = [sys.executable, "-m", "benchmarks.bench_cost", "--one", n, *epochs]
        figures[n] = json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)
    draw(figures)
    print(json.dumps({"epochs": options.epochs or "default", "windows": figures}, indent=1))


if __name__ == "__main__":
    main()
