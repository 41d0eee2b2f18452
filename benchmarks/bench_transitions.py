"""HAPT with its six postural transitions: windows of 12 activities, events and change points; JSON on stdout.

python -m benchmarks.bench_transitions [--sets hapt sp-sw-har] [--splits official 0 1 2 3 4] [--models finder untaught
elm-gru-am both minirocket] --keep FOLDER; needs the recordings in HAR_DATA_DIR. What was answered is kept in FOLDER, so
that MiniRocket can be run from an environment of its own (requirements.txt). ``official`` is HAPT's own split, 0 to 4
are folds by subject of all people; what was chosen was chosen on the people whom the official split trains on. The
other models are run on the official split alone, which takes a quarter of an hour of one core.

``untaught`` is the finder without the labels of transitions: what it says of the long activities is what teaching it
transitions is measured against. ``elm-gru-am`` is the model that the finder stands beside, by its windows alone;
``both`` is its answer unless a found transition fills most of the window.

``windows``: 2.56 s, each half over the next, whole inside one label, as HAPT's own features are cut; the finder's
answer is the activity that fills most of the window. It looks at the whole recording, MiniRocket at the window alone.
``events``: recordings as they are, cut through labels, where somebody labelled them; see `benchmarks.event_scores`.
MiniRocket answers a window each 0.64 s there, for what is at its middle.

``change points``: true is each moment at which one label follows another at once (before unlabelled time nobody knows
it). Found is each moment at which the answer changes in labelled time, unless unlabelled time is within a second: there
a label ends, and nobody said what follows. One to one, the nearest first, they agree within 1 s. ``named`` is the share
of true ones found between the very same activities. ``strict F1`` counts as false besides what is found within a second
of unlabelled time; a model that never tells stairs from walking is better by it.

``transitions``: detected is a true one of which a found one of its name begins within 1 s; inserted is a found one in
labelled time that meets no true one of its name.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.har.classifiers.transitions.finder import Course, fit_finder, learn
from app.har.datasets.store import build_store, open_store
from app.har.evaluation.splits import fold_windows
from app.har.recordings.formats.hapt import OFFICIAL_TEST_SUBJECTS
from app.har.signals.types import UNLABELLED, SignalSet
from app.har.vocabulary import normalised, stands_up, transition_ends
from app.har.windows import WindowSet, make_windows
from benchmarks.data import SETS
from benchmarks.event_scores import STEP_S, Truth, event_scores

LENGTH_S, OVERLAP, DENSE_OVERLAP = 2.56, 0.5, 0.75
WITHIN_S = 1.0
FOLDS = 5
MODELS = ("finder", "untaught", "elm-gru-am", "both", "minirocket")
IN_FOLDS, WITH_COURSES = ("finder",), ("finder", "minirocket")
WHOLE_WINDOWS = ("hapt",)  # sets whose transitions last for longer than a window


def tested_subjects(windows: WindowSet, split: str) -> NDArray[np.str_]:
    """Return who is tested: HAPT's own people, or those of a fold."""
    if split == "official":
        return np.array(OFFICIAL_TEST_SUBJECTS)
    return np.unique(windows.subjects[fold_windows(windows, "subject", FOLDS, 0)[int(split)].test])


def of_subjects(signals: SignalSet, subjects: NDArray[np.str_]) -> list[str]:
    """Return the recordings of some people."""
    return [name for name, who in zip(signals.recording_ids, signals.subjects, strict=True) if who in subjects]


