"""One training run: windows, split, fit, evaluate, plots and files. The same rows and metric code for every model."""

from __future__ import annotations

import csv
import json
import platform
import time
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from app.har import plots
from app.har.baselines import make_classifier
from app.har.classifier import ActivityClassifier, Classifier
from app.har.evaluation import evaluate
from app.har.splits import fold_windows, split_windows
from app.har.types import Event, Metrics, OnEvent, SignalSet, Split, TrainConfig, WindowSet, ignore_event
from app.har.windows import make_windows

PRODUCT = ActivityClassifier.name  # the model that becomes a version users can get; the others are there to compare
LIBRARIES = ("tensorflow", "keras", "scikit-learn", "numpy", "scipy")
METRIC_NAMES = ("accuracy", "precision", "recall", "f1")


def run_experiment(
    signals: SignalSet,
    config: TrainConfig,
    folder: Path,
    *,
    data: Mapping[str, Any],
    on_event: OnEvent = ignore_event,
) -> dict[str, Any]:
    """Train and compare ``config.models`` on one split and write everything under `folder`.

    Parameters
    ----------
    signals : SignalSet
        The data set at its uniform rate.
    config : TrainConfig
        Models, protocol, seed, epochs, window length.
    folder : Path
        An existing, empty folder. Gets ``metrics.json``, ``metrics.csv``, ``predictions.npz`` (test part only),
        ``plots/*.png|svg`` and, when ELM-GRU-AM is among the models, ``model/``.
    data : mapping
        Name and fingerprint of the data set, written into the result and the model's manifest.
    on_event : callable
        Receives progress events.

    Returns
    -------
    dict
        ``models`` (name → metrics), ``split``, ``activities``, ``config``, ``data``, ``environment``.

    Raises
    ------
    InsufficientData
        The data set cannot be split as asked.
    """
    windows = _windows(signals, config, on_event)
    split = split_windows(windows, config.protocol, config.seed, config.test_fraction)
    described = describe_split(windows, split)
    on_event({"stage": "split", **{k: v for k, v in described.items() if k != "subjects"}})
    train, test = windows.take(split.train), windows.take(split.test)

    history: list[Event] = []
    outcomes: dict[str, Metrics] = {}
    probabilities: dict[str, Any] = {}
    fitted: dict[str, Classifier] = {}
    for index, name in enumerate(config.models):

        def report(event: Event, name: str = name, index: int = index) -> None:
            event = {**event, "model": name, "model_index": index, "n_models": len(config.models)}
            if "epoch" in event:
                history.append(event)
            on_event(event)

        fitted[name], probabilities[name], outcomes[name] = fit_and_score(name, train, test, config, report)
        report({"stage": "scored", "accuracy": outcomes[name].accuracy.value, "f1": outcomes[name].f1.value})

    result: dict[str, Any] = {
        "models": {name: metrics.as_dict() for name, metrics in outcomes.items()},
        "split": described,
        "activities": list(windows.activities),
        "config": {**asdict(config), "model_options": dict(config.model_options)},
        "data": dict(data),
        "environment": environment(),
        "history": history,
    }
    on_event({"stage": "writing"})
    _write(result, folder)
    np.savez_compressed(folder / "predictions.npz", y=test.y, subjects=test.subjects, index=split.test, **probabilities)
    _draw(windows, outcomes, fitted, history, folder / "plots")
    product = fitted.get(PRODUCT)
    if isinstance(product, ActivityClassifier):
        extra = {key: result[key] for key in ("data", "split", "config")} | {"metrics": result["models"][PRODUCT]}
        product.save(folder / "model", extra=extra)
    return result


def cross_validate(
    signals: SignalSet, config: TrainConfig, folds: int, on_event: OnEvent = ignore_event
) -> dict[str, Any]:
    """Fit and score every model on each of `folds` folds; the folds are the same for all models.

    Returns ``models``: name → ``folds`` (a list of metrics) and the mean and standard deviation of each metric.
    """
    windows = _windows(signals, config, on_event)
    splits = fold_windows(windows, config.protocol, folds, config.seed)
    models: dict[str, Any] = {name: {"folds": []} for name in config.models}
    for number, split in enumerate(splits, start=1):
        train, test = windows.take(split.train), windows.take(split.test)
        for name in config.models:

            def report(event: Event, name: str = name, number: int = number) -> None:
                on_event({**event, "model": name, "fold": number})

            _, _, metrics = fit_and_score(name, train, test, config, report)
            models[name]["folds"].append(flat_metrics(metrics.as_dict()))
    for scores in models.values():
        for metric in METRIC_NAMES:
            values = [fold[metric] for fold in scores["folds"]]
            scores[metric], scores[f"{metric}_std"] = float(np.mean(values)), float(np.std(values, ddof=1))
    return {
        "models": models,
        "protocol": config.protocol,
        "seed": config.seed,
        "folds": [describe_split(windows, split) for split in splits],
        "environment": environment(),
    }


