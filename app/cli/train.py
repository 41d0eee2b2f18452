"""``flask train`` and ``flask evaluate``."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import IO, Any, TypeAlias, get_args

import click

from app.cli.output import json_option, needs_home, print_json
from app.har.classifiers.catalogue import CATALOGUE, DEPLOYABLE_MODEL
from app.har.evaluation.types import Protocol
from app.har.progress import Event, Stage
from app.har.training.config import TrainConfig, help_on, limits

Decorator: TypeAlias = Callable[[Callable[..., None]], Callable[..., None]]
DEFAULT_FOLDS = 5
MODELS_HELP = "Comma-separated; the models are listed below."
MODELS_LIST = "\b\nModels:\n" + "\n".join(f"  {name:<22}{info.about}" for name, info in CATALOGUE.items())


def _names(context: click.Context, parameter: click.Parameter, value: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in value.split(",") if name.strip())


def _setting(option: str, name: str, kind: type[click.IntRange | click.FloatRange], **more: Any) -> Decorator:
    """Return an option for a setting of TrainConfig, with its bounds, default and text."""
    defaults = {"default": getattr(TrainConfig, name), "show_default": True}
    return click.option(option, name, type=kind(*limits(name)), help=help_on(name), **{**defaults, **more})


def _settings(models: Sequence[str]) -> Decorator:
    """Add the options of every training; the command gets them by the names of TrainConfig, and the data set's name."""
    options = (
        click.option(
            "--dataset", required=True,
            help="Name of a data set (flask datasets list), or of several to train on as one: a,b,c. "
            "One device of a data set is a:watch.",
        ),
        click.option(
            "--protocol", type=click.Choice(get_args(Protocol)),
            help="random: the paper's stratified 80/20; subject: tested on people never seen in training; dataset: "
            "each data set left out in turn, which keeps no "
            "model but the everyday one. Default: subject; dataset for several data sets.",
        ),
        click.option("--models", default=",".join(models), show_default=True, callback=_names, help=MODELS_HELP),
        _setting("--seed", "seed", click.IntRange),
        _setting("--epochs", "epochs", click.IntRange),
        _setting("--window-length", "window_length_s", click.FloatRange),
        _setting("--overlap", "overlap", click.FloatRange),
        _setting("--low-pass", "low_pass_hz", click.FloatRange),
        _setting("--gap", "gap_s", click.FloatRange),
        click.option("--separate-gravity", is_flag=True, help=help_on("separate_gravity")),
        click.option("--rotation-augmentation", is_flag=True, help=help_on("rotation_augmentation")),
        click.option("--leave-out", default="", callback=_names, help=help_on("leave_out")),
    )  # fmt: skip

    def add(command: Callable[..., None]) -> Callable[..., None]:
        for option in reversed(options):
            command = option(command)
        return command

    return add


def _config(dataset: str, settings: dict[str, Any]) -> TrainConfig:
    """Return the settings of a training; how to test, if it isn't said, depends on how many data sets there are."""
    protocol = settings["protocol"] or ("dataset" if "," in dataset else TrainConfig.protocol)
    return TrainConfig(**{**settings, "protocol": protocol})


def _show(event: Event) -> None:
    parts = [str(event.get("model", "")), event["stage"]]
    if "fold" in event:
        parts.insert(0, event.get("dataset") or f"fold {event['fold']}")
    if "epoch" in event:
        parts.append(f"epoch {event['epoch']}/{event['epochs']}")
        parts += [f"{key} {event[key]:.3f}" for key in ("loss", "accuracy", "val_loss", "val_accuracy") if key in event]
    elif event["stage"] in (Stage.SCORED, Stage.FOLD_SCORED):
        parts.append(f"accuracy {event['accuracy']:.4f} macro F1 {event['f1']:.4f}")
    click.echo(" · ".join(part for part in parts if part), err=True)


