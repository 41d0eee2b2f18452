"""How well falls are recognised: SisFall by subject, people and devices never met, and hours of ordinary activities.

Every trial is replayed once as a stream of its own in batches of a second; what it has of impacts, and when it knew of
them, is judged by each method as `FallWatch` judges. Detectors are trained, and their limits chosen,
on the other nine tenths of the people alone. SisFall is the first trial of each activity (R01). The falls are staged,
by young adults but for one; the daily activities are many falls' look-alikes and little of a quiet day, so that false
alarms an hour here are no forecast for a home. Research software, not a medical device.

`reference-falls`, which comes with the program, never met SisFall, WEDA-FALL, MobiFall and HAPT; of UMAFall, people
were left out, and of ordinary activities, the whole data set. Falls of other data sets are looked for in
``HAR_FALLS_DIR``, see `benchmarks.falls_elsewhere`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.har.falls import training
from app.har.falls.features import features
from app.har.falls.impacts import AT, RATE_HZ, Impact
from app.har.falls.trained import load
from app.har.falls.training import NEVER, Examples
from app.har.types import FloatArray
from app.services.falls import MEASURED
from benchmarks import falls_reference
from benchmarks.falls_elsewhere import elsewhere
from benchmarks.falls_figures import Outcome, by_age, by_threshold, figures, judged
from benchmarks.falls_reference import SISFALL
from benchmarks.falls_trials import Trial, examples, of_people, recorded, trials

GROUPS = 10
PLAIN, ALONE = "plain Random Forest", "trained, without a second opinion"


@dataclass(frozen=True)
class Plain:
    """The comparison: a Random Forest of scikit-learn on fifteen figures of the magnitude."""

    model: Any
    limit: float

    def score(self, impacts: list[Impact]) -> list[float]:
        return [float(score) for score in self.model.predict_proba(fifteen(impacts))[:, 1]]


def fifteen(impacts: list[Impact]) -> FloatArray:
    """Return mean, spread, maximum, minimum and range of the magnitude before, at and after a peak: (n, 15)."""
    parts = [slice(AT + int(a * RATE_HZ), AT + int(b * RATE_HZ)) for a, b in ((-2, -0.5), (-0.5, 0.5), (0.5, 2))]
    rows = []
    for impact in impacts:
        m = np.linalg.norm(impact.acceleration, axis=1)
        rows.append([f(m[part]) for part in parts for f in (np.mean, np.std, np.max, np.min, np.ptp)])
    return np.array(rows, np.float32).reshape(-1, 15)


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


def by_subject(trials: Sequence[Trial], seed: int, ours: Examples, plain: Examples) -> dict[str, list[Outcome]]:
    """Replay each tenth of the people to detectors trained on the others, `reference-falls` beside them or not."""
    order = np.random.default_rng(seed).permutation(np.unique(ours.bout_person))
    second = load(falls_reference.TARGET)
    outcomes: dict[str, list[Outcome]] = {"trained": [], PLAIN: []}
    if seed == 0:
        outcomes[ALONE] = []
    for group in range(GROUPS):
        test, others = order[group::GROUPS].tolist(), np.delete(order, np.s_[group::GROUPS]).tolist()
        tested = [trial for trial in trials if trial.person in test]
        detector = training.train(of_people(ours, others), {}, second=second, seed=seed)
        outcomes["trained"] += judged(tested, detector.score, detector.limit)
        print(f"seed {seed} group {group}: limit {detector.limit:.2f}", file=sys.stderr, flush=True)
        if ALONE in outcomes:
            alone = training.train(of_people(ours, others), {}, seed=seed)
            outcomes[ALONE] += judged(tested, alone.score, alone.limit)
        forest = plain_forest(of_people(plain, others), seed)
        outcomes[PLAIN] += judged(tested, forest.score, forest.limit)
    return outcomes


def on_others(ours: Examples) -> dict[str, Any]:
    """Return the figures of data sets that no method met but for `reference-falls`, as the text at the top says."""
    facts = {"trained_on": "SisFall R01"}
    detectors = {
        "trained on SisFall": training.train(ours, facts, second=load(falls_reference.TARGET)),
        "trained on SisFall, without a second opinion": training.train(ours, facts),
    }
    result = {}
    for name, tested in falls_reference.sets_to_measure():
        for method, detector in detectors.items():
            if not name.startswith("sisfall"):
                result[f"{name} · {method}"] = figures(judged(tested, detector.score, detector.limit), draws=200)
        result[f"{name} · threshold"] = figures(by_threshold(tested), draws=200)
    return result


def keep_threshold(by_age: dict[str, Any], others: dict[str, Any]) -> None:
    """Keep what the page of alarms says of the threshold method."""
    rows = {f"sisfall, {part}": by_age[part] for part in ("adults", "elderly")}
    rows |= {name: others[f"{name} · threshold"] for name, _ in elsewhere()}
    text = json.dumps({name: rows[name] for name in MEASURED}, ensure_ascii=False, indent=1)
    (falls_reference.TARGET.parent / "threshold.json").write_text(text + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", nargs="*", default=["threshold", "reference", "0", "1", "2", "elsewhere"])
    parts = parser.parse_args().only
    replayed = trials(recorded(SISFALL))
    ours, plain = examples(replayed, features), examples(replayed, fifteen)
    result: dict[str, Any] = {}
    if "threshold" in parts:
        result["threshold"] = by_age(by_threshold(replayed))
    if "reference" in parts:
        built = (falls_reference.TARGET / falls_reference.MEASURED).read_text(encoding="utf-8")
        result["reference-falls, as measured when it was built"] = json.loads(built)
    for seed in (int(part) for part in parts if part.isdecimal()):
        for method, outcomes in by_subject(replayed, seed, ours, plain).items():
            result[f"{method}, seed {seed}"] = by_age(outcomes)
    if "elsewhere" in parts:
        result["other methods on the same"] = on_others(ours)
    if {"threshold", "elsewhere"} <= set(parts):
        keep_threshold(result["threshold"], result["other methods on the same"])
    print(json.dumps(result, ensure_ascii=False))


if __name__ == "__main__":
    main()