def _windows(signals: SignalSet, config: TrainConfig, on_event: OnEvent) -> WindowSet:
    on_event({"stage": "windows"})
    return make_windows(signals, config.window_length_s, config.overlap)


def fit_and_score(
    name: str, train: WindowSet, test: WindowSet, config: TrainConfig, on_event: OnEvent
) -> tuple[Classifier, Any, Metrics]:
    """Fit one model on the training windows, and look at the test windows once."""
    on_event({"stage": "fit"})
    classifier = make_classifier(name, config.model_options if name == PRODUCT else {})
    started = time.perf_counter()
    classifier.fit(train, epochs=config.epochs, seed=config.seed, on_event=on_event)
    fit_seconds = time.perf_counter() - started
    on_event({"stage": "evaluation"})
    classifier.predict_proba(train.take(np.arange(min(512, len(train)))))  # compile the graph outside the clock
    started = time.perf_counter()
    proba = classifier.predict_proba(test)
    predict_seconds = time.perf_counter() - started
    metrics = evaluate(test, proba, fit_seconds=fit_seconds, predict_seconds=predict_seconds, seed=config.seed)
    return classifier, proba, metrics


def describe_split(windows: WindowSet, split: Split) -> dict[str, Any]:
    """Say which windows and whose were trained on and tested on."""
    train, test = np.unique(windows.subjects[split.train]), np.unique(windows.subjects[split.test])
    return {
        "protocol": split.protocol,
        "seed": split.seed,
        "train_windows": len(split.train),
        "test_windows": len(split.test),
        "train_subjects": len(train),
        "test_subjects": len(test),
        "subjects": {"train": train.tolist(), "test": test.tolist()},
    }


def environment() -> dict[str, str]:
    """Name what computed a result."""
    return {"python": platform.python_version(), "machine": platform.machine()} | {
        library: version(library) for library in LIBRARIES
    }


def flat_metrics(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Return the figures of one model without their intervals, under the names that the command line promises."""
    return {name: metrics[name]["value"] for name in METRIC_NAMES} | {
        "fit_seconds": metrics["fit_seconds"],
        "predict_windows_per_second": metrics["predict_windows_per_second"],
        "calibration_error": metrics["calibration_error"],
    }


def _write(result: Mapping[str, Any], folder: Path) -> None:
    (folder / "metrics.json").write_text(json.dumps(result, indent=2), encoding="utf-8")
    with (folder / "metrics.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        intervals = [f"{metric}_{end}" for metric in METRIC_NAMES for end in ("value", "low", "high")]
        table.writerow(["model", *intervals, "fit_seconds", "predict_windows_per_second", "calibration_error"])
        for name, metrics in result["models"].items():
            figures = [metrics[metric][end] for metric in METRIC_NAMES for end in ("value", "low", "high")]
            rest = [metrics[k] for k in ("fit_seconds", "predict_windows_per_second", "calibration_error")]
            table.writerow([name, *figures, *rest])


def _draw(
    windows: WindowSet,
    outcomes: Mapping[str, Metrics],
    fitted: Mapping[str, Classifier],
    history: list[Event],
    folder: Path,
) -> None:
    folder.mkdir()

    def save(axes: Axes, stem: str) -> None:
        plots.save(axes.figure, folder / stem)

    save(plots.comparison(outcomes), "comparison")
    for name, metrics in outcomes.items():
        for normalise in (False, True):
            axes = plots.confusion(np.array(metrics.confusion), windows.activities, normalise=normalise, title=name)
            save(axes, f"confusion-{name}-{'rows' if normalise else 'counts'}")
        if epochs := [event for event in history if event["model"] == name]:
            save(plots.learning_curve(epochs, title=name)[0], f"learning-{name}")
    product = fitted.get(PRODUCT)
    if isinstance(product, ActivityClassifier):
        save(plots.importances(product.importances, product.selected_k)[0], "importances")
