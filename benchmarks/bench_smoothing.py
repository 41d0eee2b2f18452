"""Windows alone and smoothed, on people and data sets that a model has not learnt from; JSON on stdout.

python -m benchmarks.bench_smoothing [--only hapt ku-har …]; needs the recordings in HAR_DATA_DIR. The everyday model is
trained without the data set that it is tested on, and how long a bout must be is taken from the labels of the others.
`reference-ku-har` and `reference-phone-watch` are tested on people that they have not learnt from, the former on other
data sets, too. Two rivals: *posterior* is a hidden Markov model that reads probabilities instead of votes, its bouts as
long as those of training on average (forward-backward, at each node of the tree); *shortest-bout rule* gives a bout
shorter than ours must be, the shortest first, to its longer neighbour.

``F1`` is that of the windows, macro; events are in `benchmarks.event_scores`; ``true`` is the share of answers that
hold, ``answered`` that of windows with an answer, each of the labelled windows. Of the everyday model, activities are
still, walking, stairs and running; of the others, their own.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import f1_score

from app.har.classifiers.everyday.answer import ACTIVITIES
from app.har.classifiers.model_folder import verify
from app.har.classifiers.stored_models import load_model
from app.har.datasets.store import build_store, open_store
from app.har.signals.one_rate import at_rate
from app.har.signals.types import SignalSet
from app.har.smoothing import bout_lengths, shortest_bout, smoothed
from app.har.vocabulary import ANYTHING, DEFAULT_LIMIT, AnswerTree, shared_node
from app.har.windows import make_windows
from benchmarks.bench_everyday import COARSE, GROUPS, _calibration_error, answers, below, fit_without
from benchmarks.data import SETS
from benchmarks.event_scores import Names, Truth, event_scores
from benchmarks.everyday_data import SOURCES, signals_of, windows_in_time
from config import ROOT

SEED = 0
ELSEWHERE = ("hapt", "motion-sense")  # where `reference-ku-har` is tested beside its own data set


@dataclass(frozen=True)
class Seen:
    """What a model answers to windows, and what is true of them."""

    proba: NDArray[np.float32]
    activities: tuple[str, ...]
    recordings: Names
    start_s: NDArray[np.float64]
    length_s: float
    unfamiliar: NDArray[np.bool_]
    label: Names  # "" where there is none
    names: Names  # (n_activities,) by which events and F1 are counted
    named: Names  # (n_windows,) the label by these names
    truth: Truth  # by these names
    limit: float
    lengths_s: NDArray[np.float64]  # of the labelled bouts that the model learnt from

    @property
    def stretch(self) -> NDArray[np.int64]:
        """Return which windows follow each other."""
        apart = (self.recordings[1:] != self.recordings[:-1]) | (np.diff(self.start_s) > 1.1 * self.length_s)
        return np.concatenate([[0], np.cumsum(apart | (np.diff(self.start_s) < 0))])

    def likeliest(self, proba: NDArray[Any]) -> Names:
        """Return the likeliest of the names in each window."""
        names = np.unique(self.names)
        shares = np.stack([proba[:, self.names == name].sum(axis=1) for name in names], axis=1)
        return np.asarray(names[shares.argmax(axis=1)])


def coarse(labels: Sequence[str]) -> Names:
    """Return which of still, walking, stairs and running labels are; "" where they are none."""
    nodes = np.array([shared_node(label) or "" for label in labels], "U32")
    found = np.full(len(nodes), "", "U32")
    found[nodes != ""] = below(nodes[nodes != ""], COARSE)
    return found


def everyday(only: Sequence[str]) -> Iterator[tuple[str, Seen]]:
    """Yield what the everyday model answers to each data set, trained without it."""
    for group, left_out in GROUPS.items():
        if group not in only:
            continue
        model = fit_without(left_out, SEED)
        lengths_s = np.concatenate([bout_lengths(signals_of(name)) for name in SOURCES if name not in left_out])
        for name in left_out:
            windows, signals = windows_in_time(name), signals_of(name)
            given = answers(model, windows, said=False)
            counted = dict(zip(signals.activities, coarse(signals.activities).tolist(), strict=True))
            yield (
                name,
                Seen(
                    given.proba,
                    ACTIVITIES,
                    given.recordings,
                    windows.start_s,
                    windows.window_length_s,
                    given.unfamiliar,
                    given.label,
                    coarse(ACTIVITIES),
                    coarse(given.label.tolist()),
                    Truth.of(signals, counted),
                    model.answer_limit_,
                    lengths_s,
                ),
            )


def reference(name: str, signals: SignalSet, lengths_s: NDArray[np.float64], people: Sequence[str] = ()) -> Seen:
    """Return what a reference model answers to signals, or to those of some people."""
    model = load_model(ROOT / "reference_models" / name)
    windows = make_windows(signals, model.window_length_s, by_label=False)
    if people:
        windows = windows.take(np.isin(windows.subjects, people))
    found = model.recognise_all(windows.take(slice(i, i + 1024)) for i in range(0, len(windows), 1024))
    by_node = {shared_node(activity) or activity: activity for activity in model.activities}
    names = {label: by_node.get(shared_node(label) or label, "") for label in signals.activities}
    labels = np.array([*(names[label] for label in windows.activities), ""])[windows.y]
    return Seen(
        found.probabilities,
        model.activities,
        windows.recordings,
        windows.start_s,
        windows.window_length_s,
        found.unfamiliar,
        labels,
        np.array(model.activities),
        labels,
        Truth.of(signals, names),
        DEFAULT_LIMIT,
        lengths_s,
    )


def references(only: Sequence[str]) -> Iterator[tuple[str, Seen]]:
    """Yield what the reference models answer to people and data sets that they have not learnt from."""
    for name, data in (("reference-phone-watch", "sp-sw-har"), ("reference-ku-har", "ku-har")):
        if data not in only:
            continue
        people = verify(ROOT / "reference_models" / name)["split"]["subjects"]
        signals = _store(data)
        whose = zip(signals.recording_ids, signals.subjects, strict=True)
        lengths_s = bout_lengths(signals, [recording for recording, person in whose if person in people["train"]])
        yield f"{name}, new people", reference(name, signals, lengths_s, people["test"])
        for other in ELSEWHERE if data == "ku-har" else ():
            moved = signals_of(other)
            moved = replace(moved, signal=moved.signal[:, :6], channels=moved.channels[:6])
            yield f"{name}, on {other}", reference(name, at_rate(moved, 100.0), lengths_s)


def _store(name: str) -> SignalSet:
    with tempfile.TemporaryDirectory() as folder:
        build_store(SETS[name][0], Path(folder) / "store")
        signals = open_store(Path(folder) / "store").signals
        return replace(signals, signal=np.array(signals.signal), labels=np.array(signals.labels))


def posterior(seen: Seen) -> NDArray[np.float64]:
    """Return the posteriors of chains at the nodes of the tree whose states last as long as bouts of training."""
    keep = np.exp(-seen.length_s / seen.lengths_s.mean())
    result = np.ones(seen.proba.shape)
    for members, children in AnswerTree(seen.activities).branches:
        mass = seen.proba[:, members].sum(axis=1, keepdims=True)
        share = np.stack([seen.proba[:, child].sum(axis=1) for child in children], axis=1) / np.maximum(mass, 1e-9)
        evidence = np.maximum(share, 1e-6) ** np.minimum(mass, 1)  # a window that is elsewhere says nothing here
        forward, backward = (
            _messages(evidence[way], seen.stretch[way], keep)[way] for way in (slice(None), slice(None, None, -1))
        )
        states = forward * backward * np.maximum(share, 1e-6)
        states /= states.sum(axis=1, keepdims=True)
        for state, child in zip(states.T, children, strict=True):
            result[:, child] *= state[:, None]
    return np.asarray(result / result.sum(axis=1, keepdims=True))


def _messages(evidence: NDArray[Any], stretch: NDArray[np.int64], keep: float) -> NDArray[np.float64]:
    """Return what the windows before say of each window's state; nothing at the beginning of a stretch."""
    even = np.full(evidence.shape[1], 1 / evidence.shape[1])
    found = np.empty(evidence.shape)
    state = even
    for i, row in enumerate(evidence):
        found[i] = state = even if i and stretch[i] != stretch[i - 1] else state
        after = state * row
        state = keep * after / after.sum() + (1 - keep) * even
    return found


