"""How well falls are recognised: SisFall by subject, people and devices never met, and hours of ordinary activities.

Every trial is replayed once as a stream of its own in batches of a second; what it has of impacts, and when it knew of
them, is judged by each method as `FallWatch` judges. Detectors are trained, and their limits chosen,
on the other nine tenths of the people alone. SisFall is the first trial of each activity (R01). The falls are staged,
by young adults but for one; the daily activities are many falls' look-alikes and little of a quiet day, so that false
alarms an hour here are no forecast for a home. Research software, not a medical device.

Falls of other data sets are looked for in ``HAR_FALLS_DIR``: ``weda`` (WEDA-FALL, a watch), ``mobifall`` (MobiFall 2, a
phone in a trouser pocket) and ``uma`` (UMAFall, 200 Hz at the pocket, 20 Hz at other places).
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.har.datasets.store import build_store, open_store
from app.har.falls import threshold, training
from app.har.falls.features import features
from app.har.falls.impacts import AT, RATE_HZ, Impact, Impacts
from app.har.falls.trained import TrainedFalls
from app.har.falls.training import FALLEN, NEVER, OTHER, Examples
from app.har.falls.watch import REFRACTORY_S
from app.har.types import FloatArray, TimeArray
from benchmarks.data import DATA, SETS
from benchmarks.falls_elsewhere import elsewhere

SISFALL = DATA / "sisfall" / "SisFall_dataset_R01.zip"
GROUPS, BATCH_S, DRAWS = 10, 1.0, 1000
QUIET = ("hapt", "motion-sense", "wisdm-watch", "oxford-walk", "sp-sw-har")  # with gravity, without falls


@dataclass(frozen=True)
class Samples:
    """Of one sensor, as `FallWatch` takes them."""

    time_s: TimeArray
    values: FloatArray


@dataclass(frozen=True)
class Trial:
    """One activity of one person, replayed."""

    person: str
    activity: str
    fall: bool
    hours: float
    impacts: list[Impact]
    delays_s: list[float]  # from each impact to the batch after which it was decided about


@dataclass(frozen=True)
class Outcome:
    """What a method told of one trial."""

    trial: Trial
    told: int
    delays_s: tuple[float, ...]


@dataclass(frozen=True)
class Plain:
    """The comparison: a Random Forest of scikit-learn on fifteen figures of the magnitude."""

    model: Any
    limit: float

    def score(self, impacts: list[Impact]) -> list[float]:
        return np.asarray(self.model.predict_proba(fifteen(impacts))[:, 1]).tolist()


def trials_of(path: Path) -> list[Trial]:
    """Return the bouts of one activity of a data set with acceleration and gravity."""
    with tempfile.TemporaryDirectory() as folder:
        build_store(path, Path(folder) / "store")
        signals = open_store(Path(folder) / "store").signals
        columns = [i for i, c in enumerate(signals.channels) if c.rpartition(".")[2].startswith("acc_")][:3]
        found = []
        for first, n, recording in zip(
            signals.first.tolist(), signals.length.tolist(), signals.recording.tolist(), strict=True
        ):
            labels = np.unique(signals.labels[first : first + n])
            name = signals.activities[int(labels[0])] if len(labels) == 1 and labels[0] >= 0 else "several"
            values = np.array(signals.signal[first : first + n, columns], np.float32)
            if np.isfinite(values).all():
                time_s = np.arange(n) / signals.sampling_rate_hz
                found.append(replayed(signals.subjects[recording], name, training.is_fall(name), time_s, values))
    return found


def replayed(person: str, activity: str, fall: bool, time_s: TimeArray, values: FloatArray) -> Trial:
    """Send samples to a stream in batches, as a device does."""
    stream, impacts, delays = Impacts(), [], []
    number = ((time_s - time_s[0]) // BATCH_S).astype(int)
    for batch in np.split(np.arange(len(number)), np.flatnonzero(np.diff(number)) + 1):
        for impact in stream.step(Samples(time_s[batch], values[batch])):
            impacts.append(impact)
            delays.append(float(time_s[batch].max()) - impact.time_s)
    last = stream.end()
    delays += [float(time_s.max()) - impact.time_s for impact in last]
    return Trial(person, activity, fall, float(time_s[-1] - time_s[0]) / 3600, impacts + last, delays)


def examples(trials: Sequence[Trial], figures: Callable[[list[Impact]], FloatArray]) -> Examples:
    """Return the impacts of trials by some figures; see `app.har.falls.training`."""
    rows, kinds, bouts = [], [], []
    for number, trial in enumerate(trials):
        impacts = trial.impacts
        kind = np.full(len(impacts), NEVER if trial.fall else OTHER)
        if trial.fall and impacts:
            kind[int(np.argmax([impact.peak_g for impact in impacts]))] = FALLEN
        rows.append(figures(impacts))
        kinds.append(kind)
        bouts.append(np.full(len(impacts), number))
    return Examples(
        np.concatenate(rows),
        np.concatenate(kinds),
        np.concatenate(bouts),
        np.array([trial.person for trial in trials]),
        np.array([trial.activity for trial in trials]),
        np.array([trial.fall for trial in trials]),
        np.array([trial.hours * 3600 for trial in trials]),
    )


def fifteen(impacts: list[Impact]) -> FloatArray:
    """Return mean, spread, maximum, minimum and range of the magnitude before, at and after a peak: (n, 15)."""
    parts = [slice(AT + int(a * RATE_HZ), AT + int(b * RATE_HZ)) for a, b in ((-2, -0.5), (-0.5, 0.5), (0.5, 2))]
    rows = []
    for impact in impacts:
        m = np.linalg.norm(impact.acceleration, axis=1)
        rows.append([f(m[part]) for part in parts for f in (np.mean, np.std, np.max, np.min, np.ptp)])
    return np.array(rows, np.float32).reshape(-1, 15)


def of_people(found: Examples, people: Iterable[str]) -> Examples:
    """Return the examples of some people."""
    bouts = np.isin(found.bout_person, list(people))
    rows = bouts[found.bout]
    number = np.cumsum(bouts) - 1
    return Examples(
        found.rows[rows],
        found.kind[rows],
        number[found.bout[rows]],
        found.bout_person[bouts],
        found.bout_activity[bouts],
        found.bout_fall[bouts],
        found.bout_s[bouts],
    )


def plain_forest(found: Examples, seed: int) -> Plain:
    """Train the comparison; its limit is chosen as ours is."""
    from sklearn.ensemble import RandomForestClassifier

    def fit(chosen: NDArray[np.bool_]) -> Any:
        rows = chosen & (found.kind != NEVER)
        return RandomForestClassifier(100, random_state=seed, n_jobs=-1).fit(found.rows[rows], found.kind[rows])

    order = np.random.default_rng(seed).permutation(np.unique(found.bout_person))
    person, scores = found.bout_person[found.bout], np.zeros(len(found.kind))
    for fold in range(training.FOLDS):
        test = np.isin(person, order[fold :: training.FOLDS])
        scores[test] = fit(~test).predict_proba(found.rows[test])[:, 1]
    model = fit(np.ones(len(person), bool)).set_params(n_jobs=1)  # threads for one row cost more than the answer
    return Plain(model, training.best_limit(found, scores))


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
    delays = [delay for outcome in outcomes if outcome.trial.fall for delay in outcome.delays_s]
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


def by_subject(trials: Sequence[Trial], seed: int, ours: Examples, plain: Examples) -> dict[str, list[Outcome]]:
    """Replay each tenth of the people to detectors trained on the others."""
    order = np.random.default_rng(seed).permutation(np.unique(ours.bout_person))
    outcomes: dict[str, list[Outcome]] = {"trained": [], "plain Random Forest": []}
    for group in range(GROUPS):
        test, others = order[group::GROUPS].tolist(), np.delete(order, np.s_[group::GROUPS]).tolist()
        detector = training.train(of_people(ours, others), {}, seed=seed)
        forest = plain_forest(of_people(plain, others), seed)
        tested = [trial for trial in trials if trial.person in test]
        outcomes["trained"] += judged(tested, detector.score, detector.limit)
        outcomes["plain Random Forest"] += judged(tested, forest.score, forest.limit)
        print(f"seed {seed} group {group}: limit {detector.limit:.2f}", file=sys.stderr, flush=True)
    return outcomes


def on_others(detector: TrainedFalls) -> dict[str, Any]:
    """Return the figures of data sets that neither method met: falls of other people and places, and ordinary hours."""
    sets = {name: [replayed(*each) for each in found] for name, found in elsewhere()}
    sets |= {name: trials_of(SETS[name][0]) for name in QUIET}
    result = {}
    for name, trials in sets.items():
        ours = judged(trials, detector.score, detector.limit)
        result[f"{name} · trained on SisFall"] = figures(ours, draws=200)
        result[f"{name} · threshold"] = figures(by_threshold(trials), draws=200)
    return result


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", nargs="*", default=["threshold", "0", "1", "2", "elsewhere"])
    parts = parser.parse_args().only
    trials = trials_of(SISFALL)
    ours, plain = examples(trials, features), examples(trials, fifteen)
    result: dict[str, Any] = {}
    if "threshold" in parts:
        result["threshold"] = by_age(by_threshold(trials))
    for seed in (int(part) for part in parts if part.isdecimal()):
        for method, outcomes in by_subject(trials, seed, ours, plain).items():
            result[f"{method}, seed {seed}"] = by_age(outcomes)
    if "elsewhere" in parts:
        result["data sets never met"] = on_others(training.train(ours, {"trained_on": "SisFall R01"}))
    print(json.dumps(result, ensure_ascii=False))


if __name__ == "__main__":
    main()
