"""What a stored model is worth to a training on other data, by how many windows of each activity there are.

python -m benchmarks.bench_transfer [--seeds 0 1 2] [--only hapt]; JSON on stdout, needs the recordings in HAR_DATA_DIR.

The base is the reference model of KU-HAR (a phone at the waist, without gravity). A quarter of the people of another
data set is held out to be tested, others for each seed; of the others, some windows of each activity are learnt from.
Heads alone are compared at every size; whole models, with their networks, where the training of a network is feasible.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from app.har.classifiers.base import Classifier
from app.har.classifiers.elm_gru_am.classifier import ActivityClassifier
from app.har.classifiers.elm_gru_am.persistence import load_model
from app.har.classifiers.elm_gru_am.transfer import TransferredClassifier
from app.har.datasets.as_read import as_read
from app.har.datasets.store import build_store, open_store
from app.har.evaluation.scores import confusion_matrix, macro_scores
from app.har.evaluation.splits import split_windows
from app.har.recordings.formats.hapt import TRANSITIONS
from app.har.training.transfer import Base, learning_curve
from app.har.windows import WindowSet, make_windows
from benchmarks.data import SETS, without_activities

REFERENCE = Path(__file__).resolve().parent.parent / "reference_models" / "reference-ku-har"
TESTED = ("hapt", "motion-sense")
WHOLE = (2, 50)  # windows of each activity that whole models learn from, too
TEST_SHARE = 0.25

Scores = dict[str, list[float]]


def windows_as_read(base: ActivityClassifier, name: str) -> WindowSet:
    """Read a data set anew and cut it as the base reads it; HAPT without its postural transitions."""
    with tempfile.TemporaryDirectory() as folder:
        build_store(SETS[name][0], Path(folder) / "store")
        signals = open_store(Path(folder) / "store").signals
        signals = as_read(signals, base.channels, base.sampling_rate_hz, base.gravity)
        windows = make_windows(replace(signals, signal=np.asarray(signals.signal)), base.window_length_s)
    return without_activities(windows, TRANSITIONS) if name == "hapt" else windows


def whole_models(base: Base, windows: WindowSet) -> dict[str, Callable[[], Classifier]]:
    alike = base.alike(windows.activities)
    return {
        "kept map": lambda: TransferredClassifier(base.model, alike),
        "fine-tuned": lambda: TransferredClassifier(base.model, alike, fine_tune=True),
        "from scratch": ActivityClassifier,
    }


def measure(base: Base, windows: WindowSet, seed: int, found: dict[str, Scores]) -> None:
    """Add the figures of one seed: macro F1 on the test people, and how many seconds a whole model takes to fit."""
    split = split_windows(windows, "subject", seed, TEST_SHARE)
    train, test = windows.take(split.train), windows.take(split.test)
    for point in learning_curve(base, train, test, seed):
        row = found.setdefault(str(point["windows"] or "all"), {})
        row.setdefault("head on the base", []).append(point["base"])
        row.setdefault("head from scratch", []).append(point["scratch"])
    order = np.random.default_rng(seed).permutation(len(train))
    for n in WHOLE:
        few = train.take(np.concatenate([order[train.y[order] == label][:n] for label in np.unique(train.y)]))
        for title, make in whole_models(base, windows).items():
            started = time.perf_counter()
            model = make().fit(few, seed=seed)
            seconds = time.perf_counter() - started
            confusion = confusion_matrix(test.y, model.predict_proba(test).argmax(axis=1), len(test.activities))
            row = found[str(n)]
            row.setdefault(title, []).append(float(macro_scores(confusion[None])[0][3]))
            row.setdefault(f"{title}: s", []).append(seconds)
            print(seed, n, title, row[title][-1], round(seconds, 1), file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--only", nargs="*", default=list(TESTED))
    arguments = parser.parse_args()
    base = Base(load_model(REFERENCE), {}, {}, {})
    result: dict[str, object] = {"base": REFERENCE.name, "seeds": ", ".join(map(str, arguments.seeds))}
    for name in arguments.only:
        windows = windows_as_read(base.model, name)
        found: dict[str, Scores] = {}
        for seed in arguments.seeds:
            measure(base, windows, seed, found)
        result[name] = {
            f"{n} windows": {title: round(float(np.mean(values)), 3) for title, values in row.items()}
            for n, row in found.items()
        }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
