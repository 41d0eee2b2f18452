"""What explanations cost beside recognition, by the reference model of KU-HAR and the everyday model; JSON on stdout.

Processor time, but for what is by the clock: several cores explain bouts together, so that this needs a quiet machine.
The everyday model explains bouts of people of HAPT, whose windows it has answered already, as the page of a recording
asks it.

python -m benchmarks.bench_explanations_speed; needs the recordings in HAR_DATA_DIR.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from app.har.classifiers.everyday.persistence import load_model
from app.har.explanations.everyday import Answered
from app.har.explanations.explain import MOST_WINDOWS, Explainer
from app.har.windows import WindowSet
from benchmarks.bench_explanations_everyday import NAME
from benchmarks.everyday_data import windows_in_time
from benchmarks.reference_models import with_unseen_people
from config import ROOT

TIMES, BOUTS, ROUNDS = 40, 100, 3
PEOPLE = 4  # of HAPT
LONGER, LONGER_BOUTS = 9, 60


def main() -> None:
    """Print the figures."""
    _, model, windows = next(with_unseen_people())
    explainer, one = Explainer(model), windows.take(slice(0, 1))
    random = np.random.default_rng(0)
    starts = random.integers(0, len(windows) - MOST_WINDOWS, BOUTS)
    bouts = [windows.take(slice(start, start + MOST_WINDOWS)) for start in starts]
    recognise, explain = medians_ms([lambda: model.recognise(one), lambda: explainer.explain(one)])
    alone = seconds(lambda: [explainer.explain(bout) for bout in bouts])
    together = seconds(lambda: explainer.explain_each(bouts))
    by_the_clock = seconds(lambda: explainer.explain_each(bouts), time.perf_counter)
    same = agreement(explainer, windows, random)
    of_questions = everyday_bouts(random)
    figures = {
        "recognise one window, processor (ms)": round(recognise, 2),
        "explain one window, processor (ms)": round(explain, 2),
        "in times of its recognition": round(explain / recognise, 2),
        "bouts, of three windows each": BOUTS,
        "explain all bouts one by one, processor (s)": round(alone, 2),
        "explain all bouts together, processor (s)": round(together, 2),
        "explain all bouts together, by the clock (s)": round(by_the_clock, 2),
        "explain one bout by itself, processor (ms)": round(1000 * alone / BOUTS, 1),
        "bouts in which one window names the same sensor and pace as three": round(same, 2),
        "the everyday model: all bouts together, processor (s)": round(of_questions, 2),
    }
    print(json.dumps(figures, indent=1))


def agreement(explainer: Explainer, windows: WindowSet, random: np.random.Generator) -> float:
    """Return in which share of longer bouts the middle window alone hangs on the same sensor and pace as three do."""
    bouts: list[WindowSet] = []
    while len(bouts) < LONGER_BOUTS:
        start = int(random.integers(0, len(windows) - LONGER))
        bout = windows.take(slice(start, start + LONGER))
        if len(np.unique(bout.y)) == len(np.unique(bout.subjects)) == 1:
            bouts.append(bout)
    three = explainer.explain_each(bouts)
    one = explainer.explain_each([bout.take(slice(LONGER // 2, LONGER // 2 + 1)) for bout in bouts])
    return float(np.mean([_best(a) == _best(b) for a, b in zip(three, one, strict=True)]))


def _best(said: dict[str, Any]) -> str:
    return str(max(said["bands"], key=lambda band: float(band["value"]))["words"])


def everyday_bouts(random: np.random.Generator) -> float:
    """Return how long the everyday model takes to explain as many bouts, see `seconds`."""
    model = load_model(ROOT / "reference_models" / NAME)
    windows = windows_in_time("hapt")
    windows = windows.take(np.isin(windows.subjects, np.unique(windows.subjects)[:PEOPLE]))
    answered = Answered.of(model, [windows])
    starts = random.integers(0, len(windows) - MOST_WINDOWS, BOUTS)
    bouts = [np.arange(start, start + MOST_WINDOWS) for start in starts.tolist()]
    around = windows.take(answered.around(np.concatenate(bouts)))
    return seconds(lambda: answered.explain_each(bouts, around, model.answer_limit_))


def seconds(work: Callable[[], object], clock: Callable[[], float] = time.process_time) -> float:
    """Return the least time, the processor's unless said otherwise, that a piece of work took of `ROUNDS` times."""
    taken = []
    for _ in range(ROUNDS):
        started = clock()
        work()
        taken.append(clock() - started)
    return min(taken)


def medians_ms(works: Sequence[Callable[[], object]]) -> list[float]:
    """Return the median time of some pieces of work, done in turn, after each was done once."""
    taken: list[list[float]] = [[] for _ in works]
    for turn in range(TIMES + 1):
        for own, work in zip(taken, works, strict=True):
            started = time.process_time()
            work()
            if turn:
                own.append(time.process_time() - started)
    return [1000 * float(np.median(own)) for own in taken]


if __name__ == "__main__":
    main()
