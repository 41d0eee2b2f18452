"""Build `reference-everyday`, the general model: trained on the data sets whose licence permits it.

python -m benchmarks.reference_models --only reference-everyday; needs the recordings in HAR_DATA_DIR, and UCI's Daily
and Sports Activities where `benchmarks.strangers` says. Its figures are those of models that were trained without the
data set that they are of: what a model has seen says nothing of it.
"""

from __future__ import annotations

import shutil
import sys
from typing import Any

import numpy as np

from app.har.classifiers.everyday.answer import ACTIVITIES
from app.har.classifiers.everyday.classifier import EverydayClassifier
from app.har.classifiers.everyday.persistence import save_model
from app.har.evaluation.scores import evaluate
from app.har.smoothing import bout_lengths, shortest_bout
from app.har.training.model_card import CARD, everyday_card
from app.har.windows import WindowSet
from benchmarks.bench_everyday import GROUPS, Answers, answers, fit_without, settings, table_row
from benchmarks.everyday_data import (
    LICENSED,
    joined,
    labelled_windows,
    other_movements,
    place_of,
    signals_of,
    windows_in_time,
)
from benchmarks.strangers import FOLDER
from config import ROOT

NAME = "reference-everyday"
OF_OTHERS = (  # what is learnt of a data set besides
    "of UCI Daily and Sports Activities, 8 people (Altun, Barshan and Tunçel 2010, CC BY 4.0): {}, and nothing else"
)
SEED = 0
SETTINGS = {  # what the card shows
    "together, place said": "as recorded, a person's recordings together, with where the device was worn",
    "together": "the same, without saying where it was worn",
    "clips of one kind": "clips of 12 s to 3 min: only walking, only up, only down",
    "clips with known walking": "such clips, with 30 s of the person's walking",
}


def build() -> dict[str, Any]:
    """Measure by data set left out, train on all, and put the model in its place; return its headline figures.

    Raises
    ------
    FileNotFoundError : the data set of other movements is not there.
    """
    others = other_movements()
    if not others:
        raise FileNotFoundError(f"{FOLDER / 'dsads'} is missing; see benchmarks/strangers.py for what belongs there.")
    rows: dict[str, dict[str, dict[str, float]]] = {name: {} for name in SETTINGS}
    parts: list[tuple[WindowSet, Answers]] = []
    for names in GROUPS.values():
        model = fit_without(names, SEED)
        for name in names:
            print(name, file=sys.stderr, flush=True)
            for setting, given in settings(model, name, SEED):
                if setting in SETTINGS:
                    rows[setting][name] = table_row(given, model.answer_limit_)
            windows = windows_in_time(name)
            parts.append((windows, answers(model, windows, said=True)))
    scored = [_scored(windows, given) for windows, given in parts]
    tested = WindowSet.joined([windows for windows, _ in scored])
    metrics = evaluate(
        tested, np.concatenate([proba for _, proba in scored]), fit_seconds=0.0, predict_seconds=1.0, seed=SEED
    ).as_dict()
    final = EverydayClassifier(place_of()).fit(
        joined([*(labelled_windows(name) for name in LICENSED), *others]), seed=SEED
    )
    final.shortest_bout_s = shortest_bout(np.concatenate([bout_lengths(signals_of(name)) for name in LICENSED]))
    people = {name: len(set(signals_of(name).subjects)) for name in LICENSED}
    split = {
        "protocol": "dataset",
        "seed": SEED,
        "train_windows": sum(len(labelled_windows(name)) for name in LICENSED),
        "train_subjects": sum(people.values()),
        "test_windows": len(tested),
        "test_subjects": len(set(tested.subjects.tolist())),
        "subjects": {"train": [], "test": []},
    }
    data = {"datasets": [{"dataset": name} for name in LICENSED], "dataset": NAME}
    extra = {"data": data, "split": split, "metrics": metrics, "left_out": rows}
    target = ROOT / "reference_models" / NAME
    shutil.rmtree(target, ignore_errors=True)
    save_model(final, target, extra=extra, texts={CARD: _card(rows, people, split, metrics, final)})
    size = sum(file.stat().st_size for file in target.iterdir())
    return {"size_mib": round(size / 2**20, 2), "accuracy": metrics["accuracy"], "f1": metrics["f1"], "left_out": rows}


def _scored(windows: WindowSet, given: Answers) -> tuple[WindowSet, Any]:
    """Keep the windows whose label is an activity of the model, and number it as the model does."""
    kept = np.isin(given.label, ACTIVITIES)
    y = np.array([ACTIVITIES.index(label) for label in given.label[kept].tolist()], np.int64)
    part = windows.take(kept)
    empty = part.X[:, :, :0].copy()
    return WindowSet(
        empty, y, ACTIVITIES, part.subjects, part.recordings, part.start_s, (), part.sampling_rate_hz, part.gravity
    ), given.proba[kept]


def _card(
    rows: dict[str, dict[str, dict[str, float]]],
    people: dict[str, int],
    split: dict[str, Any],
    metrics: dict[str, Any],
    model: EverydayClassifier,
) -> str:
    besides = model.besides_.movements if model.besides_ else ()
    trained = [
        *(f"{name}: {f'{count} people' if count > 1 else 'people unnamed'}" for name, count in people.items()),
        f"{split['train_windows']:,} windows in all; data sets count evenly, and activities within them, seed {SEED}",
        OF_OTHERS.format(" and ".join(besides).lower()),
    ]
    figures = f"{metrics['accuracy']['value']:.3f} (macro F1 {metrics['f1']['value']:.3f})"
    measured = (
        f"""HAPT's licence allows measuring with it, not using it: the model that people get never saw it.

Each data set was left out of training and of calibration, and recognised by what the others taught (seed {SEED}). An
answer is true where it is the activity, or a group that holds it. Each model chooses how probable its answers must be
from the data sets that it has seen; the one here asks for {model.answer_limit_:g}. Of the windows that a data set gives
one of these activities, whatever its sensors can tell, the likeliest activity is right in {figures}: where nothing
tells sitting from standing, that is a guess.""",
        *(_table_of(about, rows[setting]) for setting, about in SETTINGS.items()),
    )
    return everyday_card("Everyday activities on any phone or watch", trained, measured, besides)


def _table_of(about: str, rows: dict[str, dict[str, float]]) -> str:
    lines = [
        "| Left out | Windows | Still, on foot, running (F1) | With stairs apart (F1) | All activities (F1) "
        "| Answers that are true | Calibration error | One activity | A group |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, row in rows.items():
        cells = [row[key] for key in ("levels", "coarse", "leaves", "true", "calibration_error", "deep_activity")]
        cells.append(row["deep_stairs"] + row["deep_level"])
        lines.append(f"| {name} | {row['windows']:,} | " + " | ".join(f"{cell:.3f}" for cell in cells) + " |")
    return f"### {about[0].upper()}{about[1:]}\n\n" + "\n".join(lines)
