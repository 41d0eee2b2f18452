"""What explanations cost beside recognition, in processor time, by the reference model of KU-HAR; JSON on stdout.

python -m benchmarks.bench_explanations_speed
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import numpy as np

from app.har.explanations.explain import MOST_WINDOWS, Explainer
from benchmarks.reference_models import with_unseen_people

TIMES, BOUTS = 20, 100


def main() -> None:
    """Print the figures."""
    _, model, windows = next(with_unseen_people())
    explainer, one = Explainer(model), windows.take(slice(0, 1))
    random = np.random.default_rng(0)
    starts = random.integers(0, len(windows) - MOST_WINDOWS, BOUTS)
    bouts = [windows.take(slice(start, start + MOST_WINDOWS)) for start in starts]
    recognise = median_ms(lambda: model.recognise(one))
    explain = median_ms(lambda: explainer.explain(one))
    started = time.process_time()
    for bout in bouts:
        explainer.explain(bout)
    taken = time.process_time() - started
    figures = {
        "recognise one window, processor (ms)": round(recognise, 2),
        "explain one window, processor (ms)": round(explain, 2),
        "in times of its recognition": round(explain / recognise, 2),
        "bouts, of three windows each": BOUTS,
        "explain all bouts, processor (s)": round(taken, 2),
        "explain one bout, processor (ms)": round(1000 * taken / BOUTS, 1),
    }
    print(json.dumps(figures, indent=1))


def median_ms(work: Callable[[], object]) -> float:
    """Return the median time of a piece of work, after it was done once."""
    work()
    taken = []
    for _ in range(TIMES):
        started = time.process_time()
        work()
        taken.append(time.process_time() - started)
    return 1000 * float(np.median(taken))


if __name__ == "__main__":
    main()