def course_of(model: str, signals: SignalSet, windows: WindowSet, tested: list[str]) -> tuple[Course, Any]:
    """Return a model's course of all recordings, fitted on those that are not tested, and its answers of test windows.

    The finder has none of its own: None.
    """
    learnt = ~np.isin(signals.recording_ids, tested)
    if model == "finder":
        finder = fit_finder(signals, np.array(signals.recording_ids)[learnt].tolist())
        assert finder is not None
        return finder.course(signals), None
    if model == "untaught":
        short = np.flatnonzero(is_short(signals.activities))
        labels = np.where(np.isin(signals.labels, short), UNLABELLED, signals.labels).astype(signals.labels.dtype)
        finder = learn(replace(signals, labels=labels), learnt)
        assert finder is not None
        return finder.course(signals), None
    test = np.isin(windows.recordings, tested)
    if model == "elm-gru-am":
        from app.har.classifiers.elm_gru_am.classifier import ActivityClassifier

        network = ActivityClassifier().fit(windows.take(~test))
        nothing, never = np.zeros(0, np.int64), np.zeros(0)
        return Course(nothing, never, never, nothing), network.predict_proba(windows.take(test)).argmax(axis=1)
    from benchmarks.aeon_models import MiniRocket

    rival = MiniRocket().fit(windows.take(~test))
    dense = make_windows(signals, LENGTH_S, DENSE_OVERLAP, by_label=False)
    dense = dense.take(np.isin(dense.recordings, tested))
    answer = rival.predict_proba(dense).argmax(axis=1)
    place = {name: i for i, name in enumerate(signals.recording_ids)}
    owner = np.array([place[name] for name in dense.recordings.tolist()], np.int64)
    half = LENGTH_S * (1 - DENSE_OVERLAP) / 2
    middle = dense.start_s + LENGTH_S / 2
    last = np.append(owner[1:] != owner[:-1], True)
    first = np.append(True, last[:-1])
    course = Course(
        owner, np.where(first, dense.start_s, middle - half), np.where(last, middle + LENGTH_S, middle + half), answer
    )
    return course, rival.predict_proba(windows.take(test)).argmax(axis=1)


def is_short(activities: tuple[str, ...]) -> NDArray[np.bool_]:
    """Say which activities are transitions by their names."""
    return np.array([transition_ends(name) is not None for name in activities])


