"""A second stage over the course of a recording against the hidden Markov model, by people held out; JSON on stdout.

python -m benchmarks.bench_context; needs HAPT and SP-SW-HAR in HAR_DATA_DIR. `benchmarks.courses` says what the scores
are. A stage learns from courses of people in true and in shuffled order, is chosen by people for choosing, and is
tested on others: in true order, in shuffled order, and on the other data set, with its other activities and windows.

- *chain*: a linear chain (conditional random field) that learns how much a window's score weighs and how likely a
  change is, given how different scores and features are before and after. It knows no activity: it goes anywhere.
- *gru, any activity*: a GRU both ways and attention over 64 windows, read for one activity at a time with the same
  weights; it sees that activity's score, how far it leads, and the same evidence of change. It goes anywhere, too.
- *gru, its activities*: the same over the scores of all activities at once, so that it can learn which follows which;
  also from true order alone, to see whether it learns the protocol.

Features are in it as distances: those of models of different folds have no axes in common. *hmm, chosen* is the
hidden Markov model whose shortest bout was chosen by the people for choosing; as long as the product's it is *hmm*.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from sklearn.metrics import f1_score

from app.har.smoothing import smoothed
from benchmarks.courses import DRAWS, Course, Courses, courses_of
from benchmarks.event_scores import event_scores

SETS = ("hapt", "sp-sw-har")
ORDERS = ("true order", DRAWS[0])
SPANS = (1, 2, 4, 8)  # windows before and after, whose scores are compared
FEATURE_SPANS = (1, 3)
LEAST = 1e-4  # of a probability
WINDOWS, UNITS, EPOCHS, BATCH, RATE = 64, 16, 8, 32, 5e-3  # of the network
TEMPERATURE = 0.5  # scores come sharper and duller, as another model's may be
HMM_S = (2.0, 3.0, 4.0, 6.0, 9.0, 12.0)

Floats = NDArray[Any]
Stage = Callable[[Course], Floats]  # probabilities (n, n_activities)


def log_scores(course: Course) -> Floats:
    """Return logarithms of probabilities, none without bound."""
    proba = np.maximum(course.proba.astype(np.float64), LEAST)
    return np.asarray(np.log(proba / proba.sum(axis=1, keepdims=True)))


def evidence(course: Course) -> Floats:
    """Return how different scores and features are before and after each window's beginning (n, 6)."""
    n, stretch = len(course.y), course.stretch
    first = np.searchsorted(stretch, stretch)
    end = np.searchsorted(stretch, stretch, side="right")
    place = np.arange(n)

    def sides(values: Floats, span: int) -> tuple[Floats, Floats]:
        sums = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0, dtype=np.float64)])
        low, high = np.maximum(place - span, first), np.minimum(place + span, end)
        before = (sums[place] - sums[low]) / np.maximum(place - low, 1)[:, None]
        return np.maximum(before, 0) if (values >= 0).all() else before, (sums[high] - sums[place]) / (high - place)[
            :, None
        ]

    columns = []
    for span in SPANS:  # Hellinger's distance
        before, after = sides(np.exp(log_scores(course)), span)
        columns.append(np.sqrt(np.maximum(1 - np.sqrt(before * np.maximum(after, 0)).sum(axis=1), 0)))
    for span in FEATURE_SPANS:
        before, after = sides(course.features.astype(np.float32), span)
        far = np.sqrt(((before - after) ** 2).mean(axis=1))
        columns.append(np.log(np.maximum(far, 1e-3) / np.median(far)))
    return np.stack(columns, axis=1)


def rows_of(course: Course, length: int, step: int) -> NDArray[np.int64]:
    """Return the windows of pieces of stretches (n_pieces, length), -1 where a piece is shorter."""
    cuts = np.flatnonzero(np.diff(course.stretch, prepend=-1, append=-1))
    found = []
    for begin, end in zip(cuts[:-1].tolist(), cuts[1:].tolist(), strict=True):
        for at in range(begin, max(end - (length - step), begin + 1), step):
            rows = np.arange(at, min(at + length, end))
            found.append(np.pad(rows, (0, length - len(rows)), constant_values=-1))
    return np.array(found)


# --- chain ---


def _posterior(weights: Floats, logs: Floats, votes: Floats, proof: Floats) -> Floats:
    """Return each window's posterior, forward and backward, of pieces at once (n_pieces, length, n_activities)."""
    seen = np.exp(weights[0] * logs + weights[1] * votes)
    change = 1 / (1 + np.exp(-np.clip(weights[2] + proof @ weights[3:], -12, 12)))[..., None]
    n = logs.shape[2]
    before, after = np.full(logs.shape, 1 / n), np.full(logs.shape, 1 / n)

    def moved(state: Floats, at: int) -> Floats:
        state = state / state.sum(axis=1, keepdims=True)
        return np.asarray(state * (1 - change[:, at]) + (1 - state) * change[:, at] / (n - 1))

    for t in range(1, logs.shape[1]):
        before[:, t] = moved(before[:, t - 1] * seen[:, t - 1], t)
    for t in range(logs.shape[1] - 2, -1, -1):
        after[:, t] = moved(after[:, t + 1] * seen[:, t + 1], t + 1)
    whole = before * seen * after
    return np.asarray(whole / whole.sum(axis=2, keepdims=True))


