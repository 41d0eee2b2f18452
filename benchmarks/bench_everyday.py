"""The everyday model by data set left out: each is recognised by a model that was trained and calibrated on the others.

python -m benchmarks.bench_everyday [--seeds 0 1 2] [--only hapt]; JSON on stdout. needs the recordings in HAR_DATA_DIR.
Seeds that were run each by itself (half an hour each) are averaged with --results seed0.json seed1.json seed2.json.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import f1_score

from app.har.classifiers.everyday.answer import ACTIVITIES, probabilities
from app.har.classifiers.everyday.calibration import clips_of, known_walks, together
from app.har.classifiers.everyday.classifier import EverydayClassifier
from app.har.classifiers.everyday.evidence import gather
from app.har.classifiers.everyday.training import Training
from app.har.classifiers.everyday.wearing import Track
from app.har.signals.types import SignalSet
from app.har.types import FloatArray
from app.har.vocabulary import (
    ANYTHING,
    NOT_WORN,
    ON_FOOT,
    RUNNING,
    SITTING_OR_LYING,
    STAIRS,
    STILL,
    WALKING,
    AnswerTree,
    path_of,
    shared_node,
)
from app.har.windows import WindowSet
from benchmarks.everyday_data import (
    OXFORD_PLACES,
    SOURCES,
    joined,
    labelled_windows,
    other_movements,
    place_of,
    signals_of,
    windows_in_time,
)

TREE = AnswerTree(ACTIVITIES)
GROUPS = {  # what is left out together: the people of SP-SW-HAR wore phone and watch at once
    **{name: (name,) for name in SOURCES if not name.startswith("sp-sw")},
    "sp-sw-har": ("sp-sw-har-phone", "sp-sw-har-watch"),
}
MIXED_RECORDINGS = ("hapt", "sp-sw-har-phone", "sp-sw-har-watch")  # as recorded, through changes of activity
NEAR_S = (1.5, 4.5, 7.5)  # from the centre of a window to the nearest change; below the first, it is in the window
LEVELS = (STILL, ON_FOOT, RUNNING)
COARSE = (STILL, WALKING, STAIRS, RUNNING)


@dataclass(frozen=True)
class Answers:
    """What was answered to windows, and what is true of them."""

    proba: FloatArray  # (n, n_activities)
    label: NDArray[np.str_]  # of the shared vocabulary; "" where it has none
    subjects: NDArray[np.str_]
    recordings: NDArray[np.str_]
    unfamiliar: NDArray[np.bool_]

    def where(self, rows: NDArray[np.bool_]) -> Answers:
        """Return some of them."""
        return Answers(*(getattr(self, name)[rows] for name in vars(self)))


def fit_without(names: Sequence[str], seed: int) -> EverydayClassifier:
    """Train on all data sets but these, and on other movements where a person has put those in place."""
    parts = [*(labelled_windows(name) for name in SOURCES if name not in names), *other_movements()]
    return EverydayClassifier(place_of()).fit(joined(parts), seed=seed)


def answers(model: EverydayClassifier, windows: WindowSet, said: bool) -> Answers:
    """Recognise a data set as if all of its recordings were uploaded together; ``said``: with where they were worn."""
    track = model.track(windows)
    if said:
        track = replace(track, place=place_as_said(windows))
    return _answered(model, track, labels_of(windows))


def _answered(model: EverydayClassifier, track: Track, label: NDArray[np.str_], reference: Any = None) -> Answers:
    evidence = gather(track, model.columns, model.questions_, reference)
    novel = model.novelty(track, evidence) > 1
    return Answers(probabilities(track, evidence, model.calibration_), label, track.subjects, track.recordings, novel)


def labels_of(windows: WindowSet) -> NDArray[np.str_]:
    names = np.array([*(shared_node(name) or "" for name in windows.activities), ""])
    return names[windows.y]


def place_as_said(windows: WindowSet) -> NDArray[np.str_]:
    """Return where devices were worn, as a person would say it: of Oxford's recordings, each for itself."""
    known, exact = place_of(), {word: place for word, (place, _) in OXFORD_PLACES.items()}
    found = []
    for recording, subject in zip(windows.recordings.tolist(), windows.subjects.tolist(), strict=True):
        by_word = next((place for word, place in exact.items() if word in recording), "")
        found.append(by_word or known.get(subject.partition("/")[0], ""))
    return np.array(found, "U16")


