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
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import stdtrit

from app.har.classifiers.base import Classifier
from app.har.classifiers.elm_gru_am.classifier import ActivityClassifier
from app.har.classifiers.elm_gru_am.persistence import save_model
from app.har.classifiers.registry import make_classifier
from app.har.evaluation.scores import compare, evaluate
from app.har.evaluation.splits import fold_windows, split_windows
from app.har.evaluation.types import Metrics, Split
from app.har.progress import Event, OnEvent, Stage, ignore_event
from app.har.signals.filters import Preparation, prepare
from app.har.signals.types import SignalSet
from app.har.training.config import TrainConfig
from app.har.training.model_card import CARD, model_card
from app.har.types import FloatArray
from app.har.windows import WindowSet, make_windows

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DEPLOYABLE_MODEL = (
    ActivityClassifier.name
)  # the model that becomes a version users can get; the others are there to compare
LIBRARIES = ("tensorflow", "keras", "scikit-learn", "numpy", "scipy")
METRIC_NAMES = ("accuracy", "precision", "recall", "f1")


def run_experiment(
    signals: SignalSet,
    config: TrainConfig,
    folder: Path,
    *,
    data: Mapping[str, Any],
    on_event: OnEvent = ignore_event,
    plots: bool = True,
) -> dict[str, Any]:
    """Train and compare ``config.models`` on one split, or on folds, and write everything under `folder`.

    Parameters
    ----------
    signals : SignalSet
        The data set at its uniform rate.
    config : TrainConfig
        Models, protocol, seed, epochs, window length, folds.
    folder : Path
        An existing, empty folder. Gets ``metrics.json``, ``metrics.csv``, ``predictions.npz`` (test parts only),
        ``plots/*.png|svg`` and, when ELM-GRU-AM is trained on one split, ``model/``.
    data : mapping
        Name and fingerprint of the data set, written into the result and the model's manifest.
    on_event : callable
        Receives progress events.
    plots : bool
        Draw them, which takes seconds; the default. A caller that only reads figures can do without.

    Returns
    -------
    dict
        ``models`` (name → metrics of all test windows, and ``folds``, those of each part), ``comparisons``, ``split``,
        ``folds`` (the splits), ``activities``, ``config``, ``data``, ``environment``.

    Raises
    ------
    InsufficientData
        The data set cannot be split as asked.
    """
    on_event({"stage": Stage.WINDOWS})
    preparation = Preparation(config.low_pass_hz, config.separate_gravity, config.gap_s)
    windows = make_windows(prepare(signals, preparation), config.window_length_s, config.overlap)
    if config.folds:
        splits = fold_windows(windows, config.protocol, config.folds, config.seed)
    else:
        splits = [split_windows(windows, config.protocol, config.seed, config.test_fraction)]
    described = _describe_all(windows, splits)
    on_event({"stage": Stage.SPLIT, **{k: v for k, v in described.items() if k != "subjects"}})
    test = np.concatenate([split.test for split in splits])

    history: list[Event] = []
    outcomes: dict[str, Metrics] = {}
    by_fold: dict[str, list[dict[str, Any]]] = {name: [] for name in config.models}
    probabilities: dict[str, Any] = {}
    fitted: dict[str, Classifier] = {}
    for index, name in enumerate(config.models):
        parts: list[FloatArray] = []
        for number, split in enumerate(splits, start=1):

            def report(event: Event, name: str = name, index: int = index, number: int = number) -> None:
                event = {**event, "model": name, "model_index": index, "n_models": len(config.models)}
                event |= {"fold": number, "folds": len(splits)} if config.folds else {}
                if "epoch" in event:
                    history.append(event)
                on_event(event)

            train_part, test_part = windows.take(split.train), windows.take(split.test)
            fitted[name], proba, metrics = fit_and_score(name, train_part, test_part, config, report)
            parts.append(proba)
            by_fold[name].append(flat_metrics(metrics.as_dict()))
            if config.folds:
                report({"stage": Stage.FOLD_SCORED, "accuracy": metrics.accuracy.value, "f1": metrics.f1.value})
        probabilities[name] = np.concatenate(parts)
        speed = float(np.mean([fold["predict_windows_per_second"] for fold in by_fold[name]]))
        outcomes[name] = evaluate(
            windows.take(test),
            probabilities[name],
            fit_seconds=float(np.mean([fold["fit_seconds"] for fold in by_fold[name]])),
            predict_seconds=len(test) / speed,
            seed=config.seed,
        )
        report({"stage": Stage.SCORED, "accuracy": outcomes[name].accuracy.value, "f1": outcomes[name].f1.value})

    result: dict[str, Any] = {
        "models": {name: {**metrics.as_dict(), "folds": by_fold[name]} for name, metrics in outcomes.items()},
        "comparisons": [asdict(own) for own in compare(windows.take(test), probabilities, config.seed)],
        "split": described,
        "folds": [describe_split(windows, split) for split in splits] if config.folds else [],
        "activities": list(windows.activities),
        "config": asdict(config),
        "data": dict(data),
        "environment": environment(),
        "history": history,
    }
    on_event({"stage": Stage.WRITING})
    _write(result, folder)
    of_test = windows.take(test)
    np.savez_compressed(folder / "predictions.npz", y=of_test.y, subjects=of_test.subjects, index=test, **probabilities)
    if plots:
        _draw(windows, outcomes, fitted, history, folder / "plots")
    product = fitted.get(DEPLOYABLE_MODEL)
    if isinstance(product, ActivityClassifier) and not config.folds:
        product.preparation = preparation
        extra = {key: result[key] for key in ("data", "split", "config")} | {
            "metrics": result["models"][DEPLOYABLE_MODEL]
        }
        card = model_card(
            str(data.get("dataset", DEPLOYABLE_MODEL)),
            vars(product) | {"window_length_s": product.window_length_s},
            extra,
        )
        save_model(product, folder / "model", extra=extra, texts={CARD: card})
    return result


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


