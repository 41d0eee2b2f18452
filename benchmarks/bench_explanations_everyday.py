"""Whether explanations of the everyday model are true, on data sets that were left out of it; JSON on stdout.

HAPT is in no stored model, so that the very model is tested on it. For the others each question was learnt anew from
three data sets without them; calibration is the stored one's. How parts are grouped was chosen on seven people of
MotionSense with the model that had learnt from them; on HAPT nothing was chosen.

python -m benchmarks.bench_explanations_everyday [--sets hapt,ku-har,motion-sense] [--keep]; needs the recordings in
HAR_DATA_DIR. --keep puts the test beside `reference-everyday`, for its page.
"""

from __future__ import annotations

import argparse
import copy
import json
import sys
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.har.classifiers.everyday.answer import TREE
from app.har.classifiers.everyday.classifier import EverydayClassifier
from app.har.classifiers.everyday.forest import LEAF
from app.har.classifiers.everyday.persistence import load_model
from app.har.classifiers.everyday.training import Training, fit_questions
from app.har.classifiers.everyday.wearing import Track
from app.har.explanations import about
from app.har.explanations.faithfulness import evenly, interval, passes
from app.har.explanations.questions import Questioned
from app.har.explanations.questions_tested import Examined, about_questions, gains, replaced_values
from app.har.types import IntArray
from app.har.vocabulary import ANYTHING
from benchmarks.bench_explanations import written
from benchmarks.everyday_data import labelled_windows, windows_in_time
from config import ROOT

NAME = "reference-everyday"
LEARNT = ("ku-har", "motion-sense", "wisdm-watch", "oxford-walk")
PER_ANSWER, ORDERS = 12, 1
TITLES = {
    "ours": "what each part said, exactly",
    "replaced": "each part replaced by that of other windows (many times the work)",
    "often": "how often the trees ask for a part, the same for every window",
}


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", default="hapt")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", action="store_true", help="keep the test for the page of the stored model")
    options = parser.parse_args()
    stored = load_model(ROOT / "reference_models" / NAME)
    result: dict[str, Any] = {"seed": options.seed}
    tests = []
    relearnt = set(options.sets.split(",")) & set(LEARNT)
    learnt = {name: _training(stored, name) for name in LEARNT if relearnt}
    for name in options.sets.split(","):
        print(f"{name} …", file=sys.stderr, flush=True)
        model = _without(stored, learnt, name, options.seed)
        tested = _tested(model, name)
        tests.append(tested)
        result[f"{name}, left out"] = _figures(tested, options.seed)
    result["cost"] = _cost(tests[0])
    if options.keep:
        text = about.as_text(about_questions(tests, options.seed))
        (ROOT / "reference_models" / NAME / about.FILE).write_text(text + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1, ensure_ascii=False))


def _training(model: EverydayClassifier, name: str) -> Training:
    return model._training(labelled_windows(name))[0]


def _tested(model: EverydayClassifier, name: str) -> Examined:
    return Examined.of(model, windows_in_time(name))


def _without(stored: EverydayClassifier, learnt: dict[str, Training], name: str, seed: int) -> EverydayClassifier:
    """Return the stored model, its questions learnt without a data set."""
    if name not in learnt:
        return stored
    parts = [training for other, training in learnt.items() if other != name]
    training = Training(
        Track.joined([part.track for part in parts]),
        np.concatenate([part.node for part in parts]),
        np.concatenate([part.dataset for part in parts]),
    )
    model = copy.copy(stored)
    model.questions_ = fit_questions(training, stored.columns, seed)
    return model


def _figures(tested: Examined, seed: int) -> dict[str, Any]:
    said = np.flatnonzero(tested.answers != TREE.nodes.index(ANYTHING))
    people = tested.track.subjects
    rows = said[evenly(tested.answers[said], people[said], PER_ANSWER, seed)]
    replaced = tested.replacements(seed + 1)  # others than those of the test
    rankings = {
        "ours": Questioned.values,
        "replaced": lambda asked, answers: replaced_values(asked, replaced, answers),
        "often": lambda asked, answers: _how_often(asked),
    }
    found = gains(tested, rows, rankings, seed, ORDERS)
    answers = tested.answers[rows]
    return {
        "windows": len(rows),
        "people": len(np.unique(people[rows])),
        "better than random order by": {
            TITLES[key]: written(interval(gain, people[rows], seed)) for key, gain in found.items()
        },
        "answers": {TREE.nodes[answer]: _of_answer(found["ours"], answers, answer) for answer in np.unique(answers)},
    }


def _of_answer(gain: NDArray[np.float64], answers: IntArray, answer: int) -> dict[str, Any]:
    own = [round(float(x), 3) for x in gain[answers == answer].mean(axis=0)]
    windows = int(np.count_nonzero(answers == answer))
    return {"windows": windows, "deletion": own[0], "insertion": own[1], "shown": passes(own)}


def _how_often(asked: Questioned) -> NDArray[np.float64]:
    """Return how many nodes of its trees look at each part; a part that is no feature counts as one tree."""
    values = np.ones(len(asked.parts))
    for position, part in enumerate(asked.parts):
        if part.question in asked.asked:
            own = asked.asked[part.question]
            looked_at = own.forest.feature[own.forest.feature != LEAF]
            values[position] = (own.group[looked_at] == part.number).mean()
    return np.tile(values, (len(asked), 1))


def _cost(tested: Examined) -> dict[str, Any]:
    """Return what a window's values cost beside its recognition from features on, in processor time."""
    rows = tested.sample(4)
    one = [
        float(_ms(lambda row=row: tested.asked(rows[row : row + 1]).values(tested.answers[rows[row : row + 1]])))  # type: ignore[misc]
        for row in range(len(rows))
    ]
    together = _ms(lambda: tested.asked(rows).values(tested.answers[rows])) / len(rows)
    return {
        "one window by itself (ms)": round(float(np.median(one)), 1),
        "a window among many (ms)": round(together, 2),
    }


def _ms(work: Any) -> float:
    work()
    started = time.process_time()
    work()
    return 1000 * (time.process_time() - started)


if __name__ == "__main__":
    main()
