"""The best score of a run, and runs side by side: what differs between them, and whether their figures compare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from app.har.classifiers.catalogue import CATALOGUE
from app.har.training.config import TrainConfig
from app.web.training.forms import PROTOCOLS

if TYPE_CHECKING:
    from app.tables import TrainingRun

SWITCHES = {True: "yes", False: "no"}


@dataclass(frozen=True)
class Best:
    """The model of a run with the highest macro F1."""

    model: str
    title: str
    f1: float
    accuracy: float
    folds: tuple[float, ...]  # macro F1 of each, empty for one split


def titles() -> dict[str, str]:
    """Return what each model is called, by its name."""
    return {name: info.title for name, info in CATALOGUE.items()}


def best_of(run: TrainingRun) -> Best | None:
    """Return the best model of a run; None before there is one."""
    models = run.result.get("models") or {}
    if not models:
        return None
    name = max(models, key=lambda model: models[model]["f1"]["value"])
    metrics = models[name]
    folds = metrics.get("folds", []) if run.result.get("folds") else []
    scores = tuple(fold["f1"] for fold in folds)
    return Best(name, titles().get(name, name), metrics["f1"]["value"], metrics["accuracy"]["value"], scores)


def settings_of(run: TrainingRun) -> dict[str, str]:
    """Return the settings of a run and who was tested, in words."""
    config: Mapping[str, Any] = {**dict.fromkeys(("epochs", "folds", "low_pass_hz")), **run.config}
    split = run.result["split"]
    default = TrainConfig()
    switches = {
        name: SWITCHES[bool(config.get(name, getattr(default, name)))]
        for name in ("separate_gravity", "rotation_augmentation", "keep_sums")
    }
    return {
        "Data": run.dataset_name,
        "How to test": PROTOCOLS[split["protocol"]][0] + (f", {config['folds']} folds" if config["folds"] else ""),
        "Start from": (config.get("base") or "scratch") + (", fine-tuned" if config.get("fine_tune") else ""),
        "Models": ", ".join(titles().get(name, name) for name in run.result["models"]),
        "Window": f"{config['window_length_s']:g} s, overlap {config['overlap']:g}",
        "Epochs": str(config["epochs"] or "the default of each network") if has_epochs(run.result) else "–",
        "Seed": str(config["seed"]),
        "Low-pass filter": f"{config['low_pass_hz']:g} Hz" if config["low_pass_hz"] else "none",
        "Train without gravity": switches["separate_gravity"],
        "Any device orientation": switches["rotation_augmentation"],
        "Keep features by person": switches["keep_sums"],
        "Learn without labels from": config.get("unlabelled") or "nothing",
        "People left out": ", ".join(config.get("leave_out", ())) or "nobody",
        "Trained on": f"{split['train_windows']:,} windows of {split['train_subjects']} subjects",
        "Tested on": f"{split['test_windows']:,} windows of {split['test_subjects']} subjects",
    }


def has_epochs(result: Mapping[str, Any]) -> bool:
    """Tell whether a model of a run is trained in epochs; a forest, for one, is not."""
    return any(name in CATALOGUE and CATALOGUE[name].needs_tensorflow for name in result["models"])


def same_test(runs: Sequence[TrainingRun]) -> bool:
    """Tell whether all runs were tested on the very same windows."""
    return len({_test_of(run) for run in runs}) == 1


def _test_of(run: TrainingRun) -> tuple[object, ...]:
    config, split, data = run.config, run.result["split"], run.result["data"]
    prints = tuple((one.get("fingerprint"), one.get("device")) for one in data.get("datasets", [data]))
    drawn = (split["protocol"], config["seed"], config.get("folds"), config["window_length_s"], config["overlap"])
    counts = tuple(sum(row) for row in next(iter(run.result["models"].values()))["confusion"])
    return prints, drawn, tuple(split["subjects"]["test"]), tuple(run.result.get("activities", ())), counts
