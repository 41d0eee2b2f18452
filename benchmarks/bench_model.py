"""What every model scores on KU-HAR by both protocols, how long it learns and how fast it answers; JSON on stdout.

python -m benchmarks.bench_model [--models elm-gru-am,random-forest,lstm,cnn] [--protocols random,subject] [--seed 0];
the real recordings are looked for in HAR_DATA_DIR. Where benchmarks/requirements.txt is installed, minirocket and
multirocket-hydra are models too.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from app.har.classifiers.base import Classifier
from app.har.classifiers.elm_gru_am.classifier import ActivityClassifier
from app.har.classifiers.elm_gru_am.persistence import load_model, save_model
from app.har.classifiers.registry import MODELS
from app.har.datasets.store import build_store, open_store
from app.har.evaluation.splits import split_windows
from app.har.evaluation.types import Protocol
from app.har.progress import Event
from app.har.training.config import TrainConfig
from app.har.training.experiment import fit_and_score
from app.har.training.results import describe_split
from app.har.windows import WindowSet, make_windows
from benchmarks import aeon_models

ROOT = Path(__file__).resolve().parent.parent
KU_HAR = Path("ku-har") / "1.Raw_time_domian_data.zip"
N_PREDICTED = 10_000
FIGURES = ("accuracy", "precision", "recall", "f1")


def compared(windows: WindowSet, models: list[str], protocol: Protocol, seed: int) -> tuple[dict[str, Any], Classifier]:
    """Fit and score the models on one split; return the figures and the last model fitted."""
    config = TrainConfig(tuple(models), protocol, seed)
    split = split_windows(windows, protocol, seed, config.test_fraction)
    train, test = windows.take(split.train), windows.take(split.test)
    described = {k: v for k, v in describe_split(windows, split).items() if k != "subjects"}
    result: dict[str, Any] = {"split": described}
    for name in models:

        def report(event: Event, name: str = name) -> None:
            if "epoch" not in event:
                print(f"{protocol}, {name}: {event['stage']}", file=sys.stderr, flush=True)

        classifier, _, metrics = fit_and_score(name, train, test, config, report)
        figures = {figure: getattr(metrics, figure) for figure in FIGURES}
        result[name] = {
            **{figure: round(interval.value, 4) for figure, interval in figures.items()},
            "f1_interval": f"{metrics.f1.low:.3f}–{metrics.f1.high:.3f}",
            "calibration_error": round(metrics.calibration_error, 4),
            "fit_seconds": round(metrics.fit_seconds, 1),
            "predict_windows_per_second": round(metrics.predict_windows_per_second),
        }
    return result, classifier


def on_disk(model: ActivityClassifier, windows: WindowSet) -> dict[str, float]:
    """Return the size of the stored model, and seconds to load it and to predict from raw windows."""
    many = windows.take(np.resize(np.arange(len(windows)), N_PREDICTED))
    with tempfile.TemporaryDirectory() as folder:
        save_model(model, Path(folder) / "model")
        size = sum(file.stat().st_size for file in (Path(folder) / "model").iterdir())
        start = time.perf_counter()
        loaded = load_model(Path(folder) / "model")
        opened = time.perf_counter()
        loaded.predict_proba(many)
        done = time.perf_counter()
    return {
        "size_mib": round(size / 2**20, 2),
        "load_seconds": round(opened - start, 2),
        f"predict_{N_PREDICTED}_windows_seconds": round(done - opened, 2),
    }


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", default="random-forest,lstm,cnn,elm-gru-am")
    parser.add_argument("--protocols", default="random,subject")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    MODELS.update(aeon_models.MODELS)
    data = Path(os.environ.get("HAR_DATA_DIR") or ROOT.parent / "shared" / "data")
    with tempfile.TemporaryDirectory() as folder:
        build_store(data / KU_HAR, Path(folder) / "store")
        windows = make_windows(open_store(Path(folder) / "store").signals)
        result: dict[str, Any] = {"windows": len(windows), "seed": options.seed, "load_before": os.getloadavg()[0]}
        for protocol in options.protocols.split(","):
            result[protocol], last = compared(windows, options.models.split(","), protocol, options.seed)
        if isinstance(last, ActivityClassifier):
            result["stored elm-gru-am"] = on_disk(last, windows)
    result["load_after"] = os.getloadavg()[0]
    print(json.dumps(result, indent=2, ensure_ascii=False))


if __name__ == "__main__":
    main()
