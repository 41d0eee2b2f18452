"""Whether heart and skin help to recognise what a wrist that is known by its movement does; JSON on stdout.

Stress-Predict, as in `bench_stress`: ``git clone https://github.com/italha-d/Stress-Predict-Dataset``, the folder is
the first argument. Its people rest, do a Stroop test, are interviewed, hyperventilate, all in this order. Which of the
four it is, is recognised from 60 s of movement (Kinelab's window features of 5 s each, their mean and spread) by extra
trees, people in five folds; then with each channel beside it (`bench_stress`'s features, less the person's own median).
The macro F1 is that of each person, over what they did. Intervals are over people, by bootstrap, differences paired.

The control, since all did the same in the same order: ``of another`` gives each person, in training and in test, the
channels of the next person at the same minute. What these gain is the hour's course and nobody's body.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.har.classifiers.elm_gru_am.features import describe
from benchmarks.bench_stress import CHANNELS, FEATURES, WINDOW_S, interval, less_own, person

RATE_HZ, PART_S, BANDS, G_MS2 = 32, 5, 10, 9.81
FOLDS, TREES, SEED = 5, 40, 0
TASKS = 3
BODY = {channel: names for channel, names in CHANNELS.items() if channel != "movement"}
Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Person:
    """The windows of one person."""

    movement: Numbers  # (n, n_features)
    body: Numbers  # (n, n_channels) less their own median, 0 where a sensor had nothing
    task: NDArray[np.int64]  # 0 of a rest, then in the order of the hour
    minute: Numbers  # since the start


def people(folder: Path) -> Iterator[Person]:
    """Read the data set."""
    import polars as pl

    path = folder / "Processed_data" / "Improved_All_Combined_hr_rsp_binary.csv"
    table = pl.read_csv(path, columns=["Participant", "Time(sec)", "Label"]).to_numpy().astype(np.float64)
    for number in np.unique(table[:, 0]).astype(int).tolist():
        labels = table[table[:, 0] == number][:, 1:]
        task = np.cumsum(np.diff(labels[:, 1], prepend=0.0) > 0) * labels[:, 1].astype(np.int64)
        if task.max() == TASKS:
            yield _person(folder / "Raw_data" / f"S{number:02d}", labels, task)


def _person(folder: Path, labels: Numbers, task: NDArray[np.int64]) -> Person:
    measured = person(folder, labels)
    values = np.loadtxt(folder / "ACC.csv", delimiter=",", ndmin=2)
    start, acceleration = float(values[0, 0]), values[2:] / 64 * G_MS2
    n = WINDOW_S * RATE_HZ
    at = (measured.minute * 60).round().astype(np.int64)  # positions in the labels, one a second, as `person` steps
    first = ((labels[at, 0] - start) * RATE_HZ).round().astype(np.int64)
    whole = np.flatnonzero((first >= 0) & (first + n <= len(acceleration)))
    windows = acceleration[first[whole, None] + np.arange(n)].astype(np.float32)  # (n_windows, n, 3)
    parts, _ = describe(windows.reshape(-1, PART_S * RATE_HZ, 3), ("acc_x", "acc_y", "acc_z"), RATE_HZ, BANDS)
    parts = parts.reshape(len(whole), WINDOW_S // PART_S, -1)
    movement = np.concatenate([parts.mean(axis=1), parts.std(axis=1)], axis=1).astype(np.float64)
    body = np.nan_to_num(less_own(measured.X))[whole]
    return Person(movement, body, task[at[whole]], measured.minute[whole])


def by_person(X: Sequence[Numbers], tasks: Sequence[NDArray[np.int64]]) -> Numbers:
    """Return the macro F1 of each person, by a model of people in other folds."""
    from sklearn.ensemble import ExtraTreesClassifier
    from sklearn.metrics import f1_score

    fold = np.random.default_rng(SEED).permutation(len(X)) % FOLDS
    found = np.zeros(len(X))
    for one in range(FOLDS):
        others = np.flatnonzero(fold != one).tolist()
        model = ExtraTreesClassifier(TREES, min_samples_leaf=3, class_weight="balanced", random_state=SEED)
        model.fit(np.concatenate([X[i] for i in others]), np.concatenate([tasks[i] for i in others]))
        for i in np.flatnonzero(fold == one).tolist():
            found[i] = f1_score(tasks[i], model.predict(X[i]), average="macro", labels=np.unique(tasks[i]))
    return found


def measure(everybody: Sequence[Person]) -> dict[str, Any]:
    """Return the figures."""
    tasks = [each.task for each in everybody]
    movement, body = [each.movement for each in everybody], [each.body for each in everybody]
    minutes = [each.minute[:, None] for each in everybody]
    others = [
        body[(i + 1) % len(body)][np.abs(own - minutes[(i + 1) % len(body)].T).argmin(axis=1)]
        for i, own in enumerate(minutes)
    ]

    def score(*parts: Sequence[Numbers]) -> Numbers:
        return by_person([np.concatenate(own, axis=1) for own in zip(*parts, strict=True)], tasks)

    alone = score(movement)
    rows: dict[str, Any] = {
        "movement alone": {"macro F1": interval(alone)},
        "minutes alone": {"macro F1": interval(score(minutes))},
    }
    for channel, names in {**BODY, "all of them": tuple(name for own in BODY.values() for name in own)}.items():
        places = [FEATURES.index(name) for name in names]
        own, another = [[x[:, places] for x in part] for part in (body, others)]
        beside, controlled = score(movement, own), score(movement, another)
        rows[channel] = {
            "macro F1": interval(beside),
            "more than movement": interval(beside - alone),
            "of another": interval(controlled - alone),
            "more than of another": interval(beside - controlled),
        }
    empty = dict.fromkeys(rows["all of them"])
    windows = sum(map(len, tasks))
    return {"people": len(everybody), "windows": windows, "with movement": {k: empty | v for k, v in rows.items()}}


if __name__ == "__main__":
    json.dump(measure(list(people(Path(sys.argv[1])))), sys.stdout, indent=2)
