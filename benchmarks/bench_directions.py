"""Stairs that go one way only: how often the everyday model names up or down, and whether that is true.

python -m benchmarks.bench_directions [--only hapt]; needs the recordings in HAR_DATA_DIR. The stairs of a wearing are
measured against their own median, which lies among those up where none goes down. Walks of a wearing, made long by
walking it again, are given its stairs up, its stairs down, or both; each data set is asked about by a model that saw
none of it. *Always by own stairs* is the rule of before: a long walk is believed to go both ways.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from app.har.classifiers.everyday.answer import probabilities
from app.har.classifiers.everyday.calibration import (
    Calibration,
    Line,
    known_walks,
    one_and_both_ways,
    together,
)
from app.har.classifiers.everyday.classifier import EverydayClassifier
from app.har.classifiers.everyday.evidence import gather
from app.har.classifiers.everyday.training import Training
from app.har.vocabulary import STAIRS_DOWN, STAIRS_UP, WALKING
from benchmarks.bench_everyday import TREE, fit_without, labelled_training

DATASETS = ("hapt", "ku-har", "motion-sense")  # that label up and down
LONG = 60  # windows, 3 min of walking
WAYS = (STAIRS_UP, STAIRS_DOWN)


def long_walks(training: Training) -> dict[str, list[Training]]:
    """Return walks of at least 3 min by the ways that their stairs go."""
    found: dict[str, list[Training]] = {"one way": [], "both ways": []}
    for walk in one_and_both_ways(training):
        walking, stairs = (np.flatnonzero(kind) for kind in (walk.node == WALKING, walk.stairs))
        again = np.resize(walking, max(LONG, len(walking)))
        both = len(set(walk.node[stairs].tolist())) == len(WAYS)
        found["both ways" if both else "one way"].append(walk.take(np.concatenate([again, stairs])))
    return found


def always_by_stairs(calibration: Calibration) -> Calibration:
    """Return a calibration that believes of all stairs that they go both ways."""
    certain = Line(0.0, 30.0)
    down, blind = (replace(d, both_ways=certain) for d in (calibration.down, calibration.down_without_gravity))
    return replace(calibration, down=down, down_without_gravity=blind)


def asked(model: EverydayClassifier, walk: Training, calibration: Calibration, known: bool) -> NDArray[np.bool_]:
    """Return of each window of stairs whether up or down was named, and whether that is true; (n, 2)."""
    reference = None
    if known:
        walk, reference = next(iter(known_walks(walk)), (walk, None))
    evidence = gather(walk.track, model.columns, model.questions_, reference)
    answer = np.array(TREE.nodes)[TREE.answers(probabilities(walk.track, evidence, calibration), model.answer_limit_)]
    both = np.stack([np.isin(answer, WAYS), answer == walk.node], axis=1)
    return np.asarray(both[walk.stairs])


def measure(name: str) -> dict[str, dict[str, float]]:
    """Return figures by the ways that stairs go, what is known, and the rule."""
    model = fit_without([name], seed=0)
    rules = {"": model.calibration_, ", always by own stairs": always_by_stairs(model.calibration_)}
    found = {}
    for ways, walks in long_walks(labelled_training(model, name)).items():
        for known in (False, True):
            for rule, calibration in rules.items():
                if known and rule:
                    continue
                named, true = np.concatenate([asked(model, together([walk]), calibration, known) for walk in walks]).T
                found[f"{ways}{', known walking' if known else ''}{rule}"] = {
                    "windows of stairs": float(len(named)),
                    "named truly": float((named & true).mean()),
                    "named falsely": float((named & ~true).mean()),
                }
    return found


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=DATASETS, default=list(DATASETS))
    found = {}
    for name in parser.parse_args().only:
        found[name] = measure(name)
        print(name, json.dumps(found[name], indent=1), file=sys.stderr, flush=True)
    print(json.dumps({f"{name}, {ways}": row for name, of in found.items() for ways, row in of.items()}, indent=1))


if __name__ == "__main__":
    main()
