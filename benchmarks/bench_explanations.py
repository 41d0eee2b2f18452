"""Whether explanations are true: deletion and insertion on people and a data set that were held out; JSON on stdout.

Each ranking of a window's cells (moments × sensors × bands) is compared with random orders of the same cells. What was
chosen of the method was chosen on people that KU-HAR's model learnt from.

python -m benchmarks.bench_explanations [--sets ku-har,hapt,motion-sense] [--windows 12] [--seed 0]
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import zipfile
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.har.classifiers.elm_gru_am.classifier import ActivityClassifier
from app.har.classifiers.elm_gru_am.persistence import load_model
from app.har.evaluation.splits import split_windows
from app.har.explanations.bare import bare_windows, probabilities
from app.har.explanations.cells import BANDS, Cells
from app.har.explanations.faithfulness import Ranking, even_sample, gains, interval, passes
from app.har.explanations.values import cell_values, log_odds, prefixes
from app.har.recordings.upload import open_upload
from app.har.signals.filters import prepare
from app.har.types import FloatArray, IntArray
from app.har.windows import WindowSet, make_windows
from app.services.recordings.recognise import read_recordings
from app.services.recordings.resample import resample
from benchmarks.data import SETS, windows_of
from benchmarks.reference_models import with_unseen_people
from config import ROOT

LEARNT = 150  # windows of each activity that HAPT's model learns from: whether it is explained, not how good it is
ORDERS = 2  # drawn at random for each window, to compare with
TRIALS = ("sit_5", "std_14", "wlk_8", "jog_9", "ups_3", "dws_1")  # of MotionSense

TITLES = {
    "ours": "made neutral, in bands",
    "orders": "as ours, over two orders (twice the work)",
    "silence": "plain occlusion: a moment of a sensor silenced",
    "attention": "the network's attention",
}


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", default="ku-har,hapt,motion-sense")
    parser.add_argument("--windows", type=int, default=12, help="of each activity")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    result: dict[str, Any] = {"seed": options.seed}
    for name in options.sets.split(","):
        title, model, unseen = tested_on(name, options.seed)
        print(f"{title} …", file=sys.stderr, flush=True)
        windows = even_sample(unseen, options.windows, options.seed)
        cells = Cells.of(model)
        found, answers = gains(model, cells, windows, rankings(model, cells), options.seed, ORDERS)
        result[title] = {
            "windows": len(windows),
            "people": len(np.unique(windows.subjects)),
            "cells": len(cells),
            "better than random order by": {
                TITLES[key]: written(interval(gain, windows.subjects, options.seed)) for key, gain in found.items()
            },
            "answers": by_answer(model, found["ours"], answers),
        }
    print(json.dumps(result, indent=1, ensure_ascii=False))


def written(gain: dict[str, list[float]]) -> dict[str, str]:
    """Return means with their intervals, as a table has them."""
    return {kind: f"{mean:+.3f} ({low:+.3f} to {high:+.3f})" for kind, (mean, low, high) in gain.items()}


def tested_on(name: str, seed: int) -> tuple[str, ActivityClassifier, WindowSet]:
    """Return a title, a model, and windows of people, or of a data set, that it has not learnt from."""
    if name == "hapt":
        windows = windows_of(name)
        split = split_windows(windows, "subject", seed)
        learnt = even_sample(windows.take(split.train), LEARNT, seed)
        title = f"hapt, a model of {len(learnt):,} windows"
        return title, ActivityClassifier().fit(learnt, seed=seed), windows.take(split.test)
    if name == "ku-har":
        _, model, unseen = next(with_unseen_people())
        return "ku-har, the model that comes with the program", model, unseen
    model = load_model(ROOT / "reference_models" / "reference-ku-har")
    return "motion-sense, a data set left out, the same model", model, motion_sense(model)


def motion_sense(model: ActivityClassifier) -> WindowSet:
    """Return two windows of each of six trials of every person, as the model reads what people upload."""
    X, y, people = [], [], []
    with zipfile.ZipFile(SETS["motion-sense"][0]) as archive, tempfile.TemporaryDirectory() as folder:
        for name in archive.namelist():
            member = PurePosixPath(name)
            if member.parent.name not in TRIALS or not member.name.startswith("sub_"):
                continue
            path = Path(folder) / member.name
            path.write_bytes(archive.read(name))
            with open_upload(path, member.name) as upload:
                signals, _ = resample(read_recordings(upload), model, member.name)
            windows = make_windows(prepare(signals, model.preparation), model.window_length_s, by_label=False)
            X.append(windows.X[[len(windows) // 3, 2 * len(windows) // 3]])
            y += [TRIALS.index(member.parent.name)] * 2
            people += [member.stem] * 2
    found = bare_windows(model, np.concatenate(X))
    return replace(found, y=np.array(y), subjects=np.array(people), activities=TRIALS)


def by_answer(model: ActivityClassifier, gain: NDArray[np.float64], answers: IntArray) -> dict[str, dict[str, Any]]:
    """Return how much better than random explanations of each answer are, and whether the page would show them."""
    found = {}
    for answer in np.unique(answers).tolist():
        own = [round(float(x), 3) for x in gain[answers == answer].mean(axis=0)]
        windows = int(np.count_nonzero(answers == answer))
        found[model.activities[answer]] = {
            "windows": windows,
            "deletion": own[0],
            "insertion": own[1],
            "shown": passes(own),
        }
    return found


def rankings(model: ActivityClassifier, cells: Cells) -> dict[str, Ranking]:
    """Return what is compared, by its key in `TITLES`."""
    return {
        "ours": lambda X, answers: cell_values(model, cells, X, answers),
        "orders": lambda X, answers: over_two_orders(model, cells, X, answers),
        "silence": lambda X, answers: silenced(model, cells, X, answers),
        "attention": lambda X, answers: attended(model, cells, X),
    }


def over_two_orders(model: ActivityClassifier, cells: Cells, X: FloatArray, answers: IntArray) -> FloatArray:
    """Return what each cell adds on average over a random order and the same backwards: Shapley values, roughly."""
    cut = cells.cut(X)
    forward = np.argsort(np.random.default_rng(0).random((len(X), len(cells))), axis=1)
    total = np.zeros((len(X), len(cells)))
    for order in (forward, forward[:, ::-1]):
        added = np.diff(log_odds(prefixes(model, cut, order, answers)), axis=1)
        of_order = np.zeros_like(total)
        np.put_along_axis(of_order, order, added, axis=1)
        total += of_order
    return np.asarray(total, np.float32)


def silenced(model: ActivityClassifier, cells: Cells, X: FloatArray, answers: IntArray) -> FloatArray:
    """Return how far the probability falls where a sensor keeps its mean for a moment, the same for all bands."""
    values = np.zeros((len(X), len(cells.sensors), len(BANDS), cells.n_moments), np.float32)
    rows = np.arange(len(X))
    whole = probabilities(model, X)[rows, answers]
    for number, channels in enumerate(cells.sensors.values()):
        mean = X[:, :, channels].mean(axis=1, keepdims=True)
        for moment, share in enumerate(cells.moments):
            quiet = X.copy()
            quiet[:, :, channels] += share[:, None] * (mean - X[:, :, channels])
            values[:, number, :, moment] = (whole - probabilities(model, quiet)[rows, answers])[:, None]
    return values.reshape(len(X), -1)


def attended(model: ActivityClassifier, cells: Cells, X: FloatArray) -> FloatArray:
    """Return the attention to a sensor times that to a moment, the same for all bands."""
    recognised = model.recognise(bare_windows(model, X))
    n_frames = recognised.time_attention.shape[1]
    middles = (np.arange(cells.n_moments) + 0.5) / cells.n_moments * n_frames - 0.5
    of_time = np.stack([np.interp(middles, np.arange(n_frames), row) for row in recognised.time_attention])
    values = recognised.sensor_attention[:, :, None, None] * of_time[:, None, None, :]
    shape = (len(X), len(cells.sensors), len(BANDS), cells.n_moments)
    return np.asarray(np.broadcast_to(values, shape).reshape(len(X), -1), np.float32)


if __name__ == "__main__":
    main()