@click.command(epilog=MODELS_LIST)
@_settings(TrainConfig.models)
@click.option("--from", "base", default="", metavar="MODEL", help=help_on("base"))
@click.option("--fine-tune", is_flag=True, help=help_on("fine_tune"))
@click.option("--unlabelled", default="", metavar="DATA_SET", help=help_on("unlabelled"))
@click.option("--keep-sums", is_flag=True, help=help_on("keep_sums"))
@click.option("--promote", is_flag=True, help="Make the trained model the default; of two that are kept, the first.")
@json_option
@needs_home
def train(dataset: str, promote: bool, as_json: bool, **settings: Any) -> None:
    """Train and compare models on a data set, or on several as one."""
    from app.har.training.results import METRIC_NAMES, flat_metrics
    from app.services.models import model_versions, training
    from app.services.models.unlabelled_gain import what_unlabelled_was_worth

    if settings["base"] and _is_default("models"):
        settings["models"] = (DEPLOYABLE_MODEL,)  # others take minutes, and have no base
    run = training.train(dataset, _config(dataset, settings), on_event=_show)
    _end_unless_finished(run)
    version = run.result.get("model_version")
    if promote and version:
        model_versions.promote(model_versions.get(version).id)
    scores = {name: flat_metrics(metrics) for name, metrics in run.result["models"].items()}
    document: dict[str, Any] = {
        "run": run.id,
        "models": scores,
        "intervals": {
            name: {m: [metrics[m]["low"], metrics[m]["high"]] for m in METRIC_NAMES}
            for name, metrics in run.result["models"].items()
        },
        "model_version": version,
        "model_versions": run.result.get("model_versions", {}),
        "promoted": promote and version is not None,
        "split": run.result["split"],
        "data_sets": _by_dataset(run.result),
        "left_out": run.result["left_out"],
        "transfer": run.result.get("transfer"),
        "unlabelled": run.result.get("unlabelled"),
    }
    if as_json:
        print_json(document)
        return
    _print_table(scores)
    _print_by_dataset(run.result)
    _print_curve(document["transfer"])
    if document["unlabelled"]:
        click.echo("\n" + what_unlabelled_was_worth(document["unlabelled"]))
    for label in document["model_versions"].values():
        click.echo(f"Stored as model {label}" + (", promoted." if promote and label == version else "."))


def _is_default(parameter: str) -> bool:
    return click.get_current_context().get_parameter_source(parameter) is click.core.ParameterSource.DEFAULT


def _end_unless_finished(run: Any) -> None:
    if run.status.value != "finished":
        click.echo(f"Training run {run.id} {run.status.value}: {run.reason}", err=True)
        sys.exit(1)


def _print_table(scores: dict[str, Any], of: str = "model") -> None:
    click.echo(f"{of:<22}{'accuracy':>10}{'precision':>10}{'recall':>10}{'macro F1':>10}{'fit s':>8}")
    for name, score in scores.items():
        figures = "".join(f"{score[metric]:>10.4f}" for metric in ("accuracy", "precision", "recall", "f1"))
        click.echo(f"{name:<22}{figures}{score.get('fit_seconds', 0):>8.1f}")


def _by_dataset(result: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return each model's figures on each data set that was left out, none where none was."""
    return {
        name: {fold["dataset"]: fold for fold in metrics["folds"]}
        for name, metrics in result["models"].items()
        if result["split"]["protocol"] == "dataset"
    }


def _print_by_dataset(result: dict[str, Any]) -> None:
    """Print each model's figures on each data set that was left out, and what was not trained on or tested."""
    for name, figures in _by_dataset(result).items():
        click.echo(f"\n{name}, by the data set that was left out")
        _print_table(figures, "data set")
    for left in result["left_out"]:
        of_set = f"{left['dataset']}, " if left["dataset"] else ""
        click.echo(f"{of_set}{left['activity']}: {left['windows']:,} windows left out ({left['reason']})")


def _print_curve(transfer: dict[str, Any] | None) -> None:
    """Print what the base is worth, by how many windows of each activity there are."""
    if not transfer or "curve" not in transfer:
        return
    click.echo(
        f"\n{'windows an activity':<22}{'on ' + transfer['base']:>24}{'from scratch':>14}   (macro F1, heads alone)"
    )
    for one in transfer["curve"]:
        click.echo(f"{one['windows'] or 'all':<22}{one['base']:>24.4f}{one['scratch']:>14.4f}")


@click.command(epilog=MODELS_LIST)
@_settings(("elm-gru-am", "random-forest"))
@_setting("--folds", "folds", click.IntRange, default=None, show_default="5; by data set, as many as there are")
@click.option(
    "--json",
    "file",
    type=click.File("w", encoding="utf-8"),
    is_flag=False,
    flag_value="-",
    help="Print one JSON document and nothing else; with a file's name, write it there.",
)
@needs_home
def evaluate(dataset: str, file: IO[str] | None, **settings: Any) -> None:
    """Cross-validate models on a data set, or on several as one, the first against the others.

    Nothing is stored as a model.
    """
    from app.har.training.results import over_folds
    from app.services.models import training

    config = _config(dataset, settings)
    config = replace(config, keep=False, folds=config.folds if config.in_folds else DEFAULT_FOLDS)
    run = training.train(dataset, config, on_event=_show)
    _end_unless_finished(run)
    scores = over_folds(run.result)
    shared = ("comparisons", "folds", "left_out", "activities", "config", "data", "environment")
    document = {"run": run.id, "models": scores, **{key: run.result[key] for key in shared}}
    if file:
        json.dump(document, file, indent=2)
        file.write("\n")
        if file.name in ("-", "<stdout>"):
            return
    _print_table(scores)
    _print_by_dataset(run.result)
    for pair in run.result["comparisons"]:
        difference = pair["f1"]
        click.echo(
            f"{pair['model']} − {pair['against']}: macro F1 {difference['value']:+.4f} "
            f"({difference['low']:+.4f} to {difference['high']:+.4f})"
        )