def true_answers(given: Answers, limit: float) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which answers are true, where there is a label, and which windows are answered at all."""
    answer, true_of, label = _answers_and_truth(given, limit)
    return true_of[answer, label], answer != TREE.nodes.index(ANYTHING)


def _answers_and_truth(given: Answers, limit: float) -> tuple[Any, NDArray[np.bool_], Any]:
    """Return the positions of the answers, which node is true of which label, and the positions of the labels."""
    labels, label = np.unique(given.label, return_inverse=True)
    true_of = np.array([[TREE.agrees(node, name) for name in labels] for node in TREE.nodes])
    if "stm-har" in given.subjects[0]:  # "stationary, also on a desk"
        true_of[TREE.nodes.index(NOT_WORN), labels == STILL] = True
    answer = TREE.answers(given.proba, limit)
    answer[given.unfamiliar] = TREE.nodes.index(ANYTHING)
    return answer, true_of, label


def table_row(given: Answers, limit: float) -> dict[str, float]:
    """Return the figures of one set of answers; only windows of a label in the vocabulary count."""
    given = given.where(given.label != "")
    answer, true_of, label = _answers_and_truth(given, limit)
    right = true_of[answer, label]
    said = answer != TREE.nodes.index(ANYTHING)
    confidence = TREE.probabilities(given.proba)[np.arange(len(answer)), answer]
    deepest = np.array(ACTIVITIES)[given.proba.argmax(axis=1)]
    depth = np.array([_depth(TREE.nodes[i]) for i in answer])
    return {
        "windows": len(answer),
        "levels": _f1(given.label, deepest, LEVELS),
        "coarse": _f1(given.label, deepest, COARSE),
        "leaves": _f1(given.label, deepest, tuple(a for a in ACTIVITIES if a != NOT_WORN)),
        "true": float(right[said].mean()) if said.any() else float("nan"),
        "calibration_error": _calibration_error(confidence[said], right[said]),
        **{f"deep_{name}": float((depth == name).mean()) for name in ("activity", "stairs", "level", "nothing")},
    }


def _depth(node: str) -> str:
    if node == ANYTHING:
        return "nothing"
    return "activity" if node in ACTIVITIES else "stairs" if node in (STAIRS, SITTING_OR_LYING) else "level"


def _f1(label: NDArray[np.str_], answer: NDArray[np.str_], nodes: Sequence[str]) -> float:
    """Return macro F1 over the nodes that occur; answers and labels are taken as the node that they are below."""
    truth, found = (below(names, nodes) for names in (label, answer))
    counted = truth != ""
    there = [node for node in nodes if (truth == node).any()]
    return float(f1_score(truth[counted], found[counted], average="macro", labels=there)) if counted.any() else np.nan


def below(names: NDArray[np.str_], nodes: Sequence[str]) -> NDArray[np.str_]:
    node_of = {
        name: next((node for node in path_of(name) if node in nodes), STILL if name == NOT_WORN else "")
        for name in np.unique(names).tolist()
    }
    return np.array([node_of[name] for name in names.tolist()])


def _calibration_error(confidence: FloatArray, right: NDArray[np.bool_], bins: int = 10) -> float:
    number = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [
        (number == i).mean() * abs(confidence[number == i].mean() - right[number == i].mean())
        for i in range(bins)
        if (number == i).any()
    ]
    return float(sum(gaps))


def settings(model: EverydayClassifier, name: str, seed: int) -> Iterator[tuple[str, Answers]]:
    """Yield what a model answers to a data set in several settings, by their names."""
    windows = windows_in_time(name)
    yield "together, place said", answers(model, windows, said=True)
    yield "together", answers(model, windows, said=False)
    training = labelled_training(model, name)
    for kind in ("", WALKING, "Stairs up", "Stairs down"):
        clips = [clip for clip in clips_of(training, seed + 100) if kind in ("", clip.node[0])]
        if clips:
            of_all = together(clips)
            yield f"clips of one kind{': ' + kind.lower() if kind else ''}", _answered(model, of_all.track, of_all.node)
    known = [
        _answered(model, rest.track, np.where(rest.on_foot, rest.node, ""), reference)
        for clip in clips_of(training, seed + 200)
        for rest, reference in _with_known(training, clip)
    ]
    if known:
        yield "clips with known walking", _together(known)
    known = [
        _answered(model, rest.track, np.where(rest.on_foot, rest.node, ""), reference)
        for rest, reference in known_walks(training)
    ]
    if known:
        yield "together with known walking", _together(known)


def labelled_training(model: EverydayClassifier, name: str) -> Training:
    """Return the labelled windows of a data set, without where they were worn."""
    windows = labelled_windows(name)
    dataset = np.full(len(windows), name)
    placed = Training(replace(model.track(windows), place=place_as_said(windows)), labels_of(windows), dataset)
    wearing = placed.wearing  # who wore what is the data set's to say; the model is not told
    subjects = np.char.add(np.char.add(placed.track.subjects, "#"), wearing.astype(str))
    return replace(placed, track=replace(placed.track, subjects=subjects, place=np.full(len(windows), "", "U16")))


def _with_known(training: Training, clip: Training) -> Iterator[tuple[Training, Any]]:
    """Yield a clip with the walking of the same person in the same placement, none of it in the clip."""
    of_wearing = training.take(np.flatnonzero(training.track.subjects == clip.track.subjects[0]))
    for _, reference in known_walks(of_wearing):
        inside = np.isin(_keys(clip.track), _keys(of_wearing.track)[of_wearing.node == WALKING][:10])
        if not inside.any():
            yield clip, reference


def _keys(track: Track) -> NDArray[np.str_]:
    return np.char.add(np.char.add(track.recordings, "@"), track.movement_rms.astype(str))


def _together(parts: Sequence[Answers]) -> Answers:
    return Answers(*(np.concatenate([getattr(part, name) for part in parts]) for name in vars(parts[0])))


def measure(seeds: Sequence[int], only: Sequence[str]) -> dict[str, dict[str, list[dict[str, float]]]]:
    """Return setting → data set → figures, one a seed."""
    found: dict[str, dict[str, list[dict[str, float]]]] = {}
    for group, names in GROUPS.items():
        if only and group not in only:
            continue
        for seed in seeds:
            started = time.perf_counter()
            model = fit_without(names, seed)
            print(f"{group}, seed {seed}: fitted in {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)
            for name in names:
                for setting, given in settings(model, name, seed):
                    row = table_row(given, model.answer_limit_)
                    found.setdefault(setting, {}).setdefault(name, []).append(row)
                    print(f"  {name:16} {setting:32} {_line(row)}", file=sys.stderr, flush=True)
                if name in MIXED_RECORDINGS:
                    windows = windows_in_time(name)
                    row = around_changes(name, answers(model, windows, said=True), windows, model.answer_limit_)
                    found.setdefault("around changes", {}).setdefault(name, []).append(row)
                    print(f"  {name:16} {row}", file=sys.stderr, flush=True)
                if name == "oxford-walk":
                    for word, (place, _) in OXFORD_PLACES.items():
                        row = _walking(answers(model, windows_in_time(name), said=False), word, model.answer_limit_)
                        found.setdefault("Oxford, by place", {}).setdefault(place, []).append(row)
                        print(f"  {place:16} {row}", file=sys.stderr, flush=True)
    return found


def around_changes(name: str, given: Answers, windows: WindowSet, limit: float) -> dict[str, float]:
    """Return how true answers are near a change of activity inside a recording, and what a change costs.

    A second is lost where the answer is none, or not true of most of the window.
    """
    centre = windows.start_s + windows.window_length_s / 2
    apart = np.full(len(windows), np.inf)
    changes = 0
    for recording, moments in _changes(signals_of(name)).items():
        rows = np.flatnonzero(windows.recordings == recording)
        if len(rows) and len(moments):
            apart[rows] = np.abs(centre[rows][:, None] - moments).min(axis=1)
            changes += len(moments)
    true, said = true_answers(given, limit)
    counted = given.label != ""
    near = counted & (apart < NEAR_S[-1])
    row = {"changes": float(changes)}
    for low, high in pairwise((0.0, *NEAR_S, np.inf)):
        there = counted & said & (apart >= low) & (apart < high)
        row[f"true, {low:g} to {high:g} s away"] = float(true[there].mean())
    row["lost a change (s)"] = float((near & ~(true & said)).sum() * windows.window_length_s / changes)
    return row


def _changes(signals: SignalSet) -> dict[str, NDArray[np.float64]]:
    """Return the moments at which the label changes, by recording."""
    found: dict[str, list[float]] = {}
    for first, length, start_s, number in zip(
        signals.first.tolist(),
        signals.length.tolist(),
        signals.start_s.tolist(),
        signals.recording.tolist(),
        strict=True,
    ):
        labels = signals.labels[first : first + length]
        moments = start_s + (np.flatnonzero(np.diff(labels)) + 1) / signals.sampling_rate_hz
        found.setdefault(signals.recording_ids[number], []).extend(moments.tolist())
    return {recording: np.array(moments) for recording, moments in found.items()}


def _walking(given: Answers, word: str, limit: float) -> dict[str, float]:
    """Return how often walking in one place is on foot, and is named."""
    given = given.where(np.char.find(given.recordings, word) >= 0)
    answer = np.array(TREE.nodes)[TREE.answers(given.proba, limit)]
    on_foot = np.array([ON_FOOT in path_of(node) for node in answer])
    deep = on_foot & ~np.isin(answer, [ON_FOOT])
    return {
        "windows": len(answer),
        "on_foot": float(on_foot.mean()),
        "on_foot_of_said": float(on_foot[answer != ANYTHING].mean()),
        "named": float(deep.mean()),
        "walking_of_named": float((answer[deep] == WALKING).mean()) if deep.any() else float("nan"),
    }


def _line(row: dict[str, float]) -> str:
    return "  ".join(f"{name} {value:.3f}" if name != "windows" else f"{value:5d}" for name, value in row.items())


def averaged(found: dict[str, dict[str, list[dict[str, float]]]]) -> dict[str, dict[str, dict[str, float | None]]]:
    """Return the mean over the seeds; None where there is nothing to measure."""

    def mean(values: list[float]) -> float | None:
        return None if np.isnan(values).any() else float(np.mean(values))

    return {
        setting: {name: {key: mean([row[key] for row in rows]) for key in rows[0]} for name, rows in of.items()}
        for setting, of in found.items()
    }


def read(paths: Sequence[Path]) -> tuple[str, dict[str, dict[str, list[dict[str, float]]]]]:
    """Return the seeds of results and their figures, as `measure` does."""
    documents = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    seeds = ", ".join(document.pop("seeds") for document in documents)
    found = {
        setting: {name: [document[setting][name] for document in documents] for name in of}
        for setting, of in documents[0].items()
    }
    return seeds, found


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--only", nargs="+", choices=GROUPS, default=[])
    parser.add_argument("--results", type=Path, nargs="+", default=[])
    options = parser.parse_args()
    if options.results:
        seeds, found = read(options.results)
    else:
        seeds, found = ", ".join(map(str, options.seeds)), measure(options.seeds, options.only)
    print(json.dumps({"seeds": seeds, **averaged(found)}, indent=1))


if __name__ == "__main__":
    main()
