"""How well models recognise new people after so many minutes of labelled signal, by who chose what to label.

A labeller is played by the labels of a data set: asked about a bout, they name the activity of most of it; where that
is less than most, or has no label (as between HAPT's activities), they name none, and its minutes count all the same.
What was labelled trains a registered model, which is tested on people of whom nothing was shown or labelled: from the
labels alone, and together with all that nobody labelled, where `training.unlabelled` is sure of an activity. Also how
long it takes to choose the next bout, among more of them than 100 hours have, and a screen of the page.

``--validation`` tests on other people than those held out for the figures: what was chosen was chosen there.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.har.classifiers.registry import make_classifier
from app.har.datasets.store import build_store, open_store
from app.har.labelling import Bouts, Choice, LabellingMap, make_map
from app.har.labelling.map import WINDOW_S
from app.har.recordings.formats.hapt import TRANSITIONS
from app.har.signals.types import UNLABELLED, SignalSet
from app.har.training.unlabelled import give_activities
from app.har.types import IntArray
from app.har.windows import WindowSet, make_windows
from benchmarks.data import SETS

MINUTES = (3, 10, 30)
REST_AT = (10, 30)  # minutes at which the rest is learnt from as well; ours at the first alone
REST_SEEDS = 2  # of random choice
HELD_OUT = 0.3  # of the people; as many again for `--validation`
MOST = 0.6  # of a bout's windows: a person names it by those
MODELS = ("plain-elm", "svm")
REST = "plain-elm with the rest unlabelled"
LARGE = 60_000  # bouts of 6 s: 100 hours
LABELS = 100  # while pages are timed
Next = Callable[[dict[int, str]], int | None]


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", default="hapt,ku-har")
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--validation", action="store_true")
    options = parser.parse_args()
    result: dict[str, Any] = {"seeds of random choice": options.seeds}
    models = options.models.split(",")
    for name in options.sets.split(","):
        shown, tested = people_of(signals_of(name), options.validation)
        map_ = make_map(shown)
        windows = make_windows(shown, WINDOW_S, by_label=False)
        print(f"{name}: {len(map_.bouts):,} bouts …", file=sys.stderr, flush=True)
        named = named_by_a_person(map_.bouts, windows)
        result[name] = {
            "bouts": len(map_.bouts),
            "seconds of a bout": round(float(np.mean(map_.bouts.end_s - map_.bouts.start_s)), 1),
            "without a name": round(float(np.mean([not each for each in named])), 3),
            "minutes to choose from": round(len(windows) * WINDOW_S / 60, 1),
            "people tested": len(np.unique(tested.subjects)),
        }
        ours = curve(ours_of(map_), map_.bouts, named, windows, tested, models, 0, REST_AT[:1])
        drawn = [
            curve(
                random_of(map_.bouts, seed),
                map_.bouts,
                named,
                windows,
                tested,
                models,
                seed,
                REST_AT if seed < REST_SEEDS else (),
            )
            for seed in range(options.seeds)
        ]
        for model in models:
            result[f"{name}, {model}, macro F1"] = {
                f"{minutes} minutes": {
                    "ours": round(ours[model][minutes], 3),
                    "random": round(float(np.mean([one[model][minutes] for one in drawn])), 3),
                    "lowest to highest": " to ".join(
                        f"{find(one[model][minutes] for one in drawn):.3f}" for find in (min, max)
                    ),
                }
                for minutes in MINUTES
            }
        rest = [one[REST] for one in drawn[:REST_SEEDS]]
        result[f"{name}, {REST}, macro F1"] = {
            f"{minutes} minutes": {
                "ours": round(ours[REST][minutes], 3) if minutes in ours[REST] else None,
                "random": round(float(np.mean([one[minutes] for one in rest])), 3),
                "lowest to highest": " to ".join(f"{find(one[minutes] for one in rest):.3f}" for find in (min, max)),
            }
            for minutes in REST_AT
        }
        print(json.dumps(result), file=sys.stderr, flush=True)
    result["time, ms of processor"] = times()
    result["pages, ms"] = pages()
    print(json.dumps(result, indent=1))


def signals_of(name: str) -> SignalSet:
    """Read a data set; HAPT's postural transitions have no name here."""
    with tempfile.TemporaryDirectory() as folder:
        build_store(SETS[name][0], Path(folder) / "store")
        signals = open_store(Path(folder) / "store").signals
        labels = np.array(signals.labels)
        others = [i for i, activity in enumerate(signals.activities) if activity in TRANSITIONS]
        labels[np.isin(labels, others)] = UNLABELLED
        kept = tuple(activity for activity in signals.activities if activity not in TRANSITIONS)
        return replace(signals, signal=np.array(signals.signal), labels=labels, activities=kept)


