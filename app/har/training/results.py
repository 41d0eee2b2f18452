"""What comes of a training, as plain data: the content of metrics.json and metrics.csv."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np
from scipy.special import stdtrit
from typing_extensions import NotRequired

from app.har.classifiers.model_folder import library_versions
from app.har.evaluation.types import Split
from app.har.progress import Event
from app.har.texts import to_csv
from app.har.windows import WindowSet

if TYPE_CHECKING:
    import pandas as pd

METRIC_NAMES = ("accuracy", "precision", "recall", "f1")
OTHER_FIGURES = ("fit_seconds", "predict_windows_per_second", "calibration_error")


class ModelFigures(TypedDict):
    """The figures of one model without their intervals, under the names that the command line promises."""

    accuracy: float
    precision: float
    recall: float
    f1: float
    fit_seconds: float
    predict_windows_per_second: float
    calibration_error: float
    dataset: NotRequired[str]  # that these are of, where data sets are left out in turn


class LeftOut(TypedDict):
    """Windows that are neither trained on nor tested on, or that cannot be tested, and why."""

    dataset: str  # "" for a single one
    activity: str
    windows: int
    reason: str


class SplitSubjects(TypedDict):
    """Who was trained on, and who was tested on."""

    train: list[str]
    test: list[str]


class SplitDescription(TypedDict):
    """Which windows, and whose, were trained on and tested on."""

    protocol: str
    seed: int
    train_windows: int
    test_windows: int
    train_subjects: int
    test_subjects: int
    subjects: SplitSubjects
    dataset: NotRequired[str]  # that was left out, to test on


class FoldsDescription(SplitDescription):
    """Several folds together: their usual training part and, tested part by part, everything."""

    folds: int


class Result(TypedDict):
    """All that metrics.json holds."""

    models: dict[str, dict[str, Any]]  # by name: `Metrics.as_dict` of all test windows, and ``folds``, those of each
    comparisons: list[dict[str, Any]]  # `Comparison` of the first model with each other one
    split: SplitDescription  # `FoldsDescription`, where there are folds
    folds: list[SplitDescription]  # each of them; empty for one split
    left_out: list[LeftOut]
    channels: list[str]  # that every model read
    activities: list[str]
    config: dict[str, Any]  # `TrainConfig`
    data: dict[str, Any]  # name and fingerprint of the data set, or of each of several
    environment: dict[str, str]
    transfer: NotRequired[dict[str, Any]]  # the stored model that ELM-GRU-AM was built on, see `Base.described`
    unlabelled: NotRequired[dict[str, Any]]  # what was learnt from without labels, and the `Gain` of each part
    history: list[Event]  # those of epochs


def flat_metrics(metrics: Mapping[str, Any]) -> ModelFigures:
    """Return the figures of one model, from `Metrics.as_dict`, without their intervals."""
    return {
        "accuracy": metrics["accuracy"]["value"],
        "precision": metrics["precision"]["value"],
        "recall": metrics["recall"]["value"],
        "f1": metrics["f1"]["value"],
        "fit_seconds": metrics["fit_seconds"],
        "predict_windows_per_second": metrics["predict_windows_per_second"],
        "calibration_error": metrics["calibration_error"],
    }


def over_folds(result: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return of each model the mean of each metric over the folds, its deviation, and a 95 % t interval."""
    summary: dict[str, dict[str, Any]] = {}
    for name, metrics in result["models"].items():
        summary[name] = {"folds": metrics["folds"]}
        for metric in METRIC_NAMES:
            values = np.array([fold[metric] for fold in metrics["folds"]])
            half = stdtrit(len(values) - 1, 0.975) * values.std(ddof=1) / np.sqrt(len(values))
            summary[name] |= {
                metric: float(values.mean()),
                f"{metric}_std": float(values.std(ddof=1)),
                f"{metric}_interval": [float(values.mean() - half), float(values.mean() + half)],
                f"{metric}_by_subjects": [metrics[metric]["low"], metrics[metric]["high"]],
            }
        rest = ("calibration_error", "fit_seconds", "predict_windows_per_second", "per_activity", "per_subject")
        summary[name] |= {key: metrics[key] for key in (*rest, "reliability", "coverage", "confusion")}
    return summary


def describe_split(windows: WindowSet, split: Split) -> SplitDescription:
    """Say which windows and whose were trained on and tested on."""
    train, test = np.unique(windows.subjects[split.train]), np.unique(windows.subjects[split.test])
    description: SplitDescription = {
        "protocol": split.protocol,
        "seed": split.seed,
        "train_windows": len(split.train),
        "test_windows": len(split.test),
        "train_subjects": len(train),
        "test_subjects": len(test),
        "subjects": {"train": train.tolist(), "test": test.tolist()},
    }
    return {**description, "dataset": split.dataset} if split.dataset else description


def describe_folds(windows: WindowSet, splits: Sequence[Split]) -> FoldsDescription:
    """Say what folds are together."""
    folds = [describe_split(windows, split) for split in splits]
    everybody = np.unique(windows.subjects).tolist()
    return {
        "protocol": folds[0]["protocol"],
        "seed": folds[0]["seed"],
        "train_subjects": folds[0]["train_subjects"],
        "folds": len(folds),
        "train_windows": round(float(np.mean([fold["train_windows"] for fold in folds]))),
        "test_windows": sum(fold["test_windows"] for fold in folds),
        "test_subjects": len(everybody),
        "subjects": {"train": everybody, "test": everybody},
    }


def environment() -> dict[str, str]:
    """Name what computed a result."""
    return {"python": platform.python_version(), "machine": platform.machine()} | library_versions()


def metrics_table(result: Result) -> pd.DataFrame:
    """Return the figures with a row for each model, and one for each data set that was left out."""
    import pandas as pd

    by_dataset = result["split"]["protocol"] == "dataset"
    rows = []
    for name, metrics in result["models"].items():
        ends = {f"{metric}_{end}": metrics[metric][end] for metric in METRIC_NAMES for end in ("value", "low", "high")}
        rows.append({"model": name, "data_set": "all", **ends, **{key: metrics[key] for key in OTHER_FIGURES}})
        for fold in metrics["folds"] if by_dataset else []:
            values = {f"{metric}_value": fold[metric] for metric in METRIC_NAMES}
            rows.append(
                {"model": name, "data_set": fold["dataset"], **values, **{key: fold[key] for key in OTHER_FIGURES}}
            )
    table = pd.DataFrame(rows)
    return table if by_dataset else table.drop(columns="data_set")


def write_result(result: Result, folder: Path) -> None:
    """Write metrics.json, with everything, and metrics.csv, the figures as a table."""
    (folder / "metrics.json").write_text(json.dumps(result, indent=2), encoding="utf-8")
    (folder / "metrics.csv").write_text(to_csv(metrics_table(result)), encoding="utf-8", newline="")
