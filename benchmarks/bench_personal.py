"""A model that becomes a person's, on data sets that it never saw: windows of some recordings calibrate, others test.

python -m benchmarks.bench_personal [--seeds 0 1 2] [--only hapt] [--kept FOLDER]; JSON on stdout, needs the recordings
in HAR_DATA_DIR. What takes an hour, the models' answers, is kept in FOLDER, and made anew where the code that makes it
has changed.

How much examples count (`Weighing`) was chosen on the same people. So there is a second table: each data set with the
weighing that is best on the others, chosen with the first seed.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from itertools import permutations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.har.classifiers.everyday.answer import ACTIVITIES
from app.har.personal.guard import guarded
from app.har.personal.head import WEIGHING, Examples, PersonalHead, Weighing, learn
from app.har.personal.prior import Prior
from app.har.types import FloatArray
from app.har.vocabulary import (
    DEFAULT_LIMIT,
    RUNNING,
    SITTING,
    STAIRS,
    STAIRS_DOWN,
    STAIRS_UP,
    WALKING,
    AnswerTree,
)
from benchmarks.personal_people import NEW, RATES, Person, first_of, nearest_centroid, split
from benchmarks.personal_prepared import Prepared, prepared
from benchmarks.reference_models import with_unseen_people

TESTED = ("ku-har", "hapt", "motion-sense", "wisdm-watch")  # SP-SW-HAR has one activity whose windows last 3 s: walking
NUMBERS = (1, 2, 5, 10, 20)  # windows of each activity
USUAL = 5
UP_AND_DOWN = (STAIRS_UP, STAIRS_DOWN)
HARM = 0.01  # of macro F1
STRETCH, SAID_WRONGLY = 3, (SITTING, WALKING, RUNNING)  # windows that somebody says something wrong of, and what
SAMPLES = 1000
CHOSEN_AT = (1, 5, 20)  # windows of each activity
COST = 0.2  # of macro F1: what everybody harmed costs, and a calibration error of 1
CANDIDATES = (
    WEIGHING,
    *(replace(WEIGHING, own=value) for value in (0.1, 0.2)),
    *(replace(WEIGHING, bouts=value) for value in (0.0, 0.05)),
    *(replace(WEIGHING, otherwise=value) for value in (0.01, 0.15)),
    *(replace(WEIGHING, margin=value) for value in (10.0, 30.0)),
    *(replace(WEIGHING, doubt=value) for value in (0.5, 1.0)),
    *(replace(WEIGHING, confirmed=value) for value in (0.0, 0.5, 1.5)),
    *(replace(WEIGHING, freedom=value) for value in (3.0, 15.0)),
    *(replace(WEIGHING, sharpness=value) for value in (1.0, 1.25, 2.0)),
    *(replace(WEIGHING, slip=value) for value in (0.01, 0.1)),
)

Row = dict[str, float]
Names = NDArray[np.str_]


def named(activities: Sequence[str], proba: FloatArray) -> Names:
    return np.asarray(np.array(activities)[proba.argmax(axis=1)], np.str_)


def score(label: Names, answer: Names) -> float:
    """Return macro F1; up and down are stairs where the labels say no more."""
    if STAIRS in label:
        answer = np.where(np.isin(answer, UP_AND_DOWN), STAIRS, answer)
    of = [(label == name, answer == name) for name in np.unique(label)]
    return float(np.mean([2 * (true & found).sum() / (true.sum() + found.sum()) for true, found in of]))


def adjusted(
    head: PersonalHead | None, asked: Examples, activities: Sequence[str] = ACTIVITIES
) -> tuple[Sequence[str], FloatArray]:
    if head is None:
        return activities, asked.probabilities
    return head.activities, head.adjust(asked.probabilities, asked.features)


def measured(data: Prepared, n: int) -> list[Row]:
    """Return the figures of each person after n windows of each activity."""
    rows, prior = [], data.prior
    for person in data.people:
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
                **{f"softmax {rate}": score(label, data.softmax.tuned(person, kept, rate)) for rate in RATES},
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


def personal(data: Prepared, n: int, weighing: Weighing = WEIGHING) -> tuple[list[Row], float]:
    """Return of each person what the model and their own reach, and the calibration error over all tested windows."""
    rows, confidence, right = [], [], []
    for person in data.people:
        head, report = guarded(data.prior, ACTIVITIES, person.examples.where(person.first(n)), weighing)
        activities, proba = adjusted(head, person.tested)
        answer, label = named(activities, proba), person.tested.activity
        stairs = np.where(np.isin(answer, UP_AND_DOWN), STAIRS, answer)
        before = score(label, named(ACTIVITIES, person.tested.probabilities))
        rows.append({"model": before, "personal": score(label, answer), "kept": float(report.kept)})
        confidence.append(proba.max(axis=1))
        right.append((answer == label) | (stairs == label))
    return rows, _gap(np.concatenate(confidence), np.concatenate(right).astype(np.float64))


def worth(data: Prepared, weighing: Weighing) -> float:
    """Return how good a weighing is on people of a data set."""
    found = []
    for n in CHOSEN_AT:
        rows, gap = personal(data, n, weighing)
        before, after = (np.array([row[key] for row in rows]) for key in ("model", "personal"))
        found.append(after.mean() - COST * (after < before - HARM).mean() - COST * gap)
    return float(np.mean(found))


def chosen_elsewhere(of: Mapping[str, Sequence[Prepared]]) -> dict[str, dict[str, float | str]]:
    """Return the figures of each data set with the weighing that is best on the others.

    Parameters
    ----------
    of : by data set, one a seed; the first chooses.
    """
    worths = {name: [worth(datas[0], weighing) for weighing in CANDIDATES] for name, datas in of.items()}
    found = {}
    for name, datas in of.items():
        others = np.mean([worths[other] for other in of if other != name], axis=0)
        weighing = CANDIDATES[int(others.argmax())]
        differs = {key: value for key, value in asdict(weighing).items() if value != getattr(WEIGHING, key)}
        chosen = ", ".join(f"{key} {value:g}" for key, value in differs.items()) or "as it is"
        for n in CHOSEN_AT:
            seeds, gaps = zip(*(personal(data, n, weighing) for data in datas), strict=True)
            found[f"{name}, {n} windows"] = {"weighing": chosen, **summary(seeds, gaps)}
    return found


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


def one_slip(people: Sequence[Person], prior: Prior) -> Row:
    """Return what becomes of answers that were sure and right where somebody says one wrong thing of one stretch.

    Of each activity of a person, a bout of up to three windows is said to be each of some others, or a new one.
    """
    rows = []
    for person, name in ((one, name) for one in people for name in np.unique(one.examples.activity)):
        if name not in ACTIVITIES:
            continue
        sure = person.tested.activity == name
        sure &= person.tested.probabilities[:, ACTIVITIES.index(name)] >= DEFAULT_LIMIT
        bout = person.examples.where(person.examples.activity == name)
        bout = bout.where(np.arange(len(bout)) < min(STRETCH, np.count_nonzero(bout.bouts() == 0)))
        asked = person.tested.where(sure)
        for wrong in (*SAID_WRONGLY, NEW):
            if wrong != name and sure.any():
                said = replace(bout, activity=np.full(len(bout), wrong))
                activities, proba = adjusted(guarded(prior, ACTIVITIES, said)[0], asked)
                tree = AnswerTree(tuple(activities))
                answer = np.array(tree.nodes)[tree.answers(proba, DEFAULT_LIMIT)]
                rows.append({"still answered rightly": (answer == name).mean(), "renamed": (answer == wrong).mean()})
    return {key: float(np.mean([row[key] for row in rows])) for key in rows[0]}


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
                Examples(
                    one.features,
                    one.probabilities,
                    label[part],
                    windows.recordings[part],
                    np.zeros(len(part), np.int64),
                )
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
        **({"unguarded": float(of["unguarded"].mean())} if "unguarded" in of else {}),
        **rivals,
        "harmed": float((of["personal"] < of["model"] - HARM).mean()),
        **({"harmed unguarded": float((of["unguarded"] < of["model"] - HARM).mean())} if "unguarded" in of else {}),
        "kept": float(of["kept"].mean()),
        "calibration error": float(np.mean(gaps)),
    }


def harmed_by_chance(seeds: Sequence[Sequence[Row]]) -> float:
    """Return how many people lose when the model is drawn anew with another seed; that is no head's fault."""
    model = np.array([[row["model"] for row in rows] for rows in seeds])
    return float(np.mean([(b < a - HARM).mean() for a, b in permutations(model, 2)]))


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


