"""A model that becomes a person's, on data sets that it never saw: windows of some recordings calibrate, others test.

python -m benchmarks.bench_personal [--seeds 0 1 2] [--only hapt]; JSON on stdout, needs the recordings in HAR_DATA_DIR.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import f1_score

from app.har.classifiers.everyday.answer import ACTIVITIES
from app.har.personal.guard import guarded
from app.har.personal.head import Examples, PersonalHead, learn
from app.har.personal.prior import Prior
from app.har.types import FloatArray
from app.har.vocabulary import STAIRS, STAIRS_DOWN, STAIRS_UP
from benchmarks.bench_everyday import fit_without
from benchmarks.everyday_data import SOURCES
from benchmarks.personal_people import (
    NEW,
    RATES,
    Person,
    Softmax,
    first_of,
    nearest_centroid,
    of_data_set,
    people_of,
    space_of,
    split,
    training_rows,
)
from benchmarks.reference_models import with_unseen_people

TESTED = ("ku-har", "hapt", "motion-sense", "wisdm-watch")  # SP-SW-HAR has one activity whose windows last 3 s: walking
NUMBERS = (1, 2, 5, 10, 20)  # windows of each activity
USUAL = 5
UP_AND_DOWN = (STAIRS_UP, STAIRS_DOWN)
HARM = 0.01  # of macro F1
SAMPLES = 1000

Row = dict[str, float]
Names = NDArray[np.str_]


def named(activities: Sequence[str], proba: FloatArray) -> Names:
    return np.asarray(np.array(activities)[proba.argmax(axis=1)], np.str_)


def score(label: Names, answer: Names) -> float:
    """Return macro F1; up and down are stairs where the labels say no more."""
    if STAIRS in label:
        answer = np.where(np.isin(answer, UP_AND_DOWN), STAIRS, answer)
    return float(f1_score(label, answer, average="macro", labels=np.unique(label)))


def adjusted(
    head: PersonalHead | None, asked: Examples, activities: Sequence[str] = ACTIVITIES
) -> tuple[Sequence[str], FloatArray]:
    if head is None:
        return activities, asked.probabilities
    return head.activities, head.adjust(asked.probabilities, asked.features)


def measured(people: Sequence[Person], prior: Prior, softmax: Softmax, n: int) -> list[Row]:
    """Return the figures of each person after n windows of each activity."""
    rows = []
    for person in people:
        kept, label = person.first(n), person.tested.activity
        examples = person.examples.where(kept)
        head, report = guarded(prior, ACTIVITIES, examples)
        before = named(ACTIVITIES, person.tested.probabilities)
        activities, proba = adjusted(head, person.tested)
        rows.append(
            {
                "model": score(label, before),
                "personal": score(label, named(activities, proba)),
                "unguarded": score(label, named(*adjusted(learn(prior, ACTIVITIES, examples), person.tested))),
                "nearest centroid": score(label, nearest_centroid(person, kept)),
                **{f"softmax {rate}": score(label, softmax.tuned(person, kept, rate)) for rate in RATES},
                "kept": float(report.kept),
            }
        )
    return rows


def _gap(confidence: FloatArray, right: NDArray[np.float64], bins: int = 10) -> float:
    """Return the expected calibration error of answers."""
    number = np.minimum((confidence * bins).astype(int), bins - 1)
    weight = np.bincount(number, minlength=bins)
    gap = np.bincount(number, confidence - right, bins)
    return float(np.abs(gap).sum() / weight.sum())


def pooled_gap(people: Sequence[Person], prior: Prior, n: int) -> float:
    """Return the expected calibration error over the tested windows of all people."""
    confidence, right = [], []
    for person in people:
        head, _ = guarded(prior, ACTIVITIES, person.examples.where(person.first(n)))
        activities, proba = adjusted(head, person.tested)
        answer, label = named(activities, proba), person.tested.activity
        stairs = np.where(np.isin(answer, UP_AND_DOWN), STAIRS, answer)
        confidence.append(proba.max(axis=1))
        right.append((answer == label) | (stairs == label))
    return _gap(np.concatenate(confidence), np.concatenate(right).astype(np.float64))


def without_examples(people: Sequence[Person], prior: Prior) -> Row:
    """Return how an activity without examples fares when all others have some, and others when only one has."""
    rows = []
    for person in people:
        label, before = person.tested.activity, named(ACTIVITIES, person.tested.probabilities)
        for name in set(np.unique(label)) & set(ACTIVITIES):
            mine, kept = label == name, person.first(USUAL, without=name)
            only = person.first(USUAL) & ~kept
            if not (mine.any() and (~mine).any() and kept.any() and only.any()):
                continue
            others, one = (
                named(*adjusted(learn(prior, ACTIVITIES, person.examples.where(part)), person.tested))
                for part in (kept, only)
            )
            rows.append(
                {
                    "recall of the one without, before": float((before[mine] == name).mean()),
                    "recall of the one without, after": float((others[mine] == name).mean()),
                    "recall of the only one, before": float((before[mine] == name).mean()),
                    "recall of the only one, after": float((one[mine] == name).mean()),
                    "others right, before": float((before[~mine] == label[~mine]).mean()),
                    "others right, after": float((one[~mine] == label[~mine]).mean()),
                }
            )
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}


def inside(n: int) -> dict[str, dict[str, float | str]]:
    """Return the figures of the stored ELM-GRU-AMs, for the people whom they were tested on."""
    found = {}
    for name, model, windows in with_unseen_people():
        if model.prior is None:
            continue
        label, rows, gaps = np.array(windows.activities)[windows.y], [], []
        for subject in np.unique(windows.subjects):
            mine = np.flatnonzero(windows.subjects == subject)
            parts = [mine[part] for part in split(label[mine], windows.recordings[mine])]
            if len(np.unique(label[parts[0]])) < 2:
                continue
            seen = [model.recognise(windows.take(part)) for part in parts]
            examples, tested = (
                Examples(one.features, one.probabilities, label[part], windows.recordings[part])
                for one, part in zip(seen, parts, strict=True)
            )
            examples = examples.where(first_of(examples, n))
            head, report = guarded(model.prior, model.activities, examples)
            activities, proba = adjusted(head, tested, model.activities)
            whole = learn(model.prior, model.activities, examples)
            answer = named(activities, proba)
            rows.append(
                {
                    "model": score(tested.activity, named(model.activities, tested.probabilities)),
                    "personal": score(tested.activity, answer),
                    "unguarded": score(tested.activity, named(*adjusted(whole, tested))),
                    "kept": float(report.kept),
                }
            )
            gaps.append((proba.max(axis=1), (answer == tested.activity).astype(np.float64)))
        confidence, right = (np.concatenate(column) for column in zip(*gaps, strict=True))
        found[name] = {"people": len(rows), **summary([rows], [_gap(confidence, right)])}
    return found


def new_activity(people: Sequence[Person], prior: Prior) -> Row:
    """Return how a new activity is found after a minute of it, and what that costs the others."""
    rows = []
    for person in people:
        label = person.tested.activity
        if NEW not in label or NEW not in person.examples.activity:
            continue
        mine = label == NEW
        with_it = person.examples.where(person.first(20))
        with_, without = (
            named(*adjusted(learn(prior, ACTIVITIES, part), person.tested))
            for part in (with_it, with_it.where(with_it.activity != NEW))
        )
        rows.append(
            {
                "recall": float((with_[mine] == NEW).mean()),
                "precision": float((label[with_ == NEW] == NEW).mean()) if (with_ == NEW).any() else 0.0,
                "others' F1 without it": score(label[~mine], without[~mine]),
                "others' F1 with it": score(label[~mine], with_[~mine]),
            }
        )
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}


def interval(values: NDArray[np.float64]) -> str:
    """Return the 95 % interval of a mean, people drawn anew."""
    rng = np.random.default_rng(0)
    means = values[rng.integers(0, len(values), (SAMPLES, len(values)))].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return f"{low:.3f}–{high:.3f}"


def summary(seeds: Sequence[Sequence[Row]], gaps: Sequence[float]) -> dict[str, float | str]:
    """Return the figures of a data set, over seeds and people; the rows of each seed are of the same people."""
    of = {name: np.array([[row[name] for row in rows] for rows in seeds]) for name in seeds[0][0]}
    model, personal = of["model"].mean(), of["personal"].mean()
    tuned = [float(of[name].mean()) for name in of if name.startswith("softmax")]
    rivals = {"nearest centroid": float(of["nearest centroid"].mean()), "softmax tuned": max(tuned)} if tuned else {}
    return {
        "model": float(model),
        "personal": float(personal),
        "95 %": interval(of["personal"].mean(axis=0)),
        "gain, 95 %": interval((of["personal"] - of["model"]).mean(axis=0)),
        "error removed": float((personal - model) / (1 - model)),
        "unguarded": float(of["unguarded"].mean()),
        **rivals,
        "harmed": float((of["personal"] < of["model"] - HARM).mean()),
        "harmed unguarded": float((of["unguarded"] < of["model"] - HARM).mean()),
        "kept": float(of["kept"].mean()),
        "calibration error": float(np.mean(gaps)),
    }


def milliseconds(people: Sequence[Person], prior: Prior) -> Row:
    """Return what learning ten windows takes, with the guard, and adjusting an hour of windows."""
    person = max(people, key=lambda one: len(one.examples))
    ten, hour = person.examples.where(np.arange(len(person.examples)) < 10), np.arange(1200) % len(person.tested)
    head = learn(prior, ACTIVITIES, person.examples)
    asked = Examples(*(value[hour] for value in vars(person.tested).values()))
    return {
        "learn ten windows": _timed(lambda: learn(prior, ACTIVITIES, ten)),
        "learn all, guarded": _timed(lambda: guarded(prior, ACTIVITIES, person.examples)),
        "adjust an hour": _timed(lambda: head.adjust(asked.probabilities, asked.features)),
    }


def _timed(work: Callable[[], object], times: int = 15) -> float:
    found = []
    for _ in range(times):
        started = time.perf_counter()
        work()
        found.append(1000 * (time.perf_counter() - started))
    return float(np.median(found))


def measure(seeds: Sequence[int], only: Sequence[str]) -> dict[str, object]:
    """Return all figures."""
    found: dict[str, object] = {}
    others: dict[str, Row] = {}
    for name in only or TESTED:
        by_number: dict[int, tuple[list[list[Row]], list[float]]] = {n: ([], []) for n in NUMBERS}
        for seed in seeds:
            model = fit_without((name,), seed)
            prior = Prior(space_of(model).between.astype(np.float64))
            softmax = Softmax.learnt(*training_rows(model, [source for source in SOURCES if source != name]))
            track, label = of_data_set(model, name)
            known = np.flatnonzero(label != NEW)
            people = people_of(model, track.take(known), label[known])
            for n, (rows, gaps) in by_number.items():
                rows.append(measured(people, prior, softmax, n))
                gaps.append(pooled_gap(people, prior, n))
                print(name, seed, n, summary([rows[-1]], gaps[-1:]), file=sys.stderr, flush=True)
            if seed == seeds[0]:
                others[name] = without_examples(people, prior)
                if NEW in label:
                    with_new = new_activity(people_of(model, track, label), prior)
                    found["a new activity, kicking, after a minute of it (wisdm-watch)"] = with_new
                found["ms"] = milliseconds(people, prior)
        found[name] = {f"{n} windows": summary(*parts) for n, parts in by_number.items()}
    by_subject = {} if only else {f"inside the data set, new people, {n} windows": inside(n) for n in (1, USUAL, 20)}
    return {"seeds": ", ".join(map(str, seeds)), **found, **by_subject, "activities without examples": others}


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--only", nargs="+", choices=TESTED, default=[])
    options = parser.parse_args()
    print(json.dumps(measure(options.seeds, options.only), indent=1))


if __name__ == "__main__":
    main()
