"""Balanced against daily life: what the prior does to data sets left out, as recorded and in clips of one kind.

python -m benchmarks.bench_prior [--only hapt motion-sense]; JSON on stdout. Needs the recordings in HAR_DATA_DIR.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace

from app.har.classifiers.everyday.prior import DAILY_LIFE, as_in
from benchmarks.bench_everyday import GROUPS, fit_without, settings, table_row

SEED = 0
KEYS = ("windows", "coarse", "true", "calibration_error", "deep_activity", "deep_stairs", "deep_level", "deep_nothing")


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
                    found.setdefault(name, {}).setdefault(setting, {})[prior] = figures
                    print(name, setting, prior, figures, file=sys.stderr, flush=True)
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