def at(course: Course, recording: int, moments: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the activity at moments of a recording."""
    own = np.flatnonzero(course.recording == recording)
    place = np.searchsorted(course.start_s[own], moments, side="right") - 1
    return np.asarray(course.activity[own][np.clip(place, 0, None)], np.int64)


def of_windows(course: Course, signals: SignalSet, windows: WindowSet) -> NDArray[np.int64]:
    """Return the activity that fills most of each window."""
    answers = np.zeros(len(windows), np.int64)
    length_s = windows.X.shape[1] / signals.sampling_rate_hz
    for i, name in enumerate(signals.recording_ids):
        rows = np.flatnonzero(windows.recordings == name)
        moments = windows.start_s[rows, None] + np.arange(STEP_S / 2, length_s, STEP_S)
        inside = at(course, i, moments.ravel()).reshape(moments.shape)
        answers[rows] = [np.bincount(row).argmax() for row in inside] if len(rows) else []
    return answers


def f1_of(true: NDArray[np.int64], found: NDArray[np.int64], activities: tuple[str, ...]) -> dict[str, Any]:
    """Return macro F1 of all, of long activities and of transitions, and accuracy."""
    hits = np.array([((true == i) & (found == i)).sum() for i in range(len(activities))])
    both = np.bincount(true, minlength=len(activities)) + np.bincount(found, minlength=len(activities))
    f1 = 2 * hits / np.maximum(both, 1)
    short = is_short(activities)
    long = ~short[true]
    return {
        "macro F1": round(float(f1.mean()), 4),
        "of the six activities": round(float(f1[~short].mean()), 4),
        "of the six transitions": round(float(f1[short].mean()), 4),
        "accuracy": round(float((true == found).mean()), 4),
        "accuracy of the six activities": round(float((true == found)[long].mean()), 4),
    }


def pairs(true: NDArray[np.float64], found: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Match moments one to one within a second, the nearest first."""
    apart = np.abs(true[:, None] - found)
    kept: list[tuple[int, int]] = []
    for flat in np.argsort(apart, axis=None):
        i, j = np.unravel_index(flat, apart.shape)
        if apart[i, j] > WITHIN_S:
            break
        if all(i != a and j != b for a, b in kept):
            kept.append((int(i), int(j)))
    return kept


def changes_and_transitions(course: Course, signals: SignalSet, tested: list[str]) -> dict[str, Any]:
    """Return how well change points and transitions were found in some recordings."""
    truth = Truth.of(signals, {name: name for name in signals.activities})
    names = np.array(signals.activities)
    n = dict.fromkeys(("true", "found", "at edges", "agree", "named", "stood", "stood found"), 0)
    outcomes = ("labelled", "detected", "inserted")
    off_s: list[float] = []
    kinds: dict[str, NDArray[np.int64]] = {}
    for name in tested:
        own = truth.recording == name
        start, end, label = truth.start_s[own], truth.end_s[own], truth.name[own]
        rows = np.flatnonzero(course.recording == signals.recording_ids.index(name))
        merged = rows[np.append(True, np.diff(course.activity[rows]) != 0)]
        begin, activity = course.start_s[merged], names[course.activity[merged]]
        finish = np.append(begin[1:], course.end_s[rows[-1]])
        changed = 1 + np.flatnonzero((label[1:] != "") & (label[:-1] != ""))
        unknown = np.stack([start[label == ""], end[label == ""]])
        away_s = np.maximum(unknown[0][:, None] - begin, begin - unknown[1][:, None]).min(axis=0, initial=np.inf)
        known = away_s > 0
        agree = pairs(start[changed], begin[1:])
        n["true"] += len(changed)
        n["agree"] += len(agree)
        alone = 1 + np.setdiff1d(np.arange(len(begin) - 1), [j for _, j in agree]).astype(int)
        n["found"] += len(agree) + int((away_s[alone] > WITHIN_S).sum())
        n["at edges"] += int((known[alone] & (away_s[alone] <= WITHIN_S)).sum())
        n["named"] += sum(
            label[changed[i]] == activity[j + 1] and label[changed[i] - 1] == activity[j] for i, j in agree
        )
        for transition in names[is_short(signals.activities)].tolist():
            was, is_found = np.flatnonzero(label == transition), np.flatnonzero(activity == transition)
            meets = (start[was, None] < finish[is_found]) & (end[was, None] > begin[is_found])
            near = np.abs(start[was, None] - begin[is_found]) <= WITHIN_S
            counts = [
                len(was),
                int((meets & near).any(axis=1).sum()),
                int((known[is_found] & ~meets.any(axis=0)).sum()),
            ]
            kinds[transition] = kinds.get(transition, np.zeros(3, np.int64)) + np.array(counts)
            if stands_up(transition):
                n["stood"] += len(was)
                n["stood found"] += int(known[is_found].sum())
                off_s += [
                    float((finish - begin)[is_found[j]] - (end - start)[was[i]]) for i, j in np.argwhere(meets).tolist()
                ]
    return {
        "change points": {
            "F1": round(2 * n["agree"] / (n["true"] + n["found"]), 4),
            "strict F1": round(2 * n["agree"] / (n["true"] + n["found"] + n["at edges"]), 4),
            "precision": round(n["agree"] / n["found"], 4),
            "recall": round(n["agree"] / n["true"], 4),
            "named": round(n["named"] / n["true"], 4),
            "true": n["true"],
        },
        "transitions": dict(zip(outcomes, sum(kinds.values()).tolist(), strict=True)),
        "each transition": {
            normalised(kind): dict(zip(outcomes, each.tolist(), strict=True)) for kind, each in kinds.items()
        },
        "sit to stand": {
            "labelled": n["stood"],
            "found": n["stood found"],
            "mean error of duration (s)": round(float(np.mean(off_s)), 2) if off_s else None,
            "mean absolute error (s)": round(float(np.mean(np.abs(off_s))), 2) if off_s else None,
        },
    }


def events(course: Course, signals: SignalSet, tested: list[str]) -> dict[str, Any]:
    """Return the scores of bouts."""
    truth = Truth.of(signals, {name: name for name in signals.activities})
    recordings, starts, found = [], [], []
    for stretch in range(len(signals.first)):
        i = int(signals.recording[stretch])
        if signals.recording_ids[i] in tested:
            moments = signals.start_s[stretch] + np.arange(
                0, signals.length[stretch] / signals.sampling_rate_hz, STEP_S
            )
            recordings.append(np.full(len(moments), signals.recording_ids[i]))
            starts.append(moments)
            found.append(np.array(signals.activities)[at(course, i, moments + STEP_S / 2)])
    return event_scores(truth, np.concatenate(recordings), np.concatenate(starts), STEP_S, np.concatenate(found))


def kept(path: Path, model: str, signals: SignalSet, windows: WindowSet, tested: list[str]) -> Any:
    """Return course and window answers of a model on a split, unless that was done before."""
    if not path.exists():
        print(path.stem, file=sys.stderr, flush=True)
        started = time.process_time()
        course, answers = course_of(model, signals, windows, tested)
        path.parent.mkdir(parents=True, exist_ok=True)
        if answers is None:
            answers = of_windows(course, signals, windows.take(np.isin(windows.recordings, tested)))
        np.savez_compressed(path, answers=answers, seconds=time.process_time() - started, **vars(course))
    with np.load(path) as stored:
        arrays = dict(stored)
    return Course(*(arrays[name] for name in ("recording", "start_s", "end_s", "activity"))), arrays["answers"]


def scores(name: str, models: list[str], splits: list[str], folder: Path) -> dict[str, Any]:
    """Return the figures of a data set, by split and model."""
    with tempfile.TemporaryDirectory() as store:
        build_store(SETS[name][0], Path(store) / "store")
        signals = open_store(Path(store) / "store").signals
        signals = replace(signals, signal=np.array(signals.signal), labels=np.array(signals.labels))
    windows = make_windows(signals, SETS[name][1], OVERLAP)
    result: dict[str, Any] = {}
    folds = [split for split in splits if split != "official"]
    short = is_short(signals.activities)
    for title, own in (("official split", splits[: "official" in splits]), (f"{FOLDS} folds by subject", folds)):
        for model in models if own else []:
            if title != "official split" and model not in IN_FOLDS:
                continue
            true, found, courses, everybody = [], [], [], []
            for split in own:
                tested = of_subjects(signals, tested_subjects(windows, split))
                path = folder / f"{name}-{split}-{'finder' if model == 'both' else model}.npz"
                course, answers = kept(path, model, signals, windows, tested)
                if model == "both":
                    alone = kept(folder / f"{name}-{split}-elm-gru-am.npz", "elm-gru-am", signals, windows, tested)[1]
                    answers = np.where(short[answers], answers, alone)
                true.append(windows.y[np.isin(windows.recordings, tested)])
                found.append(answers)
                of_it = np.isin(course.recording, [signals.recording_ids.index(one) for one in tested])
                courses.append(course.take(of_it))
                everybody += tested
            columns = (
                np.concatenate([getattr(course, column) for course in courses])
                for column in ("recording", "start_s", "end_s", "activity")
            )
            together = Course(*columns)
            of_windows = f1_of(np.concatenate(true), np.concatenate(found), signals.activities)
            figures: dict[str, Any] = {"windows": of_windows} if name in WHOLE_WINDOWS else {}
            if model == "untaught":
                figures = {"windows": {key: value for key, value in of_windows.items() if "six activities" in key}}
            if model in WITH_COURSES:
                figures["events"] = events(together, signals, everybody)
                figures |= changes_and_transitions(together, signals, everybody)
            result.setdefault(title, {})[model] = figures
    return result


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", nargs="+", default=["hapt", "sp-sw-har"])
    parser.add_argument("--splits", nargs="+", default=["official", *map(str, range(FOLDS))])
    parser.add_argument("--models", nargs="+", default=MODELS)
    parser.add_argument("--keep", type=Path, required=True)
    options = parser.parse_args()
    result: dict[str, Any] = {}
    for name in options.sets:
        hapt = name == "hapt"  # the others have no split of their own, and windows longer than their transitions
        splits = [split for split in options.splits if hapt or split != "official"]
        models = [model for model in options.models if hapt or model == "finder"]
        found = scores(name, models, splits, options.keep)
        result |= found if hapt else {name: found}
    json.dump(result, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