def measure(seeds: Sequence[int], only: Sequence[str], kept: Path | None) -> dict[str, object]:
    """Return all figures."""
    found: dict[str, object] = {}
    others: dict[str, Row] = {}
    slips: dict[str, Row] = {}
    by_chance: dict[str, float] = {}
    of: dict[str, list[Prepared]] = {}
    for name in only or TESTED:
        by_number: dict[int, tuple[list[list[Row]], list[float]]] = {n: ([], []) for n in NUMBERS}
        for seed in seeds:
            data = prepared(name, seed, kept)
            of.setdefault(name, []).append(data)
            for n, (rows, gaps) in by_number.items():
                rows.append(measured(data, n))
                gaps.append(personal(data, n)[1])
                print(name, seed, n, summary([rows[-1]], gaps[-1:]), file=sys.stderr, flush=True)
        first = of[name][0]
        others[name] = without_examples(first.people, first.prior)
        slips[name] = one_slip(first.people, first.prior)
        if first.with_new:
            with_new = new_activity(first.with_new, first.prior)
            found["a new activity, kicking, after a minute of it (wisdm-watch)"] = with_new
        found["ms"] = milliseconds(first.people, first.prior)
        found[name] = {f"{n} windows": summary(*parts) for n, parts in by_number.items()}
        if len(seeds) > 1:
            by_chance[name] = harmed_by_chance(by_number[USUAL][0])
    if len(of) > 1:
        found["weighed as is best on the other data sets"] = chosen_elsewhere(of)
    by_subject = {} if only else {f"inside the data set, new people, {n} windows": inside(n) for n in (1, USUAL, 20)}
    found |= {"harmed where the model alone is drawn anew": by_chance} if by_chance else {}
    return {
        "seeds": ", ".join(map(str, seeds)),
        **found,
        **by_subject,
        "activities without examples": others,
        "one wrong stretch of 3 windows": slips,
    }


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--only", nargs="+", choices=TESTED, default=[])
    parser.add_argument("--kept", type=Path, help="folder in which the models' answers are kept")
    options = parser.parse_args()
    print(json.dumps(measure(options.seeds, options.only, options.kept), indent=1))


if __name__ == "__main__":
    main()
