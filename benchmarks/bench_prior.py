"""Balanced against daily life: what the prior does to data sets left out, as recorded and in clips of one kind.

``true_in_daily_life`` and ``activity_in_daily_life`` count windows as often as their activity is met in daily life.

python -m benchmarks.bench_prior [--only hapt motion-sense]; JSON on stdout. Needs the recordings in HAR_DATA_DIR.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace

import numpy as np

from app.har.classifiers.everyday.answer import ACTIVITIES
from app.har.classifiers.everyday.prior import DAILY_LIFE, as_in
from app.har.vocabulary import path_of
from benchmarks.bench_everyday import GROUPS, TREE, Answers, fit_without, settings, table_row, true_answers

SEED = 0
KEYS = ("windows", "coarse", "true", "calibration_error", "deep_activity", "deep_stairs", "deep_level", "deep_nothing")


def weighted(given: Answers, limit: float) -> dict[str, float]:
    """Return how true and how deep answers are where activities are met as in daily life."""
    counted = {label: next((n for n in path_of(label) if n in DAILY_LIFE), "") for label in set(given.label) - {""}}
    node = np.array([counted.get(label, "") for label in given.label])
    true, said = true_answers(given, limit)
    activity = TREE.answers(given.proba, limit) < len(ACTIVITIES)
    shares = [(DAILY_LIFE[name], node == name) for name in DAILY_LIFE if (node == name).any()]
    whole = sum(share for share, _ in shares)
    right = sum(share * (true & said)[rows].mean() for share, rows in shares)
    answered = sum(share * said[rows].mean() for share, rows in shares)
    deep = sum(share * activity[rows].mean() for share, rows in shares)
    return {
        "true_in_daily_life": round(float(right / answered), 4),
        "activity_in_daily_life": round(float(deep / whole), 4),
    }


def main() -> None:
    """Print the figures: data set → setting → prior → figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=GROUPS, default=list(GROUPS))
    found: dict[str, dict[str, dict[str, dict[str, float]]]] = {}
    for group in parser.parse_args().only:
        model = fit_without(GROUPS[group], SEED)
        for name in GROUPS[group]:
            for setting, given in settings(model, name, SEED):
                daily = replace(given, proba=as_in(DAILY_LIFE, given.proba))
                for prior, answers in (("balanced", given), ("daily life", daily)):
                    row = table_row(answers, model.answer_limit_)
                    figures = {key: round(float(row[key]), 4) for key in KEYS}
                    figures |= weighted(answers, model.answer_limit_)
                    found.setdefault(name, {}).setdefault(setting, {})[prior] = figures
                    print(name, setting, prior, figures, file=sys.stderr, flush=True)
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