def people_of(signals: SignalSet, validation: bool) -> tuple[SignalSet, WindowSet]:
    """Return the signals to choose from, and labelled windows of people who are not in them."""
    people = np.random.default_rng(0).permutation(np.unique(signals.subjects))
    n = int(HELD_OUT * len(people))
    tested, left = (people[n : 2 * n], people[2 * n :]) if validation else (people[:n], people[n:])
    return of_people(signals, left), make_windows(of_people(signals, tested), WINDOW_S)


def of_people(signals: SignalSet, people: NDArray[np.str_]) -> SignalSet:
    """Return the stretches of some people."""
    own = np.isin(np.array(signals.subjects)[signals.recording], people)
    length = signals.length[own]
    spans = [slice(first, first + n) for first, n in zip(signals.first[own], length, strict=True)]
    return replace(
        signals,
        signal=np.concatenate([signals.signal[span] for span in spans]),
        labels=np.concatenate([signals.labels[span] for span in spans]),
        first=np.cumsum(length) - length,
        length=length,
        recording=signals.recording[own],
        start_s=signals.start_s[own],
    )


def named_by_a_person(bouts: Bouts, windows: WindowSet) -> list[str]:
    """Return what a person would call each bout, "" where they would not."""
    named = []
    for first, n in zip(bouts.first, bouts.windows, strict=True):
        label, counts = np.unique(windows.y[first : first + n], return_counts=True)
        most = int(label[counts.argmax()])
        named.append(windows.activities[most] if most != UNLABELLED and counts.max() >= MOST * n else "")
    return named


def ours_of(map_: LabellingMap) -> Next:
    """Choose as the page does."""
    return Choice(map_).next


def random_of(bouts: Bouts, seed: int) -> Next:
    """Choose any bout that was not shown yet."""
    order = iter(np.random.default_rng(seed).permutation(len(bouts)).tolist())
    return lambda labels: next(order, None)


def curve(
    choose: Next,
    bouts: Bouts,
    named: list[str],
    windows: WindowSet,
    tested: WindowSet,
    models: list[str],
    seed: int,
    rest_at: tuple[int, ...],
) -> dict[str, dict[int, float]]:
    """Return each model's macro F1 on the people tested after so many minutes."""
    found: dict[str, dict[int, float]] = {model: {} for model in (*models, REST)}
    for minutes, labels in labelled(choose, bouts, named):
        learnt = windows_of(labels, bouts, windows)
        for model in models:
            found[model][minutes] = trained_f1(model, learnt, tested, seed)
        if minutes in rest_at:
            found[REST][minutes] = trained_f1("plain-elm", with_the_rest(learnt, windows, seed), tested, seed)
    return found


def labelled(choose: Next, bouts: Bouts, named: list[str]) -> Iterator[tuple[int, dict[int, str]]]:
    """Yield what is labelled after each number of minutes."""
    labels: dict[int, str] = {}
    seconds, left = 0.0, list(MINUTES)
    while left and (bout := choose(labels)) is not None:
        labels[bout] = named[bout]
        seconds += float(bouts.end_s[bout] - bouts.start_s[bout])
        while left and seconds >= 60 * left[0]:
            yield left.pop(0), labels


def windows_of(labels: dict[int, str], bouts: Bouts, windows: WindowSet) -> WindowSet:
    """Return the windows of labelled bouts, with what was said."""
    rows: list[int] = []
    y: list[int] = []
    for bout, activity in labels.items():
        if activity:
            first, n = int(bouts.first[bout]), int(bouts.windows[bout])
            rows += range(first, first + n)
            y += [windows.activities.index(activity)] * n
    return replace(windows.take(np.array(rows, np.int64)), y=np.array(y, np.int64))


def with_the_rest(learnt: WindowSet, windows: WindowSet, seed: int) -> WindowSet:
    """Return what is labelled, and what of all the recordings is given an activity without a look at its label."""
    learnt = learnt.take(np.bincount(learnt.y)[learnt.y] > 1)
    nobody = replace(windows, y=np.full(len(windows), UNLABELLED))
    given = give_activities(learnt, nobody, seed)
    print(json.dumps(given.gain), file=sys.stderr, flush=True)
    return WindowSet.joined([learnt, given.windows])


