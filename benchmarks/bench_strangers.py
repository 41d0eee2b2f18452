"""What the general model says of data sets that it never saw and by which nothing was chosen, by activity.

python -m benchmarks.bench_strangers; JSON on stdout. Needs data sets where `benchmarks.strangers` says; those that are
not there are left out, and so are the movements that it learnt besides. Each recording is an only upload: nobody
says who carried the device, and where.
"""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from app.har.classifiers.everyday.answer import ACTIVITIES
from app.har.classifiers.everyday.classifier import WINDOW_S, EverydayClassifier
from app.har.classifiers.everyday.persistence import load_model
from app.har.classifiers.everyday.wearing import UNKNOWN_SUBJECT, Track
from app.har.vocabulary import (
    ANYTHING,
    ON_FOOT,
    RUNNING,
    STAIRS,
    STILL,
    UNFAMILIAR,
    WALKING,
    AnswerTree,
    path_of,
    shared_node,
)
from app.har.windows import WindowSet, make_windows
from benchmarks.everyday_data import BESIDES, MOVEMENTS
from benchmarks.strangers import signals_of, there
from config import ROOT

TREE = AnswerTree(ACTIVITIES)
SAID = {  # the answers that a column counts: those at one of these nodes or below
    "still": STILL, "on foot": ON_FOOT, "walking": WALKING, "stairs": STAIRS, "running": RUNNING,
}  # fmt: skip


def by_activity(model: EverydayClassifier, windows: WindowSet) -> dict[str, dict[str, float | None]]:
    """Return the answers to each activity: which share is true of those given, and what is said how often."""
    return of_track(model, model.track(windows), np.array(windows.activities)[windows.y])


def of_track(model: EverydayClassifier, track: Track, label: NDArray[np.str_]) -> dict[str, dict[str, float | None]]:
    """Return the same of windows that were described already, each with its activity."""
    recognition = model.recognise_track(replace(track, subjects=np.full(len(track), UNKNOWN_SUBJECT)))
    answer = np.array(TREE.nodes)[TREE.answers(recognition.probabilities, model.answer_limit_)].astype("U32")
    answer[recognition.novelty[:, 0] > 1] = UNFAMILIAR
    return {name: _row(answer[label == name], name) for name in np.unique(label).tolist()}


def _row(answer: NDArray[np.str_], activity: str) -> dict[str, float | None]:
    names, count = np.unique(answer, return_counts=True)
    share = dict(zip(names.tolist(), (count / count.sum()).tolist(), strict=True))
    given = {name: part for name, part in share.items() if name not in (ANYTHING, UNFAMILIAR)}
    known = shared_node(activity) is not None
    true = sum(part for name, part in given.items() if TREE.agrees(name, activity))
    return {
        "windows": len(answer),
        "true of those given": true / sum(given.values()) if known and given else None,
        **{word: sum(part for name, part in given.items() if node in path_of(name)) for word, node in SAID.items()},
        "uncertain": share.get(ANYTHING, 0.0),
        "unfamiliar": share.get(UNFAMILIAR, 0.0),
    }


def main() -> None:
    """Print the figures."""
    model = load_model(ROOT / "reference_models" / "reference-everyday")
    found = {}
    for name in there():
        rows = by_activity(model, make_windows(signals_of(name), WINDOW_S))
        learnt = MOVEMENTS if name in BESIDES else ()
        found[name] = {activity: row for activity, row in rows.items() if activity not in learnt}
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