def by_rule(seen: Seen, shortest_s: float) -> Names:
    """Return names where each bout shorter than that, the shortest first, went to the longer of its neighbours."""
    names = seen.likeliest(seen.proba).copy()
    shortest = int(np.ceil(shortest_s / seen.length_s - 1e-9))
    for rows in np.split(np.arange(len(names)), np.flatnonzero(np.diff(seen.stretch)) + 1):
        while True:
            begin = np.append(rows[0], rows[1:][names[rows[1:]] != names[rows[:-1]]])
            count = np.diff(np.append(begin, rows[-1] + 1))
            i = int(count.argmin())
            if len(count) == 1 or count[i] >= shortest:
                break
            neighbours = [j for j in (i - 1, i + 1) if 0 <= j < len(count)]
            names[begin[i] : begin[i] + count[i]] = names[begin[max(neighbours, key=lambda j: count[j])]]
    return names


def row(seen: Seen, proba: NDArray[Any], names: Names | None = None) -> dict[str, Any]:
    """Return the figures of probabilities, or only those of names that were found otherwise."""
    found, truth = seen.likeliest(proba) if names is None else names, seen.named
    there = np.unique(truth[truth != ""])
    figures = {"F1": round(float(f1_score(truth[truth != ""], found[truth != ""], average="macro", labels=there)), 4)}
    kept = ~seen.unfamiliar
    figures |= event_scores(seen.truth, seen.recordings[kept], seen.start_s[kept], seen.length_s, found[kept])
    return figures | _answers(seen, np.asarray(proba, np.float32)) if names is None else figures