def trained_f1(model: str, learnt: WindowSet, tested: WindowSet, seed: int) -> float:
    """Train a model and return its macro F1; of one activity alone, it names that always."""
    learnt = learnt.take(np.bincount(learnt.y)[learnt.y] > 1)  # no training takes an activity of one window
    if len(np.unique(learnt.y)) < 2:
        proba = np.eye(len(tested.activities), dtype=np.float32)[np.repeat(learnt.y[:1], len(tested))]
    else:
        proba = make_classifier(model).fit(learnt, seed=seed).predict_proba(tested)
    return macro_f1(tested.y, proba.argmax(axis=1))


def macro_f1(true: IntArray, found: IntArray) -> float:
    """Return the mean of the F1 of the activities that there are."""
    from sklearn.metrics import f1_score

    return float(f1_score(true, found, average="macro", labels=np.unique(true)))


def times() -> dict[str, float]:
    """Return how long choosing takes with 200 labels among very many bouts, and what is made once after a start."""
    random = np.random.default_rng(0)
    n = np.arange(LARGE)
    bouts = Bouts(n // 60, 6.0 * (n % 60), 6.0 * (n % 60) + 6, 2 * n, np.full(LARGE, 2))
    means = random.standard_normal((LARGE, 48)) / np.sqrt(2 * 48)
    choice = Choice(LabellingMap(bouts, means.astype(np.float16)))
    labels = {int(i): f"activity {i % 7}" for i in random.permutation(LARGE)[:200]}
    first = _ms(lambda: choice.next(labels))
    return {
        "bouts": LARGE,
        "labels": len(labels),
        "first bout after a start": first,
        "next bout": float(np.median([_ms(lambda: choice.next(labels)) for _ in range(7)])),
        "guess": float(np.median([_ms(lambda: choice.guess(labels, 5)) for _ in range(7)])),
    }


def pages() -> dict[str, float]:
    """Return how long the server takes from a key to the next screen, on KU-HAR without its labels."""
    with tempfile.TemporaryDirectory() as home:
        os.environ["HAR_HOME"] = home
        from app import create_app
        from app.services import accounts, installation, keys
        from app.services.datasets import labelling, library
        from config import Config

        config = Config()
        config.WTF_CSRF_ENABLED = False  # type: ignore[attr-defined]
        app = create_app(config)
        with app.app_context():
            installation.migrate()
            keys.prepare()
            accounts.register("chief", "correct horse battery", "", "c@example.org", "1 High Street", "admin")
            dataset = library.add("raw", SETS["ku-har"][0])
            labels = library.store_folder(dataset) / "labels.i16"
            labels.write_bytes(np.full(labels.stat().st_size // 2, UNLABELLED, np.int16).tobytes())
            started = time.perf_counter()
            labelling.desk_of(dataset)
            labelling._making[dataset.folder].done.wait()
            made_s = time.perf_counter() - started
        client = app.test_client()
        client.post("/login", data={"username": "chief", "password": "correct horse battery"})
        first = _wall_and_own_ms(lambda: client.get("/datasets/raw/label"))
        nexts = []
        for number in range(LABELS):
            page = client.get("/datasets/raw/label").text
            bout = page.partition('name="bout" value="')[2].partition('"')[0]
            said = {"activity": f"is:{('Walking', 'Running', 'Sitting')[number % 3]}", "bout": bout, "shown_at": "0"}

            def press(said: dict[str, str] = said) -> object:
                return client.post("/datasets/raw/label", data=said, follow_redirects=True)

            nexts.append(_wall_and_own_ms(press))
        wall, own = np.array(nexts).T
        return {
            "bouts found (s)": round(made_s, 1),
            "first screen after a start": first[0],
            "first screen after a start, of the processor": first[1],
            "next screen, median": round(float(np.median(wall)), 1),
            "next screen, 95 of 100": round(float(np.quantile(wall, 0.95)), 1),
            "next screen, median, of the processor": round(float(np.median(own)), 1),
            "next screen, 95 of 100, of the processor": round(float(np.quantile(own, 0.95)), 1),
        }


def _wall_and_own_ms(work: Callable[[], object]) -> tuple[float, float]:
    """Return how long it takes, and how much of the processor: where others work, too, the first is longer."""
    started, own = time.perf_counter(), time.process_time()
    work()
    return round(1000 * (time.perf_counter() - started), 1), round(1000 * (time.process_time() - own), 1)


def _ms(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return round(1000 * (time.process_time() - started), 1)


if __name__ == "__main__":
    main()
