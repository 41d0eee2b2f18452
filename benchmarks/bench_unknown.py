"""What the everyday model makes of activities that it never learnt, and of devices that nobody wears.

python -m benchmarks.bench_unknown; needs the recordings in HAR_DATA_DIR. Each data set is asked about by a model that
saw neither it nor the activity left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from app.har.classifiers.base import WindowFormat
from app.har.classifiers.everyday.answer import on_table
from app.har.classifiers.everyday.classifier import EverydayClassifier
from app.har.classifiers.everyday.novelty import fit_novelty
from app.har.classifiers.everyday.training import Training
from app.har.classifiers.everyday.wearing import Track
from app.har.vocabulary import RUNNING, STAIRS, STILL
from app.har.windows import WindowSet
from benchmarks.bench_everyday import labelled_training
from benchmarks.everyday_data import SOURCES, labelled_windows, windows_in_time

LEFT_OUT = {  # activity: the data sets that have it
    RUNNING: ("ku-har", "motion-sense", "wisdm-watch", "stm-har"),
    STAIRS: ("ku-har", "hapt", "motion-sense", "wisdm-watch"),
}
KICKING = "Kicking"
DESK_RMS = 0.02  # m/s²: recordings of STM's "stationary" whose median is below this lay on a desk


def everything() -> tuple[EverydayClassifier, Training]:
    """Return a model that was not fitted, and all labelled windows as it sees them."""
    parts = []
    for name in SOURCES:
        windows = labelled_windows(name)
        model = EverydayClassifier()
        model.format_ = WindowFormat.of(windows)
        parts.append(labelled_training(model, name))
    whole = [np.concatenate([getattr(part, field) for part in parts]) for field in ("node", "dataset")]
    return model, Training(Track.joined([part.track for part in parts]), *whole)


def unfamiliar(model: EverydayClassifier, whole: Training) -> Iterator[tuple[str, str, dict[str, float]]]:
    """Yield how much of an unknown activity, and of the known ones, is called unlike anything known."""
    for activity, names in LEFT_OUT.items():
        unknown = whole.is_below(activity)
        for name in names:
            of_set = whole.dataset == name
            novelty = fit_novelty(whole.take(np.flatnonzero(~of_set & ~unknown)), model.columns, seed=0)
            called = novelty(whole.take(np.flatnonzero(of_set)).track, model.columns) > 1
            there = unknown[of_set]
            yield activity, name, _shares(called[there], called[~there])
    of_set = whole.dataset == "wisdm-watch"
    novelty = fit_novelty(whole.take(np.flatnonzero(~of_set)), model.columns, seed=0)
    kicks = model.track(_of(windows_in_time("wisdm-watch"), KICKING))
    known = whole.take(np.flatnonzero(of_set)).track
    shares = _shares(novelty(kicks, model.columns) > 1, novelty(known, model.columns) > 1)
    yield KICKING, "wisdm-watch", shares


def _shares(unknown: NDArray[np.bool_], known: NDArray[np.bool_]) -> dict[str, float]:
    return {"called unfamiliar": float(unknown.mean()), "known ones called so": float(known.mean())}


def not_worn(model: EverydayClassifier, whole: Training) -> Iterator[tuple[str, dict[str, float]]]:
    """Yield how much of resting people, and of devices on a desk, is called not worn."""
    resting = whole.is_below(STILL)
    for name in SOURCES:
        rows = np.flatnonzero(resting & (whole.dataset == name))
        if name != "stm-har" and len(rows):
            yield f"resting people of {name}", _called(on_table(whole.track.take(rows)) > 0.5)
    track = model.track(_of(windows_in_time("stm-har"), STILL))
    medians = {name: np.median(track.movement_rms[track.recordings == name]) for name in np.unique(track.recordings)}
    desk = np.isin(track.recordings, [name for name, median in medians.items() if median < DESK_RMS])
    called = on_table(track) > 0.5
    yield "STM, as quiet as on a desk", _called(called[desk])
    yield "STM, stationary otherwise", _called(called[~desk])


def _called(called: NDArray[np.bool_]) -> dict[str, float]:
    return {"windows": len(called), "called not worn": float(called.mean())}


def _of(windows: WindowSet, activity: str) -> WindowSet:
    return windows.take(np.flatnonzero(windows.y == windows.activities.index(activity)))


def main() -> None:
    """Print the figures."""
    model, whole = everything()
    document = {
        "left out of training": {f"{what}, {name}": row for what, name, row in unfamiliar(model, whole)},
        "not worn": dict(not_worn(model, whole)),
    }
    print(json.dumps(document, indent=1))


if __name__ == "__main__":
    main()