def _pieces(course: Course, length: int) -> tuple[NDArray[np.int64], Floats, Floats, Floats]:
    rows, logs = rows_of(course, length, length), log_scores(course)
    votes = np.eye(logs.shape[1])[logs.argmax(axis=1)]
    none = (rows < 0)[..., None]
    return rows, np.where(none, 0, logs[rows]), np.where(none, 0, votes[rows]), evidence(course)[rows]


def chain(courses: Sequence[Course]) -> Stage:
    """Learn a chain from labelled windows by their posteriors."""
    parts = [(*_pieces(course, 200), course.y) for course in courses]

    def wrong(weights: Floats) -> float:
        total = 0.0
        for rows, logs, votes, proof, y in parts:
            label = np.where(rows < 0, -1, y[rows])
            found = _posterior(weights, logs, votes, proof)[label >= 0]
            total -= float(np.log(np.maximum(found[np.arange(len(found)), label[label >= 0]], 1e-6)).mean())
        return total / len(parts) + 1e-3 * float((weights[1:] ** 2).sum())

    start = np.array([0.5, 0.5, -3, *[0.3] * (len(SPANS) + len(FEATURE_SPANS))])
    weights = minimize(wrong, start, method="L-BFGS-B", options={"maxiter": 20}).x

    def apply(course: Course) -> Floats:
        rows, *seen = _pieces(course, 400)
        result = np.empty(course.proba.shape)
        result[rows[rows >= 0]] = _posterior(weights, *seen)[rows >= 0]
        return result

    return apply


# --- networks ---


def _inputs(course: Course, rows: NDArray[np.int64], rng: np.random.Generator | None) -> tuple[Floats, Floats]:
    """Return of each piece log scores (n, length, n_activities), and what a GRU reads (n, n_activities, length, 9)."""
    logs = np.where((rows < 0)[..., None], -3, log_scores(course)[rows])
    if rng is not None:
        logs = logs * np.exp(rng.normal(0, TEMPERATURE, (len(logs), 1, 1)))
    logs = logs - np.log(np.exp(logs).sum(axis=2, keepdims=True))
    proba, proof = np.exp(logs), np.where((rows < 0)[..., None], 0, evidence(course)[rows])
    ordered = np.sort(proba, axis=2)
    best = proba >= ordered[..., -1:]
    lead = proba - np.where(best, ordered[..., -2:-1], ordered[..., -1:])
    own = np.stack([logs / 4, proba, lead], axis=-1)
    shared = np.broadcast_to(proof[:, :, None], (*proba.shape, proof.shape[2]))
    return logs.astype(np.float32), np.concatenate([own, shared], axis=-1).transpose(0, 2, 1, 3).astype(np.float32)


def _core(n_columns: int, n_out: int) -> Any:
    import keras
    from keras import layers

    inputs = keras.Input((WINDOWS, n_columns))
    states = layers.Bidirectional(layers.GRU(UNITS, return_sequences=True))(inputs)
    context = layers.MultiHeadAttention(2, 8)(states, states)
    return keras.Model(inputs, layers.Dense(n_out)(layers.Concatenate()([states, context, inputs])))


