"""Train the models that come with the program: ELM-GRU-AM, by subject, seed 0, each the very model tested.

The everyday model is built by `everyday_reference`, the detector of falls by `falls_reference`.

python -m benchmarks.reference_models [--only reference-ku-har] [--explained]; needs the recordings in HAR_DATA_DIR.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from app.har.classifiers.catalogue import DEPLOYABLE_MODEL
from app.har.classifiers.elm_gru_am.classifier import ActivityClassifier
from app.har.classifiers.elm_gru_am.persistence import load_model
from app.har.classifiers.model_folder import verify
from app.har.datasets.store import build_store, open_store
from app.har.explanations import about
from app.har.progress import Event
from app.har.training.config import TrainConfig
from app.har.training.experiment import run_experiment
from app.har.windows import WindowSet
from benchmarks import everyday_reference, falls_reference
from benchmarks.data import SETS, windows_of
from config import ROOT

MODELS = {
    "reference-ku-har": "ku-har",
    "reference-phone-watch": "sp-sw-har",
    "reference-physiotherapy": "physiotherapy",
}

OTHERS = {everyday_reference.NAME: everyday_reference.build, falls_reference.NAME: falls_reference.build}
ROTATED = ("reference-ku-har",)  # it gets recordings of anybody's phone, and can't tell by gravity how that is worn


def with_unseen_people(only: str | None = None) -> Iterator[tuple[str, ActivityClassifier, WindowSet]]:
    """Yield each model (or one alone) as it is committed, and the windows of the people it was tested on."""
    for name, data in MODELS.items():
        if only not in (None, name):
            continue
        print(name, file=sys.stderr, flush=True)
        folder = ROOT / "reference_models" / name
        windows = windows_of(data)
        tested = np.isin(windows.subjects, verify(folder)["split"]["subjects"]["test"])
        yield name, load_model(folder), windows.take(tested)


def build(name: str, target: Path) -> dict[str, object]:
    """Train one and put it into `target`, in place of what is there; return its headline figures."""
    path, length_s, overlap = SETS[MODELS[name]]
    config = TrainConfig(
        (DEPLOYABLE_MODEL,),
        "subject",
        seed=0,
        window_length_s=length_s,
        overlap=overlap,
        rotation_augmentation=name in ROTATED,
    )

    def report(event: Event) -> None:
        if "epoch" not in event:
            print(f"{name}: {event['stage']}", file=sys.stderr, flush=True)

    with tempfile.TemporaryDirectory() as draft:
        build_store(path, Path(draft) / "store")
        store = open_store(Path(draft) / "store")
        output = Path(draft) / "output"
        output.mkdir()
        data = {"dataset": MODELS[name], "fingerprint": store.summary.fingerprint}
        result = run_experiment(store.signals, config, output, data=data, on_event=report)
        shutil.rmtree(target, ignore_errors=True)
        target.parent.mkdir(exist_ok=True)
        shutil.move(output / "model", target)
    metrics = result["models"][DEPLOYABLE_MODEL]
    size = sum(file.stat().st_size for file in target.iterdir())
    figures = {key: round(metrics[key]["value"], 4) for key in ("accuracy", "f1")}
    return {**figures, "calibration_error": round(metrics["calibration_error"], 4), "size_mib": round(size / 2**20, 2)}


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=[*OTHERS, *MODELS])
    parser.add_argument("--explained", action="store_true", help="only test what explains them, as they are")
    options = parser.parse_args()
    if options.explained:
        for name, model, unseen in with_unseen_people(options.only):
            text = about.as_text(about.about(model, unseen))
            (ROOT / "reference_models" / name / about.FILE).write_text(text, encoding="utf-8")
        return
    names = [options.only] if options.only else [*OTHERS, *MODELS]
    figures = {
        name: build(name, ROOT / "reference_models" / name) if name in MODELS else OTHERS[name]() for name in names
    }
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