def _answers(seen: Seen, proba: NDArray[np.float32]) -> dict[str, Any]:
    """Return how many labelled windows are answered, how true the answers are, and how far off their confidence is."""
    tree = AnswerTree(seen.activities)
    answer = tree.answers(proba, seen.limit)
    confidence = tree.probabilities(proba)[np.arange(len(answer)), answer]
    labels, label = np.unique(seen.label, return_inverse=True)
    true_of = np.array([[name != "" and tree.agrees(node, name) for name in labels] for node in tree.nodes])
    said = (answer != tree.nodes.index(ANYTHING)) & ~seen.unfamiliar
    counted = said & (seen.label != "")
    right = true_of[answer, label][counted]
    return {
        "answered": round(float(said[seen.label != ""].mean()), 4),
        "true": round(float(right.mean()), 4),
        "calibration error": round(_calibration_error(confidence[counted], right), 4),
    }


def measure(seen: Seen) -> dict[str, dict[str, Any]]:
    """Return way → figures."""
    shortest_s = shortest_bout(seen.lengths_s)
    recording = np.unique(seen.recordings, return_inverse=True)[1]
    never = np.zeros(len(seen.proba), bool)
    end_s = seen.start_s + seen.length_s

    def ours(seconds: float) -> dict[str, Any]:
        proba, unfamiliar = smoothed(
            seen.proba, seen.unfamiliar, seen.activities, recording, seen.start_s, end_s, never, never, seconds
        )
        return row(replace(seen, unfamiliar=unfamiliar), proba)

    return {
        "windows alone": row(seen, seen.proba),
        f"smoothed ({shortest_s:.2g} s)": ours(shortest_s),
        **{f"if it were {seconds} s": ours(seconds) for seconds in (6.0, 12.0) if shortest_s > 2},
        f"shortest-bout rule ({shortest_s:.2g} s)": row(seen, seen.proba, by_rule(seen, shortest_s)),
        f"posterior ({seen.lengths_s.mean():.2g} s)": row(seen, posterior(seen)),
    }


def main() -> None:
    """Print the figures: model and data → way → figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=GROUPS, default=list(GROUPS))
    only = parser.parse_args().only
    found = {}
    for title, seen in [*references(only), *((f"everyday, without {name}", seen) for name, seen in everyday(only))]:
        found[title] = measure(seen)
        print(title, json.dumps(found[title], indent=1), file=sys.stderr, flush=True)
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
