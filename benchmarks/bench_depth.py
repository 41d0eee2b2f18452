"""How true answers are, and how deep they go, on phones that a model has never met; JSON on stdout.

python -m benchmarks.bench_depth; needs MotionSense in HAR_DATA_DIR. Its files are recognised by `reference-ku-har` as
uploads are: another phone, in a trouser pocket instead of at the waist. ``true`` is the share of the answers that hold,
``deepest guess`` the share of all windows in which the likeliest activity is right.
"""

from __future__ import annotations

import json
import sys
import tempfile
import zipfile
from dataclasses import replace
from pathlib import Path, PurePosixPath

import numpy as np

from app.har.classifiers.stored_models import load_model
from app.services.recordings.prediction_result import PredictionResult
from app.services.recordings.recognise import Model, always, recognise
from benchmarks.data import SETS
from config import ROOT

MODEL = "reference-ku-har"
LIMITS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)


def results() -> list[PredictionResult]:
    """Return what is recognised in each file, with the activity that its folder names as the label of all windows."""
    model = load_model(ROOT / "reference_models" / MODEL)
    found = []
    with zipfile.ZipFile(SETS["motion-sense"][0]) as archive, tempfile.TemporaryDirectory() as folder:
        for name in archive.namelist():
            member = PurePosixPath(name)
            if member.suffix != ".csv" or not member.name.startswith("sub_"):
                continue
            print(name, file=sys.stderr, flush=True)
            path = Path(folder) / member.name
            path.write_bytes(archive.read(name))
            result = recognise(path, member.name, always(Model(MODEL, lambda: model))).result
            activity = member.parent.name.partition("_")[0]
            found.append(replace(result, labels=np.zeros(len(result), np.int64), label_activities=(activity,)))
    return found


def figures(found: list[PredictionResult], limit: float) -> dict[str, float]:
    """Return the shares at one limit."""
    summaries = [replace(result, limit=limit).summary() for result in found]
    windows = sum(summary["windows"] for summary in summaries)

    def share(key: str) -> float:
        return round(sum(summary["windows_per_depth"][key] for summary in summaries) / windows, 3)

    right = sum(summary["right"] or 0 for summary in summaries)
    guessed = sum(summary["deepest_right"] or 0 for summary in summaries)
    return {
        "true": round(right / sum(summary["compared"] for summary in summaries), 3),
        "one activity": share("activity"),
        "a group": share("group"),
        "no answer": share("none"),
        "deepest guess": round(guessed / windows, 3),
    }


def main() -> None:
    """Print the figures."""
    found = results()
    document = {
        "model": MODEL,
        "data set": "MotionSense, 24 people",
        "windows": sum(map(len, found)),
        "limit": {f"{limit:g}": figures(found, limit) for limit in LIMITS},
    }
    print(json.dumps(document, indent=2))


if __name__ == "__main__":
    main()