def network(courses: Sequence[Course], any_activity: bool) -> Stage:
    """Learn a GRU with attention, of one activity at a time or of all at once."""
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    rows = [rows_of(course, WINDOWS, WINDOWS // 2) for course in courses]
    y = np.concatenate([np.where(of < 0, -1, course.y[of]) for course, of in zip(courses, rows, strict=True)])
    n = courses[0].proba.shape[1]
    core = _core(9, 1) if any_activity else _core(3 * n + 6, n)

    def scores(logs: Any, read: Any, training: bool = False) -> Any:
        shape = tf.shape(read)
        if any_activity:
            one = core(tf.reshape(read, (-1, WINDOWS, 9)), training=training)
            return logs + tf.transpose(tf.reshape(one, (shape[0], shape[1], WINDOWS)), (0, 2, 1))
        own = tf.reshape(tf.transpose(read[..., :3], (0, 2, 1, 3)), (-1, WINDOWS, 3 * n))
        return logs + core(tf.concat([own, read[:, 0, :, 3:]], axis=2), training=training)

    optimiser = keras.optimizers.Adam(RATE)
    losses = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="none")

    @tf.function(reduce_retracing=True)
    def learn(logs: Any, read: Any, label: Any) -> None:
        known = tf.cast(label >= 0, tf.float32)
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(losses(tf.maximum(label, 0), scores(logs, read, True)) * known) / tf.reduce_sum(known)
        weights = core.trainable_variables
        optimiser.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))

    for epoch in range(EPOCHS):
        optimiser.learning_rate = RATE * (1 - epoch / EPOCHS)
        given = [_inputs(course, of, rng) for course, of in zip(courses, rows, strict=True)]
        logs, read = (np.concatenate([part[i] for part in given]) for i in (0, 1))
        order = rng.permutation(np.flatnonzero((y >= 0).any(axis=1)))
        for i in range(0, len(order) - BATCH + 1, BATCH):
            chosen = order[i : i + BATCH]
            learn(logs[chosen], read[chosen], y[chosen])

    def apply(course: Course) -> Floats:
        rows = rows_of(course, WINDOWS, WINDOWS // 2)
        logs, read = _inputs(course, rows, None)
        found = np.concatenate(
            [np.asarray(scores(logs[i : i + 64], read[i : i + 64])) for i in range(0, len(logs), 64)]
        )
        inside = np.minimum(np.arange(1, WINDOWS + 1), (rows >= 0).sum(axis=1)[:, None] - np.arange(WINDOWS))
        result = np.empty(course.proba.shape)
        for depth in np.unique(inside[rows >= 0]).tolist():  # that piece counts in whose middle a window is
            of_it = (inside == depth) & (rows >= 0)
            result[rows[of_it]] = found[of_it]
        result = np.exp(result - result.max(axis=1, keepdims=True))
        return np.asarray(result / result.sum(axis=1, keepdims=True))

    return apply


# --- comparison ---


def hmm(activities: tuple[str, ...], shortest_s: float) -> Stage:
    """Return the product's smoothing."""

    def apply(course: Course) -> Floats:
        never, recording = np.zeros(len(course.y), bool), np.unique(course.recordings, return_inverse=True)[1]
        end_s = course.start_s + course.length_s
        given = (activities, recording, course.start_s, end_s, never, never, shortest_s)
        return smoothed(course.proba, never, *given)[0]

    return apply


def figures(course: Course, activities: tuple[str, ...], proba: Floats) -> dict[str, Any]:
    """Return macro F1 of the windows, and the scores of events."""
    found, known = proba.argmax(axis=1), course.y >= 0
    there = np.unique(course.y[known])
    return {
        "F1": round(float(f1_score(course.y[known], found[known], average="macro", labels=there)), 4),
        **event_scores(course.truth, course.recordings, course.start_s, course.length_s, np.array(activities)[found]),
    }


def worth(courses: Courses, stage: Stage, people: Sequence[str]) -> float:
    """Return by what a stage is chosen: F1 of windows and of events at half their length, both orders alike."""
    rows = [
        figures(part, courses.activities, stage(part))
        for part in (courses.by_order[name].of(people) for name in ORDERS)
    ]
    return round(float(np.mean([row[key] for row in rows for key in ("F1", "event F1 at 0.5")])), 4)


def measure() -> dict[str, Any]:
    """Return data set → order → way → figures, the stages of the other data set among them."""
    data = {name: courses_of(name) for name in SETS}
    learnt: dict[str, dict[str, Stage]] = {}
    for name, of in data.items():
        learning = {order: course.of(of.learning) for order, course in of.by_order.items()}
        every, true = list(learning.values()), [learning["true order"]]
        learnt[name] = {"chain": chain(every), "gru, any activity": network(every, True)}
        learnt[name]["gru, its activities"] = network(every, False)
        learnt[name]["gru, its activities, true order alone"] = network(true, False)
        print(name, "learnt", file=sys.stderr, flush=True)
    result: dict[str, Any] = {}
    for name, other in zip(SETS, SETS[::-1], strict=True):
        of = data[name]
        by_length = {seconds: worth(of, hmm(of.activities, seconds), of.choosing) for seconds in HMM_S}
        chosen = max(by_length, key=by_length.__getitem__)
        stages = {
            "windows alone": lambda course: course.proba,
            f"hmm ({of.shortest_s:.2g} s)": hmm(of.activities, of.shortest_s),
            f"hmm, chosen ({chosen:.2g} s)": hmm(of.activities, chosen),
            **learnt[name],
            f"chain of {other}": learnt[other]["chain"],
            f"gru, any activity, of {other}": learnt[other]["gru, any activity"],
        }
        result[f"{name}, people for choosing"] = {way: worth(of, stage, of.choosing) for way, stage in stages.items()}
        for order in ORDERS:
            course = of.by_order[order].of(of.test)
            rows = {way: figures(course, of.activities, stage(course)) for way, stage in stages.items()}
            result[f"{name}, new people, {order}"] = rows
        result[f"{name}, share of the time of recognition"] = {
            way: round(_day_s(stage, of) / of.day_s, 4) for way, stage in stages.items()
        }
        print(json.dumps(result, indent=1), file=sys.stderr, flush=True)
    return result


def _day_s(stage: Stage, courses: Courses) -> float:
    """Return the processor time of a day of windows."""
    course = courses.by_order["true order"]
    began = time.process_time()
    stage(course)
    return (time.process_time() - began) * 28_800 / len(course.y)


if __name__ == "__main__":
    print(json.dumps(measure(), indent=1))
