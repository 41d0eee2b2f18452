"""What recordings without labels are worth, by the share of labels, and when they do harm.

python -m benchmarks.bench_unlabelled [--seeds 4 5] [--minutes 60] [--only hapt] [--whole]; JSON on stdout, needs
HAR_DATA_DIR. Seeds 0 to 3 are not among them: some of their people were looked at while the method was chosen. After
so many minutes no further seed is begun; every data set has the same seeds.

A quarter of the people is held out to be tested, others for each seed. Of the others, pieces of a bout of at most five
windows are labelled, drawn at random until they are the share: two windows of each activity at least. All other windows
of these people are without labels. Once more with 5 % of the labels, spread: windows are drawn one by one, so that each
activity is labelled for more people. Heads alone are compared; with ``--whole``, whole models with 5 % of the labels.
The seconds are those of the processor for giving activities to all windows without labels.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from app.har.classifiers.elm_gru_am.classifier import ActivityClassifier
from app.har.datasets.as_read import as_read
from app.har.datasets.store import build_store, open_store
from app.har.evaluation.scores import confusion_matrix, macro_scores
from app.har.evaluation.splits import split_windows
from app.har.signals.types import UNLABELLED
from app.har.training.unlabelled import Given, HiddenLayer, elsewhere, give_activities, neighbours, solved
from app.har.types import FloatArray, IntArray
from app.har.windows import WindowSet, make_windows
from benchmarks.data import SETS, windows_of, without_activities

TESTED = ("ku-har", "hapt", "motion-sense")
SHARES = (0.01, 0.05, 0.2)
FEW = 0.05
SPREAD = "5 % of the labels, window by window"
PIECE, LEAST = 5, 2  # windows of a bout that are labelled together, and of each activity
UNKNOWN = {  # what the recordings without labels show, and nobody labelled
    "ku-har": ("Run", "Lay"),
    "hapt": ("WALKING_UPSTAIRS", "LAYING"),
    "motion-sense": ("jogging", "standing"),
}
ELSEWHERE = {"ku-har": "hapt", "hapt": "motion-sense", "motion-sense": "hapt"}  # recordings of another data set

Scores = dict[str, list[float]]


def drawn(windows: WindowSet, share: float, seed: int, longest: int = PIECE) -> IntArray:
    """Return the windows that are labelled; at most so many of a bout together."""
    order = np.lexsort((windows.start_s, windows.y, windows.recordings))
    before, _ = neighbours(windows)
    piece, length = np.zeros(len(windows), np.int64), 0
    for number, row in enumerate(order):
        previous = before[row]
        goes_on = previous != row and windows.y[previous] == windows.y[row] and length < longest
        piece[row] = piece[previous] if goes_on else number
        length = length + 1 if goes_on else 1
    _, first, size = np.unique(piece, return_index=True, return_counts=True)
    activity, kept, n = windows.y[first], np.zeros(len(windows), bool), 0
    have = np.zeros(len(windows.activities), np.int64)
    turns = np.random.default_rng(seed).permutation(len(first))
    for least in (True, False):
        for one in turns:
            wanted = have[activity[one]] < LEAST if least else n < share * len(windows)
            if wanted and not kept[first[one]]:
                kept |= piece == piece[first[one]]
                have[activity[one]] += size[one]
                n += size[one]
    return np.flatnonzero(kept)


def f1(test: WindowSet, found: IntArray) -> float:
    confusion = confusion_matrix(test.y, found, len(test.activities))
    return float(macro_scores(confusion[None])[0][3])


def heads(
    labelled: WindowSet, unlabelled: WindowSet, test: WindowSet, seed: int, own: bool
) -> tuple[float, float, Given, float]:
    """Return macro F1 on the test people without and with what windows without labels show, what they gave, seconds."""
    started = time.process_time()
    given = give_activities(labelled, unlabelled, seed, own)
    seconds = time.process_time() - started
    hidden, n = HiddenLayer.of_both(labelled, unlabelled, seed), len(labelled.activities)
    known, tested, extra = hidden(labelled), hidden(test), known_or_none(hidden, given.windows, labelled)
    scores = [
        f1(test, (tested @ solved(known, labelled.y, extra, guess, n)).argmax(axis=1))
        for guess in (np.full(len(extra), UNLABELLED), given.windows.y)
    ]
    return scores[0], scores[1], given, seconds


def with_all_labels(train: WindowSet, test: WindowSet, seed: int) -> float:
    hidden, n = HiddenLayer.of_both(train, train, seed), len(train.activities)
    known = hidden(train)
    beta = solved(known, train.y, known[:0], train.y[:0], n)
    return f1(test, (hidden(test) @ beta).argmax(axis=1))


def fewest_people(labelled: WindowSet) -> float:
    return float(min(len(set(labelled.subjects[labelled.y == y])) for y in range(len(labelled.activities))))


def known_or_none(hidden: HiddenLayer, windows: WindowSet, like: WindowSet) -> FloatArray:
    return hidden(windows) if len(windows) else hidden(like.take(slice(0, 1)))[:0]


def add(row: Scores, **figures: float) -> None:
    for name, value in figures.items():
        row.setdefault(name.strip("_").replace("_", " "), []).append(value)


def measure(name: str, windows: WindowSet, other: WindowSet, seed: int, found: dict[str, Scores]) -> None:
    """Add the figures of one seed."""
    split = split_windows(windows, "subject", seed, 0.25)
    train, test = windows.take(split.train), windows.take(split.test)
    everything = with_all_labels(train, test, seed)
    add(found.setdefault("100 % of the labels", {}), without=everything)
    ways = {f"{100 * share:g} % of the labels": (share, PIECE) for share in SHARES} | {SPREAD: (FEW, 1)}
    for title, (share, longest) in ways.items():
        rows = drawn(train, share, seed, longest)
        labelled, rest = train.take(rows), train.take(np.setdiff1d(np.arange(len(train)), rows))
        plain, better, given, seconds = heads(labelled, rest, test, seed, own=True)
        row = found.setdefault(title, {})
        right = float((given.windows.y == true_of(given, rest)).mean()) if given.gain["used"] else float("nan")
        add(row, without=plain, with_=better, of_all_labels=better / everything, used=float(given.gain["used"]))
        add(row, given=given.gain["given"] / len(rest), right_of_given=right)
        add(row, gain_as_told=given.gain["f1_with"] - given.gain["f1_without"])
        add(row, windows=float(len(rows)), fewest_people_of_an_activity=fewest_people(labelled))
        add(row, without_labels=float(len(rest)), seconds=seconds)
    rows = drawn(train, FEW, seed)
    labelled, rest = train.take(rows), train.take(np.setdiff1d(np.arange(len(train)), rows))
    for title, case in {
        "others show two activities that nobody labelled": (
            without_activities(labelled, UNKNOWN[name]),
            rest,
            without_activities(test, UNKNOWN[name]),
        ),
        f"all are of {ELSEWHERE[name]}": (labelled, other, test),
    }.items():
        plain, better, given, _ = heads(*case, seed, own=case[1] is rest)
        row = found.setdefault(f"5 % of the labels, {title}", {})
        add(row, without=plain, with_=better, used=float(given.gain["used"]))
        add(row, given=given.gain["given"] / given.gain["unlabelled"])
        add(row, gain_as_told=given.gain["f1_with"] - given.gain["f1_without"])
    print(name, seed, {title: {k: round(v[-1], 3) for k, v in row.items()} for title, row in found.items()},
          file=sys.stderr, flush=True)  # fmt: skip


def true_of(given: Given, windows: WindowSet) -> IntArray:
    """Return what windows that were given an activity really show."""
    true = {
        (recording, start): y
        for recording, start, y in zip(windows.recordings, windows.start_s, windows.y, strict=True)
    }
    return np.array([true[key] for key in zip(given.windows.recordings, given.windows.start_s, strict=True)])


def measure_whole(windows: WindowSet, seed: int, found: dict[str, Scores]) -> None:
    """Add what whole models score, with their networks."""
    split = split_windows(windows, "subject", seed, 0.25)
    train, test = windows.take(split.train), windows.take(split.test)
    rows = drawn(train, FEW, seed)
    labelled, rest = train.take(rows), train.take(np.setdiff1d(np.arange(len(train)), rows))
    given = give_activities(labelled, rest, seed, own=True)
    row = found.setdefault("whole models", {})
    for title, model, learnt in (
        ("5 %, without", ActivityClassifier(), labelled),
        ("5 %, with", ActivityClassifier(given=given.windows if given.gain["used"] else None), labelled),
        ("all labels", ActivityClassifier(), train),
    ):
        score = f1(test, model.fit(learnt, seed=seed).predict_proba(test).argmax(axis=1))
        row.setdefault(title, []).append(score)
        print(seed, title, round(score, 3), file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, nargs="*", default=[4, 5])
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--only", nargs="*", default=list(TESTED))
    parser.add_argument("--whole", action="store_true")
    arguments = parser.parse_args()
    started, done = time.monotonic(), []
    windows = {name: windows_of(name) for name in arguments.only}
    found: dict[str, dict[str, Scores]] = {name: {} for name in windows}
    for seed in arguments.seeds:
        if time.monotonic() - started > 60 * arguments.minutes:
            break
        for name, own in windows.items():
            if arguments.whole:
                measure_whole(own, seed, found[name])
            else:
                measure(name, own, as_windows_of(own, ELSEWHERE[name]), seed, found[name])
        done.append(seed)
    result: dict[str, object] = {"seeds": ", ".join(map(str, done))}
    result |= {name: {title: summary(row) for title, row in of_set.items()} for name, of_set in found.items()}
    print(json.dumps(result, indent=1))


def summary(row: Scores) -> dict[str, list[float]]:
    """Return the figure of each seed; of windows that were given nothing, none is right or wrong."""
    return {name: [round(float(value), 3) for value in x if not np.isnan(value)] for name, x in row.items()}


def as_windows_of(like: WindowSet, name: str) -> WindowSet:
    """Read another data set as the windows of this one are read."""
    with tempfile.TemporaryDirectory() as folder:
        build_store(SETS[name][0], Path(folder) / "store")
        signals = as_read(
            open_store(Path(folder) / "store").signals, like.channels, like.sampling_rate_hz, like.gravity
        )
        signals = replace(signals, signal=np.asarray(signals.signal))
        windows = make_windows(signals, like.window_length_s, by_label=False)
    return replace(
        windows,
        y=np.full(len(windows), UNLABELLED),
        activities=like.activities,
        recordings=elsewhere(windows.recordings),
    )


if __name__ == "__main__":
    main()
