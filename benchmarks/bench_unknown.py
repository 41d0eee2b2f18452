"""What the everyday model makes of activities that it never learnt, and of devices that nobody wears.

python -m benchmarks.bench_unknown; needs the recordings in HAR_DATA_DIR, and asks about UCI's Daily and Sports
Activities too where `benchmarks.strangers` says. Each data set is asked about by a model that saw neither it nor the
activity left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from app.har.classifiers.base import WindowFormat
from app.har.classifiers.everyday.answer import on_table
from app.har.classifiers.everyday.besides import fit_besides
from app.har.classifiers.everyday.classifier import WINDOW_S, EverydayClassifier
from app.har.classifiers.everyday.evidence import gather
from app.har.classifiers.everyday.novelty import fit_novelty
from app.har.classifiers.everyday.training import Training, fit_questions
from app.har.classifiers.everyday.wearing import Track
from app.har.vocabulary import RUNNING, STAIRS, STILL
from app.har.windows import WindowSet, make_windows
from benchmarks import strangers
from benchmarks.bench_everyday import labelled_training
from benchmarks.everyday_data import (
    BESIDES,
    SOURCES,
    in_vocabulary,
    joined,
    labelled_windows,
    other_movements,
    windows_in_time,
)

LEFT_OUT = {  # activity: the data sets that have it
    RUNNING: ("ku-har", "motion-sense", "wisdm-watch", "stm-har"),
    STAIRS: ("ku-har", "hapt", "motion-sense", "wisdm-watch"),
}
NEVER_LEARNT = {"wisdm-watch": ("Kicking",), "stm-har": ("Cycling", "driving")}  # by data set
SPORTS = ("Jumping", "Exercise bike", "Cross trainer", "Stepper", "Rowing", "Basketball")  # of DSADS
SEED = 0
RESTING = ("Standing", "Sitting", "Lying")
DESK_RMS = 0.02  # m/s²: recordings of STM's "stationary" whose median is below this lay on a desk


def everything() -> tuple[WindowFormat, Training]:
    """Return what windows are like, and all labelled ones as a model sees them."""
    parts = []
    for name in SOURCES:
        windows = labelled_windows(name)
        parts.append(labelled_training(of_format(WindowFormat.of(windows)), name))
    whole = [np.concatenate([getattr(part, field) for part in parts]) for field in ("node", "dataset")]
    return WindowFormat.of(windows), Training(Track.joined([part.track for part in parts]), *whole)


def of_format(windows: WindowFormat) -> EverydayClassifier:
    """Return a model that was not fitted, for such windows."""
    model = EverydayClassifier()
    model.format_ = windows
    return model


def movements(whole: Training, windows: WindowFormat) -> Training:
    """Return the windows of other movements that people have put in place; none where they lack."""
    parts = other_movements()
    if not parts:
        return whole.take(np.zeros(0, np.int64))
    of_all = joined(parts)
    dataset = np.array([name.partition("/")[0] for name in of_all.subjects.tolist()])
    return Training(of_format(windows).track(of_all), np.array(of_all.activities)[of_all.y], dataset)


def learnt(training: Training, others: Training, windows: WindowFormat) -> EverydayClassifier:
    """Return a model that learnt the questions, and what is unlike anything known; it is not calibrated."""
    model = of_format(windows)
    model.questions_ = fit_questions(training, model.columns, SEED)
    model.novelty_ = fit_novelty(training, model.columns, SEED)
    model.besides_ = fit_besides(training, others, model.columns, SEED)
    return model


def unfamiliar(whole: Training, windows: WindowFormat) -> Iterator[tuple[str, dict[str, float]]]:
    """Yield how much of an unknown activity, and of the known ones, is called unlike anything known."""
    others = movements(whole, windows)
    for activity, names in LEFT_OUT.items():
        unknown = whole.is_below(activity)
        for name in names:
            of_set = whole.dataset == name
            model = learnt(whole.take(np.flatnonzero(~of_set & ~unknown)), others, windows)
            asked = (whole.track.take(np.flatnonzero(of_set & part)) for part in (unknown, ~unknown))
            yield f"{activity}, {name}", _shares(model, *asked)
    for name, activities in NEVER_LEARNT.items():
        of_set = whole.dataset == name
        model = learnt(whole.take(np.flatnonzero(~of_set)), others, windows)
        known, in_time = whole.track.take(np.flatnonzero(of_set)), windows_in_time(name)
        for activity in activities:
            yield f"{activity}, {name}", _shares(model, model.track(_of(in_time, activity)), known)
    model = learnt(whole, others.take(np.zeros(0, np.int64)), windows)
    for name in (name for name in BESIDES if name in strangers.there()):
        of_stranger = make_windows(strangers.signals_of(name), WINDOW_S)
        known = model.track(in_vocabulary(of_stranger))
        for activity in SPORTS:
            yield f"{activity}, {name}", _shares(model, model.track(_of(of_stranger, activity)), known)


def _shares(model: EverydayClassifier, unknown: Track, known: Track) -> dict[str, float]:
    new, old = (model.novelty(track, gather(track, model.columns, model.questions_)) > 1 for track in (unknown, known))
    return {"called unfamiliar": float(new.mean()), "known ones called so": float(old.mean())}


def not_worn(whole: Training, windows: WindowFormat) -> Iterator[tuple[str, dict[str, float]]]:
    """Yield how much of resting people, and of devices on a desk, is called not worn."""
    model, resting = of_format(windows), whole.is_below(STILL)
    for name in SOURCES:
        rows = np.flatnonzero(resting & (whole.dataset == name))
        if name != "stm-har" and len(rows):
            yield f"resting people of {name}", _called(whole.track.take(rows))
    for name in (name for name in BESIDES if name in strangers.there()):
        of_stranger = make_windows(strangers.signals_of(name), WINDOW_S)
        at_rest = np.isin(np.array(of_stranger.activities)[of_stranger.y], RESTING)
        track = model.track(of_stranger.take(at_rest))
        yield f"resting people of {name}", _called(track)
        silent = replace(track, rotation_rms=np.full_like(track.rotation_rms, np.nan))
        yield f"resting people of {name}, without gyroscope", _called(silent)
    track = model.track(_of(windows_in_time("stm-har"), STILL))
    medians = {name: np.median(track.movement_rms[track.recordings == name]) for name in np.unique(track.recordings)}
    desk = np.isin(track.recordings, [name for name, median in medians.items() if median < DESK_RMS])
    yield "STM, as quiet as on a desk", _called(track.take(np.flatnonzero(desk)))
    yield "STM, stationary otherwise", _called(track.take(np.flatnonzero(~desk)))


def _called(track: Track) -> dict[str, float]:
    return {"windows": len(track), "called not worn": float((on_table(track) > 0.5).mean())}


def _of(windows: WindowSet, activity: str) -> WindowSet:
    return windows.take(np.flatnonzero(windows.y == windows.activities.index(activity)))


def main() -> None:
    """Print the figures."""
    windows, whole = everything()
    found = {"left out of training": unfamiliar(whole, windows), "not worn": not_worn(whole, windows)}
    print(json.dumps({what: dict(rows) for what, rows in found.items()}, indent=1))


if __name__ == "__main__":
    main()
