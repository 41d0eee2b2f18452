"""Figures of what watches for falls, by trials: sensitivity, specificity, false alarms an hour and a day, delay."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from app.har.falls import threshold
from app.har.falls.impacts import Impact
from app.har.falls.watch import REFRACTORY_S
from benchmarks.falls_trials import Trial

DRAWS = 1000


@dataclass(frozen=True)
class Outcome:
    """What a method told of one trial."""

    trial: Trial
    told: int
    delays_s: tuple[float, ...]


def judged(trials: Sequence[Trial], score: Callable[[list[Impact]], Sequence[float]], limit: float) -> list[Outcome]:
    """Return what a method tells of each trial: impacts from a limit on, those soon after another left out."""
    scores = iter(score([impact for trial in trials for impact in trial.impacts]))
    outcomes = []
    for trial in trials:
        told, last_s = [], -np.inf
        for impact, delay_s in zip(trial.impacts, trial.delays_s, strict=True):
            if next(scores) >= limit and abs(impact.time_s - last_s) >= REFRACTORY_S:
                told.append(delay_s)
                last_s = impact.time_s
        outcomes.append(Outcome(trial, len(told), tuple(told)))
    return outcomes


def by_threshold(trials: Sequence[Trial]) -> list[Outcome]:
    """Return what the threshold method tells."""
    return judged(trials, lambda impacts: [threshold.score(impact) for impact in impacts], threshold.LIMIT)


def figures(outcomes: Sequence[Outcome], draws: int = DRAWS) -> dict[str, Any]:
    """Return the figures with 95 % intervals by bootstrap over people, and where the errors are."""
    people = sorted({outcome.trial.person for outcome in outcomes})
    sums = np.zeros((len(people), 6))  # falls, told, others, quiet, alarms, hours
    for outcome in outcomes:
        trial, row = outcome.trial, sums[people.index(outcome.trial.person)]
        if trial.fall:
            row[:2] += 1, outcome.told > 0
        else:
            row[2:] += 1, outcome.told == 0, outcome.told, trial.hours
    drawn = sums[np.random.default_rng(0).integers(len(people), size=(draws, len(people)))].sum(axis=1)

    def share(a: int, b: int) -> str:
        if not sums[:, b].sum():
            return "–"
        with np.errstate(invalid="ignore", divide="ignore"):
            low, high = np.nanpercentile(drawn[:, a] / drawn[:, b], [2.5, 97.5])
        return f"{sums[:, a].sum() / sums[:, b].sum():.4f} ({low:.3f}–{high:.3f})"

    hours = sums[:, 5].sum()
    told = [delay for outcome in outcomes if outcome.trial.fall for delay in outcome.delays_s]
    delays = [delay for delay in told if not np.isnan(delay)]
    missed = Counter(o.trial.activity for o in outcomes if o.trial.fall and not o.told)
    false = Counter(o.trial.activity for o in outcomes if not o.trial.fall and o.told)
    return {
        "people": len(people),
        "falls": int(sums[:, 0].sum()),
        "sensitivity": share(1, 0),
        "specificity": share(3, 2),
        "false alarms an hour": share(4, 5),
        "false alarms a day": round(24 * float(sums[:, 4].sum() / hours), 1) if hours else None,
        "hours": round(float(hours), 2),
        "delay s, median": round(float(np.median(delays)), 2) if delays else None,
        "delay s, longest": round(max(delays), 2) if delays else None,
        "missed": _counted(missed),
        "false alarms in": _counted(false),
    }


def _counted(errors: Counter[str]) -> str:
    return "; ".join(f"{activity} {count}" for activity, count in errors.most_common(5)) or "none"


def by_age(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Return the figures of all, of adults and of the elderly, as SisFall names its people."""
    parts = {
        "all": outcomes,
        "adults": [o for o in outcomes if o.trial.person.startswith("SA")],
        "elderly": [o for o in outcomes if o.trial.person.startswith("SE")],
    }
    return {name: figures(part) for name, part in parts.items() if part}
