"""What each export of each reference model loses, takes and costs; JSON on stdout.

python -m benchmarks.bench_export [--kept FOLDER]

Every artefact is made as `flask models export` makes it and run on the people whom its model did not learn from, on
some of their windows without some sensors, and on made-up ones. Times are of one window after the other on one core,
the median of several runs, measured last, when everything is made. Where artefacts were kept in FOLDER before, only
times are measured anew: on a quiet machine, that takes a minute.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import zipfile
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from app.har.classifiers.elm_gru_am.persistence import load_model
from app.har.classifiers.model_folder import verify
from app.har.exports import c_emulator, litert_file, onnx_file
from app.har.exports.check import held_out_of, whole, windows_to_try
from app.har.exports.export import export
from app.har.exports.formats import ARTEFACT, DESCRIPTION, EXACT, FORMATS
from app.har.types import FloatArray
from benchmarks.data import windows_of
from benchmarks.reference_models import MODELS
from config import ROOT

KINDS = [(format_, weights) for format_ in ("c", "onnx", "litert") for weights in FORMATS[format_]]
RUNS = 5
LIMIT = 0.8  # how probable an answer must be


def make(name: str, folder: Path) -> None:
    """Make every export of a reference model that the folder lacks."""
    lacking = [kind for kind in KINDS if not (folder / "-".join(kind) / DESCRIPTION).is_file()]
    if not lacking:
        return
    model = load_model(ROOT / "reference_models" / name)
    split = verify(ROOT / "reference_models" / name)["split"]["subjects"]
    windows = windows_of(MODELS[name])
    tested, learnt = (windows.take(np.isin(windows.subjects, split[part])) for part in ("test", "train"))
    held_out = held_out_of(tested, f"{len(split['test'])} people held out of {MODELS[name]}")
    for format_, weights in lacking:
        print(f"{name}: {format_}, {weights}", file=sys.stderr, flush=True)
        own = folder / f"{format_}-{weights}"
        own.mkdir(parents=True, exist_ok=True)
        export(model, f"{name}/1", format_, weights, LIMIT, own, held_out, whole(learnt))


def ms_a_window(format_: str, archive: Path, X: FloatArray) -> float:
    """Return how long an artefact takes for a window."""
    with zipfile.ZipFile(archive) as packed:
        files = {name: packed.read(name) for name in packed.namelist() if name != DESCRIPTION}
    if format_ == "c":
        with tempfile.TemporaryDirectory() as folder:
            program = c_emulator.compiled({name: body.decode() for name, body in files.items()}, Path(folder))
            return median(c_emulator.run(program, X).ms for _ in range(RUNS))
    (content,) = files.values()
    run = onnx_file.run_onnx if format_ == "onnx" else litert_file.run_litert
    return median(run(content, X[:1]).ms for _ in range(RUNS))


def figures(document: dict[str, Any], exact: dict[str, Any], ms: float) -> dict[str, object]:
    """Return what is told of an artefact, beside the one with float32 weights."""
    report, cost = document["check"], document["cost"]
    of_people = [
        before["f1"] - report["scores"]["by_subject"][who]["f1"]
        for who, before in report["scores_of_model"]["by_subject"].items()
    ]
    multiply_adds = cost.get("multiply_adds")
    return {
        "same answers, people held out": round(report["same_answers_held_out"], 4),
        "same answers, all windows": round(report["same_answers"], 4),
        "largest difference": float(f"{report['largest_difference']:.2g}"),
        "F1": round(report["scores"]["f1"], 4),
        "F1 lost": round(report["scores_of_model"]["f1"] - report["scores"]["f1"], 4),
        "F1 lost, worst person": round(max(of_people), 4),
        "bytes": f"{cost['bytes']:,}",
        "bytes, of float32": round(cost["bytes"] / exact["cost"]["bytes"], 3),
        "ms a window": float(f"{ms:.2g}"),
        "flash (KB)": round(cost["flash_bytes"] / 1024, 1) if "flash_bytes" in cost else None,
        "RAM (KB)": round(cost["ram_bytes"] / 1024, 1) if cost["ram_bytes"] else None,
        "multiply-adds (millions)": round(multiply_adds / 1e6, 2) if multiply_adds else None,
    }


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kept", type=Path, help="where artefacts are kept from run to run")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as draft:
        kept = options.kept or Path(draft)
        for name in MODELS:
            make(name, kept / name)
        result: dict[str, Any] = {}
        for name in MODELS:
            X = windows_to_try(load_model(ROOT / "reference_models" / name), None).X
            folders = {kind: kept / name / "-".join(kind) for kind in KINDS}
            documents = {kind: json.loads((own / DESCRIPTION).read_text("utf-8")) for kind, own in folders.items()}
            result[name] = {
                f"{format_}, {weights}": figures(
                    documents[format_, weights],
                    documents[format_, EXACT],
                    ms_a_window(format_, folders[format_, weights] / ARTEFACT, X),
                )
                for format_, weights in KINDS
            }
        made_with = {format_: documents[format_, EXACT]["cost"]["made_with"] for format_ in ("c", "onnx", "litert")}
    print(json.dumps({**made_with, **result}, indent=1))


if __name__ == "__main__":
    main()