def fit_and_score(
    name: str, train: WindowSet, test: WindowSet, config: TrainConfig, on_event: OnEvent
) -> tuple[Classifier, Any, Metrics]:
    """Fit one model on the training windows, and look at the test windows once."""
    on_event({"stage": Stage.FIT})
    classifier = make_classifier(
        name, {"rotation_augmentation": config.rotation_augmentation} if name == DEPLOYABLE_MODEL else {}
    )
    started = time.perf_counter()
    classifier.fit(train, epochs=config.epochs, seed=config.seed, on_event=on_event)
    fit_seconds = time.perf_counter() - started
    on_event({"stage": Stage.EVALUATION})
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


def _describe_all(windows: WindowSet, splits: list[Split]) -> dict[str, Any]:
    """Describe one split, or sum up folds: their usual training part and, tested part by part, everything."""
    each = [describe_split(windows, split) for split in splits]
    if len(each) == 1:
        return each[0]
    everybody = np.unique(windows.subjects).tolist()
    return {
        **each[0],
        "folds": len(each),
        "train_windows": round(float(np.mean([one["train_windows"] for one in each]))),
        "test_windows": sum(one["test_windows"] for one in each),
        "test_subjects": len(everybody),
        "subjects": {"train": everybody, "test": everybody},
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
    from app.har.training import plots

    folder.mkdir()

    def save(axes: Axes, stem: str) -> None:
        plots.save(axes.figure, folder / stem)

    save(plots.comparison(outcomes), "comparison")
    for name, metrics in outcomes.items():
        for normalise in (False, True):
            axes = plots.confusion(np.array(metrics.confusion), windows.activities, normalise=normalise, title=name)
            save(axes, f"confusion-{name}-{'rows' if normalise else 'counts'}")
        save(plots.reliability(metrics, title=name)[0], f"reliability-{name}")
        if epochs := [event for event in history if event["model"] == name and event.get("fold", 1) == 1]:
            save(plots.learning_curve(epochs, title=name)[0], f"learning-{name}")
    product = fitted.get(DEPLOYABLE_MODEL)
    if isinstance(product, ActivityClassifier):
        save(plots.importances(product.importances_, product.n_selected)[0], "importances")
