"""Does an artefact answer as the model does, and what does it lose where it is coarser?"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from app.har.classifiers.elm_gru_am.classifier import ActivityClassifier
from app.har.classifiers.types import Recognition
from app.har.errors import UnusableRecording
from app.har.evaluation.scores import confusion_matrix, macro_scores
from app.har.exports.device_model import windows_like
from app.har.exports.types import Answers, Emulated, HeldOut
from app.har.types import FloatArray, IntArray
from app.har.vocabulary import AnswerTree
from app.har.windows import WindowSet

MOST_APART = 1e-3  # of probabilities that are to be the same
SAME_ANSWERS = 0.999  # share of windows
SAME_WHEN_COARSE, MOST_F1_LOST = 0.95, 0.01  # of an artefact whose weights were rounded
MADE_UP = 96  # windows that nobody recorded
WITHOUT_SENSORS = 64  # windows of people, once more with sensors missing


def windows_to_try(model: ActivityClassifier, held_out: HeldOut | None, seed: int = 0) -> WindowSet:
    """Return windows to compare by: those held out, some of them again without some sensors, and made-up ones."""
    made_up = _made_up(model, seed)
    parts = [without_sensors(model, made_up)]
    if held_out:
        X = held_out.windows.X
        some = X[np.random.default_rng(seed).permutation(len(X))[:WITHOUT_SENSORS]]
        parts = [X, without_sensors(model, some), *parts]
    return windows_like(model, np.concatenate(parts).astype(np.float32))


def _made_up(model: ActivityClassifier, seed: int) -> FloatArray:
    """Return quiet, rhythmic and wild signals, turned any way: they reach what recordings of people do not."""
    random = np.random.default_rng(seed)
    n_timesteps, n_channels = model.n_timesteps, len(model.channels)
    time_s = np.arange(n_timesteps) / model.sampling_rate_hz
    shape = (MADE_UP, 1, n_channels)
    size = 10 ** random.uniform(-3, 1, (MADE_UP, 1, 1))
    rhythm_hz = random.uniform(0.3, 4, (MADE_UP, 1, 1))
    phase = random.uniform(0, 2 * np.pi, shape)
    moving = sum(
        np.sin(2 * np.pi * k * rhythm_hz * time_s[None, :, None] + k * phase) * random.uniform(0, 1 / k, shape)
        for k in (1, 2, 3, 5)
    )
    level = random.standard_normal(shape) * (6.0 if model.gravity == "included" else 0.1)
    noise = 0.1 * random.standard_normal((MADE_UP, n_timesteps, n_channels))
    return np.asarray(level + size * (moving + noise), np.float32)


def without_sensors(model: ActivityClassifier, X: FloatArray) -> FloatArray:
    """Return windows of which one after the other lacks other sensors."""
    patterns = list(model.layout.patterns())
    X = X.copy()
    for number in range(len(X)):
        for is_in, channels in zip(patterns[number % len(patterns)], model.layout.by_sensor.values(), strict=True):
            if not is_in:
                X[number][:, channels] = np.nan
    return X


def compare(
    model: ActivityClassifier, found: Recognition | Answers, emulated: Emulated, held_out: HeldOut | None, limit: float
) -> dict[str, Any]:
    """Return how far an artefact is from the model, and how right both are of the people held out."""
    tree = AnswerTree(model.activities)
    expected, answered = tree.answers(found.probabilities, limit), emulated.answers
    if answered is None:
        answered = tree.answers(emulated.probabilities, limit)
    same = (expected == answered) & (found.unfamiliar == emulated.unfamiliar)
    apart = np.abs(emulated.probabilities - found.probabilities)
    n = len(held_out.windows) if held_out else 0
    report: dict[str, Any] = {
        "windows": len(same),
        "held_out_windows": n,
        "whose": held_out.whose if held_out else "",
        "largest_difference": float(apart.max()),
        "same_answers": float(same.mean()),
    }
    if held_out:
        scores = [_scores(held_out.windows, p[:n]) for p in (emulated.probabilities, found.probabilities)]
        report |= dict(zip(("scores", "scores_of_model"), scores, strict=True))
        report["same_answers_held_out"] = float(same[:n].mean())
    return report


def _scores(windows: WindowSet, probabilities: FloatArray) -> dict[str, Any]:
    found = probabilities.argmax(axis=1)

    def macro(rows: IntArray) -> tuple[float, float]:
        confusion = confusion_matrix(windows.y[rows], found[rows], len(windows.activities))
        accuracy, _, _, f1 = macro_scores(confusion[None])[0].tolist()
        return accuracy, f1

    everything = np.arange(len(windows))
    accuracy, f1 = macro(everything)
    people = {who: everything[windows.subjects == who] for who in sorted(set(windows.subjects.tolist()))}
    by_subject = {who: {"windows": len(rows), "f1": macro(rows)[1]} for who, rows in people.items()}
    return {"f1": f1, "accuracy": accuracy, "by_subject": by_subject}


def refuse_where_wrong(report: dict[str, Any], rounded: bool) -> None:
    """Raise unless an artefact may be handed out; ``rounded`` allows for weights that are coarser by intention.

    Raises
    ------
    UnusableRecording : the message says what it does not keep to.
    """
    apart, same = report["largest_difference"], report["same_answers"]
    if not np.isfinite(apart):
        raise UnusableRecording("The artefact's answers are no numbers. It is not handed out.")
    if not rounded and apart > MOST_APART:
        raise UnusableRecording(
            f"The artefact's probabilities differ from the model's by up to {apart:.2g}; at most {MOST_APART:g} is "
            "allowed. It is not handed out."
        )
    if same < (least := SAME_WHEN_COARSE if rounded else SAME_ANSWERS):
        raise UnusableRecording(
            f"The artefact answers {same:.2%} of {report['windows']:,} windows as the model does; at least {least:.1%} "
            "are needed. It is not handed out."
        )
    if "scores" in report:
        lost = report["scores_of_model"]["f1"] - report["scores"]["f1"]
        if lost > MOST_F1_LOST:
            raise UnusableRecording(
                f"The artefact loses {100 * lost:.1f} points of F1 of the people held out; at most "
                f"{100 * MOST_F1_LOST:g} may be lost. It is not handed out."
            )


def held_out_of(windows: WindowSet, whose: str) -> HeldOut | None:
    """Return the windows of which all is there, None where there are none."""
    kept = whole(windows)
    return HeldOut(kept, whose) if kept is not None else None


def whole(windows: WindowSet) -> WindowSet | None:
    """Return the windows of which all is there, None where there are none."""
    windows = windows.take(np.flatnonzero(np.isfinite(windows.X).all(axis=(1, 2))))
    return replace(windows, datasets=None) if len(windows) else None
